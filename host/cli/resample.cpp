// revoxel resample
#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "cli/arguments.hpp"
#include "cli/command_line.hpp"
#include "cli/facts.hpp"
#include "cli/idle_options.hpp"
#include "cli/label_text.hpp"
#include "cli/progress.hpp"
#include "cli/report.hpp"
#include "cli/text.hpp"
#include "math/values.hpp"
#include "pipeline/field_of_view.hpp"
#include "pipeline/label_evidence.hpp"
#include "pipeline/label_value.hpp"
#include "pipeline/memory.hpp"
#include "pipeline/preview.hpp"
#include "revoxel/error.hpp"

namespace revoxel::cli {
namespace {

/// What can only be learnt while both volumes are in memory.
struct Inspection {
    std::optional<pipeline::Comparison> comparison;
    std::optional<pipeline::LabelReport> labels;
    bool picture_written = false;
};

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

/// The label that output voxels outside the input hold, where there are such voxels.
std::optional<std::int64_t> fill_label(const ResampleJob& job) {
    const bool extended = job.plan.options.outside == Outside::extend;
    if (extended || pipeline::CommonField(job.plan.output, job.plan.input).whole()) return std::nullopt;
    return dispatch(job.output.dtype, [&](auto zero) {
        return pipeline::label_of(math::convert<decltype(zero)>(job.plan.options.fill));
    });
}

/// How the picture shows the values before and after, which may be of two kinds.
pipeline::PreviewOptions preview_options(const ResampleJob& job, const Volume& input) {
    const LabelRequest& label = job.request.label;
    pipeline::PreviewOptions options;
    options.title = base_name(job.request.input) + " -> " + base_name(job.request.output) + "   " +
                    names_of(job.plan.options.kernel);
    options.labels_before = input.components() == 1 && !label.argmax &&
                            (label.labels || pipeline::looks_like_labels(pipeline::label_evidence(input)));
    options.labels_after = label.argmax || job.request.mask_threshold || (options.labels_before && !label.fraction);
    if (label.fraction && !job.request.mask_threshold) options.window_after = pipeline::Window{0.0, 1.0};
    if (label.labels) options.title += ", votes of labels";
    if (label.fraction) options.title += fmt::format(", share of label {}", number(*label.fraction));
    if (label.argmax) {
        options.title += label.softmax ? ", class of the largest probability" : ", class of the largest score";
    }
    if (job.request.mask_threshold) options.title += fmt::format(", 1 from {} on", number(*job.request.mask_threshold));
    return options;
}

void inspect(const ResampleArguments& arguments, const ResampleJob& job, const io::NiftiImage& input,
             const io::NiftiHeader& output_header, const Volume& output, Inspection& found) {
    const pipeline::ScaledVolume before{&input.volume, input.header.slope(), input.header.intercept()};
    const pipeline::ScaledVolume after{&output, output_header.slope(), output_header.intercept()};
    if (arguments.compare) found.comparison = pipeline::compare_values(job.plan, before, after);
    if (arguments.label_report) {
        const int threads = job.request.threads;
        found.labels = pipeline::label_report(pipeline::measure_labels(input.volume, threads),
                                              pipeline::measure_labels(output, threads), fill_label(job));
    }
    if (!arguments.preview) return;
    pipeline::PreviewOptions options = preview_options(job, input.volume);
    options.covered_lo = job.plan.covered.lo;
    options.covered_hi = job.plan.covered.hi;
    // Ahead of the volume: a picture that cannot be written is known before there is a result.
    pipeline::write_png(*arguments.preview, pipeline::draw_preview(before, after, options), arguments.force);
    found.picture_written = true;
}

void warn(const ResampleArguments& arguments, const std::vector<std::string>& warnings) {
    if (arguments.quiet) return;
    for (const std::string& warning : warnings) print_warning(warning);
}

std::vector<std::string> comparison_warnings(const Inspection& found) {
    std::vector<std::string> warnings;
    if (!found.comparison) return warnings;
    for (const std::string& finding : found.comparison->findings) warnings.push_back("compare: " + finding);
    return warnings;
}

/// Everything that can be said before a voxel is read.
void announce(const ResampleArguments& arguments, const ResampleJob& job) {
    if (!arguments.quiet && !arguments.json) {
        print(plan_report(job));
        if (arguments.explain) print("\n" + explanation(job));
        if (arguments.dry_run) print("\ndry run: no voxel was read and nothing was written\n");
    }
    if (arguments.dry_run && (arguments.preview || arguments.compare)) {
        warn(arguments, {"--preview and --compare need voxels, which --dry-run does not read; they are left out"});
    }
    warn(arguments, job.warnings);  // below the table, where they are seen
}

Json facts_before(const ResampleArguments& arguments, const ResampleJob& job) {
    Json facts = plan_facts(job);
    facts["dry_run"] = arguments.dry_run;
    if (arguments.explain) facts["plan"] = explanation(job);
    return facts;
}

void conclude(const ResampleArguments& arguments, const ResampleJob& job, const ResampleResult& result,
              const Inspection& found) {
    std::vector<std::string> late = result.warnings;
    for (const std::string& warning : comparison_warnings(found)) late.push_back(warning);
    warn(arguments, late);
    if (arguments.quiet) return;
    if (arguments.json) {
        Json facts = facts_before(arguments, job);
        facts["result"] = result_facts(job, result);
        if (found.comparison) facts["comparison"] = comparison_facts(*found.comparison);
        if (found.labels) facts["label_report"] = label_facts(*found.labels);
        facts["preview"] = arguments.preview ? Json(*arguments.preview) : Json();
        facts["warnings"] = job.warnings;
        for (const std::string& warning : late) facts["warnings"].push_back(warning);
        print(dump(facts));
        return;
    }
    print("\n" + result_report(job, result));
    if (arguments.preview) print("picture    " + printable(*arguments.preview) + "\n");
    if (found.labels) print("\n" + label_table(*found.labels));
    if (found.comparison) print("\n" + comparison_report(*found.comparison));
}

}  // namespace

int run_resample_command(const ResampleArguments& arguments) {
    const ResampleRequest request = request_from(arguments);
    ResampleJob job = plan_resample(request);
    for (const std::string& warning : idle_options(arguments, job)) job.warnings.push_back(warning);
    if (arguments.dry_run) {  // a run says so as its error
        const bool looked_at = arguments.compare || arguments.preview || arguments.label_report;
        const std::string shortage = pipeline::memory_shortage(job, pipeline::plan_memory(job, looked_at));
        if (!shortage.empty()) job.warnings.push_back(shortage);
    }
    if (arguments.preview) pipeline::check_picture_path(*arguments.preview, arguments.force);
    announce(arguments, job);
    if (arguments.dry_run) {
        if (arguments.json) {
            Json facts = facts_before(arguments, job);
            facts["warnings"] = job.warnings;
            print(dump(facts));
        }
        return 0;
    }
    Inspection found;
    ResampleResult result;
    {
        Progress progress(!arguments.quiet);
        ResampleObserver observer;
        observer.progress = [&](Phase phase, double share) { progress.update(phase, share); };
        const bool looked_at = arguments.compare || arguments.preview || arguments.label_report;
        if (looked_at)
            observer.inspect = [&](const io::NiftiImage& input, const io::NiftiHeader& header, const Volume& output) {
                inspect(arguments, job, input, header, output, found);
            };
        try {
            result = run_resample(job, observer);
        } catch (...) {
            if (found.picture_written) std::remove(arguments.preview->c_str());
            // The plan above names an output file.
            if (!arguments.quiet && !arguments.json) print("\nstopped: nothing was written\n");
            throw;
        }
    }
    conclude(arguments, job, result, found);
    return 0;
}

}  // namespace revoxel::cli
