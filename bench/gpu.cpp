// Checks and times resampling on volumes that are on the GPU: what bench/gpu starts. One JSON object a line on stdout:
// the device and its copy rates, each job, what could not be done, what a launch costs.
//
// A job is run once on noise (or on blocks of labels) into memory that holds rubbish, and every voxel compared, bit for
// bit, with the CPU executor, which is the reference's; then timed from event to event, over as many sets of volumes as
// twice the L2 cache holds, and the last set compared again.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>

#include "gpu_device.hpp"
#include "gpu_files.hpp"
#include "gpu_jobs.hpp"
#include "pipeline/argmax.hpp"
#include "revoxel/error.hpp"
#include "revoxel/executor.hpp"
#include "revoxel/version.hpp"
#include "revoxel/volume.hpp"

namespace revoxel::bench {
namespace {

using nlohmann::json;

struct Request {
    std::vector<std::string> jobs;
    std::string save, weights;
    int scale = 1, threads = 0;
    double seconds = 0.3;
    bool list = false, check_only = false;

    bool wants(const std::string& name) const {
        return jobs.empty() ||
               std::any_of(jobs.begin(), jobs.end(), [&](const auto& w) { return name.starts_with(w); });
    }
};

void say(const json& facts) {
    std::cout << facts.dump() << std::endl;  // flushed: whatever ends this process, what was measured is told
}

/// Bytes as volumes are allocated: in large pages, not initialised.
Volume host_bytes(std::int64_t bytes) {
    Grid line;
    line.extent = {std::max<std::int64_t>(1, bytes), 1, 1};
    return {line, DType::uint8};
}

double quantile(std::vector<double> values, double share) {
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
}

template <typename View, typename Pointer>
View view_of(Pointer data, const Grid& grid, DType dtype) {
    View view;
    view.data = data;
    view.dtype = dtype;
    view.extent = grid.extent;
    view.stride = {1, grid.extent[0], grid.extent[0] * grid.extent[1]};
    return view;
}

ConstVolumeView input_of(const Plan& plan, const std::byte* data) {
    return view_of<ConstVolumeView>(data, plan.input, plan.options.input_dtype);
}

VolumeView output_of(const Plan& plan, std::byte* data) {
    return view_of<VolumeView>(data, plan.output, plan.options.output_dtype);
}

// The right result

void run_part(const GpuJob& job, const GpuPart& part, const std::byte* in, std::byte* out, ThreadPool& pool) {
    ExecutorOptions options;
    options.threads = pool.size();
    if (part.count == 1) {
        make_executor(part.plan, Backend::cpu, options)->run(input_of(part.plan, in), output_of(part.plan, out));
        return;
    }
    options.threads = 1;
    std::vector<std::unique_ptr<Executor>> executors(static_cast<std::size_t>(pool.size()));
    for (auto& executor : executors) executor = make_executor(part.plan, Backend::cpu, options);
    const std::int64_t in_voxels = job.affines.empty() ? voxel_count(part.plan.input) : 0;
    const std::int64_t in_step = in_voxels * static_cast<std::int64_t>(size_of(part.plan.options.input_dtype));
    const std::int64_t out_step =
        voxel_count(part.plan.output) * static_cast<std::int64_t>(size_of(part.plan.options.output_dtype));
    pool.for_each(part.count, [&](std::int64_t n, int thread) {
        auto& executor = executors[static_cast<std::size_t>(thread)];
        if (!job.affines.empty()) executor = make_executor(patch_plan(job, n), Backend::cpu, options);
        executor->run(input_of(part.plan, in + n * in_step), output_of(part.plan, out + n * out_step));
    });
}

void run_argmax(const GpuJob& job, const std::byte* in, std::byte* out, ThreadPool& pool) {
    const Plan& plan = job.parts[0].plan;
    ExecutorOptions options;
    options.threads = pool.size();
    Volume scores(plan.input, plan.options.input_dtype, job.channels());
    Volume labels(plan.output, plan.options.output_dtype);
    std::memcpy(scores.data(), in, static_cast<std::size_t>(scores.size_bytes()));
    pipeline::argmax_channels(plan, Backend::cpu, options, scores, job.channel_labels, labels);
    std::memcpy(out, labels.data(), static_cast<std::size_t>(labels.size_bytes()));
}

void run_on_cpu(const GpuJob& job, const std::byte* in, std::byte* out, ThreadPool& pool) {
    if (!job.channel_labels.empty()) {
        run_argmax(job, in, out, pool);
        return;
    }
    for (const GpuPart& part : job.parts) {
        run_part(job, part, in, out, pool);
        const PlanOptions& options = part.plan.options;
        in += job.input_volumes(part) * voxel_count(part.plan.input) *
              static_cast<std::int64_t>(size_of(options.input_dtype));
        out += part.count * voxel_count(part.plan.output) * static_cast<std::int64_t>(size_of(options.output_dtype));
    }
}

/// Voxels that are not the same bits.
std::int64_t different(const std::byte* a, const std::byte* b, std::int64_t bytes, std::int64_t voxel,
                       ThreadPool& pool) {
    const std::int64_t piece = voxel << 18;
    std::vector<std::int64_t> found(static_cast<std::size_t>(pool.size()));
    pool.for_each((bytes + piece - 1) / piece, [&](std::int64_t p, int thread) {
        const std::int64_t begin = p * piece, end = std::min(bytes, begin + piece);
        if (std::memcmp(a + begin, b + begin, static_cast<std::size_t>(end - begin)) == 0) return;
        for (std::int64_t at = begin; at < end; at += voxel) {
            const bool same = std::memcmp(a + at, b + at, static_cast<std::size_t>(voxel)) == 0;
            found[static_cast<std::size_t>(thread)] += same ? 0 : 1;
        }
    });
    std::int64_t sum = 0;
    for (const std::int64_t n : found) sum += n;
    return sum;
}

// The same on the device

class OnDevice {
public:
    explicit OnDevice(const GpuJob& job) : job_(job) {
        if (!job.channel_labels.empty()) {
            argmax_ = gpu_argmax_plan(job.parts[0].plan, job.channel_labels);
            return;
        }
        for (const GpuPart& part : job.parts) plans_.push_back(gpu_plan(part.plan));
        if (job.affines.empty()) return;
        const auto bytes = static_cast<std::int64_t>(job.affines.size() * sizeof(double));
        affines_ = GpuMemory(bytes);
        gpu_upload(affines_.data(), job.affines.data(), bytes);
    }

