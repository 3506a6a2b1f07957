// Conversions between stored and computed values. Usable on host and device; C++17.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "math/portable.hpp"

namespace revoxel::math {

/// How a computed value becomes an integer.
enum class RoundTo { even, away, zero };

template <RoundTo rule, typename From>
REVOXEL_HD inline From rounded(From v) {
    if constexpr (rule == RoundTo::even) return std::rint(v);
    if constexpr (rule == RoundTo::away) return std::round(v);
    return std::trunc(v);
}

/// A computed value as a stored one: rounded to an integer, clamped to the type's range; NaN becomes 0.
/// Into a floating type (Float16 is one): rounded to it (float and Float16 overflow to infinity); of all NaN one,
/// because sign and payload of those that a sum makes differ from one processor to the next.
template <typename To, RoundTo rule = RoundTo::even, typename From>
REVOXEL_HD inline To saturate_round(From v) {
    static_assert(std::is_floating_point_v<From>);
    if constexpr (!std::numeric_limits<To>::is_integer) {
        return v == v ? static_cast<To>(v) : std::numeric_limits<To>::quiet_NaN();
    } else {
        // Where From cannot hold the limit it rounds up to the next power of two, so that r below it always fits To.
        constexpr From kHigh = static_cast<From>(std::numeric_limits<To>::max());
        constexpr From kLow = static_cast<From>(std::numeric_limits<To>::min());
        const From r = rounded<rule>(v);
        if (r >= kHigh) return std::numeric_limits<To>::max();
        if (r <= kLow) return std::numeric_limits<To>::min();
        return r == r ? static_cast<To>(r) : To{0};
    }
}

/// A stored value moved into another type without computing: exact where To can hold it, else as saturate_round.
/// The same type keeps every bit (negative zero, 64-bit integers).
template <typename To, typename From>
REVOXEL_HD inline To convert(From v) {
    if constexpr (std::is_same_v<To, From>) {
        return v;
    } else if constexpr (!std::numeric_limits<From>::is_integer) {
        using Value = std::conditional_t<std::is_floating_point_v<From>, From, float>;  // float holds every Float16
        return saturate_round<To>(static_cast<Value>(v));
    } else if constexpr (!std::numeric_limits<To>::is_integer) {
        return static_cast<To>(v);
    } else {
        if (std::is_signed_v<From> && v < From{0}) {
            if constexpr (std::is_unsigned_v<To>) {
                return To{0};
            } else {
                const auto wide = static_cast<std::int64_t>(v);
                const auto low = static_cast<std::int64_t>(std::numeric_limits<To>::min());
                return wide < low ? std::numeric_limits<To>::min() : static_cast<To>(v);
            }
        }
        const auto wide = static_cast<std::uint64_t>(v);
        const auto high = static_cast<std::uint64_t>(std::numeric_limits<To>::max());
        return wide > high ? std::numeric_limits<To>::max() : static_cast<To>(v);
    }
}

/// How computed values become stored ones: clamped, then value * slope + intercept with one rounding in double, then
/// compared with a threshold or rounded.
struct Storing {
    bool plain = true;  ///< none of what follows; nearest even
    bool scaled = false;
    double slope = 1.0, intercept = 0.0;
    RoundTo rounding = RoundTo::even;
    bool clipped = false;
    double low = 0.0, high = 0.0;   ///< no clipping where low > high
    const double* range = nullptr;  ///< low and high, where only the device knows them
    bool binary = false;
    double threshold = 0.0;
};

template <typename From>
REVOXEL_HD inline From rounded(From v, RoundTo rule) {
    if (rule == RoundTo::away) return rounded<RoundTo::away>(v);
    if (rule == RoundTo::zero) return rounded<RoundTo::zero>(v);
    return rounded<RoundTo::even>(v);
}

template <typename To, typename Compute>
REVOXEL_HD inline To store_value(Compute v, const Storing& s) {
    if (s.plain) return saturate_round<To>(v);
    constexpr bool kRounds = std::numeric_limits<To>::is_integer;
    if (s.clipped) {
        const auto low = static_cast<Compute>(s.range ? s.range[0] : s.low),
                   high = static_cast<Compute>(s.range ? s.range[1] : s.high);
        if (low <= high) v = v < low ? low : v > high ? high : v;  // NaN stays
    }
    if (!s.scaled && !s.binary) return saturate_round<To>(kRounds ? rounded(v, s.rounding) : v);
    double w = static_cast<double>(v);
    if (s.scaled) w = std::fma(w, s.slope, s.intercept);
    if (s.binary) return std::rint(w * 1e6) / 1e6 >= s.threshold ? To{1} : To{0};
    return saturate_round<To>(kRounds ? rounded(w, s.rounding) : w);
}

}  // namespace revoxel::math
