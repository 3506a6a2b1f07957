#include "runtime/device_info.hpp"

#include <cuda_runtime_api.h>

#include <cctype>
#include <fstream>

#include "revoxel/cuda.hpp"

namespace revoxel::cuda {
namespace {

/// CUDA writes 13.0 as 13000.
Version split(int number) {
    return {number / 1000, number % 1000 / 10};
}

}  // namespace

Version runtime_version() noexcept {
    return split(CUDART_VERSION);
}

Version driver_version() noexcept {
    int number = 0;
    return cudaDriverGetVersion(&number) == cudaSuccess ? split(number) : Version{};
}

std::string driver_release() {
    // "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun ...": the first word that begins like a number.
    std::ifstream file("/proc/driver/nvidia/version");
    for (std::string word; file >> word;) {
        if (std::isdigit(static_cast<unsigned char>(word[0])) && word.find('.') != std::string::npos) return word;
    }
    return "";
}

std::vector<Device> devices() {
    std::vector<Device> found;
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess) {
        cudaGetLastError();  // or the next check of an unrelated call would report it
        return found;
    }
    for (int index = 0; index < count; ++index) {
        cudaDeviceProp properties;
        if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) {
            cudaGetLastError();
            continue;
        }
        found.push_back({index, properties.name, properties.major, properties.minor, properties.multiProcessorCount,
                         static_cast<std::int64_t>(properties.totalGlobalMem)});
    }
    return found;
}

}  // namespace revoxel::cuda
