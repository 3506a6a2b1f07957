#include "runtime/memory.hpp"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <atomic>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "revoxel/error.hpp"
#include "runtime/check.hpp"
#include "runtime/device_info.hpp"
#include "runtime/messages.hpp"

namespace revoxel::cuda {
namespace {

std::atomic<bool> has_started{false};

/// Of one device: what DeviceMemory comes from. Lives as long as the process.
struct Pool {
    cudaMemPool_t pool = nullptr;   ///< null: this device has no pools
    cudaStream_t stream = nullptr;  ///< on which it is taken and given back
};

Pool make_pool(int device) {
    Pool result;
    int supported = 0;
    check(cudaDeviceGetAttribute(&supported, cudaDevAttrMemoryPoolsSupported, device), "asking for memory pools");
    if (supported == 0) return result;
    cudaMemPoolProps properties{};
    properties.allocType = cudaMemAllocationTypePinned;  // on the device it means: it stays where it is
    properties.location.type = cudaMemLocationTypeDevice;
    properties.location.id = device;
    check(cudaMemPoolCreate(&result.pool, &properties), "making a memory pool");
    std::uint64_t kept = std::uint64_t{1} << 30;  // by default all goes back to the driver when a stream is waited for
    check(cudaMemPoolSetAttribute(result.pool, cudaMemPoolAttrReleaseThreshold, &kept), "setting up a memory pool");
    check(cudaStreamCreateWithFlags(&result.stream, cudaStreamNonBlocking), "making a stream");
    return result;
}

/// Of the current device.
const Pool& pool_of(int device) {
    static std::mutex mutex;
    static auto& pools = *new std::map<int, Pool>;  // never destroyed: memory may be given back at the very end
    const std::lock_guard lock(mutex);
    auto found = pools.find(device);
    if (found == pools.end()) found = pools.emplace(device, make_pool(device)).first;
    return found->second;
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
    has_started = true;
}

Stream::~Stream() {
    cudaStreamSynchronize(handle_);
    cudaStreamDestroy(handle_);
}

void Stream::wait() const {
    check(cudaStreamSynchronize(handle_), "running a kernel");
}

void Stream::wait_for(const Event& event) const {
    check(cudaStreamWaitEvent(handle_, event.handle(), 0), "waiting for another stream");
}

Event::Event() {
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event");
    handle_ = event;
}

Event::~Event() {
    cudaEventDestroy(handle_);
}

void Event::record(const Stream& stream) {
    check(cudaEventRecord(handle_, stream.handle()), "recording an event");
}

void Event::wait() const {
    check(cudaEventSynchronize(handle_), "running a kernel");
}

DeviceMemory::DeviceMemory(std::size_t bytes) {
    if (ScratchLender* lender = ScratchLender::current()) {
        data_ = lender->lend(bytes);
        bytes_ = bytes;
    } else {
        allocate(bytes);
    }
}

DeviceMemory DeviceMemory::lasting(std::size_t bytes) {
    DeviceMemory memory;
    memory.allocate(bytes);
    return memory;
}

void DeviceMemory::allocate(std::size_t bytes) {
    if (bytes == 0) return;
    const int device = current_device();
    const Pool& pool = pool_of(device);
    void* data = nullptr;
    const cudaError_t status =
        pool.pool ? cudaMallocFromPoolAsync(&data, bytes, pool.pool, pool.stream) : cudaMalloc(&data, bytes);
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        std::size_t free = 0, total = 0;
        cudaMemGetInfo(&free, &total);
        throw Error(ErrorCode::device_memory, out_of_memory_text(bytes, free, total));
    }
    check(status, "taking memory");
    data_ = static_cast<std::byte*>(data);
    bytes_ = bytes;
    device_ = device;
    if (pool.pool) check(cudaStreamSynchronize(pool.stream), "taking memory");  // from now on any stream may use it
}

void DeviceMemory::release() noexcept {
    if (!data_ || device_ < 0) return;
    int before = device_;
    cudaGetDevice(&before);
    if (before != device_) cudaSetDevice(device_);
    const Pool& pool = pool_of(device_);
    if (pool.pool) {
        cudaDeviceSynchronize();  // as cudaFree does
        cudaFreeAsync(data_, pool.stream);
    } else {
        cudaFree(data_);
    }
    if (before != device_) cudaSetDevice(before);
}

std::int64_t free_device_bytes() {
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for memory");
    std::uint64_t reserved = 0, used = 0;
    if (const Pool& pool = pool_of(current_device()); pool.pool) {
        check(cudaMemPoolGetAttribute(pool.pool, cudaMemPoolAttrReservedMemCurrent, &reserved), "asking for memory");
        check(cudaMemPoolGetAttribute(pool.pool, cudaMemPoolAttrUsedMemCurrent, &used), "asking for memory");
    }
    return static_cast<std::int64_t>(free + (reserved - used));
}

bool started() noexcept {
    return has_started;
}

std::byte* pin(std::size_t bytes) noexcept {
    void* data = nullptr;
    if (cudaHostAlloc(&data, bytes, cudaHostAllocPortable) == cudaSuccess) return static_cast<std::byte*>(data);
    cudaGetLastError();
    return nullptr;
}

void unpin(std::byte* data) noexcept {
    cudaFreeHost(data);
}

bool is_pinned(const void* host) noexcept {
    cudaPointerAttributes attributes{};
    if (cudaPointerGetAttributes(&attributes, host) == cudaSuccess) return attributes.type == cudaMemoryTypeHost;
    cudaGetLastError();
    return false;
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
    std::string why = failed_text("counting devices", cudaGetErrorString(status));
    if (status == cudaErrorInsufficientDriver) {
        const Version driver = driver_version();
        why = driver.major == 0 ? no_driver_text() : old_driver_text(driver, runtime_version());
    } else if (status == cudaErrorNoDevice || status == cudaSuccess) {
        why = no_device_text();
    }
    throw Error(ErrorCode::unavailable, why);
}

std::string device_name() {
    static std::mutex mutex;
    static auto& names = *new std::map<int, std::string>;  // asking takes long
    const int device = current_device();
    const std::lock_guard lock(mutex);
    const auto found = names.find(device);
    if (found != names.end()) return found->second;
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, device), "asking for the device's properties");
    return names[device] = properties.name;
}

std::size_t most_shared_bytes() {
    int bytes = 0;
    check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, current_device()),
          "asking for shared memory");
    return static_cast<std::size_t>(bytes);
}

void allow_shared_bytes(const void* kernel) {
    // Always the same, and as much as there is: another thread's launch of the kernel may need more than this one's.
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(most_shared_bytes())),
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
