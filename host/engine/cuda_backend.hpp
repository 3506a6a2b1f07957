// What the engine asks of the CUDA side. cuda/backend.cpp answers when the CUDA targets are compiled, cuda/stub.cpp
// when they are not; nothing else in the host code knows the difference. No CUDA header is included here.
#pragma once

#include <string>

namespace revoxel::cuda {

/// True when this build has the CUDA targets. Says nothing about this machine.
bool compiled_in() noexcept;

/// One line for `revoxel --version`: "not compiled in", "CUDA 13.0, no device found", or
/// "CUDA 13.0, NVIDIA H200 (driver 580.65.06)". Never throws for want of a driver or a device.
std::string description();

}  // namespace revoxel::cuda
