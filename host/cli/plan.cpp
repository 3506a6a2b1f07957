// revoxel plan
#include <fmt/format.h>

#include "cli/arguments.hpp"
#include "cli/cohort_report.hpp"
#include "cli/command_line.hpp"
#include "cli/facts.hpp"
#include "cli/progress.hpp"
#include "cli/text.hpp"
#include "io/nifti_search.hpp"
#include "pipeline/cohort.hpp"
#include "revoxel/error.hpp"
#include "revoxel/version.hpp"

namespace revoxel::cli {
namespace {

using namespace pipeline;

/// An error without the path that it begins with.
std::string reason_of(const Error& error, const std::string& path) {
    const std::string what = error.what(), lead = printable(path) + ": ";
    return what.starts_with(lead) ? what.substr(lead.size()) : what;
}

std::vector<CohortScan> read_headers(const std::vector<std::string>& files, std::vector<io::UnusablePath>& unusable) {
    std::vector<CohortScan> scans;
    Progress progress(true);
    for (std::size_t f = 0; f < files.size(); ++f) {
        progress.update(Phase::read, static_cast<double>(f) / static_cast<double>(files.size()));
        try {
            scans.push_back({files[f], io::read_nifti_header(files[f])});
            scans.back().header.extensions = {};  // may be large, and there may be thousands
        } catch (const Error& error) {
            unusable.push_back({files[f], reason_of(error, files[f])});
        }
    }
    return scans;
}

[[noreturn]] void fail_with_nothing(const std::vector<io::UnusablePath>& unusable) {
    const io::UnusablePath& first = unusable.front();
    const std::string one = fmt::format("{}: {}", first.path, first.reason);
    if (unusable.size() == 1) throw Error(ErrorCode::input, one);
    throw Error(ErrorCode::input, fmt::format("none of {} files can be read; the first: {}", unusable.size(), one));
}

Json recommendation_facts(const CohortPlan& plan, const Recommendation& r) {
    return {{"spacing_mm", r.spacing_mm},
            {"exact_mm", r.exact_mm},
            {"decided_by", r.budget_binds ? "budget" : "finest"},
            {"decided_by_file", plan.scans[r.decided_by].scan.path},
            {"finest_mm", r.finest_mm},
            {"finest_file", plan.scans[r.finest_scan].scan.path},
            {"finest_axis", std::string(1, "ijk"[r.finest_axis])},
            {"command", command_text(r)}};
}

Json distribution_facts(const std::array<Distribution, 3>& axes) {
    return {{"i", axes[0].percentiles}, {"j", axes[1].percentiles}, {"k", axes[2].percentiles}};
}

Json change_facts(const AxisChange& change) {
    return {{"files", change.scans},
            {"i", change.axes[0]},
            {"j", change.axes[1]},
            {"k", change.axes[2]},
            {"largest_factor", change.largest}};
}

Json finding_facts(const Finding& finding) {
    Json facts{{"what", name_of(finding.oddity)}};
    if (finding.axis >= 0) facts["axis"] = std::string(1, "ijk"[finding.axis]);
    if (finding.value != 0.0) facts["value"] = finding.value;
    if (finding.usual != 0.0) facts["usual"] = finding.usual;
    return facts;
}

Json scan_facts(const PlannedScan& p) {
    const io::NiftiHeader& h = p.scan.header;
    Json downsampled = Json::array(), much_upsampled = Json::array(), outlier = Json::array();
    for (int d = 0; d < 3; ++d) {
        if (p.downsampled(d)) downsampled.push_back(std::string(1, "ijk"[d]));
        if (p.much_upsampled(d)) much_upsampled.push_back(std::string(1, "ijk"[d]));
    }
    for (const Finding& finding : p.findings) outlier.push_back(finding_facts(finding));
    return {{"path", p.scan.path},
            {"extent", h.grid.extent},
            {"axes", p.axes},
            {"volumes", h.frames()},
            {"components", h.components},
            {"dtype", name_of(h.dtype)},
            {"spacing_mm", p.spacing_mm},
            {"size_mm", p.fov_mm},
            {"anisotropy", p.anisotropy},
            {"orientation", orientation_code(h.grid.affine)},
            {"transform", name_of(h.source)},
            {"input_bytes", p.input_bytes},
            {"output_extent", p.extent},
            {"output_voxels", p.voxels},
            {"output_bytes", p.output_bytes},
            {"step", p.step},
            {"downsampled", downsampled},
            {"upsampled_more_than_2x", much_upsampled},
            {"peak_memory_bytes", p.peak_bytes},
            {"seconds", p.seconds},
            {"outlier", outlier},
            {"warnings", h.warnings}};
}

Json cohort_facts(const CohortPlan& plan, const std::vector<io::UnusablePath>& unusable) {
    Json scans = Json::array(), bad = Json::array(), shared = Json::object();
    for (const PlannedScan& planned : plan.scans) scans.push_back(scan_facts(planned));
    for (const io::UnusablePath& u : unusable) bad.push_back({{"path", u.path}, {"reason", u.reason}});
    for (const auto& [oddity, count] : plan.shared) shared[name_of(oddity)] = count;
    const auto median = [&](std::size_t d) { return plan.spacing_mm[d].median(); };
    return {
        {"revoxel", version()},
        {"files", plan.scans.size()},
        {"budget_voxels", plan.budget},
        {"recommended", recommendation_facts(plan, plan.recommended)},
        {"without_outliers", plan.without_outliers ? recommendation_facts(plan, *plan.without_outliers) : Json()},
        {"median_spacing_mm", {median(0), median(1), median(2)}},
        {"percentiles", kCohortPercentiles},
        {"spacing_mm", distribution_facts(plan.spacing_mm)},
        {"anisotropy", plan.anisotropy.percentiles},
        {"extent", distribution_facts(plan.extent)},
        {"size_mm", distribution_facts(plan.fov_mm)},
        {"downsampled", change_facts(plan.downsampled)},
        {"upsampled_more_than_2x", change_facts(plan.much_upsampled)},
        {"input_bytes", plan.input_bytes},
        {"output_bytes", plan.output_bytes},
        {"peak_memory_bytes", plan.scans[plan.largest_peak].peak_bytes},
        {"peak_memory_file", plan.scans[plan.largest_peak].scan.path},
        {"seconds", plan.seconds},
        {"rates",
         {{"voxels_per_second", kVoxelsPerSecond},
          {"gunzip_bytes_per_second", kGunzipBytesPerSecond},
          {"read_bytes_per_second", kReadBytesPerSecond},
          {"gzip_bytes_per_second", kGzipBytesPerSecond}}},
        {"outlier_rule", {{"mads", kOutlierMads}, {"factor", kOutlierFactor}, {"fewest_files", kFewestForStatistics}}},
        {"outliers", plan.outliers},
        {"shared", shared},
        {"scans", scans},
        {"unreadable", bad}};
}

}  // namespace

int run_plan_command(const PlanArguments& arguments) {
    const std::int64_t budget = arguments.budget ? parse_budget("--budget", *arguments.budget) : kDefaultBudget;
    if (arguments.json && arguments.all) {
        throw Error(ErrorCode::usage, "--all does not go with --json, which holds every file; leave it out");
    }
    io::FoundFiles found = io::find_nifti_files(arguments.paths);
    std::vector<CohortScan> scans = read_headers(found.files, found.unusable);
    if (scans.empty()) fail_with_nothing(found.unusable);
    const CohortPlan plan = plan_cohort(std::move(scans), budget);
    print(arguments.json ? dump(cohort_facts(plan, found.unusable))
                         : cohort_report(plan, found.unusable, arguments.all));
    if (found.unusable.empty()) return 0;
    print_error(fmt::format("{} of {} files could not be read; the plan is of the other {}", found.unusable.size(),
                            found.unusable.size() + plan.scans.size(), plan.scans.size()));
    return static_cast<int>(ErrorCode::input);
}

}  // namespace revoxel::cli
