#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "pipeline/label_fraction.hpp"
#include "revoxel/error.hpp"
#include "revoxel/executor.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel::pipeline {
namespace {

using test::grid_of;
using test::noise;
using test::row_of;
using test::values_of;
using test::volume_of;

using Bytes = std::vector<std::uint8_t>;

TEST(Indicator, OneWhereTheLabelIs) {
    for (int code = 0; code < kDTypeCount; ++code) {
        const auto dtype = static_cast<DType>(code);
        dispatch(dtype, [&](auto zero) {
            using T = decltype(zero);
            const Volume labels = row_of<T>({T{7}, T{0}, T{3}, T{7}, T{8}, T{6}, T{100}, T{7}}, dtype);
            EXPECT_EQ(values_of<std::uint8_t>(indicator({&labels}, 7)), (Bytes{1, 0, 0, 1, 0, 0, 0, 1}));
            EXPECT_EQ(values_of<std::uint8_t>(indicator({&labels}, 0)), (Bytes{0, 1, 0, 0, 0, 0, 0, 0}));
            EXPECT_EQ(values_of<std::uint8_t>(indicator({&labels}, 5)), Bytes(8, 0));
        });
    }
}

TEST(Indicator, LabelsBeyondTwoToThe31AndBeyondTheType) {
    const std::int64_t big = (std::int64_t{1} << 31) + 5;
    const Volume wide = row_of<std::int64_t>({big, big - 1, big + 1, -big}, DType::int64);
    EXPECT_EQ(values_of<std::uint8_t>(indicator({&wide}, static_cast<double>(big))), (Bytes{1, 0, 0, 0}));
    EXPECT_EQ(values_of<std::uint8_t>(indicator({&wide}, static_cast<double>(-big))), (Bytes{0, 0, 0, 1}));
    const Volume bytes = row_of<std::uint8_t>({255, 0, 44}, DType::uint8);
    for (double label : {300.0, 1e30, -1.0, 44.5}) {
        EXPECT_EQ(values_of<std::uint8_t>(indicator({&bytes}, label)), Bytes(3, 0)) << label;
    }
}

TEST(Indicator, TheLabelIsInScaledUnits) {
    const Volume stored = row_of<std::int16_t>({0, 1, 2, 3, 30}, DType::int16);
    EXPECT_EQ(values_of<std::uint8_t>(indicator({&stored, 0.1, 0.0}, 0.3)), (Bytes{0, 0, 0, 1, 0}));
    EXPECT_EQ(values_of<std::uint8_t>(indicator({&stored, 2.0, -4.0}, 0.0)), (Bytes{0, 0, 1, 0, 0}));
    EXPECT_EQ(values_of<std::uint8_t>(indicator({&stored, 2.0, -4.0}, 1.0)), Bytes(5, 0));
    const Volume floats = row_of<float>({0.3F, 0.30000004F, std::numeric_limits<float>::quiet_NaN()}, DType::float32);
    EXPECT_EQ(values_of<std::uint8_t>(indicator({&floats}, 0.3)), (Bytes{1, 0, 0}));
}

TEST(Indicator, AllFramesAndAnyNumberOfThreads) {
    Volume labels(grid_of({9, 7, 5}), DType::int32, 3);
    auto* values = reinterpret_cast<std::int32_t*>(labels.data());
    Bytes expected;
    for (std::int64_t v = 0; v < 9 * 7 * 5 * 3; ++v) {
        values[v] = static_cast<std::int32_t>(noise(v, 1, 2) * 4);
        expected.push_back(values[v] == 2 ? 1 : 0);
    }
    for (int threads : {1, 2, 9}) {
        const Volume found = indicator({&labels}, 2, threads);
        EXPECT_EQ(found.frames(), 3);
        EXPECT_EQ(found.grid(), labels.grid());
        EXPECT_EQ(values_of<std::uint8_t>(found), expected);
    }
}

TEST(Indicator, RefusesWhatIsNoLabel) {
    const Volume labels = row_of<std::int16_t>({1, 2}, DType::int16);
    for (double label : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        EXPECT_THROW(indicator({&labels}, label), Error);
    }
    const Volume colour = volume_of<std::uint8_t>(
        grid_of({2, 2, 2}), DType::uint8, [](auto, auto, auto) { return 1; }, 1, 3);
    EXPECT_THROW(indicator({&colour}, 1), Error);
}

// The fractions of all labels of a map are shares of one whole.
TEST(Indicator, ResampledSharesOfAllLabelsSumToOne) {
    const Volume labels = volume_of<std::uint8_t>(grid_of({17, 15, 13}), DType::uint8, [](auto i, auto j, auto k) {
        return std::floor(noise(i / 3, j / 3, k / 3) * 5);
    });
    const Grid coarse = with_spacing(labels.grid(), {2.5, 1.7, 3.1});
    PlanOptions options;
    options.input_dtype = DType::uint8;
    const Plan plan = make_plan(labels.grid(), coarse, options);
    std::vector<double> sum(static_cast<std::size_t>(voxel_count(coarse)), 0.0);
    for (int label = 0; label < 5; ++label) {
        const Volume one = indicator({&labels}, label);
        Volume share(coarse, DType::float32);
        make_executor(plan)->run(one.view(), share.view());
        const std::vector<float> values = values_of<float>(share);
        for (std::size_t v = 0; v < sum.size(); ++v) {
            EXPECT_GE(values[v], 0.0F);
            EXPECT_LE(values[v], 1.0F);
            sum[v] += static_cast<double>(values[v]);
        }
    }
    for (double s : sum) EXPECT_NEAR(s, 1.0, 1e-6);
}

}  // namespace
}  // namespace revoxel::pipeline
