#include "pipeline/resolution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "plan/axis_plan.hpp"
#include "plan/kernels.hpp"
#include "revoxel/error.hpp"

namespace revoxel::pipeline {
namespace {

constexpr double kFwhmPerSigma = 2.3548200450309493;  // sqrt(8 ln 2)
/// Widths that differ by less than this share are the same.
constexpr double kSameWidth = 1e-3;
/// A Gaussian narrower than this many output voxels (full width at half maximum) keeps 13 % and more at the new Nyquist
/// frequency: exp(-(pi/2)^2 2 (1.5/2.355)^2).
constexpr double kFewestVoxels = 1.5;
/// A scan that resolves less than this many of its voxels is aliased: from 1.33 the target is missed by 4.5 %, from 1.7
/// by less than 2 % (a Gaussian point, by a fit).
constexpr double kFewestSourceVoxels = 1.7;

void check_width(const char* what, double mm) {
    if (mm > 0.0 && std::isfinite(mm)) return;
    throw Error(ErrorCode::usage, fmt::format("a {} of {:g} mm is not possible; expected mm above 0", what, mm));
}

char axis_name(int axis) {
    return "ijk"[axis];
}

struct SliceAxis {
    int axis = 2;
    bool assumed = false;  ///< of several that it may be
};

/// The axis that the header names; else that of a single slice; else the coarsest. Of several coarsest axes it is k,
/// along which scanners and converters stack slices, if k is one of them.
SliceAxis slice_axis_of(const io::NiftiHeader& input) {
    if (const int named = input.dim_info >> 4 & 3; named > 0) return {named - 1};
    std::vector<int> single, coarsest;
    const Vec3 s = spacing(input.grid);
    const double most = *std::max_element(s.begin(), s.end());
    for (int d = 0; d < 3; ++d) {
        if (input.grid.extent[d] == 1) single.push_back(d);
        if (s[d] * (1.0 + kSameWidth) > most) coarsest.push_back(d);
    }
    if (single.size() == 1) return {single[0]};
    if (coarsest.size() == 1) return {coarsest[0]};
    if (coarsest.back() == 2) return {2, true};
    throw Error(ErrorCode::usage,
                fmt::format("a slice thickness needs a slice axis: the header names none, and i and j are equally "
                            "coarse ({:g} mm, k {:g} mm); leave it out",
                            s[0], s[2]));
}

/// Mean over the rows of the taps' variance about their own position, in voxels^2. Rows whose window a face cuts are
/// left out where there are others.
double mean_variance(const TapTable& taps) {
    double sum = 0.0, inner_sum = 0.0;
    std::int64_t rows = 0, inner_rows = 0;
    for (std::int64_t o = 0; o < taps.n_out; ++o) {
        const auto row = static_cast<std::size_t>(o);
        if (taps.count[row] == 0) continue;
        double total = 0.0, first = 0.0, second = 0.0;
        for (std::int32_t t = 0; t < taps.count[row]; ++t) {
            const double w = taps.weight[row * static_cast<std::size_t>(taps.stride) + static_cast<std::size_t>(t)];
            const double j = static_cast<double>(t);
            total += w;
            first += w * j;
            second += w * j * j;
        }
        const double mean = first / total, variance = second / total - mean * mean;
        sum += variance;
        ++rows;
        if (taps.first[row] <= 0 || taps.first[row] + taps.count[row] >= taps.n_in) continue;
        inner_sum += variance;
        ++inner_rows;
    }
    if (inner_rows > 0) return inner_sum / static_cast<double>(inner_rows);
    return rows > 0 ? sum / static_cast<double>(rows) : 0.0;
}

/// What interpolation at all positions between two voxels adds on the average, in voxels^2; on B-spline coefficients.
double gather_variance(const AffineGather& gather, int axis) {
    const math::PointKernel kernel = point_kernel(gather.kernel[axis], gather.shape);
    double sum = 0.0;
    constexpr int kSteps = 64;
    for (int step = 0; step < kSteps; ++step) {
        const double c = (step + 0.5) / kSteps;
        math::GatherTaps<double> taps;
        math::gather_taps(kernel, c, taps);
        double total = 0.0, second = 0.0;
        for (int t = taps.begin; t < taps.end; ++t) {
            const double d = static_cast<double>(taps.first + t) - c;
            total += taps.weight[t];
            second += taps.weight[t] * d * d;
        }
        sum += second / total;
    }
    return sum / kSteps;
}

/// Variance that the plan's filters add along each input axis, in mm^2. Kernels with negative weights may add none.
Vec3 added_variance(const Plan& plan) {
    Vec3 added{0, 0, 0};
    for (const Stage& stage : plan.stages) {
        if (const auto* pass = std::get_if<AxisPass>(&stage)) {
            const int axis = plan.separable ? plan.input_axis[pass->axis] : pass->axis;
            added[axis] += mean_variance(pass->taps);
        } else {
            const auto& gather = std::get<AffineGather>(stage);
            for (int d = 0; d < 3; ++d) added[d] += gather_variance(gather, d);
        }
    }
    const Vec3 s = spacing(plan.input);
    for (int d = 0; d < 3; ++d) added[d] = std::max(0.0, added[d]) * s[d] * s[d];
    return added;
}

/// Why a slice thickness other than the spacing does not reach the voxels; nothing where it does.
std::optional<std::string> without_low_pass(const Plan& plan, int input_axis) {
    const auto from = std::find(plan.input_axis.begin(), plan.input_axis.end(), input_axis);
    const int a = plan.separable ? static_cast<int>(from - plan.input_axis.begin()) : input_axis;
    const std::int64_t m = plan.separable ? plan.output.extent[a] : plan.input.extent[a];
    const Kernel kernel = plan.options.kernel[input_axis];
    const Antialias antialias = plan.options.antialias[input_axis];
    if (low_pass_factor(std::fabs(plan.axes[a].step), 1.0, m) == 1.0) {
        return fmt::format("{} is not down-sampled", axis_name(input_axis));
    }
    if (kernel == Kernel::area) return "kernel area goes by the spacing";
    if (antialias == Antialias::none) return "there is no anti-aliasing";
    if (kernel == Kernel::nearest && antialias == Antialias::automatic) return "kernel nearest has no anti-aliasing";
    return std::nullopt;
}

}  // namespace

ResolutionPlan plan_resolution(const ResolutionRequest& request, const io::NiftiHeader& input) {
    ResolutionPlan plan;
    const Vec3 s = spacing(input.grid);
    if (request.target_fwhm_mm && !request.source_fwhm_mm) {
        throw Error(ErrorCode::usage,
                    "a target resolution needs the scan's own (--source-fwhm MM): the filter is what takes one to the "
                    "other");
    }
    for (int d = 0; d < 3; ++d) {
        if (request.source_fwhm_mm) check_width("source FWHM", (*request.source_fwhm_mm)[d]);
        if (!request.target_fwhm_mm) continue;
        const double target = (*request.target_fwhm_mm)[d], source = (*request.source_fwhm_mm)[d];
        check_width("target FWHM", target);
        if (target < source * (1.0 - 1e-9)) {
            throw Error(
                ErrorCode::usage,
                fmt::format("a target of {:g} mm FWHM is sharper than the source's {:g} mm along input axis {}; "
                            "expected a target that is no smaller: resampling cannot add resolution",
                            target, source, axis_name(d)));
        }
        plan.blur[d] = std::sqrt(std::max(0.0, target * target - source * source)) / kFwhmPerSigma / s[d];
    }
    if (request.slice_thickness_mm) {
        check_width("slice thickness", *request.slice_thickness_mm);
        const SliceAxis slices = slice_axis_of(input);
        plan.slice_axis = slices.axis;
        plan.slice_axis_assumed = slices.assumed;
        const double share = *request.slice_thickness_mm / s[*plan.slice_axis];
        plan.aperture[*plan.slice_axis] = std::fabs(share - 1.0) < kSameWidth ? 1.0 : share;
    }
    return plan;
}

EffectiveResolution effective_resolution(const ResolutionRequest& request, const ResolutionPlan& asked,
                                         const Plan& plan) {
    EffectiveResolution resolution;
    const Vec3 s = spacing(plan.input), added = added_variance(plan);
    for (int d = 0; d < 3; ++d) {
        const double system = request.source_fwhm_mm ? (*request.source_fwhm_mm)[d] / kFwhmPerSigma : 0.0;
        const double aperture = asked.aperture[d] * s[d];
        const double before = system * system + aperture * aperture / 12.0;
        resolution.before_mm[d] = kFwhmPerSigma * std::sqrt(before);
        resolution.after_mm[d] = kFwhmPerSigma * std::sqrt(before + added[d]);
        resolution.kernel_fwhm_mm[d] = kFwhmPerSigma * asked.blur[d] * s[d];
    }
    resolution.slice_axis = asked.slice_axis;
    return resolution;
}

std::vector<std::string> resolution_warnings(const ResolutionRequest& request, const ResolutionPlan& asked,
                                             const Plan& plan) {
    std::vector<std::string> warnings;
    const Vec3 s = spacing(plan.input), t = spacing(plan.output);
    if (asked.slice_axis && asked.aperture[*asked.slice_axis] != 1.0) {
        const int axis = *asked.slice_axis;
        const double thickness = *request.slice_thickness_mm, difference = thickness - s[axis];
        const std::optional<std::string> idle = without_low_pass(plan, axis);
        const char* blur = idle ? "" : ": they are blurred less when they are down-sampled";
        warnings.push_back(
            difference < 0.0
                ? fmt::format(
                      "slices of {:g} mm every {:g} mm along {} leave gaps of {:g} mm: what lies in them is lost, "
                      "and the input is aliased already",
                      thickness, s[axis], axis_name(axis), -difference)
                : fmt::format("slices of {:g} mm every {:g} mm along {} overlap by {:g} mm{}", thickness, s[axis],
                              axis_name(axis), difference, blur));
        if (idle) {
            warnings.push_back(
                fmt::format("the slice thickness changes no voxel, only the resolution that is reported: {}", *idle));
        }
        if (asked.slice_axis_assumed) {
            warnings.push_back(
                fmt::format("the header names no slice axis and {} is not the only coarsest one; {} was taken for it",
                            axis_name(axis), axis_name(axis)));
        }
    }
    if (!request.target_fwhm_mm) return warnings;
    for (int d = 0; d < 3; ++d) {
        const double source = (*request.source_fwhm_mm)[d];
        if (asked.blur[d] == 0.0 || plan.input.extent[d] == 1 || source >= kFewestSourceVoxels * s[d]) continue;
        warnings.push_back(
            fmt::format("input axis {}: {:g} mm FWHM on voxels of {:g} mm is less than {:g} voxels; the scan is "
                        "aliased already and may miss the target by more than 2 %",
                        axis_name(d), source, s[d], kFewestSourceVoxels));
    }
    for (int a = 0; a < 3; ++a) {
        const int d = plan.separable ? plan.axes[a].input_axis : a;
        const double width = (*request.target_fwhm_mm)[d] / t[a];
        if (width >= kFewestVoxels) continue;
        warnings.push_back(
            fmt::format("output axis {}: {:g} mm FWHM on voxels of {:g} mm is less than {:g} voxels; the "
                        "grid is too coarse to show it without aliasing",
                        axis_name(a), (*request.target_fwhm_mm)[d], t[a], kFewestVoxels));
    }
    return warnings;
}

}  // namespace revoxel::pipeline
