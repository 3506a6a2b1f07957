// Labels from scores on the device, against the pipeline's argmax on the CPU: ties, NaN, parts, types of labels.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "backends/harness.hpp"
#include "pipeline/argmax.hpp"
#include "revoxel/cuda.hpp"
#include "revoxel/error.hpp"
#include "simt/simt.hpp"

namespace revoxel::harness {
namespace {

constexpr double kFill = 77;

struct Scores {
    Plan plan;
    Volume volume;
    std::vector<std::int64_t> labels;
};

/// Scores in few steps, so that channels often are equal; some are NaN, in some voxels all.
Volume scores_of(const Grid& grid, DType dtype, std::int64_t channels) {
    Volume scores(grid, dtype, channels);
    const std::int64_t voxels = grid.extent[0] * grid.extent[1] * grid.extent[2];
    dispatch(dtype, [&](auto zero) {
        using T = decltype(zero);
        auto* at = reinterpret_cast<T*>(scores.data());
        std::uint32_t state = 12345;
        for (std::int64_t n = 0; n < voxels * channels; ++n) {
            state = state * 1664525u + 1013904223u;
            const auto step = static_cast<int>(state >> 24) % 5 - 2;
            at[n] = static_cast<T>(step);
            if constexpr (!std::numeric_limits<T>::is_integer) {
                if ((state >> 16) % 61 == 0 || n % voxels / 4 == 3) at[n] = std::numeric_limits<T>::quiet_NaN();
            }
        }
    });
    return scores;
}

PlanOptions options_of(Kernel kernel, DType dtype) {
    PlanOptions options;
    options.kernel = kernel;
    options.input_dtype = options.output_dtype = dtype;
    options.fill = kFill;
    return options;
}

Scores straight(Kernel kernel, DType dtype, std::int64_t channels) {
    const Grid input = axis_grid({11, 7, 5}, {1, 1, 2});
    // Some of the output lies outside.
    Scores s{make_plan(input, axis_grid({17, 9, 13}, {0.7, 0.9, 0.8}, {-1, 0, 0}), options_of(kernel, dtype)),
             scores_of(input, dtype, channels),
             {}};
    for (std::int64_t c = 0; c < channels; ++c) s.labels.push_back((c * 7 + 3) % 100);
    return s;
}

Scores oblique(Kernel kernel, DType dtype, std::int64_t channels) {
    Scores s = straight(kernel, dtype, channels);
    s.plan = make_plan(s.plan.input, turned_grid(s.plan.input, {9, 11, 6}, {0.9, 0.8, 1.1}, {15, -25, 40}),
                       options_of(kernel, dtype));
    return s;
}

void expect_pipelines_labels(const Scores& s, DType label_dtype, std::int64_t scratch_bytes, int parts_at_least = 1) {
    SCOPED_TRACE(s.plan.describe());
    SCOPED_TRACE(std::to_string(s.labels.size()) + " channels to " + revoxel::name_of(label_dtype));
    Volume expected(s.plan.output, label_dtype);
    ExecutorOptions one_thread;
    one_thread.threads = 1;
    pipeline::argmax_channels(s.plan, Backend::cpu, one_thread, s.volume, s.labels, expected);
    const Field wanted = [&] {
        Field field(s.plan.output.extent, label_dtype, Layout::packed);
        std::memcpy(field.view().data, expected.data(), static_cast<std::size_t>(expected.size_bytes()));
        return field;
    }();
    const auto plan = cuda::make_argmax_plan(s.plan, s.labels, {}, scratch_bytes);
    const ConstVolumeView first = s.volume.view(0);
    const Extent& n = first.extent;
    for (const Layout layout : {Layout::packed, Layout::reversed}) {
        Field labels(s.plan.output.extent, label_dtype, layout);
        const long before = simt::launches();
        plan->run(first, n[0] * n[1] * n[2], labels.view(), nullptr);
        EXPECT_GE(simt::launches() - before, 2 * parts_at_least);
        EXPECT_TRUE(labels.packed() == wanted.packed());
        EXPECT_TRUE(labels.gaps_untouched());
    }
}

TEST(Argmax, OfChannels) {
    for (const std::int64_t channels : {1, 2, 12}) {
        for (const Kernel kernel : {Kernel::linear, Kernel::nearest, Kernel::cubic, Kernel::bspline3}) {
            expect_pipelines_labels(straight(kernel, DType::float32, channels), DType::uint8, 1 << 20);
            expect_pipelines_labels(oblique(kernel, DType::float32, channels), DType::uint8, 1 << 20);
        }
    }
}

TEST(Argmax, OfTypes) {
    for (const DType scores : {DType::float16, DType::int16, DType::float64}) {
        for (const DType labels : {DType::uint8, DType::int16, DType::int32, DType::uint64, DType::float32}) {
            expect_pipelines_labels(straight(Kernel::linear, scores, 3), labels, 1 << 20);
            expect_pipelines_labels(oblique(Kernel::linear, scores, 3), labels, 1 << 20);
        }
    }
}

TEST(Argmax, InParts) {
    for (const std::int64_t scratch : {100, 3000, 20000}) {
        expect_pipelines_labels(straight(Kernel::linear, DType::float32, 5), DType::uint8, scratch,
                                scratch == 100 ? 9 * 13 : 2);
        expect_pipelines_labels(oblique(Kernel::linear, DType::float32, 5), DType::int16, scratch);
        // Has scratch memory of its own: channels come one after the other.
        expect_pipelines_labels(oblique(Kernel::bspline3, DType::float32, 5), DType::uint8, scratch, 5);
    }
}

TEST(Argmax, ScoresOfPartsAreHeld) {
    const Scores s = straight(Kernel::linear, DType::float32, 5);
    const auto bytes = [&](std::int64_t scratch_bytes) {
        return cuda::make_argmax_plan(s.plan, s.labels, {}, scratch_bytes)->bytes();
    };
    // One part and two; the tables of a part take less than a quarter of the scores.
    const std::int64_t scores = 17 * 9 * 13 * 5 * 4;
    EXPECT_GE(bytes(scores), scores);
    EXPECT_LT(bytes(scores), scores + scores / 4);
    EXPECT_LT(bytes(scores - 1), scores * 7 / 13 + 2 * (bytes(scores) - scores) + 256);
}

TEST(Argmax, OutsideIsFill) {
    Scores s = straight(Kernel::linear, DType::float32, 2);
    s.plan = make_plan(s.plan.input, axis_grid({4, 3, 5}, {1, 1, 1}, {500, 0, 0}),
                       options_of(Kernel::linear, DType::float32));
    const auto plan = cuda::make_argmax_plan(s.plan, s.labels);
    Field labels({4, 3, 5}, DType::uint8, Layout::packed);
    plan->run(s.volume.view(0), 11 * 7 * 5, labels.view(), nullptr);
    for (const double label : labels.values()) EXPECT_EQ(label, kFill);
}

TEST(Argmax, WhatCannotBeIsRefused) {
    const Scores s = straight(Kernel::linear, DType::float32, 2);
    EXPECT_THROW(cuda::make_argmax_plan(s.plan, {}), Error);
    const auto plan = cuda::make_argmax_plan(s.plan, s.labels);
    Field labels({4, 3, 5}, DType::uint8, Layout::packed);
    EXPECT_THROW(plan->run(s.volume.view(0), 11 * 7 * 5, labels.view(), nullptr), Error);
}

}  // namespace
}  // namespace revoxel::harness
