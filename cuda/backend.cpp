// The CUDA side as the engine sees it.
#include "engine/cuda_backend.hpp"

#include "revoxel/cuda.hpp"
#include "runtime/device_info.hpp"

namespace revoxel::cuda {

bool compiled_in() noexcept {
    return true;
}

std::string description() {
    std::string text = "toolkit " + to_string(runtime_version());
    const std::vector<Device> found = devices();
    if (found.empty()) return text + ", no device found";
    for (const Device& device : found) text += ", " + device.name;
    const std::string driver = driver_release();
    return driver.empty() ? text : text + " (driver " + driver + ")";
}

bool available() noexcept {
    try {
        return !devices().empty();
    } catch (...) {
        return false;
    }
}

}  // namespace revoxel::cuda
