// The runtime of the SIMT layer: a device is this process. Its memory is NaN until it is written, with exact bounds for
// the address sanitizer.
#include "runtime/memory.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "engine/cuda_backend.hpp"
#include "executors/views.hpp"
#include "range.hpp"
#include "revoxel/cuda.hpp"
#include "revoxel/error.hpp"
#include "runtime/messages.hpp"
#include "simt/faults.hpp"
#include "simt/simt.hpp"
#include "simt/streams.hpp"

namespace revoxel {
namespace {

std::int64_t number_from(const char* variable, std::int64_t usual) {
    const char* text = std::getenv(variable);
    return text ? std::atoll(text) : usual;
}

std::atomic<std::int64_t> bytes_now{0}, bytes_most{0}, allocation_count{0};

std::int64_t all_bytes() {
    return number_from("REVOXEL_SIMT_MEMORY", std::int64_t{1} << 30);
}

/// Ranges that pin() has made.
class Pinned {
public:
    void add(const std::byte* data, std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        ranges_[data] = bytes;
    }
    void remove(const std::byte* data) {
        const std::lock_guard lock(mutex_);
        ranges_.erase(data);
    }
    bool holds(const std::byte* at) {
        const std::lock_guard lock(mutex_);
        const auto next = ranges_.upper_bound(at);
        return next != ranges_.begin() && at < std::prev(next)->first + std::prev(next)->second;
    }

private:
    std::mutex mutex_;
    std::map<const std::byte*, std::size_t> ranges_;
} pinned;

}  // namespace

namespace simt {

bool fault(const std::string& name, std::int64_t* number) {
    const char* asked = std::getenv("REVOXEL_SIMT_FAULT");
    if (!asked) return false;
    const std::string text = asked;
    const std::size_t colon = text.find(':');
    if (text.substr(0, colon) != name) return false;
    if (number) *number = colon == std::string::npos ? 1 : std::stoll(text.substr(colon + 1));
    return true;
}

std::int64_t device_bytes() {
    return bytes_now;
}
std::int64_t most_device_bytes() {
    return bytes_most;
}
void forget_most_bytes() {
    bytes_most = bytes_now.load();
}
std::int64_t allocations() {
    return allocation_count;
}

}  // namespace simt

namespace cuda {
namespace {

thread_local int device_now = 0;
std::atomic<bool> has_started{false};

/// Devices, all of them this process.
int device_count() {
    if (simt::fault("no-driver") || simt::fault("no-device") || simt::fault("old-driver")) return 0;
    return static_cast<int>(number_from("REVOXEL_SIMT_DEVICES", 1));
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
    for (int n = 0; n < device_count(); ++n) all.push_back({n, "SIMT layer", 0, 0, 1, all_bytes()});
    return all;
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
    has_started = true;
    std::int64_t first = 0;
    const bool fails = simt::fault("out-of-memory", &first) && allocation_count + 1 >= first;
    const auto free = static_cast<std::size_t>(std::max<std::int64_t>(0, all_bytes() - bytes_now));
    if (fails || bytes > free) {
        throw Error(ErrorCode::device_memory,
                    out_of_memory_text(bytes, fails ? 0 : free, static_cast<std::size_t>(all_bytes())));
    }
    ++allocation_count;
    data_ = new std::byte[bytes];
    bytes_ = bytes;
    device_ = device_now;
    std::memset(data_, 0xff, bytes);
    const std::int64_t now = bytes_now += static_cast<std::int64_t>(bytes);
    for (std::int64_t most = bytes_most; most < now && !bytes_most.compare_exchange_weak(most, now);) {
    }
}

void DeviceMemory::release() noexcept {
    if (!data_ || device_ < 0) return;
    bytes_now -= static_cast<std::int64_t>(bytes_);
    delete[] data_;
}

std::int64_t free_device_bytes() {
    return std::max<std::int64_t>(0, all_bytes() - bytes_now);
}

bool started() noexcept {
    return has_started || std::getenv("REVOXEL_SIMT_STARTED");
}

std::byte* pin(std::size_t bytes) noexcept {
    if (simt::fault("no-pinning")) return nullptr;
    auto* data = static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
    if (data) pinned.add(data, bytes);
    return data;
}

void unpin(std::byte* data) noexcept {
    pinned.remove(data);
    std::free(data);
}

bool is_pinned(const void* host) noexcept {
    return pinned.holds(static_cast<const std::byte*>(host));
}

// As CUDA: pageable memory is read before the call returns, and written before it returns; pinned memory later.
void upload(std::byte* device, const void* host, std::size_t bytes, StreamHandle stream) {
    if (is_pinned(host)) return simt::enqueue(stream, [=] { std::memcpy(device, host, bytes); });
    const auto* from = static_cast<const std::byte*>(host);
    simt::enqueue(stream, [device, copy = std::vector<std::byte>(from, from + bytes)] {
        std::memcpy(device, copy.data(), copy.size());
    });
}

void download(void* host, const std::byte* device, std::size_t bytes, StreamHandle stream) {
    simt::enqueue(stream, [=] { std::memcpy(host, device, bytes); });
    if (!is_pinned(host)) simt::finish(stream);
}

void check_device() {
    if (device_count() > 0) return;
    throw Error(ErrorCode::unavailable, simt::fault("no-driver")    ? no_driver_text()
                                        : simt::fault("old-driver") ? old_driver_text({11, 8}, {13, 0})
                                                                    : no_device_text());
}

std::string device_name() {
    return "SIMT layer";
}

// As small as the smallest of a real device, so that what it leads to is tested.
std::size_t most_shared_bytes() {
    return std::size_t{64} << 10;
}

void allow_shared_bytes(const void*) {}
void check_launch() {}

void throw_too_many_blocks(std::int64_t blocks) {
    throw Error(ErrorCode::unavailable, std::to_string(blocks) + " blocks are too many");
}

// Instead of CUB's reduction.
RangeFinder::RangeFinder(std::int64_t, DType) : range_(2 * sizeof(double)), scratch_(1) {}

void RangeFinder::find(const Field& field, StreamHandle stream) const {
    simt::enqueue(stream, [field, to = range_.data()] {
        const ConstVolumeView view{field.data,
                                   field.dtype,
                                   {field.extent[0], field.extent[1], field.extent[2]},
                                   {field.stride[0], field.stride[1], field.stride[2]}};
        const FiniteRange found = finite_range(view, {{0, 0, 0}, view.extent});
        const double range[2] = {found.low + 0.0, found.high + 0.0};
        std::memcpy(to, range, sizeof range);
    });
}

bool compiled_in() noexcept {
    return true;
}

bool available() noexcept {
    return device_count() > 0;
}

std::string description() {
    return "SIMT layer of the tests";
}

}  // namespace cuda
}  // namespace revoxel
