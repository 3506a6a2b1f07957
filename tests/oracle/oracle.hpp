// The oracle: what resampling means, evaluated in double, one world point at a time.
//
// It shares no code with the plan or the executors, so that a wrong plan cannot make its own judge wrong: it composes
// no affine, folds no low-pass into a tap table and knows no B-spline pole. From the project it takes the types of the
// public headers only. Slow on purpose: volumes of a few thousand voxels.
//
// The definition. For output voxel o: world = A_out o, and c solves A_in c = world. If -0.5 <= c + kTie < n - 0.5 on
// every axis, or with Outside::extend always, the value is a tensor product of one-dimensional filters (filters.hpp)
// around c on the signal that the boundary extends; else it is `fill`. With k input voxels per output voxel on an input
// axis (separable grids, whose index-space affine is a signed permutation with scale and offset: the scale; oblique
// grids: the norm of the axis' row of that affine) and k_eff = sqrt(1 + k^2 - aperture^2), an axis with k > 1 and
// k_eff > 1 is low-passed:
//   - gaussian, aperture, skimage, mirp: the samples are replaced by their weighted means on the input grid, which the
//     boundary extends again, and then interpolated with the kernel as it is;
//   - stretch, pillow, area, supersample: separable grids: the widened filter takes the place of the kernel;
//     oblique grids: the widened filter runs on the input grid, and then the kernel as it is.
// A blur runs on the input grid ahead of all that.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "oracle/filters.hpp"
#include "revoxel/dtype.hpp"
#include "revoxel/grid.hpp"
#include "revoxel/plan.hpp"

namespace revoxel::oracle {

/// Where a point of the world lies in the index space of `grid`.
Vec3 index_of_world(const Grid& grid, const Vec3& world);
Vec3 world_of_index(const Grid& grid, const Vec3& index);

/// What a stored voxel must hold for the exact value v: integers rounded and saturated, NaN to 0; float32 rounded.
double stored_value(DType dtype, double v, Rounding rounding = Rounding::even);
/// The same after `v` has been scaled by slope and intercept: the threshold, or stored_value of the output dtype.
double stored_scaled(const PlanOptions& options, double v);

/// How the error of a float evaluation grows: see Oracle::error_bound.
struct Precision {
    double unit;     ///< relative rounding error of one operation: 2^-24 or 2^-53
    double quantum;  ///< weights are multiples of this: 2^-23 or 2^-52
};
inline constexpr Precision kFloat{0x1p-24, 0x1p-23};
inline constexpr Precision kDouble{0x1p-53, 0x1p-52};

/// Votes are multiples of this: products of three weights, each a multiple of 2^-20.
inline constexpr double kVote = 0x1p-60;
/// Below this share of weight on voxels that are finite there is no value (nan_aware).
inline constexpr double kLeastShare = 1.0 / 64;

class Oracle {
public:
    /// `samples` are the input voxels, i fastest.
    Oracle(const Grid& input, const Grid& output, const PlanOptions& options, std::vector<double> samples);

    /// Whether output voxel `o` is computed: it lies inside the input, or Outside::extend.
    bool inside(const Extent& o) const;
    /// The computed value, clipped, before it is scaled and stored; only for voxels that are inside. NaN and infinities
    /// follow the arithmetic, with every tap of weight zero left out.
    double value(const Extent& o) const;
    /// nan_aware: the weight at `o` of what is finite.
    double finite_share(const Extent& o) const;
    /// What the voxel must hold, exactly: value or label scaled, compared, rounded; fill where it is not inside.
    double stored(const Extent& o) const;

    /// Label plans: the votes of each value that has any, in units of kVote; NaN has no vote.
    std::map<double, std::int64_t> votes(const Extent& o) const;
    /// The value with the most votes, ties to the smallest value.
    double label(const Extent& o) const;
    /// By how many votes two values at `o` may differ although an executor sees them tied; 0 where its weights must be
    /// those of the oracle.
    std::int64_t label_slack(const Extent& o, const Precision& precision) const;

    /// The continuous input index of output voxel `o`; within kSame of an integer it is that integer.
    Vec3 position(const Extent& o) const;
    bool separable() const { return separable_; }
    /// Input voxels per output voxel on each input axis.
    const Vec3& step() const { return step_; }
    /// k_eff: the factor by which low-passes work; 1 on axes that are not down-sampled.
    const Vec3& low_pass() const { return low_pass_; }

    /// An upper bound on |executor - oracle| at `o` before the value is scaled and stored, for samples that are finite;
    /// of nan_aware plans for any; derived in oracle_error.cpp.
    double error_bound(const Precision& precision, const Extent& o) const;
    /// The largest of them.
    double error_bound(const Precision& precision) const;
    /// The same for finite_share.
    double share_error(const Precision& precision, const Extent& o) const;

private:
    using Rows = std::array<const Row*, 3>;

    Vec3 unsnapped_position(const Extent& o) const;
    void find_route();
    Antialias antialias(int axis) const;
    std::vector<Taps> grid_filters(int axis) const;
    void run_on_grid(int axis, const std::vector<Row>& rows, std::vector<double>& field, double outside) const;

    Taps taps_at(int axis, double c) const;
    Row make_row(int axis, const Taps& taps) const;
    Rows rows_at(const Extent& o) const;
    double weighted(const Rows& rows, const std::vector<double>& field, double outside) const;
    double clipped(const Extent& o, double v) const;

    Row label_row(int axis, double c) const;

    /// What a pass, or a gather along one axis, does to errors: it makes `made` times the magnitude of what comes in,
    /// and hands on sum_abs times the error that comes in.
    struct Stage {
        double sum_abs = 1.0;
        double made = 0.0;
    };
    std::vector<Row> table(int axis) const;
    Stage table_stage(int axis, const std::vector<Row>& rows, const Precision& precision) const;
    Stage gather_stage(int axis, const Precision& precision) const;
    double interpolation_sum(int axis) const;
    double sum_error(const Precision& precision, std::vector<double> field, double outside) const;
    double value_sum_error(const Precision& precision) const;
    double share_sum_error(const Precision& precision) const;
    double renormalised_error(const Precision& precision, const Extent& o, double error, double quotient) const;
    double slope_sum(int axis) const;
    double position_error() const;
    bool positions_are_exact() const;
    Vec3 exact_position(const Extent& o) const;

    Grid input_, output_;
    PlanOptions options_;
    bool separable_ = true;
    std::array<int, 3> output_axis_{0, 1, 2};  ///< separable: the output axis along which each input axis is walked
    Vec3 step_{1, 1, 1};
    Vec3 low_pass_{1, 1, 1};
    std::vector<double> samples_;  ///< as they were given
    /// What runs on the input grid ahead of the interpolation, in this order, as a row for each input index.
    std::array<std::vector<std::vector<Row>>, 3> on_grid_;
    std::vector<double> filtered_;  ///< samples_ after on_grid_; nan_aware: with 0 for what is not finite
    std::vector<double> share_;     ///< nan_aware: the same for 1 where a sample is finite, else 0
    mutable std::array<std::map<double, Row>, 3> rows_;             ///< rows already made, by position
    mutable std::map<double, double> value_errors_, share_errors_;  ///< bounds already derived, by Precision::unit
    mutable std::optional<double> position_error_;
};

}  // namespace revoxel::oracle