    void queue(const std::byte* in, std::byte* out) const {
        if (argmax_) {
            const Plan& plan = job_.parts[0].plan;
            argmax_->run(input_of(plan, in), voxel_count(plan.input), output_of(plan, out), gpu_stream());
            return;
        }
        if (job_.single()) {
            plans_[0]->run(input_of(job_.parts[0].plan, in), output_of(job_.parts[0].plan, out), gpu_stream());
            return;
        }
        std::vector<cuda::DeviceJob> jobs;
        for (std::size_t p = 0; p < plans_.size(); ++p) {
            const GpuPart& part = job_.parts[p];
            cuda::DeviceJob one;
            one.plan = plans_[p].get();
            one.input = input_of(part.plan, in);
            one.output = output_of(part.plan, out);
            one.count = part.count;
            one.output_step = voxel_count(part.plan.output);
            one.input_step = job_.affines.empty() ? voxel_count(part.plan.input) : 0;
            one.affines = reinterpret_cast<const double*>(affines_.data());
            jobs.push_back(one);
            const PlanOptions& options = part.plan.options;
            in += job_.input_volumes(part) * voxel_count(part.plan.input) *
                  static_cast<std::int64_t>(size_of(options.input_dtype));
            out += part.count * one.output_step * static_cast<std::int64_t>(size_of(options.output_dtype));
        }
        gpu_run(jobs);
    }

