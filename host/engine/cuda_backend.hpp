// What the engine asks of the CUDA side. cuda/backend.cpp answers when the CUDA targets are compiled, cuda/stub.cpp
// when they are not; nothing else in the host code knows the difference. No CUDA header is included here.
#pragma once

#include <cstddef>
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

/// Why there is none, in one line; empty where there is one.
std::string complaint();

/// Whether this process has used a device already: the first use takes long.
bool started() noexcept;

/// Bytes on the host that devices copy from and to without a detour, where the system grants them; else ordinary ones.
/// Throws std::bad_alloc.
std::shared_ptr<std::byte[]> pinned_bytes(std::size_t bytes);

/// Runs the plan on ExecutorOptions::devices. Throws Error(unavailable) where this build or this machine cannot, and
/// says why, Error(device_memory) where the device has too little memory, Error(usage) where there is no such device.
/// Plans that need_two_steps are not for it.
std::unique_ptr<Executor> make_executor(const Plan& plan, const ExecutorOptions& options);

}  // namespace revoxel::cuda
