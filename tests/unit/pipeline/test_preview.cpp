#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "pipeline/preview.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel::pipeline {
namespace {

using test::grid_of;
using test::volume_of;

/// The grid whose index axes are the world axes `order`, reversed where `flips` has a bit, over the same cube of n mm.
Grid oriented(const std::array<int, 3>& order, int flips, std::int64_t n) {
    Grid grid;
    grid.extent = {n, n, n};
    for (int d = 0; d < 3; ++d) {
        for (int r = 0; r < 3; ++r) grid.affine(r, d) = 0.0;
        const bool flipped = flips >> d & 1;
        grid.affine(order[d], d) = flipped ? -1.0 : 1.0;
        grid.affine(order[d], 3) = flipped ? static_cast<double>(n - 1) : 0.0;
    }
    return grid;
}

template <typename F>
void for_each_orientation(F f) {
    std::array<int, 3> order{0, 1, 2};
    do {
        for (int flips = 0; flips < 8; ++flips) f(order, flips);
    } while (std::next_permutation(order.begin(), order.end()));
}

/// The same world content on a grid of any orientation: brighter towards the right, in front and above.
Volume content_on(const Grid& grid) {
    return volume_of<std::int16_t>(grid, DType::int16, [&](auto i, auto j, auto k) {
        const Vec3 w = grid.affine * Vec3{static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)};
        return 4 * w[0] + 20 * w[1] + 100 * w[2];
    });
}

TEST(ViewFrame, IsTheWorldsAxesForEachOrientation) {
    for_each_orientation([](const std::array<int, 3>& order, int flips) {
        const ViewFrame frame = view_frame(oriented(order, flips, 5));
        for (int a = 0; a < 3; ++a) {
            for (int r = 0; r < 3; ++r) EXPECT_NEAR(frame.axis[a][r], a == r ? 1.0 : 0.0, 1e-12);
        }
    });
}

TEST(ViewFrame, FollowsObliqueGridsAndStandsUprightOnShearedOnes) {
    const double c = std::cos(0.3), s = std::sin(0.3);
    Grid oblique;
    oblique.affine.m = {{{-2 * c, 0, 3 * s, 0}, {0, 2, 0, 0}, {2 * s, 0, 3 * c, 0}}};
    const ViewFrame frame = view_frame(oblique);
    EXPECT_NEAR(frame.axis[0][0], c, 1e-12);
    EXPECT_NEAR(frame.axis[0][2], -s, 1e-12);
    EXPECT_NEAR(frame.axis[2][0], s, 1e-12);
    Grid sheared;
    sheared.affine.m = {{{1, 0, 0, 0}, {0, 1, 0.9, 0}, {0, 0, 3, 0}}};
    EXPECT_NEAR(view_frame(sheared).axis[2][1], 0.0, 1e-12);
    EXPECT_NEAR(view_frame(sheared).axis[2][2], 1.0, 1e-12);
}

TEST(Preview, LooksTheSameForEachOrientation) {
    const Volume upright = content_on(oriented({0, 1, 2}, 0, 9));
    PreviewOptions options;
    options.title = "orientation";
    options.covered_hi = {9, 9, 9};
    const Canvas expected = draw_preview({&upright}, {&upright}, options);
    for_each_orientation([&](const std::array<int, 3>& order, int flips) {
        const Volume volume = content_on(oriented(order, flips, 9));
        EXPECT_EQ(draw_preview({&volume}, {&upright}, options).pixels(), expected.pixels()) << flips;
        if (flips != 5) return;
        EXPECT_EQ(draw_preview({&upright}, {&volume}, options).pixels(), expected.pixels());
    });
}

std::uint8_t grey_at(const Canvas& canvas, int x, int y) {
    return canvas.pixels()[static_cast<std::size_t>(3 * (y * canvas.width() + x))];
}

TEST(Preview, IsRadiological) {
    // Bright on the patient's right only: on the left of the axial panel, which is the leftmost.
    const Volume volume =
        volume_of<std::uint8_t>(grid_of({9, 9, 9}), DType::uint8, [](auto i, auto, auto) { return i > 4; });
    PreviewOptions options;
    options.covered_hi = {9, 9, 9};
    const Canvas canvas = draw_preview({&volume}, {&volume}, options);
    const int y = canvas.height() * 3 / 10;
    EXPECT_GT(grey_at(canvas, 24 + 60, y), 200);
    EXPECT_LT(grey_at(canvas, canvas.width() / 3 - 60, y), 50);
}

/// The colours of the panels of one row of the picture: 0 before, 1 after.
std::set<std::array<std::uint8_t, 3>> colours_of(const Canvas& canvas, int row) {
    std::set<std::array<std::uint8_t, 3>> colours;
    const int half = canvas.height() / 2;
    for (int y = row * half; y < (row + 1) * half; ++y) {
        for (int x = 0; x < canvas.width(); ++x) {
            const std::uint8_t* p = canvas.pixels().data() + 3 * (y * canvas.width() + x);
            colours.insert({p[0], p[1], p[2]});
        }
    }
    return colours;
}