    /// Bytes on the device: all, and those that a run writes (an argmax does not tell them apart).
    json memory() const {
        if (argmax_) return {{"plan_bytes", argmax_->bytes()}};
        std::int64_t bytes = 0, scratch = 0;
        for (const auto& plan : plans_) {
            bytes += plan->bytes();
            scratch += plan->scratch_bytes();
        }
        return {{"plan_bytes", bytes}, {"scratch_bytes", scratch}};
    }

private:
    const GpuJob& job_;
    std::vector<std::unique_ptr<cuda::DevicePlan>> plans_;
    std::unique_ptr<cuda::ArgmaxPlan> argmax_;
    GpuMemory affines_;
};

/// Sets of volumes that no cache holds: twice the L2 between two uses of one; a set that is many times as large alone
/// already does that.
int sets_of(const GpuJob& job, const GpuFacts& gpu) {
    const std::int64_t bytes = job.input_bytes() + job.output_bytes();
    if (bytes >= 16 * gpu.l2_bytes) return 1;
    const std::int64_t wanted = 1 + (2 * gpu.l2_bytes + bytes - 1) / bytes;
    return static_cast<int>(std::max<std::int64_t>(2, wanted));
}

struct Sets {
    std::vector<GpuMemory> in, out;
};

Sets make_sets(const GpuJob& job, int count, const Volume& input) {
    constexpr int kRubbish = 0xA5;
    Sets sets;
    for (int n = 0; n < count; ++n) {
        sets.in.emplace_back(job.input_bytes());
        sets.out.emplace_back(job.output_bytes());
        gpu_fill(sets.out.back().data(), kRubbish, job.output_bytes());
        if (n == 0) {
            gpu_upload(sets.in[0].data(), input.data(), job.input_bytes());
        } else {
            gpu_copy(sets.in.back().data(), sets.in[0].data(), job.input_bytes(), CopyBy::driver);
        }
    }
    gpu_wait();
    return sets;
}

json times_of(const OnDevice& device, const Sets& sets, double seconds) {
    const auto count = static_cast<int>(sets.in.size());
    const auto queue = [&](int n) {
        const auto set = static_cast<std::size_t>(n % count);
        device.queue(sets.in[set].data(), sets.out[set].data());
    };
    const double warm = quantile(gpu_milliseconds(count + 4, queue), 0.5);
    const int repeat = static_cast<int>(std::clamp(1e3 * seconds / std::max(warm, 1e-3), 15.0, 500.0));
    const std::vector<double> times = gpu_milliseconds(repeat, queue);
    return {{"median_ms", quantile(times, 0.5)},
            {"low_ms", quantile(times, 0.25)},
            {"high_ms", quantile(times, 0.75)},
            {"least_ms", quantile(times, 0.0)},
            {"repeats", repeat},
            {"sets", count}};
}

json grid_facts(const Grid& grid, DType dtype) {
    return {{"extent", grid.extent}, {"dtype", name_of(dtype)}};
}

json facts_of(const GpuJob& job) {
    const Plan& plan = job.parts[0].plan;
    std::int64_t volumes = 0;
    for (const GpuPart& part : job.parts) volumes += part.count;
    return {{"kind", "job"},
            {"name", job.name},
            {"what", job.what},
            {"group", job.group},
            {"fused", job.fused},
            {"volumes", volumes},
            {"plans", job.parts.size()},
            {"channels", job.channels()},
            {"input", grid_facts(plan.input, plan.options.input_dtype)},
            {"output", grid_facts(plan.output, plan.options.output_dtype)},
            {"out_to_in", out_to_in(plan.input, plan.output).m},
            {"kernel", names_of(plan.options.kernel)},
            {"antialias", names_of(plan.options.antialias)},
            {"boundary", name_of(plan.options.boundary)},
            {"outside", name_of(plan.options.outside)},
            {"floor_bytes", job.input_bytes() + job.output_bytes()}};
}

json measure(const GpuJob& job, const Request& request, const GpuFacts& gpu, double copy_gb_s, ThreadPool& pool) {
    json facts = facts_of(job);
    const OnDevice device(job);
    facts.update(device.memory());
    Volume input = host_bytes(job.input_bytes()), expected = host_bytes(job.output_bytes());
    Volume result = host_bytes(job.output_bytes());
    fill_input(job, input.data(), pool);
    run_on_cpu(job, input.data(), expected.data(), pool);

    const Sets sets = make_sets(job, request.check_only ? 1 : sets_of(job, gpu), input);
    const auto voxel = static_cast<std::int64_t>(size_of(job.parts[0].plan.options.output_dtype));
    const auto differences = [&](const GpuMemory& output) {
        gpu_download(result.data(), output.data(), job.output_bytes());
        return different(result.data(), expected.data(), job.output_bytes(), voxel, pool);
    };
    device.queue(sets.in[0].data(), sets.out[0].data());
    gpu_wait();
    facts["check"] = {{"voxels", job.output_bytes() / voxel}, {"different", differences(sets.out[0])}};
    if (!request.save.empty()) save_arrays(request.save, job, input.data(), result.data());
    if (!request.weights.empty()) save_weights(request.weights, job);
    if (request.check_only) return facts;

    facts["times"] = times_of(device, sets, request.seconds);
    facts["check"]["different_after_timing"] = differences(sets.out.back());
    const double floor_ms = 1e-6 * facts["floor_bytes"].get<double>() / copy_gb_s;
    facts["floor_ms"] = floor_ms;
    facts["over_floor"] = facts["times"]["median_ms"].get<double>() / floor_ms;
    return facts;
}

// What no job can be faster than, and what each costs whatever its size

/// GB/s read and written, of more than a GB where the device has room.
double copy_rate(const GpuFacts& gpu, CopyBy by) {
    const std::int64_t bytes = std::min(std::int64_t{2} << 30, gpu.free_bytes / 4) / 256 * 256;
    const GpuMemory from(bytes), to(bytes);
    constexpr int kNoise = 0x5B;
    gpu_fill(from.data(), kNoise, bytes);
    const auto queue = [&](int) { gpu_copy(to.data(), from.data(), bytes, by); };
    gpu_milliseconds(3, queue);
    return 2e-6 * static_cast<double>(bytes) / quantile(gpu_milliseconds(20, queue), 0.5);
}

double wall_us(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

/// Microseconds of a run of one small volume: for the thread that queues it, and on the device, queued one by one and
/// as a CUDA graph. The input stays in the L2 cache.
json launch_facts(const GpuJob& job, double seconds, ThreadPool& pool) {
    const int runs = static_cast<int>(std::clamp(1e3 * seconds, 5.0, 300.0));
    const OnDevice device(job);
    Volume input = host_bytes(job.input_bytes()), expected = host_bytes(job.output_bytes());
    Volume result = host_bytes(job.output_bytes());
    fill_input(job, input.data(), pool);
    run_on_cpu(job, input.data(), expected.data(), pool);
    const Sets sets = make_sets(job, 1, input);
    const auto queue = [&](int) { device.queue(sets.in[0].data(), sets.out[0].data()); };
    gpu_milliseconds(runs, queue);
    std::vector<double> queued, waited;
    for (int n = 0; n < runs; ++n) {
        double one = 0.0;
        waited.push_back(wall_us([&] {
            one = wall_us([&] { queue(n); });
            gpu_wait();
        }));
        queued.push_back(one);
    }
    const std::vector<double> plain = gpu_milliseconds(runs, queue);
    const auto graph = gpu_graph([&] { queue(0); });
    gpu_fill(sets.out[0].data(), 0, job.output_bytes());
    graph();
    gpu_download(result.data(), sets.out[0].data(), job.output_bytes());
    const std::vector<double> replayed = gpu_milliseconds(runs, [&](int) { graph(); });
    return {{"kind", "launch"},
            {"what", job.what},
            {"queue_us", quantile(queued, 0.5)},
            {"queue_and_wait_us", quantile(waited, 0.5)},
            {"device_us", 1e3 * quantile(plain, 0.5)},
            {"graph_device_us", 1e3 * quantile(replayed, 0.5)},
            {"graph_different", different(result.data(), expected.data(), job.output_bytes(), 4, pool)}};
}

json device_facts(const GpuFacts& gpu) {
    return {{"kind", "device"},
            {"name", gpu.name},
            {"compute", gpu.compute},
            {"multiprocessors", gpu.multiprocessors},
            {"l2_bytes", gpu.l2_bytes},
            {"memory_bytes", gpu.memory_bytes},
            {"driver_cuda", gpu.driver_cuda},
            {"runtime_cuda", gpu.runtime_cuda},
            {"revoxel", version()}};
}

void list_jobs(const Request& request) {
    for (const GpuJob& job : gpu_jobs(request.scale)) {
        if (request.wants(job.name)) std::cout << job.name << "\n";
    }
}

bool is_wrong(const json& facts) {
    for (const auto& [key, value] : facts.items()) {
        if (value.is_object() ? is_wrong(value) : key.find("different") != std::string::npos && value != 0) return true;
    }
    return false;
}

bool measure_or_say(const std::string& name, const std::function<json()>& work) {
    try {
        const json facts = work();
        say(facts);
        return !is_wrong(facts);
    } catch (const std::exception& error) {
        say({{"kind", "failed"}, {"name", name}, {"why", error.what()}});
        return false;
    }
}

int measure_all(const Request& request) {
    const GpuFacts gpu = gpu_facts();
    json device = device_facts(gpu);
    double copy_gb_s = 0.0;
    if (!request.check_only) {
        device["copy_by_driver_gb_s"] = copy_rate(gpu, CopyBy::driver);
        device["copy_by_kernel_gb_s"] = copy_rate(gpu, CopyBy::kernel);
        copy_gb_s = std::max(device["copy_by_driver_gb_s"].get<double>(), device["copy_by_kernel_gb_s"].get<double>());
        device["copy_gb_s"] = copy_gb_s;
    }
    say(device);
    ThreadPool pool(request.threads);
    bool good = true;
    for (const GpuJob& job : gpu_jobs(request.scale)) {
        if (!request.wants(job.name)) continue;
        good &= measure_or_say(job.name, [&] { return measure(job, request, gpu, copy_gb_s, pool); });
        if (!request.check_only && job.name.starts_with("small")) {
            good &= measure_or_say("launch", [&] { return launch_facts(job, request.seconds, pool); });
        }
    }
    return good ? 0 : 1;
}

}  // namespace
}  // namespace revoxel::bench

int main(int argc, char** argv) {
    using namespace revoxel;
    bench::Request request;
    CLI::App app(
        "Checks and times resampling on a GPU, and prints JSON, one object a line. Exit code 1: a result is not "
        "the reference's, or a job failed. 5: there is no GPU.");
    app.add_option("--jobs", request.jobs, "only jobs whose names begin with one of these, as in 'A linear,B'")
        ->delimiter(',');
    app.add_option("--seconds", request.seconds, "of device time for the runs of a job, s")->capture_default_str();
    app.add_option("--scale", request.scale, "divide each extent by this, to compare or to try")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--threads", request.threads, "of the CPU executor; 0: one per core")->capture_default_str();
    app.add_option("--save", request.save, "folder: write each job's input and output as .npy");
    app.add_option("--weights", request.weights,
                   "folder: write the weights of straight jobs, the affines of patches as .npy");
    app.add_flag("--check-only", request.check_only, "compare results, time nothing");
    app.add_flag("--list", request.list, "print the names of the jobs; needs no GPU");
    CLI11_PARSE(app, argc, argv);
    try {
        if (request.list) {
            bench::list_jobs(request);
            return 0;
        }
        return bench::measure_all(request);
    } catch (const Error& error) {
        std::cerr << "bench_gpu: " << error.what() << "\n";
        return exit_code(error.code());
    } catch (const std::exception& error) {
        std::cerr << "bench_gpu: " << error.what() << "\n";
        return 1;
    }
}
