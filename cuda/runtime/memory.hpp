// Owners of what a device lends, and copies to and from it. A host header: no CUDA header is included.
// Every function throws Error(unavailable) with CUDA's words; destructors throw nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

struct CUstream_st;

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

/// Work of a stream happens in the order in which it was queued.
class Stream {
public:
    Stream();
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    StreamHandle handle() const noexcept { return handle_; }
    /// Returns when all that was queued is done; throws what went wrong in it.
    void wait() const;

private:
    StreamHandle handle_ = nullptr;
};

/// Bytes on the device, not initialised, aligned to 256. Moves, does not copy.
class DeviceMemory {
public:
    DeviceMemory() = default;
    /// Out of memory: Error(unavailable) that says how much was wanted and how much there is.
    explicit DeviceMemory(std::size_t bytes);
    ~DeviceMemory() { release(); }
    DeviceMemory(DeviceMemory&& other) noexcept;
    DeviceMemory& operator=(DeviceMemory&& other) noexcept;
    DeviceMemory(const DeviceMemory&) = delete;
    DeviceMemory& operator=(const DeviceMemory&) = delete;

    std::byte* data() const noexcept { return data_; }
    std::size_t bytes() const noexcept { return bytes_; }

private:
    void release() noexcept;

    std::byte* data_ = nullptr;
    std::size_t bytes_ = 0;
};

/// Queues a copy. From or to pageable host memory it returns when the host memory may be used again.
void upload(std::byte* device, const void* host, std::size_t bytes, StreamHandle stream);
void download(void* host, const std::byte* device, std::size_t bytes, StreamHandle stream);

/// Throws Error(unavailable) where there is no device that this build can use, and says what is missing.
void check_device();
/// Of the current device; "NVIDIA H200".
std::string device_name();
/// The most shared memory that a block can be given, in bytes.
std::size_t most_shared_bytes();

/// More than this a kernel must be allowed to ask for.
inline constexpr std::size_t kSharedBytesWithoutAsking = std::size_t{48} << 10;
void allow_shared_bytes(const void* kernel, std::size_t bytes);
void check_launch();
[[noreturn]] void throw_too_many_blocks(std::int64_t blocks);

}  // namespace revoxel::cuda
