#include <gtest/gtest.h>

#include <cmath>

#include "math/kernels.hpp"
#include "pipeline/field_of_view.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel::pipeline {
namespace {

using test::grid_of;

Grid turned(const Grid& grid, double degrees, const Vec3& shift) {
    const double c = std::cos(degrees * M_PI / 180), s = std::sin(degrees * M_PI / 180);
    Affine turn;
    turn.m = {{{c, -s, 0, shift[0]}, {s * c, c * c, -s, shift[1]}, {s * s, c * s, c, shift[2]}}};
    return {grid.extent, turn * grid.affine};
}

/// The definition, voxel by voxel.
bool inside(const Affine& to_other, const Extent& other, std::int64_t i, std::int64_t j, std::int64_t k) {
    const Vec3 q = to_other * Vec3{static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)};
    for (int d = 0; d < 3; ++d) {
        if (!math::inside_axis(q[d], other[d])) return false;
    }
    return true;
}

TEST(CommonField, AgreesWithTheDefinition) {
    const Grid a = grid_of({17, 13, 11}, {1, 1.5, 2});
    for (double degrees : {0.0, 7.0, 45.0, 90.0, 133.0, 180.0}) {
        for (const Vec3& shift : {Vec3{0, 0, 0}, Vec3{4.25, -3, 1}, Vec3{-8, 9, 10}}) {
            const Grid b = turned(grid_of({9, 12, 14}, {1.7, 1, 1.2}), degrees, shift);
            const CommonField field(a, b);
            const Affine to_b = out_to_in(b, a);
            std::int64_t expected = 0;
            for (std::int64_t k = 0; k < 11; ++k) {
                for (std::int64_t j = 0; j < 13; ++j) {
                    const Range row = field.row(j, k);
                    for (std::int64_t i = 0; i < 17; ++i) {
                        const bool in_row = i >= row.lo && i < row.hi;
                        EXPECT_EQ(in_row, inside(to_b, b.extent, i, j, k))
                            << degrees << ": " << i << ' ' << j << ' ' << k;
                        expected += in_row;
                    }
                }
            }
            EXPECT_EQ(field.count(), expected);
        }
    }
}

TEST(CommonField, KnowsWhenItIsEverything) {
    const Grid a = grid_of({8, 8, 8});
    EXPECT_TRUE(CommonField(a).whole());
    EXPECT_TRUE(CommonField(a, a).whole());
    EXPECT_TRUE(CommonField(a, with_spacing(a, {3, 3, 3})).whole());
    EXPECT_TRUE(CommonField(with_spacing(a, {0.3, 3, 1}), a).whole());
    EXPECT_FALSE(CommonField(with_spacing(a, {0.3, 3, 1}, GridPolicy::first), a).whole());
    EXPECT_EQ(CommonField(a, turned(a, 0, {100, 0, 0})).count(), 0);
    EXPECT_EQ(CommonField(a, turned(a, 0, {6, 0, 0})).count(), 2 * 8 * 8);
}

}  // namespace
}  // namespace revoxel::pipeline
