#include "plan/check_options.hpp"

#include <fmt/format.h>

#include <cmath>

#include "plan/kernels.hpp"
#include "revoxel/error.hpp"

namespace revoxel {
namespace {

[[noreturn]] void refuse(const std::string& message) {
    throw Error(ErrorCode::usage, message);
}

/// Of the windowed sincs those that go by KernelShape; lanczos2..4 are as they are.
bool takes_radius(Kernel kernel) {
    return is_windowed_sinc(kernel) && kernel >= Kernel::sinc_lanczos;
}

void check_shape(const PlanOptions& o) {
    const bool sinc = takes_radius(o.kernel[0]) || takes_radius(o.kernel[1]) || takes_radius(o.kernel[2]);
    if (o.shape.radius < 2 || o.shape.radius > 8) {
        refuse(fmt::format("a kernel radius of {} voxels is not possible; expected 2 to 8", o.shape.radius));
    }
    const double reach = o.shape.sigma * o.shape.alpha;
    if (!(o.shape.sigma >= 1e-3) || !(reach >= 1e-3) || !(reach < 1000.0)) {
        refuse(
            fmt::format("a Gaussian of sigma {:g} voxels cut at {:g} sigma is not possible; expected a sigma from "
                        "0.001 and a reach from "
                        "0.001 to 1000 voxels",
                        o.shape.sigma, o.shape.alpha));
    }
    if (o.shape.normalised) return;
    if (!sinc)
        refuse("unnormalised weights are for the kernels sinc-* only; choose one (sinc-hamming, say) or leave it out");
    if (o.boundary == Boundary::renormalise) refuse("unnormalised weights contradict boundary renormalise; choose one");
    if (o.nan_aware)
        refuse("unnormalised weights contradict NaN-aware ones, which are divided by their sum; choose one");
    if (o.boundary == Boundary::constant || o.outside == Outside::extend) {
        refuse(
            "unnormalised weights do not keep a constant outside; choose boundary edge, mirror, reflect or wrap, and "
            "fill "
            "outside");
    }
}

void check_low_pass(const PlanOptions& o, int i) {
    const Kernel kernel = o.kernel[i];
    const Antialias antialias = o.antialias[i];
    if (kernel == Kernel::nearest && (antialias == Antialias::stretch || antialias == Antialias::pillow)) {
        refuse(
            "kernel nearest picks one voxel and cannot be widened against aliasing; choose linear, or antialias none");
    }
    if (kernel == Kernel::area && antialias != Antialias::automatic) {
        refuse(
            fmt::format("kernel area is a low-pass itself and does not go with antialias {}; leave one of the two out",
                        name_of(antialias)));
    }
    if (!(o.blur[i] >= 0.0) || !(o.blur[i] < 1e4)) {
        refuse(fmt::format("a blur of {:g} voxels is not possible; expected 0 or more", o.blur[i]));
    }
    if (!(o.aperture[i] > 0.0) || !std::isfinite(o.aperture[i])) {
        refuse(fmt::format("an aperture of {:g} voxels is not possible; expected a number above 0", o.aperture[i]));
    }
}

void check_labels(const PlanOptions& o) {
    for (int i = 0; i < 3; ++i) {
        const Kernel kernel = o.kernel[i];
        if (kernel != Kernel::nearest && kernel != Kernel::linear && kernel != Kernel::area &&
            kernel != Kernel::gaussian) {
            refuse(
                fmt::format("labels cannot be interpolated with kernel {}: its negative weights have no meaning for "
                            "votes; choose linear, nearest, area or gaussian",
                            name_of(kernel)));
        }
        if (o.antialias[i] != Antialias::automatic && o.antialias[i] != Antialias::none) {
            refuse(
                fmt::format("labels do not go with antialias {}: they are voted on, not averaged; leave it out (the "
                            "vote covers the output voxel where labels are down-sampled)",
                            name_of(o.antialias[i])));
        }
        if (o.blur[i] != 0.0) refuse("labels cannot be blurred; leave the target resolution out");
    }
    if (o.boundary == Boundary::constant) refuse("labels do not go with boundary constant; choose edge");
    if (o.clip != Clip::none) refuse("labels do not go with clipping: votes never leave the labels; leave it out");
    if (o.nan_aware) refuse("labels do not go with NaN-aware weights; leave it out");
    if (o.threshold) refuse("a threshold does not go with labels as they are; ask for the fraction of a label");
    if (o.output_slope != 1.0 || o.output_intercept != 0.0) {
        refuse("labels are moved, not scaled; keep the stored type or one of the same kind");
    }
}

}  // namespace

void check_options(const PlanOptions& o) {
    check_shape(o);
    for (int i = 0; i < 3; ++i) check_low_pass(o, i);
    if (o.labels) check_labels(o);
    if (o.outside == Outside::extend && o.boundary == Boundary::renormalise) {
        refuse("boundary renormalise has nothing to extend the input with; choose another boundary, or fill outside");
    }
    if (!std::isfinite(o.output_slope) || !std::isfinite(o.output_intercept)) {
        refuse("the output scaling is not finite; expected a finite slope and intercept");
    }
    if (o.threshold && std::isnan(*o.threshold)) refuse("a threshold of NaN is not possible; expected a number");
}

}  // namespace revoxel
