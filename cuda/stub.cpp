// Stands in for the CUDA side where it is not compiled.
#include "engine/cuda_backend.hpp"
#include "revoxel/cuda.hpp"
#include "revoxel/error.hpp"

namespace revoxel::cuda {

bool compiled_in() noexcept {
    return false;
}

std::string description() {
    return "not compiled in";
}

bool available() noexcept {
    return false;
}

std::string complaint() {
    return "this build has no CUDA";
}

bool started() noexcept {
    return false;
}

std::shared_ptr<std::byte[]> pinned_bytes(std::size_t bytes) {
    return std::shared_ptr<std::byte[]>(new std::byte[bytes]);
}

namespace {

[[noreturn]] void refuse() {
    throw Error(ErrorCode::unavailable,
                "backend cuda: this build has no CUDA; build with a CUDA toolkit, or choose auto, cpu or reference");
}

}  // namespace

std::unique_ptr<Executor> make_executor(const Plan&, const ExecutorOptions&) {
    refuse();
}

std::vector<Device> devices() {
    return {};
}

std::unique_ptr<DevicePlan> make_device_plan(const Plan&, const DeviceOptions&) {
    refuse();
}

void run(const std::vector<DeviceJob>&, StreamHandle) {
    refuse();
}

std::unique_ptr<ArgmaxPlan> make_argmax_plan(const Plan&, const std::vector<std::int64_t>&, const DeviceOptions&,
                                             std::int64_t) {
    refuse();
}

}  // namespace revoxel::cuda
