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

/// What one launch does: jobs, each of so many blocks, as many as kernel parameters have room for. A kernel takes it as
/// `const __grid_constant__ JobList<Job> list`, so that jobs are read where they are.
template <typename Job>
struct JobList {
    static constexpr int kRoom = 4000;  // bytes; all devices take 4 KiB
    static constexpr int kMost = kRoom / static_cast<int>(sizeof(Job) + sizeof(unsigned));
    static_assert(kMost >= 1, "a job is too large for a kernel's parameters");

    unsigned end[kMost];  ///< the number of blocks of this job and those before
    Job job[kMost];
};

#if defined(__CUDACC__)

/// Memory of the block, as many bytes as the launch asked for.
__device__ inline std::byte* shared_memory() {
    extern __shared__ __align__(16) unsigned char revoxel_shared[];
    return reinterpret_cast<std::byte*>(revoxel_shared);
}

/// Asks the second-level cache for the line of an address.
__device__ inline void prefetch(const std::byte* address) {
    asm volatile("prefetch.global.L2 [%0];" ::"l"(address));
}

template <typename Job>
void launch(void (*kernel)(JobList<Job>), unsigned blocks, unsigned threads, std::size_t shared_bytes,
            const JobList<Job>& list, StreamHandle stream) {
    if (shared_bytes > kSharedBytesWithoutAsking) allow_shared_bytes(reinterpret_cast<const void*>(kernel));
    kernel<<<blocks, threads, shared_bytes, stream>>>(list);
    check_launch();
}

#else

using simt::prefetch;
using simt::shared_memory;

template <typename Job>
void launch(void (*kernel)(JobList<Job>), unsigned blocks, unsigned threads, std::size_t shared_bytes,
            const JobList<Job>& list, StreamHandle stream) {
    simt::enqueue(stream, [=] { simt::run({blocks, 1, 1}, {threads, 1, 1}, shared_bytes, [&] { kernel(list); }); });
}

#endif

/// The job of this block, and the number of the block in it.
template <typename Job>
__device__ const Job& job_of_block(const JobList<Job>& list, unsigned& block) {
    int n = 0;
    while (blockIdx.x >= list.end[n]) ++n;
    block = blockIdx.x - (n == 0 ? 0 : list.end[n - 1]);
    return list.job[n];
}

/// Queues a kernel for `count` jobs, `blocks(job)` blocks for each, in as few launches as can be. Throws
/// Error(unavailable) when one cannot be launched.
template <typename Job, typename Blocks>
void launch_jobs(void (*kernel)(JobList<Job>), const Job* jobs, std::size_t count, const Blocks& blocks,
                 unsigned threads, std::size_t shared_bytes, StreamHandle stream) {
    constexpr std::int64_t kMostBlocks = (std::int64_t{1} << 31) - 1;
    JobList<Job> list;
    std::size_t next = 0;
    while (next < count) {
        int n = 0;
        std::int64_t all = 0;
        for (; next < count && n < JobList<Job>::kMost; ++next) {
            const std::int64_t more = blocks(jobs[next]);
            if (more > kMostBlocks) throw_too_many_blocks(more);
            if (all + more > kMostBlocks) break;
            if (more <= 0) continue;
            all += more;
            list.job[n] = jobs[next];
            list.end[n++] = static_cast<unsigned>(all);
        }
        if (n > 0) launch(kernel, static_cast<unsigned>(all), threads, shared_bytes, list, stream);
    }
}

/// Blocks of `size` that hold n.
inline std::int64_t blocks_of(std::int64_t n, std::int64_t size) {
    return n <= 0 ? 0 : (n + size - 1) / size;
}

}  // namespace revoxel::cuda
