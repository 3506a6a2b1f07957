// Which stored values stand for a label.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>

#include "math/values.hpp"
#include "revoxel/dtype.hpp"

namespace revoxel::pipeline {

/// A label is a whole number that int64 holds, in a voxel of any type; floats stand for one when they are whole.
template <typename T>
std::optional<std::int64_t> label_of(T value) {
    if constexpr (std::is_same_v<T, Float16>) {
        return label_of(static_cast<float>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
        if (!(value >= T{-0x1p63} && value < T{0x1p63}) || value != std::floor(value)) return std::nullopt;
    } else if constexpr (std::is_same_v<T, std::uint64_t>) {
        if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    }
    return static_cast<std::int64_t>(value);
}

/// Whether a voxel of this type can stand for the label.
inline bool can_hold(DType dtype, std::int64_t label) {
    return dispatch(dtype, [&](auto zero) { return label_of(math::convert<decltype(zero)>(label)) == label; });
}

}  // namespace revoxel::pipeline
