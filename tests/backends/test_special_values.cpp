// What arithmetic must not do to values: NaN that spreads from padding, bits that change in a copy.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "backends/harness.hpp"
#include "oracle/oracle.hpp"
#include "support/options.hpp"

namespace revoxel::harness {
namespace {

using test::kDTypes;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

char class_of(double v) {
    return std::isnan(v) ? 'n' : std::isinf(v) ? (v > 0 ? '+' : '-') : 'f';
}

// NaN and infinities appear where a tap with a weight touches them and nowhere else. Spacings are binary fractions, so
// that positions meant to be on a voxel are exactly there and their other taps weigh exactly nothing.
void check_special(const Grid& input, const Grid& output, DType dtype, Antialias antialias) {
    Field field(input.extent, dtype, Layout::padded);
    fill_random(field, 5);
    std::mt19937_64 random(9);
    for (double v : {kNan, kNan, kNan, kInf, kInf, -kInf, -kInf}) {
        Extent at;
        for (int d = 0; d < 3; ++d)
            at[d] = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(input.extent[d]));
        field.set(at[0], at[1], at[2], v);
    }
    field.set(0, 0, 0, kNan);  // the corner is what edge extension repeats
    PlanOptions options;
    options.kernel = Kernel::linear;
    options.antialias = antialias;
    options.input_dtype = options.output_dtype = dtype;
    const Plan plan = make_plan(input, output, options);
    const oracle::Oracle oracle(input, output, options, field.values());
    ASSERT_EQ(plan.separable, oracle.separable());

