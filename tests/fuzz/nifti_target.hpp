// What the fuzzer and the replay of its corpus have in common.
#pragma once

#include <cstddef>
#include <cstdint>

namespace revoxel::test {

/// Takes `data` for a NIfTI file, or for a header file and an image file where kPairSeparator stands between them.
/// Reads it; what can be read is written resampled on to its own grid and read again, and must not have changed. Every
/// Error is fine; everything else ends the process. True when it could be read.
bool try_nifti(const std::uint8_t* data, std::size_t size);

inline constexpr char kPairSeparator[] = "--8<--pair--8<--";

}  // namespace revoxel::test
