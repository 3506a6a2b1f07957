// Rows of half-precision voxels: every instruction set converts as Float16 does, bit for bit.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "revoxel/dtype.hpp"
#include "support/isa.hpp"

namespace revoxel {
namespace {

constexpr int kHalf = static_cast<int>(DType::float16);

template <typename V>
void expect_same_bits(const std::vector<V>& got, const std::vector<V>& wanted) {
    for (std::size_t v = 0; v < got.size(); ++v) {
        ASSERT_EQ(std::memcmp(&got[v], &wanted[v], sizeof(V)), 0)
            << "value " << v << ": " << got[v] << " instead of " << wanted[v];
    }
}

template <typename C>
void check_load() {
    for_each_isa<C>([](const CpuKernels<C>& kernels) {
        for (std::int64_t stride : {1, 3}) {
            const std::int64_t n = 65536 + 5;  // all patterns, and a remainder of any vector
            std::vector<Float16> row(static_cast<std::size_t>(n * stride));
            std::vector<C> wanted, got(static_cast<std::size_t>(n));
            for (std::int64_t i = 0; i < n; ++i) {
                row[static_cast<std::size_t>(i * stride)] = Float16::from_bits(static_cast<std::uint16_t>(i));
                wanted.push_back(static_cast<C>(row[static_cast<std::size_t>(i * stride)]));
            }
            kernels.load[kHalf](got.data(), row.data(), stride, n);
            expect_same_bits(got, wanted);
        }
    });
}

/// All signs and exponents with random fractions: NaN with payloads, infinities, subnormals of both types.
template <typename C, typename Bits>
std::vector<C> values_of_all_kinds() {
    std::vector<C> values;
    std::mt19937_64 random(11);
    for (int v = 0; v < 200003; ++v) {
        const auto bits = static_cast<Bits>(random());
        C value;
        std::memcpy(&value, &bits, sizeof value);
        values.push_back(value);
        // Most of those are far outside what a half holds.
        values.push_back(static_cast<C>((static_cast<double>(random() >> 11) * 0x1p-53 - 0.5) * 140000));
        values.push_back(static_cast<C>((static_cast<double>(random() >> 11) * 0x1p-53 - 0.5) * 0x1p-13));
    }
    return values;
}

template <typename C, typename Bits>
void check_store() {
    const std::vector<C> values = values_of_all_kinds<C, Bits>();
    for_each_isa<C>([&](const CpuKernels<C>& kernels) {
        for (std::int64_t stride : {1, 2}) {
            const auto n = static_cast<std::int64_t>(values.size());
            std::vector<Float16> row(values.size() * static_cast<std::size_t>(stride)), wanted, got;
            kernels.store[kHalf](row.data(), stride, values.data(), n, math::Storing{});
            for (std::size_t v = 0; v < values.size(); ++v) {
                wanted.push_back(math::saturate_round<Float16>(values[v]));
                got.push_back(row[v * static_cast<std::size_t>(stride)]);
            }
            expect_same_bits(got, wanted);
        }
    });
}

TEST(HalfRows, LoadEveryPattern) {
    check_load<float>();
    check_load<double>();
}

TEST(HalfRows, StoreAllKindsOfValues) {
    check_store<float, std::uint32_t>();
    check_store<double, std::uint64_t>();
}

}  // namespace
}  // namespace revoxel
