#include "pipeline/cohort.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "io/nifti_path.hpp"
#include "io/nifti_transform.hpp"
#include "pipeline/grid_request.hpp"
#include "pipeline/memory.hpp"
#include "revoxel/error.hpp"

namespace revoxel::pipeline {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

PlannedScan measured(CohortScan scan) {
    PlannedScan planned;
    planned.axes = is_flat(scan.header) ? 2 : 3;
    planned.spacing_mm = spacing(scan.header.grid);
    planned.fov_mm = fov(scan.header.grid);
    const auto [finest, coarsest] =
        std::minmax_element(planned.spacing_mm.begin(), planned.spacing_mm.begin() + planned.axes);
    planned.anisotropy = *coarsest / *finest;
    planned.input_bytes = volume_bytes(scan.header);
    planned.scan = std::move(scan);
    return planned;
}

/// NaN for an axis that does not count.
double measure(const PlannedScan& planned, Oddity what, int axis) {
    if (what == Oddity::anisotropy) return planned.anisotropy;
    if (axis >= planned.axes) return kNone;
    return what == Oddity::spacing ? planned.spacing_mm[axis] : planned.fov_mm[axis];
}

template <typename F>
Distribution distribution_over(const std::vector<PlannedScan>& scans, F value_of) {
    std::vector<double> values;
    for (const PlannedScan& planned : scans) values.push_back(value_of(planned));
    return distribution_of(std::move(values));
}

void find_statistical(std::vector<PlannedScan>& scans, Oddity what, int axis) {
    const auto value_of = [&](const PlannedScan& planned) { return measure(planned, what, axis); };
    const Distribution values = distribution_over(scans, value_of);
    if (values.count < kFewestForStatistics) return;
    const double median = values.median();
    const auto off = [&](const PlannedScan& planned) { return std::fabs(std::log(value_of(planned) / median)); };
    const double spread = distribution_over(scans, off).median();
    const double most = std::max(kOutlierMads * spread, std::log(kOutlierFactor));
    for (PlannedScan& planned : scans) {
        if (off(planned) > most) planned.findings.push_back({what, axis, value_of(planned), median});
    }
}

/// The number of volumes that more than half of the scans have; 0 when there is none.
std::int64_t usual_volumes(const std::vector<PlannedScan>& scans) {
    std::map<std::int64_t, std::size_t> counts;
    for (const PlannedScan& planned : scans) ++counts[planned.scan.header.frames()];
    for (const auto& [volumes, count] : counts) {
        if (2 * count > scans.size()) return volumes;
    }
    return 0;
}

/// What a header alone tells, whatever the others are like.
void find_own(PlannedScan& planned) {
    const io::NiftiHeader& header = planned.scan.header;
    std::vector<Finding>& found = planned.findings;
    if (planned.axes == 2) found.push_back({Oddity::two_dimensional});
    for (int d = 0; d < planned.axes; ++d) {
        if (header.grid.extent[d] == 1) found.push_back({Oddity::single_voxel, d, 1.0});
    }
    if (header.source == io::TransformSource::pixdim) found.push_back({Oddity::no_transform});
    if (header.form_disagreement_voxels > io::kSameFormVoxels) {
        found.push_back({Oddity::forms_disagree, -1, header.form_disagreement_voxels});
    }
    if (const double cosine = shear(header.grid.affine); cosine > io::kShearedCosine) {
        found.push_back({Oddity::shear, -1, cosine});
    }
}

void find_other_volumes(std::vector<PlannedScan>& scans) {
    const std::int64_t usual = usual_volumes(scans);
    for (PlannedScan& planned : scans) {
        const std::int64_t volumes = planned.scan.header.frames();
        if (usual == 0 || volumes == usual) continue;
        planned.findings.push_back({Oddity::volumes, -1, static_cast<double>(volumes), static_cast<double>(usual)});
    }
}

void set_apart_shared(CohortPlan& plan) {
    for (const Oddity oddity :
         {Oddity::two_dimensional, Oddity::single_voxel, Oddity::no_transform, Oddity::forms_disagree, Oddity::shear}) {
        const auto is_it = [oddity](const Finding& finding) { return finding.oddity == oddity; };
        const auto count = std::count_if(plan.scans.begin(), plan.scans.end(), [&](const PlannedScan& planned) {
            return std::any_of(planned.findings.begin(), planned.findings.end(), is_it);
        });
        if (2 * count <= static_cast<std::int64_t>(plan.scans.size())) continue;
        plan.shared.emplace_back(oddity, count);
        for (PlannedScan& planned : plan.scans) std::erase_if(planned.findings, is_it);
    }
}

void find_oddities(CohortPlan& plan) {
    for (int axis = 0; axis < 3; ++axis) find_statistical(plan.scans, Oddity::spacing, axis);
    find_statistical(plan.scans, Oddity::anisotropy, -1);
    for (int axis = 0; axis < 3; ++axis) find_statistical(plan.scans, Oddity::field_of_view, axis);
    find_other_volumes(plan.scans);
    for (PlannedScan& planned : plan.scans) find_own(planned);
    set_apart_shared(plan);
    plan.outliers = std::count_if(plan.scans.begin(), plan.scans.end(),
                                  [](const PlannedScan& planned) { return !planned.findings.empty(); });
}

/// x with so many significant digits: the nearest, or the next that is not below x.
double with_digits(double x, int digits, bool up) {
    const int places = digits - 1 - static_cast<int>(std::floor(std::log10(x)));
    const double scale = std::pow(10.0, std::abs(places));
    const auto decimal = [&](double units) { return places >= 0 ? units / scale : units * scale; };
    double units = places >= 0 ? x * scale : x / scale;
    units = up ? std::ceil(units) : std::nearbyint(units);
    while (up && decimal(units) < x) units += 1.0;
    return decimal(units);
}

bool affordable(const std::vector<PlannedScan>& scans, const std::vector<std::size_t>& chosen, std::int64_t budget,
                double mm) {
    return std::all_of(chosen.begin(), chosen.end(), [&](std::size_t s) {
        return affordable_spacing(scans[s].scan.header, budget, CountRule::ceil, mm) == mm;
    });
}

Recommendation recommend(const std::vector<PlannedScan>& scans, const std::vector<std::size_t>& chosen,
                         std::int64_t budget) {
    Recommendation result;
    result.finest_mm = std::numeric_limits<double>::infinity();
    for (const std::size_t s : chosen) {
        for (int d = 0; d < scans[s].axes; ++d) {
            if (scans[s].spacing_mm[d] >= result.finest_mm) continue;
            result.finest_mm = scans[s].spacing_mm[d];
            result.finest_scan = s;
            result.finest_axis = d;
        }
    }
    result.exact_mm = result.finest_mm;
    result.decided_by = result.finest_scan;
    for (const std::size_t s : chosen) {
        const double needed = affordable_spacing(scans[s].scan.header, budget, CountRule::ceil, result.exact_mm);
        if (needed <= result.exact_mm) continue;
        result.exact_mm = needed;
        result.budget_binds = true;
        result.decided_by = s;
    }
    if (result.budget_binds) {
        result.spacing_mm = with_digits(result.exact_mm, 3, true);
        return result;
    }
    // Six digits are what an axis of that spacing is recognised by; to round down may cost a voxel elsewhere.
    result.spacing_mm = with_digits(result.exact_mm, 6, false);
    if (!affordable(scans, chosen, budget, result.spacing_mm)) {
        result.spacing_mm = with_digits(result.exact_mm, 6, true);
    }
    return result;
}

void recommend_for(CohortPlan& plan) {
    std::vector<std::size_t> all, others;
    for (std::size_t s = 0; s < plan.scans.size(); ++s) {
        all.push_back(s);
        if (plan.scans[s].findings.empty()) others.push_back(s);
    }
    plan.recommended = recommend(plan.scans, all, plan.budget);
    if (others.empty() || others.size() == all.size()) return;
    const Recommendation without = recommend(plan.scans, others, plan.budget);
    if (without.spacing_mm != plan.recommended.spacing_mm) plan.without_outliers = without;
}

double estimated_seconds(const PlannedScan& planned) {
    const io::NiftiHeader& header = planned.scan.header;
    const auto name = io::parse_nifti_name(planned.scan.path);
    const double decode = name && name->gz ? kGunzipBytesPerSecond : kReadBytesPerSecond;
    const double in = static_cast<double>(planned.input_bytes), out = static_cast<double>(planned.output_bytes);
    return in / decode + (in + out) / static_cast<double>(size_of(header.dtype)) / kVoxelsPerSecond +
           out / kGzipBytesPerSecond;
}

void resample(PlannedScan& planned, double mm) {
    ResampleJob job;
    job.request.grid.spacing_mm = Vec3{mm, mm, mm};
    job.input = planned.scan.header;
    job.output = planned.scan.header;
    io::NiftiHeader& output = job.output;
    output.grid = choose_grid(job.request.grid, job.input, false).grid;
    const Vec3 after = spacing(output.grid);
    planned.extent = output.grid.extent;
    for (int d = 0; d < 3; ++d) planned.step[d] = after[d] / planned.spacing_mm[d];
    planned.voxels = voxel_count(output.grid);
    planned.output_bytes = volume_bytes(output);
    PlanOptions options;
    options.input_dtype = options.output_dtype = output.dtype;
    job.plan = make_plan(job.input.grid, output.grid, options);
    planned.peak_bytes = plan_memory(job, false).bytes;
    planned.seconds = estimated_seconds(planned);
}

void count_change(const std::array<bool, 3>& changed, const Vec3& factor, AxisChange& change) {
    bool any = false;
    for (int d = 0; d < 3; ++d) {
        if (!changed[d]) continue;
        any = true;
        ++change.axes[d];
        change.largest = std::max(change.largest, factor[d]);
    }
    change.scans += any ? 1 : 0;
}

void add_up(CohortPlan& plan) {
    for (std::size_t s = 0; s < plan.scans.size(); ++s) {
        const PlannedScan& p = plan.scans[s];
        count_change({p.downsampled(0), p.downsampled(1), p.downsampled(2)}, p.step, plan.downsampled);
        count_change({p.much_upsampled(0), p.much_upsampled(1), p.much_upsampled(2)},
                     {1.0 / p.step[0], 1.0 / p.step[1], 1.0 / p.step[2]}, plan.much_upsampled);
        plan.input_bytes += p.input_bytes;
        plan.output_bytes += p.output_bytes;
        plan.seconds += p.seconds;
        if (p.voxels > plan.scans[plan.largest_output].voxels) plan.largest_output = s;
        if (p.peak_bytes > plan.scans[plan.largest_peak].peak_bytes) plan.largest_peak = s;
    }
}

void describe(CohortPlan& plan) {
    for (int d = 0; d < 3; ++d) {
        const auto of_axis = [d](auto value_of) {
            return [d, value_of](const PlannedScan& p) { return d < p.axes ? value_of(p) : kNone; };
        };
        plan.spacing_mm[d] =
            distribution_over(plan.scans, of_axis([d](const PlannedScan& p) { return p.spacing_mm[d]; }));
        plan.fov_mm[d] = distribution_over(plan.scans, of_axis([d](const PlannedScan& p) { return p.fov_mm[d]; }));
        plan.extent[d] = distribution_over(plan.scans, of_axis([d](const PlannedScan& p) {
                                               return static_cast<double>(p.scan.header.grid.extent[d]);
                                           }));
    }
    plan.anisotropy = distribution_over(plan.scans, [](const PlannedScan& p) { return p.anisotropy; });
}

}  // namespace

