// Positions in double, as everywhere; weights and sums in the compute type.
//
// Sums begin with -0, to which a first product is added as it is, and taps that do not count are left out: 0 x NaN is
// NaN. Where the loops are taken apart such a tap reads a voxel of one that counts and its sum is not used, so that all
// loads can be made at once.
#include "gather.hpp"

#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>

#include "brick.hpp"
#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

/// Threads of a block of the CUDA kernels whose weights are in shared memory.
constexpr unsigned kSharedThreads = 128;

/// Voxels where they lie in memory. With strides of 32 bits along x, the address of a voxel in a row is one
/// instruction.
template <typename C, typename T, typename Stride>
struct MemoryReader {
    const std::byte* first;
    std::int64_t y_stride, z_stride;  ///< bytes
    Stride x_stride;                  ///< bytes

    struct Row {
        const std::byte* first;
        Stride stride;

        __device__ C operator[](std::int32_t i) const {
            return static_cast<C>(*reinterpret_cast<const T*>(first + std::int64_t{i} * stride));
        }
    };
    __device__ Row row(std::int32_t j, std::int32_t k) const { return {first + j * y_stride + k * z_stride, x_stride}; }
};

/// The bits of voxels from a texture.
template <typename C, typename T>
struct TextureReader {
    TextureHandle texture;

    struct Row {
        TextureHandle texture;
        float y, z;

        __device__ C operator[](std::int32_t i) const {
            using Bits = std::conditional_t<sizeof(T) == 1, unsigned char,
                                            std::conditional_t<sizeof(T) == 2, unsigned short,
                                                               std::conditional_t<sizeof(T) == 4, unsigned, uint2>>>;
            const Bits bits = tex3D<Bits>(texture, static_cast<float>(i) + 0.5f, y, z);
            T voxel;
            memcpy(&voxel, &bits, sizeof voxel);
            return static_cast<C>(voxel);
        }
    };
    __device__ Row row(std::int32_t j, std::int32_t k) const {
        return {texture, static_cast<float>(j) + 0.5f, static_cast<float>(k) + 0.5f};
    }
};

/// Calls f with a reader for the input's type.
template <typename C, bool texture, typename Stride, typename F>
__device__ void with_reader(const GatherJob<C>& job, std::int64_t volume, F&& f) {
    with_type_of<C>(job.input.dtype, [&](auto typed) {
        using T = typename decltype(typed)::type;
        if constexpr (texture) {
            f(TextureReader<C, T>{job.texture});
        } else {
            constexpr auto kSize = static_cast<std::int64_t>(sizeof(T));
            f(MemoryReader<C, T, Stride>{
                reinterpret_cast<const std::byte*>(voxels_of<const T>(job.input, job.volumes.input_step, volume)),
                job.input.stride[1] * kSize, job.input.stride[2] * kSize,
                static_cast<Stride>(job.input.stride[0] * kSize)});
        }
    });
}

/// Of a tap that may lie anywhere: an index from which the taps of the axis fall on the same voxels once they are
/// clamped.
__device__ inline std::int32_t near_array(std::int64_t first, std::int64_t last) {
    constexpr std::int64_t kBefore = -math::kGatherTaps;
    return static_cast<std::int32_t>(first < kBefore ? kBefore : first > last + 1 ? last + 1 : first);
}

__device__ inline std::int32_t clamped(std::int32_t i, std::int32_t last) {
    return i < 0 ? 0 : i > last ? last : i;
}

/// Taps of an axis that stay in registers, up to kTaps of them.
template <typename C, int kTaps>
struct RegisterTaps {
    C weight[kTaps];
    std::int32_t index[kTaps];
    bool counts[kTaps];

