#include "copy.hpp"

#include <algorithm>

#include "math/values.hpp"
#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

constexpr int kThreads = 256;

/// False: the voxel is fill.
__device__ bool source_of(const CopyJob& job, const std::int64_t (&at)[3], std::int64_t (&from)[3]) {
    if (!job.gather) {
        for (int a = 0; a < 3; ++a) from[a] = job.source[a] ? job.source[a][at[a]] : at[a];
        return true;
    }
    double c[3];
    if (!math::locate(job.frame, at[0], at[1], at[2], c)) return false;
    for (int a = 0; a < 3; ++a) {
        const std::int64_t nearest = math::floor_index(c[a] + 0.5 + math::kTieTolerance),
                           last = job.frame.inside[a] - 1;
        from[a] = (nearest < 0 ? 0 : nearest > last ? last : nearest) - job.origin[a];
    }
    return true;
}

__global__ void __launch_bounds__(kThreads) copy_kernel(CopyJob job) {
    const Box& box = job.covered;
    const std::int64_t width = box.hi[0] - box.lo[0], height = box.hi[1] - box.lo[1],
                       count = width * height * (box.hi[2] - box.lo[2]);
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kThreads;
    for (std::int64_t n = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; n < count; n += step) {
        const std::int64_t row = n / width;
        const std::int64_t at[3] = {box.lo[0] + n % width, box.lo[1] + row % height, box.lo[2] + row / height};
        std::int64_t from[3];
        const bool inside = source_of(job, at, from);
        const std::int64_t target = job.output.offset(at[0], at[1], at[2]);
        with_type(job.output.dtype, [&](auto out) {
            using To = typename decltype(out)::type;
            To* voxel = reinterpret_cast<To*>(job.output.data) + target;
            if (!inside) {
                *voxel = math::saturate_round<To>(job.fill);
                return;
            }
            const std::int64_t source = job.input.offset(from[0], from[1], from[2]);
            with_type(job.input.dtype, [&](auto in) {
                using From = typename decltype(in)::type;
                *voxel = math::convert<To>(reinterpret_cast<const From*>(job.input.data)[source]);
            });
        });
    }
}

}  // namespace

void copy(const CopyJob& job, const Stream& stream) {
    std::int64_t count = 1;
    for (int a = 0; a < 3; ++a) count *= std::max<std::int64_t>(0, job.covered.hi[a] - job.covered.lo[a]);
    if (count == 0) return;
    const auto blocks = static_cast<unsigned>(std::min<std::int64_t>((count + kThreads - 1) / kThreads, 65535));
    launch(copy_kernel, {blocks, 1, 1}, {kThreads, 1, 1}, 0, stream, job);
}

}  // namespace revoxel::cuda
