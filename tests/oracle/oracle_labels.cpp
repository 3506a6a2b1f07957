// Votes: what a label plan computes, in whole numbers.
#include <cmath>
#include <limits>

#include "oracle/oracle.hpp"

namespace revoxel::oracle {
namespace {

constexpr double kWeights = 0x1p20;  // weights are multiples of 1/kWeights

std::int64_t quantised(double weight) {
    return static_cast<std::int64_t>(std::nearbyint(weight * kWeights));
}

}  // namespace

// Taps outside are dropped and nothing is divided: only which vote is the largest matters.
Row Oracle::label_row(int axis, double c) const {
    const Kernel kernel = options_.kernel[axis];
    const bool widened = antialias(axis) == Antialias::pillow;
    const Taps taps = kernel == Kernel::area ? area_taps(c, step_[axis])
                      : widened              ? widened_taps(kernel, options_.shape, c, low_pass_[axis], false)
                                             : kernel_taps(kernel, options_.shape, c);
    return folded(taps, options_.boundary, input_.extent[axis]);
}

std::map<double, std::int64_t> Oracle::votes(const Extent& o) const {
    const Vec3 c = position(o);
    const Row x = label_row(0, c[0]), y = label_row(1, c[1]), z = label_row(2, c[2]);
    std::map<double, std::int64_t> votes;
    for (std::size_t k = 0; k < z.weight.size(); ++k) {
        for (std::size_t j = 0; j < y.weight.size(); ++j) {
            const std::int64_t at =
                ((z.first + static_cast<std::int64_t>(k)) * input_.extent[1] + y.first + static_cast<std::int64_t>(j)) *
                    input_.extent[0] +
                x.first;
            for (std::size_t i = 0; i < x.weight.size(); ++i) {
                const double sample = samples_[static_cast<std::size_t>(at) + i];
                const std::int64_t vote = quantised(x.weight[i]) * quantised(y.weight[j]) * quantised(z.weight[k]);
                if (vote != 0 && !std::isnan(sample)) votes[sample] += vote;
            }
        }
    }
    return votes;
}

double Oracle::label(const Extent& o) const {
    double best = std::numeric_limits<double>::quiet_NaN();
    std::int64_t most = 0;
    for (const auto& [label, vote] : votes(o))  // in ascending order
        if (vote > most) most = vote, best = label;
    return best;
}

// A weight may become its neighbour on the grid of 2^-20 where it lies so near the middle between two that rounding
// decides: positions, and the operations that a weight is made with, in double in tables and in the compute type in a
// gather (eight of them, as in error_bound). Each such weight moves votes by less than 2^-20 times the product of the
// other two axes' weights, whose sums are 1: both labels of a pair by (number of taps) 2^-20 at most.
std::int64_t Oracle::label_slack(const Extent& o, const Precision& precision) const {
    const Vec3 c = position(o);
    const double unit = separable_ ? kDouble.unit : precision.unit;
    std::size_t taps = 0;
    bool decided = true;
    for (int axis = 0; axis < 3; ++axis) {
        if (options_.kernel[axis] == Kernel::nearest) continue;
        const double noise = kWeights * (8 * unit + slope_sum(axis) * position_error());
        const Row row = label_row(axis, c[axis]);
        taps += row.weight.size();
        for (double w : row.weight) {
            const double above = w * kWeights - std::floor(w * kWeights);
            decided = decided && std::abs(above - 0.5) > noise;
        }
    }
    return decided ? 0 : 2 * static_cast<std::int64_t>(taps) * static_cast<std::int64_t>(kWeights * kWeights);
}

}  // namespace revoxel::oracle
