// Every CUDA kernel, every type of voxels and every number of taps in all three orders of threads and blocks, on odd
// sizes. Small plans: the tests of tests/backends go through what plans can be.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <variant>

#include "simt/orders.hpp"
#include "support/options.hpp"

namespace revoxel::harness {
namespace {

using test::kDTypes;

void check_every_order(Case c) {
    SCOPED_TRACE(describe(c));
    Field input(c.input.extent, c.options.input_dtype, c.input_layout);
    (c.options.labels ? fill_labels : fill_random)(input, c.seed);
    check_backends(make_plan(c.input, c.output, c.options), input, c.output_layout, kEveryOrder);
}

/// Calls f with each type once as input and once as output, in pairs that `turn` chooses.
template <typename F>
void for_each_type(std::size_t turn, const F& f) {
    for (std::size_t n = 0; n < std::size(kDTypes); ++n) f(kDTypes[n], kDTypes[(n + turn) % std::size(kDTypes)]);
}

int most_taps(const Plan& plan, int axis) {
    int most = 0;
    for (const Stage& stage : plan.stages) {
        const auto* pass = std::get_if<AxisPass>(&stage);
        if (pass && pass->axis == axis)
            most =
                std::max(most, static_cast<int>(*std::max_element(pass->taps.count.begin(), pass->taps.count.end())));
    }
    return most;
}

class ZTaps : public testing::TestWithParam<int> {};

// More than one tile, group of rows and chunk of slices. On a flipped axis slices are walked from the other end; more
// than 32 taps go pass by pass.
TEST_P(ZTaps, EveryType) {
    const int taps = GetParam();
    const double step = taps > 1 ? 0.5 * taps : 1.3;
    const auto slices = static_cast<std::int64_t>(6 * step) + 1;
    const Case base{axis_grid({59, 7, slices}, {1, 1, 1}),
                    axis_grid({67, 9, 5}, {0.87, 0.71, step}, {0.3, 0.2, 0.25 + 0.5 * step}),
                    {}};
    for_each_type(static_cast<std::size_t>(taps), [&](DType from, DType to) {
        Case c = base;
        c.options.kernel = {Kernel::linear, Kernel::cubic, taps > 1 ? Kernel::linear : Kernel::nearest};
        c.options.input_dtype = from;
        c.options.output_dtype = to;
        c.input_layout = Layout::padded;
        ASSERT_EQ(most_taps(make_plan(c.input, c.output, c.options), 2), taps);
        if (static_cast<int>(from) % 2 == 1) c.output = reoriented(c.output, {0, 1, 2}, 4);
        check_every_order(c);
    });
}
INSTANTIATE_TEST_SUITE_P(March, ZTaps, testing::Values(1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 24, 25, 32),
                         [](const auto& of) { return std::to_string(of.param); });
INSTANTIATE_TEST_SUITE_P(Passes, ZTaps, testing::Values(33, 47),
                         [](const auto& of) { return std::to_string(of.param); });

TEST(EveryOrder, Gather) {
    const Grid input = axis_grid({9, 11, 7}, {1, 1, 2});
    const Grid output = turned_grid(input, {11, 9, 5}, {1.1, 0.8, 1.3}, {10, -20, 30});
    std::size_t turn = 0;
    for (Kernel kernel :
         {Kernel::nearest, Kernel::linear, Kernel::cubic, Kernel::lanczos3, Kernel::bspline5, Kernel::lanczos4}) {
        for_each_type(++turn, [&](DType from, DType to) {
            Case c{input, output, {}};
            c.options.kernel = kernel;
            c.options.input_dtype = from;
            c.options.output_dtype = to;
            check_every_order(c);
        });
    }
}

TEST(EveryOrder, VotesAndCopies) {
    const Grid input = axis_grid({13, 9, 7}, {1, 1, 2});
    for (const Grid& output :
         {axis_grid({11, 7, 5}, {1.7, 0.8, 2.3}, {-2, 1, 0.4}),
          turned_grid(input, {11, 9, 5}, {1.1, 0.8, 1.3}, {10, -20, 30}), reoriented(input, {2, 0, 1}, 5)}) {
        for (bool labels : {false, true}) {
            for_each_type(labels ? 3 : 5, [&](DType from, DType to) {
                Case c{input, output, {}};
                c.options.kernel = labels ? Kernel::linear : Kernel::nearest;
                c.options.labels = labels;
                c.options.input_dtype = from;
                c.options.output_dtype = to;
                c.output_layout = Layout::permuted;
                check_every_order(c);
            });
        }
    }
}

}  // namespace
}  // namespace revoxel::harness