    /// weight_of(t) is asked for taps that count.
    template <typename F>
    __device__ RegisterTaps(std::int32_t first, std::int32_t last, int begin, int end, const F& weight_of) {
#pragma unroll
        for (int t = 0; t < kTaps; ++t) {
            counts[t] = t >= begin && t < end;
            weight[t] = counts[t] ? weight_of(t) : C(0);
            index[t] = clamped(first + (counts[t] ? t : begin), last);
        }
    }
    /// value(index) is asked for every tap, also for those that do not count.
    template <typename F>
    __device__ C sum(const F& value) const {
        C sum = C(-0.0);
#pragma unroll
        for (int t = 0; t < kTaps; ++t) {
            const C v = value(index[t]);
            if (counts[t]) sum = std::fma(weight[t], v, sum);
        }
        return sum;
    }
};

/// Taken one after the other by a loop, which moves them up: a quarter of the code and of the loads at once.
template <typename C, int kTaps>
struct TapsInTurn {
    RegisterTaps<C, kTaps> taps;

    template <typename F>
    __device__ C sum(const F& value) const {
        RegisterTaps<C, kTaps> left = taps;
        C sum = C(-0.0);
#pragma unroll 1
        for (int n = 0; n < kTaps; ++n) {
            const C v = value(left.index[0]);
            if (left.counts[0]) sum = std::fma(left.weight[0], v, sum);
#pragma unroll
            for (int t = 0; t + 1 < kTaps; ++t) {
                left.weight[t] = left.weight[t + 1];
                left.index[t] = left.index[t + 1];
                left.counts[t] = left.counts[t + 1];
            }
        }
        return sum;
    }
};

/// Of a kernel for which math::is_polynomial() holds.
template <int kTaps, typename C>
__device__ RegisterTaps<C, kTaps> polynomial_taps(const GatherJob<C>& job, const math::PointKernel& kernel, int axis,
                                                  double c) {
    math::GatherTaps<C> taps;
    math::polynomial_taps(kernel, c, taps);
    math::trim_taps<kTaps>(taps);
    const std::int64_t last = job.input.extent[axis] - 1;
    return {near_array(taps.first - job.origin[axis], last), static_cast<std::int32_t>(last), taps.begin, taps.end,
            [&](int t) { return taps.weight[t]; }};
}

/// Weights of a thread in shared memory, as far apart as there are threads.
template <typename C>
struct SharedWeights {
    C* first;
    __device__ C& operator[](int t) const { return first[t * static_cast<int>(kSharedThreads)]; }
};

/// What a thread knows of the taps of an axis besides: begin <= t < end count, and tap 0 is at the array's index
/// `first`.
struct Span {
    std::int32_t first;
    std::int16_t begin, end;
};

template <typename C>
struct SharedTaps {
    Span span;
    std::int32_t last;
    SharedWeights<C> weight;

    template <typename F>
    __device__ C sum(const F& value) const {
        C sum = C(-0.0);
#pragma unroll 1
        for (int t = span.begin; t < span.end; ++t) {
            sum = std::fma(weight[t], value(clamped(span.first + t, last)), sum);
        }
        return sum;
    }
};

/// What the threads of a block keep in shared memory of the taps of three axes: 51 KB for 16 taps in double.
template <typename C>
struct SharedRoom {
    int taps;

    __host__ __device__ std::size_t bytes() const { return weights_at() + 3 * axis_bytes(sizeof(C)); }
    __device__ Span& span(int axis) const {
        return reinterpret_cast<Span*>(shared_memory())[axis * static_cast<int>(kSharedThreads) + threadIdx.x];
    }
    __device__ SharedWeights<C> weight(int axis) const {
        return {reinterpret_cast<C*>(shared_memory() + weights_at() + axis * axis_bytes(sizeof(C))) + threadIdx.x};
    }
    /// An axis in double, before it is rounded: in the place of its weights where they are double.
    __device__ SharedWeights<double> exact(int axis) const {
        return {reinterpret_cast<double*>(shared_memory() + kSpanBytes +
                                          (sizeof(C) == 8 ? axis * axis_bytes(sizeof(C)) : 0)) +
                threadIdx.x};
    }

private:
    static constexpr std::size_t kSpanBytes = 3 * sizeof(Span) * kSharedThreads;

