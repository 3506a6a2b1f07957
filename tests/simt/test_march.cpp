// A few jobs through the march: odd sizes, more than one tile, chunk and group of rows. The mutation check runs it too.
#include <gtest/gtest.h>

#include "simt/orders.hpp"

namespace revoxel::harness {
namespace {

void check_executors(const Extent& input, const Extent& output, Kernel kernel) {
    Case c{axis_grid(input, {1, 1, 1}), axis_grid(output, {1, 1, 1}), {}};
    for (int a = 0; a < 3; ++a) {
        const auto d = static_cast<std::size_t>(a);
        c.output.affine(a, a) = static_cast<double>(input[d]) / static_cast<double>(output[d]);
    }
    c.options.kernel = kernel;
    Field field(c.input.extent, c.options.input_dtype, Layout::padded);
    fill_random(field, 1);
    check_backends(make_plan(c.input, c.output, c.options), field, Layout::padded, kEveryOrder);
}

TEST(March, UpAndDown) {
    check_executors({70, 9, 7}, {101, 21, 13}, Kernel::linear);
    check_executors({70, 19, 17}, {33, 11, 9}, Kernel::cubic);
}

// More taps than the march takes, along one axis alone: one pass, and nothing between passes.
TEST(March, OnePassByItself) {
    check_executors({6, 5, 100}, {6, 5, 2}, Kernel::linear);
    check_executors({6, 5, 29}, {6, 5, 66}, Kernel::bspline3);
    check_executors({100, 5, 6}, {2, 5, 6}, Kernel::linear);
    check_executors({5, 100, 6}, {5, 2, 6}, Kernel::linear);
}

}  // namespace
}  // namespace revoxel::harness
