// Reference and CPU executors bit for bit, and both within float rounding of the oracle, over everything a plan can be.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "backends/harness.hpp"
#include "revoxel/error.hpp"
#include "support/options.hpp"

namespace revoxel::harness {
namespace {

using test::kDTypes;

constexpr Kernel kKernels[] = {Kernel::nearest,  Kernel::linear,   Kernel::cubic,    Kernel::lanczos3,
                               Kernel::bspline2, Kernel::bspline3, Kernel::bspline4, Kernel::bspline5};
constexpr Kernel kGatherKernels[] = {Kernel::nearest, Kernel::linear, Kernel::cubic, Kernel::bspline3};
constexpr GridPolicy kPolicies[] = {GridPolicy::centre, GridPolicy::edges, GridPolicy::first, GridPolicy::ends};

std::string dtype_case(DType dtype) {
    return revoxel::name_of(dtype);
}

TEST(Executors, HaveDifferentNames) {
    const Grid grid = axis_grid({4, 4, 4}, {1, 1, 1});
    const Plan plan = make_plan(grid, with_spacing(grid, {0.7, 0.7, 0.7}), {});
    std::set<std::string> names;
    for (Backend backend : backends()) names.insert(make_executor(plan, backend)->name());
    EXPECT_EQ(names.size(), 2u);
}

TEST(Executors, RefuseViewsThatDoNotFit) {
    const Grid grid = axis_grid({4, 5, 6}, {1, 1, 1});
    const Plan plan = make_plan(grid, with_spacing(grid, {0.7, 0.7, 0.7}), {});
    Field input(grid.extent, DType::float32, Layout::packed),
        output(plan.output.extent, DType::float32, Layout::packed);
    Field wrong_type(grid.extent, DType::float64, Layout::packed),
        wrong_extent({4, 5, 7}, DType::float32, Layout::packed);
    for (Backend backend : backends()) {
        const auto executor = make_executor(plan, backend);
        EXPECT_THROW(executor->run(wrong_type.view(), output.view()), Error);
        EXPECT_THROW(executor->run(wrong_extent.view(), output.view()), Error);
        EXPECT_THROW(executor->run(input.view(), input.view()), Error);
    }
}

// Up on i, down on j, slightly down on k: every kernel, with and without the low-pass, in the three type families.
TEST(Separable, EveryKernelAndAntialias) {
    const Grid input = axis_grid({17, 23, 13}, {0.8, 0.6, 2.5}, {-30, 12, 5});
    const Grid output = with_spacing(input, {0.51, 1.9, 2.9});
    for (Kernel kernel : kKernels) {
        for (Antialias antialias : {Antialias::none, Antialias::stretch, Antialias::automatic}) {
            if (kernel == Kernel::nearest && antialias == Antialias::stretch) continue;
            for (DType dtype : {DType::float32, DType::int16, DType::float64}) {
                Case c{input, output, {}};
                c.options.kernel = kernel;
                c.options.antialias = antialias;
                c.options.input_dtype = c.options.output_dtype = dtype;
                check_case(c);
            }
        }
    }
}

// Binary fractions only: positions are exact on every side, and the oracle grants no error for them. This is where an
// error in the last digits of a filter shows.
TEST(Separable, ExactPositions) {
    const Grid input = axis_grid({17, 23, 13}, {1, 0.5, 2}, {-32, 16, 4});
    const Grid output = axis_grid({24, 5, 9}, {0.625, 2.25, 2.75}, {-31.75, 16.5, 4.125});
    for (Kernel kernel : kKernels) {
        for (Antialias antialias : {Antialias::none, Antialias::automatic}) {
            for (DType dtype : {DType::float32, DType::float64}) {
                Case c{input, output, {}};
                c.options.kernel = kernel;
                c.options.antialias = antialias;
                c.options.input_dtype = c.options.output_dtype = dtype;
                check_case(c);
            }
        }
    }
}

TEST(Separable, StrongDownSampling) {
    const Grid input = axis_grid({41, 37, 29}, {0.5, 0.5, 0.5});
    const Grid output = with_spacing(input, {4.3, 3.1, 5.0});
    for (Kernel kernel : kKernels) {
        if (kernel == Kernel::nearest) continue;
        for (DType dtype : {DType::float32, DType::uint8, DType::float64}) {
            Case c{input, output, {}};
            c.options.kernel = kernel;
            c.options.input_dtype = dtype;
            c.options.output_dtype = dtype;
            check_case(c);
        }
    }
}

// Outputs that stand exactly two apart, in rows of several blocks, with few taps and with many.
TEST(Separable, HalvedRows) {
    const Grid input = axis_grid({151, 14, 5}, {0.5, 0.5, 0.5});
    for (double z_spacing : {0.5, 1.0}) {
        const Grid output = with_spacing(input, {1.0, 1.0, z_spacing});
        for (Kernel kernel : kKernels) {
            if (kernel == Kernel::nearest) continue;
            for (Boundary boundary : {Boundary::edge, Boundary::wrap, Boundary::constant}) {
                Case c{input, output, {}};
                c.options.kernel = kernel;
                c.options.boundary = boundary;
                c.options.input_dtype = c.options.output_dtype = DType::int16;
                check_case(c);
            }
        }
    }
}

// Rows that end at a vector, before one and after one.
TEST(Separable, RowsOfEveryLength) {
    for (std::int64_t width : {15, 16, 17, 23, 31, 32, 33, 47}) {
        for (DType dtype : {DType::int8, DType::uint8, DType::int16, DType::uint16}) {
            const Grid input = axis_grid({width, 5, 4}, {1, 1, 1});
            Case c{input, with_spacing(input, {0.8, 0.8, 0.8}), {}};
            c.options.input_dtype = c.options.output_dtype = dtype;
            check_case(c);
        }
    }
}

class DTypes : public testing::TestWithParam<DType> {};

// Every pair of types. Copies are a route of their own, so nearest, linear and a kernel with overshoot.
TEST_P(DTypes, ToEveryDType) {
    const Grid input = axis_grid({11, 7, 5}, {1, 1, 2});
    const Grid output = with_spacing(input, {0.7, 1, 0.9});
    std::uint64_t seed = 100;
    for (DType to : kDTypes) {
        for (Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::bspline3}) {
            Case c{input, output, {}};
            c.options.kernel = kernel;
            c.options.input_dtype = GetParam();
            c.options.output_dtype = to;
            c.seed = ++seed;
            check_case(c);
        }
        Case identity{input, input, {}};
        identity.options.input_dtype = GetParam();
        identity.options.output_dtype = to;
        check_case(identity);
    }
}

TEST_P(DTypes, GatheredToEveryDType) {
    const Grid input = axis_grid({9, 11, 8}, {1, 1, 2});
    const Grid output = turned_grid(input, {7, 8, 6}, {1.1, 0.8, 1.3}, {10, -20, 30});
    for (DType to : kDTypes) {
        for (Kernel kernel : {Kernel::nearest, Kernel::linear}) {
            Case c{input, output, {}};
            c.options.kernel = kernel;
            c.options.input_dtype = GetParam();
            c.options.output_dtype = to;
            check_case(c);
        }
    }
}

TEST_P(DTypes, SlopeAndInterceptAreAppliedOnce) {
    const Grid input = axis_grid({9, 8, 7}, {1, 1, 2});
    for (const Grid& output :
         {with_spacing(input, {0.7, 1.6, 0.9}), input, turned_grid(input, {7, 8, 6}, {1.1, 0.8, 1.3}, {10, -20, 30})}) {
        for (DType to : {DType::int16, DType::float32, DType::float64}) {
            Case c{input, output, {}};
            c.options.input_dtype = GetParam();
            c.options.output_dtype = to;
            c.options.output_slope = -0.244202;
            c.options.output_intercept = -500.25;
            c.options.fill = 17;
            check_case(c);
        }
    }
}
INSTANTIATE_TEST_SUITE_P(Of, DTypes, testing::ValuesIn(kDTypes),
                         [](const auto& test) { return dtype_case(test.param); });

TEST(Separable, GridPoliciesUpAndDown) {
    const Grid input = axis_grid({16, 11, 19}, {0.7, 0.9, 3.3}, {100, -200, 300});
    for (GridPolicy policy : kPolicies) {
        for (const Vec3& spacing_mm : {Vec3{0.31, 0.5, 1.0}, Vec3{1.5, 2.0, 7.1}, Vec3{0.35, 1.8, 3.3}}) {
            for (Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::cubic}) {
                for (DType dtype : {DType::float32, DType::int16}) {
                    Case c{input, with_spacing(input, spacing_mm, policy), {}};
                    c.options.kernel = kernel;
                    c.options.input_dtype = c.options.output_dtype = dtype;
                    c.options.fill = -7.5;
                    check_case(c);
                }
            }
        }
    }
}

