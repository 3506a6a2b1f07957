// Completion scripts, written by walking the options.
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "revoxel/error.hpp"

namespace revoxel::cli {
namespace {

std::vector<std::string> words_of(const CLI::Option& option) {
    std::vector<std::string> words;
    for (const std::string& name : option.get_snames()) words.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) words.push_back("--" + name);
    return words;
}

std::string joined(const std::vector<std::string>& words, const char* separator) {
    return fmt::format("{}", fmt::join(words, separator));
}

std::vector<std::string> command_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* command : commands_of(app)) names.push_back(command->get_name());
    return names;
}

std::string bash_case(const CLI::App& command) {
    std::string values;
    std::vector<std::string> all;
    for (const CLI::Option* o : options_of(command)) {
        const std::vector<std::string> words = words_of(*o);
        all.insert(all.end(), words.begin(), words.end());
        if (!takes_value(*o)) continue;
        const std::vector<std::string> choices = choices_of(*o);
        const std::string reply =
            takes_file(*o)    ? "COMPREPLY=($(compgen -f -- \"$cur\"))"
            : choices.empty() ? std::string("COMPREPLY=()")
                              : fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))", joined(choices, " "));
        values += fmt::format("                {}) {}; return ;;\n", joined(words, "|"), reply);
    }
    std::vector<std::string> operands;
    for (const CLI::Option* o : positionals_of(command)) {
        for (const std::string& choice : choices_of(*o)) operands.push_back(choice);
    }
    const std::string rest = operands.empty()
                                 ? "COMPREPLY=($(compgen -f -- \"$cur\"))"
                                 : fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))", joined(operands, " "));
    return fmt::format(
        "        {})\n            case \"$prev\" in\n{}            esac\n"
        "            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"));\n"
        "            else {}; fi ;;\n",
        command.get_name(), values, joined(all, " "), rest);
}

std::string bash_script(const CLI::App& app) {
    std::string cases;
    for (const CLI::App* command : commands_of(app)) cases += bash_case(*command);
    std::vector<std::string> top = command_names(app);
    for (const CLI::Option* o : options_of(app)) {
        for (const std::string& word : words_of(*o)) top.push_back(word);
    }
    return fmt::format(
        "# bash completion for revoxel\n_revoxel() {{\n"
        "    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}\n"
        "    if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); return; fi\n"
        "    case \"${{COMP_WORDS[1]}}\" in\n{}    esac\n}}\n"
        "complete -o filenames -F _revoxel revoxel\n",
        joined(top, " "), cases);
}

/// For single quotes of a shell, and for the brackets and colons that _arguments reads.
std::string quoted(const std::string& text, bool zsh) {
    std::string out;
    for (const char letter : text) {
        if (letter == '\'') {
            out += "'\\''";
        } else if (zsh && (letter == '[' || letter == ']' || letter == ':')) {
            out += std::string("\\") + letter;
        } else {
            out += letter;
        }
    }
    return out;
}

std::string zsh_value(const CLI::Option& option) {
    if (!takes_value(option)) return "";
    if (takes_file(option)) return ":file:_files";
    const std::vector<std::string> choices = choices_of(option);
    return choices.empty() ? fmt::format(":{}: ", quoted(option.get_type_name(), true))
                           : fmt::format(":value:({})", joined(choices, " "));
}

std::string zsh_arguments(const CLI::App& command) {
    std::string text = "            _arguments";
    for (const CLI::Option* o : options_of(command)) {
        for (const std::string& word : words_of(*o)) {
            text +=
                fmt::format(" \\\n                '{}[{}]{}'", word, quoted(o->get_description(), true), zsh_value(*o));
        }
    }
    for (const CLI::Option* o : positionals_of(command)) {
        const std::vector<std::string> choices = choices_of(*o);
        text += fmt::format(" \\\n                '{}:{}:{}'", o->get_items_expected_max() > 1 ? "*" : "",
                            o->get_name(), choices.empty() ? "_files" : "(" + joined(choices, " ") + ")");
    }
    return fmt::format("        {})\n{} ;;\n", command.get_name(), text);
}

std::string zsh_script(const CLI::App& app) {
    std::string commands, cases;
    for (const CLI::App* command : commands_of(app)) {
        commands += fmt::format("        '{}:{}'\n", command->get_name(), quoted(command->get_description(), true));
        cases += zsh_arguments(*command);
    }
    std::vector<std::string> flags;
    for (const CLI::Option* o : options_of(app)) {
        for (const std::string& word : words_of(*o)) flags.push_back(word);
    }
    return fmt::format(
        "#compdef revoxel\n_revoxel() {{\n    local -a commands=(\n{}    )\n"
        "    if ((CURRENT == 2)); then\n        _describe command commands\n"
        "        compadd -- {}\n        return\n    fi\n"
        "    local command=$words[2]\n    shift words\n    ((CURRENT--))\n    case $command in\n{}    esac\n"
        "}}\ncompdef _revoxel revoxel\n",
        commands, joined(flags, " "), cases);
}

std::string fish_option(const CLI::Option& option, const std::string& condition) {
    std::string text;
    std::string names;
    for (const std::string& name : option.get_snames()) names += " -s " + name;
    for (const std::string& name : option.get_lnames()) names += " -l " + name;
    text +=
        fmt::format("complete -c revoxel -n '{}'{} -d '{}'", condition, names, quoted(option.get_description(), false));
    if (takes_file(option)) return text + " -r -F\n";
    const std::vector<std::string> choices = choices_of(option);
    if (!choices.empty()) return text + fmt::format(" -x -a '{}'\n", joined(choices, " "));
    return text + (takes_value(option) ? " -x\n" : "\n");
}

std::string fish_script(const CLI::App& app) {
    std::string text = "# fish completion for revoxel\n";
    for (const CLI::App* command : commands_of(app)) {
        text += fmt::format("complete -c revoxel -f -n __fish_use_subcommand -a {} -d '{}'\n", command->get_name(),
                            quoted(command->get_description(), false));
    }
    for (const CLI::Option* o : options_of(app)) text += fish_option(*o, "__fish_use_subcommand");
    for (const CLI::App* command : commands_of(app)) {
        const std::string condition = "__fish_seen_subcommand_from " + command->get_name();
        for (const CLI::Option* o : options_of(*command)) text += fish_option(*o, condition);
        for (const CLI::Option* o : positionals_of(*command)) {
            const std::vector<std::string> choices = choices_of(*o);
            if (choices.empty()) continue;
            text += fmt::format("complete -c revoxel -f -n '{}' -a '{}'\n", condition, joined(choices, " "));
        }
    }
    return text;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
    if (shell == "bash") return bash_script(app);
    if (shell == "zsh") return zsh_script(app);
    if (shell == "fish") return fish_script(app);
    throw Error(ErrorCode::usage,
                fmt::format("there is no completion for the shell '{}'; expected bash, zsh or fish", shell));
}

}  // namespace revoxel::cli
