// The runtime of the SIMT layer: a device is this process. Its memory is NaN until it is written, with exact bounds for
// the address sanitizer.
#include "runtime/memory.hpp"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "engine/cuda_backend.hpp"
#include "executors/views.hpp"
#include "range.hpp"
#include "revoxel/cuda.hpp"
#include "revoxel/error.hpp"

namespace revoxel::cuda {

namespace {

thread_local int device_now = 0;

/// Devices, all of them this process.
int device_count() {
    const char* count = std::getenv("REVOXEL_SIMT_DEVICES");
    return count ? std::atoi(count) : 1;
}

}  // namespace

OnDevice::OnDevice(int device) {
    if (device < 0) return;
    if (device >= device_count()) throw Error(ErrorCode::usage, "there is no GPU " + std::to_string(device));
    before_ = std::exchange(device_now, device);
}

OnDevice::~OnDevice() {
    if (before_ >= 0) device_now = before_;
}

int current_device() {
    return device_now;
}

std::vector<Device> devices() {
    std::vector<Device> all;
    for (int n = 0; n < device_count(); ++n) all.push_back({n, "SIMT layer", 0, 0, 1, std::int64_t{1} << 30});
    return all;
}

Stream::Stream() = default;
Stream::~Stream() = default;
void Stream::wait() const {}

DeviceMemory::DeviceMemory(std::size_t bytes) : data_(new std::byte[bytes]), bytes_(bytes) {
    std::memset(data_, 0xff, bytes);
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
    delete[] data_;
}

void upload(std::byte* device, const void* host, std::size_t bytes, StreamHandle) {
    std::memcpy(device, host, bytes);
}

void download(void* host, const std::byte* device, std::size_t bytes, StreamHandle) {
    std::memcpy(host, device, bytes);
}

void check_device() {}

std::string device_name() {
    return "SIMT layer";
}

// As small as the smallest of a real device, so that what it leads to is tested.
std::size_t most_shared_bytes() {
    return std::size_t{64} << 10;
}

void allow_shared_bytes(const void*, std::size_t) {}
void check_launch() {}

void throw_too_many_blocks(std::int64_t blocks) {
    throw Error(ErrorCode::unavailable, std::to_string(blocks) + " blocks are too many");
}

// Instead of CUB's reduction.
RangeFinder::RangeFinder(std::int64_t, DType) : range_(2 * sizeof(double)), scratch_(1) {}

void RangeFinder::find(const Field& field, StreamHandle) const {
    const ConstVolumeView view{field.data,
                               field.dtype,
                               {field.extent[0], field.extent[1], field.extent[2]},
                               {field.stride[0], field.stride[1], field.stride[2]}};
    const FiniteRange found = finite_range(view, {{0, 0, 0}, view.extent});
    double range[2] = {found.low + 0.0, found.high + 0.0};
    std::memcpy(range_.data(), range, sizeof range);
}

bool compiled_in() noexcept {
    return true;
}

bool available() noexcept {
    return true;
}

std::string description() {
    return "SIMT layer of the tests";
}

}  // namespace revoxel::cuda
