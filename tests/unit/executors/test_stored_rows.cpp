// Rows as they are stored: every instruction set rounds, saturates and sums as one value after the other, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "executors/cpu_kernels.hpp"
#include "executors/cpu_march.hpp"
#include "revoxel/dtype.hpp"
#include "support/isa.hpp"

namespace revoxel {
namespace {

using math::RoundTo;
using math::Storing;

template <typename T>
constexpr DType kDType = DType::float64;
template <>
constexpr DType kDType<std::int8_t> = DType::int8;
template <>
constexpr DType kDType<std::uint8_t> = DType::uint8;
template <>
constexpr DType kDType<std::int16_t> = DType::int16;
template <>
constexpr DType kDType<std::uint16_t> = DType::uint16;
template <>
constexpr DType kDType<std::int32_t> = DType::int32;
template <>
constexpr DType kDType<float> = DType::float32;

std::vector<Storing> ways_to_store() {
    std::vector<Storing> ways(1);
    for (RoundTo rule : {RoundTo::even, RoundTo::away, RoundTo::zero}) {
        Storing s;
        s.plain = false;
        s.rounding = rule;
        ways.push_back(s);
        s.clipped = true;
        s.low = -3.25;
        s.high = 99.5;
        ways.push_back(s);
        s.clipped = false;
        s.scaled = true;
        s.slope = 0.37;
        s.intercept = 1.5;
        ways.push_back(s);
    }
    return ways;
}

/// What is hard to round: halves and their neighbours at every size, limits of the types, infinities, NaN.
template <typename C>
std::vector<C> hard_values() {
    std::vector<C> values{C(0),
                          -C(0),
                          std::numeric_limits<C>::quiet_NaN(),
                          std::numeric_limits<C>::infinity(),
                          std::numeric_limits<C>::max(),
                          std::numeric_limits<C>::denorm_min()};
    for (double limit : {0.0,       1.0,          2.0,          126.0,        127.0,        128.0,
                         254.0,     255.0,        256.0,        32766.0,      32767.0,      32768.0,
                         65534.0,   65535.0,      65536.0,      4194303.0,    4194304.0,    8388607.0,
                         8388608.0, 2147483520.0, 2147483647.0, 2147483648.0, 4294967295.0, 9223372036854775807.0}) {
        for (double part : {0.0, 0.5, -0.5, 0.25}) {
            const C v = static_cast<C>(limit + part);
            for (C near : {v, std::nextafter(v, C(0)), std::nextafter(v, std::numeric_limits<C>::max())}) {
                values.push_back(near);
                values.push_back(-near);
            }
        }
    }
    std::mt19937 random(5);
    while (values.size() < 1000) values.push_back(static_cast<C>(static_cast<double>(random()) / 65536.0 - 32768.0));
    return values;
}

template <typename C, typename T>
void check_store() {
    const std::vector<C> values = hard_values<C>();
    for_each_isa<C>([&](const CpuKernels<C>& kernels) {
        for (const Storing& storing : ways_to_store()) {
            for (std::size_t n : {std::size_t{1}, std::size_t{7}, std::size_t{16}, std::size_t{37}, values.size()}) {
                for (std::size_t from = 0; from + n <= values.size(); from += n < 10 ? 1 : n) {
                    const T guard = static_cast<T>(77);
                    std::vector<T> row(n + 2, guard);
                    kernels.store[static_cast<int>(kDType<T>)](row.data() + 1, 1, values.data() + from,
                                                               static_cast<std::int64_t>(n), storing);
                    ASSERT_EQ(row.front(), guard);
                    ASSERT_EQ(row.back(), guard);
                    for (std::size_t i = 0; i < n; ++i) {
                        const T wanted = math::store_value<T>(values[from + i], storing);
                        ASSERT_EQ(std::memcmp(&row[i + 1], &wanted, sizeof(T)), 0)
                            << values[from + i] << " became " << +row[i + 1] << ", not " << +wanted << "; rounding "
                            << static_cast<int>(storing.rounding);
                    }
                }
            }
        }
    });
}

template <typename C, typename T>
void check_store_sums() {
    const std::vector<C> values = hard_values<C>();
    constexpr std::int64_t kPitch = 192, kRows = 3;
    for_each_isa<C>([&](const CpuKernels<C>& kernels) {
        for (const Storing& storing : ways_to_store()) {
            for (std::int32_t taps : {1, 2, 5}) {
                std::vector<AlignedRows<C>> planes(static_cast<std::size_t>(taps));
                std::vector<const C*> from;
                std::vector<C> weight;
                for (std::size_t t = 0; t < planes.size(); ++t) {
                    planes[t].resize(kPitch * kRows);
                    for (std::size_t i = 0; i < kPitch * kRows; ++i) {
                        planes[t].data()[i] = values[(i * 7 + t * 131) % values.size()];
                    }
                    from.push_back(planes[t].data());
                    weight.push_back(C(0.75) - static_cast<C>(t) * C(0.31));
                }
                for (std::int64_t n : {1, 15, 16, 33, 127, 128, 161}) {
                    const T guard = static_cast<T>(77);
                    std::vector<T> stored(static_cast<std::size_t>(kRows * (n + 1)) + 1, guard);
                    kernels.store_sums[static_cast<int>(kDType<T>)](stored.data() + 1, n + 1, from.data(), kPitch,
                                                                    kRows, weight.data(), taps, n, storing);
                    for (std::int64_t r = 0; r < kRows; ++r) {
                        ASSERT_EQ(stored[static_cast<std::size_t>(r * (n + 1))], guard) << "before row " << r;
                        for (std::int64_t i = 0; i < n; ++i) {
                            C sum = weight[0] * from[0][r * kPitch + i];
                            for (std::size_t t = 1; t < planes.size(); ++t) {
                                sum = std::fma(weight[t], from[t][r * kPitch + i], sum);
                            }
                            const T wanted = math::store_value<T>(sum, storing);
                            const T got = stored[static_cast<std::size_t>(1 + r * (n + 1) + i)];
                            ASSERT_EQ(std::memcmp(&got, &wanted, sizeof(T)), 0)
                                << "row " << r << ", voxel " << i << " of " << n << ": " << +got << ", not " << +wanted;
                        }
                    }
                    ASSERT_EQ(stored.back(), guard);
                }
            }
        }
    });
}

template <typename C>
void check_all() {
    check_store<C, std::int8_t>();
    check_store<C, std::uint8_t>();
    check_store<C, std::int16_t>();
    check_store<C, std::uint16_t>();
    check_store<C, std::int32_t>();
    check_store_sums<C, std::int8_t>();
    check_store_sums<C, std::uint8_t>();
    check_store_sums<C, std::int16_t>();
    check_store_sums<C, std::uint16_t>();
    check_store_sums<C, std::int32_t>();
    check_store_sums<C, float>();
}

TEST(StoredRows, FromFloat) {
    check_all<float>();
}
TEST(StoredRows, FromDouble) {
    check_all<double>();
}

TEST(StoredRows, StreamedWhereverTheyBegin) {
    for_each_isa<float>([](const CpuKernels<float>& kernels) {
        for (std::size_t past = 0; past < 70; past += 3) {
            for (std::size_t bytes : {1U, 40U, 64U, 100U, 500U}) {
                std::vector<unsigned char> from(bytes), to(bytes + 300, 9);
                for (std::size_t i = 0; i < bytes; ++i) from[i] = static_cast<unsigned char>(i * 31 + 1);
                unsigned char* target = to.data() + 100 + past;
                // In two calls; what the first leaves is at the beginning of the second.
                const std::size_t half = bytes / 2;
                const auto gone = static_cast<std::size_t>(
                    kernels.stream(target, from.data(), static_cast<std::int64_t>(half), false));
                ASSERT_LE(gone, half);
                ASSERT_LT(half - gone, std::size_t{64} + 64);
                const std::size_t left = bytes - gone;
                ASSERT_EQ(kernels.stream(target + gone, from.data() + gone, static_cast<std::int64_t>(left), true),
                          static_cast<std::int64_t>(left));
                kernels.finish_stream();
                ASSERT_EQ(std::memcmp(target, from.data(), bytes), 0);
                ASSERT_EQ(target[-1], 9);
                ASSERT_EQ(target[bytes], 9);
            }
        }
    });
}

}  // namespace
}  // namespace revoxel
