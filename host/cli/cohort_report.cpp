#include "cli/cohort_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/text.hpp"

namespace revoxel::cli {
namespace {

using namespace pipeline;
using Rows = std::vector<std::vector<std::string>>;

constexpr std::size_t kWidth = 100, kLeastNameWidth = 20;
/// Rows of a table that are read and not skimmed.
constexpr std::size_t kMostRows = 40;
constexpr double kDegreesPerRadian = 57.29577951308232;

/// The folder that all paths begin with, with its slash; it is said once.
std::string common_folder(const CohortPlan& plan) {
    std::string common = plan.scans[0].scan.path;
    for (const PlannedScan& planned : plan.scans) {
        const std::string& path = planned.scan.path;
        const auto differ = std::mismatch(common.begin(), common.end(), path.begin(), path.end()).first;
        common.erase(differ, common.end());
    }
    return common.substr(0, common.rfind('/') + 1);  // npos + 1 is 0
}

/// The end of a name, which tells more than its beginning.
std::string shortened(const std::string& name, std::size_t width) {
    if (name.size() <= width) return name;
    std::size_t from = name.size() - width + 3;
    while (from < name.size() && (static_cast<unsigned char>(name[from]) & 0xc0U) == 0x80U) ++from;  // inside UTF-8
    return "..." + name.substr(from);
}

/// A table with file names in column 0, shortened to what the other columns leave.
std::string file_table(Rows rows) {
    std::vector<std::size_t> widths(rows[0].size(), 0);
    for (const auto& row : rows) {
        for (std::size_t c = 1; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
    }
    std::size_t taken = 2;
    for (std::size_t c = 1; c < widths.size(); ++c) taken += 2 + widths[c];
    const std::size_t left = std::max(kLeastNameWidth, kWidth - std::min(taken, kWidth));
    for (auto& row : rows) row[0] = shortened(row[0], left);
    return table(rows, 2, true);
}

class Report {
public:
    Report(const CohortPlan& plan, const std::vector<io::UnusablePath>& unusable, bool all)
        : plan_(plan), unusable_(unusable), all_(all), folder_(common_folder(plan)) {}

    /// Sections with an empty line between them.
    std::string text() const {
        std::string all = heading();
        for (const std::string& section :
             {files(), distributions(), oddities(), unreadable(), changes(), recommendation()}) {
            if (!section.empty()) all.append("\n").append(section);
        }
        return all;
    }

private:
    std::string name(std::size_t scan) const { return printable(plan_.scans[scan].scan.path.substr(folder_.size())); }
    bool few() const { return all_ || plan_.scans.size() <= kMostRows; }

    std::string heading() const {
        std::string text = fmt::format("{} {}", plan_.scans.size(), plan_.scans.size() == 1 ? "file" : "files");
        if (!unusable_.empty()) text += fmt::format(", {} more could not be read", unusable_.size());
        return text + (folder_.empty() ? "\n" : fmt::format("; names without {}\n", printable(folder_)));
    }

    std::string files() const;
    std::string distributions() const;
    std::string oddities() const;
    std::string unreadable() const;
    std::string changes() const;
    std::string recommendation() const;
    std::string effects() const;
    std::string costs() const;

    const CohortPlan& plan_;
    const std::vector<io::UnusablePath>& unusable_;
    bool all_;
    std::string folder_;
};

std::string extent_text(const PlannedScan& planned) {
    std::string text;
    const io::NiftiHeader& header = planned.scan.header;
    for (int d = 1; d <= planned.axes || d <= header.dim[0]; ++d) {
        text += fmt::format("{}{}", d > 1 ? "x" : "", header.dim[d]);
    }
    return text;
}

std::string of_axis(const PlannedScan& planned, int axis, const std::string& text) {
    return axis < planned.axes ? text : "-";
}

std::string Report::files() const {
    Rows rows{{"file", "i (mm)", "j (mm)", "k (mm)", "aniso", "voxels", "axes"}};
    for (std::size_t s = 0; s < plan_.scans.size(); ++s) {
        const PlannedScan& p = plan_.scans[s];
        if (!few() && (p.findings.empty() || rows.size() > kMostRows)) continue;
        rows.push_back({name(s)});
        for (int d = 0; d < 3; ++d) rows.back().push_back(of_axis(p, d, number(p.spacing_mm[d])));
        rows.back().push_back(fmt::format("{:.3g}", p.anisotropy));
        rows.back().push_back(extent_text(p));
        rows.back().push_back(orientation_code(p.scan.header.grid.affine));
    }
    if (few()) return file_table(rows);
    if (plan_.outliers == 0) return "the files are not shown one by one; --all does that\n";
    const std::string which = plan_.outliers > static_cast<std::int64_t>(kMostRows)
                                  ? fmt::format("the first {} of {} outliers", kMostRows, plan_.outliers)
                                  : std::string("the outliers");
    return fmt::format("only {} are shown; --all shows every file\n{}", which, file_table(rows));
}

std::vector<std::string> distribution_row(const std::string& what, const Distribution& values) {
    std::vector<std::string> row{what};
    for (const double value : values.percentiles) row.push_back(values.count == 0 ? "-" : number(value));
    return row;
}

std::string Report::distributions() const {
    if (plan_.scans.size() < 2) return "";
    Rows rows{{"percentile"}};
    for (const int p : kCohortPercentiles) {
        rows[0].push_back(p == 0 ? "min" : p == 50 ? "median" : p == 100 ? "max" : fmt::format("{} %", p));
    }
    const auto add = [&](const char* what, const std::array<Distribution, 3>& of) {
        for (std::size_t d = 0; d < 3; ++d)
            rows.push_back(distribution_row(fmt::format("{} {}", what, "ijk"[d]), of[d]));
    };
    add("spacing (mm)", plan_.spacing_mm);
    rows.push_back(distribution_row("anisotropy", plan_.anisotropy));
    add("voxels", plan_.extent);
    add("size (mm)", plan_.fov_mm);
    return table(rows, 2, true);
}

/// "spacing k 10 mm, cohort median 1.5 mm", "spacing i 0.4, j 0.4 mm, cohort medians 2, 2 mm"
std::string off_median_text(const char* what, const std::vector<Finding>& found) {
    std::string values, medians;
    for (const Finding& f : found) {
        const char* comma = values.empty() ? "" : ", ";
        values += fmt::format("{}{} {:.4g}", comma, "ijk"[f.axis], f.value);
        medians += fmt::format("{}{:.4g}", comma, f.usual);
    }
    return fmt::format("{} {} mm, cohort median{} {} mm", what, values, found.size() > 1 ? "s" : "", medians);
}

std::string finding_text(const Finding& f) {
    switch (f.oddity) {
        case Oddity::anisotropy: return fmt::format("anisotropy {:.3g}, cohort median {:.3g}", f.value, f.usual);
        case Oddity::volumes: return fmt::format("{} volumes, most files have {}", f.value, f.usual);
        case Oddity::two_dimensional: return "two-dimensional";
        case Oddity::single_voxel: return fmt::format("a single voxel along {}", "ijk"[f.axis]);
        case Oddity::no_transform: return "no sform, no qform: spacing from pixdim, orientation unknown";
        case Oddity::forms_disagree: return fmt::format("sform and qform disagree by {:.3g} voxels", f.value);
        default: break;
    }
    const double degrees = std::asin(std::min(1.0, f.value)) * kDegreesPerRadian;
    return fmt::format("sheared: axes {:.2g} degrees off the right angle", degrees);
}

std::string reasons_text(const std::vector<Finding>& findings) {
    std::vector<std::string> reasons;
    std::vector<Finding> spacings, sizes;
    for (const Finding& f : findings) {
        if (f.oddity == Oddity::spacing) spacings.push_back(f);
        if (f.oddity == Oddity::field_of_view) sizes.push_back(f);
    }
    if (!spacings.empty()) reasons.push_back(off_median_text("spacing", spacings));
    if (!sizes.empty()) reasons.push_back(off_median_text("field of view", sizes));
    for (const Finding& f : findings) {
        if (f.oddity != Oddity::spacing && f.oddity != Oddity::field_of_view) reasons.push_back(finding_text(f));
    }
    return fmt::format("{}", fmt::join(reasons, "; "));
}

const char* shared_text(Oddity oddity) {
    switch (oddity) {
        case Oddity::two_dimensional: return "two-dimensional";
        case Oddity::single_voxel: return "a single voxel along an axis";
        case Oddity::no_transform: return "no sform, no qform: spacing from pixdim, orientation unknown";
        case Oddity::forms_disagree: return "sform and qform disagree";
        default: return "sheared axes";
    }
}

std::string item(const std::string& head, const std::string& body) {
    std::string text = fmt::format("  {}\n", head);
    for (const std::string& line : wrapped(body, kWidth - 6)) text += fmt::format("      {}\n", line);
    return text;
}

std::string and_more(std::size_t all, std::size_t shown) {
    return all > shown ? fmt::format("  and {} more (--all, --json)\n", all - shown) : "";
}

std::string Report::oddities() const {
    std::string text;
    for (const auto& [oddity, count] : plan_.shared) {
        text += fmt::format("{} of {} files: {}\n", count, plan_.scans.size(), shared_text(oddity));
    }
    if (static_cast<std::int64_t>(plan_.scans.size()) < kFewestForStatistics) {
        text +=
            fmt::format("outliers: too few files to compare their geometry (fewer than {})\n", kFewestForStatistics);
    } else {
        text +=
            fmt::format("outliers: {} (off the median by more than {} MADs and a factor {}, or of another kind)\n",
                        plan_.outliers == 0 ? "none" : std::to_string(plan_.outliers), kOutlierMads, kOutlierFactor);
    }
    std::size_t shown = 0;
    for (std::size_t s = 0; s < plan_.scans.size(); ++s) {
        const std::vector<Finding>& findings = plan_.scans[s].findings;
        if (findings.empty() || (!all_ && shown == kMostRows)) continue;
        ++shown;
        text += item(shortened(name(s), kWidth - 2), reasons_text(findings));
    }
    return text + and_more(static_cast<std::size_t>(plan_.outliers), shown);
}

std::string Report::unreadable() const {
    if (unusable_.empty()) return "";
    const std::size_t shown = all_ ? unusable_.size() : std::min(unusable_.size(), kMostRows);
    std::string text = "could not be read\n";
    for (std::size_t u = 0; u < shown; ++u) {
        text += item(shortened(printable(unusable_[u].path), kWidth - 2), printable(unusable_[u].reason));
    }
    return text + and_more(unusable_.size(), shown);
}

std::string factor_text(double factor) {
    return factor < 9.995 ? fmt::format("{:.2f}", factor) : fmt::format("{:.3g}", factor);
}

std::string change_text(const PlannedScan& planned, int axis) {
    const double step = planned.step[axis];
    if (step == 1.0) return of_axis(planned, axis, "=");
    if (planned.downsampled(axis)) return fmt::format("/{}", factor_text(step));
    return fmt::format("x{}{}", factor_text(1.0 / step), planned.much_upsampled(axis) ? "!" : "");
}

/// "7 s", "12 min", "3.4 h"
std::string duration(double s) {
    if (s < 1.0) return fmt::format("{:.2f} s", s);
    if (s < 99.5) return fmt::format("{:.0f} s", s);
    if (s < 99.5 * 60.0) return fmt::format("{:.0f} min", s / 60.0);
    return fmt::format("{:.{}f} h", s / 3600.0, s < 10.0 * 3600.0 ? 1 : 0);
}

std::string Report::changes() const {
    if (!few()) return "";
    Rows rows{{fmt::format("at {:.6g} mm", plan_.recommended.spacing_mm), "i", "j", "k", "voxels", "output",
               "peak memory", "time"}};
    for (std::size_t s = 0; s < plan_.scans.size(); ++s) {
        const PlannedScan& p = plan_.scans[s];
        rows.push_back({name(s), change_text(p, 0), change_text(p, 1), change_text(p, 2), grouped(p.voxels),
                        bytes(p.output_bytes), bytes(p.peak_bytes), duration(p.seconds)});
    }
    return file_table(rows) +
           "  = kept   x1.3 up-sampled   x2.5! more than 2x   /1.3 down-sampled, low-passed (labels: voted)\n";
}

std::string Report::effects() const {
    Rows rows{{"", "files", "axis i", "axis j", "axis k", "at most"}};
    const auto add = [&](const char* what, const AxisChange& change) {
        rows.push_back({what, fmt::format("{} of {}", change.scans, plan_.scans.size())});
        for (const std::int64_t count : change.axes) rows.back().push_back(std::to_string(count));
        rows.back().push_back(change.scans == 0 ? "-" : factor_text(change.largest) + "x");
    };
    add("down-sampled (low-passed; labels: voted)", plan_.downsampled);
    add("up-sampled more than 2x", plan_.much_upsampled);
    return table(rows, 2, true);
}

std::string Report::costs() const {
    const PlannedScan& peak = plan_.scans[plan_.largest_peak];
    return table(
        {{"output",
          fmt::format("{} in all, not compressed ({} now)", bytes(plan_.output_bytes), bytes(plan_.input_bytes))},
         {"memory",
          fmt::format("{} at most, for {}", bytes(peak.peak_bytes), shortened(name(plan_.largest_peak), kWidth - 40))},
         {"time",
          fmt::format("about {}{}", duration(plan_.seconds), plan_.scans.size() > 1 ? ", one file after another" : "")},
         {"", fmt::format("estimate, from {:.0f} Mvoxel/s, {:.0f} MB/s gunzip and {:.0f} MB/s gzip: two cores, "
                          "linear, .nii.gz",
                          kVoxelsPerSecond / 1e6, kGunzipBytesPerSecond / 1e6, kGzipBytesPerSecond / 1e6)}},
        2);
}

std::string Report::recommendation() const {
    const Recommendation& r = plan_.recommended;
    const auto of_file = [this](std::size_t scan) { return shortened(name(scan), kWidth - 60); };
    Rows rows{{"why", "the finest spacing that every file can afford, never finer than the finest input"}};
    rows.push_back({"decided by", r.budget_binds ? fmt::format("the budget, for {}", of_file(r.decided_by))
                                                 : std::string("the finest input axis")});
    rows.push_back({"largest output",
                    fmt::format("{} voxels of {} (--budget), {}", grouped(plan_.scans[plan_.largest_output].voxels),
                                grouped(plan_.budget), of_file(plan_.largest_output))});
    rows.push_back({"finest input", fmt::format("{:.6g} mm, axis {} of {}", r.finest_mm, "ijk"[r.finest_axis],
                                                of_file(r.finest_scan))});
    if (plan_.scans.size() > 1) {
        const auto median = [&](std::size_t d) {
            return plan_.spacing_mm[d].count == 0 ? "-" : number(plan_.spacing_mm[d].median());
        };
        rows.push_back(
            {"median input", fmt::format("{} x {} x {} mm per axis, for comparison", median(0), median(1), median(2))});
    }
    if (plan_.without_outliers) {
        rows.push_back({"without outliers", fmt::format("{:.6g} mm", plan_.without_outliers->spacing_mm)});
    }
    return fmt::format("recommended: {:.6g} mm isotropic\n  {}\n{}\n{}\n{}", r.spacing_mm, command_text(r),
                       table(rows, 2), effects(), costs());
}

}  // namespace

std::string command_text(const Recommendation& recommended) {
    return fmt::format("revoxel resample IN OUT --spacing {:.6g}", recommended.spacing_mm);
}

std::string cohort_report(const CohortPlan& plan, const std::vector<io::UnusablePath>& unusable, bool all) {
    return Report(plan, unusable, all).text();
}

}  // namespace revoxel::cli
