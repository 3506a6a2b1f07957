#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "pipeline/keep_labels.hpp"
#include "pipeline/label_value.hpp"
#include "revoxel/executor.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel::pipeline {
namespace {

using test::grid_of;
using test::noise;
using test::values_of;
using test::volume_of;

using Place = std::array<std::int64_t, 3>;
using Lesions = std::map<Place, std::int64_t>;  ///< the label of a voxel

template <typename T>
Volume map_with(const Grid& grid, DType dtype, const Lesions& lesions) {
    return volume_of<T>(grid, dtype, [&](std::int64_t i, std::int64_t j, std::int64_t k) {
        const auto found = lesions.find({i, j, k});
        return found == lesions.end() ? 0 : found->second;
    });
}

Plan label_plan(const Volume& input, const Grid& output, DType dtype, Kernel kernel = Kernel::linear) {
    PlanOptions options;
    options.kernel = kernel;
    options.labels = true;
    options.input_dtype = input.dtype();
    options.output_dtype = dtype;
    return make_plan(input.grid(), output, options);
}

struct Resampled {
    Plan plan;
    Volume before;  ///< what the plan made
    Volume output;  ///< the same with the labels that were kept
    KeptLabels labels;
};

Volume run(const Plan& plan, const Volume& input) {
    Volume output(plan.output, plan.options.output_dtype, input.frames());
    const auto executor = make_executor(plan, Backend::reference);
    for (std::int64_t f = 0; f < input.frames(); ++f) executor->run(input.view(f), output.view(f));
    return output;
}

Resampled resampled(const Plan& plan, const Volume& input, int threads = 2) {
    Resampled r{plan, run(plan, input), run(plan, input), {}};
    r.labels = keep_labels(r.plan, input, r.output, threads);
    return r;
}

/// How many voxels hold each label but 0.
std::map<std::int64_t, std::int64_t> counts_of(const Volume& volume, std::int64_t frame = 0) {
    std::map<std::int64_t, std::int64_t> counts;
    dispatch(volume.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const T* at = static_cast<const T*>(volume.view(frame).data);
        for (std::int64_t v = 0; v < voxel_count(volume.grid()); ++v) {
            if (at[v] != T{0}) ++counts[static_cast<std::int64_t>(at[v])];
        }
    });
    return counts;
}

template <typename T>
T at(const Volume& volume, const Extent& o, std::int64_t frame = 0) {
    const ConstVolumeView view = volume.view(frame);
    return static_cast<const T*>(view.data)[(o[2] * view.extent[1] + o[1]) * view.extent[0] + o[0]];
}

/// The share of a voxel of the input in output o on one axis of an axis-aligned pair of grids, by the formula: a
/// triangle of half width k around c, the outermost voxels continued.
double share_on_axis(std::int64_t n, double c, double k, std::int64_t voxel) {
    double sum = 0, share = 0;
    for (auto j = static_cast<std::int64_t>(std::floor(c - k)); j <= static_cast<std::int64_t>(std::ceil(c + k)); ++j) {
        const double w = std::max(0.0, 1 - std::fabs(static_cast<double>(j) - c) / k);
        sum += w;
        if (std::clamp<std::int64_t>(j, 0, n - 1) == voxel) share += w;
    }
    return share / sum;
}

double share_of(const Plan& plan, const Lesions& lesions, std::int64_t label, const Extent& o) {
    double share = 0;
    for (const auto& [place, value] : lesions) {
        if (value != label) continue;
        double product = 1;
        for (int d = 0; d < 3; ++d) {
            const auto n = static_cast<std::size_t>(d);
            const Affine &in = plan.input.affine, &out = plan.output.affine;
            const double k = out(d, d) / in(d, d);
            const double c = (out(d, 3) - in(d, 3)) / in(d, d) + k * static_cast<double>(o[n]);
            product *= share_on_axis(plan.input.extent[n], c, std::max(1.0, k), place[n]);
        }
        share += product;
    }
    return share;
}

