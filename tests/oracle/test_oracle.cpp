// The oracle is what everything else is measured against, so it is tested against mathematics and against scipy.
#include "oracle/oracle.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace revoxel::oracle {
namespace {

constexpr Kernel kAllKernels[] = {Kernel::nearest,  Kernel::linear,   Kernel::cubic,    Kernel::lanczos3,
                                  Kernel::bspline2, Kernel::bspline3, Kernel::bspline4, Kernel::bspline5};
constexpr Kernel kSmooth[] = {Kernel::linear,   Kernel::cubic,    Kernel::lanczos3, Kernel::bspline2,
                              Kernel::bspline3, Kernel::bspline4, Kernel::bspline5};

Grid line_grid(std::int64_t n, double step, double start) {
    Grid grid{{n, 1, 1}, {}};
    grid.affine(0, 0) = step;
    grid.affine(0, 3) = start;
    return grid;
}

std::vector<double> sampled(std::int64_t n, const std::function<double(double)>& f) {
    std::vector<double> v;
    for (std::int64_t i = 0; i < n; ++i) v.push_back(f(static_cast<double>(i)));
    return v;
}

TEST(BasisSpline, IsTheFormulaOfTheCubic) {
    for (double x : {0.0, 0.1, 0.5, 0.99, 1.0, 1.3, 1.9, 2.0, 2.5}) {
        const double expected = x < 1 ? 2.0 / 3 - x * x * (2 - x) / 2 : x < 2 ? (2 - x) * (2 - x) * (2 - x) / 6 : 0.0;
        EXPECT_NEAR(basis_spline(3, x), expected, 1e-15) << x;
        EXPECT_NEAR(basis_spline(3, -x), expected, 1e-15) << x;
    }
}

TEST(BasisSpline, TranslatesSumToOne) {
    for (int order = 0; order <= 5; ++order) {
        for (double x : {0.0, 0.2, 0.5, 0.77}) {
            double sum = 0;
            for (int j = -4; j <= 4; ++j) sum += basis_spline(order, x - j);
            EXPECT_NEAR(sum, 1.0, 1e-15) << order << " " << x;
        }
    }
}

TEST(KernelValue, InterpolatesAndSumsToOne) {
    for (Kernel kernel : kAllKernels) {
        for (int j = -8; j <= 8; ++j)
            EXPECT_NEAR(kernel_value(kernel, j), j == 0 ? 1.0 : 0.0, 1e-15) << name_of(kernel) << " " << j;
        if (kernel == Kernel::lanczos3) continue;  // sums to one only after normalising
        double sum = 0;
        for (int j = -60; j <= 60; ++j) sum += kernel_value(kernel, 0.37 - j);
        EXPECT_NEAR(sum, 1.0, 1e-14) << name_of(kernel);
    }
}

TEST(KernelValue, CardinalSplineDecaysLikeItsPole) {
    // c_j = c_0 z^|j| and the spline's lobes follow: the ratio of eta at distance 1 is the largest pole.
    const std::pair<Kernel, double> poles[] = {{Kernel::bspline2, std::sqrt(8.0) - 3},
                                               {Kernel::bspline3, std::sqrt(3.0) - 2},
                                               {Kernel::bspline4, -0.361341226},
                                               {Kernel::bspline5, -0.430575347}};
    for (const auto& [kernel, pole] : poles)
        EXPECT_NEAR(kernel_value(kernel, 11.4) / kernel_value(kernel, 10.4), pole, 1e-7) << name_of(kernel);
}

// f(-2) ... with how the constants were made, so that anybody can make them again:
//   g = np.pad([3, -1, 4, 1, -5, 9, 2], 60, mode="edge")
//   scipy.ndimage.map_coordinates(g, [np.array([-0.4, 0.25, 2.5, 3.75, 6.3]) + 60], order=order, mode="mirror")
// scipy 1.17.1; scipy.interpolate.make_interp_spline(range(len(g)), g, k=order) gives the same to 1e-14.
TEST(Oracle, SplinesMatchScipyOnTheEdgeExtendedSignal) {
    const std::vector<double> samples{3, -1, 4, 1, -5, 9, 2};
    const double at[] = {-0.4, 0.25, 2.5, 3.75, 6.3};
    const std::pair<Kernel, std::array<double, 5>> expected[] = {
        {Kernel::bspline2,
         {3.498929307064039, 2.028170630751988, 3.7262632961934017, -5.384948081607213, 1.0328884459247933}},
        {Kernel::bspline3,
         {3.576507988205597, 1.8656031812807894, 4.140418066394152, -5.495691136909604, 0.8474728378497998}},
        {Kernel::bspline4,
         {3.677997380132372, 1.868394934652187, 4.575251683871841, -5.800997246725496, 0.5680446974742058}},
        {Kernel::bspline5,
         {3.6959302062818447, 1.8753462096481257, 4.828074128961292, -5.927003861503021, 0.448802105211453}},
    };
    for (const auto& [kernel, values] : expected) {
        for (std::size_t p = 0; p < values.size(); ++p) {
            const Oracle oracle(line_grid(7, 1, 0), line_grid(1, 1, at[p]), kernel, false, samples);
            EXPECT_NEAR(oracle.value({0, 0, 0}), values[p], 2e-14) << name_of(kernel) << " at " << at[p];
        }
    }
}

// v = ((np.arange(120).reshape(4, 5, 6) * 7919) % 101); p = np.pad(v, 40, mode="edge")
// scipy.ndimage.map_coordinates(p, points + 40, order=order, mode="mirror"), axes in the order of `points`.
TEST(Oracle, VolumesMatchScipy) {
    std::vector<double> samples(120);
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 5; ++j)
            for (int k = 0; k < 6; ++k)
                samples[static_cast<std::size_t>((k * 5 + j) * 4 + i)] = ((i * 5 + j) * 6 + k) * 7919 % 101;
    const std::array<Vec3, 4> points{{{1.3, 2.6, 3.2}, {0.1, 4.4, -0.45}, {3.2, 0.0, 5.0}, {2.0, 1.5, 4.9}}};
    const std::pair<Kernel, std::array<double, 4>> expected[] = {
        {Kernel::linear, {54.88, 76.8, 57.0, 55.45}},
        {Kernel::bspline3, {66.51607676458043, 93.85591766925567, 58.25281598815918, 55.019741045117996}}};
    for (const auto& [kernel, values] : expected) {
        for (std::size_t p = 0; p < points.size(); ++p) {
            Grid input{{4, 5, 6}, {}}, output{{1, 1, 1}, {}};
            for (int a = 0; a < 3; ++a) output.affine(a, 3) = points[p][a];
            const Oracle oracle(input, output, kernel, false, samples);
            ASSERT_TRUE(oracle.inside({0, 0, 0}));
            EXPECT_NEAR(oracle.value({0, 0, 0}), values[p], 2e-13) << name_of(kernel) << " point " << p;
        }
    }
}

