// The program: parse, call, tell what went wrong in one line.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <new>
#include <system_error>
#include <thread>

#include "cli/arguments.hpp"
#include "cli/command_line.hpp"
#include "cli/text.hpp"
#include "io/atomic_file.hpp"
#include "revoxel/error.hpp"
#include "revoxel/version.hpp"

namespace revoxel::cli {
namespace {

constexpr int kUsage = static_cast<int>(ErrorCode::usage);
constexpr int kUnavailable = static_cast<int>(ErrorCode::unavailable);

std::string version_text() {
    std::string text = fmt::format("revoxel {}\n", version());
    for (const std::string& fact : build_facts()) text += fact + "\n";
    return text;
}

int dispatch_command(const CommandLine& line) {
    if (line.version) {
        print(version_text());
        return 0;
    }
    if (line.resample->parsed()) return run_resample_command(line.resample_arguments);
    if (line.info->parsed()) return run_info_command(line.info_arguments);
    if (line.compare->parsed()) return run_compare_command(line.compare_arguments);
    if (line.plan->parsed()) return run_plan_command(line.plan_arguments);
    if (line.completion->parsed()) {
        print(completion_script(line.app, line.shell));
        return 0;
    }
    if (line.man->parsed()) {
        print(manual_page(line.app));
        return 0;
    }
    throw Error(ErrorCode::usage, "no command; try revoxel resample INPUT OUTPUT --spacing 1, or revoxel --help");
}

/// From here on the signals that end a program first remove files that have no final name yet. To be called before any
/// other thread starts.
void take_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction current {};
        // nohup, and jobs in the background of some shells, want these ignored.
        if (sigaction(number, nullptr, &current) == 0 && current.sa_handler != SIG_IGN) sigaddset(&set, number);
    }
    if (pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return;
    try {
        std::thread([set] {
            int number = 0;
            if (sigwait(&set, &number) != 0) return;
            io::remove_hidden_files();
            std::signal(number, SIG_DFL);
            pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
            std::raise(number);
        }).detach();
    } catch (const std::system_error&) {
        pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    }
}

int run(int argc, char** argv) {
    const std::unique_ptr<CommandLine> line = make_command_line();
    std::vector<std::string> words = join_numbers({argv + std::min(argc, 1), argv + argc});
    std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
    try {
        line->app.parse(std::move(words));
    } catch (const CLI::CallForHelp&) {
        const std::vector<CLI::App*> chosen = line->app.get_subcommands();
        print(help_text(chosen.empty() ? line->app : *chosen.front()));
        return 0;
    } catch (const CLI::ParseError& error) {
        print_error(explain_parse_error(*line, error));
        return kUsage;
    }
    return dispatch_command(*line);
}

}  // namespace
}  // namespace revoxel::cli

int main(int argc, char** argv) {
    using namespace revoxel::cli;
    std::signal(SIGXFSZ, SIG_IGN);  // a file beyond ulimit -f is then an error of write(), told like any other
    take_signals();
    try {
        return run(argc, argv);
    } catch (const revoxel::Error& error) {
        print_error(error.what());
        return exit_code(error.code());
    } catch (const std::bad_alloc&) {
        print_error("not enough memory; close other programs or ask for a coarser grid");
    } catch (const std::exception& error) {
        print_error(fmt::format("something unforeseen happened ({}); please report it", error.what()));
    } catch (...) {
        print_error("something unforeseen happened; please report it");
    }
    return kUnavailable;
}
