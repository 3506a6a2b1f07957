// bench/gpu_device.hpp on the host, so that the benchmark's own logic is tested where there is no GPU. What it measures
// says nothing: device memory is memory, a queue is done at once, plans run on the CPU executor.
// With REVOXEL_TEST_BREAK=outputs each run flips a bit of its last voxel; with REVOXEL_TEST_NO_DEVICE there is no
// device.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <variant>

#include "bench/gpu_device.hpp"
#include "pipeline/argmax.hpp"
#include "revoxel/error.hpp"
#include "revoxel/executor.hpp"

namespace revoxel::bench {
namespace {

bool outputs_are_broken() {
    const char* word = std::getenv("REVOXEL_TEST_BREAK");
    return word != nullptr && std::string_view(word) == "outputs";
}

ExecutorOptions one_thread() {
    ExecutorOptions options;
    options.threads = 1;
    return options;
}

void flip_bit_of_last(const VolumeView& output) {
    const std::int64_t last = output.extent[0] * output.extent[1] * output.extent[2] - 1;
    const auto bytes = static_cast<std::int64_t>(size_of(output.dtype));
    static_cast<std::byte*>(output.data)[last * bytes] ^= std::byte{1};
}

class HostPlan : public cuda::DevicePlan {
public:
    explicit HostPlan(const Plan& plan) : plan_(plan), executor_(make_executor(plan, Backend::cpu, one_thread())) {}
    void run(const ConstVolumeView& input, const VolumeView& output, cuda::StreamHandle) override {
        executor_->run(input, output);
        if (outputs_are_broken()) flip_bit_of_last(output);
    }
    std::int64_t bytes() const noexcept override { return executor_->workspace_bytes(); }
    std::int64_t scratch_bytes() const noexcept override { return 0; }
    const Plan& plan() const noexcept override { return plan_; }
    int device() const noexcept override { return 0; }

private:
    Plan plan_;
    std::unique_ptr<Executor> executor_;
};

/// Of fields without gaps, one channel after the other.
class HostArgmaxPlan : public cuda::ArgmaxPlan {
public:
    HostArgmaxPlan(const Plan& plan, const std::vector<std::int64_t>& table)
        : plan_(plan),
          table_(table),
          scores_(plan.input, plan.options.input_dtype, static_cast<std::int64_t>(table.size())),
          labels_(plan.output, plan.options.output_dtype) {}
    void run(const ConstVolumeView& scores, std::int64_t, const VolumeView& labels, cuda::StreamHandle) override {
        std::memcpy(scores_.data(), scores.data, static_cast<std::size_t>(scores_.size_bytes()));
        pipeline::argmax_channels(plan_, Backend::cpu, one_thread(), scores_, table_, labels_);
        std::memcpy(labels.data, labels_.data(), static_cast<std::size_t>(labels_.size_bytes()));
        if (outputs_are_broken()) flip_bit_of_last(labels);
    }
    std::int64_t bytes() const noexcept override { return scores_.size_bytes() + labels_.size_bytes(); }
    const Plan& plan() const noexcept override { return plan_; }
    int device() const noexcept override { return 0; }

private:
    Plan plan_;
    std::vector<std::int64_t> table_;
    Volume scores_, labels_;
};

Plan with_affine(Plan plan, const double* rows) {
    Affine& affine = std::get<AffineGather>(plan.stages.back()).out_to_in;
    for (int n = 0; n < 12; ++n) affine(n / 4, n % 4) = rows[n];
    return plan;
}

}  // namespace

GpuFacts gpu_facts() {
    if (std::getenv("REVOXEL_TEST_NO_DEVICE") != nullptr) {
        throw Error(ErrorCode::unavailable, "looking for a GPU: the test device is switched off");
    }
    GpuFacts facts;
    facts.name = "test device";
    facts.compute = "0.0";
    facts.l2_bytes = std::int64_t{1} << 16;
    facts.memory_bytes = std::int64_t{1} << 32;
    facts.free_bytes = std::int64_t{1} << 26;  // so that measuring copies takes no time
    return facts;
}

GpuMemory::GpuMemory(std::int64_t bytes)
    : data_(new std::byte[static_cast<std::size_t>(bytes)], std::default_delete<std::byte[]>()) {}

void gpu_upload(std::byte* device, const void* host, std::int64_t bytes) {
    std::memcpy(device, host, static_cast<std::size_t>(bytes));
}

void gpu_download(void* host, const std::byte* device, std::int64_t bytes) {
    std::memcpy(host, device, static_cast<std::size_t>(bytes));
}

void gpu_fill(std::byte* device, int byte, std::int64_t bytes) {
    std::memset(device, byte, static_cast<std::size_t>(bytes));
}

void gpu_copy(std::byte* to, const std::byte* from, std::int64_t bytes, CopyBy) {
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

cuda::StreamHandle gpu_stream() {
    return nullptr;
}

void gpu_wait() {}

std::vector<double> gpu_milliseconds(int repeat, const std::function<void(int)>& queue) {
    std::vector<double> times;
    for (int n = 0; n < repeat; ++n) {
        const auto start = std::chrono::steady_clock::now();
        queue(n);
        times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
    return times;
}

std::function<void()> gpu_graph(const std::function<void()>& queue) {
    return queue;
}

std::unique_ptr<cuda::DevicePlan> gpu_plan(const Plan& plan) {
    return std::make_unique<HostPlan>(plan);
}

std::unique_ptr<cuda::ArgmaxPlan> gpu_argmax_plan(const Plan& plan, const std::vector<std::int64_t>& labels) {
    return std::make_unique<HostArgmaxPlan>(plan, labels);
}

void gpu_run(const std::vector<cuda::DeviceJob>& jobs) {
    for (const cuda::DeviceJob& job : jobs) {
        const auto in_bytes = static_cast<std::int64_t>(size_of(job.input.dtype));
        const auto out_bytes = static_cast<std::int64_t>(size_of(job.output.dtype));
        for (std::int64_t n = 0; n < job.count; ++n) {
            ConstVolumeView input = job.input;
            VolumeView output = job.output;
            input.data = static_cast<const std::byte*>(input.data) + n * job.input_step * in_bytes;
            output.data = static_cast<std::byte*>(output.data) + n * job.output_step * out_bytes;
            if (job.affines == nullptr) {
                job.plan->run(input, output, nullptr);
            } else {
                HostPlan(with_affine(job.plan->plan(), job.affines + 12 * n)).run(input, output, nullptr);
            }
        }
    }
}

}  // namespace revoxel::bench
