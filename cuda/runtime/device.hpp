// What kernels and their launchers are written with. nvcc takes CUDA's own words; the tests compile the same files as
// plain C++ with the words of tests/simt/simt.hpp. Not for host code that launches nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/memory.hpp"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#else
#include "simt/simt.hpp"
#endif

namespace revoxel::cuda {

struct Size3 {
    unsigned x = 1, y = 1, z = 1;
};

#if defined(__CUDACC__)

/// Memory of the block, as many bytes as the launch asked for.
__device__ inline std::byte* shared_memory() {
    extern __shared__ __align__(16) unsigned char revoxel_shared[];
    return reinterpret_cast<std::byte*>(revoxel_shared);
}

/// Queues a kernel. Throws Error(unavailable) when it cannot be launched.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), const Size3& grid, const Size3& block, std::size_t shared_bytes,
            const Stream& stream, const Arguments&... arguments) {
    if (shared_bytes > kSharedBytesWithoutAsking)
        allow_shared_bytes(reinterpret_cast<const void*>(kernel), shared_bytes);
    kernel<<<dim3(grid.x, grid.y, grid.z), dim3(block.x, block.y, block.z), shared_bytes,
             static_cast<cudaStream_t>(stream.handle())>>>(arguments...);
    check_launch();
}

#else

using simt::shared_memory;

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), const Size3& grid, const Size3& block, std::size_t shared_bytes,
            const Stream&, const Arguments&... arguments) {
    simt::run({grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared_bytes, [&] { kernel(arguments...); });
}

#endif

/// Blocks of `size` that hold n.
inline unsigned blocks_of(std::int64_t n, std::int64_t size) {
    return static_cast<unsigned>((n + size - 1) / size);
}

}  // namespace revoxel::cuda
