// Owners of what a device lends, and copies to and from it. A host header: no CUDA header is included.
// Every function throws Error(unavailable) with CUDA's words, and Error(device_memory) where the device has too little;
// destructors throw nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

struct CUstream_st;
struct CUevent_st;

namespace revoxel::cuda {

using StreamHandle = CUstream_st*;  // as revoxel/cuda.hpp

/// Makes a device the calling thread's, until the end of the block.
class OnDevice {
public:
    /// -1: the one that it is already. Throws Error(usage) where there is no such device.
    explicit OnDevice(int device);
    ~OnDevice();
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;

private:
    int before_ = -1;
};

/// The calling thread's.
int current_device();

class Event;

/// Work of a stream happens in the order in which it was queued.
class Stream {
public:
    Stream();
    /// Waits: what was queued may use memory that is given back next.
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    StreamHandle handle() const noexcept { return handle_; }
    /// Returns when all that was queued is done; throws what went wrong in it.
    void wait() const;
    /// What is queued from now on happens after the point that the event holds now.
    void wait_for(const Event& event) const;

private:
    StreamHandle handle_ = nullptr;
};

/// A point in the work of a stream, none at first.
class Event {
public:
    Event();
    ~Event();
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    CUevent_st* handle() const noexcept { return handle_; }
    /// The point behind all that was queued until now.
    void record(const Stream& stream);
    /// Returns when the stream has come there; throws what went wrong before.
    void wait() const;

private:
    CUevent_st* handle_ = nullptr;
};

/// Bytes on the current device, not initialised, aligned to 256. Moves, does not copy. From a pool that keeps what is
/// given back for the next who asks; giving back waits for the device.
class DeviceMemory {
public:
    DeviceMemory() = default;
    /// Out of memory: Error(device_memory) that says how much was wanted and how much there is. Where the thread has a
    /// ScratchLender the memory is lent by it.
    explicit DeviceMemory(std::size_t bytes);
    /// Its own in any case: for what is written once and read later.
    static DeviceMemory lasting(std::size_t bytes);
    ~DeviceMemory() { release(); }
    DeviceMemory(DeviceMemory&& other) noexcept;
    DeviceMemory& operator=(DeviceMemory&& other) noexcept;
    DeviceMemory(const DeviceMemory&) = delete;
    DeviceMemory& operator=(const DeviceMemory&) = delete;

    std::byte* data() const noexcept { return data_; }
    std::size_t bytes() const noexcept { return bytes_; }

private:
    void allocate(std::size_t bytes);
    void release() noexcept;

    std::byte* data_ = nullptr;
    std::size_t bytes_ = 0;
    int device_ = -1;  ///< -1: it belongs to a ScratchLender
};

/// While it lives, DeviceMemory that its thread takes is lent from blocks that plans share which run one after the
/// other on one stream. Each plan is made with a lender of its own, over the same blocks.
class ScratchLender {
public:
    explicit ScratchLender(std::vector<DeviceMemory>& blocks);
    ~ScratchLender();
    ScratchLender(const ScratchLender&) = delete;
    ScratchLender& operator=(const ScratchLender&) = delete;

    /// Of this thread; null: none.
    static ScratchLender* current() noexcept;
    std::byte* lend(std::size_t bytes);
    std::size_t lent_bytes() const noexcept { return lent_bytes_; }

private:
    std::vector<DeviceMemory>& blocks_;
    std::vector<bool> lent_;
    std::size_t lent_bytes_ = 0;
    ScratchLender* before_;
};

/// Bytes on the host that devices copy from and to without a detour, aligned to 64, not initialised. Where the system
/// refuses to pin them they are ordinary memory, which only takes longer. Moves, does not copy. What is given back is
/// kept for the next who asks, up to 256 MB: pinning takes longer than copying.
class PinnedMemory {
public:
    PinnedMemory() = default;
    /// Throws std::bad_alloc.
    explicit PinnedMemory(std::size_t bytes);
    ~PinnedMemory() { release(); }
    PinnedMemory(PinnedMemory&& other) noexcept;
    PinnedMemory& operator=(PinnedMemory&& other) noexcept;
    PinnedMemory(const PinnedMemory&) = delete;
    PinnedMemory& operator=(const PinnedMemory&) = delete;

    std::byte* data() const noexcept { return data_; }
    std::size_t bytes() const noexcept { return bytes_; }
    bool pinned() const noexcept { return pinned_; }

private:
    void release() noexcept;

    std::byte* data_ = nullptr;
    std::size_t bytes_ = 0;
    bool pinned_ = false;
};

/// What PinnedMemory is made of; null where the system refuses.
std::byte* pin(std::size_t bytes) noexcept;
void unpin(std::byte* data) noexcept;
/// Whether devices copy from and to this host address without a detour.
bool is_pinned(const void* host) noexcept;

/// Queues a copy. From or to pageable host memory it returns when the host memory may be used again.
void upload(std::byte* device, const void* host, std::size_t bytes, StreamHandle stream);
void download(void* host, const std::byte* device, std::size_t bytes, StreamHandle stream);

/// Throws Error(unavailable) where there is no device that this build can use, and says what is missing.
void check_device();
/// Of the current device; "NVIDIA H200".
std::string device_name();
/// Bytes that the current device could still lend to this process.
std::int64_t free_device_bytes();
/// Whether this process has used a device already: the first use takes long.
bool started() noexcept;
/// The most shared memory that a block can be given, in bytes.
std::size_t most_shared_bytes();

/// More than this a kernel must be allowed to ask for.
inline constexpr std::size_t kSharedBytesWithoutAsking = std::size_t{48} << 10;
void allow_shared_bytes(const void* kernel);
void check_launch();
[[noreturn]] void throw_too_many_blocks(std::int64_t blocks);

}  // namespace revoxel::cuda
