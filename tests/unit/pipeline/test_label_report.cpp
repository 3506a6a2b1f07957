#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "pipeline/label_report.hpp"
#include "revoxel/error.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel::pipeline {
namespace {

using test::grid_of;
using test::noise;
using test::row_of;
using test::volume_of;

using Place = std::array<std::int64_t, 3>;

/// The voxels of each label but the background.
template <typename T>
std::map<std::int64_t, std::set<Place>> places_of(const Volume& volume, std::int64_t frame = 0) {
    std::map<std::int64_t, std::set<Place>> places;
    const Extent n = volume.grid().extent;
    const T* at = static_cast<const T*>(volume.view(frame).data);
    for (std::int64_t k = 0; k < n[2]; ++k) {
        for (std::int64_t j = 0; j < n[1]; ++j) {
            for (std::int64_t i = 0; i < n[0]; ++i, ++at) {
                if (*at != T{0}) places[static_cast<std::int64_t>(*at)].insert({i, j, k});
            }
        }
    }
    return places;
}

std::int64_t components_by_flooding(std::set<Place> voxels) {
    std::int64_t components = 0;
    while (!voxels.empty()) {
        ++components;
        std::vector<Place> flood{*voxels.begin()};
        voxels.erase(voxels.begin());
        while (!flood.empty()) {
            const Place p = flood.back();
            flood.pop_back();
            for (int near = 0; near < 27; ++near) {
                const Place q{p[0] + near % 3 - 1, p[1] + near / 3 % 3 - 1, p[2] + near / 9 - 1};
                if (voxels.erase(q) > 0) flood.push_back(q);
            }
        }
    }
    return components;
}

/// Corners - edges + faces - cubes. A voxel's cells lie at twice its index plus 0 to 2; an odd coordinate is a
/// direction in which the cell extends.
std::int64_t euler_by_cells(const std::set<Place>& voxels) {
    std::set<Place> cells;
    for (const Place& p : voxels) {
        for (int c = 0; c < 27; ++c) cells.insert({2 * p[0] + c % 3, 2 * p[1] + c / 3 % 3, 2 * p[2] + c / 9});
    }
    std::int64_t euler = 0;
    for (const Place& cell : cells) euler += (cell[0] + cell[1] + cell[2]) % 2 == 0 ? 1 : -1;
    return euler;
}

LabelFacts only_label(const Volume& volume) {
    const LabelCensus census = measure_labels(volume);
    EXPECT_EQ(census.labels.size(), 1);
    return census.labels.empty() ? LabelFacts{} : census.labels[0];
}

template <typename F>
LabelFacts shape(const Extent& extent, F inside) {
    return only_label(volume_of<std::uint8_t>(grid_of(extent), DType::uint8,
                                              [&](auto i, auto j, auto k) { return inside(i, j, k) ? 3 : 0; }));
}

void expect_facts(const LabelFacts& facts, std::int64_t value, std::int64_t voxels, std::int64_t components,
                  std::int64_t euler) {
    EXPECT_EQ(facts.value, value);
    EXPECT_EQ(facts.voxels, voxels);
    EXPECT_EQ(facts.components, components);
    EXPECT_EQ(facts.euler, euler);
}

bool between(std::int64_t lo, std::int64_t x, std::int64_t hi) {
    return lo <= x && x <= hi;
}

TEST(LabelShapes, SolidHollowAndPierced) {
    expect_facts(shape({1, 1, 1}, [](auto, auto, auto) { return true; }), 3, 1, 1, 1);
    expect_facts(shape({7, 5, 4}, [](auto, auto, auto) { return true; }), 3, 140, 1, 1);
    const auto box = [](auto i, auto j, auto k) { return between(1, i, 6) && between(2, j, 7) && between(1, k, 5); };
    const auto core = [](auto i, auto j, auto k) { return between(3, i, 4) && between(4, j, 5) && between(3, k, 3); };
    expect_facts(shape({9, 10, 8}, box), 3, 180, 1, 1);
    expect_facts(shape({9, 10, 8}, [&](auto i, auto j, auto k) { return box(i, j, k) && !core(i, j, k); }), 3, 176, 1,
                 2);
    for (int axis = 0; axis < 3; ++axis) {
        const auto ring = [&](auto i, auto j, auto k) {
            const Place p{i, j, k};
            const auto a = p[static_cast<std::size_t>(axis + 1) % 3], b = p[static_cast<std::size_t>(axis + 2) % 3];
            return !(between(2, a, 3) && b == 2);
        };
        EXPECT_EQ(shape({6, 6, 6}, ring).euler, 0) << axis;
        EXPECT_EQ(shape({6, 6, 6}, ring).components, 1) << axis;
    }
    const auto two_holes = [](auto i, auto j, auto) { return !(j == 1 && (i == 1 || i == 3)); };
    expect_facts(shape({5, 3, 1}, two_holes), 3, 13, 1, -1);
}

TEST(LabelShapes, HollowBall) {
    const auto ball = [](auto i, auto j, auto k) {
        const auto r2 = (i - 10) * (i - 10) + (j - 10) * (j - 10) + (k - 10) * (k - 10);
        return between(16, r2, 81);
    };
    const LabelFacts facts = shape({21, 21, 21}, ball);
    EXPECT_EQ(facts.components, 1);
    EXPECT_EQ(facts.euler, 2);
}

TEST(LabelShapes, TouchingAtACornerAnEdgeOrNotAtAll) {
    const auto diagonal = [](auto i, auto j, auto k) { return i == j && j == k; };
    expect_facts(shape({2, 2, 2}, diagonal), 3, 2, 1, 1);
    expect_facts(shape({2, 2, 2}, [](auto i, auto j, auto k) { return 1 - i == j && j == 1 - k; }), 3, 2, 1, 1);
    expect_facts(shape({2, 2, 1}, [](auto i, auto j, auto) { return i == j; }), 3, 2, 1, 1);
    expect_facts(shape({9, 9, 9}, diagonal), 3, 9, 1, 1);
    const auto separate = [](auto i, auto j, auto k) { return i % 2 == 0 && j % 2 == 0 && k % 2 == 0; };
    expect_facts(shape({9, 7, 5}, separate), 3, 60, 60, 60);
}

TEST(LabelShapes, Checkerboard) {
    const Volume board = volume_of<std::int16_t>(grid_of({6, 6, 6}), DType::int16,
                                                 [](auto i, auto j, auto k) { return (i + j + k) % 2 == 0 ? -5 : 9; });
    const LabelCensus census = measure_labels(board);
    ASSERT_EQ(census.labels.size(), 2);
    for (const LabelFacts& facts : census.labels) {
        const std::set<Place> voxels = places_of<std::int16_t>(board)[facts.value];
        expect_facts(facts, facts.value, 108, 1, euler_by_cells(voxels));
    }
    EXPECT_EQ(census.labels[0].value, -5);
    EXPECT_EQ(census.labels[0].euler, census.labels[1].euler) << "each is the mirror image of the other";
}

TEST(LabelShapes, ABridgeBetweenTheFirstAndTheLastSliceIsFound) {
    // Two columns that meet only in slice `bridge`, wherever the slabs of the threads are cut.
    for (std::int64_t bridge : {0, 1, 11, 22}) {
        const auto arch = [&](auto i, auto j, auto k) { return j == 1 && (i == 0 || i == 4 || k == bridge); };
        for (int threads : {1, 2, 3, 7, 40}) {
            const Volume volume = volume_of<std::uint8_t>(grid_of({5, 3, 23}), DType::uint8, arch);
            const LabelCensus census = measure_labels(volume, threads);
            ASSERT_EQ(census.labels.size(), 1);
            expect_facts(census.labels[0], 1, 49, 1, 1);
        }
    }
}

/// Random labels, in cubes of side `grain` so that there is some shape to them.
template <typename T>
Volume random_labels(DType dtype, const Extent& extent, std::int64_t labels, double density, std::int64_t grain,
                     int seed) {
    return volume_of<T>(grid_of(extent), dtype, [&](std::int64_t i, std::int64_t j, std::int64_t k) {
        const double x = noise(i / grain + 1000 * seed, j / grain, k / grain);
        return x < density ? std::floor(x / density * static_cast<double>(labels)) + 1.0 : 0.0;
    });
}

template <typename T>
void expect_truth(const Volume& volume) {
    std::vector<LabelFacts> truth;
    for (const auto& [value, voxels] : places_of<T>(volume)) {
        truth.push_back({value, static_cast<std::int64_t>(voxels.size()), 0.0, components_by_flooding(voxels),
                         euler_by_cells(voxels)});
    }
    for (int threads : {1, 2, 7}) {
        const LabelCensus census = measure_labels(volume, threads);
        EXPECT_EQ(census.not_labels, 0);
        ASSERT_EQ(census.labels.size(), truth.size());
        for (std::size_t l = 0; l < truth.size(); ++l) {
            expect_facts(census.labels[l], truth[l].value, truth[l].voxels, truth[l].components, truth[l].euler);
        }
    }
}

TEST(MeasureLabels, AgreesWithFloodingAndCountingCells) {
    const std::array<Extent, 8> extents{
        {{9, 7, 23}, {12, 11, 10}, {17, 1, 9}, {1, 13, 8}, {19, 18, 1}, {1, 1, 30}, {40, 1, 1}, {3, 3, 3}}};
    int seed = 0;
    for (const Extent& extent : extents) {
        for (std::int64_t labels : {1, 2, 5, 40}) {
            for (double density : {0.1, 0.5, 1.0}) {
                SCOPED_TRACE(testing::Message() << "seed " << ++seed);
                expect_truth<std::uint8_t>(random_labels<std::uint8_t>(DType::uint8, extent, labels, density, 1, seed));
                expect_truth<std::int16_t>(random_labels<std::int16_t>(DType::int16, extent, labels, density, 2, seed));
                expect_truth<double>(random_labels<double>(DType::float64, extent, labels, density, 3, seed));
            }
        }
    }
}

TEST(MeasureLabels, AThousandLabelsBeyondTwoToThe31) {
    constexpr std::int64_t kStep = 3'000'000'007;
    const Volume volume = volume_of<std::int64_t>(grid_of({20, 10, 10}), DType::int64, [](auto i, auto j, auto k) {
        return (i / 2 + 10 * (j + 10 * k) - 500) * kStep;
    });
    const LabelCensus census = measure_labels(volume);
    ASSERT_EQ(census.labels.size(), 999);
    for (std::size_t l = 0; l < census.labels.size(); ++l) {
        const std::int64_t number = static_cast<std::int64_t>(l) - 500;
        expect_facts(census.labels[l], (number < 0 ? number : number + 1) * kStep, 2, 1, 1);
    }
}

TEST(MeasureLabels, EachTypeToItsLimits) {
    for (int code = 0; code < kDTypeCount; ++code) {
        const auto dtype = static_cast<DType>(code);
        dispatch(dtype, [&](auto zero) {
            using T = decltype(zero);
            if constexpr (std::is_integral_v<T>) {
                using Limits = std::numeric_limits<T>;
                const Volume volume = row_of<T>({Limits::max(), 0, 7, 7, Limits::lowest(), Limits::max()}, dtype);
                const LabelCensus census = measure_labels(volume);
                const bool beyond = std::is_same_v<T, std::uint64_t>;
                const bool negative = std::is_signed_v<T>;
                EXPECT_EQ(census.not_labels, beyond ? 2 : 0) << name_of(dtype);
                ASSERT_EQ(census.labels.size(), 1U + !beyond + negative) << name_of(dtype);
                if (negative) {
                    EXPECT_EQ(census.labels[0].value, static_cast<std::int64_t>(Limits::lowest()));
                }
                expect_facts(census.labels[negative ? 1 : 0], 7, 2, 1, 1);
                if (!beyond) {
                    expect_facts(census.labels.back(), static_cast<std::int64_t>(Limits::max()), 2, 2, 2);
                }
            }
        });
    }
    const Volume last = row_of<std::uint64_t>({(1ULL << 63) - 1, 1ULL << 63}, DType::uint64);
    EXPECT_EQ(measure_labels(last).not_labels, 1);
    EXPECT_EQ(only_label(last).value, INT64_MAX);
}

TEST(MeasureLabels, FloatsAreLabelsWhenTheyAreWhole) {
    const float nan = std::numeric_limits<float>::quiet_NaN(), infinite = std::numeric_limits<float>::infinity();
    const Volume volume = row_of<float>(
        {2, 2, nan, 2, -0.0F, 0, 2.5F, infinite, -infinite, 0x1p62F, 0x1p63F, -0x1p63F, nan, nan, 1e-30F, -3},
        DType::float32);
    const LabelCensus census = measure_labels(volume);
    EXPECT_EQ(census.not_labels, 8);
    ASSERT_EQ(census.labels.size(), 4);
    expect_facts(census.labels[0], INT64_MIN, 1, 1, 1);
    expect_facts(census.labels[1], -3, 1, 1, 1);
    expect_facts(census.labels[2], 2, 3, 2, 2);
    expect_facts(census.labels[3], std::int64_t{1} << 62, 1, 1, 1);
}

TEST(MeasureLabels, NothingButBackground) {
    const Volume volume = volume_of<std::int32_t>(grid_of({4, 5, 6}), DType::int32, [](auto, auto, auto) { return 0; });
    EXPECT_TRUE(measure_labels(volume).labels.empty());
    EXPECT_EQ(measure_labels(volume).not_labels, 0);
}

TEST(MeasureLabels, FramesAreSummedAndDoNotTouch) {
    Volume volume(grid_of({3, 2, 2}), DType::uint8, 3);
    auto* values = reinterpret_cast<std::uint8_t*>(volume.data());
    std::fill_n(values, 36, std::uint8_t{4});
    std::fill_n(values + 12, 6, std::uint8_t{0});
    values[13] = 6;
    const LabelCensus census = measure_labels(volume, 2);
    ASSERT_EQ(census.labels.size(), 2);
    expect_facts(census.labels[0], 4, 30, 3, 3);
    expect_facts(census.labels[1], 6, 1, 1, 1);
}

TEST(MeasureLabels, VolumeIsOfTheCellOfTheAffine) {
    Grid grid = grid_of({3, 1, 1}, {0.5, 2, 3});
    grid.affine(0, 1) = 7;   // a shear keeps the volume
    grid.affine(2, 2) = -3;  // a flip too
    const Volume volume = volume_of<std::uint8_t>(grid, DType::uint8, [](auto i, auto, auto) { return i > 0; });
    EXPECT_DOUBLE_EQ(only_label(volume).volume_mm3, 6.0);
}

TEST(MeasureLabels, RefusesVoxelsOfSeveralComponents) {
    EXPECT_THROW(measure_labels(Volume(grid_of({2, 2, 2}), DType::uint8, 1, 3)), Error);
}

LabelCensus census_of(const std::vector<std::int16_t>& values, double spacing_mm = 1.0) {
    const Grid grid = grid_of({static_cast<std::int64_t>(values.size()), 1, 1}, {spacing_mm, 1, 1});
    return measure_labels(volume_of<std::int16_t>(
        grid, DType::int16, [&](auto i, auto, auto) { return values[static_cast<std::size_t>(i)]; }));
}

TEST(LabelReports, PairLabelsByValue) {
    const LabelReport report = label_report(census_of({-2, 5, 5, 0, 5, 9, 9, 30}), census_of({5, 5, 9, 9, 1, 40}, 0.5));
    ASSERT_EQ(report.labels.size(), 4);
    EXPECT_EQ(report.labels[0].before.value, -2);
    EXPECT_EQ(report.labels[0].after.value, -2);
    EXPECT_TRUE(report.labels[0].vanished());
    EXPECT_DOUBLE_EQ(report.labels[0].volume_percent(), -100.0);
    EXPECT_EQ(report.labels[1].before.components, 2);
    EXPECT_EQ(report.labels[1].after.components, 1);
    EXPECT_DOUBLE_EQ(report.labels[1].before.volume_mm3, 3.0);
    EXPECT_DOUBLE_EQ(report.labels[1].after.volume_mm3, 1.0);
    EXPECT_NEAR(report.labels[1].volume_percent(), -100.0 * 2 / 3, 1e-12);
    EXPECT_DOUBLE_EQ(report.labels[2].volume_percent(), -50.0);
    EXPECT_FALSE(report.labels[2].vanished());
    EXPECT_TRUE(report.labels[3].vanished());
    EXPECT_EQ(report.vanished(), 2);
    ASSERT_EQ(report.invented.size(), 2);
    EXPECT_EQ(report.invented[0].value, 1);
    EXPECT_EQ(report.invented[1].value, 40);
}

TEST(LabelReports, NameTheFill) {
    const LabelCensus before = census_of({1, 0, 2}), after = census_of({1, 7, 2, 9, 9});
    const LabelReport report = label_report(before, after, 9);
    ASSERT_TRUE(report.fill);
    EXPECT_EQ(report.fill->value, 9);
    EXPECT_EQ(report.fill->voxels, 2);
    ASSERT_EQ(report.invented.size(), 1);
    EXPECT_EQ(report.invented[0].value, 7);
    EXPECT_FALSE(label_report(before, after, 2).fill) << "a label of the map before";
    EXPECT_FALSE(label_report(before, after, 30).fill) << "nowhere";
    EXPECT_EQ(label_report(before, after, 30).invented.size(), 2);
    EXPECT_FALSE(label_report(before, after).fill);
}

TEST(LabelReports, OfEmptyMaps) {
    const LabelCensus some = census_of({1, 0, 2}), none = census_of({0, 0});
    EXPECT_TRUE(label_report(none, none).labels.empty());
    EXPECT_EQ(label_report(some, none).vanished(), 2);
    EXPECT_EQ(label_report(none, some).invented.size(), 2);
    EXPECT_EQ(label_report(some, some).vanished(), 0);
    EXPECT_TRUE(label_report(some, some).invented.empty());
}

TEST(LabelReports, CountWhatIsNoLabel) {
    const Volume before = row_of<float>({0.5F, 1, NAN}, DType::float32), after = row_of<float>({1.5F}, DType::float32);
    const LabelReport report = label_report(measure_labels(before), measure_labels(after));
    EXPECT_EQ(report.not_labels_before, 2);
    EXPECT_EQ(report.not_labels_after, 1);
}

}  // namespace
}  // namespace revoxel::pipeline
