// Volumes on the host, row by row, to and from memory without gaps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "executors/thread_pool.hpp"
#include "revoxel/volume.hpp"

namespace revoxel::cuda {

/// How a volume lies on the device: without gaps, its axes in the order of the host's strides.
std::array<std::int64_t, 3> packed_strides(const ConstVolumeView& host);
/// Whether it lies on the host as it will on the device.
bool is_packed(const ConstVolumeView& host);
std::int64_t bytes_of(const ConstVolumeView& view);

/// Rows of a volume: along the axis with the smallest stride, in the order in which they lie on the device.
class HostRows {
public:
    explicit HostRows(const ConstVolumeView& host);

    std::int64_t count() const { return count_[1] * count_[2]; }
    std::int64_t row_bytes() const { return count_[0] * scalar_bytes_; }
    /// Rows [begin, end) to packed memory.
    void pack(std::int64_t begin, std::int64_t end, std::byte* to, ThreadPool& pool) const;
    /// Of a view that may be written to.
    void unpack(std::int64_t begin, std::int64_t end, const std::byte* from, ThreadPool& pool) const;

private:
    template <typename CopyRow>
    void for_each_row(std::int64_t begin, std::int64_t end, ThreadPool& pool, const CopyRow& copy_row) const;

    std::byte* data_;
    DType dtype_;
    std::int64_t scalar_bytes_;
    std::array<std::int64_t, 3> count_{}, stride_{};  ///< by ascending stride
};

}  // namespace revoxel::cuda
