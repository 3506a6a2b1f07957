// Every kernel with every boundary and low-pass, on both routes: executors bit for bit, and within float rounding of
// the oracle. Then what is done to values and labels, and plans that are cut to boxes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "backends/harness.hpp"
#include "executors/two_step.hpp"
#include "revoxel/error.hpp"
#include "support/options.hpp"

namespace revoxel::harness {
namespace {

using test::kBoundaries;
using test::kKernels;

constexpr Antialias kAntialias[] = {Antialias::automatic, Antialias::none,       Antialias::stretch, Antialias::pillow,
                                    Antialias::gaussian,  Antialias::aperture,   Antialias::area,    Antialias::skimage,
                                    Antialias::mirp,      Antialias::supersample};

bool allowed(Kernel kernel, Antialias antialias) {
    if (kernel == Kernel::nearest) return antialias != Antialias::stretch && antialias != Antialias::pillow;
    return kernel != Kernel::area || antialias == Antialias::automatic;
}

/// Up on i, down on j, down on k; the output reaches beyond the input on all sides.
Case separable_case() {
    Case c{axis_grid({7, 9, 6}, {1.5, 0.6, 1.1}, {-3, 2, 5}),
           axis_grid({13, 6, 5}, {1.03, 1.37, 2.2}, {-4.6, 0.9, 3.7}),
           {}};
    c.options.boundary_value = -37.5;
    c.options.fill = 11;
    return c;
}

Case oblique_case() {
    Case c = separable_case();
    c.output = turned_grid(c.input, {9, 6, 6}, {1.2, 1.4, 1.9}, {12, -25, 31});
    return c;
}

class Matrix : public testing::TestWithParam<Boundary> {};

TEST_P(Matrix, EveryKernelAndLowPassSeparable) {
    for (Kernel kernel : kKernels) {
        for (Antialias antialias : kAntialias) {
            for (Outside outside : {Outside::fill, Outside::extend}) {
                if (!allowed(kernel, antialias)) continue;
                if (outside == Outside::extend && GetParam() == Boundary::renormalise) continue;
                Case c = separable_case();
                c.options.kernel = kernel;
                c.options.antialias = antialias;
                c.options.boundary = GetParam();
                c.options.outside = outside;
                check_case(c);
            }
        }
    }
}

TEST_P(Matrix, EveryKernelAndLowPassOblique) {
    for (Kernel kernel : kKernels) {
        if (kernel == Kernel::area) continue;
        for (Antialias antialias : kAntialias) {
            for (Outside outside : {Outside::fill, Outside::extend}) {
                if (!allowed(kernel, antialias)) continue;
                if (outside == Outside::extend && GetParam() == Boundary::renormalise) continue;
                Case c = oblique_case();
                c.options.kernel = kernel;
                c.options.antialias = antialias;
                c.options.boundary = GetParam();
                c.options.outside = outside;
                check_case(c);
            }
        }
    }
}

TEST_P(Matrix, LabelsOnBothRoutes) {
    if (GetParam() == Boundary::constant) return;
    for (const Case& base : {separable_case(), oblique_case()}) {
        for (Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::area, Kernel::gaussian}) {
            const bool oblique = base.output.affine(0, 1) != 0.0;
            if (oblique && kernel == Kernel::area) continue;
            for (Antialias antialias : {Antialias::automatic, Antialias::none}) {
                for (Outside outside : {Outside::fill, Outside::extend}) {
                    if (kernel == Kernel::area && antialias == Antialias::none) continue;
                    if (outside == Outside::extend && GetParam() == Boundary::renormalise) continue;
                    for (DType dtype : {DType::uint8, DType::int64, DType::float32}) {
                        Case c = base;
                        c.options.labels = true;
                        c.options.kernel = kernel;
                        c.options.antialias = antialias;
                        c.options.boundary = GetParam();
                        c.options.outside = outside;
                        c.options.input_dtype = c.options.output_dtype = dtype;
                        check_case(c);
                    }
                }
            }
        }
    }
}

// Beyond the faces, too, the nearest of two equally near voxels is the upper one, of the signal as it continues: on an
// oblique grid as on a straight one.
TEST_P(Matrix, TiesBeyondTheFacesGoUp) {
    if (GetParam() == Boundary::renormalise) return;
    for (double degrees : {0.0, 30.0}) {
        // Turned about axis i, along which all positions are ties.
        const double c = std::cos(degrees * M_PI / 180), s = std::sin(degrees * M_PI / 180);
        Case tied{axis_grid({5, 6, 4}, {1, 1, 1}), axis_grid({23, 7, 6}, {1, 1, 1}, {-8.5, 0.13, -0.27}), {}};
        tied.output.affine(1, 1) = tied.output.affine(2, 2) = c;
        tied.output.affine(1, 2) = -s;
        tied.output.affine(2, 1) = s;
        tied.options.kernel = Kernel::nearest;
        tied.options.boundary = GetParam();
        tied.options.outside = Outside::extend;
        check_case(tied);
        tied.options.kernel = {Kernel::nearest, Kernel::linear, Kernel::bspline3};
        check_case(tied);
        tied.options.kernel = {Kernel::nearest, Kernel::linear, Kernel::linear};
        tied.options.labels = GetParam() != Boundary::constant;
        check_case(tied);
    }
}

// Wide kernels sum columns of rows first, up to so many values; the votes are those of the plain loops.
TEST(Labels, WideKernelsWithFewAndManyValues) {
    for (Case c : {separable_case(), oblique_case()}) {
        c.input.extent = {23, 19, 17};
        c.options.labels = true;
        c.options.kernel = Kernel::gaussian;
        c.options.shape.sigma = 3;
        c.options.shape.alpha = 2;
        const Plan plan = make_plan(c.input, c.output, c.options);
        for (double values : {2.0, 7.0, 60.0, 5000.0}) {
            if (kEmulated && values > 60.0) continue;  // as for fill_labels
            Field input(c.input.extent, DType::float32, Layout::padded);
            std::mt19937_64 random(7);
            input.fill([&](auto, auto, auto) {
                const double label = std::floor(static_cast<double>(random() >> 11) * 0x1p-53 * values);
                return label == 0.0 && random() % 2 == 0 ? -0.0 : label == 1.0 && random() % 8 == 0 ? NAN : label;
            });
            SCOPED_TRACE(values);
            check_backends(plan, input, Layout::padded);
        }
    }
}

// Rows with long stretches of one label are filled, not counted: on flipped axes, and on periodic ones that go round
// more than once, too.
TEST(Labels, LongStretchesOfOneValue) {
    Case c = separable_case();
    c.input.extent = {97, 9, 7};
    c.options.labels = true;
    for (DType dtype : {DType::uint8, DType::float32}) {
        c.options.input_dtype = c.options.output_dtype = dtype;
        for (double step : {0.37, 1.0, 2.3, -0.37, -1.0, -2.3}) {
            for (double along : {0.25, -150.0}) {  // -150: the output covers the input and what lies around it
                for (Boundary boundary : kBoundaries) {
                    if (boundary == Boundary::constant || boundary == Boundary::renormalise) continue;
                    for (Kernel kernel : {Kernel::linear, Kernel::gaussian}) {
                        c.output.extent = {static_cast<std::int64_t>(std::abs((97.0 - 2 * along) / step)), 4, 3};
                        c.output.affine = Affine();
                        c.input.affine = Affine();
                        c.output.affine(0, 0) = step;
                        c.output.affine(0, 3) = step > 0 ? along : 96.0 - along;
                        c.output.affine(1, 1) = 2.1;
                        c.output.affine(2, 2) = 2.2;
                        c.options.kernel = kernel;
                        c.options.boundary = boundary;
                        c.options.outside = Outside::extend;
                        SCOPED_TRACE(describe(c));
                        const Plan plan = make_plan(c.input, c.output, c.options);
                        const Layout layout = dtype == DType::uint8 ? Layout::packed : Layout::padded;
                        Field input(c.input.extent, dtype, layout);
                        input.fill([](auto i, auto j, auto k) {
                            return static_cast<double>(i < 3 ? i : (i + 2 * j + k) / 23);
                        });
                        check_backends(plan, input, layout);
                    }
                }
            }
        }
    }
}

// Zeros of both signs are one label, and it is stored as +0.
TEST(Labels, ZeroHasNoSign) {
    Case c = separable_case();
    c.options.labels = true;
    const Plan plan = make_plan(c.input, c.output, c.options);
    Field input(c.input.extent, DType::float32, Layout::packed);
    input.fill([](auto, auto, auto) { return -0.0; });
    const auto bytes = check_backends(plan, input, Layout::packed);
    for (std::size_t v = 0; v < bytes.size() / sizeof(float); ++v) {
        EXPECT_FALSE(std::signbit(value_at(bytes, DType::float32, v))) << v;
    }
}

INSTANTIATE_TEST_SUITE_P(Boundaries, Matrix, testing::ValuesIn(kBoundaries),
                         [](const auto& of) { return std::string(revoxel::name_of(of.param)); });

// Float64, 16-bit and 32-bit integers; a kernel for each axis; unnormalised sincs; every radius.
TEST(Options, TypesAxesAndShapes) {
    for (Case c : {separable_case(), oblique_case()}) {
        for (DType dtype : {DType::float64, DType::int16, DType::int32}) {
            for (Kernel kernel : {Kernel::sinc_hamming, Kernel::bspline4, Kernel::gaussian}) {
                c.options.input_dtype = c.options.output_dtype = dtype;
                c.options.kernel = kernel;
                check_case(c);
            }
        }
        c.options = separable_case().options;
        c.options.kernel = {Kernel::bspline3, Kernel::nearest, Kernel::lanczos3};
        c.options.antialias = {Antialias::gaussian, Antialias::none, Antialias::stretch};
        check_case(c);
        c.options.antialias = Antialias::automatic;
        for (int radius = 2; radius <= 8; ++radius) {
            for (bool normalised : {true, false}) {
                c.options.kernel = Kernel::sinc_blackman;
                c.options.shape.radius = radius;
                c.options.shape.normalised = normalised;
                check_case(c);
            }
        }
    }
}

TEST(Options, BlurApertureAndBoth) {
    for (Case c : {separable_case(), oblique_case()}) {
        for (Boundary boundary : kBoundaries) {
            c.options.boundary = boundary;
            c.options.kernel = Kernel::bspline3;
            c.options.antialias = Antialias::none;
            c.options.blur = {0.05, 0.4, 1.7};
            check_case(c);
            c.options.kernel = Kernel::linear;
            for (Antialias antialias : {Antialias::automatic, Antialias::aperture, Antialias::supersample}) {
                c.options.antialias = antialias;
                c.options.aperture = {1, 0.5, 1.6};
                check_case(c);
            }
        }
    }
}

TEST(Options, ClippingRoundingAndThreshold) {
    for (Case c : {separable_case(), oblique_case()}) {
        c.options.kernel = Kernel::bspline3;
        for (Clip clip : {Clip::none, Clip::local, Clip::global}) {
            for (Rounding rounding : {Rounding::even, Rounding::away, Rounding::truncate}) {
                for (DType dtype : {DType::float32, DType::int16}) {
                    c.options.clip = clip;
                    c.options.rounding = rounding;
                    c.options.input_dtype = DType::float32;
                    c.options.output_dtype = dtype;
                    c.options.output_slope = 1.5;
                    c.options.output_intercept = -20;
                    check_case(c);
                }
            }
        }
        c.options.output_dtype = DType::uint8;
        c.options.threshold = 12.25;
        check_case(c);
    }
}

/// Noise with NaN in a corner and a slab, and single voxels of NaN and both infinities.
Field holed_field(const Extent& extent, DType dtype, std::uint64_t seed) {
    Field field(extent, dtype, Layout::packed);
    fill_random(field, seed);
    for (std::int64_t k = 0; k < extent[2]; ++k)
        for (std::int64_t j = 0; j < extent[1]; ++j)
            for (std::int64_t i = 0; i < extent[0]; ++i) {
                const std::int64_t scattered = (i * 7 + j * 3 + k) % 33;
                if ((i < 3 && j < 4) || k == 4 || scattered == 0) field.set(i, j, k, NAN);
                if (scattered == 11) field.set(i, j, k, INFINITY);
                if (scattered == 22) field.set(i, j, k, -INFINITY);
            }
    return field;
}

TEST(Options, NanAwareWeights) {
    for (Case c : {separable_case(), oblique_case()}) {
        for (Kernel kernel : {Kernel::linear, Kernel::cubic, Kernel::bspline3, Kernel::gaussian}) {
            for (Boundary boundary : {Boundary::edge, Boundary::constant, Boundary::renormalise}) {
                for (Clip clip : {Clip::none, Clip::local}) {
                    c.options.kernel = kernel;
                    c.options.boundary = boundary;
                    c.options.clip = clip;
                    c.options.nan_aware = true;
                    const Field input = holed_field(c.input.extent, DType::float32, 5);
                    SCOPED_TRACE(describe(c));
                    const Plan plan = make_plan(c.input, c.output, c.options);
                    check_oracle(plan, input, check_backends(plan, input, Layout::packed));
                }
            }
        }
    }
}

// NaN-aware and clipped plans work through the output part by part: the same bytes in any parts, in less memory.
TEST(Options, TwoStepsInParts) {
    const Backend backend = backends().back();
    const auto make = [backend](const Plan& plan, const ExecutorOptions& options) {
        return make_executor(plan, backend, options);
    };
    Case permuted = separable_case();
    permuted.output = reoriented(permuted.output, {2, 0, 1}, 5);
    for (Case c : {separable_case(), permuted, oblique_case()}) {
        for (Kernel kernel : {Kernel::linear, Kernel::bspline3}) {
            for (bool nan_aware : {false, true}) {
                c.options.kernel = kernel;
                c.options.clip = nan_aware && kernel == Kernel::linear ? Clip::none : Clip::local;
                c.options.nan_aware = nan_aware;
                SCOPED_TRACE(describe(c));
                const Field input = holed_field(c.input.extent, DType::float32, 5);
                const Plan plan = make_plan(c.input, c.output, c.options);
                const std::vector<std::byte> whole = run_checked(plan, {backend, 2}, input, Layout::packed);
                std::vector<double> shares;
                ExecutorOptions options;
                options.threads = 1;
                const std::int64_t bytes = make_executor(plan, backend, options)->workspace_bytes();
                options.progress = [&](double share) { shares.push_back(share); };
                const auto executor = make_two_step_executor(plan, options, make, 1);
                Field output(c.output.extent, DType::float32, Layout::padded);
                executor->run(input.view(), output.view());
                EXPECT_TRUE(output.packed() == whole);
                EXPECT_TRUE(output.gaps_untouched());
                EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
                EXPECT_EQ(shares.back(), 1.0);
                if (backend != Backend::cuda) {  // on a device the tables of parts outweigh so small a volume
                    EXPECT_LT(executor->workspace_bytes(), bytes);
                }
                EXPECT_GE(executor->workspace_bytes(), two_step_scratch_bytes(plan, 1));
            }
        }
    }
}

// A plan cut to a box gives the bytes that the whole plan gives there, and reads no more than input_box says.
TEST(Cropped, IsTheBoxOfTheWhole) {
    for (Case c : {separable_case(), oblique_case()}) {
        const bool oblique = c.output.affine(0, 1) != 0.0;
        for (Kernel kernel : kKernels) {
            if (oblique && kernel == Kernel::area) continue;
            for (Boundary boundary : kBoundaries) {
                c.options.kernel = kernel;
                c.options.boundary = boundary;
                c.options.clip = kernel == Kernel::cubic ? Clip::local : Clip::none;
                SCOPED_TRACE(describe(c));
                const Plan whole = make_plan(c.input, c.output, c.options);
                Field input(c.input.extent, DType::float32, Layout::packed);
                fill_random(input, 3);
                const std::vector<std::byte> all = run_checked(whole, {Backend::reference, 1}, input, Layout::packed);
                const Extent& n = c.output.extent;
                for (const Box3& box : {Box3{{0, 0, 0}, n}, Box3{{2, 1, 2}, {5, 4, 3}}, Box3{{0, 3, 1}, {1, 6, 5}}}) {
                    const Plan part = whole.cropped(box);
                    EXPECT_EQ(part.input_box({{0, 0, 0}, part.output.extent}), whole.input_box(box));
                    for (Backend backend : backends()) {
                        const std::vector<std::byte> bytes = run_checked(part, {backend, 2}, input, Layout::packed);
                        std::size_t at = 0;
                        for (std::int64_t k = box.lo[2]; k < box.hi[2]; ++k)
                            for (std::int64_t j = box.lo[1]; j < box.hi[1]; ++j) {
                                const std::size_t row = static_cast<std::size_t>(box.hi[0] - box.lo[0]) * sizeof(float);
                                const auto from = static_cast<std::size_t>((k * n[1] + j) * n[0] + box.lo[0]);
                                ASSERT_EQ(std::memcmp(bytes.data() + at, all.data() + from * sizeof(float), row), 0)
                                    << revoxel::name_of(backend) << " row " << j << " of slice " << k;
                                at += row;
                            }
                    }
                }
            }
        }
    }
}

// Found by random option sets: rows that are all boundary, single taps that cannot be centred, sub-samples beyond a
// face, copies that have to be cut to integers.
TEST(Options, CornersThatOnceFailed) {
    Case outside{axis_grid({12, 4, 6}, {1, 1, 1}), axis_grid({3, 1, 8}, {9, 1, 1}, {40, 0, -1}), {}};
    outside.options.kernel = Kernel::cubic;
    outside.options.antialias = Antialias::pillow;
    outside.options.boundary = Boundary::constant;
    outside.options.boundary_value = 7;
    outside.options.outside = Outside::extend;
    outside.options.input_dtype = outside.options.output_dtype = DType::int32;
    outside.options.clip = Clip::global;
    check_case(outside);
    Case narrow = separable_case();
    narrow.options.kernel = Kernel::gaussian;
    narrow.options.shape.sigma = 0.49;
    narrow.options.shape.alpha = 0.3;
    check_case(narrow);
    Case beyond = separable_case();
    beyond.options.kernel = Kernel::nearest;
    beyond.options.antialias = Antialias::supersample;
    beyond.options.boundary = Boundary::renormalise;
    check_case(beyond);
    Case cut = separable_case();
    cut.options.kernel = Kernel::nearest;
    cut.options.input_dtype = DType::float64;
    cut.options.output_dtype = DType::int16;
    cut.options.rounding = Rounding::truncate;
    check_case(cut);
}

/// The voxels of `box` as a field of their own.
Field field_of(const Field& whole, const Box3& box) {
    Field part({box.hi[0] - box.lo[0], box.hi[1] - box.lo[1], box.hi[2] - box.lo[2]}, DType::float32, Layout::packed);
    part.fill([&](auto i, auto j, auto k) { return whole.get(i + box.lo[0], j + box.lo[1], k + box.lo[2]); });
    return part;
}

TEST(Part, ReadsItsInputBoxOnly) {
    for (Case c : {separable_case(), oblique_case()}) {
        const bool oblique = c.output.affine(0, 1) != 0.0;
        for (int labels = 0; labels < 2; ++labels) {
            for (Kernel kernel : kKernels) {
                if (oblique && kernel == Kernel::area) continue;
                if (labels == 1 && kernel != Kernel::nearest && kernel != Kernel::linear && kernel != Kernel::gaussian)
                    continue;
                for (Boundary boundary : kBoundaries) {
                    if (labels == 1 && boundary == Boundary::constant) continue;
                    c.options.kernel = kernel;
                    c.options.boundary = boundary;
                    c.options.labels = labels == 1;
                    c.options.clip = kernel == Kernel::cubic ? Clip::local : Clip::none;
                    c.options.antialias = c.options.clip == Clip::local ? Antialias::none : Antialias::automatic;
                    SCOPED_TRACE(describe(c));
                    const Plan whole = make_plan(c.input, c.output, c.options);
                    Field input(c.input.extent, DType::float32, Layout::packed);
                    if (labels == 1) {
                        input.fill([](auto i, auto j, auto k) { return static_cast<double>((i / 2 + j / 2 * k) % 3); });
                    } else {
                        fill_random(input, 3);
                    }
                    const auto all = run_checked(whole, {Backend::reference, 1}, input, Layout::packed);
                    const Extent& n = c.output.extent;
                    for (const Box3& box : {Box3{{0, 0, 0}, n}, Box3{{2, 1, 2}, {5, 4, 3}}, Box3{{0, 3, 1}, {1, 6, 5}},
                                            Box3{{0, 0, n[2] - 1}, n}}) {
                        Box3 in = whole.input_box(box);
                        if (in.empty()) in = {{0, 0, 0}, {1, 1, 1}};
                        const Field read = field_of(input, in);
                        const Plan part = whole.part(box);
                        ASSERT_EQ(part.input.extent, read.view().extent);
                        for (Backend backend : backends()) {
                            const auto bytes = run_checked(part, {backend, 2}, read, Layout::packed);
                            std::size_t at = 0;
                            for (std::int64_t k = box.lo[2]; k < box.hi[2]; ++k)
                                for (std::int64_t j = box.lo[1]; j < box.hi[1]; ++j) {
                                    const auto row = static_cast<std::size_t>(box.hi[0] - box.lo[0]) * sizeof(float);
                                    const auto from = static_cast<std::size_t>((k * n[1] + j) * n[0] + box.lo[0]);
                                    ASSERT_EQ(std::memcmp(bytes.data() + at, all.data() + from * sizeof(float), row), 0)
                                        << revoxel::name_of(backend) << " row " << j << " of slice " << k;
                                    at += row;
                                }
                        }
                    }
                }
            }
        }
    }
}

TEST(Cropped, RefusesBoxesOutside) {
    const Case c = separable_case();
    const Plan plan = make_plan(c.input, c.output, c.options);
    EXPECT_THROW(plan.cropped({{0, 0, 0}, {14, 6, 5}}), Error);
    EXPECT_THROW(plan.cropped({{3, 0, 0}, {3, 6, 5}}), Error);
    EXPECT_THROW(plan.cropped({{-1, 0, 0}, {3, 6, 5}}), Error);
}

}  // namespace
}  // namespace revoxel::harness
