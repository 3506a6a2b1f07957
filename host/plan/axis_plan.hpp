// What the options ask for on one axis, and the rows that do it.
#pragma once

#include <array>
#include <cstdint>

#include "plan/taps.hpp"
#include "revoxel/plan.hpp"

namespace revoxel {

/// Positions closer than this, in input voxels at the corners of the output grid, are the same (float32 headers).
inline constexpr double kSamePosition = 1e-4;
/// y, x, z: the order in which the passes of every plan run.
inline constexpr std::array<int, 3> kPassOrder{1, 0, 2};

/// The factor by which an axis is low-passed, where k input voxels make one of m output voxels: an aperture of
/// `aperture` voxels becomes one of k. 1: not at all.
double low_pass_factor(double k, double aperture, std::int64_t m);

/// One input axis: what the options ask for there.
struct AxisPlan {
    AxisFilter filter;
    Antialias antialias = Antialias::none;  ///< none where nothing is down-sampled; never automatic
    double step = 1.0;                      ///< input voxels per output voxel, above 0
    double factor = 1.0;                    ///< of the low-pass
    double blur = 0.0;

    bool widened() const { return antialias == Antialias::stretch || antialias == Antialias::pillow; }
};

/// `step`: input voxels per output voxel, of m output voxels.
AxisPlan axis_plan(const Plan& plan, int input_axis, double step, std::int64_t m);

/// Rows of one axis at the positions of `g`: the kernel and the low-pass that is made of it, then what filters the
/// input ahead of it.
Rows filter_rows(const AxisPlan& axis, const AxisGeometry& g);

}  // namespace revoxel
