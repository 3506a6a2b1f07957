// run_resample(): read, resample each field by one executor, write.
#include "revoxel/resample.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "executors/thread_pool.hpp"
#include "io/nifti_path.hpp"
#include "pipeline/argmax.hpp"
#include "pipeline/keep_labels.hpp"
#include "pipeline/label_fraction.hpp"
#include "pipeline/memory.hpp"
#include "pipeline/rows.hpp"
#include "pipeline/stopwatch.hpp"
#include "pipeline/stored_fill.hpp"
#include "pipeline/streaming.hpp"
#include "pipeline/warnings.hpp"
#include "revoxel/error.hpp"

namespace revoxel {
namespace {

using namespace pipeline;

std::function<void(double)> progress_of(const ResampleObserver& observer, Phase phase) {
    if (!observer.progress) return {};
    return [&observer, phase](double share) { observer.progress(phase, share); };
}

std::int64_t file_bytes(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

std::int64_t output_bytes(const std::string& path) {
    std::int64_t bytes = file_bytes(path);
    const auto name = io::parse_nifti_name(path);
    if (!name || name->part == io::NiftiPart::single) return bytes;
    const auto other = name->part == io::NiftiPart::header ? io::NiftiPart::image : io::NiftiPart::header;
    return bytes + file_bytes(name->with_part(other, name->gz));
}

/// The plan to run: the fill by the minimum is known only now.
Plan final_plan(const ResampleJob& job, const ValueRange& input_range) {
    Plan plan = job.plan;
    if (job.request.fill_minimum) {
        const double smallest = std::isnan(input_range.min) ? 0.0 : input_range.min;
        plan.options.fill = stored_fill(smallest, job.output.dtype, job.output.slope(), job.output.intercept()).stored;
        // A constant boundary holds the fill, too.
        plan.options.boundary_value = (smallest - job.input.intercept()) / job.input.slope();
        for (Stage& stage : plan.stages) {
            if (auto* pass = std::get_if<AxisPass>(&stage)) pass->taps.outside_value = plan.options.boundary_value;
        }
    }
    return plan;
}

/// Stored scores as the scaled ones that they stand for.
void scale_in_place(Volume& scores, double slope, double intercept) {
    if (slope == 1.0 && intercept == 0.0) return;
    dispatch(scores.dtype(), [&](auto zero) {
        using T = decltype(zero);
        if constexpr (!std::numeric_limits<T>::is_integer) {
            T* values = reinterpret_cast<T*>(scores.data());
            const std::int64_t count = scores.size_bytes() / static_cast<std::int64_t>(sizeof(T));
            std::transform(values, values + count, values,
                           [&](T v) { return static_cast<T>(std::fma(static_cast<double>(v), slope, intercept)); });
        }
    });
}

/// All volumes at once: the class of the largest score.
void run_argmax(const Plan& plan, const ResampleJob& job, const ResampleObserver& observer, Volume& scores,
                Volume& output, ResampleResult& result) {
    Stopwatch watch;
    if (job.request.label.softmax) {
        scale_in_place(scores, job.input.slope(), job.input.intercept());
        softmax_in_place(scores, job.request.threads);
    }
    result.prepare_s = watch.lap();
    ExecutorOptions options = executor_options(job, result);
    options.progress = progress_of(observer, Phase::resample);
    const BackendSelection selection = select_backend(job, result);
    const auto run_on = [&](Backend backend) {
        return argmax_channels(plan, backend, options, scores, job.request.label.table, output);
    };
    const ArgmaxRun run = selection.run_or_fall_back(run_on, options);
    result.backend = run.backend;
    result.workspace_bytes = run.scratch_bytes;
    result.resample_s = watch.lap();
}

/// Labels that would vanish get a voxel back; those that cannot are named.
void keep_vanishing(const Plan& plan, const ResampleJob& job, const Volume& input, Volume& output,
                    ResampleResult& result) {
    KeptLabels kept = keep_labels(plan, input, output, job.request.threads);
    result.kept_labels = std::move(kept.kept);
    for (const LostLabel& label : kept.lost) {
        result.warnings.push_back(
            fmt::format("label {} vanished: no voxel of the output was to be had for it", label.value));
    }
}

/// One plan and one executor for all volumes and components.
void run_all(const Plan& plan, const ResampleJob& job, const ResampleObserver& observer, const Volume& input,
             Volume& output, ResampleResult& result) {
    Stopwatch watch;
    const std::int64_t fields = input.frames() * input.components();
    std::int64_t field = 0;
    ExecutorOptions options = executor_options(job, result);
    if (observer.progress) {
        options.progress = [&observer, &field, fields](double share) {
            observer.progress(Phase::resample, (static_cast<double>(field) + share) / static_cast<double>(fields));
        };
    }
    if (observer.progress) observer.progress(Phase::prepare, 0.0);
    const std::unique_ptr<Executor> executor = select_backend(job, result).make(plan, options);
    result.workspace_bytes = executor->workspace_bytes();
    result.prepare_s = watch.lap();
    for (; field < fields; ++field) {
        const std::int64_t frame = field / input.components();
        const int component = static_cast<int>(field % input.components());
        executor->run(input.view(frame, component), output.view(frame, component));
    }
    result.backend = executor->name();
    result.resample_s = watch.lap();
}

}  // namespace

ResampleResult run_resample(const ResampleJob& job, const ResampleObserver& observer) {
    if (job.request.output.empty()) throw Error(ErrorCode::usage, "no output file was named; give a path to write to");
    const MemoryPlan memory = plan_memory(job, static_cast<bool>(observer.inspect));
    if (const std::string shortage = memory_shortage(job, memory); !shortage.empty()) {
        throw Error(ErrorCode::unavailable, shortage);
    }
    ResampleResult result;
    if (memory.whole.empty()) {
        run_streamed(job, memory, observer, result);
        result.output_file_bytes = output_bytes(job.request.output);
        return result;
    }
    Stopwatch watch;
    io::NiftiReadOptions read;
    read.prefer_qform = job.request.prefer_qform;
    read.progress = progress_of(observer, Phase::read);
    io::NiftiImage image = io::read_nifti(job.request.input, read);
    check_unchanged(job, image.header);
    result.read_s = watch.lap();

    if (job.request.nan_fill) {
        const std::int64_t scalar = static_cast<std::int64_t>(size_of(image.volume.dtype()));
        replace_nan(image.volume.dtype(), image.volume.data(), image.volume.size_bytes() / scalar,
                    (*job.request.nan_fill - image.header.intercept()) / image.header.slope());
    }
    const InputFacts facts = facts_of(job, image.volume);
    check_labels_fit(job, facts.stored);
    result.input_range = scaled_range(facts.stored, image.header.slope(), image.header.intercept());
    result.warnings = value_warnings(job, facts);
    if (job.request.fill_minimum && std::isnan(result.input_range.min)) {
        result.warnings.push_back("the input has no finite value to take the fill from; 0 is used");
    }
    const Plan plan = final_plan(job, result.input_range);
    result.check_s = watch.lap();

    const LabelRequest& label = job.request.label;
    Volume output(job.plan.output, job.output.dtype, job.output.frames(), image.volume.components());
    if (label.argmax) {
        run_argmax(plan, job, observer, image.volume, output, result);
    } else if (label.fraction) {
        const Volume share = indicator({&image.volume, image.header.slope(), image.header.intercept()}, *label.fraction,
                                       job.request.threads);
        if (stored_range(share, job.request.threads).max == 0.0) {
            result.warnings.push_back(
                fmt::format("no voxel holds label {:g}; its share is 0 everywhere", *label.fraction));
        }
        run_all(plan, job, observer, share, output, result);
    } else {
        run_all(plan, job, observer, image.volume, output, result);
    }
    if (label.keep) keep_vanishing(plan, job, image.volume, output, result);
    watch.lap();

    result.output_range = scaled_range({&output, job.output.slope(), job.output.intercept()}, job.request.threads);
    result.check_s += watch.lap();
    if (observer.inspect) observer.inspect(image, job.output, output);
    image.volume = Volume();  // its memory is worth more to the compressor
    watch.lap();

    io::NiftiWriteOptions write;
    write.overwrite = job.request.overwrite;
    write.compression = job.request.compression;
    write.threads = job.request.threads > 0 ? job.request.threads : available_threads();
    write.progress = progress_of(observer, Phase::write);
    io::write_nifti(job.request.output, job.output, output, write);
    result.write_s = watch.lap();
    result.output_file_bytes = output_bytes(job.request.output);
    return result;
}

}  // namespace revoxel
