#include <cuda_runtime.h>

#include "gpu_device.hpp"
#include "revoxel/error.hpp"

namespace revoxel::bench {
namespace {

void check(cudaError_t code, const char* what) {
    if (code == cudaSuccess) return;
    cudaGetLastError();  // a next call shall not find this one's error
    throw Error(ErrorCode::unavailable, std::string(what) + ": " + cudaGetErrorString(code));
}

__global__ void copy_kernel(uint4* to, const uint4* from, std::int64_t count) {
    const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (at < count) to[at] = from[at];
}

/// Events that are destroyed whatever happens.
class Events {
public:
    explicit Events(int count) {
        for (int n = 0; n < count; ++n) {
            cudaEvent_t event{};
            check(cudaEventCreate(&event), "creating an event");
            events_.push_back(event);
        }
    }
    ~Events() {
        for (const cudaEvent_t event : events_) cudaEventDestroy(event);
    }
    Events(const Events&) = delete;
    Events& operator=(const Events&) = delete;
    cudaEvent_t operator[](int n) const { return events_[static_cast<std::size_t>(n)]; }

private:
    std::vector<cudaEvent_t> events_;
};

}  // namespace

GpuFacts gpu_facts() {
    int count = 0, device = 0;
    check(cudaGetDeviceCount(&count), "looking for a GPU");
    if (count == 0) throw Error(ErrorCode::unavailable, "looking for a GPU: the driver offers none");
    check(cudaGetDevice(&device), "asking for the current device");
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), "asking for the device's properties");
    GpuFacts facts;
    facts.name = properties.name;
    facts.compute = std::to_string(properties.major) + "." + std::to_string(properties.minor);
    facts.multiprocessors = properties.multiProcessorCount;
    facts.l2_bytes = properties.l2CacheSize;
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for the device's memory");
    facts.memory_bytes = static_cast<std::int64_t>(total);
    facts.free_bytes = static_cast<std::int64_t>(free);
    check(cudaDriverGetVersion(&facts.driver_cuda), "asking for the driver's version");
    check(cudaRuntimeGetVersion(&facts.runtime_cuda), "asking for the runtime's version");
    return facts;
}

GpuMemory::GpuMemory(std::int64_t bytes) {
    void* data = nullptr;
    const std::string what = "allocating " + std::to_string(bytes) + " bytes on the device";
    check(cudaMalloc(&data, static_cast<std::size_t>(bytes)), what.c_str());
    data_ = {static_cast<std::byte*>(data), [](std::byte* p) { cudaFree(p); }};
}

void gpu_upload(std::byte* device, const void* host, std::int64_t bytes) {
    gpu_wait();
    check(cudaMemcpy(device, host, static_cast<std::size_t>(bytes), cudaMemcpyHostToDevice), "copying to the device");
    check(cudaDeviceSynchronize(), "copying to the device");
}

void gpu_download(void* host, const std::byte* device, std::int64_t bytes) {
    gpu_wait();
    check(cudaMemcpy(host, device, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost), "copying from the device");
}

void gpu_fill(std::byte* device, int byte, std::int64_t bytes) {
    check(cudaMemsetAsync(device, byte, static_cast<std::size_t>(bytes), gpu_stream()), "filling device memory");
    gpu_wait();
}

void gpu_copy(std::byte* to, const std::byte* from, std::int64_t bytes, CopyBy by) {
    if (by == CopyBy::driver) {
        check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice, gpu_stream()),
              "copying on the device");
        return;
    }
    constexpr std::int64_t kThreads = 256;
    const std::int64_t count = bytes / static_cast<std::int64_t>(sizeof(uint4));
    copy_kernel<<<static_cast<unsigned>((count + kThreads - 1) / kThreads), kThreads, 0, gpu_stream()>>>(
        reinterpret_cast<uint4*>(to), reinterpret_cast<const uint4*>(from), count);
    check(cudaGetLastError(), "starting the copy kernel");
}

cuda::StreamHandle gpu_stream() {
    static const cudaStream_t stream = [] {
        cudaStream_t made{};
        check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "creating a stream");
        return made;
    }();
    return stream;
}

void gpu_wait() {
    check(cudaStreamSynchronize(gpu_stream()), "waiting for the stream");
}

std::vector<double> gpu_milliseconds(int repeat, const std::function<void(int)>& queue) {
    const Events events(repeat + 1);
    check(cudaEventRecord(events[0], gpu_stream()), "recording an event");
    for (int n = 0; n < repeat; ++n) {
        queue(n);
        check(cudaEventRecord(events[n + 1], gpu_stream()), "recording an event");
    }
    gpu_wait();
    std::vector<double> times;
    for (int n = 0; n < repeat; ++n) {
        float milliseconds = 0.0F;
        check(cudaEventElapsedTime(&milliseconds, events[n], events[n + 1]), "reading an event");
        times.push_back(milliseconds);
    }
    return times;
}

std::function<void()> gpu_graph(const std::function<void()>& queue) {
    check(cudaStreamBeginCapture(gpu_stream(), cudaStreamCaptureModeThreadLocal), "beginning a capture");
    cudaGraph_t graph{};
    try {
        queue();
    } catch (...) {
        cudaStreamEndCapture(gpu_stream(), &graph);
        if (graph != nullptr) cudaGraphDestroy(graph);
        throw;
    }
    check(cudaStreamEndCapture(gpu_stream(), &graph), "ending a capture");
    cudaGraphExec_t made{};
    const cudaError_t code = cudaGraphInstantiate(&made, graph, 0);
    cudaGraphDestroy(graph);
    check(code, "instantiating a graph");
    const std::shared_ptr<CUgraphExec_st> owner(made, [](cudaGraphExec_t exec) { cudaGraphExecDestroy(exec); });
    return [owner] { check(cudaGraphLaunch(owner.get(), gpu_stream()), "launching a graph"); };
}

std::unique_ptr<cuda::DevicePlan> gpu_plan(const Plan& plan) {
    return cuda::make_device_plan(plan);
}

std::unique_ptr<cuda::ArgmaxPlan> gpu_argmax_plan(const Plan& plan, const std::vector<std::int64_t>& labels) {
    return cuda::make_argmax_plan(plan, labels);
}

void gpu_run(const std::vector<cuda::DeviceJob>& jobs) {
    cuda::run(jobs, gpu_stream());
}

}  // namespace revoxel::bench