/// All output voxels, best share first, then in memory order. Shares of up to 2^-18 apart are equal: weights of votes
/// are multiples of 2^-20.
std::vector<Extent> best_first(const Plan& plan, const Lesions& lesions, std::int64_t label) {
    std::vector<Extent> voxels;
    const Extent& n = plan.output.extent;
    for (std::int64_t k = 0; k < n[2]; ++k)
        for (std::int64_t j = 0; j < n[1]; ++j)
            for (std::int64_t i = 0; i < n[0]; ++i) voxels.push_back({i, j, k});
    std::map<Extent, double> share;
    for (const Extent& o : voxels) share[o] = std::round(share_of(plan, lesions, label, o) * 0x1p16);
    std::stable_sort(voxels.begin(), voxels.end(),
                     [&](const Extent& a, const Extent& b) { return share[a] > share[b]; });
    return voxels;
}

// Off the middle between output voxels, so that there is one best voxel.
const Lesions kLesions{{{3, 4, 5}, 2},    {{20, 21, 22}, 9}, {{21, 21, 22}, 9}, {{20, 22, 22}, 9},
                       {{31, 31, 31}, 5}, {{0, 17, 30}, 4},  {{14, 1, 8}, 7},   {{14, 2, 8}, 7}};

TEST(KeepLabels, SmallLesionsThatVanishComeBackWhereTheirShareIsLargest) {
    const Volume input = map_with<std::int16_t>(grid_of({32, 32, 32}), DType::int16, kLesions);
    for (const Vec3& spacing : {Vec3{4, 4, 4}, Vec3{3.7, 5.2, 2.9}}) {
        const Grid coarse = with_spacing(input.grid(), spacing);
        const Resampled r = resampled(label_plan(input, coarse, DType::int16), input);
        EXPECT_TRUE(counts_of(r.before).empty()) << "nothing vanished: the test has no point";
        EXPECT_EQ(counts_of(r.output), (std::map<std::int64_t, std::int64_t>{{2, 1}, {4, 1}, {5, 1}, {7, 1}, {9, 1}}));
        EXPECT_TRUE(r.labels.lost.empty());
        std::vector<std::int64_t> order;
        for (const KeptLabel& kept : r.labels.kept) {
            order.push_back(kept.value);
            EXPECT_EQ(at<std::int16_t>(r.output, kept.index), kept.value);
            EXPECT_EQ(kept.index, best_first(r.plan, kLesions, kept.value)[0]) << kept.value;
            EXPECT_NEAR(kept.fraction, share_of(r.plan, kLesions, kept.value, kept.index), 1e-5) << kept.value;
        }
        EXPECT_EQ(order, (std::vector<std::int64_t>{2, 4, 5, 7, 9}));
    }
}

TEST(KeepLabels, NothingIsTouchedWhereNothingVanishes) {
    const Volume input = volume_of<std::uint8_t>(grid_of({20, 20, 20}), DType::uint8, [](auto i, auto j, auto k) {
        return std::floor(noise(i / 5, j / 5, k / 5) * 4);
    });
    const Resampled r = resampled(label_plan(input, with_spacing(input.grid(), {2, 2, 2}), DType::uint8), input);
    EXPECT_EQ(counts_of(r.before).size(), 3U);
    EXPECT_TRUE(r.labels.kept.empty());
    EXPECT_TRUE(r.labels.lost.empty());
    EXPECT_EQ(values_of<std::uint8_t>(r.output), values_of<std::uint8_t>(r.before));
}

TEST(KeepLabels, TwoLabelsForOneVoxelTheSmallerLabelFirst) {
    // Both have their best voxel in common; 6 has more of it than 3.
    const Lesions lesions{{{9, 9, 9}, 3}, {{10, 10, 10}, 6}, {{10, 10, 9}, 6}};
    const Volume input = map_with<std::uint8_t>(grid_of({24, 24, 24}), DType::uint8, lesions);
    const Resampled r = resampled(label_plan(input, with_spacing(input.grid(), {4, 4, 4}), DType::uint8), input);
    const Extent shared = best_first(r.plan, lesions, 3)[0];
    ASSERT_EQ(shared, best_first(r.plan, lesions, 6)[0]);
    ASSERT_EQ(r.labels.kept.size(), 2U);
    EXPECT_EQ(r.labels.kept[0].value, 3);
    EXPECT_EQ(r.labels.kept[0].index, shared);
    EXPECT_EQ(r.labels.kept[1].value, 6);
    EXPECT_EQ(r.labels.kept[1].index, best_first(r.plan, lesions, 6)[1]);
    EXPECT_EQ(counts_of(r.output), (std::map<std::int64_t, std::int64_t>{{3, 1}, {6, 1}}));
}

