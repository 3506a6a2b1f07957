// plan_resample(): everything that can be decided before a voxel is read.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "io/nifti_path.hpp"
#include "pipeline/field_of_view.hpp"
#include "pipeline/grid_request.hpp"
#include "pipeline/plan_options.hpp"
#include "pipeline/presets.hpp"
#include "pipeline/resolution.hpp"
#include "pipeline/warnings.hpp"
#include "revoxel/error.hpp"
#include "revoxel/resample.hpp"
#include "revoxel/version.hpp"

namespace revoxel {
namespace {

using namespace pipeline;

/// The files behind a path that is read: a pair has two.
std::vector<std::string> files_read(const std::string& path) {
    std::vector<std::string> files{path};
    if (const auto name = io::parse_nifti_name(path); name && name->part == io::NiftiPart::single) return files;
    if (const auto companion = io::find_companion(path)) files.push_back(*companion);
    return files;
}

std::vector<std::string> files_written(const std::string& path) {
    const auto name = io::parse_nifti_name(path);
    if (!name || name->part == io::NiftiPart::single) return {path};
    return {name->with_part(io::NiftiPart::header, name->gz), name->with_part(io::NiftiPart::image, name->gz)};
}

/// The same file by whatever name: links of either kind, other spellings of the path.
bool same_file(const std::string& a, const std::string& b) {
    struct stat sa {
    }, sb{};
    return ::stat(a.c_str(), &sa) == 0 && ::stat(b.c_str(), &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

void refuse_to_replace(const std::string& output, const std::string& read, const char* what) {
    for (const std::string& target : files_written(output)) {
        for (const std::string& source : files_read(read)) {
            if (!same_file(target, source)) continue;
            throw Error(ErrorCode::usage, fmt::format("{}: the output is the same file as the {}, {}; choose another "
                                                      "name: revoxel never changes what it reads",
                                                      target, what, source));
        }
    }
}

void check_overlap(const ResampleJob& job) {
    if (job.plan.covered.empty() || CommonField(job.plan.output, job.plan.input).count() == 0) {
        throw Error(ErrorCode::input,
                    fmt::format("{}: the reference {} does not overlap the input anywhere, the result would be all "
                                "fill; check that the two scans share one world (revoxel info shows their transforms)",
                                job.request.input, *job.request.grid.like));
    }
}

bool any_antialiased(const Plan& plan) {
    return plan.axes[0].antialiased || plan.axes[1].antialiased || plan.axes[2].antialiased;
}

/// The descrip field: what was done to the values.
std::string description(const ResampleJob& job) {
    const PlanOptions& options = job.plan.options;
    std::string text = fmt::format("revoxel {} {}", version(), names_of(options.kernel));
    if (any_antialiased(job.plan) && !options.labels) {
        const bool usual = options.antialias == PerAxis<Antialias>(Antialias::automatic);
        text += usual ? " antialias" : " antialias " + names_of(options.antialias);
    }
    if (job.request.preset) text += " preset " + *job.request.preset;
    if (options.blur != Vec3{0, 0, 0}) text += " blurred";
    if (options.labels) text += any_antialiased(job.plan) ? " labels voted over the voxel" : " labels";
    if (job.request.label.fraction) text += fmt::format(" fraction of {:g}", *job.request.label.fraction);
    if (job.request.label.argmax) text += " argmax";
    return text;
}

/// The header of one volume where the input has several: the classes have become one label map.
io::NiftiHeader one_volume(io::NiftiHeader header) {
    for (std::size_t d = 4; d < header.dim.size(); ++d) {
        header.dim[d] = 1;
        header.pixdim[d] = 0.0;
    }
    header.dim[0] = std::min<std::int64_t>(header.dim[0], 3);
    header.toffset = 0.0;
    return header;
}

}  // namespace

ResampleJob plan_resample(const ResampleRequest& original) {
    check_request(original);  // a contradiction is told before any file is opened
    ResampleJob job;
    io::NiftiReadOptions read;
    read.prefer_qform = original.prefer_qform;
    job.input = io::read_nifti_header(original.input, read);
    job.request = with_preset(original, job.input);
    const ResampleRequest& request = job.request;
    ChosenGrid chosen = choose_grid(request.grid, job.input, request.prefer_qform);
    job.policy = chosen.policy;
    job.rule = chosen.rule;
    job.reference = std::move(chosen.reference);
    if (!request.output.empty()) {
        refuse_to_replace(request.output, request.input, "input");
        if (request.grid.like) refuse_to_replace(request.output, *request.grid.like, "reference");
        io::check_output_path(request.output, request.overwrite);
    }

    const DType dtype = choose_dtype(request, job.input);
    check_request(request, job.input, dtype);
    const bool keep_scaling = keeps_scaling(request, job.input, dtype);
    const ResolutionPlan resolution = plan_resolution(request.resolution, job.input);
    job.plan = make_plan(job.input.grid, chosen.grid, plan_options(request, resolution, job.input, dtype));
    job.scaling_applied = !keep_scaling && job.input.scaled() && !request.label.fraction && !request.label.argmax;
    if (request.resolution.source_fwhm_mm || request.resolution.slice_thickness_mm) {
        job.resolution = effective_resolution(request.resolution, resolution, job.plan);
    }
    if (job.reference) check_overlap(job);
    job.output = io::resampled_header(request.label.argmax ? one_volume(job.input) : job.input, chosen.grid, dtype,
                                      keep_scaling, description(job));

    job.warnings = job.input.warnings;
    const auto add = [&job](const std::vector<std::string>& more) {
        job.warnings.insert(job.warnings.end(), more.begin(), more.end());
    };
    add(chosen.warnings);
    add(job.output.warnings);
    add(resolution_warnings(request.resolution, resolution, job.plan));
    add(plan_warnings(job));
    return job;
}

}  // namespace revoxel
