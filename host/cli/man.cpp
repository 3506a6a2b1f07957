// The manual page, written by walking the options.
#include <fmt/format.h>

#include <cctype>

#include "cli/command_line.hpp"
#include "revoxel/version.hpp"

namespace revoxel::cli {
namespace {

/// groff reads a leading dot or quote as a command, and a minus as a hyphen.
std::string escaped(const std::string& text) {
    std::string out;
    for (const char letter : text) {
        if (letter == '\\') {
            out += "\\\\";
        } else if (letter == '-') {
            out += "\\-";
        } else if (letter == '|') {
            out += "|\\:";  // a line may break here
        } else {
            out += letter;
        }
    }
    if (!out.empty() && (out[0] == '.' || out[0] == '\'')) out.insert(0, "\\&");
    return out;
}

std::string upper(std::string name) {
    for (char& letter : name) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    return name;
}

std::string entry(const std::string& name, const std::string& description) {
    return fmt::format(".TP\n.B {}\n{}\n", escaped(name), escaped(description));
}

std::string command_section(const CLI::App& command) {
    std::string text = fmt::format(".SH \"REVOXEL {}\"\n{}\n.PP\n.B revoxel {}\n", upper(command.get_name()),
                                   escaped(command.get_description()), escaped(command.get_name()));
    for (const CLI::Option* o : positionals_of(command)) text += fmt::format(".I {}\n", escaped(o->get_name()));
    if (options_of(command).size() > 1) text += "[OPTIONS]\n";
    for (const CLI::Option* o : positionals_of(command)) text += entry(o->get_name(), o->get_description());
    std::string group;
    for (const CLI::Option* o : options_of(command)) {
        if (o == command.get_help_ptr()) continue;
        if (o->get_group() != group) {
            group = o->get_group();
            text += fmt::format(".SS \"{}\"\n", escaped(group));
        }
        text += entry(names_of(*o), description_of(*o));
    }
    return text;
}

std::string examples_section(const CLI::App& app) {
    std::string text;
    for (const CLI::App* command : commands_of(app)) {
        const std::string examples = examples_of(*command);
        if (examples.empty()) continue;
        text += fmt::format(".SS {}\n.nf\n", escaped(command->get_name()));
        for (const std::string& row : CLI::detail::split(examples, '\n')) text += escaped(row) + "\n";
        text += ".fi\n";
    }
    return ".SH EXAMPLES\n" + text;
}

}  // namespace

std::string manual_page(const CLI::App& app) {
    std::string text = fmt::format(".TH REVOXEL 1 \"\" \"revoxel {}\" \"User Commands\"\n.ad l\n.nh\n", version());
    text += fmt::format(".SH NAME\nrevoxel \\- {}\n", "put medical volumes on other grids, right to the voxel");
    text += ".SH SYNOPSIS\n.B revoxel\n.I COMMAND\n[OPTIONS]\n.PP\n.B revoxel\n[\\-\\-version | \\-\\-help]\n";
    text +=
        ".SH DESCRIPTION\nrevoxel reads NIfTI files, resamples them on to another grid and writes NIfTI files whose "
        "headers say where the samples were really taken.\n";
    text += ".SH COMMANDS\n";
    for (const CLI::App* command : commands_of(app)) text += entry(command->get_name(), command->get_description());
    for (const CLI::Option* o : options_of(app)) text += entry(names_of(*o), o->get_description());
    for (const CLI::App* command : commands_of(app)) text += command_section(*command);
    text += ".SH \"EXIT STATUS\"\n";
    text += entry("0", "done");
    text += entry("1", "compare: the files differ beyond the tolerance");
    text += entry("2", "usage: the request contradicts itself or asks for what does not exist");
    text += entry("3", "input: a file is unusable");
    text += entry("4", "output: the result could not be stored");
    text += entry("5", "unavailable: memory, device or backend");
    return text + examples_section(app);
}

}  // namespace revoxel::cli