TEST(KeepLabels, TheLastVoxelOfAnotherLabelIsNotTaken) {
    // Label 9 has the majority of one output voxel, where 2 has its largest share.
    Lesions lesions;
    for (std::int64_t v = 0; v < 216; ++v) lesions[{7 + v % 6, 7 + v / 6 % 6, 7 + v / 36}] = 9;
    lesions[{10, 10, 10}] = 2;
    const Grid fine = grid_of({24, 24, 24});
    const Volume input = map_with<std::uint8_t>(fine, DType::uint8, lesions);
    const Resampled r = resampled(label_plan(input, with_spacing(fine, {4, 4, 4}), DType::uint8), input);
    ASSERT_EQ(counts_of(r.before), (std::map<std::int64_t, std::int64_t>{{9, 1}}));
    ASSERT_EQ(r.labels.kept.size(), 1U);
    const std::vector<Extent> best = best_first(r.plan, lesions, 2);
    EXPECT_EQ(at<std::uint8_t>(r.before, best[0]), 9);
    EXPECT_EQ(r.labels.kept[0].index, best[1]);
    EXPECT_EQ(counts_of(r.output), (std::map<std::int64_t, std::int64_t>{{2, 1}, {9, 1}}));
}

TEST(KeepLabels, LabelsThatCanHaveNoVoxelStayLost) {
    // One output voxel, three labels in the one before it: the smallest has it.
    const Lesions lesions{{{1, 1, 1}, 300}, {{2, 2, 2}, 5}, {{2, 1, 2}, 8}};
    const Volume input = map_with<std::int16_t>(grid_of({4, 4, 4}), DType::int16, lesions);
    const Resampled one = resampled(label_plan(input, with_spacing(input.grid(), {4, 4, 4}), DType::int16), input);
    ASSERT_EQ(one.labels.kept.size(), 1U);
    EXPECT_EQ(one.labels.kept[0].value, 5);
    ASSERT_EQ(one.labels.lost.size(), 2U);
    EXPECT_EQ(one.labels.lost[0].value, 8);
    EXPECT_EQ(one.labels.lost[1].value, 300);
    // The output's type has no 300.
    const Resampled bytes = resampled(label_plan(input, with_spacing(input.grid(), {2, 2, 2}), DType::uint8), input);
    EXPECT_EQ(counts_of(bytes.output), (std::map<std::int64_t, std::int64_t>{{5, 1}, {8, 1}}));
    ASSERT_EQ(bytes.labels.lost.size(), 1U);
    EXPECT_EQ(bytes.labels.lost[0].value, 300);
    // The output grid is elsewhere.
    Grid away = with_spacing(input.grid(), {2, 2, 2});
    away.affine(0, 3) += 30;
    const Resampled none = resampled(label_plan(input, away, DType::int16), input);
    EXPECT_TRUE(none.labels.kept.empty());
    EXPECT_EQ(none.labels.lost.size(), 3U);
    EXPECT_TRUE(counts_of(none.output).empty());
}

TEST(KeepLabels, EqualSharesGoToTheFirstVoxelInMemory) {
    // In the middle between eight output voxels; the search of a larger grid is cut there.
    for (const auto& [middle, coarse] : {std::pair<std::int64_t, std::int64_t>{8, 4}, {32, 32}}) {
        const Lesions lesions{{{middle, middle, middle}, 1}};
        const std::int64_t n = 2 * middle + 1, first = coarse / 2 - 1;
        const Volume input = map_with<std::uint8_t>(grid_of({n, n, n}), DType::uint8, lesions);
        const Grid grid = with_extent(input.grid(), {coarse, coarse, coarse});
        for (int threads : {1, 2, 3, 8}) {
            const Resampled r = resampled(label_plan(input, grid, DType::uint8), input, threads);
            ASSERT_EQ(r.labels.kept.size(), 1U);
            EXPECT_EQ(r.labels.kept[0].index, (Extent{first, first, first}));
        }
    }
}

