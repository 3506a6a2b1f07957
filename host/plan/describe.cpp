// The plan as text. Goldens in tests/unit/plan hold this format.
#include <fmt/format.h>

#include <cmath>

#include "revoxel/plan.hpp"

namespace revoxel {
namespace {

/// %.6g, without the sign of a zero: positions of -1e-17 are noise.
std::string number(double x) {
    return fmt::format("{:.6g}", std::fabs(x) < 5e-10 ? 0.0 : x);
}

template <typename T>
std::string one_or_three(const PerAxis<T>& values) {
    if (values.uniform()) return name_of(values[0]);
    return fmt::format("{}/{}/{}", name_of(values[0]), name_of(values[1]), name_of(values[2]));
}

/// What is not said when it is as usual.
std::string options_text(const PlanOptions& o) {
    std::string text;
    const auto is_sinc = [](Kernel k) { return k >= Kernel::sinc_lanczos && k <= Kernel::sinc_blackman; };
    if (is_sinc(o.kernel[0]) || is_sinc(o.kernel[1]) || is_sinc(o.kernel[2])) {
        text += fmt::format(", radius {}{}", o.shape.radius, o.shape.normalised ? "" : ", unnormalised");
    }
    if (o.kernel.any(Kernel::gaussian)) {
        text += fmt::format(", sigma {} voxels cut at {} sigma", number(o.shape.sigma), number(o.shape.alpha));
    }
    if (o.boundary == Boundary::constant) text += fmt::format(" {}", number(o.boundary_value));
    if (o.outside == Outside::extend) text += ", extended outside";
    if (o.blur != Vec3{0, 0, 0}) {
        text += fmt::format(", blurred by {} {} {} voxels", number(o.blur[0]), number(o.blur[1]), number(o.blur[2]));
    }
    if (o.aperture != Vec3{1, 1, 1}) {
        text += fmt::format(", aperture {} {} {} voxels", number(o.aperture[0]), number(o.aperture[1]),
                            number(o.aperture[2]));
    }
    if (o.labels) text += ", votes of labels";
    if (o.clip != Clip::none) text += fmt::format(", clipped to the {} range", name_of(o.clip));
    if (o.nan_aware) text += ", NaN and infinities left out";
    return text;
}

std::string grid_text(const Grid& grid) {
    const Vec3 s = spacing(grid);
    return fmt::format("{} x {} x {} voxels, {} x {} x {} mm, {}", grid.extent[0], grid.extent[1], grid.extent[2],
                       number(s[0]), number(s[1]), number(s[2]), orientation_code(grid.affine));
}

std::string box_text(const Box3& box) {
    if (box.empty()) return "empty";
    return fmt::format("[{}, {}) x [{}, {}) x [{}, {})", box.lo[0], box.hi[0], box.lo[1], box.hi[1], box.lo[2],
                       box.hi[2]);
}

std::string row_text(const TapTable& taps, std::int64_t o) {
    const auto row = static_cast<std::size_t>(o);
    std::string text = fmt::format("      row {}: {} taps from {}", o, taps.count[row], taps.first[row]);
    for (std::int32_t t = 0; t < taps.count[row] && t < 8; ++t) {
        text += (t == 0 ? ": " : " ") + number(taps.weight[row * static_cast<std::size_t>(taps.stride) + t]);
    }
    return text + (taps.count[row] > 8 ? " ...\n" : "\n");
}

std::string stage_text(const AxisPass& pass) {
    const TapTable& taps = pass.taps;
    const bool resample = pass.purpose == AxisPass::Purpose::resample;
    std::string text = fmt::format("{} along {} {}: {} -> {}, {}\n", resample ? "pass" : "prefilter",
                                   resample ? "output" : "input", "ijk"[pass.axis], taps.n_in, taps.n_out,
                                   taps.is_copy() ? "copied" : fmt::format("at most {} taps", taps.stride));
    text += row_text(taps, 0);
    if (taps.n_out > 2) text += row_text(taps, taps.n_out / 2);
    if (taps.n_out > 1) text += row_text(taps, taps.n_out - 1);
    return text;
}

std::string stage_text(const AffineGather& gather) {
    std::string text = fmt::format("gather {} from {} x {} x {} samples, the first at {} {} {}\n",
                                   names_of(gather.kernel), gather.extent[0], gather.extent[1], gather.extent[2],
                                   gather.origin[0], gather.origin[1], gather.origin[2]);
    for (int r = 0; r < 3; ++r) {
        text +=
            fmt::format("      {} = {} i + {} j + {} k + {}\n", "xyz"[r], number(gather.out_to_in(r, 0)),
                        number(gather.out_to_in(r, 1)), number(gather.out_to_in(r, 2)), number(gather.out_to_in(r, 3)));
    }
    return text;
}

std::string axis_text(const Plan& plan, int a) {
    const AxisSummary& axis = plan.axes[a];
    const bool labels = plan.options.labels;
    if (!plan.separable) {
        return fmt::format("input {}: {} voxels a step{}\n", "ijk"[a], number(axis.step),
                           !axis.antialiased ? ""
                           : labels          ? ", voted over the step"
                                             : ", low-passed");
    }
    const char* treatment = axis.copied        ? "copied"
                            : labels           ? axis.antialiased ? "voted over the step" : "voted"
                            : axis.antialiased ? "interpolated, antialiased"
                                               : "interpolated";
    return fmt::format("output {}: reads input {} at {} + {} o, {}\n", "ijk"[a], "ijk"[axis.input_axis],
                       number(axis.offset), number(axis.step), treatment);
}

}  // namespace

std::string names_of(const PerAxis<Kernel>& kernels) {
    return one_or_three(kernels);
}
std::string names_of(const PerAxis<Antialias>& modes) {
    return one_or_three(modes);
}

std::string Plan::describe() const {
    std::string text = fmt::format("input:   {}, {}\noutput:  {}, {}\n", grid_text(input), name_of(options.input_dtype),
                                   grid_text(output), name_of(options.output_dtype));
    text += fmt::format("route:   {}, kernel {}, antialias {}, boundary {}{}, computed in {}\n",
                        separable ? "separable" : "gather", names_of(options.kernel), names_of(options.antialias),
                        name_of(options.boundary), options_text(options), name_of(compute));
    text += fmt::format(
        "values:  {}{}{}fill {}\n",
        options.output_slope == 1.0 && options.output_intercept == 0.0
            ? ""
            : fmt::format("stored as {} v + {}, ", number(options.output_slope), number(options.output_intercept)),
        options.rounding == Rounding::even ? "" : fmt::format("rounding {}, ", name_of(options.rounding)),
        options.threshold ? fmt::format("1 from {} on, else 0, ", number(*options.threshold)) : "",
        number(options.fill));
    for (int a = 0; a < 3; ++a) text += "axis:    " + axis_text(*this, a);
    text += fmt::format("covered: {}\n", box_text(covered));
    text += fmt::format("needs:   {} of the input\n", box_text(input_box({{0, 0, 0}, output.extent})));
    int number_of_stage = 0;
    for (const Stage& stage : stages) {
        text += fmt::format("stage {}: {}", ++number_of_stage,
                            std::visit([](const auto& s) { return stage_text(s); }, stage));
    }
    if (stages.empty()) text += "no stage: voxels are copied\n";
    return text;
}

}  // namespace revoxel
