#include "pipeline/warnings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "pipeline/field_of_view.hpp"
#include "pipeline/label_evidence.hpp"
#include "pipeline/rows.hpp"
#include "pipeline/stored_fill.hpp"

namespace revoxel::pipeline {
namespace {

constexpr int kIntentLabel = 1002;                    // NIFTI_INTENT_LABEL
constexpr double kLargestExact = 9007199254740992.0;  // 2^53: beyond it, double skips whole numbers

bool interpolates(const ResampleJob& job) {
    const LabelRequest& label = job.request.label;
    if (label.fraction || label.argmax || job.request.mask_threshold) return false;  // a label map is what it is for
    return !job.plan.options.labels && !(job.plan.options.kernel == PerAxis<Kernel>(Kernel::nearest)) &&
           !job.plan.is_copy();
}

std::string label_warning(const std::string& why) {
    return fmt::format("{}: interpolation invents labels between labels; use --labels if it is a label map", why);
}

void warn_of_magnification(const ResampleJob& job, std::vector<std::string>& warnings) {
    std::string axes;
    double largest = 0.0;
    for (int a = 0; a < 3; ++a) {
        const AxisSummary& axis = job.plan.axes[a];
        const double magnification = 1.0 / std::fabs(axis.step);
        const char name = "ijk"[axis.input_axis];
        if (job.plan.output.extent[a] == 1 || std::fabs(magnification - 1.0) < 1e-6) continue;
        if (job.plan.input.extent[axis.input_axis] == 1) {
            warnings.push_back(fmt::format("axis {}: the input has a single voxel there; the output repeats it", name));
        } else if (magnification > 4.0) {
            axes += fmt::format("{}{}", axes.empty() ? "" : ", ", name);
            largest = std::max(largest, magnification);
        }
    }
    if (axes.empty()) return;
    warnings.push_back(
        fmt::format("{} {}: up-sampling {:.{}f}x makes voxels, not detail; more than 4x is rarely wanted",
                    axes.size() > 1 ? "axes" : "axis", axes, largest, largest < 10.0 ? 1 : 0));
}

double scaled_fill(const ResampleJob& job) {
    return job.output.scaled() ? job.output.slope() * job.plan.options.fill + job.output.intercept()
                               : job.plan.options.fill;
}

std::string fill_text(const ResampleJob& job) {
    return job.request.fill_minimum ? "the smallest value of the input" : fmt::format("{:g}", scaled_fill(job));
}

/// A spacing typed from a rounded display.
void warn_of_almost_same(const ResampleJob& job, std::vector<std::string>& warnings) {
    for (int a = 0; a < 3 && job.request.grid.spacing_mm; ++a) {
        const double step = std::fabs(job.plan.axes[a].step), mm = spacing(job.input.grid)[a];
        const int axis = job.plan.axes[a].input_axis;
        const PlanOptions& options = job.plan.options;
        const bool same = step == 1.0 && (options.blur[axis] > 0.0 || options.kernel[axis] == Kernel::gaussian);
        if (job.plan.axes[a].copied || same || std::fabs(step - 1.0) > 2e-3) continue;
        warnings.push_back(
            fmt::format("axis {}: {:.7g} mm is almost the input's {:.9g} mm, yet every voxel is interpolated; "
                        "a spacing of 0 keeps the axis",
                        "ijk"[a], mm * step, mm));
    }
}

/// About output voxels that lie outside the input.
void warn_of_fill(const ResampleJob& job, std::vector<std::string>& warnings) {
    if (job.plan.options.outside == Outside::extend) return;
    const CommonField field(job.plan.output, job.plan.input);
    if (field.whole()) return;
    const std::int64_t all = voxel_count(job.plan.output), outside = all - field.count();
    if (outside == 0) return;
    const double percent = 100.0 * static_cast<double>(outside) / static_cast<double>(all);
    warnings.push_back(fmt::format("{:.{}f} % of the output voxels ({}) lie outside the input and hold the fill, {}",
                                   percent, percent < 1.0 ? 3 : 1, outside, fill_text(job)));
    if (job.request.fill_minimum) return;
    const double wanted = job.request.fill.value_or(0.0);
    const StoredFill fill = stored_fill(wanted, job.output.dtype, job.output.slope(), job.output.intercept());
    // Nobody asked for the default to the last digit; rounding it to the next stored value is no news.
    const double tolerance =
        job.request.fill ? 1e-6 * std::max(1.0, std::fabs(wanted)) : 0.51 * std::fabs(job.output.slope());
    const bool same = fill.actual == wanted || (std::isnan(fill.actual) && std::isnan(wanted));
    if (same || std::fabs(fill.actual - wanted) <= tolerance) return;
    warnings.push_back(fmt::format("fill {:g} cannot be stored as {}{}; the file will say {:g}", wanted,
                                   name_of(job.output.dtype), job.output.scaled() ? " with the file's scaling" : "",
                                   fill.actual));
}

/// The fill of 0 is water on a CT.
void warn_of_fill_in_range(const ResampleJob& job, const ValueRange& stored, std::vector<std::string>& warnings) {
    if (job.request.fill || job.request.fill_minimum || job.request.label.labels) return;
    const ValueRange range = scaled_range(stored, job.input.slope(), job.input.intercept());
    if (!(range.min < -500.0)) return;
    if (job.plan.options.outside == Outside::extend) return;
    if (CommonField(job.plan.output, job.plan.input).count() == voxel_count(job.plan.output)) return;
    warnings.push_back(fmt::format(
        "voxels outside the input hold 0, but its values go down to {:g} (a CT?); --fill min or --fill -1000 means air",
        range.min));
}

void warn_of_narrowing(const ResampleJob& job, const InputFacts& facts, std::vector<std::string>& warnings) {
    const DType in = job.input.dtype, out = job.output.dtype;
    const LabelRequest& label = job.request.label;
    const bool other_values = label.argmax || label.fraction || job.request.mask_threshold;
    if (in == out || !is_integer(out) || other_values) return;
    if (!is_integer(in) && !facts.finite) {
        warnings.push_back(
            fmt::format("the input has NaN or infinite values, which {} cannot hold: NaN becomes 0, "
                        "infinity the type's largest or smallest value",
                        name_of(out)));
    }
    const ValueRange range =
        scaled_range(facts.stored, job.plan.options.output_slope, job.plan.options.output_intercept);
    if (range.min < lowest_value(out) - 0.5 || range.max > highest_value(out) + 0.5) {
        warnings.push_back(fmt::format("values {:g} to {:g} do not fit {} ({:g} to {:g}) and are clipped to it",
                                       range.min, range.max, name_of(out), lowest_value(out), highest_value(out)));
    } else if (!is_integer(in) && range.max - range.min < 32.0) {
        warnings.push_back(
            fmt::format("values {:g} to {:g} are rounded to whole numbers in {}; --dtype float32 keeps "
                        "their fractions",
                        range.min, range.max, name_of(out)));
    }
}

}  // namespace

std::vector<std::string> plan_warnings(const ResampleJob& job) {
    std::vector<std::string> warnings;
    if (interpolates(job) && !job.request.label.labels && job.input.intent_code == kIntentLabel) {
        warnings.push_back(label_warning("the header says that this is a label map (intent code 1002)"));
    }
    warn_of_magnification(job, warnings);
    warn_of_almost_same(job, warnings);
    warn_of_fill(job, warnings);
    return warnings;
}

void look_for_fractions(DType dtype, const void* first, std::int64_t count, InputFacts& facts) {
    if (!facts.finite && !facts.whole) return;
    dispatch(dtype, [&](auto zero) {
        using T = decltype(zero);
        const T* values = static_cast<const T*>(first);
        bool finite = true, whole = true;
        for (std::int64_t v = 0; v < count; ++v) {
            const double value = static_cast<double>(values[v]);
            finite = finite & (value - value == 0.0);
            whole = whole & (value == std::rint(value));
        }
        facts.finite = facts.finite && finite;
        facts.whole = facts.whole && whole;
    });
}

InputFacts facts_of(const ResampleJob& job, const Volume& input) {
    InputFacts facts;
    facts.stored = stored_range(input, job.request.threads);
    const FactsWanted wanted = facts_wanted(job);
    if (wanted.evidence) facts.evidence = label_evidence(input, job.input.slope(), job.input.intercept());
    const std::int64_t scalars = input.size_bytes() / static_cast<std::int64_t>(size_of(input.dtype()));
    if (wanted.values) look_for_fractions(input.dtype(), input.data(), scalars, facts);
    return facts;
}

FactsWanted facts_wanted(const ResampleJob& job) {
    FactsWanted wanted;
    wanted.evidence = interpolates(job) && !job.request.label.labels && job.input.intent_code != kIntentLabel &&
                      job.input.components == 1;
    wanted.values = !is_integer(job.input.dtype) && (job.request.label.labels || is_integer(job.output.dtype));
    return wanted;
}

std::vector<std::string> value_warnings(const ResampleJob& job, const InputFacts& facts) {
    std::vector<std::string> warnings;
    if (facts_wanted(job).evidence && looks_like_labels(facts.evidence)) {
        warnings.push_back(label_warning(
            fmt::format("the input looks like a label map ({} different whole numbers)", facts.evidence.distinct)));
    }
    if (job.request.label.labels && !is_integer(job.input.dtype) && !facts.whole) {
        warnings.push_back("--labels on values that are not whole numbers: this does not look like a label map");
    }
    const bool wide = job.input.dtype == DType::int64 || job.input.dtype == DType::uint64;
    const double largest = std::max(std::fabs(facts.stored.min), facts.stored.max);
    if (wide && interpolates(job) && largest > kLargestExact) {
        warnings.push_back(fmt::format("{} values up to {:g} are beyond 2^53 and are interpolated with 53 bits",
                                       name_of(job.input.dtype), largest));
    }
    warn_of_narrowing(job, facts, warnings);
    warn_of_fill_in_range(job, facts.stored, warnings);
    return warnings;
}

}  // namespace revoxel::pipeline
