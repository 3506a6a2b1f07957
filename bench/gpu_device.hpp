// The GPU as the benchmark sees it: memory, one stream, a clock, plans. gpu_device.cu is all of the benchmark that
// speaks CUDA; tests/bench has the same functions on the host, so that all else runs without a GPU. Every function
// throws Error(unavailable) where the device does not do what it is asked for. Queued work happens in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "revoxel/cuda.hpp"

namespace revoxel::bench {

struct GpuFacts {
    std::string name;     ///< "NVIDIA H200"
    std::string compute;  ///< "9.0"
    int multiprocessors = 0;
    std::int64_t l2_bytes = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t free_bytes = 0;
    int driver_cuda = 0;   ///< the newest CUDA that the driver knows; 13000 is 13.0
    int runtime_cuda = 0;  ///< the CUDA of this build
};

/// Of the current device.
GpuFacts gpu_facts();

/// Bytes on the device, not initialised. Moves, does not copy.
class GpuMemory {
public:
    GpuMemory() = default;
    explicit GpuMemory(std::int64_t bytes);
    std::byte* data() const noexcept { return data_.get(); }

private:
    std::shared_ptr<std::byte> data_;
};

/// These three wait until it is done.
void gpu_upload(std::byte* device, const void* host, std::int64_t bytes);
void gpu_download(void* host, const std::byte* device, std::int64_t bytes);
void gpu_fill(std::byte* device, int byte, std::int64_t bytes);

/// Queues a copy on the device, by the driver or by a CUDA kernel of ours that reads and writes 16 bytes a thread.
enum class CopyBy { driver, kernel };
void gpu_copy(std::byte* to, const std::byte* from, std::int64_t bytes, CopyBy by);

/// The stream of all that is queued here.
cuda::StreamHandle gpu_stream();
void gpu_wait();

/// Calls queue(0), queue(1), ..., one after the other without waiting, and returns the milliseconds of each on the
/// device: from event to event.
std::vector<double> gpu_milliseconds(int repeat, const std::function<void(int)>& queue);

/// Captures what `queue` queues into a CUDA graph; what is returned queues it.
std::function<void()> gpu_graph(const std::function<void()>& queue);

/// As the functions of the same purpose in revoxel/cuda.hpp.
std::unique_ptr<cuda::DevicePlan> gpu_plan(const Plan& plan);
std::unique_ptr<cuda::ArgmaxPlan> gpu_argmax_plan(const Plan& plan, const std::vector<std::int64_t>& labels);
void gpu_run(const std::vector<cuda::DeviceJob>& jobs);

}  // namespace revoxel::bench
