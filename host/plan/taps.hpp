// Tap tables: every filter of the separable route, boundary folded in.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/kernels.hpp"
#include "revoxel/plan.hpp"

namespace revoxel {

/// The weights of one output index before they are rounded: input indices first .. first + weight.size() - 1, all
/// inside the axis unless the boundary is wrap. `outside` is the weight of what a constant boundary holds. No weight of
/// either kind: the output index is fill.
struct Row {
    std::int64_t first = 0;
    std::vector<double> weight;
    double outside = 0.0;

    bool empty() const { return weight.empty() && outside == 0.0; }
};
using Rows = std::vector<Row>;

/// c(o) = offset + step * o for o in [0, n_out); only lo <= o < hi get taps.
struct AxisGeometry {
    std::int64_t n_in = 1, n_out = 1;
    double step = 1.0, offset = 0.0;
    std::int64_t lo = 0, hi = 1;

    /// The continuous input index of output o; within math::kIntegerSnap of an integer it is that integer.
    double position(std::int64_t o) const;
};

/// What is the same for all rows of an axis.
struct AxisFilter {
    Kernel kernel = Kernel::linear;
    KernelShape shape;
    Boundary boundary = Boundary::edge;
    ComputeType compute = ComputeType::f32;
};

/// The kernel widened by `stretch` >= 1. Centred: the weights' centre of gravity is the position, as far as all weights
/// go before the boundary.
Rows kernel_rows(const AxisGeometry& axis, const AxisFilter& filter, double stretch = 1.0, bool centred = true);

/// Means over [c - width/2, c + width/2] of the input, constant within each voxel. width in input voxels.
Rows area_rows(const AxisGeometry& axis, Boundary boundary, double width);

/// Means of ceil(width) kernel rows at the middles of as many parts of [c - width/2, c + width/2].
Rows supersample_rows(const AxisGeometry& axis, const AxisFilter& filter, double width);

/// A Gaussian on an axis of n samples, as scipy.ndimage has it: sampled, cut at floor(4 sigma + 1/2).
Rows sampled_gaussian_rows(std::int64_t n, Boundary boundary, double sigma);
/// A Gaussian whose weights have exactly this variance, in voxels^2, above 0: sampled; below 0.49 by its moments up to
/// the sixth, since samples that far apart are no Gaussian.
Rows exact_gaussian_rows(std::int64_t n, Boundary boundary, double variance);

/// B-spline coefficients of the extended axis of n samples, at indices lo .. hi - 1.
Rows coefficient_rows(std::int64_t n, std::int64_t lo, std::int64_t hi, int degree, Boundary boundary,
                      ComputeType compute);
/// The extended axis itself, at indices lo .. hi - 1. Boundary renormalise: nothing outside.
Rows extension_rows(std::int64_t n, std::int64_t lo, std::int64_t hi, Boundary boundary);

/// Rows that do `inner` and then `outer`: outer reads what inner makes. `n` samples enter; `inner` makes as many where
/// the boundary wraps.
Rows compose(const Rows& outer, const Rows& inner, std::int64_t n, Boundary boundary);

/// Rounds the rows to the grid of the compute type: multiples of 2^-23 (f32) or 2^-52 (f64) that sum to exactly 1, each
/// within one unit of its value. On that grid every partial sum below 2 is exact, so the sum is 1 in any order. The
/// unit is larger by a power of two where the positive weights of a row sum to more than 2. `unit_sum` false: rounded
/// one by one. `boundary_value`: what the weights `outside` are multiplied with.
TapTable make_table(const Rows& rows, std::int64_t n_in, ComputeType compute, Boundary boundary, double boundary_value,
                    bool unit_sum = true);

/// Rounds the rows to multiples of 2^-20 one by one, so that equal weights stay equal.
TapTable make_label_table(const Rows& rows, std::int64_t n_in, Boundary boundary);

/// Rows [lo, hi) of a table.
TapTable sliced(const TapTable& table, std::int64_t lo, std::int64_t hi);
/// Rows [lo, hi) of the identity on n samples.
TapTable identity_table(std::int64_t n, std::int64_t lo, std::int64_t hi);

}  // namespace revoxel
