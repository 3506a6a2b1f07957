#include "runtime/memory.hpp"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <string>
#include <utility>

#include "revoxel/error.hpp"
#include "runtime/device_info.hpp"

namespace revoxel::cuda {
namespace {

void check(cudaError_t status, const char* what) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // or the next check of an unrelated call would report it
    throw Error(ErrorCode::unavailable, fmt::format("CUDA: {} failed: {}", what, cudaGetErrorString(status)));
}

}  // namespace

OnDevice::OnDevice(int device) {
    if (device < 0) return;
    int count = 0;
    check(cudaGetDeviceCount(&count), "counting devices");
    if (device >= count) {
        throw Error(ErrorCode::usage, fmt::format("there is no GPU {}; this machine has {} (from 0)", device, count));
    }
    const int before = current_device();
    if (before == device) return;
    check(cudaSetDevice(device), "choosing a device");
    before_ = before;
}

OnDevice::~OnDevice() {
    if (before_ >= 0) cudaSetDevice(before_);
}

int current_device() {
    int device = 0;
    check(cudaGetDevice(&device), "asking for the device");
    return device;
}

Stream::Stream() {
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
    handle_ = stream;
}

Stream::~Stream() {
    cudaStreamDestroy(handle_);
}

void Stream::wait() const {
    check(cudaStreamSynchronize(handle_), "running a kernel");
}

DeviceMemory::DeviceMemory(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    void* data = nullptr;
    const cudaError_t status = cudaMalloc(&data, bytes);
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        std::size_t free = 0, total = 0;
        cudaMemGetInfo(&free, &total);
        throw Error(ErrorCode::unavailable,
                    fmt::format("the GPU has {:.4g} MB of memory left of {:.4g} MB, and {:.4g} MB more were wanted",
                                static_cast<double>(free) / 1e6, static_cast<double>(total) / 1e6,
                                static_cast<double>(bytes) / 1e6));
    }
    check(status, "taking memory");
    data_ = static_cast<std::byte*>(data);
}

DeviceMemory::DeviceMemory(DeviceMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
    if (this != &other) {
        release();
        data_ = std::exchange(other.data_, nullptr);
        bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
}

void DeviceMemory::release() noexcept {
    if (data_) cudaFree(data_);
}

void upload(std::byte* device, const void* host, std::size_t bytes, StreamHandle stream) {
    check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream), "a copy to the GPU");
}

void download(void* host, const std::byte* device, std::size_t bytes, StreamHandle stream) {
    check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream), "a copy from the GPU");
}

void check_device() {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaSuccess && count > 0) return;
    cudaGetLastError();
    std::string why = cudaGetErrorString(status);
    if (status == cudaErrorInsufficientDriver) {
        const Version driver = driver_version();
        why = driver.major == 0 ? "no NVIDIA driver is installed"
                                : fmt::format("the driver serves CUDA {}, this build needs {}; update the driver",
                                              to_string(driver), to_string(runtime_version()));
    } else if (status == cudaErrorNoDevice || status == cudaSuccess) {
        why = "there is no NVIDIA GPU, or CUDA_VISIBLE_DEVICES hides it";
    }
    throw Error(ErrorCode::unavailable, "backend cuda: " + why);
}

std::string device_name() {
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, current_device()), "asking for the device's properties");
    return properties.name;
}

std::size_t most_shared_bytes() {
    int bytes = 0;
    check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, current_device()),
          "asking for shared memory");
    return static_cast<std::size_t>(bytes);
}

void allow_shared_bytes(const void* kernel, std::size_t bytes) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
          "asking for shared memory");
}

void check_launch() {
    check(cudaGetLastError(), "launching a kernel");
}

void throw_too_many_blocks(std::int64_t blocks) {
    throw Error(
        ErrorCode::unavailable,
        fmt::format("backend cuda: {} blocks of threads for one volume are too many; choose --backend cpu", blocks));
}

}  // namespace revoxel::cuda