bool holds(const std::set<std::array<std::uint8_t, 3>>& colours, int grey) {
    const auto value = static_cast<std::uint8_t>(grey);
    return colours.count({value, value, value}) > 0;
}

TEST(Preview, ShowsEachKindOfValueInItsOwnWay) {
    const Grid grid = grid_of({40, 40, 40});
    const Volume ct = volume_of<std::int16_t>(grid, DType::int16, [](auto i, auto, auto) { return 10 * i; });
    const Volume share =
        volume_of<float>(grid, DType::float32, [](auto, auto j, auto) { return 0.025 * static_cast<double>(j); });
    const Volume mask = volume_of<std::uint8_t>(grid, DType::uint8, [](auto i, auto, auto) { return i > 20; });
    PreviewOptions options;
    options.covered_hi = grid.extent;
    options.labels_after = true;
    const Canvas masked = draw_preview({&ct}, {&mask}, options);
    // The page itself is grey; more greys than its own are values.
    EXPECT_GT(colours_of(masked, 0).size(), 30) << "a scan is grey";
    EXPECT_TRUE(holds(colours_of(masked, 1), 0)) << "label 0 is black";
    EXPECT_LT(colours_of(masked, 1).size(), 15) << "a mask has two colours, whatever the window of the scan";

    options.labels_before = true;
    options.labels_after = false;
    options.window_after = Window{0.0, 1.0};
    const Canvas shared = draw_preview({&mask}, {&share}, options);
    EXPECT_LT(colours_of(shared, 0).size(), 15);
    for (int grey : {0, 128, 249}) EXPECT_TRUE(holds(colours_of(shared, 1), grey)) << grey;
}

TEST(Preview, StaysWithinItsSize) {
    for (const Extent& extent :
         {Extent{3, 3, 3}, Extent{512, 512, 1}, Extent{2000, 3, 3}, Extent{1, 1, 900}, Extent{40, 60, 50}}) {
        const Volume volume =
            volume_of<std::uint8_t>(grid_of(extent), DType::uint8, [](auto i, auto, auto) { return i; });
        PreviewOptions options;
        options.title = std::string(500, 'x');
        options.covered_hi = extent;
        const Canvas canvas = draw_preview({&volume}, {&volume}, options);
        EXPECT_GE(canvas.width(), 800);
        EXPECT_LE(canvas.width(), 1650);
        EXPECT_LE(canvas.height(), 1300);
    }
}

TEST(ViewCentre, IsTheSameWorldPositionForBoth) {
    const Grid input = grid_of({10, 11, 12}, {1, 1, 5});
    const Grid output = with_spacing(input, {1, 1, 1});
    const Vec3 centre = view_centre(input, output, {0, 0, 0}, output.extent);
    const Vec3 index = inverse(input.affine) * centre;
    for (int d = 0; d < 3; ++d) EXPECT_NEAR(index[d], std::round(index[d]), 1e-9) << "the middle of an input voxel";
    EXPECT_NEAR(index[1], 5, 1e-9);
    Grid far = input;  // shares only a corner
    far.affine(0, 3) = 8;
    EXPECT_NEAR(view_centre(input, far, {0, 0, 0}, {2, 11, 12})[0], 9, 1.0);
}

TEST(ChooseWindow, IsSoftTissueForCtAndPercentilesElse) {
    const Grid grid = grid_of({20, 20, 20});
    const Volume ct = volume_of<std::int16_t>(grid, DType::int16, [](auto i, auto, auto) { return -1000 + 100 * i; });
    EXPECT_TRUE(choose_window({&ct}).soft_tissue);
    EXPECT_EQ(choose_window({&ct}).lo, -160);
    Volume mr = volume_of<std::int16_t>(grid, DType::int16, [](auto i, auto, auto) { return 10 * i; });
    reinterpret_cast<std::int16_t*>(mr.data())[7] = 32000;
    EXPECT_LT(choose_window({&mr}).hi, 1000) << "one bright voxel does not darken the picture";
    for (float value : {0.0F, 5.0F, NAN}) {
        const Volume flat = volume_of<float>(grid, DType::float32, [&](auto, auto, auto) { return value; });
        EXPECT_GT(choose_window({&flat}).hi, choose_window({&flat}).lo);
    }
}

TEST(LabelCentre, IsWhereTheLabelsAre) {
    const Grid grid = grid_of({20, 20, 20}, {1, 1, 2});
    const Volume volume = volume_of<std::uint8_t>(
        grid, DType::uint8, [](auto i, auto j, auto k) { return i == 3 && j >= 4 && j <= 6 && k == 9 ? 2 : 0; });
    EXPECT_EQ(label_centre(volume), (Vec3{3, 5, 18}));
    const Volume empty = volume_of<std::uint8_t>(grid, DType::uint8, [](auto, auto, auto) { return 0; });
    EXPECT_FALSE(label_centre(empty).has_value());
}

}  // namespace
}  // namespace revoxel::pipeline
