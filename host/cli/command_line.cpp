#include "cli/command_line.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace revoxel::cli {
namespace {

/// `type` is a unit or a kind of word in capitals, or the choices themselves: "bash|zsh|fish".
template <typename T>
CLI::Option* option(CLI::App& app, const char* group, const char* names, T& target, const char* type,
                    const char* description, const char* default_text = "") {
    return app.add_option(names, target, description)->group(group)->type_name(type)->default_str(default_text);
}

CLI::Option* flag(CLI::App& app, const char* group, const char* names, bool& target, const char* description) {
    return app.add_flag(names, target, description)->group(group)->default_str("off");
}

constexpr const char* kPrefer = "sform|qform";
constexpr const char* kPreferText = "which transform of the files to use where both are set";

void add_grid_options(CLI::App& app, ResampleArguments& a) {
    const char* ways = "Output grid, exactly one way";
    option(app, ways, "--spacing,--xyz-spacing", a.spacing, "MM",
           "voxel spacing in mm: one number for all axes, or three (1 1 3 or 1,1,3); 0 keeps an axis");
    option(app, ways, "--x-spacing", a.x_spacing, "MM", "spacing in mm of the first axis; axes not named keep theirs");
    option(app, ways, "--y-spacing", a.y_spacing, "MM", "spacing in mm of the second axis");
    option(app, ways, "--z-spacing", a.z_spacing, "MM", "spacing in mm of the third axis");
    option(app, ways, "--size", a.size, "VOXELS",
           "voxel counts of the three axes (256 256 128); the field of view is kept; 0 keeps an axis");
    option(app, ways, "--iso", a.iso, "min|max|geomean|MM",
           "the same spacing along all axes: the finest, the coarsest or the geometric mean of the input's, or mm");
    option(app, ways, "--budget", a.budget, "VOXELS",
           "the finest isotropic spacing with at most so many voxels (also 50M, 0.5G), never finer than the input's "
           "finest");
    option(app, ways, "--like", a.like, "FILE", "the grid of another NIfTI file, however it lies");

    const char* details = "How the grid follows";
    option(
        app, details, "--grid-policy", a.grid_policy, "centre|edges|first|ends|half|fsl",
        "what stays in place: the centre, the outer edges, the first voxel, the first and last voxels, index n/2 as in "
        "FreeSurfer, or FSL's first voxel",
        "centre; edges with --size");
    option(app, details, "--round", a.round, "ceil|floor|round|even|down|span",
           "how a voxel count that is no whole number is rounded; round is half up, even half to even, down half down, "
           "span "
           "counts from first to last centre",
           "ceil");
    option(app, details, "--prefer", a.prefer, kPrefer, kPreferText, "sform");
}

void add_value_options(CLI::App& app, ResampleArguments& a) {
    const char* group = "Values";
    option(
        app, group, "--preset", a.preset,
        "ibsi|simpleitk|scipy|skimage|torch|torchio|monai|nnunet|mrtrix|freesurfer|fsl|afni|ants",
        "the conventions of another program: grid policy, count, kernel, boundary, antialias, rounding; options given "
        "beside it override");
    option(
        app, group, "--interp", a.interp,
        "nearest|linear|quadratic|cubic|area|gaussian|lanczos2|lanczos3|lanczos4|sinc-lanczos|sinc-hamming|sinc-cosine|"
        "sinc-welch|sinc-blackman|bspline2|bspline3|bspline4|bspline5|label-gaussian",
        "kernel, or three for the input's axes (bspline3,bspline3,nearest); quadratic is bspline2, cubic is Keys "
        "(Catmull-Rom), label-gaussian, for label maps, is a Gaussian of 1 voxel cut there",
        "linear; bspline3 with --target-fwhm");
    option(app, group, "--order", a.order, "0|1|2|3",
           "kernel by order: nearest, linear, bspline2, bspline3; instead of --interp");
    option(app, group, "--radius", a.radius, "2..8", "half width of the kernels sinc-* in input voxels", "5");
    flag(app, group, "--unnormalised", a.unnormalised,
         "weights of the kernels sinc-* are not divided by their sum, as ITK leaves them");
    option(app, group, "--sigma", a.sigma, "VOXELS", "standard deviation of kernel gaussian in input voxels", "0.8");
    option(app, group, "--cut", a.cut, "SIGMAS", "reach of kernel gaussian in sigmas", "4");
    option(
        app, group, "--boundary", a.boundary, "edge|mirror|reflect|wrap|constant|renormalise",
        "what lies beyond the faces, where the kernel reaches there: edge aaa|abcd|ddd, mirror dcb|abcd|cba, reflect "
        "cba|abcd|dcb, wrap bcd|abcd|abc, constant the fill, renormalise nothing",
        "edge");
    option(app, group, "--outside", a.outside, "fill|extend",
           "voxels whose centres lie outside the input: the fill, or the input continued by the boundary", "fill");
    option(
        app, group, "--antialias", a.antialias,
        "auto|none|stretch|pillow|gaussian|aperture|area|skimage|mirp|supersample",
        "low-pass against aliasing on the axes that are down-sampled, or three for the input's axes; auto is stretch; "
        "of label maps only auto, a vote over the output voxel, and none",
        "auto; none with --target-fwhm");
    option(app, group, "--clip", a.clip, "none|local|global",
           "keep values in the range of their neighbours, or of the input", "none");
    option(app, group, "--integers", a.integers, "even|away|truncate",
           "how values become integers: nearest with ties to even or away from zero, or cut", "even");
    option(app, group, "--nan-fill", a.nan_fill, "VALUE",
           "value for NaN of the input (not for infinities), in its scaled units",
           "NaN spreads as far as the kernel reaches");
    flag(app, group, "--nan-aware", a.nan_aware,
         "leave out what is not finite (NaN and infinities) and renormalise the weights of the rest");
    option(app, group, "--fill", a.fill, "VALUE|min",
           "value outside the input, in its scaled units (HU, say; of a label map a label), or the input's smallest",
           "0");
    option(app, group, "--dtype", a.dtype, "int8|uint8|int16|uint16|int32|uint32|int64|uint64|float32|float64",
           "type of the stored voxels; floating types hold scaled values", "the input's");
}

void add_resolution_options(CLI::App& app, ResampleArguments& a) {
    const char* group = "Resolution";
    option(app, group, "--source-fwhm", a.source_fwhm, "MM",
           "what the scan resolves (full width at half maximum): one number, or three for the input's axes");
    option(app, group, "--target-fwhm", a.target_fwhm, "MM",
           "what the result is to resolve: it is blurred by sqrt(target^2 - source^2), on the input's grid if none is "
           "asked for");
    option(app, group, "--slice-thickness", a.slice_thickness, "MM",
           "what a voxel is the mean of along the slice axis (the header's, else that of a single slice, else the "
           "coarsest); low-passes then allow for gaps and overlap",
           "the spacing");
}

void add_label_options(CLI::App& app, ResampleArguments& a) {
    const char* group = "Labels";
    flag(app, group, "--labels", a.labels,
         "the input is a label map: each output voxel takes the label with the largest weight, ties to the smallest");
    flag(app, group, "--keep-labels", a.keep_labels,
         "a label that would vanish keeps the voxel where its share is largest");
    flag(app, group, "--label-report", a.label_report,
         "volume, components (26 neighbours) and Euler number (components - tunnels + cavities) of each label but 0, "
         "before and after");
    option(app, group, "--label-fraction", a.label_fraction, "LABEL",
           "write the share of this label in each voxel, 0 to 1, as float32");
    option(
        app, group, "--mask-threshold", a.mask_threshold, "VALUE",
        "write 1 where the result (also a --label-fraction), rounded to 6 decimals, is at least this, else 0; uint8");
    flag(app, group, "--argmax", a.argmax,
         "the volumes are scores of classes: write the class with the largest resampled score");
    flag(app, group, "--softmax", a.softmax, "scores become probabilities before they are resampled; for argmax");
    option(app, group, "--channel-labels", a.channel_labels, "LABELS", "the label of each volume (0,5,7); for argmax",
           "0, 1, 2, ...");
}

void add_run_options(CLI::App& app, ResampleArguments& a) {
    const char* group = "Running";
    option(app, group, "--backend", a.backend, "auto|reference|cpu|cuda", "what computes; the result is the same",
           "auto: the GPU where there is one and it pays, else the CPU");
    option(app, group, "--device", a.device, "NUMBER", "the GPU to use, by its number", "0");
    option(app, group, "--devices", a.devices, "NUMBERS",
           "several GPUs that share the work (0,1); the result is the same", "one alone");
    option(app, group, "--gpu-memory", a.gpu_memory, "BYTES",
           "the most memory to take on each GPU, e.g. 500M or 8G; the result is the same, but precision fast becomes "
           "exact "
           "where it does not fit",
           "most of what is free");
    option(
        app, group, "--precision", a.precision, "exact|fast",
        "of kernel linear on oblique grids on a GPU: exact is the result of all backends, fast uses the texture units, "
        "whose weights have 8 bits",
        "exact");
    option(app, group, "--threads", a.threads, "COUNT", "threads; 0 is one per core; the result is the same", "0");
    option(app, group, "--memory", a.memory, "BYTES",
           "the most memory to take, e.g. 300M or 2G; the result is the same", "as much as pays, usually 50M to 200M");
    option(app, group, "--compression", a.compression, "fast|0|1|2|3|4|5|6|7|8|9",
           "effort for .gz output: 0 (stored) to 9 (smallest); fast is the fastest near the size of zlib's 6", "fast");
    flag(app, group, "--force", a.force, "replace files that exist (never the input)");

    const char* reports = "Reports";
    flag(app, reports, "--dry-run", a.dry_run,
         "plan and report; read no voxels and write nothing; OUTPUT may be left out");
    flag(app, reports, "--explain", a.explain, "print the plan: stages, taps, boxes, bytes");
    flag(app, reports, "--compare", a.compare,
         "compare the values of input and output, and say when they differ more than resampling should make them");
    option(app, reports, "--preview", a.preview, "FILE.png",
           "a picture of the middle axial, coronal and sagittal slices before and after", "none");
    flag(app, reports, "--json", a.json, "the report as one JSON object on standard output");
    flag(app, reports, "--quiet", a.quiet, "print nothing but errors");
}

void add_resample(CommandLine& line) {
    CLI::App& app = *line.app.add_subcommand("resample", "Resample a NIfTI file on to another grid.");
    ResampleArguments& a = line.resample_arguments;
    app.add_option("INPUT", a.input, "NIfTI file: .nii, .hdr or .img, each also with .gz")
        ->required()
        ->type_name("FILE");
    app.add_option("OUTPUT", a.output, "file to write; its ending decides the form")->type_name("FILE");
    add_grid_options(app, a);
    add_value_options(app, a);
    add_resolution_options(app, a);
    add_label_options(app, a);
    add_run_options(app, a);
    line.resample = &app;
}

void add_plan(CommandLine& line) {
    CLI::App& plan = *line.app.add_subcommand("plan", "Recommend a spacing for a cohort, and say what it would mean.");
    PlanArguments& a = line.plan_arguments;
    plan.add_option("FILES-or-FOLDER", a.paths,
                    "NIfTI files, and folders that are searched for them with their subfolders; only headers are read")
        ->required()
        ->type_name("FILE");
    option(plan, "Options", "--budget", a.budget, "VOXELS", "the most voxels of a resampled volume (also 50M, 0.5G)",
           "50M");
    flag(plan, "Options", "--all", a.all, "every file in the tables, however many there are");
    flag(plan, "Options", "--json", a.json, "one JSON object on standard output, with every file");
    line.plan = &plan;
}

void add_others(CommandLine& line) {
    CLI::App& info = *line.app.add_subcommand("info", "Show headers and geometry; a table for several files.");
    info.add_option("FILES", line.info_arguments.files, "NIfTI files")->required()->type_name("FILE");
    option(info, "Options", "--prefer", line.info_arguments.prefer, kPrefer, kPreferText, "sform");
    flag(info, "Options", "--json", line.info_arguments.json, "one JSON array on standard output");
    line.info = &info;

    CLI::App& compare = *line.app.add_subcommand("compare", "Compare two files voxel by voxel on the same grid.");
    CompareArguments& c = line.compare_arguments;
    compare.add_option("A", c.a, "NIfTI file")->required()->type_name("FILE");
    compare.add_option("B", c.b, "NIfTI file")->required()->type_name("FILE");
    option(compare, "Options", "--tolerance", c.tolerance, "VALUE",
           "largest difference, in scaled units, that still counts as equal", "0");
    flag(compare, "Options", "--json", c.json, "one JSON object on standard output");
    flag(compare, "Options", "--quiet", c.quiet, "print nothing; the exit code tells");
    line.compare = &compare;

    CLI::App& completion = *line.app.add_subcommand("completion", "Print the completion script of a shell.");
    completion.add_option("SHELL", line.shell, "the shell")->required()->type_name("bash|zsh|fish");
    line.completion = &completion;
    line.man = line.app.add_subcommand("man", "Print the manual page (groff).");
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
        }
    }
    return row.back();
}