// Single voxels, lines, sheets and primes, in both directions. Kernels wider than the volume fold it many times.
TEST(Separable, OddSizes) {
    const Extent sizes[] = {{1, 1, 1}, {1, 13, 1},  {7, 1, 1},  {1, 1, 11}, {2, 2, 2},   {3, 1, 5}, {31, 2, 1},
                            {5, 7, 3}, {13, 17, 2}, {2, 3, 19}, {67, 3, 2}, {16, 16, 5}, {33, 8, 3}};
    for (const Extent& n : sizes) {
        const Grid input = axis_grid(n, {1, 1.3, 2});
        for (const Vec3& t : {Vec3{0.6, 0.7, 0.5}, Vec3{2.3, 2.9, 3.7}, Vec3{0.9, 1.3, 4.4}}) {
            for (Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::lanczos3, Kernel::bspline5}) {
                for (DType dtype : {DType::float32, DType::int16}) {
                    Case c{input, with_spacing(input, t), {}};
                    c.options.kernel = kernel;
                    c.options.input_dtype = c.options.output_dtype = dtype;
                    check_case(c);
                }
            }
        }
    }
}

TEST(Separable, OneVoxelBecomesManyAndTheReverse) {
    const Grid one = axis_grid({1, 1, 1}, {10, 10, 10});
    const Grid many = axis_grid({9, 8, 7}, {1, 1, 1}, {-4, -4, -3});
    for (Kernel kernel : kKernels) {
        Case up{one, many, {}}, down{many, one, {}};
        up.options.kernel = down.options.kernel = kernel;
        check_case(up);
        check_case(down);
    }
}

