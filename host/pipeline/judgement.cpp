#include "pipeline/judgement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "plan/kernels.hpp"

namespace revoxel::pipeline {
namespace {

double largest_row_sum(const TapTable& taps) {
    double largest = 0.0;
    for (std::int64_t o = 0; o < taps.n_out; ++o) {
        const auto row = static_cast<std::size_t>(o);
        double sum = 0.0;
        for (std::int32_t t = 0; t < taps.count[row]; ++t) {
            sum += std::fabs(taps.weight[row * static_cast<std::size_t>(taps.stride) + static_cast<std::size_t>(t)]);
        }
        largest = std::max(largest, sum);
    }
    return largest;
}

bool resampled(const AxisSummary& axis) {
    return std::fabs(std::fabs(axis.step) - 1.0) > 1e-6 || !axis.copied;
}

/// The share of the field of view whose weight may change at the ends of the axes.
double edge_share(const Plan& plan) {
    double share = 0.0;
    for (int a = 0; a < 3; ++a) {
        if (!resampled(plan.axes[a])) continue;
        const std::int64_t fewest =
            std::min(plan.output.extent[a], plan.input.extent[plan.separable ? plan.axes[a].input_axis : a]);
        share += 0.5 / static_cast<double>(fewest);
    }
    return share;
}

/// Down-sampling that leaves out input voxels: the output is a sample, and as uncertain as one.
bool leaves_voxels_out(const Plan& plan) {
    return std::any_of(plan.axes.begin(), plan.axes.end(),
                       [](const AxisSummary& axis) { return std::fabs(axis.step) > 1.0 + 1e-6 && !axis.antialiased; });
}

void judge_range(const Plan& plan, const ScaledVolume& input, const ScaledVolume& output, Comparison& found) {
    const ValueRange allowed = scaled_range(input);
    const double range = allowed.max - allowed.min;
    const double step = is_integer(plan.options.output_dtype) ? 0.5 * std::fabs(output.slope) : 0.0;
    const double rounding = 1e-5 * std::max(std::fabs(allowed.min), std::fabs(allowed.max));
    const double slack = 0.5 * (overshoot_factor(plan) - 1.0) * range + step + rounding;
    if (found.output.min >= allowed.min - slack && found.output.max <= allowed.max + slack) return;
    found.findings.push_back(fmt::format(
        "values {:g} to {:g} became {:g} to {:g}: kernel {} cannot leave the input's "
        "range by more than {:g}",
        allowed.min, allowed.max, found.output.min, found.output.max, names_of(plan.options.kernel), slack));
}

void judge_moments(const Plan& plan, Comparison& found) {
    const double edge = edge_share(plan), sd = found.input.sd;
    const double leniency = leaves_voxels_out(plan) ? kSamplingLeniency : 1.0;
    if (!(sd > 0.0)) return;
    found.mean_shift_sd = (found.output.mean - found.input.mean) / sd;
    const double shift_bound = leniency * (kMeanShift + edge);
    if (std::fabs(found.mean_shift_sd) > shift_bound) {
        found.findings.push_back(
            fmt::format("the mean moved by {:.1f} % of the input's standard deviation; up to {:.1f} % would be usual",
                        100.0 * found.mean_shift_sd, 100.0 * shift_bound));
    }
    const double growth = found.output.sd / sd - 1.0, growth_bound = leniency * (kSdGrowth + edge);
    if (growth > growth_bound) {
        found.findings.push_back(fmt::format("the standard deviation grew by {:.1f} %; up to {:.1f} % would be usual",
                                             100.0 * growth, 100.0 * growth_bound));
    }
    const double range = found.input_histogram.hi - found.input_histogram.lo;
    const double smoothing = kSmoothingDistance * std::max(0.0, sd - found.output.sd) / range;
    const double distance_bound = leniency * (kHistogramDistance + 0.25 * edge) + smoothing;
    if (found.histogram_distance > distance_bound) {
        found.findings.push_back(
            fmt::format("the histograms are {:.1f} % of the range apart; up to {:.1f} % would be usual",
                        100.0 * found.histogram_distance, 100.0 * distance_bound));
    }
}

/// A constant in floating point, give or take rounding: nothing to say about its distribution.
bool practically_constant(double lo, double hi) {
    return hi - lo <= 1e-5 * std::max(std::fabs(lo), std::fabs(hi));
}

/// The largest sum of |weight| of the taps that a gather makes, from positions 1/64 voxel apart.
double largest_tap_sum(Kernel kernel, const KernelShape& shape) {
    const math::PointKernel point = point_kernel(kernel, shape);
    double largest = 1.0;
    for (int step = 0; step < 64; ++step) {
        math::GatherTaps<double> taps;
        math::gather_taps(point, step / 64.0, taps);
        double sum = 0.0;
        for (int t = taps.begin; t < taps.end; ++t) sum += std::fabs(taps.weight[t]);
        largest = std::max(largest, sum);
    }
    return largest;
}

}  // namespace

double overshoot_factor(const Plan& plan) {
    double factor = 1.0;
    for (const Stage& stage : plan.stages) {
        if (const auto* pass = std::get_if<AxisPass>(&stage)) {
            factor *= std::max(1.0, largest_row_sum(pass->taps));
        } else {
            const auto& gather = std::get<AffineGather>(stage);
            for (int d = 0; d < 3; ++d) factor *= largest_tap_sum(gather.kernel[d], gather.shape);
        }
    }
    return factor;
}

Comparison compare_values(const Plan& plan, const ScaledVolume& input, const ScaledVolume& output) {
    Comparison found;
    const CommonField input_field(plan.input, plan.output), output_field(plan.output, plan.input);
    found.input = statistics(input, input_field);
    found.output = statistics(output, output_field);
    const bool finite_input = found.input.nan + found.input.infinite == 0;
    if (finite_input && found.output.nan + found.output.infinite > 0) {
        found.findings.push_back(
            fmt::format("finite input gave {} NaN and {} infinite values", found.output.nan, found.output.infinite));
    }
    if (found.input.count == 0 || found.output.count == 0) return found;
    const double lo = std::min(found.input.min, found.output.min), hi = std::max(found.input.max, found.output.max);
    found.input_histogram = histogram(input, input_field, lo, hi);
    found.output_histogram = histogram(output, output_field, lo, hi);
    found.histogram_distance = histogram_distance(found.input_histogram, found.output_histogram);
    judge_range(plan, input, output, found);
    if (!practically_constant(lo, hi)) judge_moments(plan, found);
    return found;
}

}  // namespace revoxel::pipeline