/// The name nearest to a misspelt one; empty when none is near.
std::string nearest_of(const std::string& word, const std::vector<std::string>& names) {
    std::string best;
    std::size_t least = 1 + word.size() / 3;
    for (const std::string& name : names) {
        const std::size_t distance = edit_distance(word, name);
        if (distance > least || (distance == least && !best.empty())) continue;
        best = name;
        least = distance;
    }
    return best;
}

std::string extras_text(const CommandLine& line, const CLI::App& command) {
    std::vector<std::string> extras = command.remaining();
    const bool literal = !extras.empty() && extras.front() == "--";  // nothing after it is an option
    if (literal) extras.erase(extras.begin());
    const std::string word = extras.empty() ? "" : extras.front();
    const bool is_option = !literal && word.size() > 1 && word[0] == '-';
    std::vector<std::string> names;
    if (is_option) {
        for (const CLI::Option* o : options_of(command)) {
            for (const std::string& name : o->get_lnames()) names.push_back("--" + name);
        }
    } else if (&command == &line.app) {
        for (const CLI::App* c : commands_of(command)) names.push_back(c->get_name());
    }
    const std::string nearest = nearest_of(word.substr(0, word.find('=')), names);
    const std::string hint = nearest.empty() ? "" : fmt::format(", did you mean {}?", nearest);
    if (is_option) return fmt::format("there is no option '{}'{}", word, hint);
    if (&command == &line.app) return fmt::format("there is no command '{}'{}", word, hint);
    return fmt::format("'{}' is one word too many", word);
}