TEST(Layouts, EveryPair) {
    const Grid input = axis_grid({13, 9, 7}, {1, 1, 1});
    const Grid shifted = axis_grid({15, 9, 6}, {0.8, 1, 1.3}, {0.3, 0, -0.2});
    const Grid flipped = reoriented(input, {2, 0, 1}, 5);
    const Grid oblique = turned_grid(input, {9, 10, 5}, {1.1, 0.8, 1.3}, {10, -20, 30});
    for (Layout in : kLayouts) {
        for (Layout out : kLayouts) {
            for (DType dtype : {DType::int8, DType::int16, DType::float32, DType::float64}) {
                for (const Grid& output : {shifted, flipped, input, oblique}) {
                    Case c{input, output, {}};
                    c.options.input_dtype = c.options.output_dtype = dtype;
                    c.input_layout = in;
                    c.output_layout = out;
                    check_case(c);
                }
            }
        }
    }
}

// All 48 orientations, copied and resampled.
TEST(Orientations, FlipsAndPermutations) {
    const Grid input = axis_grid({9, 7, 6}, {0.8, 1.1, 2.5}, {-11, 4, 20});
    std::array<int, 3> p{0, 1, 2};
    do {
        for (int flips = 0; flips < 8; ++flips) {
            const Grid moved = reoriented(input, p, flips);
            Case copy{input, moved, {}};
            copy.options.input_dtype = copy.options.output_dtype = DType::int16;
            const Plan plan = make_plan(copy.input, copy.output, copy.options);
            EXPECT_TRUE(plan.separable && plan.is_copy());
            check_case(copy);
            for (Kernel kernel : {Kernel::linear, Kernel::bspline3}) {
                Case c{input, with_spacing(moved, {1.3, 0.7, 1.9}), {}};
                c.options.kernel = kernel;
                check_case(c);
            }
        }
    } while (std::next_permutation(p.begin(), p.end()));
}

TEST(Gather, EveryKernelAndAntialias) {
    const Grid input = axis_grid({14, 12, 11}, {0.9, 1.1, 2.0}, {40, -60, 7});
    const Grid outputs[] = {turned_grid(input, {11, 9, 10}, {0.8, 0.9, 1.0}, {12, -17, 33}),  // up, inside
                            turned_grid(input, {9, 8, 12}, {2.1, 2.6, 3.0}, {40, 5, -70}),    // down, partly outside
                            turned_grid(input, {1, 17, 1}, {0.5, 0.7, 1.0}, {30, 30, 30}),    // a line
                            turned_grid(reoriented(input, {2, 0, 1}, 3), {8, 7, 9}, {1.7, 1.4, 1.2}, {100, 20, 10})};
    for (const Grid& output : outputs) {
        for (Kernel kernel : kGatherKernels) {
            for (Antialias antialias : {Antialias::none, Antialias::automatic}) {
                for (DType dtype : {DType::float32, DType::int16, DType::float64}) {
                    Case c{input, output, {}};
                    c.options.kernel = kernel;
                    c.options.antialias = antialias;
                    c.options.input_dtype = c.options.output_dtype = dtype;
                    c.options.fill = -1000;
                    if (make_plan(input, output, c.options).separable) continue;  // a line need not be oblique
                    check_case(c);
                }
            }
        }
    }
}

