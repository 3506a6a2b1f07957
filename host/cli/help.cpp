// --help, written by walking the options.
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "cli/text.hpp"

namespace revoxel::cli {
namespace {

constexpr std::size_t kColumn = 28, kWidth = 80;

std::string entry(const std::string& name, const std::string& description) {
    std::string text = "  " + name;
    std::vector<std::string> lines = wrapped(description, kWidth - kColumn);
    const bool beside = text.size() + 2 <= kColumn && !lines.empty();
    std::size_t next = 0;
    if (beside) text += std::string(kColumn - text.size(), ' ') + lines[next++];
    text += "\n";
    for (; next < lines.size(); ++next) text += std::string(kColumn, ' ') + lines[next] + "\n";
    return text;
}

/// Long lists of choices are broken where they fit.
std::string broken_choices(const std::string& names) {
    const std::string indent(names.find(' ') + 3, ' ');
    std::string text, line = names;
    std::size_t width = kWidth - 2;  // the first line is indented by the caller
    while (line.size() > width) {
        const std::size_t cut = line.rfind('|', width - 1);
        if (cut == std::string::npos) break;
        text += line.substr(0, cut + 1) + "\n" + indent;
        line = line.substr(cut + 1);
        width = kWidth - indent.size();
    }
    return text + line;
}

std::string option_entry(const CLI::Option& option) {
    return entry(broken_choices(names_of(option)), description_of(option));
}

std::string usage_of(const CLI::App& app) {
    if (app.get_parent() == nullptr) return "Usage: revoxel COMMAND [OPTIONS]\n";
    std::string text = "Usage: revoxel " + app.get_name();
    for (const CLI::Option* o : positionals_of(app)) {
        const bool many = o->get_items_expected_max() > 1;
        text += fmt::format(" {}{}", o->get_name(), many ? "..." : "");
    }
    return text + (options_of(app).size() > 1 ? " [OPTIONS]\n" : "\n");
}

}  // namespace

std::string help_text(const CLI::App& app) {
    std::string text = app.get_description() + "\n\n" + usage_of(app);
    if (!commands_of(app).empty()) {
        text += "\nCommands\n";
        for (const CLI::App* command : commands_of(app)) text += entry(command->get_name(), command->get_description());
    }
    if (!positionals_of(app).empty()) text += "\nFiles and words\n";
    for (const CLI::Option* o : positionals_of(app)) text += entry(o->get_name(), o->get_description());
    std::string group;
    for (const CLI::Option* o : options_of(app)) {
        if (o->get_group() != group) {
            group = o->get_group();
            text += "\n" + group + "\n";
        }
        text += option_entry(*o);
    }
    const std::string examples = examples_of(app);
    if (!examples.empty()) text += "\n" + examples;
    return text;
}

std::string examples_of(const CLI::App& app) {
    const std::string name = app.get_parent() == nullptr ? "" : app.get_name();
    if (name.empty()) {
        return "Examples\n"
               "  revoxel resample ct.nii.gz ct_1mm.nii.gz --spacing 1 --preview ct_1mm.png\n"
               "  revoxel info ct.nii.gz\n"
               "  revoxel compare ct_1mm.nii.gz other.nii.gz --tolerance 0.5\n"
               "\nExit codes\n"
               "  0 done  1 compare: different  2 usage  3 input  4 output  5 memory, device\n";
    }
    if (name == "resample") {
        return "Examples\n"
               "  1 mm isotropic, fill with air where the input does not reach:\n"
               "    revoxel resample ct.nii.gz out.nii.gz --spacing 1 --fill min\n"
               "  thinner slices only, B-spline, with a comparison and a picture:\n"
               "    revoxel resample mr.nii.gz out.nii.gz --z-spacing 1 --order 3 --compare\n"
               "      --preview out.png\n"
               "  a label map on the grid of a scan:\n"
               "    revoxel resample seg.nii.gz out.nii.gz --like ct.nii.gz --labels\n"
               "  what would be done, as JSON:\n"
               "    revoxel resample ct.nii.gz --budget 50M --dry-run --json\n";
    }
    if (name == "info") return "Examples\n  revoxel info scan.nii.gz\n  revoxel info --json *.nii.gz\n";
    if (name == "compare") {
        return "Values are compared after scaling. NaN equals NaN. Exit code 1 when the grids or\n"
               "the values differ.\n"
               "\nExamples\n  revoxel compare a.nii.gz b.nii.gz --tolerance 0.5\n";
    }
    if (name == "plan") {
        return "The recommended spacing is isotropic: the finest at which every file stays\n"
               "within the budget, and never finer than the finest input axis. Files that cannot\n"
               "be read are listed and left out; the exit code is then 3.\n"
               "\nExamples\n  revoxel plan cohort/\n  revoxel plan ct/*.nii.gz --budget 20M --json\n";
    }
    if (name == "completion") {
        return "Examples\n  revoxel completion bash > ~/.local/share/bash-completion/completions/revoxel\n"
               "  revoxel completion zsh > ~/.zfunc/_revoxel\n"
               "  revoxel completion fish > ~/.config/fish/completions/revoxel.fish\n";
    }
    return name == "man" ? "Examples\n  revoxel man | man -l -\n" : "";
}

}  // namespace revoxel::cli
