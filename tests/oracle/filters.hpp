// One-dimensional filters by their definitions: what each weighs on a signal that goes on for ever, and how a boundary
// folds those weights on to the samples there are. The oracle is tensor products of these.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "revoxel/plan.hpp"

namespace revoxel::oracle {

/// Positions within this many voxels below a tie or a border count as being on it: 0.1 mm is not a binary fraction.
inline constexpr double kTie = 1e-6;
/// Positions closer than this, in voxels, are the same: composing affines leaves 1e-12.
inline constexpr double kSame = 1e-9;

/// The weight of each index of the extended signal.
using Taps = std::map<std::int64_t, double>;

/// The centred B-spline of `order` by the recursion of Cox and de Boor.
double basis_spline(int order, double x);

/// 2 to 5 for bspline2..5, else 0.
int spline_order(Kernel kernel);

/// The reconstruction kernel at distance x, in input voxels, before weights are divided by their sum. For bspline2..5
/// the cardinal (interpolating) spline; for area that of a step of 1. `shape` is what the kernel can be told.
double kernel_value(Kernel kernel, double x, const KernelShape& shape = {});

/// Interpolation at c with the kernel as it is.
Taps kernel_taps(Kernel kernel, const KernelShape& shape, double c);
/// The kernel widened by k, divided by its sum; `centred`: its centre of gravity is moved to c first.
Taps widened_taps(Kernel kernel, const KernelShape& shape, double c, double k, bool centred);
/// Mean of the signal, constant within each voxel, over a box of `width` around c.
Taps area_taps(double c, double width);
/// Mean of interpolated values at ceil(k) positions that divide a box of width k around c evenly.
Taps supersampled_taps(Kernel kernel, const KernelShape& shape, double c, double k);
/// The coefficient of the interpolating spline at index i, from the samples.
Taps coefficient_taps(int order, std::int64_t i);

/// exp(-d^2/(2 s^2)) cut at 4 s, rounded to a whole number of voxels, divided by its sum; around index 0.
Taps sampled_gaussian(double s);
/// A sampled Gaussian whose variance on the grid is `variance`; around index 0.
Taps exact_gaussian(double variance);
/// The same weights, `by` voxels farther up.
Taps moved(const Taps& taps, std::int64_t by);

/// Where sample j of the extended signal is found among the n samples; nothing: it lies outside (constant,
/// renormalise).
std::optional<std::int64_t> sample_index(Boundary boundary, std::int64_t j, std::int64_t n);

/// Weights on the samples first, first + 1, ... and on what lies outside.
struct Row {
    std::int64_t first = 0;
    std::vector<double> weight;
    double outside = 0.0;  ///< constant: of the boundary value; renormalise: dropped

    double inside() const;  ///< the sum of `weight`
};

Row folded(const Taps& taps, Boundary boundary, std::int64_t n);
/// What boundary renormalise makes of a folded row.
Row renormalised(Row row);
/// `outer` applied to samples that are each a row of `inner`.
Row composed(const Row& outer, const std::vector<Row>& inner, std::int64_t n);

}  // namespace revoxel::oracle