TEST(Gather, ShearedGrids) {
    Grid input = axis_grid({10, 12, 9}, {1, 1, 3}, {5, 5, 5});
    input.affine(1, 2) = 0.75;  // gantry tilt of 14 degrees
    const Grid output = axis_grid({10, 14, 20}, {1, 1, 1.2}, {5, 5, 5});
    for (Kernel kernel : kGatherKernels) {
        for (const auto& [from, to] : {std::pair{input, output}, std::pair{output, input}}) {
            Case c{from, to, {}};
            c.options.kernel = kernel;
            check_case(c);
        }
    }
}

// A patch plan with the affine of an oblique grid is that grid's plan.
TEST(Gather, PatchesAreObliqueGrids) {
    const Grid input = axis_grid({14, 12, 11}, {1, 1, 1});
    const Grid output = turned_grid(input, {9, 10, 8}, {0.9, 0.8, 1.0}, {12, -17, 33});
    for (Kernel kernel : kGatherKernels) {
        PlanOptions options;
        options.kernel = kernel;
        options.antialias = Antialias::none;
        options.fill = 7;
        const Plan oblique = make_plan(input, output, options);
        Plan patch = make_patch_plan(input.extent, output.extent, options);
        EXPECT_FALSE(patch.separable);
        EXPECT_EQ(patch.covered, (Box3{{0, 0, 0}, output.extent}));
        std::get<AffineGather>(patch.stages.back()).out_to_in = std::get<AffineGather>(oblique.stages.back()).out_to_in;
        Field field(input.extent, DType::float32, Layout::packed);
        fill_random(field, 3);
        EXPECT_EQ(check_backends(patch, field, Layout::packed), check_backends(oblique, field, Layout::packed))
            << name_of(kernel);
    }
}

TEST(Gather, PatchesTakeNoLowPass) {
    PlanOptions stretch, blur, aperture;
    stretch.antialias = {Antialias::none, Antialias::stretch, Antialias::none};
    blur.blur = {0, 0.5, 0};
    aperture.aperture = {1, 1, 2};
    for (const PlanOptions& options : {stretch, blur, aperture}) {
        EXPECT_THROW(make_patch_plan({9, 9, 9}, {4, 4, 4}, options), Error);
    }
}

// Thin inputs: coefficients and low-pass of axes of one and two voxels.
TEST(Gather, OddSizes) {
    for (const Extent& n : {Extent{1, 1, 1}, Extent{1, 13, 1}, Extent{2, 1, 9}, Extent{17, 5, 1}, Extent{3, 3, 3}}) {
        const Grid input = axis_grid(n, {1, 1, 2});
        for (const Extent& m : {Extent{5, 4, 3}, Extent{7, 1, 2}, Extent{35, 3, 2}}) {
            const Grid output = turned_grid(input, m, {0.4, 0.6, 0.5}, {8, 11, -25});
            for (Kernel kernel : kGatherKernels) {
                Case c{input, output, {}};
                c.options.kernel = kernel;
                c.options.input_dtype = c.options.output_dtype = DType::float32;
                check_case(c);
            }
        }
    }
}

TEST(Fill, OutsideOnEverySideAndEverywhere) {
    const Grid input = axis_grid({9, 8, 7}, {1, 1, 1});
    const Grid larger = axis_grid({23, 21, 19}, {0.7, 0.7, 0.7}, {-4, -4, -4});
    const Grid elsewhere = axis_grid({5, 5, 5}, {1, 1, 1}, {100, 0, 0});
    const Grid elsewhere_oblique = turned_grid(elsewhere, {5, 5, 5}, {1, 1, 1}, {10, 20, 30});
    const Grid larger_oblique = turned_grid(input, {23, 21, 19}, {0.8, 0.8, 0.8}, {10, 20, 30});
    for (const Grid& output : {larger, elsewhere, elsewhere_oblique, larger_oblique}) {
        for (DType dtype : {DType::uint8, DType::int16, DType::float32, DType::float64}) {
            for (double fill : {0.0, -1000.5, 2.5, 1e9}) {  // saturates and rounds into integers
                for (Kernel kernel : {Kernel::nearest, Kernel::linear}) {
                    Case c{input, output, {}};
                    c.options.kernel = kernel;
                    c.options.input_dtype = c.options.output_dtype = dtype;
                    c.options.fill = fill;
                    check_case(c);
                }
            }
        }
    }
}

