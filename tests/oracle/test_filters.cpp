// The one-dimensional filters of the oracle against closed forms and against the tools that they come from.
#include "oracle/filters.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace revoxel::oracle {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr Kernel kInterpolating[] = {
    Kernel::nearest,       Kernel::linear,       Kernel::cubic,        Kernel::lanczos2,    Kernel::lanczos3,
    Kernel::lanczos4,      Kernel::sinc_lanczos, Kernel::sinc_hamming, Kernel::sinc_cosine, Kernel::sinc_welch,
    Kernel::sinc_blackman, Kernel::bspline2,     Kernel::bspline3,     Kernel::bspline4,    Kernel::bspline5};
constexpr Kernel kSincs[] = {Kernel::lanczos2,     Kernel::lanczos3,    Kernel::lanczos4,   Kernel::sinc_lanczos,
                             Kernel::sinc_hamming, Kernel::sinc_cosine, Kernel::sinc_welch, Kernel::sinc_blackman};
// Sums that are 1 without any division.
constexpr Kernel kPartitions[] = {Kernel::nearest,  Kernel::linear,   Kernel::cubic,   Kernel::bspline2,
                                  Kernel::bspline3, Kernel::bspline4, Kernel::bspline5};

double sum_of(const Taps& taps) {
    double sum = 0.0;
    for (const auto& [j, w] : taps) sum += w;
    return sum;
}

double moment_of(const Taps& taps, double about, int power) {
    double sum = 0.0;
    for (const auto& [j, w] : taps) sum += w * std::pow(static_cast<double>(j) - about, power);
    return sum;
}

