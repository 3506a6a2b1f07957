// Half precision: all 65536 patterns one way, all roundings between them the other way.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "revoxel/dtype.hpp"

namespace revoxel {
namespace {

static_assert(std::is_trivial_v<Float16> && sizeof(Float16) == 2);
static_assert(!std::is_convertible_v<float, Float16>, "rounding is asked for by name");

constexpr std::uint32_t kPatterns = 0x10000;
constexpr std::uint32_t kInfinity = 0x7c00, kSign = 0x8000;

Float16 half(std::uint32_t bits) {
    return Float16::from_bits(static_cast<std::uint16_t>(bits));
}

/// What the standard says that a pattern is.
double value_of(std::uint32_t bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
    const double size = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    return bits & kSign ? -size : size;
}

std::uint32_t float_bits(float v) {
    std::uint32_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    return bits;
}

float float_of(std::uint32_t bits) {
    float v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
}

TEST(Float16, EveryPatternIsItsValue) {
    for (std::uint32_t bits = 0; bits < kPatterns; ++bits) {
        const float v = half(bits);
        const std::uint32_t magnitude = bits & ~kSign;
        ASSERT_EQ(std::signbit(v), (bits & kSign) != 0) << bits;
        if (magnitude > kInfinity) {
            // Sign and payload stay, and the NaN is a quiet one.
            ASSERT_EQ(float_bits(v), (bits & kSign) << 16 | 0x7fc00000u | (bits & 0x3ff) << 13) << bits;
        } else if (magnitude == kInfinity) {
            ASSERT_TRUE(std::isinf(v)) << bits;
        } else {
            ASSERT_EQ(static_cast<double>(v), value_of(bits)) << bits;
        }
    }
}

TEST(Float16, EveryPatternComesBack) {
    for (std::uint32_t bits = 0; bits < kPatterns; ++bits) {
        const std::uint32_t wanted = (bits & ~kSign) > kInfinity ? bits | 0x200 : bits;
        ASSERT_EQ(Float16(static_cast<float>(half(bits))).bits, wanted) << bits;
        ASSERT_EQ(Float16(static_cast<double>(half(bits))).bits, wanted) << bits;
    }
}

// Between each two neighbours: a hair below the middle, the middle, a hair above. The hair of a double is finer than a
// float's, so a double that is rounded to float first fails here.
TEST(Float16, RoundsToNearestAndTiesToEven) {
    for (std::uint32_t low = 0; low < kInfinity; ++low) {
        const double below = value_of(low), above = low + 1 == kInfinity ? 65536.0 : value_of(low + 1);
        const double middle = 0.5 * (below + above);
        const std::uint32_t even = low % 2 == 0 ? low : low + 1;
        const auto check = [&](auto v, std::uint32_t wanted) {
            ASSERT_EQ(Float16(v).bits, wanted) << v;
            ASSERT_EQ(Float16(-v).bits, wanted | kSign) << -v;
        };
        check(middle, even);
        check(std::nextafter(middle, 0.0), low);
        check(std::nextafter(middle, 1e6), low + 1);
        const auto narrow = static_cast<float>(middle);
        ASSERT_EQ(static_cast<double>(narrow), middle);
        check(narrow, even);
        check(std::nextafter(narrow, 0.0f), low);
        check(std::nextafter(narrow, 1e6f), low + 1);
    }
}

TEST(Float16, OverflowIsInfinityAndUnderflowIsZero) {
    constexpr double kMost = std::numeric_limits<double>::max(), kLeast = std::numeric_limits<double>::denorm_min();
    for (double v : {65520.0, 65536.0, 1e5, 1e38, 1e300, kMost, std::numeric_limits<double>::infinity()}) {
        EXPECT_EQ(Float16(v).bits, kInfinity) << v;
        EXPECT_EQ(Float16(-v).bits, kInfinity | kSign) << v;
        EXPECT_EQ(Float16(static_cast<float>(v)).bits, kInfinity) << v;
    }
    for (double v : {0.0, kLeast, 1e-300, 1e-45, 0x1p-25}) {
        EXPECT_EQ(Float16(v).bits, 0u) << v;
        EXPECT_EQ(Float16(-v).bits, kSign) << v;
        EXPECT_EQ(Float16(static_cast<float>(v)).bits, 0u) << v;
    }
}

TEST(Float16, NanKeepsSignAndUpperPayload) {
    EXPECT_EQ(Float16(float_of(0x7f800001u)).bits, 0x7e00);  // a payload that is cut away leaves a NaN
    EXPECT_EQ(Float16(float_of(0xffaaa000u)).bits, 0xff55);
    EXPECT_EQ(Float16(std::numeric_limits<double>::quiet_NaN()).bits, 0x7e00);
}

TEST(Float16, IntegersAreRoundedOnce) {
    EXPECT_EQ(static_cast<float>(Float16(2049)), 2048.0f);
    EXPECT_EQ(static_cast<float>(Float16(2051)), 2052.0f);
    EXPECT_EQ(static_cast<float>(Float16(std::int8_t{-128})), -128.0f);
    EXPECT_EQ(Float16(65519).bits, 0x7bff);
    EXPECT_EQ(Float16(std::numeric_limits<std::int64_t>::min()).bits, kInfinity | kSign);
    EXPECT_EQ(Float16(std::numeric_limits<std::uint64_t>::max()).bits, kInfinity);
    EXPECT_EQ(Float16(true).bits, 0x3c00);
}

TEST(Float16, IsOneOfTheTypes) {
    EXPECT_EQ(size_of(DType::float16), 2u);
    EXPECT_FALSE(is_integer(DType::float16));
    EXPECT_STREQ(name_of(DType::float16), "float16");
    EXPECT_EQ(dtype_from_name("float16"), DType::float16);
    EXPECT_EQ(highest_value(DType::float16), 65504.0);
    EXPECT_EQ(lowest_value(DType::float16), -65504.0);
}

TEST(Float16, LimitsAreItsOwn) {
    using Limits = std::numeric_limits<Float16>;
    EXPECT_EQ(static_cast<float>(Limits::min()), 0x1p-14f);
    EXPECT_EQ(static_cast<float>(Limits::denorm_min()), 0x1p-24f);
    EXPECT_EQ(static_cast<float>(Limits::epsilon()), 0x1p-10f);
    EXPECT_EQ(static_cast<float>(Limits::round_error()), 0.5f);
    EXPECT_TRUE(std::isinf(static_cast<float>(Limits::infinity())));
    EXPECT_TRUE(std::isnan(static_cast<float>(Limits::quiet_NaN())));
    EXPECT_TRUE(std::isnan(static_cast<float>(Limits::signaling_NaN())));
}

}  // namespace
}  // namespace revoxel
