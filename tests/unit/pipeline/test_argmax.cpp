#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "pipeline/argmax.hpp"
#include "revoxel/error.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel::pipeline {
namespace {

using test::grid_of;
using test::noise;
using test::values_of;
using test::volume_of;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

/// Scores in a few steps, so that channels often are equal; the first channel is the background.
template <typename T>
Volume scores_of(const Grid& grid, DType dtype, std::int64_t channels) {
    Volume scores(grid, dtype, channels);
    T* at = reinterpret_cast<T*>(scores.data());
    const Extent n = grid.extent;
    for (std::int64_t c = 0; c < channels; ++c) {
        for (std::int64_t v = 0; v < voxel_count(grid); ++v, ++at) {
            const std::int64_t i = v % n[0], j = v / n[0] % n[1], k = v / n[0] / n[1];
            *at = static_cast<T>(std::floor(noise((i + 40 * c) / 2, j / 2, k / 2) * 8) - 4);
        }
    }
    return scores;
}

Grid turned(const Grid& grid, const Extent& extent, double spacing, double degrees) {
    Grid out;
    out.extent = extent;
    const double c = std::cos(degrees * M_PI / 180), s = std::sin(degrees * M_PI / 180);
    const double rotation[3][3] = {{c, -s, 0.2 * s}, {s, c, 0.1 * s}, {-0.2 * s, 0.1 * s, 1}};
    for (int r = 0; r < 3; ++r) {
        double middle = 0, turned_middle = 0;
        for (int d = 0; d < 3; ++d) {
            out.affine(r, d) = rotation[r][d] * spacing;
            middle += grid.affine(r, d) * 0.5 * static_cast<double>(grid.extent[d] - 1);
            turned_middle += out.affine(r, d) * 0.5 * static_cast<double>(extent[d] - 1);
        }
        out.affine(r, 3) = grid.affine(r, 3) + middle - turned_middle;
    }
    return out;
}

/// The definition: each channel whole, then the first maximum.
template <typename C>
std::vector<std::int64_t> by_whole_channels(Plan plan, Backend backend, const Volume& scores,
                                            const std::vector<std::int64_t>& table, std::int64_t fill) {
    plan.options.fill = kNan;
    plan.options.output_dtype = sizeof(C) == 4 ? DType::float32 : DType::float64;
    std::vector<std::vector<C>> channels;
    for (std::int64_t c = 0; c < scores.frames(); ++c) {
        Volume channel(plan.output, plan.options.output_dtype);
        make_executor(plan, backend)->run(scores.view(c), channel.view());
        channels.push_back(values_of<C>(channel));
    }
    std::vector<std::int64_t> labels;
    for (std::size_t v = 0; v < channels[0].size(); ++v) {
        std::optional<std::size_t> best;
        for (std::size_t c = 0; c < channels.size(); ++c) {
            if (std::isnan(channels[c][v])) continue;
            if (!best || channels[c][v] > channels[*best][v]) best = c;
        }
        labels.push_back(best ? table[*best] : fill);
    }
    return labels;
}

std::vector<std::int64_t> labels_of(const Volume& volume) {
    std::vector<std::int64_t> labels;
    dispatch(volume.dtype(), [&](auto zero) {
        for (auto v : values_of<decltype(zero)>(volume)) labels.push_back(static_cast<std::int64_t>(v));
    });
    return labels;
}

struct Case {
    const char* name;
    Grid input, output;
    Kernel kernel = Kernel::linear;
};

std::vector<Case> cases() {
    const Grid input = grid_of({15, 13, 11}, {1, 1.2, 2});
    std::vector<Case> all{
        {"up", input, with_spacing(input, {0.6, 0.7, 0.9})},
        {"down", input, with_spacing(input, {2.3, 1.9, 3.1})},
        {"mixed", input, with_spacing(input, {0.5, 2.7, 2})},
        {"the same grid", input, input},
        {"cubic", input, with_spacing(input, {0.9, 1.9, 1.1}), Kernel::cubic},
        {"bspline3", input, with_spacing(input, {0.6, 1.9, 1.1}), Kernel::bspline3},
        {"nearest", input, with_spacing(input, {0.6, 1.9, 1.1}), Kernel::nearest},
        {"one voxel", input, with_spacing(input, {20, 20, 30})},
        {"oblique up", input, turned(input, {21, 17, 19}, 0.9, 20)},
        {"oblique down", input, turned(input, {9, 7, 8}, 2.6, 35)},
        {"oblique bspline3", input, turned(input, {17, 12, 13}, 1.1, -25), Kernel::bspline3},
        {"oblique nearest", input, turned(input, {17, 12, 13}, 1.1, -25), Kernel::nearest},
    };
    Grid permuted = with_spacing(input, {0.8, 1.5, 1.7});
    std::swap(permuted.extent[0], permuted.extent[2]);
    for (auto& row : permuted.affine.m) std::swap(row[0], row[2]);
    permuted.affine(0, 3) -= 3;  // some of it lies outside
    all.push_back({"permuted and moved", input, permuted});
    return all;
}

template <typename T>
void expect_definition(const Case& c, DType dtype) {
    constexpr std::int64_t kFill = 99;
    const std::vector<std::int64_t> table{7, 0, 200, 7, 31};
    const Volume scores = scores_of<T>(c.input, dtype, 5);
    PlanOptions options;
    options.kernel = c.kernel;
    options.input_dtype = options.output_dtype = dtype;
    options.fill = kFill;
    const Plan plan = make_plan(c.input, c.output, options);
    for (Backend backend : {Backend::reference, Backend::cpu}) {
        const std::vector<std::int64_t> expected = plan.compute == ComputeType::f32
                                                       ? by_whole_channels<float>(plan, backend, scores, table, kFill)
                                                       : by_whole_channels<double>(plan, backend, scores, table, kFill);
        for (std::int64_t scratch : {std::int64_t{3000}, std::int64_t{20000}, kArgmaxScratchBytes}) {
            for (int threads : {1, 3}) {
                ExecutorOptions run;
                run.threads = threads;
                Volume labels(c.output, DType::uint8);
                const ArgmaxRun ran = argmax_channels(plan, backend, run, scores, table, labels, scratch);
                EXPECT_EQ(labels_of(labels), expected) << c.name << " " << ran.backend << " " << scratch;
                EXPECT_EQ(ran.backend.substr(0, 3), std::string(name_of(backend)).substr(0, 3));
            }
        }
    }
}

TEST(Argmax, IsThatOfWholeChannelsBitForBit) {
    for (const Case& c : cases()) {
        expect_definition<float>(c, DType::float32);
        expect_definition<double>(c, DType::float64);
        expect_definition<std::int16_t>(c, DType::int16);
        expect_definition<Float16>(c, DType::float16);
    }
}

TEST(Argmax, FollowsTheOptionsOfThePlan) {
    const Grid input = grid_of({15, 13, 11});
    PlanOptions options;
    options.outside = Outside::extend;
    options.boundary = Boundary::mirror;
    options.antialias = Antialias::gaussian;
    const Volume scores = scores_of<float>(input, DType::float32, 4);
    const std::vector<std::int64_t> table{0, 1, 2, 3};
    for (const Grid& output : {turned(input, {17, 15, 13}, 1.6, 30), with_spacing(input, {1.6, 2.3, 0.7})}) {
        const Plan plan = make_plan(input, output, options);
        Volume labels(output, DType::int16);
        argmax_channels(plan, Backend::cpu, {}, scores, {}, labels, 9000);
        EXPECT_EQ(labels_of(labels), by_whole_channels<float>(plan, Backend::cpu, scores, table, 0));
    }
}

TEST(Argmax, FirstOfEqualsAndNaNNeverWins) {
    const Grid grid = grid_of({6, 1, 1});
    Volume scores(grid, DType::float32, 3);
    const std::array<std::array<double, 3>, 6> values{
        {{1, 1, 1}, {-0.0, 0.0, -1}, {kNan, -kInf, -kInf}, {-kInf, kNan, kInf}, {kNan, kNan, kNan}, {kNan, 3, kNan}}};
    for (std::size_t c = 0; c < 3; ++c) {
        auto* channel = static_cast<float*>(scores.view(static_cast<std::int64_t>(c)).data);
        for (std::size_t v = 0; v < values.size(); ++v) channel[v] = static_cast<float>(values[v][c]);
    }
    PlanOptions options;
    options.fill = 4;
    Volume labels(grid, DType::uint8);
    argmax_channels(make_plan(grid, grid, options), Backend::automatic, {}, scores, {}, labels);
    EXPECT_EQ(labels_of(labels), (std::vector<std::int64_t>{0, 0, 1, 2, 4, 1}));
}

TEST(Argmax, LabelsOfATableReachTheOutputExactly) {
    const Grid grid = grid_of({3, 1, 1});
    Volume scores(grid, DType::float32, 3);
    auto* at = reinterpret_cast<float*>(scores.data());
    for (int v = 0; v < 9; ++v) at[v] = v % 3 == v / 3 ? 1.0F : 0.0F;
    const std::vector<std::int64_t> table{(std::int64_t{1} << 60) + 1, -7, std::int64_t{1} << 31};
    Volume labels(grid, DType::int64);
    argmax_channels(make_plan(grid, grid, {}), Backend::automatic, {}, scores, table, labels);
    EXPECT_EQ(values_of<std::int64_t>(labels), table);
}

TEST(Argmax, RefusesTablesAndScoresThatDoNotFit) {
    const Grid grid = grid_of({2, 2, 2});
    const Volume scores = scores_of<float>(grid, DType::float32, 3);
    const Plan plan = make_plan(grid, grid, {});
    Volume labels(grid, DType::uint8);
    const auto message = [&](const Volume& given, const std::vector<std::int64_t>& table) -> std::string {
        try {
            argmax_channels(plan, Backend::cpu, {}, given, table, labels);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::usage);
            return error.what();
        }
        return "no error";
    };
    EXPECT_NE(message(scores, {0, 1}).find("2 channel labels for 3 volumes"), std::string::npos);
    EXPECT_NE(message(scores, {0, 1, 256}).find("channel label 256 does not fit uint8"), std::string::npos);
    EXPECT_NE(message(scores, {0, -1, 2}).find("label -1"), std::string::npos);
    EXPECT_EQ(message(scores, {0, 255, 2}), "no error");
    const Volume many = scores_of<float>(grid, DType::float32, 300);
    EXPECT_NE(message(many, {}).find("300 classes do not fit uint8"), std::string::npos);
    const Volume complex = volume_of<float>(
        grid, DType::float32, [](auto, auto, auto) { return 1; }, 1, 2);
    EXPECT_NE(message(complex, {0}).find("2"), std::string::npos);
}

