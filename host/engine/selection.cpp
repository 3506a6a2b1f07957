#include "engine/selection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "engine/cuda_backend.hpp"
#include "executors/cpu.hpp"
#include "executors/reference.hpp"
#include "executors/thread_pool.hpp"
#include "executors/two_step.hpp"
#include "plan/kernels.hpp"
#include "revoxel/cuda.hpp"
#include "revoxel/error.hpp"

namespace revoxel {
namespace {

double scalars(const Grid& grid) {
    return static_cast<double>(voxel_count(grid));
}

/// Multiply-adds for an output voxel, about.
double taps_of(const Plan& plan) {
    double passes = 0.0, points = 1.0;
    for (const Stage& stage : plan.stages) {
        if (const auto* pass = std::get_if<AxisPass>(&stage)) {
            passes += static_cast<double>(pass->taps.stride);
            continue;
        }
        const auto& gather = std::get<AffineGather>(stage);
        for (int d = 0; d < 3; ++d)
            points *= most_taps(point_kernel(gather.kernel[d], gather.shape, gather.stretch[d]));
    }
    return passes + points;
}

double effort(const Plan& plan) {
    return std::max(1.0, taps_of(plan) / kCheapTaps);
}

/// Runs on the GPU until that fails, then on the CPU.
class FallingBackExecutor final : public Executor {
public:
    FallingBackExecutor(std::unique_ptr<Executor> gpu, const Plan& plan, const ExecutorOptions& options,
                        const BackendSelection& selection)
        : executor_(std::move(gpu)), plan_(plan), options_(options), selection_(selection) {}

    void run(const ConstVolumeView& input, const VolumeView& output) override {
        if (!on_cpu_) {
            try {
                return executor_->run(input, output);
            } catch (const Error& error) {
                if (!may_be_mended_by_cpu(error)) throw;
                selection_.fall_back(error.what(), options_);
            }
            executor_.reset();
            executor_ = make_cpu_executor(plan_, options_);
            on_cpu_ = true;
        }
        executor_->run(input, output);
    }
    std::int64_t workspace_bytes() const noexcept override { return executor_->workspace_bytes(); }
    std::string name() const override { return executor_->name(); }

private:
    std::unique_ptr<Executor> executor_;
    bool on_cpu_ = false;
    const Plan plan_;
    const ExecutorOptions options_;
    const BackendSelection selection_;
};

std::unique_ptr<Executor> make_on(const Plan& plan, const ExecutorOptions& options, const BackendSelection& selection) {
    const BackendChoice& choice = selection.choice();
    if (choice.backend == Backend::reference) return make_reference_executor(plan, options);
    if (choice.backend != Backend::cuda) return make_cpu_executor(plan, options);
    if (!choice.falls_back) return cuda::make_executor(plan, options);
    try {
        return std::make_unique<FallingBackExecutor>(cuda::make_executor(plan, options), plan, options, selection);
    } catch (const Error& error) {
        if (!may_be_mended_by_cpu(error)) throw;
        selection.fall_back(error.what(), options);
    }
    return make_cpu_executor(plan, options);
}

}  // namespace

double expected_cpu_seconds(const Plan& plan, std::int64_t fields, int threads) {
    const double in = scalars(plan.input), out = scalars(plan.output);
    const double one = plan.separable ? (in + out) / kCpuValuesPerSecond : out / kCpuPointsPerSecond;
    return static_cast<double>(fields) * one * effort(plan) / threads;
}

double expected_gpu_seconds(const Plan& plan, std::int64_t fields, bool started) {
    const double bytes = scalars(plan.input) * static_cast<double>(size_of(plan.options.input_dtype)) +
                         scalars(plan.output) * static_cast<double>(size_of(plan.options.output_dtype));
    const double one = bytes / kGpuCopyBytesPerSecond + bytes * effort(plan) / kGpuKernelBytesPerSecond;
    return (started ? 0.0 : kGpuStartSeconds) + static_cast<double>(fields) * one;
}

Machine this_machine(int threads) {
    Machine machine;
    machine.threads = threads > 0 ? threads : available_threads();
    machine.gpu_in_build = cuda::compiled_in();
    machine.gpu_started = machine.gpu_in_build && cuda::started();
    machine.gpu_name = [] {
        const std::vector<cuda::Device> devices = cuda::devices();
        return devices.empty() ? std::string() : devices.front().name;
    };
    machine.gpu_complaint = [] { return cuda::complaint(); };
    return machine;
}

BackendChoice choose_backend(Backend asked, const Plan& plan, std::int64_t fields, const Machine& machine) {
    if (asked != Backend::automatic) return {asked, false, {}};
    if (!machine.gpu_in_build) return {Backend::cpu, false, {}};
    const double cpu = expected_cpu_seconds(plan, fields, machine.threads);
    const double gpu = expected_gpu_seconds(plan, fields, machine.gpu_started);
    if (cpu <= gpu) {
        return {Backend::cpu, false,
                fmt::format("the CPU, about {:.2g} s; a GPU, with its start and the copies, {:.2g} s", cpu, gpu)};
    }
    const std::string name = machine.gpu_name();
    if (name.empty()) return {Backend::cpu, false, "the CPU; " + machine.gpu_complaint()};
    return {
        Backend::cuda, true,
        fmt::format("the GPU ({}), about {:.2g} s with its start and the copies; the CPU {:.2g} s", name, gpu, cpu)};
}

BackendSelection::BackendSelection(BackendChoice choice)
    : choice_(std::make_shared<BackendChoice>(std::move(choice))) {}

std::unique_ptr<Executor> BackendSelection::make(const Plan& plan, const ExecutorOptions& options) const {
    try {
        if (!needs_two_steps(plan)) return make_on(plan, options, *this);
        return make_two_step_executor(plan, options,
                                      [selection = *this](const Plan& sums, const ExecutorOptions& inner) {
                                          return make_on(sums, inner, selection);
                                      });
    } catch (const std::bad_alloc&) {
        throw Error(
            ErrorCode::unavailable,
            "the memory for the executor's workspace was refused; close other programs or ask for a coarser grid");
    }
}

void BackendSelection::fall_back(const std::string& failure, const ExecutorOptions& options) const {
    *choice_ = {Backend::cpu, false, "the CPU, after a GPU was tried"};
    // The rest is advice to those who asked for the GPU by name.
    if (options.warn) options.warn(failure.substr(0, failure.find("; ")) + "; the CPU does the work instead");
}

std::shared_ptr<std::byte[]> allocate_host(std::size_t bytes, Backend backend) {
    if (backend == Backend::cuda) return cuda::pinned_bytes(bytes);
    return std::shared_ptr<std::byte[]>(new std::byte[bytes]);
}

}  // namespace revoxel
