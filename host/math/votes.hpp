// Votes of labels: weights as whole numbers, so that sums are exact in any order and ties are ties. Usable on host and
// device; C++17.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "math/kernels.hpp"

namespace revoxel::math {

/// One is this many units. The product over three axes, summed over all taps, stays below 2^62.
inline constexpr std::int64_t kVoteUnits = std::int64_t{1} << 20;

REVOXEL_HD inline std::int64_t vote_units(double weight) {
    return static_cast<std::int64_t>(std::rint(weight * static_cast<double>(kVoteUnits)));
}

/// The label that a stored value stands for: all zeros are one label, and all NaN. The order of counting then does not
/// show.
template <typename T>
REVOXEL_HD inline T label_of_value(T value) {
    if (value != value) return std::numeric_limits<T>::quiet_NaN();
    return value == T{0} ? T{0} : value;
}

/// The voxels in reach of a position on one axis, and what their weights are divided by.
struct VoteTaps {
    std::int64_t first;
    int count;
    double position;  ///< within kIntegerSnap of an integer it is that integer
    double sum;
};

/// `kernel` is nearest, linear (widened by `stretch`) or gaussian (widened already).
REVOXEL_HD inline double raw_vote(const PointKernel& kernel, double stretch, double x) {
    return kernel.form == PointKernel::Form::linear ? linear(x / stretch) : voxel_gaussian(x, kernel.sigma);
}

REVOXEL_HD inline VoteTaps vote_taps(const PointKernel& kernel, double stretch, double c) {
    if (kernel.form == PointKernel::Form::nearest) return {floor_index(c + 0.5 + kTieTolerance), 1, c, 1.0};
    const double near = std::floor(c + 0.5);
    if (c - near < kIntegerSnap && near - c < kIntegerSnap) c = near;
    VoteTaps taps{};
    taps.position = c;
    std::int64_t end = 0;
    if (kernel.form == PointKernel::Form::linear) {
        taps.first = ceil_index(c - stretch);
        end = floor_index(c + stretch) + 1;
    } else {
        taps.first = floor_index(c + 0.5 - kernel.reach + kTieTolerance);
        end = ceil_index(c + 0.5 + kernel.reach - kTieTolerance);
    }
    taps.count = static_cast<int>(end - taps.first);
    for (int t = 0; t < taps.count; ++t) taps.sum += raw_vote(kernel, stretch, static_cast<double>(taps.first + t) - c);
    return taps;
}

/// The weight of tap t.
REVOXEL_HD inline double vote_weight(const PointKernel& kernel, double stretch, const VoteTaps& taps, int t) {
    if (kernel.form == PointKernel::Form::nearest) return 1.0;
    return raw_vote(kernel, stretch, static_cast<double>(taps.first + t) - taps.position) / taps.sum;
}

}  // namespace revoxel::math
