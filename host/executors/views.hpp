// What every executor does with views: checking, addressing, filling.
#pragma once

#include <cstddef>
#include <cstdint>

#include "math/kernels.hpp"
#include "math/values.hpp"
#include "revoxel/plan.hpp"
#include "revoxel/volume.hpp"

namespace revoxel {

/// Throws Error(usage) unless the views have the plan's extents and dtypes.
void check_views(const Plan& plan, const ConstVolumeView& input, const VolumeView& output);

/// The input view with its axes in the order of the output's.
ConstVolumeView permuted(const ConstVolumeView& input, const std::array<int, 3>& input_axis);

/// Address of index (i, j, k).
inline const std::byte* address(const ConstVolumeView& view, std::int64_t i, std::int64_t j, std::int64_t k) {
    return static_cast<const std::byte*>(view.data) + (i * view.stride[0] + j * view.stride[1] + k * view.stride[2]) *
                                                          static_cast<std::int64_t>(size_of(view.dtype));
}
inline std::byte* address(const VolumeView& view, std::int64_t i, std::int64_t j, std::int64_t k) {
    return const_cast<std::byte*>(address(static_cast<ConstVolumeView>(view), i, j, k));
}

/// Asks for what is read soon: into the second-level cache.
inline void prefetch(const std::byte* from, std::int64_t bytes) {
    for (std::int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(from + at, 0, 2);
}

/// Writes n voxels of `value` (a stored value, saturated into the dtype), `stride` scalars apart.
void fill_row(std::byte* first, DType dtype, std::int64_t stride, std::int64_t n, double value);

/// The smallest and largest finite value of a field, as double. low > high where there is none.
struct FiniteRange {
    double low = 1.0, high = 0.0;
};
FiniteRange finite_range(const ConstVolumeView& view, const Box3& box);
FiniteRange united(const FiniteRange& a, const FiniteRange& b);

/// How values are stored; with clip global the range is that of `range`.
math::Storing storing_of(const Plan& plan, const FiniteRange& range);

/// Where a gather's output voxels lie in its input.
math::GatherFrame frame_of(const AffineGather& gather);

}  // namespace revoxel
