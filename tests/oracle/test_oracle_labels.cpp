// Votes, by hand and against ITK.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "oracle/lines.hpp"
#include "oracle/oracle.hpp"

namespace revoxel::oracle {
namespace {

constexpr std::int64_t kAll = std::int64_t{1} << 60;  // the votes of weights that sum to 1

PlanOptions labels_of(Kernel kernel, Boundary boundary = Boundary::edge) {
    PlanOptions options = options_of(kernel, Antialias::automatic, boundary);
    options.labels = true;
    options.input_dtype = options.output_dtype = DType::uint8;
    return options;
}

std::map<double, std::int64_t> votes_on_line(const std::vector<double>& samples, const PlanOptions& options, double c,
                                             double k = 1.0) {
    return on_line(samples, options, c, k).votes({0, 0, 0});
}

double label_on_line(const std::vector<double>& samples, const PlanOptions& options, double c, double k = 1.0) {
    return on_line(samples, options, c, k).label({0, 0, 0});
}

using Votes = std::map<double, std::int64_t>;

TEST(Votes, LinearByHand) {
    const PlanOptions options = labels_of(Kernel::linear);
    EXPECT_EQ(votes_on_line({3, 7, 7}, options, 0.25), (Votes{{3, kAll / 4 * 3}, {7, kAll / 4}}));
    EXPECT_EQ(votes_on_line({3, 7, 7}, options, 1.25), (Votes{{7, kAll}}));
    EXPECT_EQ(label_on_line({3, 7, 7}, options, 0.25), 3);
    EXPECT_EQ(label_on_line({3, 7, 7}, options, 0.75), 7);
    // Two that are less each win together.
    EXPECT_EQ(label_on_line({9, 5, 9}, labels_of(Kernel::linear), 1.0, 4.0), 9)
        << "triangle of half width 4: 3/10 + 3/10 against 4/10, and the edges are 9";
    EXPECT_EQ(votes_on_line({9, 5, 9}, labels_of(Kernel::linear), 1.0), (Votes{{5, kAll}}));
}

TEST(Votes, InThreeDimensions) {
    Grid input{{2, 2, 2}, {}}, output{{1, 1, 1}, {}};
    output.affine(0, 3) = 0.25;
    output.affine(1, 3) = 0.25;
    output.affine(2, 3) = 0.5;
    const Oracle oracle(input, output, labels_of(Kernel::linear), {1, 2, 2, 3, 4, 2, 2, 3});
    EXPECT_EQ(oracle.votes({0, 0, 0}),
              (Votes{{1, kAll / 32 * 9}, {2, kAll / 32 * 12}, {3, kAll / 32 * 2}, {4, kAll / 32 * 9}}));
    EXPECT_EQ(oracle.label({0, 0, 0}), 2);
}

TEST(Votes, TiesGoToTheSmallestValue) {
    for (Kernel kernel : {Kernel::linear, Kernel::gaussian, Kernel::area}) {
        EXPECT_EQ(label_on_line({5, 9, 2, 5}, labels_of(kernel), 1.5), 2) << name_of(kernel);
        EXPECT_EQ(label_on_line({0, -3, 4, 0}, labels_of(kernel), 1.5), -3) << name_of(kernel);
        if (kernel != Kernel::gaussian) {
            EXPECT_EQ(label_on_line({5, 9, 2, 5}, labels_of(kernel), 1.5, 2), 2) << name_of(kernel);
        }
    }
    // A position that rounding has moved off the middle: weights are rounded to 2^-20 before they vote.
    for (double c : {0.5, 0.5 - 1e-9, 0.5 + 1e-9, 0.5 + 4e-7})
        EXPECT_EQ(label_on_line({4, 1}, labels_of(Kernel::linear), c), 1) << c - 0.5;
    EXPECT_EQ(label_on_line({4, 1}, labels_of(Kernel::linear), 0.5 - 4e-7), 1) << "a tie: 2^-21 is 4.8e-7";
    EXPECT_EQ(label_on_line({4, 1}, labels_of(Kernel::linear), 0.5 - 6e-7), 4);
}

TEST(Votes, WeightsAreMultiplesOfTheQuantum) {
    const auto votes = votes_on_line({3, 7}, labels_of(Kernel::linear), 1.0 / 3);
    const std::int64_t unit = std::int64_t{1} << 40;  // the other two axes weigh 2^20 each
    EXPECT_EQ(votes.at(3), 699051 * unit) << "2/3 2^20 = 699050.67";
    EXPECT_EQ(votes.at(7), 349525 * unit);
}

// Boundaries fold weights before they are rounded; renormalise drops taps and divides nothing.
TEST(Votes, Boundaries) {
    const std::pair<Boundary, Votes> expected[] = {
        {Boundary::edge, {{3, kAll}}},
        {Boundary::mirror, {{3, kAll / 4 * 3}, {7, kAll / 4}}},
        {Boundary::reflect, {{3, kAll}}},
        {Boundary::wrap, {{3, kAll / 4 * 3}, {8, kAll / 4}}},
        {Boundary::renormalise, {{3, kAll / 4 * 3}}},
    };
    for (const auto& [boundary, votes] : expected)
        EXPECT_EQ(votes_on_line({3, 7, 8}, labels_of(Kernel::linear, boundary), -0.25), votes) << name_of(boundary);
}

TEST(Votes, DownSamplingWidens) {
    // Triangle of half width 2 around 1.5: 1/8, 3/8, 3/8, 1/8.
    EXPECT_EQ(votes_on_line({6, 5, 4, 6}, labels_of(Kernel::linear), 1.5, 2),
              (Votes{{4, kAll / 8 * 3}, {5, kAll / 8 * 3}, {6, kAll / 4}}));
    EXPECT_EQ(votes_on_line({6, 5, 4, 6}, labels_of(Kernel::area), 1.5, 4),
              (Votes{{4, kAll / 4}, {5, kAll / 4}, {6, kAll / 2}}));
    EXPECT_EQ(votes_on_line({6, 5, 4, 6}, labels_of(Kernel::nearest), 1.5, 4), (Votes{{4, kAll}}));
    PlanOptions none = labels_of(Kernel::linear);
    none.antialias = Antialias::none;
    EXPECT_EQ(votes_on_line({6, 5, 4, 6}, none, 1.5, 2), (Votes{{4, kAll / 2}, {5, kAll / 2}}));
    // Not centred: at 0.3 the triangle of 1.7 is only divided by its sum.
    const auto votes = votes_on_line({1, 1, 2, 3}, labels_of(Kernel::linear), 1.3, 1.7);
    const double h0 = 1 - 1.3 / 1.7, h1 = 1 - 0.3 / 1.7, h2 = 1 - 0.7 / 1.7;
    EXPECT_NEAR(static_cast<double>(votes.at(2)) * kVote, h2 / (h0 + h1 + h2), 0x1p-20);
}

TEST(Votes, ObliqueGridsWidenAroundThePosition) {
    const double s = std::sqrt(2.0);
    Grid input{{9, 9, 1}, {}};
    Grid turned{{2, 2, 1}, {{{{s, -s, 0, 4.5}, {s, s, 0, 4}, {0, 0, 1, 0}}}}},
        straight{{2, 2, 1}, {{{{2, 0, 0, 4.5}, {0, 2, 0, 4}, {0, 0, 1, 0}}}}};
    std::vector<double> samples;
    for (int v = 0; v < 81; ++v) samples.push_back(v * 7919 % 101 % 4);
    for (Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::gaussian}) {
        const Oracle gather(input, turned, labels_of(kernel), samples),
            passes(input, straight, labels_of(kernel), samples);
        EXPECT_FALSE(gather.separable());
        EXPECT_TRUE(passes.separable());
        EXPECT_EQ(gather.votes({0, 0, 0}), passes.votes({0, 0, 0})) << name_of(kernel);
    }
}

TEST(Votes, NanHasNone) {
    EXPECT_EQ(label_on_line({kNan, 7}, labels_of(Kernel::linear), 0.25), 7);
    EXPECT_TRUE(std::isnan(label_on_line({kNan, 7}, labels_of(Kernel::linear), 0.0)));
}

TEST(Votes, AreStoredAsTheyAre) {
    PlanOptions options = labels_of(Kernel::linear);
    options.input_dtype = DType::float32;
    options.output_dtype = DType::int8;
    options.fill = 11;
    EXPECT_EQ(on_line({300, 7}, options, 0.1).stored({0, 0, 0}), 127);
    EXPECT_EQ(on_line({300, 7}, options, 0.9).stored({0, 0, 0}), 7);
    EXPECT_EQ(on_line({300, 7}, options, 4).stored({0, 0, 0}), 11);
}

TEST(LabelSlack, OnlyWhereRoundingDecides) {
    const auto slack = [](double c, const Precision& precision) {
        return on_line({4, 1}, labels_of(Kernel::linear), c).label_slack({0, 0, 0}, precision);
    };
    EXPECT_EQ(slack(0.5, kFloat), 0) << "tables are made in double";
    EXPECT_EQ(slack(1.0 / 3, kFloat), 0);
    EXPECT_GT(slack(0.25 + 0x1p-21, kDouble), 0) << "half-way between two multiples";
    EXPECT_GT(slack(0.25 + 0x1p-21, kDouble), std::int64_t{1} << 41);
    EXPECT_EQ(slack(0.25 + 0x1p-22, kDouble), 0);
}

// SimpleITK 2.5.7: labels (((i * 5 + j) * 6 + k) * 7919 % 101) % 4 on 7 x 6 x 5 voxels, sitk.Resample on to 6 x 5 x 4
// from (0.13, -0.21, 0.34) in steps of (0.97, 1.11, 0.83), with sitkLabelGaussian (sigma 1, alpha 1) and
// sitkLabelLinear.
TEST(Itk, LabelGaussianAndLabelLinear) {
    std::vector<double> samples;
    for (int k = 0; k < 5; ++k)
        for (int j = 0; j < 6; ++j)
            for (int i = 0; i < 7; ++i) samples.push_back(((i * 5 + j) * 6 + k) * 7919 % 101 % 4);
    Grid input{{7, 6, 5}, {}}, output{{6, 5, 4}, {}};
    const Vec3 first{0.13, -0.21, 0.34}, step{0.97, 1.11, 0.83};
    for (int a = 0; a < 3; ++a) {
        output.affine(a, a) = step[a];
        output.affine(a, 3) = first[a];
    }
    const auto labels = [&](const PlanOptions& options) {
        const Oracle oracle(input, output, options, samples);
        std::string text;
        for (std::int64_t k = 0; k < 4; ++k)
            for (std::int64_t j = 0; j < 5; ++j)
                for (std::int64_t i = 0; i < 6; ++i) text += std::to_string(static_cast<int>(oracle.label({i, j, k})));
        return text;
    };
    PlanOptions gaussian = labels_of(Kernel::gaussian, Boundary::renormalise);
    gaussian.antialias = Antialias::none;
    gaussian.shape.sigma = 1;
    gaussian.shape.alpha = 1;
    EXPECT_EQ(labels(gaussian),
              "002022002023002313331310331202113320102020002020002313331312"
              "211131113131102020002003001313200131203131113130112020102023");
    PlanOptions linear = labels_of(Kernel::linear);
    linear.antialias = Antialias::none;
    EXPECT_EQ(labels(linear),
              "020202020231013131313120312020131302120202020201023131313130"
              "201313131312130202020201020131202023201313131313131202120202");
}

}  // namespace
}  // namespace revoxel::oracle
