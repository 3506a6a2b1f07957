// Writing PNG pictures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace revoxel::io {

/// Writes 8-bit grey (channels 1) or RGB (channels 3) pixels, rows from top to bottom without padding, to a PNG file
/// that appears complete or not at all. Equal pixels give equal bytes. Throws Error(output), also when the target
/// exists and `overwrite` is false; Error(usage) when sizes do not fit `pixels`. Thread-safe for different files.
void write_png(const std::string& path, std::int64_t width, std::int64_t height, int channels,
               std::span<const std::uint8_t> pixels, bool overwrite);

}  // namespace revoxel::io
