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

}  // namespace
}  // namespace revoxel::harness
