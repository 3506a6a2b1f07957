// The inner loops of the CPU executor, one set for each instruction set that the program carries. All sets give the
// same bits: the order of operations is fixed by the source and fma is explicit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "math/kernels.hpp"
#include "math/values.hpp"
#include "revoxel/float16.hpp"

namespace revoxel {

/// Scratch rows begin at multiples of this many bytes and end at one; what stands between their last value and there
/// is computed with but not used.
inline constexpr std::int64_t kRowAlignment = 64;
/// Rows that the x pass takes at once.
inline constexpr std::int64_t kFilterRows = 16;
/// What CpuKernels::points() rounds up to.
inline constexpr std::int64_t kPointBlock = 16;
/// Outputs that the x pass takes at once.
inline constexpr std::int64_t kFilterBlock = 16;

/// The x pass. Output o is the sum over t < count[o] of weight[o * stride + t] * row[first[o] + t]; no index lies
/// outside the row, whose periodic continuation the caller has made.
template <typename C>
struct RowFilter {
    std::int64_t n_in, n_out;
    std::int64_t stride;
    const std::int64_t* first;
    const std::int32_t* count;
    const C* weight;
    const C* bias;  ///< added at the end, one an output; null: nothing
    /// For each block of outputs where it begins to read, how far it reads from there, its outputs' first
    /// less where it begins, the smallest and the largest count, and the weights once more as [block][tap][output], 0
    /// beyond an output's count.
    const std::int32_t* block_base;  ///< null: vectors across rows are faster
    const std::int32_t* block_span;
    const std::int32_t* block_first;
    const std::int32_t* block_fewest;
    const std::int32_t* block_most;
    const C* block_weight;
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

/// A dense part of the array that a gather reads, in computed values, and what is needed to interpolate in it. Long
/// enough that reads of whole vectors beyond a tap stay inside.
template <typename C>
struct Brick {
    const C* data;
    std::int64_t pitch[3];   ///< in values; pitch[0] is 1
    std::int64_t lo[3];      ///< input index of its first value
    double low[3], high[3];  ///< positions are kept between these,
    bool clamped;            ///< which some of the points that count need
    double step[3];          ///< of the position, per output index i
    math::PointKernel kernel[3];
    int taps[3];  ///< the most that a point has
};

/// The rows of an array of which a brick is made: row (y, z) begins y_offset[y] + z_offset[z] bytes after `data` and
/// has `count` scalars, `stride` apart. In the brick `before` copies of its first value precede it, and `after` of its
/// last follow.
struct BrickRows {
    const std::byte* data;
    const std::int64_t *y_offset, *z_offset;
    std::int64_t ny, nz;
    std::int64_t count, stride, before, after;
    std::int64_t pitch_y, pitch_z;  ///< of the brick, in values
    std::int64_t voxel_bytes;
};

/// Half-open.
struct IndexRange {
    std::int64_t lo, hi;
};

/// A row of output voxels, counted with the frame's first_output: `inner` is the part of their positions that does not
/// change along the row.
struct PointRow {
    double inner[3];
    IndexRange range;  ///< along the first axis
};

template <typename C>
struct CpuKernels {
    static constexpr int kDTypes = 11;
    const char* isa;          ///< short name, for REVOXEL_ISA and Executor::name()
    const char* description;  ///< the CPU features that it needs
    bool filters_blocks;      ///< filter() gains from RowFilter::block_base
    /// out[i] = sum over t of weight[t] * rows[t][i], in the order of t, count >= 1. Aligned rows; n is rounded up.
    void (*weighted_sum)(C* out, const C* const* rows, const C* weight, std::int32_t count, std::int64_t n);
    /// Two such sums at once, which share what they read. `row` is the first row of sum a, and the next is `pitch`
    /// values after it; sum b begins `later` rows after a, no later than a ends, and ends `end_b` rows after, not
    /// before a.
    void (*two_sums)(C* out_a, C* out_b, const C* row, std::int64_t pitch, const C* weight_a, const C* weight_b,
                     std::int32_t count_a, std::int32_t later, std::int32_t end_b, std::int64_t n);
    /// The x pass of up to kFilterRows rows, `in_pitch` and `out_pitch` values apart, aligned. `scratch` holds
    /// kFilterRows * (n_in rounded up to kFilterBlock) values.
    void (*filter)(C* out, std::int64_t out_pitch, const C* in, std::int64_t in_pitch, std::int64_t rows,
                   const RowFilter<C>& filter, C* scratch);
    /// n stored voxels, `stride` scalars apart, into computed values. Indexed by DType.
    void (*load[kDTypes])(C* out, const void* row, std::int64_t stride, std::int64_t n);
    /// load() of all rows of a brick.
    void (*load_brick[kDTypes])(C* out, const BrickRows& rows);
    /// The reverse, through math::store_value.
    void (*store[kDTypes])(void* row, std::int64_t stride, const C* in, std::int64_t n, const math::Storing& storing);
    /// weighted_sum() and store() in one, of `rows` rows: from[t] is tap t of the first, `pitch` values before the
    /// next; n voxels of each go to `to`, which is packed along a row, `to_pitch` scalars from row to row.
    void (*store_sums[kDTypes])(void* to, std::int64_t to_pitch, const C* const* from, std::int64_t pitch,
                                std::int64_t rows, const C* weight, std::int32_t count, std::int64_t n,
                                const math::Storing& storing);
    /// Copies to memory that is not read again soon, past the caches where the CPU can. It may leave an end that fills
    /// no cache line, unless it is to go `to_the_end`; returns how many bytes it has copied.
    std::int64_t (*stream)(void* to, const void* from, std::int64_t bytes, bool to_the_end);
    /// After it, other threads see what this one has streamed.
    void (*finish_stream)();
    /// Interpolated values of `count` rows, `pitch` values apart; those of a row are rounded up to kPointBlock.
    void (*points)(C* out, std::int64_t pitch, const Brick<C>& brick, const PointRow* rows, std::int64_t count);
    /// Makes rows of output voxels lo <= i < hi, slice k, from j on: `count` of them, cut to what lies inside the input
    /// unless `all` does.
    void (*point_rows)(PointRow* rows, std::int64_t count, const math::GatherFrame& frame, IndexRange range,
                       std::int64_t j, std::int64_t k, bool all);
    /// Output voxels (i, j, k) for lo <= i < hi; returns the sub-range that lies inside the input, the only one written
    /// (out[i - lo]).
    IndexRange (*gather[kDTypes])(C* out, const GatherSource<C>& source, std::int64_t lo, std::int64_t hi,
                                  std::int64_t j, std::int64_t k);
};

/// The best set that this CPU runs. The environment variable REVOXEL_ISA (portable, v3, v4) caps it.
template <typename C>
const CpuKernels<C>& cpu_kernels();

}  // namespace revoxel
