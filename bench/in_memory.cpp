// Times a resampling in memory, as `revoxel resample` would plan it: files are read before the clock starts and written
// after it stops.
//   bench_in_memory [--runs-only] REPEAT resample INPUT OUTPUT [options of revoxel resample]
// Prints JSON: seconds of each run (the first, a warm-up, apart) and their processor time, the median of as many runs
// with scratch and output made anew (not for --argmax), the bytes of input and output, the most memory that the process
// held until then, and the limits (limits.hpp): the seconds that a copy of as many bytes takes with the same threads,
// the multiply-adds of the sums, and how many of them the CPU does in a second.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/command_line.hpp"
#include "executors/thread_pool.hpp"
#include "limits.hpp"
#include "pipeline/argmax.hpp"
#include "revoxel/executor.hpp"
#include "revoxel/nifti.hpp"
#include "revoxel/resample.hpp"

namespace {

using namespace revoxel;

double seconds(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Processor seconds of all threads so far.
double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// The most memory that this process has held so far; 0 where the system does not say.
std::int64_t peak_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        std::int64_t kib = 0;
        if (word == "VmHWM:" && status >> kib) return 1024 * kib;
    }
    return 0;
}

ResampleJob plan_job(const std::vector<std::string>& words) {
    const auto line = cli::make_command_line();
    std::vector<std::string> joined = cli::join_numbers(words);
    std::reverse(joined.begin(), joined.end());  // CLI11 takes them from the back
    line->app.parse(std::move(joined));
    return plan_resample(cli::request_from(line->resample_arguments));
}

void run_fields(Executor& executor, const Volume& input, Volume& output) {
    for (std::int64_t frame = 0; frame < input.frames(); ++frame) {
        for (int component = 0; component < input.components(); ++component) {
            executor.run(input.view(frame, component), output.view(frame, component));
        }
    }
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

int measure(int repeat, bool extras, const std::vector<std::string>& words) {
    const ResampleJob job = plan_job(words);
    io::NiftiImage image = io::read_nifti(job.request.input);
    const bool argmax = job.request.label.argmax;
    Volume output(job.plan.output, job.output.dtype, job.output.frames(), image.volume.components());
    ExecutorOptions options;
    options.threads = job.request.threads;
    nlohmann::json facts;
    std::vector<double> times, cpu;
    if (argmax) {
        for (int r = 0; r <= repeat; ++r) {
            const double before = cpu_seconds();
            times.push_back(seconds([&] {
                const auto run = pipeline::argmax_channels(job.plan, job.request.backend, options, image.volume,
                                                           job.request.label.table, output);
                facts["executor"] = run.backend;
                facts["workspace_bytes"] = run.scratch_bytes;
            }));
            cpu.push_back(cpu_seconds() - before);
        }
    } else {
        const auto executor = make_executor(job.plan, job.request.backend, options);
        facts["executor"] = executor->name();
        facts["workspace_bytes"] = executor->workspace_bytes();
        for (int r = 0; r <= repeat; ++r) {
            const double before = cpu_seconds();
            times.push_back(seconds([&] { run_fields(*executor, image.volume, output); }));
            cpu.push_back(cpu_seconds() - before);
        }
    }
    // As a program does that resamples one volume: the plan's tables, scratch and output are made anew.
    std::vector<double> anew;
    for (int r = 0; extras && r < repeat && !argmax; ++r) {
        output = Volume();
        anew.push_back(seconds([&] {
            output = Volume(job.plan.output, job.output.dtype, job.output.frames(), image.volume.components());
            const auto executor = make_executor(job.plan, job.request.backend, options);
            run_fields(*executor, image.volume, output);
        }));
    }
    if (!anew.empty()) facts["anew_s"] = median(anew);
    facts["first_s"] = times.front();
    times.erase(times.begin());
    facts["runs_s"] = times;
    facts["median_cpu_s"] = median({cpu.begin() + 1, cpu.end()});
    facts["median_s"] = median(times);
    facts["threads"] = ThreadPool(options.threads).size();
    facts["input_bytes"] = image.volume.size_bytes();
    facts["output_bytes"] = output.size_bytes();
    facts["peak_bytes"] = peak_bytes();
    image.volume = Volume();
    if (extras) {
        const std::int64_t bytes = facts["input_bytes"].get<std::int64_t>() + output.size_bytes();
        facts["copy_s"] = bench::copy_seconds(bytes, options.threads, 5);
        facts["multiply_adds"] =
            (argmax ? static_cast<double>(image.header.frames()) : 1.0) * bench::multiply_adds(job.plan);
        facts["multiply_adds_per_s"] = bench::multiply_add_rate(options.threads);
    }
    if (!job.request.output.empty()) {
        io::NiftiWriteOptions write;
        write.overwrite = true;
        io::write_nifti(job.request.output, job.output, output, write);
    }
    std::cout << facts.dump(1) << "\n";
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const bool extras = argc < 2 || std::string(argv[1]) != "--runs-only";
    if (!extras) {
        --argc;
        ++argv;
    }
    if (argc < 5) {
        std::cerr
            << "usage: bench_in_memory [--runs-only] REPEAT resample INPUT OUTPUT [options of revoxel resample]\n";
        return 2;
    }
    try {
        return measure(std::max(1, std::stoi(argv[1])), extras, {argv + 2, argv + argc});
    } catch (const std::exception& error) {
        std::cerr << "bench_in_memory: " << error.what() << "\n";
        return 1;
    }
}
