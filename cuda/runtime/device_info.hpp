// What versions of CUDA this build and this machine have. A host header: no CUDA header is included.
#pragma once

#include <string>

namespace revoxel::cuda {

struct Version {
    int major = 0;
    int minor = 0;
};

/// "13.0"
std::string to_string(const Version& version);

/// The CUDA runtime that this build is linked with.
Version runtime_version() noexcept;

/// The newest CUDA that the installed driver can serve; 0.0 without a driver.
Version driver_version() noexcept;

/// The release of the kernel driver, "580.65.06"; empty without one.
std::string driver_release();

}  // namespace revoxel::cuda
