// The options of every command: the one source of parsing, help, completion and manual page.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace revoxel::cli {

using Word = std::optional<std::string>;

struct ResampleArguments {
    std::string input, output;
    Word spacing, x_spacing, y_spacing, z_spacing, size, iso, budget, like, grid_policy, round;
    Word preset, interp, order, radius, sigma, cut, boundary, outside, antialias, clip, integers, nan_fill;
    Word source_fwhm, target_fwhm, slice_thickness, label_fraction, mask_threshold, channel_labels;
    Word fill, dtype, prefer, backend, device, devices, gpu_memory, precision, threads, memory, compression, preview;
    bool unnormalised = false, nan_aware = false, keep_labels = false, label_report = false, argmax = false;
    bool softmax = false;
    bool labels = false, force = false, quiet = false, json = false, dry_run = false, explain = false, compare = false;
};

struct InfoArguments {
    std::vector<std::string> files;
    Word prefer;
    bool json = false;
};

struct CompareArguments {
    std::string a, b;
    Word tolerance;
    bool json = false, quiet = false;
};

struct PlanArguments {
    std::vector<std::string> paths;
    Word budget;
    bool json = false, all = false;
};

struct CommandLine {
    CLI::App app{"Puts medical volumes on other grids, right to the voxel.", "revoxel"};
    CLI::App *resample = nullptr, *info = nullptr, *compare = nullptr, *plan = nullptr, *completion = nullptr,
             *man = nullptr;
    ResampleArguments resample_arguments;
    InfoArguments info_arguments;
    CompareArguments compare_arguments;
    PlanArguments plan_arguments;
    std::string shell;
    bool version = false;
};

std::unique_ptr<CommandLine> make_command_line();

/// One line for a word that CLI11 did not accept: what, what instead, where to look.
std::string explain_parse_error(const CommandLine& line, const CLI::ParseError& error);

// Each command: 0, or the exit code it ends with. Errors are exceptions.
int run_resample_command(const ResampleArguments& arguments);
int run_info_command(const InfoArguments& arguments);
int run_compare_command(const CompareArguments& arguments);
int run_plan_command(const PlanArguments& arguments);

std::string help_text(const CLI::App& app);
std::string manual_page(const CLI::App& app);
/// Throws Error(usage) for a shell other than bash, zsh and fish.
std::string completion_script(const CLI::App& app, const std::string& shell);

/// Words that follow a command's options in help and manual: examples, exit codes.
std::string examples_of(const CLI::App& app);

// What the writers of help, completion and manual ask of an option.
bool takes_value(const CLI::Option& option);
bool takes_file(const CLI::Option& option);
/// The words that an option can take, where its type name lists them ("bash|zsh|fish"); else empty.
std::vector<std::string> choices_of(const CLI::Option& option);
/// "--spacing MM, --xyz-spacing MM", "-h, --help"
std::string names_of(const CLI::Option& option);
/// With the default, where there is one.
std::string description_of(const CLI::Option& option);
/// Options in order, without positionals.
std::vector<const CLI::Option*> options_of(const CLI::App& app);
std::vector<const CLI::Option*> positionals_of(const CLI::App& app);
std::vector<const CLI::App*> commands_of(const CLI::App& app);

}  // namespace revoxel::cli