    const auto expected = run_checked(plan, {Backend::reference, 1}, field, Layout::packed);
    int special = 0, finite = 0;
    std::size_t at = 0;
    for (std::int64_t k = 0; k < output.extent[2]; ++k) {
        for (std::int64_t j = 0; j < output.extent[1]; ++j) {
            for (std::int64_t i = 0; i < output.extent[0]; ++i, ++at) {
                if (!oracle.inside({i, j, k})) continue;
                const char got = class_of(value_at(expected, dtype, at)), wanted = class_of(oracle.value({i, j, k}));
                ASSERT_EQ(got, wanted) << "reference, voxel " << i << " " << j << " " << k;
                (wanted == 'f' ? finite : special) += 1;
            }
        }
    }
    EXPECT_GT(special, 0);
    EXPECT_GT(finite, 10 * special / 100) << "the test is empty when everything is NaN";
    for (const Subject& subject : subjects()) {
        const auto bytes = run_checked(plan, subject, field, Layout::packed);
        EXPECT_TRUE(bytes == expected) << "with " << subject.threads << " threads, NaN included";
    }
}

TEST(NanAndInf, OnlyWhereATapTouchesThem) {
    const Grid input = axis_grid({19, 14, 11}, {1, 1, 2});
    for (DType dtype : {DType::float32, DType::float64}) {
        check_special(input, with_spacing(input, {0.5, 0.75, 0.5}, GridPolicy::first), dtype, Antialias::none);
        check_special(input, with_spacing(input, {0.5, 1, 2}, GridPolicy::centre), dtype, Antialias::none);
        check_special(input, with_spacing(input, {1.5, 2, 4}, GridPolicy::edges), dtype, Antialias::none);
        check_special(input, with_spacing(input, {2, 1.5, 3}, GridPolicy::centre), dtype, Antialias::stretch);
        check_special(input, turned_grid(input, {15, 14, 13}, {1, 1.1, 1.3}, {13, -21, 34}), dtype, Antialias::none);
    }
}

// Whole slices of NaN beside the field of view, as after a mask: voxels exactly on the last finite slice stay finite.
TEST(NanAndInf, APositionOnAVoxelDoesNotSeeItsNeighbours) {
    const Grid input = axis_grid({9, 8, 7}, {1, 1, 1});
    Field field(input.extent, DType::float32, Layout::packed);
    field.fill([](auto i, auto, auto k) { return i == 5 || k == 2 ? kNan : 1.0; });
    for (Kernel kernel : {Kernel::linear, Kernel::cubic, Kernel::lanczos3}) {
        PlanOptions options;
        options.kernel = kernel;
        const Grid output = with_spacing(input, {0.5, 0.5, 1}, GridPolicy::first);
        const auto bytes = check_backends(make_plan(input, output, options), field, Layout::packed);
        for (std::int64_t i = 0; i < output.extent[0]; ++i) {
            const double v = value_at(bytes, DType::float32, static_cast<std::size_t>(i));  // k = 0, j = 0
            if (i % 2 == 0) {
                EXPECT_EQ(std::isnan(v), i == 10) << i;
            }
        }
    }
}

TEST(NanAndInf, IntoIntegers) {
    const Grid input = axis_grid({6, 1, 1}, {1, 1, 1});
    Field field(input.extent, DType::float32, Layout::packed);
    const double values[] = {kNan, kInf, -kInf, 1e30, -1e30, 2.5};
    field.fill([&](auto i, auto, auto) { return values[i]; });
    const double expected[] = {0, 32767, -32768, 32767, -32768, 2};
    for (double slope : {1.0, 2.0}) {  // with and without the computing path
        PlanOptions options;
        options.output_dtype = DType::int16;
        options.output_slope = slope;
        const auto bytes = check_backends(make_plan(input, input, options), field, Layout::packed);
        for (std::size_t v = 0; v < 5; ++v) EXPECT_EQ(value_at(bytes, DType::int16, v), expected[v]) << v;
        EXPECT_EQ(value_at(bytes, DType::int16, 5), slope == 1.0 ? 2 : 5);
    }
}

// Any bit pattern: NaN payloads, negative zeros, subnormals and 64-bit integers that no double holds.
Field random_bits(const Extent& extent, DType dtype) {
    Field field(extent, dtype, Layout::packed);
    std::mt19937_64 random(3);
    for (std::int64_t k = 0; k < extent[2]; ++k) {
        for (std::int64_t j = 0; j < extent[1]; ++j) {
            for (std::int64_t i = 0; i < extent[0]; ++i) {
                const std::uint64_t bits = random();
                std::memcpy(field.address(i, j, k), &bits, size_of(dtype));
            }
        }
    }
    if (!is_integer(dtype)) {
        field.set(0, 0, 0, -0.0);
        field.set(1, 1, 1, kNan);
    }
    return field;
}

TEST(Copies, KeepEveryBit) {
    const Grid input = axis_grid({9, 7, 5}, {0.7, 1.1, 2.5}, {3, -4, 5});
    Grid shifted = input;  // by whole voxels, partly outside
    shifted.affine(0, 3) += 2 * 0.7;
    shifted.affine(2, 3) -= 2.5;
    const Grid nearest_grids[] = {with_spacing(input, {0.4, 0.9, 1.7}), with_spacing(input, {2, 3, 4}),
                                  turned_grid(input, {8, 7, 6}, {0.9, 1, 2}, {10, -20, 30})};
    for (DType dtype : kDTypes) {
        const Field field = random_bits(input.extent, dtype);
        const auto check = [&](const Grid& output, Kernel kernel) {
            PlanOptions options;
            options.kernel = kernel;
            options.input_dtype = options.output_dtype = dtype;
            options.fill = 1;
            const Plan plan = make_plan(input, output, options);
            ASSERT_TRUE(plan.is_copy());
            const auto bytes = check_backends(plan, field, Layout::packed);
            // Where each output voxel comes from, by the oracle: nearest has one tap.
            std::vector<double> index(static_cast<std::size_t>(voxel_count(input)));
            for (std::size_t v = 0; v < index.size(); ++v) index[v] = static_cast<double>(v);
            PlanOptions nearest;
            nearest.kernel = Kernel::nearest;
            const oracle::Oracle oracle(input, output, nearest, index);
            const auto packed = field.packed();
            const std::size_t scalar = size_of(dtype);
            std::size_t at = 0, wrong = 0;
            for (std::int64_t k = 0; k < output.extent[2]; ++k) {
                for (std::int64_t j = 0; j < output.extent[1]; ++j) {
                    for (std::int64_t i = 0; i < output.extent[0]; ++i, ++at) {
                        if (!oracle.inside({i, j, k})) {
                            wrong += value_at(bytes, dtype, at) != 1;
                            continue;
                        }
                        const auto from = static_cast<std::size_t>(oracle.value({i, j, k}));
                        wrong += std::memcmp(&bytes[at * scalar], &packed[from * scalar], scalar) != 0;
                    }
                }
            }
            EXPECT_EQ(wrong, 0u) << revoxel::name_of(dtype) << " " << revoxel::name_of(kernel);
        };
        std::array<int, 3> p{0, 1, 2};
        do {
            for (int flips = 0; flips < 8; ++flips) check(reoriented(input, p, flips), Kernel::bspline3);
        } while (std::next_permutation(p.begin(), p.end()));
        check(shifted, Kernel::linear);
        for (const Grid& output : nearest_grids) check(output, Kernel::nearest);
    }
}

// Between integer types values are clamped exactly, not through a double.
TEST(Copies, ConvertWideIntegersExactly) {
    const Grid input = axis_grid({4, 1, 1}, {1, 1, 1});
    const auto run = [&](DType from, DType to, const void* values) {
        Field field(input.extent, from, Layout::packed);
        std::memcpy(field.address(0, 0, 0), values, 4 * size_of(from));
        PlanOptions options;
        options.input_dtype = from;
        options.output_dtype = to;
        return check_backends(make_plan(input, input, options), field, Layout::packed);
    };
    const std::int64_t big[] = {(std::int64_t{1} << 53) + 1, INT64_MAX, INT64_MIN, -1};
    const auto as_unsigned = run(DType::int64, DType::uint64, big);
    const std::uint64_t expected[] = {(std::uint64_t{1} << 53) + 1, INT64_MAX, 0, 0};
    EXPECT_EQ(std::memcmp(as_unsigned.data(), expected, sizeof expected), 0);
    const std::uint64_t huge[] = {UINT64_MAX, (std::uint64_t{1} << 63) + 1, 7, (std::uint64_t{1} << 63) - 1};
    const auto as_signed = run(DType::uint64, DType::int64, huge);
    const std::int64_t clamped[] = {INT64_MAX, INT64_MAX, 7, INT64_MAX};
    EXPECT_EQ(std::memcmp(as_signed.data(), clamped, sizeof clamped), 0);
    const auto narrow = run(DType::int64, DType::int32, big);
    const std::int32_t small[] = {INT32_MAX, INT32_MAX, INT32_MIN, -1};
    EXPECT_EQ(std::memcmp(narrow.data(), small, sizeof small), 0);
}

}  // namespace
}  // namespace revoxel::harness
