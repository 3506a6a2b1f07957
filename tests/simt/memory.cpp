// The runtime of the SIMT layer: a device is this process. Its memory is NaN until it is written, with exact bounds for
// the address sanitizer.
#include "runtime/memory.hpp"

#include <cstring>
#include <new>
#include <utility>

#include "engine/cuda_backend.hpp"

namespace revoxel::cuda {

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

void upload(std::byte* device, const void* host, std::size_t bytes, const Stream&) {
    std::memcpy(device, host, bytes);
}

void download(void* host, const std::byte* device, std::size_t bytes, const Stream&) {
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
