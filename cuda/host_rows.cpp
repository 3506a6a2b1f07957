#include "host_rows.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace revoxel::cuda {
namespace {

/// Axes by ascending stride.
std::array<std::size_t, 3> axis_order(const ConstVolumeView& view) {
    std::array<std::size_t, 3> order{0, 1, 2};
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return std::abs(view.stride[a]) < std::abs(view.stride[b]); });
    return order;
}

template <typename T>
void copy_row(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride, std::int64_t n) {
    if (from_stride == 1 && to_stride == 1) {
        std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
        return;
    }
    for (std::int64_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
}

}  // namespace

std::array<std::int64_t, 3> packed_strides(const ConstVolumeView& host) {
    std::array<std::int64_t, 3> stride{};
    std::int64_t next = 1;
    for (const std::size_t a : axis_order(host)) {
        stride[a] = next;
        next *= host.extent[a];
    }
    return stride;
}

bool is_packed(const ConstVolumeView& host) {
    const std::array<std::int64_t, 3> packed = packed_strides(host);
    for (std::size_t a = 0; a < 3; ++a) {
        if (host.extent[a] > 1 && host.stride[a] != packed[a]) return false;
    }
    return true;
}

std::int64_t bytes_of(const ConstVolumeView& view) {
    return view.extent[0] * view.extent[1] * view.extent[2] * static_cast<std::int64_t>(size_of(view.dtype));
}

HostRows::HostRows(const ConstVolumeView& host)
    : data_(static_cast<std::byte*>(const_cast<void*>(host.data))),
      dtype_(host.dtype),
      scalar_bytes_(static_cast<std::int64_t>(size_of(host.dtype))) {
    const std::array<std::size_t, 3> order = axis_order(host);
    for (std::size_t n = 0; n < 3; ++n) {
        count_[n] = host.extent[order[n]];
        stride_[n] = host.stride[order[n]];
    }
}

template <typename CopyRow>
void HostRows::for_each_row(std::int64_t begin, std::int64_t end, ThreadPool& pool, const CopyRow& copy) const {
    constexpr std::int64_t kItemBytes = std::int64_t{256} << 10;
    const std::int64_t together = std::max<std::int64_t>(1, kItemBytes / std::max<std::int64_t>(1, row_bytes()));
    pool.for_each((end - begin + together - 1) / together, [&](std::int64_t item, int) {
        const std::int64_t last = std::min(end, begin + (item + 1) * together);
        for (std::int64_t r = begin + item * together; r < last; ++r) {
            copy(data_ + (r % count_[1] * stride_[1] + r / count_[1] * stride_[2]) * scalar_bytes_,
                 (r - begin) * row_bytes());
        }
    });
}

void HostRows::pack(std::int64_t begin, std::int64_t end, std::byte* to, ThreadPool& pool) const {
    dispatch(dtype_, [&](auto zero) {
        using T = decltype(zero);
        for_each_row(begin, end, pool, [&](const std::byte* row, std::int64_t at) {
            copy_row(reinterpret_cast<const T*>(row), stride_[0], reinterpret_cast<T*>(to + at), 1, count_[0]);
        });
    });
}

void HostRows::unpack(std::int64_t begin, std::int64_t end, const std::byte* from, ThreadPool& pool) const {
    dispatch(dtype_, [&](auto zero) {
        using T = decltype(zero);
        for_each_row(begin, end, pool, [&](std::byte* row, std::int64_t at) {
            copy_row(reinterpret_cast<const T*>(from + at), 1, reinterpret_cast<T*>(row), stride_[0], count_[0]);
        });
    });
}

}  // namespace revoxel::cuda
