// Output grids: counts, anchors and what must not change.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "revoxel/error.hpp"
#include "revoxel/grid.hpp"

namespace revoxel {
namespace {

constexpr GridPolicy kPolicies[] = {GridPolicy::centre, GridPolicy::edges, GridPolicy::first,
                                    GridPolicy::ends,   GridPolicy::half,  GridPolicy::fsl};
constexpr CountRule kCountRules[] = {CountRule::ceil, CountRule::floor, CountRule::round, CountRule::even,
                                     CountRule::down};

ErrorCode code_of(const std::function<void()>& f) {
    try {
        f();
    } catch (const Error& e) {
        return e.code();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorCode::output;
}

/// A real oblique scan's affine, with the spacing asked for: rotated about two axes, LPS, far from the origin.
Grid oblique_grid(const Extent& extent, const Vec3& spacing_mm) {
    const double a = 0.62, b = -0.21;
    const double direction[3][3] = {{-std::cos(a), std::sin(a) * std::cos(b), -std::sin(a) * std::sin(b)},
                                    {-std::sin(a), -std::cos(a) * std::cos(b), std::cos(a) * std::sin(b)},
                                    {0, std::sin(b), std::cos(b)}};
    Grid grid{extent, {}};
    for (int r = 0; r < 3; ++r) {
        for (int c = 0; c < 3; ++c) grid.affine(r, c) = direction[r][c] * spacing_mm[c];
        grid.affine(r, 3) = 100.0 * (r + 1) - 250;
    }
    return grid;
}

/// c(o) of one axis: where output index o of axis d lies on the input.
double position(const Grid& input, const Grid& output, int d, double o) {
    Vec3 index{0, 0, 0};
    index[d] = o;
    return (out_to_in(input, output) * index)[d];
}

TEST(Count, NoGhostSlice) {
    EXPECT_EQ(resampled_count(512, 0.1, 0.15, CountRule::ceil), 342);  // 341.33
    EXPECT_EQ(resampled_count(300, 0.1, 0.15, CountRule::ceil), 200);  // exactly
    // The same spacings after a float32 header.
    EXPECT_EQ(resampled_count(300, static_cast<double>(0.1f), static_cast<double>(0.15f), CountRule::ceil), 200);
    EXPECT_EQ(resampled_count(300, static_cast<double>(0.1f), 0.15, CountRule::ceil), 200);
    EXPECT_EQ(resampled_count(300, static_cast<double>(0.1f), 0.15, CountRule::floor), 200);
    EXPECT_EQ(resampled_count(48, static_cast<double>(3.27f), 1.09, CountRule::ceil), 144);
}

TEST(Count, Rules) {
    // 5 * 1 / 2 = 2.5, 7 * 1 / 2 = 3.5
    EXPECT_EQ(resampled_count(5, 1, 2, CountRule::ceil), 3);
    EXPECT_EQ(resampled_count(5, 1, 2, CountRule::floor), 2);
    EXPECT_EQ(resampled_count(5, 1, 2, CountRule::round), 3);
    EXPECT_EQ(resampled_count(5, 1, 2, CountRule::even), 2);
    EXPECT_EQ(resampled_count(7, 1, 2, CountRule::even), 4);
    EXPECT_EQ(resampled_count(7, 1, 2, CountRule::round), 4);
    EXPECT_EQ(resampled_count(5, 1, 2, CountRule::down), 2);
    EXPECT_EQ(resampled_count(7, 1, 2, CountRule::down), 3);
    EXPECT_EQ(resampled_count(13, 1, 5, CountRule::down), 3);  // 2.6
    EXPECT_EQ(resampled_count(6, 1, 2, CountRule::span), 4);   // 5/2 + 1 = 3.5
    EXPECT_EQ(resampled_count(8, 1, 2, CountRule::span), 4);   // 7/2 + 1 = 4.5
    EXPECT_EQ(resampled_count(17, 0.7, 0.35, CountRule::span), 33);
    for (CountRule rule : kCountRules) {
        EXPECT_EQ(resampled_count(1, 1, 100, rule), 1) << name_of(rule);
        EXPECT_EQ(resampled_count(17, 0.7, 0.7, rule), 17) << name_of(rule);
        EXPECT_EQ(resampled_count(17, 0.7, 0.35, rule), 34) << name_of(rule);
    }
}

TEST(Count, RejectsNonsense) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (double t : {0.0, -1.0, nan, std::numeric_limits<double>::infinity()})
        EXPECT_EQ(code_of([&] { resampled_count(10, 1, t, CountRule::ceil); }), ErrorCode::usage) << t;
    EXPECT_EQ(code_of([&] { resampled_count(10, 0, 1, CountRule::ceil); }), ErrorCode::usage);
    EXPECT_EQ(code_of([&] { resampled_count(1 << 20, 1, 1e-9, CountRule::ceil); }), ErrorCode::usage);
}

// The formulas of GridPolicy, on an oblique grid, read back through out_to_in.
TEST(Policy, PositionsFollowTheFormulas) {
    const Vec3 spacing_mm{0.7, 0.9, 3.3};
    const Grid input = oblique_grid({57, 40, 23}, spacing_mm);
    for (const Vec3& target : {Vec3{1.5, 1.5, 1.5}, Vec3{0.31, 2.0, 5.0}, Vec3{0.35, 0.45, 1.1}}) {
        for (GridPolicy policy : kPolicies) {
            for (CountRule rule : kCountRules) {
                const Grid output = with_spacing(input, target, policy, rule);
                for (int d = 0; d < 3; ++d) {
                    const double n = static_cast<double>(input.extent[d]), m = static_cast<double>(output.extent[d]);
                    EXPECT_EQ(output.extent[d], resampled_count(input.extent[d], spacing_mm[d], target[d], rule));
                    const double k = target[d] / spacing_mm[d];
                    for (double o : {0.0, 1.0, (m - 1) / 2, m - 1}) {
                        double expected = 0;
                        switch (policy) {
                            case GridPolicy::centre: expected = (n - 1) / 2 + (o - (m - 1) / 2) * k; break;
                            case GridPolicy::edges: expected = (o + 0.5) * n / m - 0.5; break;
                            case GridPolicy::first: expected = o * k; break;
                            case GridPolicy::ends: expected = o * (n - 1) / (m - 1); break;
                            case GridPolicy::half: expected = n / 2 + (o - m / 2) * k; break;
                            case GridPolicy::fsl: {
                                const bool from_last = d == 0 && determinant(input.affine) > 0;
                                expected = from_last ? n - 1 - (m - 1 - o) * k : o * k;
                                break;
                            }
                        }
                        EXPECT_NEAR(position(input, output, d, o), expected, 1e-10)
                            << name_of(policy) << " " << name_of(rule) << " axis " << d << " o " << o;
                    }
                    // The other axes do not move.
                    Vec3 index{0, 0, 0};
                    index[d] = m - 1;
                    const Vec3 far = out_to_in(input, output) * index, near = out_to_in(input, output) * Vec3{0, 0, 0};
                    for (int other = 0; other < 3; ++other) {
                        if (other == d) continue;
                        EXPECT_NEAR(far[other], near[other], 1e-10);
                    }
                    if (policy == GridPolicy::centre || policy == GridPolicy::first) {
                        EXPECT_NEAR(spacing(output)[d], target[d], 1e-13);
                    }
                    if (policy == GridPolicy::edges) {
                        EXPECT_NEAR(fov(output)[d], fov(input)[d], 1e-11);
                    }
                }
            }
        }
    }
}

// 512 voxels of 0.7 mm at 1.5 mm, as the tools of the field understand it: 238 or 239 voxels, and the first output
// centre 0, 0.35, 0.40 or 1.10 mm from the first input centre.
TEST(Policy, TheSameRequestInFourTools) {
    Grid input{{512, 512, 512}, {}};
    for (int d = 0; d < 3; ++d) input.affine(d, d) = 0.7;
    const auto first_centre = [&](GridPolicy policy, CountRule rule, std::int64_t count) {
        const Grid output = with_spacing(input, {1.5, 1.5, 1.5}, policy, rule);
        EXPECT_EQ(output.extent, (Extent{count, count, count}));
        return output.affine(0, 3) - input.affine(0, 3);
    };
    EXPECT_NEAR(first_centre(GridPolicy::first, CountRule::round, 239), 0.0, 1e-12);     // the SimpleITK recipe, ANTs
    EXPECT_NEAR(first_centre(GridPolicy::centre, CountRule::ceil, 239), 0.35, 1e-12);    // IBSI, FreeSurfer
    EXPECT_NEAR(first_centre(GridPolicy::centre, CountRule::round, 239), 0.35, 1e-12);   // MRtrix
    EXPECT_NEAR(first_centre(GridPolicy::edges, CountRule::round, 239), 0.39979, 1e-5);  // scikit-image, nnU-Net
    EXPECT_NEAR(first_centre(GridPolicy::centre, CountRule::floor, 238), 1.10, 1e-12);   // TorchIO 1.2
}

TEST(WithSpacing, KeepsUnchangedAxesBitForBit) {
    const Grid input = oblique_grid({57, 40, 23}, {0.7, 0.9, 3.3});
    const Vec3 current = spacing(input);
    for (GridPolicy policy : kPolicies) {
        for (int changed = 0; changed < 3; ++changed) {
            Vec3 target = current;
            target[changed] = 1.234;
            Vec3 zeros{0, 0, 0};
            zeros[changed] = 1.234;
            Vec3 rounded{static_cast<double>(static_cast<float>(current[0])),
                         static_cast<double>(static_cast<float>(current[1])),
                         static_cast<double>(static_cast<float>(current[2]))};
            rounded[changed] = 1.234;
            for (const Vec3& request : {target, zeros, rounded}) {
                const Grid output = with_spacing(input, request, policy);
                for (int d = 0; d < 3; ++d) {
                    if (d == changed) continue;
                    EXPECT_EQ(output.extent[d], input.extent[d]);
                    for (int r = 0; r < 3; ++r) EXPECT_EQ(output.affine(r, d), input.affine(r, d));
                }
            }
        }
        EXPECT_EQ(with_spacing(input, {0, 0, 0}, policy), input) << name_of(policy);
        EXPECT_EQ(with_spacing(input, current, policy), input) << name_of(policy);
    }
}

TEST(WithSpacing, RejectsNonsense) {
    const Grid input = oblique_grid({5, 6, 7}, {1, 1, 1});
    EXPECT_EQ(code_of([&] { with_spacing(input, {-1, 1, 1}); }), ErrorCode::usage);
    EXPECT_EQ(code_of([&] {
                  with_spacing(input, {1, std::numeric_limits<double>::quiet_NaN(), 1});
              }),
              ErrorCode::usage);
    EXPECT_EQ(code_of([&] { with_spacing(input, {1, std::numeric_limits<double>::infinity(), 1}); }), ErrorCode::usage);
    EXPECT_EQ(code_of([&] { with_spacing(input, {1e-30, 1, 1}); }), ErrorCode::usage);
    const Grid slice = oblique_grid({5, 6, 1}, {1, 1, 4});
    EXPECT_EQ(code_of([&] { with_spacing(slice, {1, 1, 1}, GridPolicy::ends); }), ErrorCode::usage);
    EXPECT_EQ(with_spacing(slice, {1, 1, 1}, GridPolicy::centre).extent, (Extent{5, 6, 4}));
}

TEST(WithExtent, KeepsTheFieldOfView) {
    const Grid input = oblique_grid({57, 40, 23}, {0.7, 0.9, 3.3});
    const Grid output = with_extent(input, {64, 0, 100});
    EXPECT_EQ(output.extent, (Extent{64, 40, 100}));
    for (int d = 0; d < 3; ++d) EXPECT_NEAR(fov(output)[d], fov(input)[d], 1e-11);
    for (int d = 0; d < 3; ++d) {
        const double n = static_cast<double>(input.extent[d]), m = static_cast<double>(output.extent[d]);
        for (double o : {0.0, m - 1}) EXPECT_NEAR(position(input, output, d, o), (o + 0.5) * n / m - 0.5, 1e-10);
    }
    for (int r = 0; r < 3; ++r) EXPECT_EQ(output.affine(r, 1), input.affine(r, 1));
    EXPECT_EQ(with_extent(input, {0, 0, 0}), input);
    EXPECT_EQ(with_extent(input, input.extent), input);
    EXPECT_EQ(code_of([&] { with_extent(input, {-3, 1, 1}); }), ErrorCode::usage);
}

TEST(WithExtent, OtherPolicies) {
    const Grid input = oblique_grid({57, 40, 23}, {0.7, 0.9, 3.3});
    const Grid ends = with_extent(input, {30, 80, 7}, GridPolicy::ends);
    for (int d = 0; d < 3; ++d) {
        EXPECT_NEAR(position(input, ends, d, 0), 0.0, 1e-10);
        EXPECT_NEAR(position(input, ends, d, static_cast<double>(ends.extent[d] - 1)),
                    static_cast<double>(input.extent[d] - 1), 1e-10);
    }
}

TEST(BudgetSpacing, IsTheFinestThatFits) {
    const Grid input = oblique_grid({57, 40, 23}, {0.7, 0.9, 3.3});
    const auto count = [&](double t) { return voxel_count(with_spacing(input, {t, t, t})); };
    for (std::int64_t budget : {1, 7, 1000, 20000, 100000}) {
        const double t = budget_spacing(input, budget);
        EXPECT_LE(count(t), budget);
        EXPECT_GE(t, 0.7 - 1e-12);
        if (t > 0.7 + 1e-9) {
            EXPECT_GT(count(t * (1 - 2e-4)), budget) << "a finer spacing would have fitted";
        }
    }
    EXPECT_NEAR(budget_spacing(input, 1 << 30), 0.7, 1e-12) << "never finer than the finest axis";
    EXPECT_NEAR(budget_spacing(input, 1 << 30, CountRule::ceil, 0.2), 0.2, 1e-12) << "or than what is named";
    EXPECT_NEAR(budget_spacing(input, 1, CountRule::ceil, 100.0), 100.0, 1e-12);
    const double fine = budget_spacing(input, 1'000'000, CountRule::ceil, 0.2);
    EXPECT_LE(count(fine), 1'000'000);
    EXPECT_GT(count(fine * (1 - 2e-4)), 1'000'000);
    EXPECT_NO_THROW(budget_spacing(input, 1 << 30, CountRule::ceil, 1e-9)) << "more voxels than an axis may have";
    EXPECT_EQ(code_of([&] { budget_spacing(input, 0); }), ErrorCode::usage);
}

TEST(Names, GoBothWaysAndListWhatExists) {
    for (GridPolicy policy : kPolicies) EXPECT_EQ(grid_policy_from_name(name_of(policy)), policy);
    for (CountRule rule : kCountRules) EXPECT_EQ(count_rule_from_name(name_of(rule)), rule);
    try {
        grid_policy_from_name("corner");
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::usage);
        EXPECT_NE(std::string(e.what()).find("centre"), std::string::npos) << e.what();
    }
}

}  // namespace
}  // namespace revoxel