/// A map of a few large labels and many of one to three voxels, of values up to `step` times some number.
Volume crowded(const Extent& extent, std::int64_t step, std::int64_t frames = 1) {
    Volume map(grid_of(extent), DType::int64, frames);
    auto* at = reinterpret_cast<std::int64_t*>(map.data());
    for (std::int64_t v = 0; v < voxel_count(map.grid()) * frames; ++v) {
        const std::int64_t i = v % extent[0], j = v / extent[0] % extent[1], k = v / extent[0] / extent[1];
        const double x = noise(i, j, k);
        at[v] = step * static_cast<std::int64_t>(noise(i / 9, j / 9, k / 9) * 3);
        if (x < 0.01) at[v] = step * (10 + static_cast<std::int64_t>(x * 100 * 600));
    }
    return map;
}

Grid tilted(const Grid& grid, double spacing) {
    Grid out;
    const double c = std::cos(0.4), s = std::sin(0.4);
    const double rotation[3][3] = {{c, -s, 0}, {s * c, c * c, -s}, {s * s, s * c, c}};
    for (int r = 0; r < 3; ++r) {
        const auto n = static_cast<std::size_t>(r);
        out.extent[n] = static_cast<std::int64_t>(1.2 * static_cast<double>(grid.extent[n]) / spacing);
    }
    for (int r = 0; r < 3; ++r) {
        double middle = 0, turned = 0;
        for (int d = 0; d < 3; ++d) {
            const auto n = static_cast<std::size_t>(d);
            out.affine(r, d) = rotation[r][d] * spacing;
            middle += grid.affine(r, d) * 0.5 * static_cast<double>(grid.extent[n] - 1);
            turned += out.affine(r, d) * 0.5 * static_cast<double>(out.extent[n] - 1);
        }
        out.affine(r, 3) = grid.affine(r, 3) + middle - turned;
    }
    return out;
}

/// Whether an output voxel whose centre lies inside the input is less than a step away from a voxel of the label.
bool is_in_reach(const Plan& plan, const Volume& input, const LostLabel& label) {
    const Affine m = out_to_in(plan.input, plan.output);
    std::vector<Place> voxels;
    const Extent &n = plan.input.extent, &out = plan.output.extent;
    for (std::int64_t v = 0; v < voxel_count(plan.input); ++v) {
        const Place p{v % n[0], v / n[0] % n[1], v / n[0] / n[1]};
        if (at<std::int64_t>(input, p, label.frame) == label.value) voxels.push_back(p);
    }
    for (std::int64_t v = 0; v < voxel_count(plan.output); ++v) {
        const Vec3 c = m * Vec3{static_cast<double>(v % out[0]), static_cast<double>(v / out[0] % out[1]),
                                static_cast<double>(v / out[0] / out[1])};
        for (const Place& p : voxels) {
            bool reached = true;
            for (int d = 0; d < 3; ++d) {
                const auto r = static_cast<std::size_t>(d);
                const double step = std::hypot(m(d, 0), m(d, 1), m(d, 2));
                const bool inside = c[r] > -0.5 && c[r] < static_cast<double>(n[r]) - 0.5;
                reached = reached && inside && std::fabs(c[r] - static_cast<double>(p[r])) < 0.999 * step;
            }
            if (reached) return true;
        }
    }
    return false;
}

