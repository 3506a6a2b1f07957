// The oracle is what everything else is measured against, so it is tested against mathematics.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "oracle/lines.hpp"
#include "oracle/oracle.hpp"

namespace revoxel::oracle {
namespace {

TEST(Oracle, InterpolatesTheSamplesThemselves) {
    const auto samples = sampled(11, [](double x) { return std::sin(3 * x) * 100; });
    for (Kernel kernel : kSmooth) {
        if (kernel == Kernel::gaussian) continue;
        const Oracle oracle(line_grid(11, 0.7, -3), line_grid(11, 0.7, -3), options_of(kernel, Antialias::automatic),
                            samples);
        for (std::int64_t i = 0; i < 11; ++i)
            EXPECT_EQ(oracle.value({i, 0, 0}), samples[static_cast<std::size_t>(i)]) << name_of(kernel);
    }
}

TEST(Oracle, ConstantsStayConstantWhateverIsAskedFor) {
    for (Boundary boundary : kBoundaries) {
        for (Kernel kernel : kSmooth) {
            for (Antialias antialias : kAntialiases) {
                PlanOptions options = options_of(kernel, antialias, boundary);
                options.boundary_value = 7.25;
                options.blur = {0.7, 0, 0};
                const Oracle oracle(line_grid(9, 1, 0), line_grid(6, 1.6, -0.49), options,
                                    std::vector<double>(9, 7.25));
                for (std::int64_t o = 0; o < 6; ++o)
                    EXPECT_NEAR(oracle.value({o, 0, 0}), 7.25, 1e-13)
                        << name_of(boundary) << " " << name_of(kernel) << " " << name_of(antialias);
            }
        }
    }
}

TEST(Oracle, UnnormalisedKernelsDoNotKeepConstants) {
    PlanOptions options = options_of(Kernel::sinc_blackman);
    options.shape.normalised = false;
    double sum = 0.0;
    for (int j = -20; j <= 20; ++j) sum += kernel_value(Kernel::sinc_blackman, 0.3 - j, options.shape);
    EXPECT_GT(std::abs(sum - 1), 1e-4);
    EXPECT_NEAR(value_on_line(std::vector<double>(9, 1000.0), options, 4.3), 1000 * sum, 1e-11);
}

// A spline of order n reproduces polynomials of degree n, Keys of degree 2, linear of degree 1; far from the edges,
// where the edge extension bends the polynomial (its influence decays as 0.43^30 = 1e-11 for order 5).
TEST(Oracle, ReproducesPolynomials) {
    const std::pair<Kernel, int> degrees[] = {{Kernel::linear, 1},   {Kernel::cubic, 2},    {Kernel::bspline2, 2},
                                              {Kernel::bspline3, 3}, {Kernel::bspline4, 4}, {Kernel::bspline5, 5}};
    for (const auto& [kernel, degree] : degrees) {
        const auto f = [d = degree](double x) { return std::pow((x - 50) / 10, d); };
        const Oracle oracle(line_grid(101, 1, 0), line_grid(30, 0.37, 45), options_of(kernel), sampled(101, f));
        for (std::int64_t o = 0; o < 30; ++o)
            EXPECT_NEAR(oracle.value({o, 0, 0}), f(45 + 0.37 * static_cast<double>(o)), 1e-7) << name_of(kernel);
    }
}

TEST(Oracle, DeltaGivesTheKernel) {
    std::vector<double> delta(81, 0.0);
    delta[40] = 1.0;
    for (Kernel kernel : kSmooth) {
        const Oracle oracle(line_grid(81, 1, 0), line_grid(50, 0.3, 33), options_of(kernel), delta);
        for (std::int64_t o = 0; o < 50; ++o) {
            const double x = 33 + 0.3 * static_cast<double>(o) - 40;
            double sum = 0.0;
            for (int j = -60; j <= 60; ++j) sum += kernel_value(kernel, x - std::floor(x) - j);
            EXPECT_NEAR(oracle.value({o, 0, 0}), kernel_value(kernel, x) / sum, 1e-13) << name_of(kernel) << " " << x;
        }
    }
}

TEST(Oracle, StretchedDeltaGivesTheWidenedKernel) {
    std::vector<double> delta(201, 0.0);
    delta[100] = 1.0;
    const double k = 2.5;
    for (Kernel kernel : kSmooth) {
        if (kernel == Kernel::gaussian) continue;  // widened before it is integrated
        const Oracle oracle(line_grid(201, 1, 0), line_grid(40, k, 50.2), options_of(kernel, Antialias::stretch),
                            delta);
        EXPECT_NEAR(oracle.step()[0], k, 1e-12);
        for (std::int64_t o = 0; o < 40; ++o) {
            const double c = 50.2 + k * static_cast<double>(o);
            // h + |h| (p + q d), sum and first moment by Cramer's rule.
            double m0 = 0.0, m1 = 0.0, s0 = 0.0, s1 = 0.0, s2 = 0.0;
            for (int j = -200; j <= 400; ++j) {
                const double h = kernel_value(kernel, (j - c) / k), d = j - c;
                m0 += h, m1 += h * d, s0 += std::abs(h), s1 += std::abs(h) * d, s2 += std::abs(h) * d * d;
            }
            const double p = m1 * s1 / (s0 * s2 - s1 * s1), q = -m1 * s0 / (s0 * s2 - s1 * s1);
            const double h = kernel_value(kernel, (100 - c) / k);
            EXPECT_NEAR(oracle.value({o, 0, 0}), (h + std::abs(h) * (p + q * (100 - c))) / m0, 1e-13)
                << name_of(kernel);
        }
    }
}

TEST(Oracle, StretchKeepsRampsAndPillowDoesNot) {
    const auto ramp = sampled(201, [](double x) { return 0.5 * x - 30; });
    for (Kernel kernel : kSmooth) {
        for (double k : {1.23, 1.71, 2.53}) {
            double shift = 0.0;
            for (double c : {95.3, 96.9, 98.05}) {
                EXPECT_NEAR(value_on_line(ramp, options_of(kernel, Antialias::stretch), c, k), 0.5 * c - 30, 1e-11)
                    << name_of(kernel) << " " << k;
                const double pillow = value_on_line(ramp, options_of(kernel, Antialias::pillow), c, k);
                shift = std::max(shift, std::abs(pillow - (0.5 * c - 30)));
            }
            EXPECT_GT(shift, 1e-6) << name_of(kernel) << " " << k;
        }
    }
}

// Triangle of half width 2 around 1.5 on 0..3: weights 1/4, 3/4, 3/4, 1/4 over 2.
TEST(Oracle, StretchedLinearByHand) {
    // The grid has one voxel, but its affine says that a step is two input voxels.
    EXPECT_DOUBLE_EQ(value_on_line({8, 16, 32, 64}, options_of(Kernel::linear, Antialias::automatic), 1.5, 2),
                     (8 * 0.25 + 16 * 0.75 + 32 * 0.75 + 64 * 0.25) / 2);
}

TEST(Oracle, AreaIsTheMean) {
    const std::vector<double> samples{8, 16, 32, 64};
    for (const PlanOptions& options :
         {options_of(Kernel::area, Antialias::automatic), options_of(Kernel::cubic, Antialias::area)}) {
        EXPECT_DOUBLE_EQ(value_on_line(samples, options, 0.5, 2), 12);
        EXPECT_DOUBLE_EQ(value_on_line(samples, options, 2.5, 2), 48);
        EXPECT_DOUBLE_EQ(value_on_line(samples, options, 1.5, 4), 30);
        EXPECT_NEAR(value_on_line(samples, options, 1.0, 2.5), 0.3 * 8 + 0.4 * 16 + 0.3 * 32, 1e-14);
    }
    // Steps below 1 too: each output voxel is the mean of what it covers.
    const PlanOptions area = options_of(Kernel::area, Antialias::automatic);
    EXPECT_DOUBLE_EQ(value_on_line(samples, area, 1.25, 0.5), 16);
    EXPECT_DOUBLE_EQ(value_on_line(samples, area, 1.5, 0.5), 24);
    // On grids that share their edges the mean of the whole is kept, at any step.
    double sum = 0.0;
    for (int o = 0; o < 3; ++o) sum += value_on_line(samples, area, (o + 0.5) * 4 / 3 - 0.5, 4.0 / 3);
    EXPECT_NEAR(sum / 3, 30, 1e-13);
}

TEST(Oracle, SupersampleIsTheMeanOfInterpolatedValues) {
    const auto samples = sampled(41, [](double x) { return std::sin(0.7 * x) + 0.01 * x * x; });
    for (Kernel kernel : kSmooth) {
        for (const auto& [k, q] : {std::pair{2.0, 2}, {2.5, 3}, {4.2, 5}}) {
            double sum = 0.0;
            for (int s = 0; s < q; ++s)
                sum += value_on_line(samples, options_of(kernel), 20.3 + ((s + 0.5) / q - 0.5) * k);
            EXPECT_NEAR(value_on_line(samples, options_of(kernel, Antialias::supersample), 20.3, k), sum / q, 1e-13)
                << name_of(kernel) << " " << k;
        }
    }
    // Positions -3/2, -1/2, 1/2, 3/2, folded by the mirror.
    const PlanOptions options = options_of(Kernel::linear, Antialias::supersample, Boundary::mirror);
    EXPECT_DOUBLE_EQ(value_on_line({8, 16, 32, 64}, options, 0, 4), (24 + 12 + 12 + 24) / 4.0);
}

TEST(Oracle, GaussiansHaveTheirVariance) {
    const auto variance = [](Antialias antialias, double k, double aperture) {
        PlanOptions options = options_of(Kernel::linear, antialias);
        options.aperture = {aperture, 1, 1};
        return variance_about(weights_on_line(101, options, 50, k), 50);
    };
    for (double k : {1.02, 1.3, 2.0, 3.0, 7.5}) {
        EXPECT_NEAR(variance(Antialias::aperture, k, 1), (k * k - 1) / 12, 1e-12) << k;
        // A sampled Gaussian of s has the variance s^2 less what lies beyond its cut, from s = 0.6 upwards.
        if (k < 2.5) continue;
        EXPECT_NEAR(variance(Antialias::gaussian, k, 1) * 8 * std::log(2.0) / (k * k - 1), 1, 5e-3) << k;
        EXPECT_NEAR(variance(Antialias::skimage, k, 1) * 4 / ((k - 1) * (k - 1)), 1, 5e-3) << k;
        EXPECT_NEAR(variance(Antialias::mirp, k, 1) / (0.402 * k * 0.402 * k), 1, 5e-3) << k;
    }
    // Slices 4 mm thick to slices of 6 mm take a Gaussian of 4.47 mm full width at half maximum, spacing 1 mm.
    const double fwhm = std::sqrt(8 * std::log(2.0) * variance(Antialias::gaussian, 6, 4));
    EXPECT_NEAR(fwhm, 4.47, 0.01);
    EXPECT_NEAR(variance(Antialias::aperture, 6, 4), (36 - 16) / 12.0, 1e-12);
}

TEST(Oracle, ApertureIsWhatTheInputHasAlready) {
    const auto factor = [](double k, double aperture) {
        PlanOptions options = options_of(Kernel::linear, Antialias::stretch);
        options.aperture = {aperture, 1, 1};
        return on_line(kSamples, options, 3, k).low_pass()[0];
    };
    EXPECT_DOUBLE_EQ(factor(2.5, 1), 2.5);
    EXPECT_DOUBLE_EQ(factor(3, 2), std::sqrt(6.0));
    EXPECT_DOUBLE_EQ(factor(2, 0.5), std::sqrt(4.75));
    EXPECT_DOUBLE_EQ(factor(2, 2), 1);
    EXPECT_DOUBLE_EQ(factor(2, 5), 1);
    EXPECT_DOUBLE_EQ(factor(0.8, 0.5), 1) << "never where the step is not above 1";
    EXPECT_DOUBLE_EQ(factor(1 + 1e-10, 0.5), 1);
    // Everything that is widened is widened by it.
    PlanOptions options;
    options.aperture = {2, 1, 1};
    for (Antialias antialias : {Antialias::stretch, Antialias::pillow, Antialias::area, Antialias::supersample,
                                Antialias::gaussian, Antialias::aperture, Antialias::skimage, Antialias::mirp}) {
        options.antialias = antialias;
        EXPECT_NEAR(value_on_line(kSamples, options, 2.8, 3),
                    value_on_line(kSamples, options_of(Kernel::linear, antialias), 2.8, std::sqrt(6.0)), 1e-13)
            << name_of(antialias);
    }
    // Kernel area is as wide as the voxel.
    options.kernel = Kernel::area;
    options.antialias = Antialias::automatic;
    EXPECT_DOUBLE_EQ(value_on_line({8, 16, 32, 64}, options, 0.5, 2), 12);
}

TEST(Oracle, BlurComesFirstAtAnyStep) {
    for (double k : {0.5, 1.0, 2.0}) {
        PlanOptions options = options_of(Kernel::linear, Antialias::none);
        options.blur = {1.3, 0, 0};
        EXPECT_NEAR(variance_about(weights_on_line(101, options, 50, k), 50), 1.69, 1e-12) << k;
    }
    // On the grid, by hand: sigma^2 = 0.01 weighs these; then the mean of two; then, with the low-pass of
    // k = 1.1, (k^2 - 1)/12 = 0.0175 of variance more in between.
    PlanOptions options = options_of(Kernel::linear, Antialias::none);
    options.blur = {0.1, 0, 0};
    const std::vector<double> samples{100, 200, 0, 0};
    const auto& [w0, w1, w2, w3] = kSlightBlur;
    const double at_0 = w0 * 100 + w1 * (100 + 200) + w2 * 100 + w3 * 100;
    const double at_1 = w0 * 200 + w1 * 100 + w2 * 100 + w3 * 100;
    EXPECT_NEAR(value_on_line(samples, options, 0.5), (at_0 + at_1) / 2, 1e-12);
    options.antialias = Antialias::aperture;
    EXPECT_NEAR(variance_about(weights_on_line(21, options, 10, 1.1), 10), 0.01 + 0.0175, 1e-12);
    // Variances of axes do not mix.
    options.blur = {0, 0.7, 0};
    EXPECT_NEAR(variance_about(weights_on_line(21, options, 10, 1.1), 10), 0.0175, 1e-12);
}

// What lies a quarter of a voxel beyond the first: 3/4 of it and 1/4 of what is beyond.
TEST(Boundaries, LinearByHand) {
    const std::vector<double> samples{8, 16, 32, 64};
    const std::pair<Boundary, double> expected[] = {{Boundary::edge, 8},      {Boundary::mirror, 10},
                                                    {Boundary::reflect, 8},   {Boundary::wrap, 22},
                                                    {Boundary::constant, 31}, {Boundary::renormalise, 8}};
    for (const auto& [boundary, value] : expected) {
        PlanOptions options = options_of(Kernel::linear, Antialias::none, boundary);
        options.boundary_value = 100;
        EXPECT_DOUBLE_EQ(value_on_line(samples, options, -0.25), value) << name_of(boundary);
    }
}

TEST(Boundaries, ConstantIsOutsideOnAnyAxis) {
    Grid input{{2, 2, 2}, {}}, output{{1, 1, 1}, {}};
    for (int a = 0; a < 3; ++a) output.affine(a, 3) = -0.25;
    PlanOptions options = options_of(Kernel::linear, Antialias::none, Boundary::constant);
    options.boundary_value = 64;
    const Oracle oracle(input, output, options, {1280, 0, 0, 0, 0, 0, 0, 0});
    EXPECT_DOUBLE_EQ(oracle.value({0, 0, 0}), 27.0 / 64 * 1280 + 37.0 / 64 * 64);
}

// Taps of Keys a quarter beyond voxel 0: of voxels 0 and 1, divided by their sum.
TEST(Boundaries, RenormaliseByHand) {
    const PlanOptions options = options_of(Kernel::cubic, Antialias::none, Boundary::renormalise);
    const double w0 = 1.5 / 64 - 2.5 / 16 + 1, w1 = -0.5 * 125 / 64 + 2.5 * 25 / 16 - 4 * 1.25 + 2;
    EXPECT_NEAR(value_on_line({8, 16, 32}, options, -0.25), (8 * w0 + 16 * w1) / (w0 + w1), 1e-14);
    // A low-pass on the grid divides in its own step.
    PlanOptions blurred = options;
    blurred.blur = {0.1, 0, 0};
    const double* b = kSlightBlur;
    EXPECT_NEAR(value_on_line({8, 16, 32}, blurred, 0.0), (b[0] * 8 + b[1] * 16 + b[2] * 32) / (b[0] + b[1] + b[2]),
                1e-13);
    EXPECT_NEAR(value_on_line({8, 16, 32}, blurred, 1.0), (b[1] * 8 + b[0] * 16 + b[1] * 32) / (b[0] + 2 * b[1]),
                1e-13);
}

// With the signal extended everywhere, each boundary has the symmetry that defines it: whatever filters run.
TEST(Boundaries, SymmetriesOfTheExtendedSignal) {
    const double n = static_cast<double>(kSamples.size());
    for (Kernel kernel : kSmooth) {
        for (Antialias antialias : kAntialiases) {
            for (double k : {1.0, 2.3}) {
                const auto at = [&](Boundary boundary, double c) {
                    PlanOptions options = options_of(kernel, antialias, boundary);
                    options.outside = Outside::extend;
                    options.blur = {0.4, 0, 0};
                    return value_on_line(kSamples, options, c, k);
                };
                const std::string name =
                    std::string(name_of(kernel)) + " " + name_of(antialias) + " " + std::to_string(k);
                for (double c : {0.3, 2.75, 5.9}) {
                    EXPECT_NEAR(at(Boundary::mirror, c), at(Boundary::mirror, -c), 1e-12) << name;
                    EXPECT_NEAR(at(Boundary::mirror, c), at(Boundary::mirror, c + 2 * n - 2), 1e-12) << name;
                    EXPECT_NEAR(at(Boundary::reflect, c), at(Boundary::reflect, -1 - c), 1e-12) << name;
                    EXPECT_NEAR(at(Boundary::reflect, c), at(Boundary::reflect, c - 4 * n), 1e-12) << name;
                    EXPECT_NEAR(at(Boundary::wrap, c), at(Boundary::wrap, c - 3 * n), 1e-12) << name;
                }
                EXPECT_NEAR(at(Boundary::edge, -500.5), at(Boundary::edge, -1000.1), 1e-12) << name;
            }
        }
    }
}

TEST(Boundaries, WrapMakesAShiftOfAShift) {
    std::vector<double> shifted(kSamples.size());
    for (std::size_t i = 0; i < shifted.size(); ++i) shifted[i] = kSamples[(i + 2) % kSamples.size()];
    for (Kernel kernel : kSmooth)
        for (Antialias antialias : kAntialiases)
            for (double c : {0.4, 3.2})
                EXPECT_NEAR(value_on_line(shifted, options_of(kernel, antialias, Boundary::wrap), c, 1.9),
                            value_on_line(kSamples, options_of(kernel, antialias, Boundary::wrap), c + 2, 1.9), 1e-12)
                    << name_of(kernel) << " " << name_of(antialias);
}

TEST(Boundaries, FarOutsideIsTheBoundaryValueOrTheEdge) {
    for (Kernel kernel : kSmooth) {
        PlanOptions options = options_of(kernel, Antialias::none, Boundary::constant);
        options.outside = Outside::extend;
        options.boundary_value = -3.5;
        EXPECT_NEAR(value_on_line(kSamples, options, 200.3), -3.5, 1e-14) << name_of(kernel);
        options.boundary = Boundary::edge;
        EXPECT_NEAR(value_on_line(kSamples, options, -200.3), 3, 1e-14) << name_of(kernel);
    }
}

TEST(Outside, FillOrExtend) {
    PlanOptions options = options_of(Kernel::linear);
    options.fill = 99;
    EXPECT_FALSE(on_line(kSamples, options, -0.6).inside({0, 0, 0}));
    EXPECT_EQ(on_line(kSamples, options, -0.6).stored({0, 0, 0}), 99);
    options.outside = Outside::extend;
    EXPECT_TRUE(on_line(kSamples, options, -0.6).inside({0, 0, 0}));
    EXPECT_EQ(on_line(kSamples, options, -0.6).stored({0, 0, 0}), 3);
}

TEST(Outside, InsideIsHalfOpenWithTheTieTolerance) {
    const std::pair<double, bool> cases[] = {{-0.5, true}, {-0.5 - 5e-7, true}, {-0.5 - 2e-6, false},
                                             {2.5, false}, {2.5 - 5e-7, false}, {2.5 - 2e-6, true}};
    for (const auto& [at, expected] : cases)
        EXPECT_EQ(on_line({1, 2, 3}, options_of(Kernel::linear), at).inside({0, 0, 0}), expected) << at;
}

TEST(Oracle, NearestRoundsTiesUp) {
    for (const auto& [at, expected] :
         {std::pair{0.5, 2.0}, {0.5 - 5e-7, 2.0}, {0.5 - 2e-6, 1.0}, {-0.5, 1.0}, {1.5, 3.0}})
        EXPECT_EQ(value_on_line({1, 2, 3}, options_of(Kernel::nearest), at), expected) << at;
}

TEST(Oracle, KernelsAndLowPassesOfTheirOwnOnEachAxis) {
    Grid input{{2, 2, 4}, {}}, output{{1, 1, 1}, {}};
    output.affine(0, 3) = 0.75;
    output.affine(1, 3) = 0.75;
    output.affine(2, 2) = 2;
    output.affine(2, 3) = 1.5;
    PlanOptions options;
    options.kernel = {Kernel::nearest, Kernel::linear, Kernel::linear};
    options.antialias = {Antialias::automatic, Antialias::automatic, Antialias::area};
    std::vector<double> samples;
    for (int k = 0; k < 4; ++k)
        for (int j = 0; j < 2; ++j)
            for (int i = 0; i < 2; ++i) samples.push_back(100 * k * k + 10 * j + i);
    const Oracle oracle(input, output, options, samples);
    EXPECT_NEAR(oracle.value({0, 0, 0}), 1 + 7.5 + (100 + 400) / 2.0, 1e-12);
}

TEST(Oracle, ZeroWeightsDoNotTouchNan) {
    const Oracle oracle(line_grid(4, 1, 0), line_grid(7, 0.5, 0), options_of(Kernel::linear), {1, 2, kNan, 4});
    EXPECT_EQ(oracle.value({2, 0, 0}), 2.0);
    EXPECT_TRUE(std::isnan(oracle.value({3, 0, 0})));
    EXPECT_TRUE(std::isnan(oracle.value({4, 0, 0})));
    EXPECT_EQ(oracle.value({6, 0, 0}), 4.0);
}

TEST(Oblique, KeepsAWorldRamp) {
    Grid input{{12, 14, 13}, {{{{-0.9, 0.1, 0.2, 4}, {0.15, 0.8, -0.1, -3}, {0, 0.1, 1.4, 2}}}}};
    Grid output{{5, 6, 4}, {{{{0.1, 0.7, 0.2, -1}, {0.6, -0.1, 0.1, 1}, {0.1, 0.1, -0.8, 10}}}}};
    const auto f = [](const Vec3& w) { return 3 * w[0] - 2 * w[1] + 0.5 * w[2] + 7; };
    std::vector<double> samples;
    for (int k = 0; k < 13; ++k)
        for (int j = 0; j < 14; ++j)
            for (int i = 0; i < 12; ++i) samples.push_back(f(world_of_index(input, {double(i), double(j), double(k)})));
    const Oracle oracle(input, output, options_of(Kernel::linear), samples);
    EXPECT_FALSE(oracle.separable());
    int tested = 0;
    for (std::int64_t k = 0; k < 4; ++k)
        for (std::int64_t j = 0; j < 6; ++j)
            for (std::int64_t i = 0; i < 5; ++i) {
                const Vec3 c = oracle.position({i, j, k});
                if (c[0] < 0 || c[0] > 11 || c[1] < 0 || c[1] > 13 || c[2] < 0 || c[2] > 12) continue;
                ++tested;
                EXPECT_NEAR(oracle.value({i, j, k}), f(world_of_index(output, {double(i), double(j), double(k)})),
                            1e-12);
            }
    EXPECT_GT(tested, 60);
}

TEST(Oblique, IsWhatIsNoPermutation) {
    const double s = std::sqrt(0.5);
    const Grid input{{9, 9, 9}, {}};
    const auto oracle_of = [&](const Extent& n, const Affine& affine) {
        return Oracle(input, Grid{n, affine}, options_of(Kernel::linear), std::vector<double>(729, 1.0));
    };
    const Affine turned{{{{s, -s, 0, 4}, {s, s, 0, 1}, {0, 0, 2, 3}}}},
        swapped{{{{0, 0, -3, 8}, {2, 0, 0, 1}, {0, 0.5, 0, 3}}}};
    EXPECT_FALSE(oracle_of({3, 3, 3}, turned).separable());
    EXPECT_FALSE(oracle_of({3, 1, 1}, turned).separable()) << "a line that moves along two axes";
    EXPECT_TRUE(oracle_of({1, 1, 4}, turned).separable()) << "a line that moves along one";
    EXPECT_TRUE(oracle_of({1, 1, 1}, turned).separable());
    EXPECT_TRUE(oracle_of({3, 3, 3}, swapped).separable());
    EXPECT_EQ(oracle_of({3, 3, 3}, swapped).step(), (Vec3{3, 2, 0.5}));
    // Less than 1e-4 voxel over the whole grid is none.
    Affine sheared = swapped;
    sheared(0, 0) = 4e-5;
    EXPECT_TRUE(oracle_of({3, 3, 3}, sheared).separable());
    EXPECT_FALSE(oracle_of({4, 3, 3}, sheared).separable());
}

// Rotation by 45 degrees about z at twice the spacing: each row of the affine has norm 2. The delta is low-passed on
// the input grid first; then linear takes 3/4, 1/4 on x and 1/2, 1/2 on y.
TEST(Oblique, LowPassComesBeforeTheInterpolation) {
    const double s = std::sqrt(2.0);
    Grid input{{31, 31, 1}, {}};
    Grid output{{2, 2, 1}, {{{{s, -s, 0, 15.25}, {s, s, 0, 14.5}, {0, 0, 1, 0}}}}};
    std::vector<double> delta(31 * 31, 0.0);
    delta[15 * 31 + 15] = 1.0;
    const auto expect = [&](Antialias antialias, const std::array<double, 2>& filter, double tolerance = 1e-14) {
        const Oracle oracle(input, output, options_of(Kernel::linear, antialias), delta);
        EXPECT_FALSE(oracle.separable());
        EXPECT_NEAR(oracle.step()[0], 2.0, 1e-12);
        EXPECT_EQ(oracle.step()[2], 1.0);
        const auto& [middle, beside] = filter;
        EXPECT_NEAR(oracle.value({0, 0, 0}), (0.75 * middle + 0.25 * beside) * (0.5 * beside + 0.5 * middle), tolerance)
            << name_of(antialias);
    };
    expect(Antialias::none, {1, 0});
    expect(Antialias::stretch, {0.5, 0.25});  // triangle of half width 2
    expect(Antialias::pillow, {0.5, 0.25});
    expect(Antialias::area, {0.5, 0.25});         // box from -1 to 1
    expect(Antialias::supersample, {0.5, 0.25});  // linear at -1/2 and 1/2
    const Taps gaussian = sampled_gaussian(std::sqrt(3 / (8 * std::log(2.0)))), skimage = sampled_gaussian(0.5),
               aperture = exact_gaussian(0.25);
    expect(Antialias::gaussian, {gaussian.at(0), gaussian.at(1)});
    expect(Antialias::skimage, {skimage.at(0), skimage.at(1)});
    expect(Antialias::aperture, {aperture.at(0), aperture.at(1)});
}

// A turn of 90 degrees is separable, one of 45 is not: on a plane that is its own image under the turn both must agree
// where filters run on the grid. Here: the same point of both, read by grids of equal steps.
TEST(Oblique, FiltersOfTheGridAreThoseOfSeparableGrids) {
    Grid input{{15, 13, 1}, {}};
    std::vector<double> samples;
    for (int v = 0; v < 15 * 13; ++v) samples.push_back(v * 7919 % 101);
    const double s = std::sqrt(2.0);
    const Grid turned{{2, 2, 1}, {{{{s, -s, 0, 7.3}, {s, s, 0, 5.6}, {0, 0, 1, 0}}}}},
        straight{{2, 2, 1}, {{{{2, 0, 0, 7.3}, {0, 2, 0, 5.6}, {0, 0, 1, 0}}}}};
    for (Boundary boundary : kBoundaries) {
        for (Antialias antialias :
             {Antialias::none, Antialias::gaussian, Antialias::aperture, Antialias::skimage, Antialias::mirp}) {
            for (Kernel kernel : kSmooth) {
                PlanOptions options = options_of(kernel, antialias, boundary);
                options.blur = {0.5, 0.3, 0};
                options.boundary_value = 50;
                const Oracle gather(input, turned, options, samples), passes(input, straight, options, samples);
                EXPECT_FALSE(gather.separable());
                EXPECT_TRUE(passes.separable());
                EXPECT_NEAR(gather.value({0, 0, 0}), passes.value({0, 0, 0}), 1e-10)
                    << name_of(kernel) << " " << name_of(antialias) << " " << name_of(boundary);
            }
        }
    }
}

}  // namespace
}  // namespace revoxel::oracle
