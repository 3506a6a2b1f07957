// Tap tables: every filter of the separable route, boundary folded in.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/kernels.hpp"
#include "revoxel/plan.hpp"

namespace revoxel {

/// The weights of one output index before they are rounded: input indices first .. first + weight.size() - 1, all
/// inside the axis. Empty: the output index is fill.
struct Row {
    std::int64_t first = 0;
    std::vector<double> weight;
};

/// c(o) = offset + step * o for o in [0, n_out); only lo <= o < hi get taps.
struct AxisGeometry {
    std::int64_t n_in = 1, n_out = 1;
    double step = 1.0, offset = 0.0;
    std::int64_t lo = 0, hi = 1;
};

/// Interpolation at c(o), the kernel widened by `stretch` >= 1, the input edge-extended.
std::vector<Row> resample_rows(const AxisGeometry& axis, Kernel kernel, double stretch, ComputeType compute);

/// B-spline coefficients of an edge-extended axis of n samples, at indices -pad .. n + pad - 1.
std::vector<Row> coefficient_rows(std::int64_t n, std::int64_t pad, int degree, ComputeType compute);

/// Rows that do `inner` and then `outer`: outer reads what inner makes.
std::vector<Row> compose(const std::vector<Row>& outer, const std::vector<Row>& inner);

/// Rounds the rows to the grid of the compute type: multiples of 2^-23 (f32) or 2^-52 (f64) that sum to exactly 1, each
/// within one unit of its value. On that grid every partial sum below 2 is exact, so the sum is 1 in any order.
TapTable make_table(const std::vector<Row>& rows, std::int64_t n_in, ComputeType compute);

}  // namespace revoxel
