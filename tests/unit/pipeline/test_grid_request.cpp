#include <gtest/gtest.h>

#include <cmath>

#include "pipeline/grid_request.hpp"
#include "revoxel/error.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel::pipeline {
namespace {

io::NiftiHeader header_of(const Extent& extent, const Vec3& spacing_mm, int rank = 3) {
    io::NiftiHeader header = io::new_header(test::grid_of(extent, spacing_mm), DType::int16);
    header.dim[0] = rank;
    return header;
}

void expect_usage(const GridRequest& request, const std::string& says) {
    try {
        choose_grid(request, header_of({10, 10, 10}, {1, 1, 1}), false);
        FAIL() << "expected: " << says;
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::usage);
        EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
    }
}

TEST(GridRequest, TakesExactlyOneWay) {
    expect_usage({}, "no output grid");
    GridRequest two;
    two.spacing_mm = Vec3{1, 1, 1};
    two.iso = "min";
    expect_usage(two, "by spacing and by iso");
    GridRequest like;
    like.like = test::shipped("tiny.nii.gz");
    like.policy = GridPolicy::first;
    expect_usage(like, "grid policy does not go with like");
    GridRequest size;
    size.extent = Extent{5, 5, 5};
    size.rule = CountRule::ceil;
    expect_usage(size, "rounding rule does not go with size");
    for (const char* iso : {"fine", "0", "-1", "nan", "1mm", ""}) {
        GridRequest request;
        request.iso = iso;
        expect_usage(request, "neither min, max, geomean");
    }
}

TEST(GridRequest, DefaultsAreCentreAndCeilButEdgesForASize) {
    const io::NiftiHeader input = header_of({10, 10, 10}, {1, 1, 1});
    GridRequest request;
    request.spacing_mm = Vec3{0.7, 1, 3};
    ChosenGrid chosen = choose_grid(request, input, false);
    EXPECT_EQ(chosen.policy, GridPolicy::centre);
    EXPECT_EQ(chosen.rule, CountRule::ceil);
    EXPECT_EQ(chosen.grid.extent, (Extent{15, 10, 4}));
    request = {};
    request.extent = Extent{5, 0, 20};
    chosen = choose_grid(request, input, false);
    EXPECT_EQ(chosen.policy, GridPolicy::edges);
    EXPECT_FALSE(chosen.rule.has_value());
    EXPECT_EQ(chosen.grid.extent, (Extent{5, 10, 20}));
    EXPECT_NEAR(fov(chosen.grid)[0], 10.0, 1e-12);
}

TEST(GridRequest, IsoTakesTheFinestTheCoarsestOrTheGeometricMean) {
    const io::NiftiHeader input = header_of({20, 20, 20}, {0.5, 1, 4});
    const auto spacing_for = [&](const char* iso) {
        GridRequest request;
        request.iso = iso;
        const Vec3 s = spacing(choose_grid(request, input, false).grid);
        EXPECT_NEAR(s[0], s[1], 1e-12);
        EXPECT_NEAR(s[0], s[2], 1e-12);
        return s[0];
    };
    EXPECT_NEAR(spacing_for("min"), 0.5, 1e-12);
    EXPECT_NEAR(spacing_for("max"), 4, 1e-12);
    EXPECT_NEAR(spacing_for("geomean"), std::cbrt(2.0), 1e-12);
    EXPECT_NEAR(spacing_for("1.25"), 1.25, 1e-12);
}

TEST(GridRequest, BudgetIsKeptAndUsed) {
    const io::NiftiHeader input = header_of({200, 200, 40}, {0.5, 0.5, 2.5});
    GridRequest request;
    request.budget = 500'000;
    const Grid grid = choose_grid(request, input, false).grid;
    EXPECT_LE(voxel_count(grid), 500'000);
    EXPECT_GT(voxel_count(grid), 450'000);
    request.budget = 1'000'000'000;
    EXPECT_NEAR(spacing(choose_grid(request, input, false).grid)[2], 0.5, 1e-12) << "never finer than the finest axis";
}

TEST(GridRequest, NeverInventsSlicesInATwoDimensionalFile) {
    const io::NiftiHeader input = header_of({64, 48, 1}, {2, 2, 5}, 2);
    for (const char* iso : {"min", "max", "geomean", "1"}) {
        GridRequest request;
        request.iso = iso;
        const ChosenGrid chosen = choose_grid(request, input, false);
        EXPECT_EQ(chosen.grid.extent[2], 1);
        EXPECT_NEAR(spacing(chosen.grid)[2], 5, 1e-12);
        ASSERT_EQ(chosen.warnings.size(), 1U);
        EXPECT_NE(chosen.warnings[0].find("two-dimensional"), std::string::npos);
        EXPECT_NEAR(spacing(chosen.grid)[0], std::string(iso) == "1" ? 1 : 2, 1e-12) << "the third axis does not count";
    }
    GridRequest request;
    request.budget = 64 * 48 / 4;
    const Grid grid = choose_grid(request, input, false).grid;
    EXPECT_EQ(grid.extent, (Extent{32, 24, 1}));
    EXPECT_NEAR(affordable_spacing(input, 64 * 48 * 4, CountRule::ceil, 0.5), 1.0, 1e-3);
}

TEST(GridRequest, LikeIsTheReferencesGridToTheBit) {
    GridRequest request;
    request.like = test::shipped("oblique.nii.gz");
    const ChosenGrid chosen = choose_grid(request, header_of({10, 10, 10}, {1, 1, 1}), false);
    ASSERT_TRUE(chosen.reference.has_value());
    EXPECT_EQ(chosen.grid, chosen.reference->grid);
    EXPECT_FALSE(chosen.policy.has_value());
    request.like = "absent.nii";
    EXPECT_THROW(choose_grid(request, header_of({10, 10, 10}, {1, 1, 1}), false), Error);
}

}  // namespace
}  // namespace revoxel::pipeline