/// CLI11 names the option first: "--fill: 1 required VALUE missing".
std::string mismatch_text(const CLI::App& command, const std::string& what) {
    const std::string name = what.substr(0, what.find(':'));
    const CLI::Option* option = command.get_option_no_throw(name);
    if (option == nullptr) return what;
    if (option->count() > 1) return fmt::format("{} is given {} times; give it once", name, option->count());
    if (!takes_value(*option)) return fmt::format("{} takes no value", name);
    return fmt::format("{} needs a value ({})", name, option->get_type_name());
}

std::string without_final_dot(std::string text) {
    while (!text.empty() && (text.back() == '.' || text.back() == '\n')) text.pop_back();
    return text;
}

}  // namespace

std::unique_ptr<CommandLine> make_command_line() {
    auto line = std::make_unique<CommandLine>();
    CLI::App& app = line->app;
    app.formatter_fn([](const CLI::App* of, std::string, CLI::AppFormatMode) { return help_text(*of); });
    app.set_help_flag("-h,--help", "this text, then nothing else");
    app.add_flag("--version", line->version, "version, compiler, CUDA, CPU features");
    app.require_subcommand(0, 1);
    add_resample(*line);
    add_plan(*line);
    add_others(*line);
    return line;
}

std::string explain_parse_error(const CommandLine& line, const CLI::ParseError& error) {
    const std::vector<CLI::App*> chosen = line.app.get_subcommands();
    const CLI::App& command = chosen.empty() ? line.app : *chosen.front();
    const std::string where = chosen.empty() ? "revoxel --help" : fmt::format("revoxel {} --help", command.get_name());
    const bool extras = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
    const bool of_command = extras && !command.remaining().empty();
    std::string what = without_final_dot(error.what());
    if (extras) what = extras_text(line, of_command ? command : line.app);
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) what = mismatch_text(command, what);
    return fmt::format("{}; see {}", what, where);
}