    __host__ __device__ std::size_t axis_bytes(std::size_t size) const {
        return static_cast<std::size_t>(taps) * size * kSharedThreads;
    }
    __host__ __device__ std::size_t weights_at() const {
        return kSpanBytes + (sizeof(C) == 8 ? 0 : axis_bytes(sizeof(double)));
    }
};

/// As math::gather_taps, for any kernel and for all three axes.
template <typename C>
__device__ __forceinline__ void find_taps(const GatherJob<C>& job, double x, double y, double z) {
    const SharedRoom<C> room{job.taps};
#pragma unroll 1
    for (int axis = 0; axis < 3; ++axis) {
        const math::PointKernel& kernel = job.kernel[axis];
        const double c = axis == 0 ? x : axis == 1 ? y : z;
        const SharedWeights<C> weight = room.weight(axis);
        std::int64_t first = 0;
        int begin = 0, end = 0;
        if (math::is_polynomial(kernel)) {
            math::GatherTaps<C> taps;
            math::polynomial_taps(kernel, c, taps);
            first = taps.first;
            end = taps.end;
#pragma unroll
            for (int t = 0; t < 4; ++t) {
                if (t < end) weight[t] = taps.weight[t];
            }
        } else {
            double fraction = 0.0;
            const std::int64_t base = math::split_position(c, fraction);
            const math::TapSpan span = math::general_span(kernel, base, fraction);
            const SharedWeights<double> exact = room.exact(axis);
            first = span.first;
            end = span.count;
            double sum = 0.0;
#pragma unroll 1
            for (int t = 0; t < end; ++t) {
                const double w = math::general_weight(kernel, span.low + t);
                exact[t] = w;
                sum += w;
            }
            const double scale = math::divided_by_sum(kernel) ? 1.0 / sum : 1.0;
#pragma unroll 1
            for (int t = 0; t < end; ++t) weight[t] = static_cast<C>(exact[t] * scale);
        }
        while (begin < end - 1 && weight[begin] == C(0)) ++begin;
        while (end > begin + 1 && weight[end - 1] == C(0)) --end;
        room.span(axis) = {near_array(first - job.origin[axis], job.input.extent[axis] - 1),
                           static_cast<std::int16_t>(begin), static_cast<std::int16_t>(end)};
    }
}

template <typename C>
__device__ SharedTaps<C> shared_taps(const GatherJob<C>& job, int axis) {
    const SharedRoom<C> room{job.taps};
    return {room.span(axis), static_cast<std::int32_t>(job.input.extent[axis] - 1), room.weight(axis)};
}

template <typename C, typename Reader, typename X, typename Y, typename Z>
__device__ C sum_point(const GatherJob<C>& job, const Reader& read, const X& x, const Y& y, const Z& z) {
    C value = z.sum([&](std::int32_t k) {
        return y.sum([&](std::int32_t j) {
            const auto row = read.row(j, k);
            return x.sum([&](std::int32_t i) { return row[i]; });
        });
    });
    if (job.norm[0]) value /= x.sum([&](std::int32_t i) { return job.norm[0][i]; });
    if (job.norm[1]) value /= y.sum([&](std::int32_t j) { return job.norm[1][j]; });
    if (job.norm[2]) value /= z.sum([&](std::int32_t k) { return job.norm[2][k]; });
    return value;
}

/// Which kernels a CUDA kernel is for, and where it holds their weights.
enum class Taps {
    linear,      ///< on all axes
    polynomial,  ///< up to 4 taps, in registers
    shared4,     ///< any kernel of up to 4 taps: those along x in registers, of which all loads are made at once
    shared6,
    shared,  ///< in shared memory; also for rows whose strides have more than 31 bits
};

