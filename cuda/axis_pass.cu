#include "axis_pass.hpp"

#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

constexpr int kThreads = 256;

template <typename C, typename T>
__device__ C sum_along(const AxisPassJob<C>& job, const std::int64_t (&at)[3]) {
    const std::int64_t o = job.axis == 0 ? at[0] : job.axis == 1 ? at[1] : at[2];
    const std::int32_t first = job.taps.first[o], count = job.taps.count[o];
    const C* weight = job.taps.weight + o * job.taps.stride;
    std::int64_t base = 0;
#pragma unroll
    for (int a = 0; a < 3; ++a) base += (a == job.axis ? job.shift[a] : at[a] + job.shift[a]) * job.input.stride[a];
    const T* line = reinterpret_cast<const T*>(job.input.data) + base;
    const std::int64_t stride = job.input.stride[job.axis];
    C sum = count > 0 ? weight[0] * static_cast<C>(line[job.taps.index(first) * stride]) : C(0);
    for (std::int32_t t = 1; t < count; ++t) {
        sum = std::fma(weight[t], static_cast<C>(line[job.taps.index(first + t) * stride]), sum);
    }
    if (job.taps.bias) sum += job.taps.bias[o];
    return sum;
}

/// A block makes kThreads voxels, and the same number again kRuns times.
constexpr int kRuns = 8;

template <typename C>
__host__ __device__ std::int64_t voxels_in(const AxisPassJob<C>& job) {
    std::int64_t count = 1;
    for (int a = 0; a < 3; ++a) {
        const std::int64_t n = job.box.hi[a] - job.box.lo[a];
        count *= n < 0 ? 0 : n;
    }
    return count;
}

template <typename C>
__global__ void __launch_bounds__(kThreads, 4) axis_pass_kernel(const __grid_constant__ JobList<AxisPassJob<C>> list) {
    unsigned block = 0;
    const AxisPassJob<C>& job = job_of_block(list, block);
    const std::int64_t width = job.box.hi[0] - job.box.lo[0], height = job.box.hi[1] - job.box.lo[1],
                       count = voxels_in(job), first = std::int64_t{block} * kRuns * kThreads;
    for (int run = 0; run < kRuns; ++run) {
        const std::int64_t n = first + run * kThreads + threadIdx.x;
        if (n >= count) return;
        const std::int64_t row = n / width;
        const std::int64_t at[3] = {job.box.lo[0] + n % width, job.box.lo[1] + row % height,
                                    job.box.lo[2] + row / height};
        C sum = C(0);
        with_type_of<C>(job.input.dtype,
                        [&](auto typed) { sum = sum_along<C, typename decltype(typed)::type>(job, at); });
        with_type_of<C>(job.output.dtype, [&](auto typed) {
            using T = typename decltype(typed)::type;
            reinterpret_cast<T*>(job.output.data)[job.output.offset(at[0], at[1], at[2])] =
                math::store_value<T>(sum, job.storing);
        });
    }
}

}  // namespace

template <typename C>
void axis_pass(const AxisPassJob<C>& job, StreamHandle stream) {
    const auto blocks = [](const AxisPassJob<C>& j) { return blocks_of(voxels_in(j), kRuns * kThreads); };
    launch_jobs(axis_pass_kernel<C>, &job, 1, blocks, kThreads, 0, stream);
}

template void axis_pass(const AxisPassJob<float>&, StreamHandle);
template void axis_pass(const AxisPassJob<double>&, StreamHandle);

}  // namespace revoxel::cuda
