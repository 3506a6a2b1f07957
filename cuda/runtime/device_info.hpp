// Which CUDA devices this machine has. A host header: no CUDA header is included.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace revoxel::cuda {

struct Version {
    int major = 0;
    int minor = 0;
};

struct DeviceInfo {
    int index = 0;     ///< as for cudaSetDevice
    std::string name;  ///< "NVIDIA H200"
    Version compute;   ///< compute capability
    int multiprocessors = 0;
    std::int64_t memory_bytes = 0;
};

/// "13.0"
std::string to_string(const Version& version);

/// The CUDA runtime that this build is linked with.
Version runtime_version() noexcept;

/// The newest CUDA that the installed driver can serve; 0.0 without a driver.
Version driver_version() noexcept;

/// The release of the kernel driver, "580.65.06"; empty without one.
std::string driver_release();

/// The devices that the driver offers, in its order; empty without a driver or a device, and when the driver is older
/// than the runtime. Throws nothing but std::bad_alloc.
std::vector<DeviceInfo> devices();

}  // namespace revoxel::cuda
