// What the oracle does with a value once it is computed, and with samples that are no numbers.
#include <gtest/gtest.h>

#include <cmath>

#include "oracle/lines.hpp"
#include "oracle/oracle.hpp"

namespace revoxel::oracle {
namespace {

// Between 0 and 10 Keys overshoots at both ends of the step.
TEST(Clip, LocalByHand) {
    const std::vector<double> samples{0, 0, 0, 10, 10, 20};
    PlanOptions options = options_of(Kernel::cubic);
    EXPECT_NEAR(value_on_line(samples, options, 1.5), -0.625, 1e-14);
    EXPECT_NEAR(value_on_line(samples, options, 3.5), 10, 1e-14) << "10 + 0.625 - 0.625";
    options.clip = Clip::local;
    EXPECT_EQ(value_on_line(samples, options, 1.5), 0) << "samples 1 and 2";
    // Down-sampling reaches k far: around 1.3 at k = 1.3 sample 0 lies on the limit, and 1 and 2 within.
    EXPECT_LT(value_on_line({-2, 0, 0, 20}, options_of(Kernel::cubic), 1.3, 1.3), -0.4);
    for (double k : {1.3 - 1e-12, 1.3, 1.3 + 1e-12})  // however the step was rounded
        EXPECT_EQ(value_on_line({-2, 0, 0, 20}, options, 1.3, k), 0) << k - 1.3;
    EXPECT_LT(value_on_line({-2, 0, 0, 20}, options, 1.3, 1.4), -0.4) << "sample 0 within";
}

TEST(Clip, LocalSkipsNanAndTheOutside) {
    PlanOptions options = options_of(Kernel::cubic, Antialias::none, Boundary::constant);
    options.clip = Clip::local;
    options.boundary_value = 1000;
    EXPECT_EQ(value_on_line({7, 8, 9}, options, -0.25), 7) << "the boundary value is no sample";
    options.outside = Outside::extend;
    EXPECT_NEAR(value_on_line({7, 8, 9}, options, -5), 1000, 1e-12) << "no sample within reach";
    options.outside = Outside::fill;
    options.nan_aware = true;
    EXPECT_EQ(value_on_line({0, kNan, 0, 10, 20}, options, 1.6), 0) << "of samples 1 and 2 the second";
}

TEST(Clip, GlobalByHand) {
    PlanOptions options = options_of(Kernel::cubic);
    options.clip = Clip::global;
    EXPECT_EQ(value_on_line({0, 0, 0, 10, 10, 10}, options, 1.5), 0);
    EXPECT_EQ(value_on_line({0, 0, 0, 10, 10, 10}, options, 3.5), 10);
    EXPECT_NEAR(value_on_line({-5, 0, 0, 10, 10, 10}, options, 1.5), -0.3125, 1e-14) << "-5 is in the field";
    EXPECT_EQ(value_on_line({0, 0, 0, 10, 10, 10, 10, 10, -kInf}, options, 1.5), 0) << "-inf is not finite";
    EXPECT_TRUE(std::isnan(value_on_line({kNan, 0, 0, 10}, options, 0.5)));
}

TEST(NanAware, WeightsAreDividedByWhatIsThere) {
    PlanOptions options = options_of(Kernel::linear);
    options.nan_aware = true;
    EXPECT_DOUBLE_EQ(value_on_line({kNan, 4, 8}, options, 0.25), 4);
    EXPECT_DOUBLE_EQ(value_on_line({kNan, 4, 8}, options, 1.25), 5);
    EXPECT_DOUBLE_EQ(on_line({kNan, 4, 8}, options, 0.25).finite_share({0, 0, 0}), 0.25);
    // Too few: below 1/64.
    EXPECT_DOUBLE_EQ(value_on_line({kNan, 4, 8}, options, 1.0 / 64), 4);
    EXPECT_TRUE(std::isnan(value_on_line({kNan, 4, 8}, options, 1.0 / 65)));
    EXPECT_TRUE(std::isnan(value_on_line({kNan, kNan, 8}, options, 0.5)));
    // A whole line of a plane.
    Grid input{{2, 2, 1}, {}}, output{{1, 1, 1}, {}};
    output.affine(0, 3) = 0.25;
    output.affine(1, 3) = 0.25;
    const Oracle oracle(input, output, options, {kNan, 16, 32, 64});
    EXPECT_NEAR(oracle.value({0, 0, 0}), (3 * 16 + 3 * 32 + 64) / 7.0, 1e-13);
}

TEST(NanAware, InfinitiesAreLeftOutToo) {
    PlanOptions options = options_of(Kernel::linear);
    options.nan_aware = true;
    for (double infinity : {kInf, -kInf}) {
        EXPECT_DOUBLE_EQ(value_on_line({infinity, 4, 8}, options, 0.25), 4);
        EXPECT_TRUE(std::isnan(value_on_line({infinity, 4, 8}, options, 0.0)));
        EXPECT_TRUE(std::isnan(value_on_line({infinity, kNan, 8}, options, 0.5)));
    }
    options = options_of(Kernel::cubic);
    options.nan_aware = true;
    options.clip = Clip::local;
    EXPECT_EQ(value_on_line({0, kInf, 0, 10, 20}, options, 1.6), 0) << "of samples 1 and 2 the second";
}

TEST(NanAware, RunsThroughTheLowPass) {
    PlanOptions options = options_of(Kernel::linear);
    options.nan_aware = true;
    options.blur = {0.1, 0, 0};
    const auto& [w0, w1, w2, w3] = kSlightBlur;
    const double sum = (w3 + w2 + w1) * 8 + w0 * 16 + (w2 + w3) * 32;
    EXPECT_NEAR(value_on_line({8, 16, kNan, 32}, options, 1.0), sum / (1 - w1), 1e-13);
    EXPECT_TRUE(std::isnan(value_on_line({8, 16, kNan, 32}, options, 2.0))) << "a share of 0.0135";
    options.boundary = Boundary::constant;
    options.boundary_value = 1000;
    EXPECT_NEAR(value_on_line({kNan, 16}, options, 1.0), (w0 * 16 + (1 - w0 - w1) * 1000) / (1 - w1), 1e-12);
    EXPECT_NEAR(value_on_line({kNan, kNan}, options, -0.49), 1000, 1e-9) << "the boundary value is no NaN";
}

TEST(NanAware, ChangesNothingWithoutNan) {
    for (Kernel kernel : kSmooth) {
        PlanOptions options = options_of(kernel, Antialias::automatic, Boundary::reflect);
        const double plain = value_on_line(kSamples, options, 2.3, 1.4);
        options.nan_aware = true;
        EXPECT_NEAR(value_on_line(kSamples, options, 2.3, 1.4), plain, 1e-13) << name_of(kernel);
    }
}

TEST(Stored, RoundsSaturatesAndMapsNan) {
    EXPECT_EQ(stored_value(DType::int16, 2.5), 2);
    EXPECT_EQ(stored_value(DType::int16, 3.5), 4);
    EXPECT_EQ(stored_value(DType::int16, -2.5), -2);
    EXPECT_EQ(stored_value(DType::int16, 2.5, Rounding::away), 3);
    EXPECT_EQ(stored_value(DType::int16, -2.5, Rounding::away), -3);
    EXPECT_EQ(stored_value(DType::int16, 2.4999, Rounding::away), 2);
    EXPECT_EQ(stored_value(DType::int16, 2.9999, Rounding::truncate), 2);
    EXPECT_EQ(stored_value(DType::int16, -2.9999, Rounding::truncate), -2);
    EXPECT_EQ(stored_value(DType::float64, -2.9999, Rounding::truncate), -2.9999);
    for (Rounding rounding : {Rounding::even, Rounding::away, Rounding::truncate}) {
        EXPECT_EQ(stored_value(DType::uint8, 300, rounding), 255);
        EXPECT_EQ(stored_value(DType::uint8, -1, rounding), 0);
        EXPECT_EQ(stored_value(DType::int8, -1e30, rounding), -128);
        EXPECT_EQ(stored_value(DType::uint16, kInf, rounding), 65535);
        EXPECT_EQ(stored_value(DType::int32, kNan, rounding), 0);
    }
    EXPECT_EQ(stored_value(DType::float32, 0.1), static_cast<double>(0.1f));
    EXPECT_EQ(stored_value(DType::float64, 0.1), 0.1);
}

TEST(Stored, SlopeAndInterceptThenRoundingButNotOfFill) {
    PlanOptions options = options_of(Kernel::linear);
    options.output_dtype = DType::int16;
    options.output_slope = 2;
    options.output_intercept = -10.5;
    options.fill = 2.5;
    options.rounding = Rounding::away;
    EXPECT_EQ(on_line({3, 4}, options, 0.25).stored({0, 0, 0}), -4) << "2 x 3.25 - 10.5";
    EXPECT_EQ(on_line({3, 4}, options, 0.5).stored({0, 0, 0}), -4) << "-3.5, away from zero";
    EXPECT_EQ(on_line({3, 4}, options, 7).stored({0, 0, 0}), 3) << "fill is not scaled";
}

TEST(Stored, ThresholdRoundsToSixDecimals) {
    PlanOptions options = options_of(Kernel::linear);
    options.output_dtype = DType::uint8;
    options.threshold = 0.5;
    options.fill = 7;
    const auto stored = [&](double first, double c) { return on_line({first, first}, options, c).stored({0, 0, 0}); };
    EXPECT_EQ(stored(0.5, 0), 1);
    EXPECT_EQ(stored(0.4999996, 0), 1) << "is 0.5 to six decimals";
    EXPECT_EQ(stored(0.4999994, 0), 0);
    EXPECT_EQ(stored(kNan, 0), 0);
    EXPECT_EQ(stored(0, 5), 7) << "fill is not compared";
    options.output_slope = 2;
    options.output_intercept = -0.5;
    EXPECT_EQ(stored(0.4999996, 0), 0) << "0.4999992 after the scaling";
    EXPECT_EQ(stored(0.4999999, 0), 1);
}

}  // namespace
}  // namespace revoxel::oracle