constexpr unsigned threads_of(Taps taps) {
    return taps == Taps::linear || taps == Taps::polynomial ? kBrickThreads : kSharedThreads;
}

/// Blocks that a multiprocessor shall hold at least: 64 registers for a thread of the linear kernel, 80 of other
/// kernels in registers (128 in double), 128 of those in shared memory.
template <typename C>
constexpr unsigned least_blocks(Taps taps) {
    return taps != Taps::polynomial ? 4 : sizeof(C) == 4 ? 2 : 1;
}

template <typename C, Taps taps, bool texture>
__device__ C value_at(const GatherJob<C>& job, std::int64_t volume, const double (&c)[3]) {
    using Stride = std::conditional_t<taps == Taps::shared, std::int64_t, std::int32_t>;
    C value = C(0);
    const auto sum = [&](const auto& x, const auto& y, const auto& z) {
        with_reader<C, texture, Stride>(job, volume, [&](const auto& read) { value = sum_point(job, read, x, y, z); });
    };
    if constexpr (taps == Taps::linear) {
        math::PointKernel linear;  // all that it needs is known to the compiler
        linear.form = math::PointKernel::Form::linear;
        sum(polynomial_taps<2>(job, linear, 0, c[0]), polynomial_taps<2>(job, linear, 1, c[1]),
            polynomial_taps<2>(job, linear, 2, c[2]));
    } else if constexpr (taps == Taps::polynomial) {
        sum(polynomial_taps<4>(job, job.kernel[0], 0, c[0]), polynomial_taps<4>(job, job.kernel[1], 1, c[1]),
            TapsInTurn<C, 4>{polynomial_taps<4>(job, job.kernel[2], 2, c[2])});
    } else {
        find_taps(job, c[0], c[1], c[2]);
        const SharedTaps<C> x = shared_taps(job, 0), y = shared_taps(job, 1), z = shared_taps(job, 2);
        if constexpr (taps == Taps::shared) {
            sum(x, y, z);
        } else {
            constexpr int kTaps = taps == Taps::shared4 ? 4 : 6;
            const RegisterTaps<C, kTaps> row(x.span.first, x.last, x.span.begin, x.span.end,
                                             [&](int t) { return x.weight[t]; });
            sum(row, y, z);
        }
    }
    return value;
}

/// As a function of its own: its many types are compiled once for each compute type.
template <typename C>
__device__ __noinline__ void store_computed(const GatherJob<C>& job, C value, std::int64_t target) {
    with_type_of<C>(job.output.dtype, [&](auto typed) {
        using T = typename decltype(typed)::type;
        reinterpret_cast<T*>(job.output.data)[target] = math::store_value<T>(value, job.storing);
    });
}

/// Calls value(volume, position) for the thread's voxel and stores what it returns; fill where that lies outside.
template <unsigned kThreads, typename C, typename F>
__device__ void gather_brick(const JobList<GatherJob<C>>& list, const F& value) {
    unsigned block = 0;
    const GatherJob<C>& job = job_of_block(list, block);
    std::int64_t at[3], volume = 0;
    if (!brick_voxel<kThreads>(job.covered, block, at, volume)) return;
    const std::int64_t target = job.output.offset(at[0], at[1], at[2]) + volume * job.volumes.output_step;
    double c[3];
    if (locate(job.frame, job.affines, volume, at, c)) {
        store_computed(job, value(job, volume, c), target);
    } else {
        store_wide(job.fill, job.output, target);
    }
}

template <typename C, Taps taps, bool texture>
__global__ void __launch_bounds__(threads_of(taps), least_blocks<C>(taps))
    gather_kernel(const __grid_constant__ JobList<GatherJob<C>> list) {
    gather_brick<threads_of(taps)>(list, [](const GatherJob<C>& job, std::int64_t volume, const double(&c)[3]) {
        return value_at<C, taps, texture>(job, volume, c);
    });
}

