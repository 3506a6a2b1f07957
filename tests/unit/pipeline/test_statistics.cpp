#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "pipeline/statistics.hpp"
#include "revoxel/error.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel::pipeline {
namespace {

using test::grid_of;
using test::noise;
using test::row_of;
using test::volume_of;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

CommonField all_of(const Volume& volume) {
    return CommonField(volume.grid());
}

TEST(Statistics, AgreeWithTheSortedValues) {
    const Grid grid = grid_of({31, 29, 23});
    const Volume volume = volume_of<float>(
        grid, DType::float32,
        [](auto i, auto j, auto k) {
            const double x = noise(i, j, k) - 0.4;
            return x * x * x * 1e4;
        },
        2);
    const ScaledVolume scaled{&volume, -0.25, 7.0};
    std::vector<double> sorted;
    for (float v : test::values_of<float>(volume)) sorted.push_back(scaled.scaled(v));
    std::sort(sorted.begin(), sorted.end());
    const double n = static_cast<double>(sorted.size());
    const double mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / n;
    double squares = 0.0;
    for (double x : sorted) squares += (x - mean) * (x - mean);

    const Statistics s = statistics(scaled, all_of(volume));
    EXPECT_EQ(s.count, 2 * 31 * 29 * 23);
    EXPECT_EQ(s.min, sorted.front());
    EXPECT_EQ(s.max, sorted.back());
    EXPECT_NEAR(s.mean, mean, 1e-9);
    EXPECT_NEAR(s.sd, std::sqrt(squares / n), 1e-9);
    for (std::size_t p = 0; p < kPercentiles.size(); ++p) {
        const auto rank = static_cast<std::size_t>(kPercentiles[p] / 100.0 * (n - 1.0) + 0.5);
        EXPECT_EQ(s.percentiles[p], static_cast<double>(static_cast<float>(sorted[rank]))) << kPercentiles[p];
    }
}

TEST(Statistics, CountWhatIsNotFiniteAndLeaveItOut) {
    const Volume volume = row_of<double>({1, kNan, 3, kInf, -kInf, kNan, 2}, DType::float64);
    const Statistics s = statistics({&volume}, all_of(volume));
    EXPECT_EQ(s.count, 3);
    EXPECT_EQ(s.nan, 2);
    EXPECT_EQ(s.infinite, 2);
    EXPECT_EQ(s.min, 1);
    EXPECT_EQ(s.max, 3);
    EXPECT_DOUBLE_EQ(s.mean, 2);
    EXPECT_DOUBLE_EQ(s.sd, std::sqrt(2.0 / 3.0));
    EXPECT_EQ(s.percentiles[3], 2);
}

TEST(Statistics, OfNothingAreNaN) {
    const Volume volume = row_of<float>({NAN, NAN}, DType::float32);
    const Statistics s = statistics({&volume}, all_of(volume));
    EXPECT_EQ(s.count, 0);
    EXPECT_EQ(s.nan, 2);
    EXPECT_TRUE(std::isnan(s.min) && std::isnan(s.max) && std::isnan(s.mean) && std::isnan(s.sd));
    EXPECT_TRUE(std::isnan(s.percentiles[0]));
}

TEST(Statistics, AreOfTheFieldOnly) {
    const Grid grid = grid_of({10, 4, 3});
    const Volume volume = volume_of<std::int16_t>(grid, DType::int16, [](auto i, auto, auto) { return i; });
    Grid part = grid;
    part.extent = {3, 4, 3};
    part.affine(0, 3) = 5;
    const Statistics s = statistics({&volume}, CommonField(grid, part));
    EXPECT_EQ(s.count, 3 * 4 * 3);
    EXPECT_EQ(s.min, 5);
    EXPECT_EQ(s.max, 7);
}

TEST(Statistics, OfConstantsAndExtremes) {
    const Volume constant = row_of<float>(std::vector<float>(100, 0.1F), DType::float32);
    const Statistics s = statistics({&constant}, all_of(constant));
    EXPECT_EQ(s.min, s.max);
    EXPECT_NEAR(s.sd, 0.0, 1e-12);
    EXPECT_EQ(s.percentiles[0], s.percentiles[6]);
    const float largest = std::numeric_limits<float>::max();
    const Volume extremes = row_of<float>({-largest, 0.0F, -0.0F, largest}, DType::float32);
    const Statistics e = statistics({&extremes}, all_of(extremes));
    EXPECT_EQ(e.count, 4);
    EXPECT_EQ(e.percentiles[0], -largest);
    EXPECT_EQ(e.percentiles[6], largest);
}

TEST(StoredRange, OfEachTypeWithAnyNumberOfThreads) {
    for (int code = 0; code < kDTypeCount; ++code) {
        const auto dtype = static_cast<DType>(code);
        dispatch(dtype, [&](auto zero) {
            using T = decltype(zero);
            Volume volume = volume_of<T>(grid_of({1021, 67, 33}), dtype,
                                         [](auto i, auto j, auto k) { return 20.0 + 80.0 * noise(i, j, k); });
            T* values = reinterpret_cast<T*>(volume.data());
            values[1'000'003] = T{3};
            values[2'000'001] = T{117};
            for (int threads : {1, 2, 7}) {
                EXPECT_EQ(stored_range(volume, threads).min, 3) << name_of(dtype);
                EXPECT_EQ(stored_range(volume, threads).max, 117) << name_of(dtype);
            }
        });
    }
}

TEST(StoredRange, IgnoresNaNAndInfinity) {
    std::vector<float> values(100, 5.0F);
    values[0] = NAN;
    values[40] = INFINITY;
    values[41] = -INFINITY;
    values[99] = NAN;
    values[98] = -2.0F;
    const Volume volume = row_of<float>(values, DType::float32);
    EXPECT_EQ(stored_range(volume).min, -2);
    EXPECT_EQ(stored_range(volume).max, 5);
    const Volume none = row_of<double>({kNan, kInf, -kInf}, DType::float64);
    EXPECT_TRUE(std::isnan(stored_range(none).min) && std::isnan(stored_range(none).max));
    EXPECT_EQ(scaled_range({&volume, -2.0, 1.0}).min, -9);
    EXPECT_EQ(scaled_range({&volume, -2.0, 1.0}).max, 5);
}

TEST(HistogramDistance, IsTheMeanDistanceMovedAsAShareOfTheRange) {
    const Volume a = row_of<float>({0, 0, 0, 0}, DType::float32), b = row_of<float>({10, 10, 10, 10}, DType::float32);
    const Volume half = row_of<float>({0, 0, 10, 10}, DType::float32), five = row_of<float>({5, 5}, DType::float32);
    const auto h = [](const Volume& v) { return histogram({&v}, all_of(v), 0, 10); };
    EXPECT_DOUBLE_EQ(histogram_distance(h(a), h(a)), 0.0);
    EXPECT_NEAR(histogram_distance(h(a), h(b)), 1.0, 1.0 / kHistogramBins);
    EXPECT_NEAR(histogram_distance(h(a), h(half)), 0.5, 1.0 / kHistogramBins);
    EXPECT_NEAR(histogram_distance(h(a), h(five)), 0.5, 1.0 / kHistogramBins);
    EXPECT_DOUBLE_EQ(histogram_distance(h(a), h(b)), histogram_distance(h(b), h(a)));
    EXPECT_THROW(histogram_distance(h(a), histogram({&a}, all_of(a), 0, 11)), Error);
}

}  // namespace
}  // namespace revoxel::pipeline
