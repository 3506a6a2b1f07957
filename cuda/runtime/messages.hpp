// The words for what a device refuses. One source for CUDA's runtime and for the SIMT layer of the tests.
#pragma once

#include <cstddef>
#include <string>

#include "runtime/device_info.hpp"

namespace revoxel::cuda {

std::string no_driver_text();
/// The driver is older than the toolkit of this build.
std::string old_driver_text(const Version& driver, const Version& needed);
std::string no_device_text();
/// Of one allocation, in bytes.
std::string out_of_memory_text(std::size_t wanted, std::size_t free, std::size_t total);
/// `words`: CUDA's own.
std::string failed_text(const std::string& what, const std::string& words);

}  // namespace revoxel::cuda