double weight_at(const Taps& taps, std::int64_t j) {
    const auto found = taps.find(j);
    return found == taps.end() ? 0.0 : found->second;
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

TEST(BasisSpline, IsContinuousAtItsKnots) {
    for (int order = 1; order <= 5; ++order) {
        for (double knot = -3; knot <= 3; knot += 0.5) {
            const double before = std::nextafter(knot, -10.0), after = std::nextafter(knot, 10.0);
            EXPECT_NEAR(basis_spline(order, before), basis_spline(order, knot), 2e-15) << order << " " << knot;
            EXPECT_NEAR(basis_spline(order, after), basis_spline(order, knot), 2e-15) << order << " " << knot;
        }
    }
}

TEST(KernelValue, InterpolatesAndIsSymmetric) {
    for (Kernel kernel : kInterpolating) {
        for (int j = -8; j <= 8; ++j)
            EXPECT_NEAR(kernel_value(kernel, j), j == 0 ? 1.0 : 0.0, 1e-15) << name_of(kernel) << " " << j;
        for (double x : {0.1, 0.3, 0.77, 1.2, 2.6, 4.4})
            EXPECT_NEAR(kernel_value(kernel, x), kernel_value(kernel, -x), 1e-15) << name_of(kernel) << " " << x;
    }
}

TEST(KernelValue, PartitionsOfUnity) {
    for (Kernel kernel : kPartitions) {
        double sum = 0;
        for (int j = -60; j <= 60; ++j) sum += kernel_value(kernel, 0.37 - j);
        EXPECT_NEAR(sum, 1.0, 1e-14) << name_of(kernel);
    }
    // The windowed sincs are none: that is why they are divided by their sum, and what ITK does not do.
    for (Kernel kernel : kSincs) {
        double sum = 0;
        for (int j = -8; j <= 8; ++j) sum += kernel_value(kernel, 0.37 - j);
        EXPECT_GT(std::abs(sum - 1.0), 1e-5) << name_of(kernel);
        EXPECT_NEAR(sum, 1.0, 0.02) << name_of(kernel);
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

// The windows as itkWindowedSincInterpolateImageFunction.h has them, m the radius:
//   Hamming 0.54 + 0.46 cos(pi x/m)    Cosine cos(pi x/2m)    Welch 1 - x^2/m^2    Lanczos sin(pi x/m)/(pi x/m)
//   Blackman 0.42 + 0.5 cos(pi x/m) + 0.08 cos(2 pi x/m)
// At x = 3/2 sin(pi x)/(pi x) is -2/(3 pi), and with m = 3 every cosine is that of a right or a straight angle.
TEST(KernelValue, WindowsHalfWay) {
    const KernelShape shape{3};
    const double sinc = -2 / (3 * kPi);
    EXPECT_NEAR(kernel_value(Kernel::sinc_hamming, 1.5, shape), sinc * 0.54, 1e-16);
    EXPECT_NEAR(kernel_value(Kernel::sinc_cosine, 1.5, shape), sinc * std::sqrt(0.5), 1e-16);
    EXPECT_NEAR(kernel_value(Kernel::sinc_welch, 1.5, shape), sinc * 0.75, 1e-16);
    EXPECT_NEAR(kernel_value(Kernel::sinc_lanczos, 1.5, shape), sinc * 2 / kPi, 1e-16);
    EXPECT_NEAR(kernel_value(Kernel::sinc_blackman, 1.5, shape), sinc * 0.34, 1e-16);
    for (Kernel kernel : kSincs) EXPECT_EQ(kernel_value(kernel, 5.0, {5}), 0.0) << name_of(kernel);
}

TEST(KernelValue, LanczosIsTheSincOfItsRadius) {
    for (double x : {0.2, 0.9, 1.7, 2.4, 3.3, 3.99}) {
        EXPECT_EQ(kernel_value(Kernel::lanczos2, x), kernel_value(Kernel::sinc_lanczos, x, {2}));
        EXPECT_EQ(kernel_value(Kernel::lanczos3, x), kernel_value(Kernel::sinc_lanczos, x, {3}));
        EXPECT_EQ(kernel_value(Kernel::lanczos4, x), kernel_value(Kernel::sinc_lanczos, x, {4}));
        EXPECT_EQ(kernel_value(Kernel::lanczos3, x, {7}), kernel_value(Kernel::lanczos3, x, {2})) << "takes no radius";
    }
}

TEST(KernelTaps, SumToOneUnlessToldOtherwise) {
    KernelShape as_itk;
    as_itk.normalised = false;
    for (double c : {0.37, -12.5, 4.999, 8.0}) {
        for (Kernel kernel : kInterpolating)
            EXPECT_NEAR(sum_of(kernel_taps(kernel, {}, c)), 1.0, 1e-14) << name_of(kernel) << " " << c;
        EXPECT_NEAR(sum_of(kernel_taps(Kernel::gaussian, {}, c)), 1.0, 1e-14) << c;
    }
    for (Kernel kernel : kSincs) {
        const Taps plain = kernel_taps(kernel, as_itk, 10.37), divided = kernel_taps(kernel, {}, 10.37);
        if (kernel == Kernel::lanczos2 || kernel == Kernel::lanczos3 || kernel == Kernel::lanczos4) {
            EXPECT_EQ(plain, divided) << name_of(kernel) << " has no shape";
            continue;
        }
        EXPECT_GT(std::abs(sum_of(plain) - 1.0), 1e-5) << name_of(kernel);
        ASSERT_EQ(plain.size(), divided.size());
        for (const auto& [j, w] : plain) EXPECT_NEAR(w, divided.at(j) * sum_of(plain), 1e-15) << name_of(kernel);
    }
}

TEST(KernelTaps, OneTapOnAVoxel) {
    for (Kernel kernel : kInterpolating) {
        for (double c : {7.0, 7.0 + 5e-10, 7.0 - 5e-10})
            EXPECT_EQ(kernel_taps(kernel, {}, c), (Taps{{7, 1.0}})) << name_of(kernel) << " " << c;
        if (kernel != Kernel::nearest) {
            EXPECT_GT(kernel_taps(kernel, {}, 7.0 + 2e-9).size(), 1u) << name_of(kernel);
        }
    }
    EXPECT_GT(kernel_taps(Kernel::gaussian, {}, 7.0).size(), 1u) << "a Gaussian smooths on voxels too";
}

TEST(KernelTaps, NearestRoundsUp) {
    EXPECT_EQ(kernel_taps(Kernel::nearest, {}, 2.5), (Taps{{3, 1.0}}));
    EXPECT_EQ(kernel_taps(Kernel::nearest, {}, 2.5 - 5e-7), (Taps{{3, 1.0}}));
    EXPECT_EQ(kernel_taps(Kernel::nearest, {}, 2.5 - 2e-6), (Taps{{2, 1.0}}));
    EXPECT_EQ(kernel_taps(Kernel::nearest, {}, -1.5), (Taps{{-1, 1.0}}));
}

TEST(KernelTaps, SplinesAreTheCardinalSpline) {
    for (Kernel kernel : {Kernel::bspline2, Kernel::bspline3, Kernel::bspline4, Kernel::bspline5}) {
        const Taps taps = kernel_taps(kernel, {}, 0.3);
        for (int j = -30; j <= 30; ++j)
            EXPECT_NEAR(weight_at(taps, j), kernel_value(kernel, 0.3 - j), 1e-15) << name_of(kernel) << " " << j;
    }
}

// itkGaussianInterpolateImageFunction: the region is floor(c + 1/2 - cut) to ceil(c + 1/2 + cut), the weights are
// differences of erf at the voxels' faces over sqrt(2) sigma.
TEST(Gaussian, ReachesAsFarAsItk) {
    for (double sigma : {0.3, 0.8, 1.7}) {
        for (double alpha : {1.0, 2.5, 4.0}) {
            for (double c : {0.0, 0.21, 0.5, -3.37}) {
                const double cut = alpha * sigma;
                const Taps taps = kernel_taps(Kernel::gaussian, {5, true, sigma, alpha}, c);
                // Where the cut ends on a face, rounding would decide about a voxel that it only touches.
                EXPECT_EQ(taps.begin()->first, std::floor(c + 0.5 - cut + kTie)) << sigma << " " << alpha << " " << c;
                EXPECT_EQ(taps.rbegin()->first, std::ceil(c + 0.5 + cut - kTie) - 1);
                double sum = 0.0;
                const auto part = [&](double j) {
                    return std::erf((j + 0.5 - c) / (std::sqrt(2.0) * sigma)) -
                           std::erf((j - 0.5 - c) / (std::sqrt(2.0) * sigma));
                };
                for (const auto& [j, w] : taps) sum += part(static_cast<double>(j));
                for (const auto& [j, w] : taps) EXPECT_NEAR(w, part(static_cast<double>(j)) / sum, 1e-15);
            }
        }
    }
    // 0.3 + 1/2 + 4 0.8 = 4: voxel 4 is touched, not reached, however 0.3 was rounded.
    for (double c : {0.3 - 1e-12, 0.3, 0.3 + 1e-12})
        EXPECT_EQ(kernel_taps(Kernel::gaussian, {}, c).rbegin()->first, 3) << c - 0.3;
}

TEST(Gaussian, WidenedIsAWiderGaussian) {
    const Taps wide = widened_taps(Kernel::gaussian, {5, true, 0.8, 4.0}, 3.3, 2.5, false),
               plain = kernel_taps(Kernel::gaussian, {5, true, 2.0, 4.0}, 3.3);
    ASSERT_EQ(wide.size(), plain.size());
    for (const auto& [j, w] : plain) EXPECT_NEAR(w, wide.at(j), 1e-16);
}

// Triangle of half width 2 around 1.5: weights 1/4, 3/4, 3/4, 1/4 over 2.
TEST(Widened, LinearByHand) {
    const Taps taps = widened_taps(Kernel::linear, {}, 1.5, 2.0, false);
    EXPECT_EQ(taps, (Taps{{0, 0.125}, {1, 0.375}, {2, 0.375}, {3, 0.125}}));
}

TEST(Widened, CentringMovesTheCentreOfGravityAndNothingElse) {
    for (Kernel kernel : {Kernel::linear, Kernel::cubic, Kernel::lanczos3, Kernel::sinc_blackman, Kernel::gaussian,
                          Kernel::bspline2, Kernel::bspline3, Kernel::bspline4, Kernel::bspline5}) {
        for (double k : {1.01, 1.2, 1.7, 2.5, 6.1}) {
            for (double c : {0.0, 0.3, 0.5, -7.77}) {
                const Taps plain = widened_taps(kernel, {}, c, k, false), taps = widened_taps(kernel, {}, c, k, true);
                EXPECT_NEAR(sum_of(plain), 1.0, 1e-13) << name_of(kernel) << " " << k;
                EXPECT_NEAR(sum_of(taps), 1.0, 1e-13) << name_of(kernel) << " " << k;
                EXPECT_NEAR(moment_of(taps, c, 1), 0.0, 1e-12) << name_of(kernel) << " " << k << " " << c;
                ASSERT_EQ(plain.size(), taps.size());
                for (const auto& [j, w] : taps) EXPECT_EQ(std::signbit(w), std::signbit(plain.at(j)));
            }
        }
    }
    // Around a voxel or the middle of two there is nothing to move.
    for (double c : {4.0, 4.5}) {
        const Taps plain = widened_taps(Kernel::linear, {}, c, 1.3, false),
                   taps = widened_taps(Kernel::linear, {}, c, 1.3, true);
        for (const auto& [j, w] : taps) EXPECT_NEAR(w, plain.at(j), 1e-16);
    }
    // Without it, as in Pillow, torch and JAX: at k = 1.2 and 1.7 the triangle shifts a ramp by up to 0.086 voxel.
    double shift = 0.0;
    for (double c = 0.0; c < 1.0; c += 1.0 / 4096)
        for (double k : {1.2, 1.7})
            shift = std::max(shift, moment_of(widened_taps(Kernel::linear, {}, c, k, false), c, 1));
    EXPECT_NEAR(shift, 0.086, 0.0005);
}

TEST(Area, IsTheOverlap) {
    EXPECT_EQ(area_taps(0.5, 2.0), (Taps{{0, 0.5}, {1, 0.5}}));
    EXPECT_EQ(area_taps(1.0, 3.0), (Taps{{0, 1.0 / 3}, {1, 1.0 / 3}, {2, 1.0 / 3}}));
    // [-1/4, 9/4]: three quarters of voxel 0, all of 1, three quarters of 2.
    EXPECT_EQ(area_taps(1.0, 2.5), (Taps{{0, 0.3}, {1, 0.4}, {2, 0.3}}));
    EXPECT_EQ(area_taps(7.25, 0.25), (Taps{{7, 1.0}})) << "narrower than a voxel, inside one";
    EXPECT_EQ(area_taps(7.5, 0.25), (Taps{{7, 0.5}, {8, 0.5}})) << "across a face";
    for (double k : {0.3, 1.0, 1.9, 7.3})
        for (double c : {0.0, 0.21, 0.5, -3.8}) EXPECT_NEAR(sum_of(area_taps(c, k)), 1.0, 1e-14) << k << " " << c;
}

TEST(Supersampled, ByHand) {
    // k = 2: interpolated at 1/2 and 3/2 around 1.
    EXPECT_EQ(supersampled_taps(Kernel::linear, {}, 1.0, 2.0), (Taps{{0, 0.25}, {1, 0.5}, {2, 0.25}}));
    // k = 2.5: three positions, 5/6 apart.
    const Taps taps = supersampled_taps(Kernel::linear, {}, 0.0, 2.5);
    EXPECT_NEAR(taps.at(0), (1.0 + 2 * (1 - 2.5 / 3)) / 3, 1e-15);
    EXPECT_NEAR(taps.at(1), 2.5 / 9, 1e-15);
    EXPECT_NEAR(taps.at(-1), 2.5 / 9, 1e-15);
    // A step that rounding has pushed above 2 still is 2.
    EXPECT_EQ(supersampled_taps(Kernel::nearest, {}, 0.5, 2 + 1e-9), (Taps{{0, 0.5}, {1, 0.5}}));
}

// scipy.ndimage.gaussian_filter1d of a unit impulse, scipy 1.17.1, truncate 4 (its default), from the impulse outwards.
TEST(SampledGaussian, IsThatOfScipy) {
    const std::pair<double, std::vector<double>> expected[] = {
        {0.375, {0.9459553629712425, 0.027021688663104663, 6.298512741012613e-07}},
        {0.5, {0.7865707258873422, 0.10645077197359151, 0.00026386508273735414}},
        {0.75, {0.5319073937682414, 0.2186736669897702, 0.015194201073994846, 0.00017843505211427043}},
        {1.3,
         {0.3068832337785163, 0.2282883084942037, 0.0939756190272075, 0.021407587938544054, 0.0026986172672458435,
          0.00018825038354077444}},
    };
    for (const auto& [s, weights] : expected) {
        const Taps taps = sampled_gaussian(s);
        ASSERT_EQ(taps.size(), 2 * weights.size() - 1) << s;
        for (std::size_t d = 0; d < weights.size(); ++d) {
            EXPECT_NEAR(taps.at(static_cast<std::int64_t>(d)), weights[d], 1e-16) << s;
            EXPECT_EQ(taps.at(static_cast<std::int64_t>(d)), taps.at(-static_cast<std::int64_t>(d)));
        }
    }
    // 4 s + 1/2 a whole number: that voxel counts, however s was rounded.
    EXPECT_EQ(sampled_gaussian(0.375 - 1e-13).size(), 5u);
    EXPECT_EQ(sampled_gaussian(0.0), (Taps{{0, 1.0}}));
}

TEST(ExactGaussian, HasTheVarianceItIsAskedFor) {
    for (double v : {1e-6, 0.01, 0.05, 0.1, 0.25, 1.0 / 3, 0.489, 0.49, 0.5, 1.0, 2.0, 4.0, 8.9, 30.0, 123.4}) {
        const Taps taps = exact_gaussian(v);
        EXPECT_NEAR(sum_of(taps), 1.0, 1e-14) << v;
        EXPECT_NEAR(moment_of(taps, 0, 2), v, 1e-12 * std::max(1.0, v)) << v;
        for (const auto& [d, w] : taps) EXPECT_EQ(w, taps.at(-d)) << v;
        if (v < 0.49) {
            EXPECT_NEAR(moment_of(taps, 0, 4), 3 * v * v, 1e-12) << v;
            EXPECT_NEAR(moment_of(taps, 0, 6), 15 * v * v * v, 1e-12) << v;
            for (const auto& [d, w] : taps) EXPECT_GT(w, -0.0063) << v << " " << d;
            continue;
        }
        // Gaussian: the logarithms fall as d^2, as far as a double holds them.
        for (const auto& [d, w] : taps) {
            if (d < 2 || w < 1e-290) continue;
            const double unit = std::log(taps.at(0) / taps.at(1));
            EXPECT_NEAR(std::log(taps.at(0) / w) / unit, static_cast<double>(d * d), 1e-9) << v << " " << d;
        }
    }
    // 5 sqrt(v) + 1 voxels on each side, however v was rounded.
    for (double v : {4.0, 4.0 + 1e-14, 4.0 - 1e-14}) EXPECT_EQ(exact_gaussian(v).rbegin()->first, 11);
}

// a b c d stands for samples 0 to 3.
TEST(SampleIndex, IsWhatTheHeaderDraws) {
    const auto drawn = [](Boundary boundary, std::int64_t from, std::int64_t n) {
        std::string text;
        for (std::int64_t j = from; j < from + 12; ++j) {
            const auto at = sample_index(boundary, j, n);
            text += at ? static_cast<char>('a' + *at) : 'v';
        }
        return text;
    };
    EXPECT_EQ(drawn(Boundary::edge, -4, 4), "aaaaabcddddd");
    EXPECT_EQ(drawn(Boundary::mirror, -4, 4), "cdcbabcdcbab");
    EXPECT_EQ(drawn(Boundary::reflect, -4, 4), "dcbaabcddcba");
    EXPECT_EQ(drawn(Boundary::wrap, -4, 4), "abcdabcdabcd");
    EXPECT_EQ(drawn(Boundary::constant, -4, 4), "vvvvabcdvvvv");
    EXPECT_EQ(drawn(Boundary::renormalise, -4, 4), "vvvvabcdvvvv");
    for (Boundary boundary : {Boundary::edge, Boundary::mirror, Boundary::reflect, Boundary::wrap})
        EXPECT_EQ(drawn(boundary, -5, 1), "aaaaaaaaaaaa") << name_of(boundary);
    EXPECT_EQ(drawn(Boundary::mirror, -6, 2), "abababababab");
    EXPECT_EQ(drawn(Boundary::reflect, -6, 2), "baabbaabbaab") << "period 4";
    // Far away: periods of 6, 8 and 4.
    EXPECT_EQ(sample_index(Boundary::mirror, -600005, 4), sample_index(Boundary::mirror, 1, 4));
    EXPECT_EQ(sample_index(Boundary::reflect, 800005, 4), sample_index(Boundary::reflect, 5, 4));
    EXPECT_EQ(sample_index(Boundary::wrap, -400001, 4), sample_index(Boundary::wrap, 3, 4));
}

TEST(Folded, ByHand) {
    const Taps taps{{-2, 0.1}, {-1, 0.2}, {0, 0.3}, {1, 0.4}};
    const auto expect = [&](Boundary boundary, const std::vector<double>& weight, double outside) {
        const Row row = folded(taps, boundary, 4);
        std::vector<double> dense(4, 0.0);
        for (std::size_t t = 0; t < row.weight.size(); ++t)
            dense[static_cast<std::size_t>(row.first) + t] = row.weight[t];
        for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(dense[i], weight[i], 1e-15) << name_of(boundary) << " " << i;
        EXPECT_NEAR(row.outside, outside, 1e-15) << name_of(boundary);
    };
    expect(Boundary::edge, {0.6, 0.4, 0, 0}, 0);
    expect(Boundary::mirror, {0.3, 0.6, 0.1, 0}, 0);
    expect(Boundary::reflect, {0.5, 0.5, 0, 0}, 0);
    expect(Boundary::wrap, {0.3, 0.4, 0.1, 0.2}, 0);
    expect(Boundary::constant, {0.3, 0.4, 0, 0}, 0.3);
    const Row row = renormalised(folded(taps, Boundary::renormalise, 4));
    EXPECT_NEAR(row.weight[0], 3.0 / 7, 1e-15);
    EXPECT_NEAR(row.weight[1], 4.0 / 7, 1e-15);
    EXPECT_EQ(row.outside, 0.0);
}

// Two means of neighbours after each other are 1/4, 1/2, 1/4; what the first takes from outside stays outside.
TEST(Composed, ByHand) {
    std::vector<Row> mean;
    for (std::int64_t i = 0; i < 4; ++i) mean.push_back(folded({{i, 0.5}, {i + 1, 0.5}}, Boundary::constant, 4));
    const Row twice = composed(folded({{1, 0.5}, {2, 0.5}}, Boundary::constant, 4), mean, 4);
    EXPECT_EQ(twice.first, 1);
    EXPECT_EQ(twice.weight, (std::vector<double>{0.25, 0.5, 0.25}));
    EXPECT_EQ(twice.outside, 0.0);
    const Row last = composed(folded({{3, 0.5}, {4, 0.5}}, Boundary::constant, 4), mean, 4);
    EXPECT_EQ(last.weight, (std::vector<double>{0.25}));
    EXPECT_EQ(last.outside, 0.75);
}

}  // namespace
}  // namespace revoxel::oracle