const char* name_of(Oddity oddity) noexcept {
    switch (oddity) {
        case Oddity::spacing: return "spacing";
        case Oddity::anisotropy: return "anisotropy";
        case Oddity::field_of_view: return "field_of_view";
        case Oddity::volumes: return "volumes";
        case Oddity::two_dimensional: return "two_dimensional";
        case Oddity::single_voxel: return "single_voxel";
        case Oddity::no_transform: return "no_transform";
        case Oddity::forms_disagree: return "forms_disagree";
        case Oddity::shear: break;
    }
    return "shear";
}

Distribution distribution_of(std::vector<double> values) {
    values.erase(std::remove_if(values.begin(), values.end(), [](double v) { return std::isnan(v); }), values.end());
    std::sort(values.begin(), values.end());
    Distribution result;
    result.count = static_cast<std::int64_t>(values.size());
    result.percentiles.fill(kNone);
    for (std::size_t p = 0; !values.empty() && p < kCohortPercentiles.size(); ++p) {
        const double rank = kCohortPercentiles[p] / 100.0 * static_cast<double>(values.size() - 1) + 0.5;
        result.percentiles[p] = values[static_cast<std::size_t>(rank)];
    }
    return result;
}

CohortPlan plan_cohort(std::vector<CohortScan> scans, std::int64_t budget) {
    if (scans.empty()) throw Error(ErrorCode::usage, "a cohort of no scans cannot be planned for; give at least one");
    CohortPlan plan;
    plan.budget = budget;
    plan.scans.reserve(scans.size());
    for (CohortScan& scan : scans) plan.scans.push_back(measured(std::move(scan)));
    describe(plan);
    find_oddities(plan);
    recommend_for(plan);
    for (PlannedScan& planned : plan.scans) resample(planned, plan.recommended.spacing_mm);
    add_up(plan);
    return plan;
}

}  // namespace revoxel::pipeline