// Large enough that bands, chunks and vector widths all have whole and partial pieces. The oracle would be too slow.
TEST(Large, BackendsAgree) {
    const Grid input = axis_grid({101, 67, 29}, {0.8, 0.8, 2.5});
    for (const Grid& output :
         {with_spacing(input, {1, 1, 1}), with_spacing(input, {2.3, 1.9, 6}), with_spacing(input, {0.8, 0.8, 1.1}),
          with_spacing(input, {0.55, 0.8, 2.5}), with_spacing(input, {0.8, 1.7, 2.5}), reoriented(input, {1, 2, 0}, 6),
          turned_grid(input, {60, 50, 40}, {1.1, 1.0, 1.9}, {10, 5, -30})}) {
        for (Kernel kernel : kGatherKernels) {
            for (DType dtype : {DType::int16, DType::float32, DType::uint8, DType::float64}) {
                if (kernel != Kernel::linear && (dtype == DType::uint8 || dtype == DType::float64)) continue;  // time
                PlanOptions options;
                options.kernel = kernel;
                options.input_dtype = options.output_dtype = dtype;
                const Plan plan = make_plan(input, output, options);
                Field field(input.extent, dtype, Layout::packed);
                fill_random(field, 77);
                SCOPED_TRACE(describe({input, output, options}));
                check_backends(plan, field, Layout::packed);
            }
        }
    }
}

// One executor, several volumes: nothing may be left over from the one before.
TEST(Executors, RunAgainOnAnotherVolume) {
    const Grid input = axis_grid({19, 15, 12}, {1, 1, 2});
    for (const Grid& output :
         {with_spacing(input, {0.7, 1.9, 1}), turned_grid(input, {12, 11, 9}, {1, 1.5, 2}, {9, 8, 7}),
          reoriented(input, {2, 1, 0}, 1)}) {
        for (Kernel kernel : {Kernel::linear, Kernel::bspline3}) {
            PlanOptions options;
            options.kernel = kernel;
            const Plan plan = make_plan(input, output, options);
            for (Backend backend : backends()) {
                const auto executor = make_executor(plan, backend);
                std::vector<std::byte> first;
                for (std::uint64_t seed : {1u, 2u, 3u, 1u}) {
                    Field in(input.extent, DType::float32, Layout::packed),
                        out(output.extent, DType::float32, Layout::padded);
                    fill_random(in, seed);
                    executor->run(in.view(), out.view());
                    EXPECT_TRUE(out.gaps_untouched());
                    const auto bytes = out.packed();
                    if (seed == 1 && first.empty()) first = bytes;
                    EXPECT_EQ(bytes == first, seed == 1) << executor->name() << " seed " << seed;
                    EXPECT_TRUE(bytes == run_checked(plan, {Backend::reference, 1}, in, Layout::padded));
                }
            }
        }
    }
}

// Frames and components of a Volume through its own views.
TEST(Executors, FramesAndComponentsOfAVolume) {
    const Grid grid = axis_grid({9, 8, 7}, {1, 1, 2});
    const Grid output = with_spacing(grid, {0.8, 1.1, 1});
    PlanOptions options;
    options.input_dtype = options.output_dtype = DType::uint8;
    const Plan plan = make_plan(grid, output, options);
    Volume in(grid, DType::uint8, 2, 3);
    for (std::int64_t b = 0; b < in.size_bytes(); ++b) in.data()[b] = static_cast<std::byte>(b * 7919 % 251);
    for (Backend backend : backends()) {
        const auto executor = make_executor(plan, backend);
        Volume out(output, DType::uint8, 2, 3);
        for (std::int64_t frame = 0; frame < 2; ++frame)
            for (int component = 0; component < 3; ++component)
                executor->run(in.view(frame, component), out.view(frame, component));
        for (std::int64_t frame = 0; frame < 2; ++frame) {
            for (int component = 0; component < 3; ++component) {
                Field alone(grid.extent, DType::uint8, Layout::packed);
                alone.fill([&](auto i, auto j, auto k) {
                    return static_cast<double>(
                        std::to_integer<int>(in.data()[((((frame * 7 + k) * 8 + j) * 9 + i) * 3 + component)]));
                });
                const auto expected = run_checked(plan, {Backend::reference, 1}, alone, Layout::packed);
                std::size_t at = 0;
                bool equal = true;
                for (std::int64_t v = 0; v < voxel_count(output); ++v)
                    equal = equal && expected[at++] == out.data()[(frame * voxel_count(output) + v) * 3 + component];
                EXPECT_TRUE(equal) << executor->name() << " frame " << frame << " component " << component;
            }
        }
    }
}

}  // namespace
}  // namespace revoxel::harness
