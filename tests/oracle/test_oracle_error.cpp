// The error bound is a bound, and not a loose one: against an evaluation that rounds as executors do.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "oracle/lines.hpp"
#include "oracle/oracle.hpp"

namespace revoxel::oracle {
namespace {

/// What a table of float weights makes of a line of samples: weights rounded to multiples of 2^-23, one fma a tap.
double in_float(const Row& row, const std::vector<double>& samples, double outside) {
    float sum = 0;
    for (std::size_t t = 0; t < row.weight.size(); ++t) {
        const auto weight = static_cast<float>(std::nearbyint(row.weight[t] * 0x1p23) * 0x1p-23);
        sum = std::fma(weight, static_cast<float>(samples[static_cast<std::size_t>(row.first) + t]), sum);
    }
    return sum + static_cast<float>(row.outside * outside);
}

std::vector<double> noise(std::size_t n) {
    std::vector<double> samples;
    for (std::size_t i = 0; i < n; ++i)
        samples.push_back(
            static_cast<double>(static_cast<float>(std::sin(12.9898 * static_cast<double>(i + 1)) * 437.5)));
    return samples;
}

TEST(ErrorBound, HoldsForTablesOfFloat) {
    const auto samples = noise(23);
    const auto n = static_cast<std::int64_t>(samples.size());
    double largest = 0.0;
    for (Boundary boundary : kBoundaries) {
        for (Kernel kernel : kSmooth) {
            for (bool normalised : {true, false}) {
                PlanOptions options = options_of(kernel, Antialias::none, boundary);
                options.kernel = {kernel, Kernel::nearest, Kernel::nearest};
                options.shape.normalised = normalised;
                options.boundary_value = 300;
                const Oracle oracle(line_grid(n, 1, 0), line_grid(40, 0.59375, -0.5), options, samples);
                const double bound = oracle.error_bound(kFloat);
                for (std::int64_t o = 0; o < 38; ++o) {
                    const double c = oracle.position({o, 0, 0})[0];
                    Row row = folded(kernel_taps(kernel, options.shape, c), boundary, n);
                    if (boundary == Boundary::renormalise) row = renormalised(row);
                    const double share = std::abs(in_float(row, samples, 300) - oracle.value({o, 0, 0})) / bound;
                    EXPECT_LE(share, 1) << name_of(kernel) << " " << name_of(boundary) << " " << o;
                    largest = std::max(largest, share);
                }
            }
        }
    }
    EXPECT_GT(largest, 0.1) << "a bound that is never approached tests nothing";
}

// A stage after another, as passes along two axes and as low-pass and interpolation in one table.
TEST(ErrorBound, GrowsWithWhatIsDone) {
    const auto samples = noise(23);
    const auto bound = [&](const PlanOptions& options, double k) {
        return on_line(samples, options, 11.25, k).error_bound(kFloat) / 437.5;
    };
    const double linear = bound(options_of(Kernel::linear), 1);
    EXPECT_GT(linear, 2 * 0x1p-24);
    EXPECT_LT(linear, 16 * 0x1p-24) << "two weights, two operations, and two taps for what is cut";
    EXPECT_EQ(bound(options_of(Kernel::nearest), 1), 0.0) << "moves values";
    EXPECT_EQ(on_line(samples, options_of(Kernel::bspline3), 11).error_bound(kFloat), 0.0) << "moves values";
    EXPECT_GT(bound(options_of(Kernel::bspline5), 1), 2 * linear);
    EXPECT_GT(bound(options_of(Kernel::linear, Antialias::aperture), 4), linear);
    PlanOptions constant = options_of(Kernel::linear, Antialias::none, Boundary::constant);
    constant.boundary_value = -10 * std::abs(*std::max_element(samples.begin(), samples.end(), [](double a, double b) {
        return std::abs(a) < std::abs(b);
    }));
    EXPECT_NEAR(bound(constant, 1) / linear, 10, 1e-12) << "in proportion to the largest value there is";
    EXPECT_LT(on_line(samples, options_of(Kernel::linear), 11.25).error_bound(kDouble), 1e-12);
}

TEST(ErrorBound, GathersAddTheirOwn) {
    const double s = std::sqrt(0.5);
    const Grid input{{9, 9, 9}, {}};
    const Grid turned{{3, 3, 3}, {{{{s, -s, 0, 4}, {s, s, 0, 3}, {0, 0, 1, 2.25}}}}},
        straight{{3, 3, 3}, {{{{1, 0, 0, 3.25}, {0, 1, 0, 3.5}, {0, 0, 1, 2.25}}}}};
    const auto samples = noise(729);
    for (Kernel kernel : kSmooth) {
        for (Boundary boundary : {Boundary::edge, Boundary::renormalise}) {
            const PlanOptions options = options_of(kernel, Antialias::none, boundary);
            const double gather = Oracle(input, turned, options, samples).error_bound(kFloat),
                         passes = Oracle(input, straight, options, samples).error_bound(kFloat);
            EXPECT_GT(gather, passes) << name_of(kernel);
            EXPECT_LT(gather, 437.5 * 0.02) << name_of(kernel) << " " << name_of(boundary);
        }
    }
}

TEST(ErrorBound, DivisionByASmallShare) {
    PlanOptions options = options_of(Kernel::linear);
    options.nan_aware = true;
    const std::vector<double> samples{kNan, 437.5, 20};
    const auto bound = [&](double c) { return on_line(samples, options, c).error_bound(kFloat, {0, 0, 0}); };
    const double whole = on_line(samples, options, 1.25).error_bound(kFloat);
    EXPECT_GE(bound(1.25), whole);
    EXPECT_LT(bound(1.25), 2.1 * whole);
    EXPECT_GT(bound(1.0 / 32), 32 * whole);
    EXPECT_LT(bound(1.0 / 32), 65 * whole);
    for (double c : {1.25, 0.5, 1.0 / 32}) {
        const float share = static_cast<float>(c < 1 ? c : 1.0);
        const float sum = c < 1 ? share * 437.5f : std::fma(0.25f, 20.0f, 0.75f * 437.5f);
        EXPECT_LE(std::abs(sum / share - value_on_line(samples, options, c)), bound(c)) << c;
    }
}

}  // namespace
}  // namespace revoxel::oracle