TEST(KeepLabels, EveryLabelInReachIsThereAfterwardsAndNoOtherIsLost) {
    const Volume input = crowded({52, 48, 44}, 3'000'000'007, 2);
    for (Kernel kernel : {Kernel::linear, Kernel::nearest}) {
        for (const Grid& coarse : {with_spacing(input.grid(), {2.2, 3.1, 2.4}), tilted(input.grid(), 2.5)}) {
            const Plan plan = label_plan(input, coarse, DType::int64, kernel);
            const Resampled r = resampled(plan, input, 1);
            for (std::int64_t frame = 0; frame < 2; ++frame) {
                const auto in = counts_of(input, frame), before = counts_of(r.before, frame);
                const auto after = counts_of(r.output, frame);
                EXPECT_GT(in.size(), before.size() + 5);
                std::int64_t changed = 0;
                for (const auto& [label, count] : after) EXPECT_EQ(in.count(label), 1U) << "invented";
                const Extent n = coarse.extent;
                for (std::int64_t k = 0; k < n[2]; ++k)
                    for (std::int64_t j = 0; j < n[1]; ++j)
                        for (std::int64_t i = 0; i < n[0]; ++i)
                            changed += at<std::int64_t>(r.before, {i, j, k}, frame) !=
                                       at<std::int64_t>(r.output, {i, j, k}, frame);
                const auto lost = std::count_if(r.labels.lost.begin(), r.labels.lost.end(),
                                                [&](const LostLabel& label) { return label.frame == frame; });
                EXPECT_EQ(changed, static_cast<std::int64_t>(in.size() - before.size()) - lost);
                EXPECT_EQ(after.size(), in.size() - static_cast<std::size_t>(lost));
            }
            EXPECT_TRUE(!plan.separable || r.labels.lost.empty());
            for (const LostLabel& lost : r.labels.lost) EXPECT_FALSE(is_in_reach(plan, input, lost)) << lost.value;
            for (std::size_t l = 1; l < r.labels.kept.size(); ++l) {
                const KeptLabel &a = r.labels.kept[l - 1], &b = r.labels.kept[l];
                EXPECT_LT(std::make_pair(a.frame, a.value), std::make_pair(b.frame, b.value));
            }
            for (int threads : {2, 7}) {
                EXPECT_EQ(values_of<std::int64_t>(resampled(plan, input, threads).output),
                          values_of<std::int64_t>(r.output));
            }
        }
    }
}

// The votes are those by which the plan chooses: where a label that is kept was one of two neighbours' losers, its
// fraction is below a half, and a voxel where a label has more than a half is never another's.
TEST(KeepLabels, AKeptLabelHadNoMajorityAnywhere) {
    const Volume input = crowded({30, 30, 30}, 1);
    for (const Grid& coarse : {with_spacing(input.grid(), {3, 3, 3}), tilted(input.grid(), 3)}) {
        const Resampled r = resampled(label_plan(input, coarse, DType::int64), input);
        EXPECT_GT(r.labels.kept.size(), 5U);
        for (const KeptLabel& kept : r.labels.kept) {
            EXPECT_GT(kept.fraction, 0.0);
            EXPECT_LE(kept.fraction, 0.5);
        }
    }
}

TEST(KeepLabels, AcrossPeriodicAndMirroredBoundaries) {
    const Lesions lesions{{{0, 10, 10}, 3}, {{22, 3, 22}, 4}};
    const Volume input = map_with<std::uint8_t>(grid_of({23, 23, 23}), DType::uint8, lesions);
    for (Boundary boundary :
         {Boundary::edge, Boundary::mirror, Boundary::reflect, Boundary::wrap, Boundary::renormalise}) {
        for (const Grid& coarse : {with_spacing(input.grid(), {5, 5, 5}), tilted(input.grid(), 5)}) {
            PlanOptions options = label_plan(input, coarse, DType::uint8).options;
            options.boundary = boundary;
            const Resampled r = resampled(make_plan(input.grid(), coarse, options), input);
            EXPECT_EQ(r.labels.kept.size(), 2U) << name_of(boundary);
            EXPECT_EQ(counts_of(r.output), (std::map<std::int64_t, std::int64_t>{{3, 1}, {4, 1}}));
        }
    }
}

TEST(KeepLabels, FloatsThatAreNoLabelsAreLeftAlone) {
    const Volume input = volume_of<float>(grid_of({16, 16, 16}), DType::float32, [](auto i, auto j, auto k) {
        if (i == 5 && j == 5 && k == 5) return 2.5;
        if (i == 9 && j == 9 && k == 9) return std::nan("");
        return i == 13 && j == 2 && k == 7 ? 4.0 : 0.0;
    });
    const Resampled r = resampled(label_plan(input, with_spacing(input.grid(), {4, 4, 4}), DType::float32), input);
    ASSERT_EQ(r.labels.kept.size(), 1U);
    EXPECT_EQ(r.labels.kept[0].value, 4);
    EXPECT_TRUE(r.labels.lost.empty());
}

}  // namespace
}  // namespace revoxel::pipeline
