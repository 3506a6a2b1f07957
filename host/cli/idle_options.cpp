#include "cli/idle_options.hpp"

#include <fmt/format.h>

#include "revoxel/error.hpp"

namespace revoxel::cli {
namespace {

bool takes_radius(Kernel kernel) {
    return kernel >= Kernel::sinc_lanczos && kernel <= Kernel::sinc_blackman;
}

[[noreturn]] void refuse(const char* option, const char* kernels, const PlanOptions& o) {
    throw Error(ErrorCode::usage, fmt::format("{} is for {} and means nothing to kernel {}; leave one of the two out",
                                              option, kernels, names_of(o.kernel)));
}

void check_shape(const ResampleArguments& a, const PlanOptions& o) {
    const bool radius = takes_radius(o.kernel[0]) || takes_radius(o.kernel[1]) || takes_radius(o.kernel[2]);
    if (a.radius && !radius) refuse("--radius", "the kernels sinc-*", o);
    if (o.kernel.any(Kernel::gaussian)) return;
    if (a.sigma) refuse("--sigma", "kernel gaussian", o);
    if (a.cut) refuse("--cut", "kernel gaussian", o);
}

/// Where no GPU computes, what is said about GPUs changes nothing; nor does `fast` where no texture unit interpolates.
template <typename Add>
void add_idle_gpu_options(const ResampleArguments& a, const ResampleJob& job, const Add& add) {
    const Backend backend = job.request.backend;
    const bool cpu = backend == Backend::cpu || backend == Backend::reference;
    const std::string no_gpu = fmt::format("--backend {} uses no GPU", name_of(backend));
    if (cpu && a.device) add("--device", no_gpu);
    if (cpu && a.devices) add("--devices", no_gpu);
    if (cpu && a.gpu_memory) add("--gpu-memory", no_gpu);
    if (job.request.precision != Precision::fast) return;
    const PlanOptions& o = job.plan.options;
    const bool linear = o.kernel.any(Kernel::linear) && o.kernel.uniform() && !o.labels;
    if (cpu) {
        add("--precision fast", no_gpu);
    } else if (job.plan.separable) {
        add("--precision fast", "the grids are not oblique to each other");
    } else if (!linear) {
        add("--precision fast", o.labels ? "votes are exact" : "the kernel is not linear");
    }
}

}  // namespace

std::vector<std::string> idle_options(const ResampleArguments& a, const ResampleJob& job) {
    const PlanOptions& o = job.plan.options;
    check_shape(a, o);
    std::vector<std::string> warnings;
    const auto add = [&](const char* option, const std::string& why) {
        warnings.push_back(fmt::format("{} changes nothing: {}", option, why));
    };
    add_idle_gpu_options(a, job, add);
    const std::string no_nan = fmt::format("{} holds no NaN and no infinity", name_of(job.input.dtype));
    if (a.nan_fill && is_integer(job.input.dtype)) add("--nan-fill", no_nan);
    if (a.nan_aware && is_integer(job.input.dtype)) add("--nan-aware", no_nan);
    if (a.nan_aware && !is_integer(job.input.dtype) && job.request.label.fraction) {
        add("--nan-aware", "the share of a label is always a number");
    }
    if (a.clip && o.clip != Clip::none && job.plan.is_copy()) add("--clip", "values are copied, none is computed");
    if (a.boundary && o.outside == Outside::fill && job.plan.is_copy()) {
        add("--boundary", "every value is a copy of a voxel's or the fill (--outside fill)");
    }
    if (a.compression && a.output.back() != 'z' && a.output.back() != 'Z') {
        add("--compression", "the name of the output does not end with .gz");
    }
    if (a.integers && !is_integer(job.output.dtype)) {
        add("--integers", fmt::format("the output is {}", name_of(job.output.dtype)));
    }
    if (a.fill && o.outside == Outside::extend && o.boundary != Boundary::constant) {
        add("--fill", fmt::format("the input is continued by boundary {} (--outside extend)", name_of(o.boundary)));
    }
    return warnings;
}

}  // namespace revoxel::cli