/// The texture interpolates. Fractions are rounded to the 8 bits that its weights have, so that a coordinate is exact
/// in float up to 2^15 voxels and the weights are as near as they can be on any device.
__global__ void __launch_bounds__(kBrickThreads)
    filtered_kernel(const __grid_constant__ JobList<GatherJob<float>> list) {
    gather_brick<kBrickThreads>(list, [](const GatherJob<float>& job, std::int64_t, const double(&c)[3]) {
        float at[3];
#pragma unroll
        for (int d = 0; d < 3; ++d) {
            double fraction = 0.0;
            const std::int64_t base = math::split_position(c[d], fraction) - job.origin[d];
            const float voxel = static_cast<float>(near_array(base, job.input.extent[d] - 1));
            at[d] = voxel + (std::rint(static_cast<float>(fraction) * 256.0f) * 0x1p-8f + 0.5f);
        }
        return tex3D<float>(job.texture, at[0], at[1], at[2]) * job.filtered;
    });
}

template <typename C>
Taps taps_of(const GatherJob<C>& job) {
    const auto all = [&](auto&& holds) { return holds(job.kernel[0]) && holds(job.kernel[1]) && holds(job.kernel[2]); };
    const std::int64_t step = std::abs(job.input.stride[0]) * static_cast<std::int64_t>(sizeof(double));
    if (step > std::numeric_limits<std::int32_t>::max() || job.taps > 6) return Taps::shared;
    if (all([](const auto& k) { return k.form == math::PointKernel::Form::linear; })) return Taps::linear;
    if (all(math::is_polynomial)) return Taps::polynomial;
    return job.taps > 4 ? Taps::shared6 : Taps::shared4;
}

/// How jobs of one kind are launched.
template <typename C>
struct Launch {
    void (*kernel)(JobList<GatherJob<C>>);
    unsigned threads;
    std::size_t shared_bytes;

    bool operator==(const Launch& other) const { return kernel == other.kernel && shared_bytes == other.shared_bytes; }
};

template <typename C, Taps taps>
Launch<C> launch_with(const GatherJob<C>& job) {
    constexpr unsigned kThreads = threads_of(taps);
    return {job.texture ? gather_kernel<C, taps, true> : gather_kernel<C, taps, false>, kThreads,
            kThreads == kSharedThreads ? SharedRoom<C>{job.taps}.bytes() : 0};
}

template <typename C>
Launch<C> launch_of(const GatherJob<C>& job) {
    if constexpr (sizeof(C) == 4) {
        if (job.texture && job.filtered != 0.0f) return {filtered_kernel, kBrickThreads, 0};
    }
    switch (taps_of(job)) {
        case Taps::linear: return launch_with<C, Taps::linear>(job);
        case Taps::polynomial: return launch_with<C, Taps::polynomial>(job);
        case Taps::shared4: return launch_with<C, Taps::shared4>(job);
        case Taps::shared6: return launch_with<C, Taps::shared6>(job);
        default: return launch_with<C, Taps::shared>(job);
    }
}

}  // namespace

template <typename C>
void gather(const GatherJob<C>* jobs, std::size_t count, StreamHandle stream) {
    // Runs of jobs of a kernel.
    for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
        const Launch<C> launch = launch_of(jobs[begin]);
        for (end = begin; end < count && launch_of(jobs[end]) == launch;) ++end;
        const auto blocks = [&](const GatherJob<C>& job) {
            const std::int64_t bricks = launch.threads == kBrickThreads ? bricks_in<kBrickThreads>(job.covered)
                                                                        : bricks_in<kSharedThreads>(job.covered);
            return bricks * job.volumes.count;
        };
        launch_jobs(launch.kernel, jobs + begin, end - begin, blocks, launch.threads, launch.shared_bytes, stream);
    }
}

template void gather(const GatherJob<float>*, std::size_t, StreamHandle);
template void gather(const GatherJob<double>*, std::size_t, StreamHandle);

}  // namespace revoxel::cuda
