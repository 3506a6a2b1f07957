#include "copy.hpp"

#include <algorithm>

#include "brick.hpp"
#include "math/values.hpp"
#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

// A thread moves kRun voxels that lie side by side in each of kSlices slices; a block has 64 x 4 threads.
constexpr int kThreads = 256, kColumns = 64, kRows = kThreads / kColumns, kRun = 4, kSlices = 8;

template <typename T>
struct alignas(sizeof(T) * kRun > 16 ? 16 : sizeof(T) * kRun) Run {
    T voxel[kRun];
};

/// `voxels` voxels of one row; from[v] are their places in the input row.
template <typename T>
__device__ void move_run(const T* row, const std::int64_t (&from)[kRun], T* target, std::int64_t stride, int voxels) {
    if (voxels == kRun && stride == 1 && reinterpret_cast<std::uintptr_t>(target) % alignof(Run<T>) == 0) {
        Run<T> run;
#pragma unroll
        for (int v = 0; v < kRun; ++v) run.voxel[v] = row[from[v]];
        *reinterpret_cast<Run<T>*>(target) = run;
        return;
    }
#pragma unroll
    for (int v = 0; v < kRun; ++v) {
        if (v < voxels) target[v * stride] = row[from[v]];
    }
}

__host__ __device__ std::int64_t tiles_along(const Box& box, int axis) {
    const std::int64_t size = axis == 0 ? kColumns * kRun : axis == 1 ? kRows : kSlices;
    const std::int64_t n = box.hi[axis] - box.lo[axis];
    return n <= 0 ? 0 : (n + size - 1) / size;
}

/// What a thread moves.
struct Share {
    std::int64_t from[kRun];  ///< along x, in scalars
    std::int64_t at[3];       ///< the first voxel
    std::int64_t volume;
    int voxels, slices;
};

__device__ bool share_of(const CopyJob& job, unsigned block, Share& share) {
    const Box& box = job.covered;
    const auto nx = static_cast<unsigned>(tiles_along(box, 0)), ny = static_cast<unsigned>(tiles_along(box, 1)),
               nz = static_cast<unsigned>(tiles_along(box, 2));
    const unsigned bx = block % nx, by = block / nx % ny, bz = block / nx / ny;
    share.volume = bz / nz;
    share.at[0] = box.lo[0] + (std::int64_t{bx} * kColumns + threadIdx.x % kColumns) * kRun;
    share.at[1] = box.lo[1] + by * kRows + threadIdx.x / kColumns;
    share.at[2] = box.lo[2] + bz % nz * kSlices;
    if (!box.holds(share.at[0], share.at[1], share.at[2])) return false;
    share.voxels = static_cast<int>(min(std::int64_t{kRun}, box.hi[0] - share.at[0]));
    share.slices = static_cast<int>(min(std::int64_t{kSlices}, box.hi[2] - share.at[2]));
#pragma unroll
    for (int v = 0; v < kRun; ++v) {
        const std::int64_t i = share.at[0] + (v < share.voxels ? v : 0);
        share.from[v] = (job.source[0] ? job.source[0][i] : i) * job.input.stride[0];
    }
    return true;
}

template <typename T>
__device__ void move_share(const CopyJob& job, const Share& share) {
    const std::int64_t y = job.source[1] ? job.source[1][share.at[1]] : share.at[1];
    const T* input = voxels_of<T>(job.input, job.volumes.input_step, share.volume) + y * job.input.stride[1];
    T* output = voxels_of<T>(job.output, job.volumes.output_step, share.volume) +
                job.output.offset(share.at[0], share.at[1], share.at[2]);
    for (int s = 0; s < share.slices; ++s) {
        const std::int64_t k = share.at[2] + s, z = job.source[2] ? job.source[2][k] : k;
        move_run(input + z * job.input.stride[2], share.from, output + s * job.output.stride[2], job.output.stride[0],
                 share.voxels);
    }
}

/// Bits that only move.
template <typename Bits>
__global__ void __launch_bounds__(kThreads) move_kernel(const __grid_constant__ JobList<CopyJob> list) {
    unsigned block = 0;
    const CopyJob& job = job_of_block(list, block);
    Share share;
    if (share_of(job, block, share)) move_share<Bits>(job, share);
}

__global__ void __launch_bounds__(kThreads) convert_kernel(const __grid_constant__ JobList<CopyJob> list) {
    unsigned block = 0;
    const CopyJob& job = job_of_block(list, block);
    Share share;
    if (!share_of(job, block, share)) return;
    for (int s = 0; s < share.slices; ++s) {
        const std::int64_t k = share.at[2] + s, y = job.source[1] ? job.source[1][share.at[1]] : share.at[1],
                           z = job.source[2] ? job.source[2][k] : k;
        for (int v = 0; v < share.voxels; ++v) {
            const std::int64_t i = share.at[0] + v, x = job.source[0] ? job.source[0][i] : i;
            convert_voxel(job.input, job.input.offset(x, y, z) + share.volume * job.volumes.input_step, job.output,
                          job.output.offset(i, share.at[1], k) + share.volume * job.volumes.output_step);
        }
    }
}

__global__ void __launch_bounds__(kBrickThreads) pick_kernel(const __grid_constant__ JobList<PickJob> list) {
    unsigned block = 0;
    const PickJob& job = job_of_block(list, block);
    std::int64_t at[3], volume = 0;
    if (!brick_voxel(job.covered, block, at, volume)) return;
    const std::int64_t target = job.output.offset(at[0], at[1], at[2]) + volume * job.volumes.output_step;
    double c[3];
    if (!locate(job.frame, job.affines, volume, at, c)) return store_fill(job.fill, job.output, target);
    std::int64_t from[3];
    for (int a = 0; a < 3; ++a) {
        const std::int64_t nearest = math::floor_index(c[a] + 0.5 + math::kTieTolerance),
                           last = job.frame.inside[a] - 1;
        from[a] = (nearest < 0 ? 0 : nearest > last ? last : nearest) - job.origin[a];
    }
    convert_voxel(job.input, job.input.offset(from[0], from[1], from[2]) + volume * job.volumes.input_step, job.output,
                  target);
}

}  // namespace

void copy(const CopyJob* jobs, std::size_t count, StreamHandle stream) {
    const auto blocks = [](const CopyJob& job) {
        return tiles_along(job.covered, 0) * tiles_along(job.covered, 1) * tiles_along(job.covered, 2) *
               job.volumes.count;
    };
    // Runs of jobs of a kernel.
    const auto kernel_of = [](const CopyJob& job) {
        if (job.input.dtype != job.output.dtype) return convert_kernel;
        switch (size_of(job.input.dtype)) {
            case 1: return move_kernel<std::uint8_t>;
            case 2: return move_kernel<std::uint16_t>;
            case 4: return move_kernel<std::uint32_t>;
            default: return move_kernel<std::uint64_t>;
        }
    };
    for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
        const auto kernel = kernel_of(jobs[begin]);
        for (end = begin; end < count && kernel_of(jobs[end]) == kernel;) ++end;
        launch_jobs(kernel, jobs + begin, end - begin, blocks, kThreads, 0, stream);
    }
}

void pick(const PickJob* jobs, std::size_t count, StreamHandle stream) {
    const auto blocks = [](const PickJob& job) { return bricks_in(job.covered) * job.volumes.count; };
    launch_jobs(pick_kernel, jobs, count, blocks, kBrickThreads, 0, stream);
}

}  // namespace revoxel::cuda
