#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "revoxel/error.hpp"
#include "revoxel/grid.hpp"

namespace revoxel {
namespace {

Affine rotation_z(double degrees, const Vec3& spacing = {1, 1, 1}) {
    const double a = degrees * 3.14159265358979323846 / 180;
    Affine m;
    m.m = {{{std::cos(a) * spacing[0], -std::sin(a) * spacing[1], 0, 0},
            {std::sin(a) * spacing[0], std::cos(a) * spacing[1], 0, 0},
            {0, 0, spacing[2], 0}}};
    return m;
}

ErrorCode code_of(const std::function<void()>& f) {
    try {
        f();
    } catch (const Error& e) {
        EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << "an error is one line";
        return e.code();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorCode::output;
}

TEST(Affine, InverseUndoesRandomAffines) {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> unit(-1, 1);
    for (int trial = 0; trial < 200; ++trial) {
        Affine a;
        for (auto& row : a.m)
            for (double& x : row) x = unit(random);
        for (int r = 0; r < 3; ++r) a(r, 3) *= 300;
        for (int d = 0; d < 3; ++d) a(d, d) += 2;  // keeps it well conditioned
        const Affine left = inverse(a) * a, right = a * inverse(a);
        for (int r = 0; r < 3; ++r) {
            for (int c = 0; c < 4; ++c) {
                EXPECT_NEAR(left(r, c), r == c ? 1 : 0, c < 3 ? 1e-14 : 1e-12);
                EXPECT_NEAR(right(r, c), r == c ? 1 : 0, c < 3 ? 1e-14 : 1e-12);
            }
        }
    }
}

TEST(Affine, ProductIsComposition) {
    std::mt19937_64 random(2);
    std::uniform_real_distribution<double> unit(-3, 3);
    Affine a, b;
    for (int r = 0; r < 3; ++r)
        for (int c = 0; c < 4; ++c) a(r, c) = unit(random), b(r, c) = unit(random);
    const Vec3 p{1.25, -2, 7}, once = (a * b) * p, twice = a * (b * p);
    for (int d = 0; d < 3; ++d) EXPECT_NEAR(once[d], twice[d], 1e-12);
}

TEST(Affine, InverseOfTinyAndHugeGrids) {
    for (double scale : {1e-6, 1e6}) {  // nanometres and kilometres
        const Affine a = rotation_z(30, {scale, 2 * scale, 3 * scale});
        const Affine i = inverse(a) * a;
        for (int d = 0; d < 3; ++d) EXPECT_NEAR(i(d, d), 1, 1e-14);
    }
}

TEST(Affine, SingularAndNonFiniteAreInputErrors) {
    Affine flat;
    flat(2, 2) = 0;
    EXPECT_EQ(code_of([&] { inverse(flat); }), ErrorCode::input);
    Affine nan;
    nan(1, 3) = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(code_of([&] { inverse(nan); }), ErrorCode::input);
    Affine parallel;
    parallel.m = {{{1, 2, 0, 0}, {1, 2, 0, 0}, {0, 0, 1, 0}}};
    EXPECT_EQ(code_of([&] { inverse(parallel); }), ErrorCode::input);
}

TEST(Affine, DeterminantHasTheSignOfHandedness) {
    EXPECT_NEAR(determinant(rotation_z(70, {2, 3, 4})), 24, 1e-12);
    Affine flipped = rotation_z(70, {-2, 3, 4});
    EXPECT_NEAR(determinant(flipped), -24, 1e-12);
}

TEST(Orientation, All48Codes) {
    const char letter[2][3] = {{'R', 'A', 'S'}, {'L', 'P', 'I'}};
    std::array<int, 3> order{0, 1, 2};
    int tested = 0;
    do {
        for (int signs = 0; signs < 8; ++signs) {
            Affine a;
            a.m = {};
            std::string expected;
            for (int c = 0; c < 3; ++c) {
                const bool negative = signs >> c & 1;
                a(order[c], c) = (negative ? -1.0 : 1.0) * (0.5 + c);
                // A tilt of some degrees must not change the code.
                a(order[(c + 1) % 3], c) = 0.1 * (0.5 + c);
                expected += letter[negative][order[c]];
            }
            EXPECT_EQ(orientation_code(a), expected);
            ++tested;
        }
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_EQ(tested, 48);
}

TEST(Orientation, NeverNamesAWorldAxisTwice) {
    // Two index axes lie nearest to x; the code must still be a permutation.
    Affine a;
    a.m = {{{0.9, 0.75, 0, 0}, {-0.2, 0.66, 0, 0}, {0, 0, 1, 0}}};
    std::string code = orientation_code(a);
    EXPECT_EQ(code, "RAS");
}

TEST(Obliquity, IsTheAngleOfTheRotation) {
    for (double degrees : {0.0, 1e-5, 0.5, 19.0, 44.0})
        EXPECT_NEAR(obliquity_degrees(rotation_z(degrees, {0.7, 0.8, 5})), degrees, 1e-11);
    EXPECT_NEAR(obliquity_degrees(rotation_z(90)), 0.0, 1e-11);
    EXPECT_NEAR(obliquity_degrees(rotation_z(80)), 10.0, 1e-11);
}

TEST(Shear, GantryTiltOf14Degrees) {
    const double tilt = 14 * 3.14159265358979323846 / 180;
    Affine a;
    a.m = {{{0.5, 0, 0, 0}, {0, 0.5, 3 * std::sin(tilt), 0}, {0, 0, 3 * std::cos(tilt), 0}}};
    EXPECT_NEAR(shear(a), std::sin(tilt), 1e-14);
    EXPECT_NEAR(shear(rotation_z(33, {1, 2, 3})), 0.0, 1e-15);
}

TEST(CornerDistance, IsTheLargestOfTheEight) {
    Affine a, b;
    b(0, 0) = 1.5;  // x grows by half a voxel a voxel
    EXPECT_NEAR(corner_distance({11, 4, 4}, a, b), 5.0, 1e-14);
    b(1, 3) = 12.0;
    EXPECT_NEAR(corner_distance({11, 4, 4}, a, b), 13.0, 1e-14);
    EXPECT_EQ(corner_distance({11, 4, 4}, a, a), 0.0);
}

TEST(Grid, SpacingAndFovOfARotatedGrid) {
    const Grid grid{{10, 20, 30}, rotation_z(25, {0.5, 0.75, 2})};
    const Vec3 expected{0.5, 0.75, 2};
    for (int d = 0; d < 3; ++d) {
        EXPECT_NEAR(spacing(grid)[d], expected[d], 1e-15);
        EXPECT_NEAR(fov(grid)[d], expected[d] * static_cast<double>(grid.extent[d]), 1e-13);
    }
}

TEST(Grid, VoxelCountChecksItsInput) {
    EXPECT_EQ(voxel_count(Grid{{1 << 21, 1 << 21, 1 << 20}, {}}), std::int64_t{1} << 62);
    EXPECT_EQ(code_of([] { voxel_count(Grid{{1 << 21, 1 << 21, 1 << 21}, {}}); }), ErrorCode::input);
    EXPECT_EQ(code_of([] { voxel_count(Grid{{4, 0, 4}, {}}); }), ErrorCode::input);
    EXPECT_EQ(code_of([] { voxel_count(Grid{{4, 4, -1}, {}}); }), ErrorCode::input);
}

}  // namespace
}  // namespace revoxel
