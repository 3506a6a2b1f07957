// Positions in double, as everywhere; weights and sums in the compute type.
#include "gather.hpp"

#include "brick.hpp"
#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

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
__device__ C sum_point(const GatherJob<C>& job, const T* voxels, const PointTaps<C> (&p)[3]) {
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
__global__ void __launch_bounds__(kBrickThreads) gather_kernel(const __grid_constant__ JobList<GatherJob<C>> list) {
    constexpr int kTaps = only == Only::linear ? 2 : only == Only::nothing ? math::kGatherTaps : 4;
    unsigned block = 0;
    const GatherJob<C>& job = job_of_block(list, block);
    std::int64_t at[3], volume = 0;
    if (!brick_voxel(job.covered, block, at, volume)) return;
    double c[3];
    const bool inside = locate(job.frame, job.affines, volume, at, c);
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
        with_type_of<C>(job.input.dtype, [&](auto typed) {
            using T = typename decltype(typed)::type;
            value = sum_point<C, kTaps>(job, voxels_of<const T>(job.input, job.volumes.input_step, volume), p);
        });
    }
    with_type_of<C>(job.output.dtype, [&](auto typed) {
        using T = typename decltype(typed)::type;
        voxels_of<T>(job.output, job.volumes.output_step, volume)[job.output.offset(at[0], at[1], at[2])] =
            inside ? math::store_value<T>(value, job.storing) : math::saturate_round<T>(job.fill);
    });
}

template <typename C, Only only>
void launch_gather(const GatherJob<C>* jobs, std::size_t count, StreamHandle stream) {
    const auto blocks = [](const GatherJob<C>& job) { return bricks_in(job.covered) * job.volumes.count; };
    launch_jobs(gather_kernel<C, only>, jobs, count, blocks, kBrickThreads, 0, stream);
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
void gather(const GatherJob<C>* jobs, std::size_t count, StreamHandle stream) {
    // Runs of jobs of a kernel.
    for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
        const Only only = only_kernel(jobs[begin].kernel);
        for (end = begin; end < count && only_kernel(jobs[end].kernel) == only;) ++end;
        const GatherJob<C>* first = jobs + begin;
        switch (only) {
            case Only::linear: launch_gather<C, Only::linear>(first, end - begin, stream); break;
            case Only::cubic: launch_gather<C, Only::cubic>(first, end - begin, stream); break;
            case Only::bspline3: launch_gather<C, Only::bspline3>(first, end - begin, stream); break;
            default: launch_gather<C, Only::nothing>(first, end - begin, stream);
        }
    }
}

template void gather(const GatherJob<float>*, std::size_t, StreamHandle);
template void gather(const GatherJob<double>*, std::size_t, StreamHandle);

}  // namespace revoxel::cuda