bool takes_value(const CLI::Option& option) {
    return option.get_items_expected_max() > 0;
}

bool takes_file(const CLI::Option& option) {
    return option.get_type_name().rfind("FILE", 0) == 0;
}

std::vector<std::string> choices_of(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    std::vector<std::string> choices;
    if (type.find('|') == std::string::npos) return choices;
    for (std::size_t at = 0; at <= type.size();) {
        const std::size_t end = std::min(type.find('|', at), type.size());
        const std::string choice = type.substr(at, end - at);
        const bool placeholder = !choice.empty() && choice[0] >= 'A' && choice[0] <= 'Z';
        if (!placeholder) choices.push_back(choice);
        at = end + 1;
    }
    return choices;
}

std::string names_of(const CLI::Option& option) {
    std::string text;
    const std::string value = takes_value(option) ? " " + option.get_type_name() : "";
    for (const std::string& name : option.get_snames()) text += (text.empty() ? "-" : ", -") + name;
    for (const std::string& name : option.get_lnames()) text += (text.empty() ? "--" : ", --") + name;
    return text + value;
}

std::string description_of(const CLI::Option& option) {
    const std::string usual = option.get_default_str();
    return option.get_description() + (usual.empty() ? "" : fmt::format(" [default: {}]", usual));
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
    std::vector<const CLI::Option*> found;
    for (const CLI::Option* o : app.get_options([](const CLI::Option* x) { return !x->get_positional(); })) {
        found.push_back(o);
    }
    // CLI11 puts the help flag first; it belongs at the end.
    std::stable_partition(found.begin(), found.end(), [&](const CLI::Option* o) { return o != app.get_help_ptr(); });
    return found;
}

std::vector<const CLI::Option*> positionals_of(const CLI::App& app) {
    return app.get_options([](const CLI::Option* x) { return x->get_positional(); });
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

}  // namespace revoxel::cli
