#include "fill.hpp"

#include <algorithm>

#include "math/values.hpp"
#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

/// A block writes kRuns times kThreads voxels of one volume.
constexpr int kThreads = 256, kRuns = 16;

__host__ __device__ std::int64_t voxels_in(const Box& box) {
    std::int64_t count = 1;
    for (int a = 0; a < 3; ++a) {
        const std::int64_t n = box.hi[a] - box.lo[a];
        count *= n < 0 ? 0 : n;
    }
    return count;
}

__host__ __device__ std::int64_t blocks_in(const Box& box) {
    constexpr int kVoxels = kThreads * kRuns;
    return (voxels_in(box) + kVoxels - 1) / kVoxels;
}

__global__ void __launch_bounds__(kThreads) fill_kernel(const __grid_constant__ JobList<FillJob> list) {
    unsigned block = 0;
    const FillJob& job = job_of_block(list, block);
    const Box& box = job.box;
    const std::int64_t width = box.hi[0] - box.lo[0], height = box.hi[1] - box.lo[1], count = voxels_in(box),
                       volume = block / blocks_in(box), first = block % blocks_in(box) * (kThreads * kRuns);
    with_type(job.output.dtype, [&](auto typed) {
        using T = typename decltype(typed)::type;
        const T stored = math::saturate_round<T>(job.value);
        T* voxels = voxels_of<T>(job.output, job.volumes.output_step, volume);
        for (int run = 0; run < kRuns; ++run) {
            const std::int64_t n = first + run * kThreads + threadIdx.x;
            if (n >= count) return;
            const std::int64_t row = n / width;
            voxels[job.output.offset(box.lo[0] + n % width, box.lo[1] + row % height, box.lo[2] + row / height)] =
                stored;
        }
    });
}

}  // namespace

void fill(const FillJob* jobs, std::size_t count, StreamHandle stream) {
    const auto blocks = [](const FillJob& job) { return blocks_in(job.box) * job.volumes.count; };
    launch_jobs(fill_kernel, jobs, count, blocks, kThreads, 0, stream);
}

void outside_jobs(const Field& output, const Volumes& volumes, const Box& box, double value,
                  FillJob (&jobs)[kOutsideBoxes]) {
    // Slices before and after, then rows, then columns: six boxes that do not overlap.
    Box rest{{0, 0, 0}, {output.extent[0], output.extent[1], output.extent[2]}};
    for (int a = 2; a >= 0; --a) {
        Box before = rest, after = rest;
        before.hi[a] = std::max(rest.lo[a], std::min(box.lo[a], rest.hi[a]));
        after.lo[a] = std::min(rest.hi[a], std::max(box.hi[a], before.hi[a]));
        jobs[2 * a] = {output, volumes, before, value};
        jobs[2 * a + 1] = {output, volumes, after, value};
        rest.lo[a] = before.hi[a];
        rest.hi[a] = after.lo[a];
    }
}

}  // namespace revoxel::cuda
