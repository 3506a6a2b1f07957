// The inner loops of the CPU executor, one set for each instruction set that the program carries. All sets give the
// same bits: the order of operations is fixed by the source and fma is explicit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "math/kernels.hpp"
#include "math/values.hpp"
#include "revoxel/float16.hpp"

namespace revoxel {

/// The taps of one axis, laid out for a loop over outputs: tap t of output o stands at [t * n + o]. Where t >= count[o]
/// the index repeats a valid one and the weight is not used.
template <typename C>
struct TransposedTaps {
    std::int64_t n;     ///< outputs
    std::int32_t most;  ///< the largest count
    const std::int32_t* count;
    const std::int32_t* index;
    const C* weight;
    const C* bias;  ///< added at the end, one an output; null: nothing
};

/// An array that a gather reads. Strides in scalars.
template <typename C>
struct GatherSource {
    const void* data;
    std::int64_t extent[3];
    std::int64_t stride[3];
    std::int64_t origin[3];  ///< input index of the first sample
    math::GatherFrame frame;
    math::PointKernel kernel[3];
    const C* norm[3];  ///< the value is divided by the kernel's sum over these; null: it is not
};

template <typename C>
struct CpuKernels {
    static constexpr int kDTypes = 11;
    const char* isa;          ///< short name, for REVOXEL_ISA and Executor::name()
    const char* description;  ///< the CPU features that it needs
    /// out[i] = sum over t of weight[t] * rows[t][i], in the order of t, count >= 1.
    void (*weighted_sum)(C* out, const C* const* rows, const C* weight, std::int32_t count, std::int64_t n);
    /// out[o] = sum over t < count[o] of weight[t, o] * row[index[t, o]], in the order of t. Outputs of count 0 get 0.
    void (*filter)(C* out, const C* row, const TransposedTaps<C>& taps);
    /// n stored voxels, `stride` scalars apart, into computed values. Indexed by DType.
    void (*load[kDTypes])(C* out, const void* row, std::int64_t stride, std::int64_t n);
    /// The reverse, through math::store_value.
    void (*store[kDTypes])(void* row, std::int64_t stride, const C* in, std::int64_t n, const math::Storing& storing);
    /// Output voxels (i, j, k) for lo <= i < hi; returns the sub-range that lies inside the input, the only one written
    /// (out[i - lo]).
    struct Range {
        std::int64_t lo, hi;
    };
    Range (*gather[kDTypes])(C* out, const GatherSource<C>& source, std::int64_t lo, std::int64_t hi, std::int64_t j,
                             std::int64_t k);
};

/// The best set that this CPU runs. The environment variable REVOXEL_ISA (portable, v3, v4) caps it.
template <typename C>
const CpuKernels<C>& cpu_kernels();

}  // namespace revoxel
