#include "pipeline/judgement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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

/// The share of the field of view whose weight may change at the ends of the axes.
double edge_share(const Plan& plan) {
    double share = 0.0;
    for (int a = 0; a < 3; ++a) {
        if (plan.axes[a].copied) continue;
        const std::int64_t fewest =
            std::min(plan.output.extent[a], plan.input.extent[plan.separable ? plan.axes[a].input_axis : a]);
        share += 0.5 / static_cast<double>(fewest);
    }
    return share;
}

void judge_range(const Plan& plan, const ScaledVolume& input, const ScaledVolume& output, Comparison& found) {
    const ValueRange allowed = scaled_range(input);
    const double range = allowed.max - allowed.min;
    const double step = is_integer(plan.options.output_dtype) ? 0.5 * std::fabs(output.slope) : 0.0;
    const double rounding = 1e-5 * std::max(std::fabs(allowed.min), std::fabs(allowed.max));
    const double slack = 0.5 * (overshoot_factor(plan) - 1.0) * range + step + rounding;
    if (found.output.min >= allowed.min - slack && found.output.max <= allowed.max + slack) return;
    found.findings.push_back(
        fmt::format("values {:g} to {:g} became {:g} to {:g}: kernel {} cannot leave the input's "
                    "range by more than {:g}",
                    allowed.min, allowed.max, found.output.min, found.output.max, name_of(plan.options.kernel), slack));
}

void judge_moments(const Plan& plan, Comparison& found) {
    const double edge = edge_share(plan), sd = found.input.sd;
    found.mean_shift_sd = sd > 0.0 ? (found.output.mean - found.input.mean) / sd : 0.0;
    if (std::fabs(found.mean_shift_sd) > kMeanShift + edge) {
        found.findings.push_back(
            fmt::format("the mean moved by {:.1f} % of the input's standard deviation; up to "
                        "{:.1f} % would be usual",
                        100.0 * found.mean_shift_sd, 100.0 * (kMeanShift + edge)));
    }
    const double growth = sd > 0.0 ? found.output.sd / sd - 1.0 : 0.0;
    if (growth > kSdGrowth + edge) {
        found.findings.push_back(fmt::format("the standard deviation grew by {:.1f} %; up to {:.1f} % would be usual",
                                             100.0 * growth, 100.0 * (kSdGrowth + edge)));
    }
    const double bound = kHistogramDistance + 0.25 * edge;
    if (found.histogram_distance > bound) {
        found.findings.push_back(
            fmt::format("the histograms are {:.1f} % of the range apart; up to {:.1f} % would be "
                        "usual",
                        100.0 * found.histogram_distance, 100.0 * bound));
    }
}

}  // namespace

double overshoot_factor(const Plan& plan) {
    double factor = 1.0;
    for (const Stage& stage : plan.stages) {
        if (const auto* pass = std::get_if<AxisPass>(&stage)) {
            factor *= std::max(1.0, largest_row_sum(pass->taps));
        } else if (std::get<AffineGather>(stage).kernel == Kernel::cubic) {
            factor *= 1.25 * 1.25 * 1.25;  // Keys, a = -1/2: the largest sum of |weight| is 1.25, midway
        }
    }
    return factor;
}

Comparison compare_values(const Plan& plan, const ScaledVolume& input, const ScaledVolume& output) {
    Comparison found;
    const CommonField input_field(plan.input, plan.output), output_field(plan.output, plan.input);
    found.input = statistics(input, input_field);
    found.output = statistics(output, output_field);
    if (found.input.count == 0 || found.output.count == 0) {
        if (found.input.count != found.output.count) {
            found.findings.push_back(fmt::format("the {} has no finite value in the shared field of view",
                                                 found.input.count == 0 ? "input" : "output"));
        }
        return found;
    }
    const double lo = std::min(found.input.min, found.output.min), hi = std::max(found.input.max, found.output.max);
    found.input_histogram = histogram(input, input_field, lo, hi);
    found.output_histogram = histogram(output, output_field, lo, hi);
    found.histogram_distance = histogram_distance(found.input_histogram, found.output_histogram);
    judge_range(plan, input, output, found);
    judge_moments(plan, found);
    if (found.input.nan + found.input.infinite == 0 && found.output.nan + found.output.infinite > 0) {
        found.findings.push_back(
            fmt::format("finite input gave {} NaN and {} infinite values", found.output.nan, found.output.infinite));
    }
    return found;
}

}  // namespace revoxel::pipeline
