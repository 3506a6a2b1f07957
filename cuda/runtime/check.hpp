// What CUDA's functions return, as errors. For .cu files.
#pragma once

#include <cuda_runtime_api.h>

#include "revoxel/error.hpp"
#include "runtime/messages.hpp"

namespace revoxel::cuda {

/// Throws Error(device_memory) where the device has too little memory, Error(unavailable) for all else that failed,
/// with CUDA's words. `what` says what was tried: "a copy to the GPU".
inline void check(cudaError_t status, const char* what) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // or the next check of an unrelated call would report it
    const auto code = status == cudaErrorMemoryAllocation ? ErrorCode::device_memory : ErrorCode::unavailable;
    throw Error(code, failed_text(what, cudaGetErrorString(status)));
}

}  // namespace revoxel::cuda
