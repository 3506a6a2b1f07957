#include "runtime/messages.hpp"

#include <fmt/format.h>

namespace revoxel::cuda {

std::string to_string(const Version& version) {
    return fmt::format("{}.{}", version.major, version.minor);
}

std::string no_driver_text() {
    return "backend cuda: no NVIDIA driver is installed; choose --backend cpu, or install one";
}

std::string old_driver_text(const Version& driver, const Version& needed) {
    return fmt::format(
        "backend cuda: the NVIDIA driver serves CUDA {}, this build needs {}; choose --backend cpu, or update the "
        "driver",
        to_string(driver), to_string(needed));
}

std::string no_device_text() {
    return "backend cuda: there is no NVIDIA GPU, or CUDA_VISIBLE_DEVICES hides it; choose --backend cpu";
}

std::string out_of_memory_text(std::size_t wanted, std::size_t free, std::size_t total) {
    return fmt::format(
        "backend cuda: the GPU has {:.4g} MB of memory left of {:.4g} MB, and {:.4g} MB more were wanted; end what "
        "else "
        "uses it, or choose --backend cpu",
        static_cast<double>(free) / 1e6, static_cast<double>(total) / 1e6, static_cast<double>(wanted) / 1e6);
}

std::string failed_text(const std::string& what, const std::string& words) {
    return fmt::format("backend cuda: {} failed: {}", what, words);
}

}  // namespace revoxel::cuda
