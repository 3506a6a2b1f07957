// plan_resample(): everything that can be decided before a voxel is read.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cmath>

#include "io/nifti_path.hpp"
#include "pipeline/checks.hpp"
#include "pipeline/field_of_view.hpp"
#include "pipeline/grid_request.hpp"
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

Kernel choose_kernel(const ResampleRequest& request) {
    const Kernel kernel = request.kernel.value_or(request.labels ? Kernel::nearest : Kernel::linear);
    if (request.labels && kernel != Kernel::nearest) {
        throw Error(ErrorCode::usage,
                    fmt::format("labels cannot be interpolated with kernel {}: it would invent labels between labels; "
                                "leave the kernel out or choose nearest",
                                name_of(kernel)));
    }
    return kernel;
}

DType choose_dtype(const ResampleRequest& request, const io::NiftiHeader& input) {
    const DType dtype = request.dtype.value_or(input.dtype);
    const bool colour = input.components >= 3, complex = input.components == 2;
    if ((colour && dtype != DType::uint8) || (complex && is_integer(dtype))) {
        throw Error(ErrorCode::usage,
                    fmt::format("dtype {} is not possible for {} voxels; expected {}", name_of(dtype),
                                colour ? "colour" : "complex", colour ? "uint8" : "float32 or float64"));
    }
    return dtype;
}

void check_overlap(const ResampleJob& job) {
    if (job.plan.covered.empty() || CommonField(job.plan.output, job.plan.input).count() == 0) {
        throw Error(ErrorCode::input,
                    fmt::format("{}: the reference {} does not overlap the input anywhere, the result would be all "
                                "fill; check that the two scans share one world (revoxel info shows their transforms)",
                                job.request.input, *job.request.grid.like));
    }
}

PlanOptions plan_options(const ResampleRequest& request, const io::NiftiHeader& input, DType dtype, bool keep_scaling) {
    PlanOptions options;
    options.kernel = choose_kernel(request);
    options.antialias = request.antialias;
    options.input_dtype = input.dtype;
    options.output_dtype = dtype;
    const double fill = request.fill.value_or(0.0);
    if (keep_scaling) {
        options.fill = stored_fill(fill, dtype, input.slope(), input.intercept()).stored;
    } else {
        options.fill = fill;
        options.output_slope = input.slope();
        options.output_intercept = input.intercept();
    }
    return options;
}

bool any_antialiased(const Plan& plan) {
    return plan.axes[0].antialiased || plan.axes[1].antialiased || plan.axes[2].antialiased;
}

}  // namespace

ResampleJob plan_resample(const ResampleRequest& request) {
    if (request.fill && request.fill_minimum) {
        throw Error(ErrorCode::usage, "a fill value and fill by the minimum were both asked for; give one of the two");
    }
    choose_kernel(request);  // a contradiction is told before any file is opened
    ResampleJob job;
    job.request = request;
    io::NiftiReadOptions read;
    read.prefer_qform = request.prefer_qform;
    job.input = io::read_nifti_header(request.input, read);
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
    const bool keep_scaling = dtype == job.input.dtype || (is_integer(dtype) && is_integer(job.input.dtype));
    job.scaling_applied = !keep_scaling && job.input.scaled();
    job.plan = make_plan(job.input.grid, chosen.grid, plan_options(request, job.input, dtype, keep_scaling));
    if (job.reference) check_overlap(job);
    const std::string descrip = fmt::format("revoxel {} {}{}", version(), names_of(job.plan.options.kernel),
                                            any_antialiased(job.plan) ? " antialias" : "");
    job.output = io::resampled_header(job.input, chosen.grid, dtype, keep_scaling, descrip);

    job.warnings = job.input.warnings;
    job.warnings.insert(job.warnings.end(), chosen.warnings.begin(), chosen.warnings.end());
    job.warnings.insert(job.warnings.end(), job.output.warnings.begin(), job.output.warnings.end());
    for (std::string& warning : plan_warnings(job)) job.warnings.push_back(std::move(warning));
    return job;
}

}  // namespace revoxel
