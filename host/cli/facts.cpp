#include "cli/facts.hpp"

#include <numeric>

#include "cli/report.hpp"
#include "pipeline/memory.hpp"
#include "revoxel/version.hpp"

namespace revoxel::cli {
namespace {

Json rows_of(const Affine& affine) {
    Json rows = Json::array();
    for (const auto& row : affine.m) rows.push_back(row);
    rows.push_back({0.0, 0.0, 0.0, 1.0});
    return rows;
}

Json box_of(const Box3& box) {
    return {{"lo", box.lo}, {"hi", box.hi}};
}

Json range_of(const ValueRange& range) {
    return {{"min", range.min}, {"max", range.max}};
}

Json statistics_of(const pipeline::Statistics& s) {
    Json percentiles = Json::object();
    for (std::size_t p = 0; p < s.percentiles.size(); ++p) {
        percentiles[std::to_string(static_cast<int>(pipeline::kPercentiles[p]))] = s.percentiles[p];
    }
    return {{"count", s.count}, {"nan", s.nan}, {"infinite", s.infinite},    {"min", s.min}, {"max", s.max},
            {"mean", s.mean},   {"sd", s.sd},   {"percentiles", percentiles}};
}

/// What `automatic` became on an axis: none where it is not down-sampled; labels have votes instead of a low-pass.
std::string applied_antialias(const Plan& plan, int a) {
    if (!plan.axes[a].antialiased) return name_of(Antialias::none);
    if (plan.options.labels) return "votes";
    const int input_axis = plan.separable ? plan.axes[a].input_axis : a;
    const Antialias asked = plan.options.antialias[input_axis];
    if (asked != Antialias::automatic) return name_of(asked);
    return name_of(plan.options.kernel[input_axis] == Kernel::area ? Antialias::area : Antialias::stretch);
}

Json axes_of(const Plan& plan) {
    Json axes = Json::array();
    for (int a = 0; a < 3; ++a) {
        const AxisSummary& axis = plan.axes[a];
        const double step = axis.step < 0.0 ? -axis.step : axis.step;
        axes.push_back({{"axis", std::string(1, "ijk"[a])},
                        {"input_axis", std::string(1, "ijk"[axis.input_axis])},
                        {"step", axis.step},
                        {"offset", axis.offset},
                        {"factor", 1.0 / step},
                        {"copied", axis.copied},
                        {"antialiased", axis.antialiased && !plan.options.labels},
                        {"antialias", applied_antialias(plan, a)},
                        {"flipped", axis.step < 0.0},
                        {"change", axis_text(plan, a)}});
    }
    return axes;
}

Json optional_fact(const std::optional<double>& value) {
    return value ? Json(*value) : Json();
}

Json resolution_fact(const ResampleJob& job) {
    if (!job.resolution) return {};
    const EffectiveResolution& r = *job.resolution;
    const ResolutionRequest& asked = job.request.resolution;
    return {{"source_fwhm_mm", asked.source_fwhm_mm ? Json(*asked.source_fwhm_mm) : Json()},
            {"target_fwhm_mm", asked.target_fwhm_mm ? Json(*asked.target_fwhm_mm) : Json()},
            {"slice_thickness_mm", optional_fact(asked.slice_thickness_mm)},
            {"effective_fwhm_before_mm", r.before_mm},
            {"effective_fwhm_after_mm", r.after_mm},
            {"kernel_fwhm_mm", r.kernel_fwhm_mm},
            {"slice_axis", r.slice_axis ? Json(*r.slice_axis) : Json()}};
}

/// The label of each volume of scores.
Json channel_labels(const ResampleJob& job) {
    if (!job.request.label.argmax) return {};
    std::vector<std::int64_t> table = job.request.label.table;
    if (table.empty()) {
        table.resize(static_cast<std::size_t>(job.input.frames()));
        std::iota(table.begin(), table.end(), 0);
    }
    return table;
}

Json kept_facts(const std::vector<KeptLabel>& kept) {
    Json labels = Json::array();
    for (const KeptLabel& label : kept) {
        labels.push_back(
            {{"label", label.value}, {"volume", label.frame}, {"index", label.index}, {"fraction", label.fraction}});
    }
    return labels;
}

}  // namespace

Json header_facts(const io::NiftiHeader& h, const std::string& path) {
    const Vec3 mm = spacing(h.grid);
    return {{"path", path},
            {"format", name_of(h.format)},
            {"pair", h.pair},
            {"big_endian", h.big_endian},
            {"extent", h.grid.extent},
            {"volumes", h.frames()},
            {"components", h.components},
            {"dtype", name_of(h.dtype)},
            {"datatype_code", h.datatype},
            {"spacing_mm", mm},
            {"spacing_um", {mm[0] * 1000.0, mm[1] * 1000.0, mm[2] * 1000.0}},
            {"size_mm", fov(h.grid)},
            {"orientation", orientation_code(h.grid.affine)},
            {"obliquity_degrees", obliquity_degrees(h.grid.affine)},
            {"shear", shear(h.grid.affine)},
            {"affine", rows_of(h.grid.affine)},
            {"transform", name_of(h.source)},
            {"sform_code", h.sform_code},
            {"qform_code", h.qform_code},
            {"sform", h.sform_code > 0 ? rows_of(h.sform) : Json()},
            {"qform", h.qform_code > 0 ? rows_of(h.qform) : Json()},
            {"form_disagreement_mm", h.form_disagreement_mm},
            {"form_disagreement_voxels", h.form_disagreement_voxels},
            {"scl_slope", h.slope()},
            {"scl_inter", h.intercept()},
            {"scaled", h.scaled()},
            {"dim", h.dim},
            {"pixdim", h.pixdim},
            {"xyzt_units", h.xyzt_units},
            {"intent_code", h.intent_code},
            {"intent_name", h.intent_name},
            {"description", h.descrip},
            {"extensions", h.extensions.size()},
            {"bytes", pipeline::volume_bytes(h)}};
}

Json plan_facts(const ResampleJob& job) {
    const Plan& plan = job.plan;
    const double before = static_cast<double>(pipeline::volume_bytes(job.input));
    const double after = static_cast<double>(pipeline::volume_bytes(job.output));
    Json fill =
        job.request.fill_minimum ? Json("min") : Json(job.output.slope() * plan.options.fill + job.output.intercept());
    return {{"revoxel", version()},
            {"input", header_facts(job.input, job.request.input)},
            {"output", header_facts(job.output, job.request.output)},
            {"reference", job.reference ? header_facts(*job.reference, *job.request.grid.like) : Json()},
            {"memory_ratio", after / before},
            {"axes", axes_of(plan)},
            {"route", plan.separable ? "separable" : "gather"},
            {"kernel", names_of(plan.options.kernel)},
            {"kernel_shape",
             {{"radius", plan.options.shape.radius},
              {"normalised", plan.options.shape.normalised},
              {"sigma", plan.options.shape.sigma},
              {"cut", plan.options.shape.alpha}}},
            {"labels", job.request.label.labels},
            {"label_fraction", optional_fact(job.request.label.fraction)},
            {"argmax", job.request.label.argmax},
            {"softmax", job.request.label.softmax},
            {"channel_labels", channel_labels(job)},
            {"keep_labels", job.request.label.keep},
            {"mask_threshold", optional_fact(plan.options.threshold)},
            {"antialias", names_of(plan.options.antialias)},
            {"boundary", name_of(plan.options.boundary)},
            {"outside", name_of(plan.options.outside)},
            {"clip", name_of(plan.options.clip)},
            {"integers", name_of(plan.options.rounding)},
            {"nan_fill", optional_fact(job.request.nan_fill)},
            {"nan_aware", plan.options.nan_aware},
            {"preset", job.request.preset ? Json(*job.request.preset) : Json()},
            {"resolution", resolution_fact(job)},
            {"fill", fill},
            {"compute", name_of(plan.compute)},
            {"grid_policy", job.policy ? Json(name_of(*job.policy)) : Json()},
            {"count_rule", job.rule ? Json(name_of(*job.rule)) : Json()},
            {"covered", box_of(plan.covered)},
            {"scaling_applied", job.scaling_applied}};
}

Json result_facts(const ResampleJob& job, const ResampleResult& r) {
    const Throughput speed = resample_throughput(job, r);
    return {{"backend", r.backend},
            {"backend_reason", r.backend_reason.empty() ? Json() : Json(r.backend_reason)},
            {"workspace_bytes", r.workspace_bytes},
            {"peak_bytes", peak_bytes()},
            {"slab_slices", r.slab > 0 ? Json(r.slab) : Json()},
            {"kept_labels", kept_facts(r.kept_labels)},
            {"seconds",
             {{"read", r.read_s},
              {"plan", r.prepare_s},
              {"resample", r.resample_s},
              {"check", r.check_s},
              {"write", r.write_s},
              {"total", total_seconds(r)}}},
            {"mvoxels_per_second", speed.mvoxels_per_s},
            {"mbytes_per_second", speed.mbytes_per_s},
            {"values_before", range_of(r.input_range)},
            {"values_after", range_of(r.output_range)},
            {"file_bytes", r.output_file_bytes}};
}

Json comparison_facts(const pipeline::Comparison& c) {
    return {{"before", statistics_of(c.input)},
            {"after", statistics_of(c.output)},
            {"histogram",
             {{"lo", c.input_histogram.lo},
              {"hi", c.input_histogram.hi},
              {"before", c.input_histogram.bins},
              {"after", c.output_histogram.bins}}},
            {"histogram_distance", c.histogram_distance},
            {"mean_shift_sd", c.mean_shift_sd},
            {"more_different_than_expected", !c.findings.empty()},
            {"findings", c.findings}};
}

Json difference_facts(const pipeline::Difference& d, const std::string& a, const std::string& b, double tolerance) {
    Json values;
    if (d.same_shape) {
        values = {{"compared", d.compared}, {"different", d.different}, {"unmatched", d.unmatched},
                  {"max", d.max},           {"mean", d.mean},           {"rms", d.rms},
                  {"max_at", d.max_at}};
    }
    return {{"revoxel", version()},
            {"a", header_facts(d.a, a)},
            {"b", header_facts(d.b, b)},
            {"same_shape", d.same_shape},
            {"grid_distance_mm", d.grid_distance_mm},
            {"grid_distance_voxels", d.grid_distance_voxels},
            {"values", values},
            {"tolerance", tolerance},
            {"within_tolerance", d.within(tolerance)}};
}

std::string dump(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace revoxel::cli