TEST(Oracle, InterpolatesTheSamplesThemselves) {
    const auto samples = sampled(11, [](double x) { return std::sin(3 * x) * 100; });
    for (Kernel kernel : kAllKernels) {
        const Oracle oracle(line_grid(11, 0.7, -3), line_grid(11, 0.7, -3), kernel, true, samples);
        for (std::int64_t i = 0; i < 11; ++i)
            EXPECT_NEAR(oracle.value({i, 0, 0}), samples[static_cast<std::size_t>(i)], 1e-12) << name_of(kernel);
    }
}

TEST(Oracle, ConstantsStayConstantInsideAndAtTheFaces) {
    for (Kernel kernel : kAllKernels) {
        for (bool stretch : {false, true}) {
            if (stretch && kernel == Kernel::nearest) continue;
            const Oracle oracle(line_grid(9, 1, 0), line_grid(6, 1.6, -0.49), kernel, stretch,
                                std::vector<double>(9, 7.25));
            for (std::int64_t o = 0; o < 6; ++o) EXPECT_NEAR(oracle.value({o, 0, 0}), 7.25, 1e-13) << name_of(kernel);
        }
    }
}

// A spline of order n reproduces polynomials of degree n, Keys of degree 2, linear of degree 1; far from the edges,
// where the edge extension bends the polynomial (its influence decays as 0.43^30 = 1e-11 for order 5).
TEST(Oracle, ReproducesPolynomials) {
    const std::pair<Kernel, int> degrees[] = {{Kernel::linear, 1},   {Kernel::cubic, 2},    {Kernel::bspline2, 2},
                                              {Kernel::bspline3, 3}, {Kernel::bspline4, 4}, {Kernel::bspline5, 5}};
    for (const auto& [kernel, degree] : degrees) {
        const auto f = [d = degree](double x) { return std::pow((x - 50) / 10, d); };
        const Oracle oracle(line_grid(101, 1, 0), line_grid(30, 0.37, 45), kernel, false, sampled(101, f));
        for (std::int64_t o = 0; o < 30; ++o)
            EXPECT_NEAR(oracle.value({o, 0, 0}), f(45 + 0.37 * static_cast<double>(o)), 1e-7) << name_of(kernel);
    }
}

