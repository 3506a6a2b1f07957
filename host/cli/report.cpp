#include "cli/report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>

#include "cli/text.hpp"
#include "pipeline/memory.hpp"

namespace revoxel::cli {
namespace {

constexpr std::size_t kWidth = 80;

constexpr std::size_t kKeptLines = 10;

Vec3 micrometres(const Vec3& mm) {
    return {mm[0] * 1000.0, mm[1] * 1000.0, mm[2] * 1000.0};
}

/// Six digits, so that 796.875 um is not rounded.
std::string triple_um(const Vec3& mm) {
    const Vec3 um = micrometres(mm);
    return fmt::format("{:.6g} x {:.6g} x {:.6g}", um[0], um[1], um[2]);
}

std::string magnification_text(const Plan& plan, int a) {
    const AxisSummary& axis = plan.axes[a];
    const double k = std::fabs(axis.step);
    const int digits = std::fabs(k - 1.0) < 0.01 ? 7 : 3;  // never "1x" for a change
    if (k < 1.0) return fmt::format("up-sampling {:.{}g}x", 1.0 / k, digits);
    const char* how = plan.options.labels ? axis.antialiased ? "voted over the output voxel" : "voxels are left out"
                      : axis.antialiased  ? "antialiased"
                                          : "not antialiased";
    return fmt::format("down-sampling {:.{}g}x, {}", 1.0 / k, digits, how);
}

std::string separable_axis_text(const Plan& plan, int a) {
    const AxisSummary& axis = plan.axes[a];
    const std::int64_t n = plan.input.extent[axis.input_axis], m = plan.output.extent[a];
    const double k = std::fabs(axis.step);
    std::string text;
    if (std::fabs(k - 1.0) * static_cast<double>(m) >= 1e-3) {
        text = magnification_text(plan, a);
    } else if (!axis.copied && k == 1.0 && axis.offset == std::floor(axis.offset)) {
        text = "filtered, voxels stay where they are";
    } else if (!axis.copied) {
        text = fmt::format("shifted by {:.3g} voxel", axis.offset - std::floor(axis.offset));
    } else {
        const double unmoved = axis.step < 0.0 ? static_cast<double>(n - 1) : 0.0;
        text = m == n && axis.offset == unmoved ? "no change" : "whole voxels moved, none computed";
    }
    if (axis.step < 0.0) text += ", flipped";
    if (axis.input_axis != a) text += fmt::format(", from input axis {}", "ijk"[axis.input_axis]);
    return text;
}

std::string kernel_text(const PlanOptions& o) {
    std::string text = names_of(o.kernel);
    if (o.kernel == PerAxis<Kernel>(Kernel::cubic)) text += " (Keys, a = -1/2)";
    if (o.kernel == PerAxis<Kernel>(Kernel::bspline2)) text += " (quadratic B-spline)";
    if (o.kernel == PerAxis<Kernel>(Kernel::bspline3)) text += " (cubic B-spline)";
    const bool sinc = text.find("sinc-") != std::string::npos;
    if (sinc) text += fmt::format(" (radius {} voxels{})", o.shape.radius, o.shape.normalised ? "" : ", unnormalised");
    if (o.kernel.any(Kernel::gaussian)) {
        text += fmt::format(" (sigma {} voxels, cut at {} sigma)", number(o.shape.sigma), number(o.shape.alpha));
    }
    return o.labels ? text + ", votes of labels" : text;
}

std::string antialias_text(const Plan& plan) {
    const bool any = std::any_of(plan.axes.begin(), plan.axes.end(), [](const auto& axis) { return axis.antialiased; });
    const PerAxis<Antialias>& mode = plan.options.antialias;
    const bool widened = mode.uniform() && (mode[0] == Antialias::automatic || mode[0] == Antialias::stretch);
    const bool coarser = std::any_of(plan.axes.begin(), plan.axes.end(),
                                     [](const AxisSummary& axis) { return std::fabs(axis.step) > 1.0 + 1e-3; });
    const bool blurred = plan.options.blur != Vec3{0, 0, 0}, labels = plan.options.labels;
    const bool area = plan.options.kernel == PerAxis<Kernel>(Kernel::area);
    const char* what = !any && blurred             ? "the blur to the target resolution is the low-pass"
                       : !any && coarser && labels ? "an axis is down-sampled, and the vote skips voxels"
                       : !any && coarser           ? "an axis is down-sampled without a low-pass"
                       : !any                      ? "nothing to do"
                       : labels                    ? "the vote covers the output voxel"
                       : area                      ? "the kernel is the low-pass"
                       : widened                   ? "the kernel is stretched"
                                                   : "low-pass where an axis is down-sampled";
    return fmt::format("{} ({})", names_of(mode), what);
}

std::string grid_text(const ResampleJob& job) {
    if (job.reference) return fmt::format("of the reference {}", *job.request.grid.like);
    return fmt::format("policy {}, {}", name_of(*job.policy),
                       job.rule ? fmt::format("count by {}", name_of(*job.rule)) : std::string("count as given"));
}

std::string fill_text(const ResampleJob& job) {
    if (job.request.fill_minimum) return "the input's minimum";
    return number(job.output.slope() * job.plan.options.fill + job.output.intercept());
}

std::string fwhm_text(const Vec3& mm) {
    const bool same = std::fabs(mm[0] - mm[1]) < 1e-3 * mm[0] && std::fabs(mm[0] - mm[2]) < 1e-3 * mm[0];
    return same ? fmt::format("{:.3g}", mm[0]) : fmt::format("{:.3g} x {:.3g} x {:.3g}", mm[0], mm[1], mm[2]);
}

std::string resolution_text(const EffectiveResolution& r) {
    std::string text = fmt::format("effective FWHM {} -> {} mm", fwhm_text(r.before_mm), fwhm_text(r.after_mm));
    if (r.kernel_fwhm_mm != Vec3{0, 0, 0}) text += fmt::format(" (blurred by {} mm)", fwhm_text(r.kernel_fwhm_mm));
    if (r.slice_axis) text += fmt::format(", slices along {}", "ijk"[*r.slice_axis]);
    return text;
}

/// What happens to the values beside interpolation; empty for nothing unusual.
std::string values_text(const ResampleJob& job) {
    const PlanOptions& o = job.plan.options;
    const LabelRequest& label = job.request.label;
    std::vector<std::string> parts;
    if (job.scaling_applied) parts.emplace_back("scaling applied; the output holds scaled values");
    if (label.fraction) parts.push_back(fmt::format("share of label {} in each voxel", number(*label.fraction)));
    if (label.argmax) {
        parts.push_back(fmt::format("class of the largest of {} {}", job.input.frames(),
                                    label.softmax ? "probabilities (softmax)" : "scores"));
    }
    if (label.keep) parts.emplace_back("labels that would vanish keep a voxel");
    if (o.threshold) parts.push_back(fmt::format("1 from {} on, else 0", number(*o.threshold)));
    if (o.clip == Clip::local) parts.emplace_back("clipped to the range of the neighbours");
    if (o.clip == Clip::global) parts.emplace_back("clipped to the range of the input");
    if (job.request.nan_fill) parts.push_back(fmt::format("NaN becomes {}", number(*job.request.nan_fill)));
    if (o.nan_aware) parts.emplace_back("NaN and infinities are left out of the weights");
    if (o.rounding != Rounding::even && is_integer(o.output_dtype)) {
        parts.emplace_back(o.rounding == Rounding::away ? "rounded half away from zero" : "truncated to integers");
    }
    return fmt::format("{}", fmt::join(parts, "; "));
}

std::string facts_text(const ResampleJob& job) {
    const Plan& plan = job.plan;
    std::string transform = transform_text(job.input);
    if (const std::string other = disagreement_text(job.input); !other.empty()) transform += "; " + other;
    std::vector<std::vector<std::string>> rows;
    for (int a = 0; a < 3; ++a) {
        const std::string axis = fmt::format("{}axis {}", plan.separable ? "" : "input ", "ijk"[a]);
        const std::string counts =
            plan.separable
                ? fmt::format("{} -> {}: ", plan.input.extent[plan.axes[a].input_axis], plan.output.extent[a])
                : "";
        rows.push_back({axis, counts + axis_text(plan, a)});
    }
    const char* computed = plan.is_copy()                     ? "voxels are copied, none is computed"
                           : plan.options.labels              ? "exact in whole numbers"
                           : plan.compute == ComputeType::f32 ? "computed in float32"
                                                              : "computed in float64";
    rows.push_back({"kernel", fmt::format("{}, {}", kernel_text(plan.options), computed)});
    rows.push_back({"antialias", antialias_text(plan)});
    const bool extended = plan.options.outside == Outside::extend;
    rows.push_back({"boundary", fmt::format("{}; {}", name_of(plan.options.boundary),
                                            extended ? std::string("continued outside the input")
                                                     : fmt::format("fill {} outside the input", fill_text(job)))});
    if (const std::string text = values_text(job); !text.empty()) rows.push_back({"values", text});
    if (job.resolution) rows.push_back({"resolution", resolution_text(*job.resolution)});
    rows.push_back({"grid", grid_text(job)});
    if (job.request.preset) rows.push_back({"preset", *job.request.preset + " (docs/presets.md)"});
    rows.push_back({"transform", transform});
    return table(rows);
}

/// One line for each label that has got a voxel back, up to kKeptLines.
std::string kept_text(const std::vector<KeptLabel>& kept) {
    if (kept.empty()) return {};
    std::string text = fmt::format("{} {} have vanished and got a voxel back\n", kept.size(),
                                   kept.size() > 1 ? "labels would" : "label would");
    std::vector<std::vector<std::string>> rows{{"label", "output voxel", "its share there"}};
    for (std::size_t l = 0; l < std::min(kept.size(), kKeptLines); ++l) {
        const KeptLabel& label = kept[l];
        const std::string volume = label.frame > 0 ? fmt::format(" of volume {}", label.frame) : "";
        rows.push_back({std::to_string(label.value),
                        fmt::format("{} {} {}{}", label.index[0], label.index[1], label.index[2], volume),
                        fmt::format("{:.3g} %", 100.0 * label.fraction)});
    }
    text += table(rows, 2, true);
    if (kept.size() > kKeptLines) text += fmt::format("  and {} more (--json)\n", kept.size() - kKeptLines);
    return text;
}

std::string memory_text(std::int64_t before, std::int64_t after) {
    return fmt::format("{} ({:.3g}x)", bytes(after), static_cast<double>(after) / static_cast<double>(before));
}

}  // namespace

std::string axis_text(const Plan& plan, int a) {
    if (plan.separable) return separable_axis_text(plan, a);
    const AxisSummary& axis = plan.axes[a];
    const bool same = std::fabs(axis.step - 1.0) < 1e-3;
    return "oblique, " + (same ? std::string("same step") : magnification_text(plan, a));
}

std::string scaling_text(const io::NiftiHeader& header) {
    if (!header.scaled()) return "none";
    const double i = header.intercept();
    const std::string product = header.slope() == 1.0 ? "v" : number(header.slope()) + " v";
    if (i == 0.0) return product;
    return fmt::format("{} {} {}", product, i < 0.0 ? "-" : "+", number(std::fabs(i)));
}

std::string transform_text(const io::NiftiHeader& header) {
    if (header.source == io::TransformSource::pixdim) return "pixdim (no sform, no qform: orientation unknown)";
    const bool sform = header.source == io::TransformSource::sform;
    return fmt::format("{} (code {})", name_of(header.source), sform ? header.sform_code : header.qform_code);
}

std::string disagreement_text(const io::NiftiHeader& header) {
    if (header.sform_code <= 0 || header.qform_code <= 0) return "";
    const char* other = header.source == io::TransformSource::sform ? "qform" : "sform";
    const int code = header.source == io::TransformSource::sform ? header.qform_code : header.sform_code;
    if (header.form_disagreement_voxels < 1e-3) return fmt::format("{} (code {}) agrees", other, code);
    return fmt::format("{} (code {}) differs by {} mm ({} voxel)", other, code, number(header.form_disagreement_mm),
                       number(header.form_disagreement_voxels));
}

std::string voxel_text(const io::NiftiHeader& header) {
    if (header.components == 2) return fmt::format("complex of {}", name_of(header.dtype));
    if (header.components > 2) return fmt::format("{} x {}", header.components, name_of(header.dtype));
    return name_of(header.dtype);
}

std::string orientation_text(const Affine& affine) {
    const double degrees = obliquity_degrees(affine);
    const double tilt = shear(affine);
    std::string text = orientation_code(affine);
    text += degrees < 0.005 ? ", 0 deg oblique" : fmt::format(", {:.3g} deg oblique", degrees);
    if (tilt > 1e-3) text += fmt::format(", shear {:.2g}", tilt);
    return text;
}

std::string plan_report(const ResampleJob& job) {
    const io::NiftiHeader &in = job.input, &out = job.output;
    const std::int64_t bytes_in = pipeline::volume_bytes(in), bytes_out = pipeline::volume_bytes(out);
    std::string text = fmt::format("input   {}\n", printable(job.request.input));
    if (!job.request.output.empty()) text += fmt::format("output  {}\n", printable(job.request.output));
    std::vector<std::vector<std::string>> rows{
        {"", "before", "after"},
        {"extent (voxels)", triple(in.grid.extent), triple(out.grid.extent)},
        {"spacing (mm)", spacing_text(spacing(in.grid)), spacing_text(spacing(out.grid))},
        {"spacing (um)", triple_um(spacing(in.grid)), triple_um(spacing(out.grid))},
        {"size (mm)", triple(fov(in.grid)), triple(fov(out.grid))},
        {"orientation", orientation_text(in.grid.affine), orientation_text(out.grid.affine)},
        {"data type", voxel_text(in), voxel_text(out)},
        {"scaling", scaling_text(in), scaling_text(out)},
        {"memory", bytes(bytes_in), memory_text(bytes_in, bytes_out)},
    };
    if (in.frames() > 1) {
        rows.insert(rows.begin() + 2, {"volumes", std::to_string(in.frames()), std::to_string(out.frames())});
    }
    return text + "\n" + table(rows) + "\n" + facts_text(job);
}

std::string explanation(const ResampleJob& job) {
    std::int64_t taps = 0;
    for (const Stage& stage : job.plan.stages) {
        const auto* pass = std::get_if<AxisPass>(&stage);
        if (pass == nullptr) continue;
        taps += static_cast<std::int64_t>(pass->taps.weight.size() * sizeof(double) +
                                          pass->taps.first.size() * sizeof(std::int64_t) +
                                          pass->taps.count.size() * sizeof(std::int32_t));
    }
    std::string text = job.plan.describe();
    if (job.request.fill_minimum) text += "fill:    becomes the input's smallest value when that is known\n";
    return text + fmt::format("bytes:   input {}, output {}, plan {}\n", grouped(pipeline::volume_bytes(job.input)),
                              grouped(pipeline::volume_bytes(job.output)), grouped(taps));
}

double total_seconds(const ResampleResult& r) {
    return r.read_s + r.prepare_s + r.resample_s + r.check_s + r.write_s;
}

Throughput resample_throughput(const ResampleJob& job, const ResampleResult& result) {
    if (!(result.resample_s > 0.0)) return {};
    const double values =
        static_cast<double>(pipeline::volume_bytes(job.output)) / static_cast<double>(size_of(job.output.dtype));
    const double moved = static_cast<double>(pipeline::volume_bytes(job.input)) +
                         static_cast<double>(pipeline::volume_bytes(job.output));
    return {values / result.resample_s / 1e6, moved / result.resample_s / 1e6};
}

/// The most that the program has held so far.
std::int64_t peak_bytes() {
    struct rusage usage {};
    return ::getrusage(RUSAGE_SELF, &usage) == 0 ? std::int64_t{1024} * usage.ru_maxrss : 0;
}

std::string memory_text(const ResampleResult& r) {
    const std::string peak = bytes(peak_bytes()) + " at most";
    if (r.slab == 0) return peak + ", whole volumes";
    return peak + fmt::format(", streamed in slabs of {} {}", r.slab, r.slab == 1 ? "slice" : "slices");
}

std::string result_report(const ResampleJob& job, const ResampleResult& r) {
    const Throughput speed = resample_throughput(job, r);
    const std::string kept = kept_text(r.kept_labels);
    std::string text = table({{"read", "plan", "resample", "check", "write", "total"},
                              {seconds(r.read_s), seconds(r.prepare_s), seconds(r.resample_s), seconds(r.check_s),
                               seconds(r.write_s), seconds(total_seconds(r))}});
    std::vector<std::vector<std::string>> rows{
        {"speed", fmt::format("{:.{}f} Mvoxel/s, {:.0f} MB/s while resampling ({})", speed.mvoxels_per_s,
                              speed.mvoxels_per_s < 100.0 ? 1 : 0, speed.mbytes_per_s, r.backend)},
        {"memory", memory_text(r)},
        {"values", fmt::format("{} to {}  ->  {} to {}", number(r.input_range.min), number(r.input_range.max),
                               number(r.output_range.min), number(r.output_range.max))},
        {"result", fmt::format("{} ({})", printable(job.request.output), bytes(r.output_file_bytes))},
    };
    std::vector<std::vector<std::string>> chosen;
    for (const std::string& line : wrapped(r.backend_reason, kWidth - std::string("backend  ").size())) {
        chosen.push_back({chosen.empty() ? "backend" : "", line});
    }
    rows.insert(rows.begin(), chosen.begin(), chosen.end());
    text += "\n" + table(rows);
    return kept.empty() ? text : text + "\n" + kept;
}

std::string comparison_report(const pipeline::Comparison& c) {
    const pipeline::Statistics &a = c.input, &b = c.output;
    std::vector<std::vector<std::string>> rows{{"", "before", "after"},
                                               {"values", grouped(a.count), grouped(b.count)},
                                               {"NaN", grouped(a.nan), grouped(b.nan)},
                                               {"infinite", grouped(a.infinite), grouped(b.infinite)},
                                               {"minimum", number(a.min), number(b.min)},
                                               {"maximum", number(a.max), number(b.max)},
                                               {"mean", number(a.mean), number(b.mean)},
                                               {"standard deviation", number(a.sd), number(b.sd)}};
    for (std::size_t p = 0; p < a.percentiles.size(); ++p) {
        rows.push_back({fmt::format("percentile {:g}", pipeline::kPercentiles[p]), number(a.percentiles[p]),
                        number(b.percentiles[p])});
    }
    std::string text = "values where the two grids overlap\n" + table(rows, 2, true);
    text += fmt::format("histogram distance {:.3g} % of the range, mean moved by {:.2g} % of the SD\n",
                        100.0 * c.histogram_distance, 100.0 * c.mean_shift_sd);
    text += c.findings.empty() ? "no more different than resampling makes them\n"
                               : "MORE DIFFERENT than resampling should make them\n";
    return text;
}

}  // namespace revoxel::cli
