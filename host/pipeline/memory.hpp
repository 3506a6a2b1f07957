// How much memory a job takes.
#pragma once

#include <cstdint>
#include <string>

#include "revoxel/resample.hpp"

namespace revoxel::pipeline {

/// Bytes of all voxels that a header describes. Throws Error(input) beyond int64.
std::int64_t volume_bytes(const io::NiftiHeader& header);

/// One line when input, output and workspace together exceed the machine's memory and swap, or the container's limit;
/// else empty. Asking the allocator would not tell: Linux promises more than it has and ends the process later.
std::string memory_shortage(const ResampleJob& job);

}  // namespace revoxel::pipeline
