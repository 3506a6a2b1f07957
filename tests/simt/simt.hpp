// CUDA's words for kernels that are compiled as plain C++ and run on the CPU. The threads of a block are fibers that
// take turns between barriers; blocks run one after the other. Included in place of CUDA's headers
// (cuda/runtime/device.hpp).
//
// What a kernel may not do and is told for: threads that wait at different barriers, or wait while others have ended;
// writes beyond shared memory (guard bytes, poisoned for the address sanitizer). Shared memory is NaN before each
// block. Threads and blocks run in one of three orders, so that a missing barrier shows as a wrong result in one of
// them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>

#include "simt/streams.hpp"

#include "simt/texture.hpp"

#define __global__
#define __device__
#define __host__
#define __noinline__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)

namespace revoxel::simt {

struct Index3 {
    unsigned x = 0, y = 0, z = 0;
};

/// Of the running thread.
extern thread_local Index3 threadIdx, blockIdx, blockDim, gridDim;

enum class Order { forward, reverse, shuffled };

/// As the environment variable REVOXEL_SIMT_ORDER says: forward, reverse or shuffled; forward without it.
Order order_from_environment();

/// The shared memory of the running block.
std::byte* shared_memory();

/// Reads the byte, so that the address sanitizer sees where a kernel reaches.
inline void prefetch(const std::byte* address) {
    static_cast<void>(*static_cast<const volatile std::byte*>(address));
}

/// A barrier for all threads of the block. `line` tells barriers apart.
void synchronise(int line);

/// Runs `kernel` once for each thread of each block. Throws std::logic_error for what a kernel may not do.
void run(const Index3& grid, const Index3& block, std::size_t shared_bytes, const std::function<void()>& kernel);

/// Launches since the start of the process: that a test ran kernels at all.
long launches();

}  // namespace revoxel::simt

namespace revoxel::cuda {

using simt::blockDim;
using simt::blockIdx;
using simt::gridDim;
using simt::threadIdx;
using std::max;
using std::min;

inline void __syncthreads(int line = __builtin_LINE()) {
    simt::synchronise(line);
}

}  // namespace revoxel::cuda
