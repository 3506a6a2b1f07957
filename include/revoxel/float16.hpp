// Half precision (IEEE 754 binary16) as a type to store voxels in: networks write their scores in it. Usable on host
// and device; C++17.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#if defined(__CUDACC__)
#define REVOXEL_FLOAT16_HD __host__ __device__
#else
// Always inlined: these functions are compiled for several instruction sets, and the linker must not merge the copies.
#define REVOXEL_FLOAT16_HD __attribute__((always_inline))
#endif

namespace revoxel {

/// One value of 16 bits: 1 sign, 5 exponent, 10 fraction; up to 65504, and to 2^-24 below. Converting to float is exact
/// and implicit, so comparisons and arithmetic happen in float; converting from a number rounds once, to nearest, ties
/// to even: from 65520 on to infinity. NaN stays NaN and becomes a quiet one, with the sign and the upper bits of its
/// payload, as F16C does it.
struct Float16 {
    std::uint16_t bits;

    Float16() = default;
    template <typename V, typename = std::enable_if_t<std::is_arithmetic_v<V>>>
    REVOXEL_FLOAT16_HD inline explicit Float16(V value);
    REVOXEL_FLOAT16_HD inline operator float() const;

    REVOXEL_FLOAT16_HD static constexpr Float16 from_bits(std::uint16_t bits) {
        Float16 value{};
        value.bits = bits;
        return value;
    }
};

namespace detail {

/// V is float with 32 bits or double with 64.
template <typename V, typename Bits>
REVOXEL_FLOAT16_HD inline std::uint16_t half_bits(V value) {
    constexpr int kFraction = std::numeric_limits<V>::digits - 1, kDropped = kFraction - 10;
    constexpr int kBias = std::numeric_limits<V>::max_exponent - 1;
    constexpr Bits kOne = 1, kSign = kOne << (8 * sizeof(Bits) - 1), kInfinity = Bits{2 * kBias + 1} << kFraction;
    constexpr Bits kNormal = Bits{kBias - 14} << kFraction;           // 2^-14, the smallest that is not subnormal
    constexpr Bits kHuge = Bits{kBias + 16} << kFraction;             // 2^16
    constexpr Bits kUnit = Bits{kBias + kDropped - 14} << kFraction;  // whose last digit is worth 2^-24
    Bits bits, sum;
    std::memcpy(&bits, &value, sizeof bits);
    const auto sign = static_cast<std::uint32_t>((bits & kSign) >> (8 * sizeof(Bits) - 16));
    const Bits magnitude = bits & ~kSign;
    // All four are computed and one is taken: a vector loop has no branches. A carry out of the fraction is right also
    // into infinity.
    const Bits even = (magnitude >> kDropped) & kOne;
    const Bits rounded =
        (magnitude - (Bits{kBias - 15} << kFraction) + ((kOne << (kDropped - 1)) - kOne) + even) >> kDropped;
    V unit, size;
    std::memcpy(&unit, &kUnit, sizeof unit);
    std::memcpy(&size, &magnitude, sizeof size);
    const V subnormal = size + unit;
    std::memcpy(&sum, &subnormal, sizeof sum);
    auto half = static_cast<std::uint32_t>(rounded);
    half = magnitude < kNormal ? static_cast<std::uint32_t>(sum - kUnit) : half;
    half = magnitude >= kHuge ? 0x7c00u : half;
    const auto quiet = static_cast<std::uint32_t>(0x7e00u | ((magnitude >> kDropped) & 0x3ff));
    half = magnitude > kInfinity ? quiet : half;
    return static_cast<std::uint16_t>(sign | half);
}

}  // namespace detail

template <typename V, typename>
REVOXEL_FLOAT16_HD inline Float16::Float16(V value) {
    // Integers: those that a double rounds are far beyond 65520.
    if constexpr (std::is_same_v<V, float>) {
        bits = detail::half_bits<float, std::uint32_t>(value);
    } else {
        static_assert(sizeof(V) <= sizeof(double), "it would be rounded twice");
        bits = detail::half_bits<double, std::uint64_t>(static_cast<double>(value));
    }
}

REVOXEL_FLOAT16_HD inline Float16::operator float() const {
    const std::uint32_t magnitude = bits & 0x7fffu, sign = (bits & 0x8000u) << 16;
    const float subnormal = static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f;
    std::uint32_t wide;
    std::memcpy(&wide, &subnormal, sizeof wide);
    wide = magnitude >= 0x400u ? (magnitude << 13) + (112u << 23) : wide;
    wide = magnitude >= 0x7c00u ? (magnitude << 13) | 0x7f800000u : wide;
    wide = magnitude > 0x7c00u ? wide | 0x400000u : wide;
    wide |= sign;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
}

}  // namespace revoxel

template <>
class std::numeric_limits<revoxel::Float16> {
    using Value = revoxel::Float16;

public:
    static constexpr bool is_specialized = true, is_signed = true, is_integer = false, is_exact = false;
    static constexpr bool has_infinity = true, has_quiet_NaN = true, has_signaling_NaN = true;
    static constexpr bool is_iec559 = true, is_bounded = true, is_modulo = false;
    static constexpr bool traps = false, tinyness_before = false;
    static constexpr std::float_round_style round_style = std::round_to_nearest;
    static constexpr int digits = 11, digits10 = 3, max_digits10 = 5, radix = 2;
    static constexpr int min_exponent = -13, min_exponent10 = -4, max_exponent = 16, max_exponent10 = 4;

    REVOXEL_FLOAT16_HD static constexpr Value min() noexcept { return Value::from_bits(0x0400); }
    REVOXEL_FLOAT16_HD static constexpr Value lowest() noexcept { return Value::from_bits(0xfbff); }
    REVOXEL_FLOAT16_HD static constexpr Value max() noexcept { return Value::from_bits(0x7bff); }
    REVOXEL_FLOAT16_HD static constexpr Value epsilon() noexcept { return Value::from_bits(0x1400); }
    REVOXEL_FLOAT16_HD static constexpr Value round_error() noexcept { return Value::from_bits(0x3800); }
    REVOXEL_FLOAT16_HD static constexpr Value infinity() noexcept { return Value::from_bits(0x7c00); }
    REVOXEL_FLOAT16_HD static constexpr Value quiet_NaN() noexcept { return Value::from_bits(0x7e00); }
    REVOXEL_FLOAT16_HD static constexpr Value signaling_NaN() noexcept { return Value::from_bits(0x7d00); }
    REVOXEL_FLOAT16_HD static constexpr Value denorm_min() noexcept { return Value::from_bits(0x0001); }
};

#undef REVOXEL_FLOAT16_HD
