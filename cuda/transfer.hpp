// Copies between a volume on the host, however it lies, and packed memory on the device.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "executors/thread_pool.hpp"
#include "host_rows.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

/// Whether a copy needs no detour: pinned memory without gaps.
bool goes_directly(const ConstVolumeView& host);

/// Goes through a few pinned pieces of memory: while one is copied to or from the device, host threads work on the
/// next. They are taken when the first copy needs them. One instance for each direction.
class StagedCopy {
public:
    explicit StagedCopy(ThreadPool& pool) : pool_(pool) {}
    StagedCopy(const StagedCopy&) = delete;
    StagedCopy& operator=(const StagedCopy&) = delete;

    /// The host memory may be changed when it returns.
    void to_device(const ConstVolumeView& host, std::byte* device, const Stream& stream);
    /// All is on the host when it returns.
    void to_host(const std::byte* device, const VolumeView& host, const Stream& stream);

    std::int64_t bytes() const noexcept;

private:
    struct Piece {
        PinnedMemory memory;
        Event copied;
        std::int64_t begin = 0, end = 0;  ///< rows
    };
    /// So that each holds some rows; their number.
    std::int64_t prepare(const HostRows& rows);

    ThreadPool& pool_;
    std::vector<std::unique_ptr<Piece>> pieces_;
    std::size_t next_ = 0;
};

}  // namespace revoxel::cuda
