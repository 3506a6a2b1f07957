#include "plan/axis_plan.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace revoxel {
namespace {

/// Sigma of a Gaussian low-pass in units of what it is made from, squared (docs/conventions.md).
constexpr double kCardoso = 5.545177444479562;  // 8 ln 2
constexpr double kAperture = 12.0;
constexpr double kMirp = 0.402;  // sqrt(-8 ln 0.98)

/// The Gaussian low-pass on the input grid that the antialias mode names, if it is one.
std::optional<Rows> gaussian_low_pass(const AxisPlan& axis, std::int64_t n) {
    const double k = axis.factor;
    const Boundary boundary = axis.filter.boundary;
    switch (axis.antialias) {
        case Antialias::gaussian: return sampled_gaussian_rows(n, boundary, std::sqrt((k * k - 1.0) / kCardoso));
        case Antialias::aperture: return exact_gaussian_rows(n, boundary, (k * k - 1.0) / kAperture);
        case Antialias::skimage: return sampled_gaussian_rows(n, boundary, (k - 1.0) / 2.0);
        case Antialias::mirp: return sampled_gaussian_rows(n, boundary, kMirp * k);
        default: return std::nullopt;
    }
}

}  // namespace

double low_pass_factor(double k, double aperture, std::int64_t m) {
    if ((k - 1.0) * static_cast<double>(m) <= kSamePosition) return 1.0;
    return aperture == 1.0 ? k : std::sqrt(std::max(1.0, 1.0 + k * k - aperture * aperture));
}

AxisPlan axis_plan(const Plan& plan, int input_axis, double step, std::int64_t m) {
    const PlanOptions& options = plan.options;
    AxisPlan axis;
    axis.filter = {options.kernel[input_axis], options.shape, options.boundary, plan.compute};
    axis.step = std::fabs(step);
    axis.blur = options.blur[input_axis];
    const Kernel kernel = axis.filter.kernel;
    Antialias wanted = options.antialias[input_axis];
    if (wanted == Antialias::automatic) {
        wanted = kernel == Kernel::nearest || kernel == Kernel::area ? Antialias::none
                 : options.labels                                    ? Antialias::pillow
                                                                     : Antialias::stretch;
    }
    const double factor = low_pass_factor(axis.step, options.aperture[input_axis], m);
    if (wanted != Antialias::none && factor > 1.0) {
        axis.antialias = wanted;
        axis.factor = factor;
    }
    return axis;
}

Rows filter_rows(const AxisPlan& axis, const AxisGeometry& g) {
    const Boundary boundary = axis.filter.boundary;
    Rows rows;
    if (axis.antialias == Antialias::area) {
        rows = area_rows(g, boundary, axis.factor);
    } else if (axis.filter.kernel == Kernel::area) {
        rows = area_rows(g, boundary, axis.step);
    } else if (axis.antialias == Antialias::supersample) {
        rows = supersample_rows(g, axis.filter, axis.factor);
    } else {
        const double stretch = axis.widened() ? axis.factor : 1.0;
        rows = kernel_rows(g, axis.filter, stretch, axis.antialias != Antialias::pillow);
    }
    if (const std::optional<Rows> low_pass = gaussian_low_pass(axis, g.n_in)) {
        rows = compose(rows, *low_pass, g.n_in, boundary);
    }
    if (axis.blur > 0.0) {
        rows = compose(rows, exact_gaussian_rows(g.n_in, boundary, axis.blur * axis.blur), g.n_in, boundary);
    }
    return rows;
}

}  // namespace revoxel