TEST(Oracle, DeltaGivesTheKernel) {
    std::vector<double> delta(81, 0.0);
    delta[40] = 1.0;
    for (Kernel kernel : kSmooth) {
        const Oracle oracle(line_grid(81, 1, 0), line_grid(50, 0.3, 33), kernel, false, delta);
        for (std::int64_t o = 0; o < 50; ++o) {
            const double x = 33 + 0.3 * static_cast<double>(o) - 40;
            double sum = 1.0;
            if (kernel == Kernel::lanczos3) {
                sum = 0.0;
                for (int j = -5; j <= 5; ++j) sum += kernel_value(kernel, x - std::floor(x) - j);
            }
            EXPECT_NEAR(oracle.value({o, 0, 0}), kernel_value(kernel, x) / sum, 1e-13) << name_of(kernel) << " " << x;
        }
    }
}

TEST(Oracle, StretchedDeltaGivesTheWidenedKernel) {
    std::vector<double> delta(201, 0.0);
    delta[100] = 1.0;
    const double k = 2.5;
    for (Kernel kernel : kSmooth) {
        const Oracle oracle(line_grid(201, 1, 0), line_grid(40, k, 50.2), kernel, true, delta);
        EXPECT_NEAR(oracle.stretch()[0], k, 1e-12);
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

TEST(Oracle, StretchedKernelsKeepRamps) {
    std::vector<double> ramp(201);
    for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = 0.5 * static_cast<double>(i) - 30;
    for (Kernel kernel : kSmooth) {
        for (double k : {1.2, 1.7, 2.5}) {
            const Oracle oracle(line_grid(201, 1, 0), line_grid(9, k, 95.3), kernel, true, ramp);
            for (std::int64_t o = 0; o < 9; ++o) {
                const double c = 95.3 + k * static_cast<double>(o);
                EXPECT_NEAR(oracle.value({o, 0, 0}), 0.5 * c - 30, 1e-11) << name_of(kernel) << " " << k;
            }
        }
    }
}

// Triangle of half width 2 around 1.5 on 0..3: weights 1/4, 3/4, 3/4, 1/4 over 2.
TEST(Oracle, StretchedLinearByHand) {
    const Oracle oracle(line_grid(4, 1, 0), line_grid(1, 2, 1.5), Kernel::linear, true, {8, 16, 32, 64});
    // The grid has one voxel, but its affine says that a step is two input voxels.
    EXPECT_DOUBLE_EQ(oracle.value({0, 0, 0}), (8 * 0.25 + 16 * 0.75 + 32 * 0.75 + 64 * 0.25) / 2);
}

TEST(Oracle, InsideIsHalfOpenWithTheTieTolerance) {
    const std::vector<double> samples{1, 2, 3};
    const std::pair<double, bool> cases[] = {{-0.5, true}, {-0.5 - 5e-7, true}, {-0.5 - 2e-6, false},
                                             {2.5, false}, {2.5 - 5e-7, false}, {2.5 - 2e-6, true}};
    for (const auto& [at, expected] : cases) {
        const Oracle oracle(line_grid(3, 1, 0), line_grid(1, 1, at), Kernel::linear, false, samples);
        EXPECT_EQ(oracle.inside({0, 0, 0}), expected) << at;
    }
}

TEST(Oracle, NearestRoundsTiesUp) {
    const std::vector<double> samples{1, 2, 3};
    for (const auto& [at, expected] :
         {std::pair{0.5, 2.0}, {0.5 - 5e-7, 2.0}, {0.5 - 2e-6, 1.0}, {-0.5, 1.0}, {1.5, 3.0}}) {
        const Oracle oracle(line_grid(3, 1, 0), line_grid(1, 1, at), Kernel::nearest, false, samples);
        EXPECT_EQ(oracle.value({0, 0, 0}), expected) << at;
    }
}

// A ramp in world coordinates stays that ramp on a rotated, flipped and sheared pair of grids.
TEST(Oracle, KeepsAWorldRampOnObliqueGrids) {
    Grid input{{12, 14, 13}, {{{{-0.9, 0.1, 0.2, 4}, {0.15, 0.8, -0.1, -3}, {0, 0.1, 1.4, 2}}}}};
    Grid output{{5, 6, 4}, {{{{0.1, 0.7, 0.2, -1}, {0.6, -0.1, 0.1, 1}, {0.1, 0.1, -0.8, 10}}}}};
    const auto f = [](const Vec3& w) { return 3 * w[0] - 2 * w[1] + 0.5 * w[2] + 7; };
    std::vector<double> samples;
    for (int k = 0; k < 13; ++k)
        for (int j = 0; j < 14; ++j)
            for (int i = 0; i < 12; ++i) samples.push_back(f(world_of_index(input, {double(i), double(j), double(k)})));
    const Oracle oracle(input, output, Kernel::linear, false, samples);
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

TEST(Oracle, ObliqueLowPassComesBeforeTheInterpolation) {
    // Rotation by 45 degrees about z at twice the spacing: each row of the affine has norm 2.
    const double s = std::sqrt(2.0);
    Grid input{{31, 31, 1}, {}};
    Grid output{{1, 1, 1}, {{{{s, -s, 0, 15.25}, {s, s, 0, 14.5}, {0, 0, 1, 0}}}}};
    output.extent = {2, 2, 1};
    std::vector<double> delta(31 * 31, 0.0);
    delta[15 * 31 + 15] = 1.0;
    const Oracle oracle(input, output, Kernel::linear, true, delta);
    EXPECT_FALSE(oracle.separable());
    EXPECT_NEAR(oracle.stretch()[0], 2.0, 1e-12);
    // Low-passed delta: 1/4, 1/2, 1/4 per axis. At (15.25, 14.5): x = 3/4 1/2 + 1/4 1/4, y = 1/2 1/4 + 1/2 1/2.
    EXPECT_NEAR(oracle.value({0, 0, 0}), (0.75 * 0.5 + 0.25 * 0.25) * (0.5 * 0.25 + 0.5 * 0.5), 1e-14);
}

TEST(Oracle, ZeroWeightsDoNotTouchNan) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const Oracle oracle(line_grid(4, 1, 0), line_grid(7, 0.5, 0), Kernel::linear, false, {1, 2, nan, 4});
    EXPECT_EQ(oracle.value({2, 0, 0}), 2.0);
    EXPECT_TRUE(std::isnan(oracle.value({3, 0, 0})));
    EXPECT_TRUE(std::isnan(oracle.value({4, 0, 0})));
    EXPECT_EQ(oracle.value({6, 0, 0}), 4.0);
}

TEST(StoredValue, RoundsToEvenSaturatesAndMapsNan) {
    EXPECT_EQ(stored_value(DType::int16, 2.5), 2);
    EXPECT_EQ(stored_value(DType::int16, 3.5), 4);
    EXPECT_EQ(stored_value(DType::int16, -2.5), -2);
    EXPECT_EQ(stored_value(DType::uint8, 300), 255);
    EXPECT_EQ(stored_value(DType::uint8, -1), 0);
    EXPECT_EQ(stored_value(DType::int8, -1e30), -128);
    EXPECT_EQ(stored_value(DType::uint16, std::numeric_limits<double>::infinity()), 65535);
    EXPECT_EQ(stored_value(DType::int32, std::numeric_limits<double>::quiet_NaN()), 0);
    EXPECT_EQ(stored_value(DType::float32, 0.1), static_cast<double>(0.1f));
    EXPECT_EQ(stored_value(DType::float64, 0.1), 0.1);
}

}  // namespace
}  // namespace revoxel::oracle