TEST(Argmax, ScratchStaysBelowTheLimit) {
    const Grid input = grid_of({40, 36, 32});
    const Volume scores = scores_of<float>(input, DType::float32, 2);
    for (const Grid& output :
         {turned(input, {60, 50, 40}, 1.5, 30), with_spacing(input, {0.5, 0.6, 0.7}), with_spacing(input, {2, 3, 2})}) {
        const Plan plan = make_plan(input, output, {});
        Volume labels(output, DType::uint8);
        std::int64_t previous = 0;
        for (std::int64_t scratch : {40'000, 160'000, 640'000}) {
            ExecutorOptions options;
            options.threads = 1;
            const ArgmaxRun ran = argmax_channels(plan, Backend::cpu, options, scores, {}, labels, scratch);
            // Beside it the executor has what it says: tap tables, and rows of one band or a brick.
            const std::int64_t own = make_executor(plan, Backend::cpu, options)->workspace_bytes();
            EXPECT_LE(ran.scratch_bytes, scratch + own);
            EXPECT_GT(ran.scratch_bytes, previous);
            previous = ran.scratch_bytes / 2;
        }
    }
}

TEST(Argmax, ProgressRisesToOne) {
    const Grid input = grid_of({15, 13, 11});
    const Volume scores = scores_of<float>(input, DType::float32, 3);
    const Grid output = with_spacing(input, {0.5, 0.5, 0.5});
    Volume labels(output, DType::uint8);
    std::vector<double> shares;
    ExecutorOptions options;
    options.progress = [&](double share) { shares.push_back(share); };
    argmax_channels(make_plan(input, output, {}), Backend::cpu, options, scores, {}, labels, 20000);
    EXPECT_GT(shares.size(), 9U);
    EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
    EXPECT_EQ(shares.back(), 1.0);
}

/// Softmax in long double.
std::vector<long double> exact_softmax(const std::vector<long double>& v) {
    long double sum = 0;
    std::vector<long double> e;
    const long double most = *std::max_element(v.begin(), v.end());
    for (long double x : v) e.push_back(std::exp(x - most));
    for (long double x : e) sum += x;
    for (long double& x : e) x /= sum;
    return e;
}

template <typename T>
void expect_softmax(DType dtype, std::int64_t channels, double tolerance) {
    const Grid grid = grid_of({37, 5, 9});
    Volume scores(grid, dtype, channels), other(grid, dtype, channels);
    const std::int64_t voxels = voxel_count(grid);
    T* at = reinterpret_cast<T*>(scores.data());
    for (std::int64_t v = 0; v < voxels * channels; ++v) at[v] = static_cast<T>((noise(v, 3, 4) - 0.5) * 60);
    std::copy(scores.data(), scores.data() + scores.size_bytes(), other.data());
    const std::vector<T> before = values_of<T>(scores);
    softmax_in_place(scores, 1);
    softmax_in_place(other, 5);
    const std::vector<T> after = values_of<T>(scores);
    EXPECT_EQ(after, values_of<T>(other));
    for (std::int64_t v = 0; v < voxels; ++v) {
        std::vector<long double> column;
        for (std::int64_t c = 0; c < channels; ++c) column.push_back(before[static_cast<std::size_t>(c * voxels + v)]);
        const std::vector<long double> expected = exact_softmax(column);
        for (std::int64_t c = 0; c < channels; ++c) {
            const long double want = expected[static_cast<std::size_t>(c)];
            const auto got = static_cast<long double>(after[static_cast<std::size_t>(c * voxels + v)]);
            ASSERT_NEAR(static_cast<double>(got / want), 1.0, tolerance);
        }
    }
}

TEST(Softmax, AgreesWithLongDouble) {
    for (std::int64_t channels : {1, 2, 7, 300}) {
        expect_softmax<float>(DType::float32, channels, 0x1.000001p-24);
        expect_softmax<double>(DType::float64, channels, 80 * 0x1p-53);  // a difference of 60 is rounded
    }
}

TEST(Softmax, OfHalvesIsThatOfDoublesRoundedOnce) {
    const Grid grid = grid_of({17, 5, 3});
    Volume halves(grid, DType::float16, 4), doubles(grid, DType::float64, 4);
    auto* half = reinterpret_cast<Float16*>(halves.data());
    auto* wide = reinterpret_cast<double*>(doubles.data());
    for (std::int64_t v = 0; v < 4 * voxel_count(grid); ++v) {
        half[v] = Float16((noise(v, 3, 4) - 0.5) * 30);
        wide[v] = static_cast<double>(half[v]);
    }
    half[7] = Float16(kNan);
    wide[7] = kNan;
    softmax_in_place(halves);
    softmax_in_place(doubles);
    for (std::int64_t v = 0; v < 4 * voxel_count(grid); ++v) {
        if (std::isnan(wide[v])) {
            EXPECT_TRUE(std::isnan(half[v])) << v;
        } else {
            EXPECT_EQ(half[v].bits, Float16(wide[v]).bits) << v;
        }
    }
}

TEST(Softmax, InfinitiesAndNaN) {
    const Grid grid = grid_of({5, 1, 1});
    const std::array<std::array<double, 3>, 5> values{
        {{kInf, 0, kInf}, {-kInf, 0, 0}, {-kInf, -kInf, -kInf}, {kNan, 2, 2}, {kNan, kNan, kNan}}};
    const std::array<std::array<double, 3>, 5> expected{
        {{0.5, 0, 0.5}, {0, 0.5, 0.5}, {1.0 / 3, 1.0 / 3, 1.0 / 3}, {kNan, 0.5, 0.5}, {kNan, kNan, kNan}}};
    Volume scores(grid, DType::float64, 3);
    for (std::size_t v = 0; v < 5; ++v) {
        for (std::size_t c = 0; c < 3; ++c) reinterpret_cast<double*>(scores.data())[c * 5 + v] = values[v][c];
    }
    softmax_in_place(scores);
    for (std::size_t v = 0; v < 5; ++v) {
        for (std::size_t c = 0; c < 3; ++c) {
            const double got = reinterpret_cast<const double*>(scores.data())[c * 5 + v];
            EXPECT_TRUE(got == expected[v][c] || (std::isnan(got) && std::isnan(expected[v][c]))) << v << " " << c;
        }
    }
}

TEST(Softmax, RefusesIntegers) {
    Volume scores = volume_of<std::int16_t>(grid_of({2, 2, 2}), DType::int16, [](auto, auto, auto) { return 1; });
    try {
        softmax_in_place(scores);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::usage);
        EXPECT_EQ(std::string(error.what()).find("softmax on integers"), 0U);
    }
}

}  // namespace
}  // namespace revoxel::pipeline
