// Tables of a plan on the device.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

#include "axis_taps.hpp"
#include "revoxel/plan.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

/// Collects arrays and brings them to the device together.
class Tables {
public:
    /// Where an array will be; at() tells the address after upload().
    struct Place {
        std::size_t offset = 0;
        bool there = false;
    };

    template <typename T>
    Place add(const std::vector<T>& values) {
        constexpr std::size_t kAlignment = 256;
        bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment);
        const Place place{bytes_.size(), true};
        bytes_.resize(bytes_.size() + values.size() * sizeof(T));
        if (!values.empty()) std::memcpy(bytes_.data() + place.offset, values.data(), values.size() * sizeof(T));
        return place;
    }
    /// After the last add(). The tables are there for what is queued on `stream` from now on; wait for it before other
    /// streams use them.
    void upload(StreamHandle stream) {
        memory_ = DeviceMemory::lasting(bytes_.size());
        if (!bytes_.empty()) cuda::upload(memory_.data(), bytes_.data(), bytes_.size(), stream);
        bytes_ = {};
    }
    template <typename T>
    const T* at(const Place& place) const {
        return place.there ? reinterpret_cast<const T*>(memory_.data() + place.offset) : nullptr;
    }
    std::size_t bytes() const noexcept { return memory_.bytes(); }

private:
    std::vector<std::byte> bytes_;
    DeviceMemory memory_;
};

/// Where the arrays of AxisTaps are.
struct AxisPlaces {
    Tables::Place first, count, weight, bias;
    std::int32_t stride = 1, n_in = 0;
    bool wraps = false;
};

/// `table` null: an axis of n voxels that does not change. Throws Error(unavailable) where an axis is too long for
/// 32 bits.
template <typename C>
AxisPlaces add_axis(Tables& tables, const TapTable* table, std::int64_t n);

template <typename C>
AxisTaps<C> taps_at(const Tables& tables, const AxisPlaces& places) {
    return {tables.at<std::int32_t>(places.first),
            tables.at<std::int32_t>(places.count),
            tables.at<C>(places.weight),
            tables.at<C>(places.bias),
            places.stride,
            places.n_in,
            places.wraps};
}

/// An index or a length as the kernels hold it. Throws as add_axis does.
std::int32_t narrow(std::int64_t value);

}  // namespace revoxel::cuda
