// A block of 256 threads makes a brick of 8 x 8 x 4 voxels, so that a warp's voxels lie close together in the input
// however the grid is turned. Positions in double, as everywhere; weights and sums in the compute type.
#include "gather.hpp"

#include <algorithm>

#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

constexpr int kBrick[3] = {8, 8, 4};

/// Of one axis: the samples that taps read, as offsets in the array, and the weights of those that count.
template <typename C>
struct PointTaps {
    math::GatherTaps<C> taps;
    std::int64_t origin, last, stride;

    __device__ std::int64_t index(int t) const {
        const std::int64_t i = taps.first + t - origin;
        return i < 0 ? 0 : i > last ? last : i;
    }
    __device__ std::int64_t offset(int t) const { return index(t) * stride; }
};

/// Taps that do not count are left out: 0 x NaN is NaN. Few taps are taken one by one, which keeps the weights in
/// registers.
template <typename C, int kTaps, typename F>
__device__ C sum_taps(const PointTaps<C>& p, const F& value) {
    C sum = C(0);
    if constexpr (kTaps <= 4) {
#pragma unroll
        for (int t = 0; t < kTaps; ++t) {
            if (t < p.taps.begin || t >= p.taps.end) continue;
            sum = t == p.taps.begin ? p.taps.weight[t] * value(t) : std::fma(p.taps.weight[t], value(t), sum);
        }
    } else {
        for (int t = p.taps.begin; t < p.taps.end; ++t) {
            sum = t == p.taps.begin ? p.taps.weight[t] * value(t) : std::fma(p.taps.weight[t], value(t), sum);
        }
    }
    return sum;
}

template <typename C, int kTaps, typename T>
__device__ C sum_point(const GatherJob<C>& job, const PointTaps<C> (&p)[3]) {
    const T* voxels = reinterpret_cast<const T*>(job.input.data);
    C value = sum_taps<C, kTaps>(p[2], [&](int z) {
        const T* slice = voxels + p[2].offset(z);
        return sum_taps<C, kTaps>(p[1], [&](int y) {
            const T* row = slice + p[1].offset(y);
            return sum_taps<C, kTaps>(p[0], [&](int x) { return static_cast<C>(row[p[0].offset(x)]); });
        });
    });
    for (int d = 0; d < 3; ++d) {
        if (job.norm[d]) value /= sum_taps<C, kTaps>(p[d], [&](int t) { return job.norm[d][p[d].index(t)]; });
    }
    return value;
}

/// The kernel of all three axes, where there is CUDA code for it alone.
enum class Only { linear, cubic, bspline3, nothing };

template <Only only>
__device__ math::PointKernel specialised(math::PointKernel kernel) {
    using Form = math::PointKernel::Form;
    if constexpr (only == Only::linear) kernel.form = Form::linear;
    if constexpr (only == Only::cubic) kernel.form = Form::cubic;
    if constexpr (only == Only::bspline3) {
        kernel.form = Form::bspline;
        kernel.degree = 3;
    }
    return kernel;
}

template <typename C, Only only>
__global__ void __launch_bounds__(256) gather_kernel(GatherJob<C> job) {
    constexpr int kTaps = only == Only::linear ? 2 : only == Only::nothing ? math::kGatherTaps : 4;
    const int thread = static_cast<int>(threadIdx.x);
    const std::int64_t i = job.covered.lo[0] + static_cast<std::int64_t>(blockIdx.x) * kBrick[0] + thread % 8,
                       j = job.covered.lo[1] + static_cast<std::int64_t>(blockIdx.y) * kBrick[1] + thread / 8 % 8,
                       k = job.covered.lo[2] + static_cast<std::int64_t>(blockIdx.z) * kBrick[2] + thread / 64;
    if (!job.covered.holds(i, j, k)) return;
    double c[3];
    const bool inside = math::locate(job.frame, i, j, k, c);
    C value = C(0);
    if (inside) {
        PointTaps<C> p[3];
#pragma unroll
        for (int d = 0; d < 3; ++d) {
            math::gather_taps(specialised<only>(job.kernel[d]), c[d], p[d].taps);
            p[d].origin = job.origin[d];
            p[d].last = job.input.extent[d] - 1;
            p[d].stride = job.input.stride[d];
        }
        with_type_of<C>(job.input.dtype,
                        [&](auto typed) { value = sum_point<C, kTaps, typename decltype(typed)::type>(job, p); });
    }
    with_type_of<C>(job.output.dtype, [&](auto typed) {
        using T = typename decltype(typed)::type;
        reinterpret_cast<T*>(job.output.data)[job.output.offset(i, j, k)] =
            inside ? math::store_value<T>(value, job.storing) : math::saturate_round<T>(job.fill);
    });
}

template <typename C, Only only>
void launch_gather(const GatherJob<C>& job, const Stream& stream) {
    std::int64_t blocks[3];
    for (int a = 0; a < 3; ++a) {
        const std::int64_t n = job.covered.hi[a] - job.covered.lo[a];
        if (n <= 0) return;
        blocks[a] = (n + kBrick[a] - 1) / kBrick[a];
    }
    launch(gather_kernel<C, only>,
           {static_cast<unsigned>(blocks[0]), static_cast<unsigned>(blocks[1]), static_cast<unsigned>(blocks[2])},
           {256, 1, 1}, 0, stream, job);
}

Only only_kernel(const math::PointKernel (&kernel)[3]) {
    using Form = math::PointKernel::Form;
    const math::PointKernel& k = kernel[0];
    for (const math::PointKernel& other : kernel) {
        if (other.form != k.form || other.degree != k.degree) return Only::nothing;
    }
    if (k.form == Form::linear) return Only::linear;
    if (k.form == Form::cubic) return Only::cubic;
    return k.form == Form::bspline && k.degree == 3 ? Only::bspline3 : Only::nothing;
}

}  // namespace

template <typename C>
void gather(const GatherJob<C>& job, const Stream& stream) {
    switch (only_kernel(job.kernel)) {
        case Only::linear: return launch_gather<C, Only::linear>(job, stream);
        case Only::cubic: return launch_gather<C, Only::cubic>(job, stream);
        case Only::bspline3: return launch_gather<C, Only::bspline3>(job, stream);
        default: launch_gather<C, Only::nothing>(job, stream);
    }
}

template void gather(const GatherJob<float>&, const Stream&);
template void gather(const GatherJob<double>&, const Stream&);

}  // namespace revoxel::cuda
