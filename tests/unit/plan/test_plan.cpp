// What make_plan decides: the route, which axes have a pass, what is covered, and the text that says so.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <string>

#include "plan/kernels.hpp"
#include "revoxel/error.hpp"
#include "revoxel/plan.hpp"

namespace revoxel {
namespace {

Grid axis_grid(const Extent& extent, const Vec3& spacing_mm, const Vec3& origin = {0, 0, 0}) {
    Grid grid{extent, {}};
    for (int d = 0; d < 3; ++d) {
        grid.affine(d, d) = spacing_mm[d];
        grid.affine(d, 3) = origin[d];
    }
    return grid;
}

/// Turned about k, then tilted by a shear of j along k.
Grid tilted_grid(const Extent& extent, double degrees, double tilt) {
    const double a = degrees * 3.14159265358979323846 / 180;
    Grid grid{extent, {}};
    grid.affine.m = {{{std::cos(a), -std::sin(a), 0, 1}, {std::sin(a), std::cos(a), tilt, 2}, {0, 0, 1, 3}}};
    return grid;
}

int passes(const Plan& plan) {
    int count = 0;
    for (const Stage& stage : plan.stages) count += std::holds_alternative<AxisPass>(stage);
    return count;
}

ErrorCode code_of(const std::function<void()>& f) {
    try {
        f();
    } catch (const Error& e) {
        EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
        return e.code();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorCode::output;
}

TEST(Route, SeparableUpToTheTolerance) {
    const Grid input = axis_grid({100, 100, 50}, {1, 1, 2});
    // Over 99 voxels a rotation of 1e-7 moves a corner by 1e-5 voxel, one of 1e-5 by 1e-3.
    for (const auto& [degrees, separable] : {std::pair{0.0, true}, {5e-6, true}, {5e-4, false}, {30.0, false}}) {
        const Plan plan = make_plan(input, tilted_grid({100, 100, 50}, degrees, 0), {});
        EXPECT_EQ(plan.separable, separable) << degrees;
        EXPECT_EQ(std::holds_alternative<AffineGather>(plan.stages.empty() ? Stage{AxisPass{}} : plan.stages.back()),
                  !separable);
    }
    EXPECT_TRUE(make_plan(input, tilted_grid({100, 100, 50}, 0, 5e-7), {}).separable);
    EXPECT_FALSE(make_plan(input, tilted_grid({100, 100, 50}, 0, 0.25), {}).separable) << "shear is not separable";
    // The same small rotation on a small grid moves nothing by 1e-4 voxel.
    EXPECT_TRUE(make_plan(axis_grid({5, 5, 5}, {1, 1, 1}), tilted_grid({5, 5, 5}, 1e-3, 0), {}).separable);
}

TEST(Route, TwoObliqueGridsOfOneScanAreSeparable) {
    const Grid input = tilted_grid({40, 50, 20}, 33, 0.2);  // oblique and sheared, as from a tilted gantry
    const Grid output = with_spacing(input, {0.7, 2.0, 0.5});
    const Plan plan = make_plan(input, output, {});
    EXPECT_TRUE(plan.separable);
    EXPECT_EQ(passes(plan), 3);
}

TEST(Route, AllSignedPermutationsAreCopies) {
    const Grid input = axis_grid({6, 5, 4}, {1, 2, 3}, {-7, 8, 9});
    Grid output = axis_grid({5, 4, 6}, {1, 1, 1});
    // Output i is input j backwards, j is input k, k is input i backwards.
    output.affine.m = {{{0, 0, -1, -7 + 5}, {-2, 0, 0, 8 + 8}, {0, 3, 0, 9}}};
    const Plan plan = make_plan(input, output, {});
    EXPECT_TRUE(plan.separable);
    EXPECT_TRUE(plan.is_copy());
    EXPECT_EQ(plan.input_axis, (std::array<int, 3>{1, 2, 0}));
    EXPECT_EQ(plan.axes[0].step, -1);
    EXPECT_EQ(plan.axes[0].offset, 4);
    EXPECT_EQ(plan.covered, (Box3{{0, 0, 0}, {5, 4, 6}}));
}

TEST(Passes, AxesThatDoNotChangeHaveNone) {
    const Grid input = axis_grid({30, 31, 12}, {0.7, 0.9, 3.3}, {4, 5, 6});
    EXPECT_TRUE(make_plan(input, input, {}).stages.empty());
    for (int changed = 0; changed < 3; ++changed) {
        Vec3 t{0, 0, 0};
        t[changed] = 1.234;
        const Plan plan = make_plan(input, with_spacing(input, t), {});
        ASSERT_EQ(plan.stages.size(), 1u);
        EXPECT_EQ(std::get<AxisPass>(plan.stages[0]).axis, changed);
        for (int d = 0; d < 3; ++d) EXPECT_EQ(plan.axes[d].copied, d != changed);
        EXPECT_FALSE(plan.is_copy());
    }
    // An affine that went through float32 is still the same grid.
    Grid rounded = input;
    for (auto& row : rounded.affine.m)
        for (double& x : row) x = static_cast<double>(static_cast<float>(x));
    EXPECT_TRUE(make_plan(input, rounded, {}).is_copy());
    // The value scaling makes a copy into a computation.
    PlanOptions scaled;
    scaled.output_slope = 2;
    EXPECT_FALSE(make_plan(input, input, scaled).is_copy());
}

TEST(Passes, RunInTheOrderYXZ) {
    const Grid input = axis_grid({30, 31, 12}, {0.7, 0.9, 3.3});
    const Plan plan = make_plan(input, with_spacing(input, {1, 1, 1}), {});
    ASSERT_EQ(plan.stages.size(), 3u);
    const int order[] = {1, 0, 2};
    for (std::size_t s = 0; s < 3; ++s) EXPECT_EQ(std::get<AxisPass>(plan.stages[s]).axis, order[s]);
}

// An axis that the whole plan leaves alone is cut by a pass that picks its samples.
TEST(Passes, ACutAxisThatDoesNotChangeIsPicked) {
    const Grid input = axis_grid({7, 8, 9}, {1, 1, 1});
    for (const Grid& output : {input, with_spacing(input, {0.5, 2, 1})}) {
        const Extent& n = output.extent;
        const Box3 box{{0, 0, 4}, {n[0], n[1], 7}};
        const Plan part = make_plan(input, output, {}).cropped(box);
        const auto* pass = part.stages.empty() ? nullptr : std::get_if<AxisPass>(&part.stages.back());
        ASSERT_NE(pass, nullptr);
        EXPECT_EQ(pass->axis, 2);
        EXPECT_EQ(pass->taps.n_in, 9);
        EXPECT_EQ(pass->taps.first, (std::vector<std::int64_t>{4, 5, 6}));
        EXPECT_EQ(part.input_box({{0, 0, 0}, {n[0], n[1], 3}}), (Box3{{0, 0, 4}, {7, 8, 7}}));
        EXPECT_EQ(passes(make_plan(input, output, {}).cropped({{0, 0, 0}, n})), passes(make_plan(input, output, {})));
    }
}

TEST(Antialiasing, OnlyWhereTheStepIsAboveOne) {
    const Grid input = axis_grid({30, 30, 30}, {1, 1, 1});
    const Grid output = with_spacing(input, {0.5, 1, 2.5});
    for (Antialias antialias : {Antialias::automatic, Antialias::stretch, Antialias::none}) {
        PlanOptions options;
        options.antialias = antialias;
        const Plan plan = make_plan(input, output, options);
        EXPECT_FALSE(plan.axes[0].antialiased);
        EXPECT_FALSE(plan.axes[1].antialiased);
        EXPECT_EQ(plan.axes[2].antialiased, antialias != Antialias::none);
        const auto& taps = std::get<AxisPass>(plan.stages.back()).taps;
        EXPECT_EQ(taps.stride, antialias == Antialias::none ? 2 : 5);
    }
    PlanOptions nearest;
    nearest.kernel = Kernel::nearest;
    EXPECT_FALSE(make_plan(input, output, nearest).axes[2].antialiased);
}

TEST(Covered, OutputCentresInsideTheInput) {
    const Grid input = axis_grid({10, 10, 10}, {1, 1, 1});
    // From -3 by 0.5: -0.5 is inside (o = 5), 9.5 is not (o = 25).
    const Grid output = axis_grid({40, 3, 60}, {0.5, 1, 0.25}, {-3, 4, -0.625});
    const Plan plan = make_plan(input, output, {});
    EXPECT_EQ(plan.covered, (Box3{{5, 0, 1}, {25, 3, 41}}));
    ASSERT_EQ(plan.stages.size(), 3u);  // the crop of j is a pass, too
    const auto& taps = std::get<AxisPass>(plan.stages[1]).taps;
    EXPECT_EQ(taps.count[4], 0);
    EXPECT_GT(taps.count[5], 0);
    EXPECT_EQ(taps.count[25], 0);
    EXPECT_TRUE(make_plan(input, axis_grid({4, 4, 4}, {1, 1, 1}, {0, 0, 10}), {}).covered.empty());
    EXPECT_TRUE(make_plan(input, axis_grid({4, 4, 4}, {1, 1, 1}, {-9, 0, 0}), {}).covered.empty());
}

TEST(Covered, DefaultGridsAreCoveredEntirely) {
    for (std::int64_t n : {1, 2, 7, 64, 341, 512}) {
        for (double t : {0.1, 0.33, 0.7, 1.3, 2.9, 17.0}) {
            const Grid input = axis_grid({n, 1, n}, {0.9, 1, 0.7});
            const Grid output = with_spacing(input, {t, 0, t});
            EXPECT_EQ(make_plan(input, output, {}).covered, (Box3{{0, 0, 0}, output.extent})) << n << " " << t;
        }
    }
}

TEST(Compute, WideTypesInDouble) {
    const Grid grid = axis_grid({4, 4, 4}, {1, 1, 1});
    const auto compute = [&](DType from, DType to) {
        PlanOptions options;
        options.input_dtype = from;
        options.output_dtype = to;
        return make_plan(grid, grid, options).compute;
    };
    EXPECT_EQ(compute(DType::int16, DType::float32), ComputeType::f32);
    EXPECT_EQ(compute(DType::uint16, DType::uint8), ComputeType::f32);
    EXPECT_EQ(compute(DType::int32, DType::uint8), ComputeType::f64);
    EXPECT_EQ(compute(DType::float32, DType::float64), ComputeType::f64);
    EXPECT_EQ(compute(DType::uint64, DType::float32), ComputeType::f64);
}

TEST(Errors, UsageAndInput) {
    const Grid input = axis_grid({9, 9, 9}, {1, 1, 1});
    const Grid oblique = tilted_grid({9, 9, 9}, 20, 0);
    PlanOptions wide;
    wide.kernel = Kernel::gaussian;
    wide.shape.sigma = 2;
    PlanOptions area;
    area.kernel = Kernel::area;
    for (const PlanOptions& options : {wide, area}) {
        EXPECT_EQ(code_of([&] { make_plan(input, oblique, options); }), ErrorCode::usage);
        EXPECT_NO_THROW(make_plan(input, input, options));
    }
    const auto refused = [&](auto&& change) {
        PlanOptions options;
        change(options);
        return code_of([&] { make_plan(input, input, options); }) == ErrorCode::usage;
    };
    const auto refused_labels = [&](auto&& change) {
        return refused([&](PlanOptions& o) {
            o.labels = true;
            change(o);
        });
    };
    EXPECT_TRUE(refused([](PlanOptions& o) {
        o.kernel = Kernel::nearest;
        o.antialias = Antialias::stretch;
    }));
    EXPECT_TRUE(refused([](PlanOptions& o) {
        o.kernel = Kernel::area;
        o.antialias = Antialias::gaussian;
    }));
    EXPECT_TRUE(refused([](PlanOptions& o) { o.output_slope = std::numeric_limits<double>::infinity(); }));
    EXPECT_TRUE(refused([](PlanOptions& o) { o.shape.radius = 9; }));
    EXPECT_TRUE(refused([](PlanOptions& o) { o.shape.sigma = 0; }));
    EXPECT_TRUE(refused([](PlanOptions& o) { o.shape.sigma = 1e-300; })) << "its window can hold no voxel";
    EXPECT_TRUE(refused([](PlanOptions& o) { o.shape.normalised = false; })) << "linear has nothing to leave out";
    EXPECT_TRUE(refused([](PlanOptions& o) { o.blur = {0, -1, 0}; }));
    EXPECT_TRUE(refused([](PlanOptions& o) { o.aperture = {1, 0, 1}; }));
    EXPECT_TRUE(refused([](PlanOptions& o) {
        o.boundary = Boundary::renormalise;
        o.outside = Outside::extend;
    }));
    PlanOptions labels;
    labels.labels = true;
    EXPECT_NO_THROW(make_plan(input, input, labels));
    EXPECT_TRUE(refused_labels([](PlanOptions& o) { o.kernel = Kernel::cubic; }));
    EXPECT_TRUE(refused_labels([](PlanOptions& o) { o.antialias = Antialias::gaussian; }));
    EXPECT_TRUE(refused_labels([](PlanOptions& o) { o.boundary = Boundary::constant; }));
    EXPECT_TRUE(refused_labels([](PlanOptions& o) { o.clip = Clip::global; }));
    EXPECT_TRUE(refused_labels([](PlanOptions& o) { o.nan_aware = true; }));
    EXPECT_TRUE(refused_labels([](PlanOptions& o) { o.threshold = 0.5; }));
    EXPECT_TRUE(refused_labels([](PlanOptions& o) { o.blur = {1, 0, 0}; }));
    EXPECT_TRUE(refused_labels([](PlanOptions& o) { o.output_slope = 2; }));
    Grid flat = input;
    flat.affine(2, 2) = 0;
    EXPECT_EQ(code_of([&] { make_plan(flat, input, {}); }), ErrorCode::input);
    EXPECT_EQ(code_of([&] { make_plan(input, flat, {}); }), ErrorCode::input);
    Grid nan = input;
    nan.affine(0, 3) = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(code_of([&] { make_plan(nan, input, {}); }), ErrorCode::input);
    EXPECT_EQ(code_of([&] { make_plan(Grid{{0, 4, 4}, {}}, input, {}); }), ErrorCode::input);
}

// c_0 of the cardinal splines to all digits, from the banded system of 121 sampled B-splines solved with 50 decimal
// digits.
TEST(CardinalCoefficients, AreExactToTheLastDigits) {
    const std::pair<int, double> expected[] = {
        {2, 1.4142135623730951}, {3, 1.7320508075688772}, {4, 2.2127302652693217}, {5, 2.8421709220216225}};
    for (const auto& [degree, value] : expected)
        EXPECT_NEAR(cardinal_coefficients(degree, ComputeType::f64)[0], value, 1e-15 * value) << degree;
}

/// Goldens hold text only, never voxels. REVOXEL_UPDATE_GOLDENS=1 rewrites them; read the difference before you commit
/// it.
void expect_golden(const Plan& plan, const std::string& name) {
    const std::string path = std::string(REVOXEL_TEST_GOLDEN) + "/" + name + ".txt";
    const std::string text = plan.describe();
    if (std::getenv("REVOXEL_UPDATE_GOLDENS")) std::ofstream(path) << text;
    std::ifstream file(path);
    ASSERT_TRUE(file) << path;
    std::stringstream golden;
    golden << file.rdbuf();
    EXPECT_EQ(text, golden.str()) << "against " << path;
}

TEST(Describe, ThickSliceCtToOneMillimetre) {
    Grid input = axis_grid({512, 512, 41}, {-0.796875, 0.796875, 5}, {203.5, -203.5, -812});
    PlanOptions options;
    options.input_dtype = options.output_dtype = DType::int16;
    options.fill = -1024;
    expect_golden(make_plan(input, with_spacing(input, {1, 1, 1}), options), "ct_to_1mm");
}

TEST(Describe, FlippedReferenceWithAnotherFieldOfView) {
    const Grid input = axis_grid({60, 55, 52}, {1, 1, 1}, {-30, -20, 10});
    Grid output = axis_grid({40, 30, 70}, {1, 1, 1});
    output.affine.m = {{{0, 0, -0.5, 35}, {1, 0, 0, -25}, {0, 2, 0, 8}}};
    PlanOptions options;
    options.kernel = Kernel::bspline3;
    options.output_dtype = DType::float64;
    options.output_slope = 0.25;
    options.output_intercept = -500;
    expect_golden(make_plan(input, output, options), "flipped_reference");
}

TEST(Describe, ObliqueReferenceWithLowPass) {
    const Grid input = axis_grid({58, 58, 24}, {4, 4, 5});
    Grid output = tilted_grid({30, 30, 20}, 30, 0);
    for (auto& row : output.affine.m)
        for (int c = 0; c < 3; ++c) row[static_cast<std::size_t>(c)] *= 6;
    PlanOptions options;
    options.kernel = Kernel::bspline3;
    options.input_dtype = DType::int16;
    expect_golden(make_plan(input, output, options), "oblique_reference");
}

}  // namespace
}  // namespace revoxel
