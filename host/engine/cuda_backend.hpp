// What the engine asks of the CUDA side. cuda/backend.cpp answers when the CUDA targets are compiled, cuda/stub.cpp
// when they are not; nothing else in the host code knows the difference. No CUDA header is included here.
#pragma once

#include <memory>
#include <string>

#include "revoxel/executor.hpp"

namespace revoxel::cuda {

/// True when this build has the CUDA targets. Says nothing about this machine.
bool compiled_in() noexcept;

/// One line for `revoxel --version`: "not compiled in", "CUDA 13.0, no device found", or
/// "CUDA 13.0, NVIDIA H200 (driver 580.65.06)". Never throws for want of a driver or a device.
std::string description();

/// Whether there is a device that kernels can run on. Never throws for want of one.
bool available() noexcept;

/// Runs the plan on the current device. Throws Error(unavailable) where this build or this machine cannot, and says
/// why. Plans that need_two_steps are not for it.
std::unique_ptr<Executor> make_executor(const Plan& plan, const ExecutorOptions& options);

}  // namespace revoxel::cuda
