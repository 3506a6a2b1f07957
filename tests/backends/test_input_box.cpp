// input_box(): everything that streaming and memory budgets rest on. What lies outside the box must not matter, and the
// box must not be much larger than what does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "backends/harness.hpp"
#include "oracle/oracle.hpp"

namespace revoxel::harness {
namespace {

Box3 random_box(const Extent& extent, std::mt19937_64& random) {
    Box3 box;
    for (int d = 0; d < 3; ++d) {
        const auto n = static_cast<std::uint64_t>(extent[d]);
        const auto a = static_cast<std::int64_t>(random() % n), b = static_cast<std::int64_t>(random() % n);
        box.lo[d] = std::min(a, b);
        box.hi[d] = std::max(a, b) + 1;
    }
    return box;
}

bool contains(const Box3& box, std::int64_t i, std::int64_t j, std::int64_t k) {
    return i >= box.lo[0] && i < box.hi[0] && j >= box.lo[1] && j < box.hi[1] && k >= box.lo[2] && k < box.hi[2];
}

/// The bytes of the voxels in `box` of a packed float32 volume.
std::vector<std::byte> cut(const std::vector<std::byte>& bytes, const Extent& n, const Box3& box) {
    std::vector<std::byte> out;
    for (std::int64_t k = box.lo[2]; k < box.hi[2]; ++k) {
        for (std::int64_t j = box.lo[1]; j < box.hi[1]; ++j) {
            const auto row = bytes.begin() + ((k * n[1] + j) * n[0]) * 4;
            out.insert(out.end(), row + box.lo[0] * 4, row + box.hi[0] * 4);
        }
    }
    return out;
}

void check_box(const Grid& input, const Grid& output, Kernel kernel, Antialias antialias, int boxes,
               PlanOptions options = {}) {
    options.kernel = kernel;
    options.antialias = antialias;
    const Plan plan = make_plan(input, output, options);
    SCOPED_TRACE(describe({input, output, options}));
    Field whole(input.extent, DType::float32, Layout::packed);
    (options.labels ? fill_labels : fill_random)(whole, 11);
    const auto reference = make_executor(plan, Backend::reference);
    const auto other = make_executor(plan, backends().back());
    const auto run = [&](Executor& executor, const Field& field) {
        Field out(output.extent, DType::float32, Layout::packed);
        executor.run(field.view(), out.view());
        return out.packed();
    };
    const auto expected = run(*reference, whole);
    std::mt19937_64 random(4);
    for (int b = 0; b < boxes; ++b) {
        const Box3 box = b == 0 ? Box3{{0, 0, 0}, output.extent} : random_box(output.extent, random);
        const Box3 needed = plan.input_box(box);
        ASSERT_TRUE(needed.empty() ||
                    (needed.lo[0] >= 0 && needed.hi[0] <= input.extent[0] && needed.lo[1] >= 0 &&
                     needed.hi[1] <= input.extent[1] && needed.lo[2] >= 0 && needed.hi[2] <= input.extent[2]));
        Field part(input.extent, DType::float32, Layout::packed);
        const double nan = std::numeric_limits<double>::quiet_NaN();
        part.fill([&](auto i, auto j, auto k) { return contains(needed, i, j, k) ? whole.get(i, j, k) : nan; });
        for (Executor* executor : {reference.get(), other.get()}) {
            EXPECT_TRUE(cut(run(*executor, part), output.extent, box) == cut(expected, output.extent, box))
                << executor->name() << ": voxels outside input_box matter, box " << b;
        }
        if (kernel != Kernel::linear || options.labels || antialias == Antialias::gaussian ||
            options.boundary != Boundary::edge)
            continue;
        // What linear interpolation really touches, from the positions. Allowed beyond it: one voxel on each side, on
        // the gather route two, and what the low-pass reaches.
        const oracle::Oracle oracle(input, output, options, whole.values());
        Vec3 lo{1e9, 1e9, 1e9}, hi{-1e9, -1e9, -1e9};
        bool any = false;
        for (std::int64_t k = box.lo[2]; k < box.hi[2]; ++k) {
            for (std::int64_t j = box.lo[1]; j < box.hi[1]; ++j) {
                for (std::int64_t i = box.lo[0]; i < box.hi[0]; ++i) {
                    // The gather bounds the corners of the box, inside or not; so does this.
                    if (plan.separable && !oracle.inside({i, j, k})) continue;
                    any = any || oracle.inside({i, j, k});
                    const Vec3 c = oracle.position({i, j, k});
                    for (int d = 0; d < 3; ++d) lo[d] = std::min(lo[d], c[d]), hi[d] = std::max(hi[d], c[d]);
                }
            }
        }
        if (!any) {
            EXPECT_TRUE(!plan.separable || needed.empty());
            continue;
        }
        for (int d = 0; d < 3; ++d) {
            const double reach = oracle.low_pass()[d] + (plan.separable ? 1 : 2) + 1e-6;
            EXPECT_GE(static_cast<double>(needed.lo[d]), std::max(0.0, std::floor(lo[d] - reach))) << "axis " << d;
            EXPECT_LE(static_cast<double>(needed.hi[d] - 1),
                      std::min(static_cast<double>(input.extent[d] - 1), std::ceil(hi[d] + reach)))
                << "axis " << d;
        }
    }
}

TEST(InputBox, Separable) {
    const Grid input = axis_grid({21, 17, 15}, {0.8, 0.8, 2.5});
    for (Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::cubic, Kernel::lanczos3, Kernel::bspline3}) {
        const Antialias antialias = kernel == Kernel::nearest ? Antialias::none : Antialias::stretch;
        check_box(input, with_spacing(input, {0.5, 1.1, 1.0}), kernel, antialias, 12);
        check_box(input, with_spacing(input, {2.5, 1.9, 7.0}), kernel, antialias, 12);
        check_box(input, reoriented(with_spacing(input, {0.5, 1.1, 1.0}), {2, 0, 1}, 3), kernel, antialias, 12);
        check_box(input, axis_grid({40, 12, 30}, {0.7, 0.9, 1.1}, {-5, 3, -8}), kernel, antialias, 12);
    }
}

TEST(InputBox, Gather) {
    const Grid input = axis_grid({21, 17, 15}, {0.8, 0.8, 2.5});
    for (Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::cubic, Kernel::bspline3}) {
        const Antialias antialias = kernel == Kernel::nearest ? Antialias::none : Antialias::stretch;
        check_box(input, turned_grid(input, {19, 16, 20}, {0.7, 0.7, 1.1}, {10, -20, 30}), kernel, antialias, 12);
        check_box(input, turned_grid(input, {13, 12, 11}, {1.9, 1.7, 3.1}, {-35, 10, 60}), kernel, antialias, 12);
    }
}

TEST(InputBox, EveryBoundaryAndLabels) {
    const Grid input = axis_grid({21, 17, 15}, {0.8, 0.8, 2.5});
    const Grid moved = axis_grid({40, 12, 30}, {0.7, 0.9, 1.1}, {-5, 3, -8});
    const Grid turned = turned_grid(input, {13, 12, 11}, {1.9, 1.7, 3.1}, {-35, 10, 60});
    for (Boundary boundary : {Boundary::edge, Boundary::mirror, Boundary::reflect, Boundary::wrap, Boundary::constant,
                              Boundary::renormalise}) {
        for (Outside outside : {Outside::fill, Outside::extend}) {
            if (outside == Outside::extend && boundary == Boundary::renormalise) continue;
            PlanOptions options;
            options.boundary = boundary;
            options.outside = outside;
            check_box(input, moved, Kernel::gaussian, Antialias::gaussian, 3, options);
            check_box(input, turned, Kernel::bspline5, Antialias::gaussian, 3, options);
            if (boundary == Boundary::constant) continue;
            options.labels = true;
            check_box(input, moved, Kernel::linear, Antialias::automatic, 3, options);
            check_box(input, turned, Kernel::gaussian, Antialias::automatic, 3, options);
        }
    }
}

TEST(InputBox, CopiesNeedTheirOwnVoxelsOnly) {
    const Grid input = axis_grid({9, 8, 7}, {1, 1, 1});
    const Plan flip = make_plan(input, reoriented(input, {1, 2, 0}, 1), {});
    // Output axis 0 is input axis 1 backwards, 1 is 2, 2 is 0.
    EXPECT_EQ(flip.input_box({{1, 2, 3}, {3, 4, 5}}), (Box3{{3, 5, 2}, {5, 7, 4}}));
    EXPECT_TRUE(flip.input_box({{2, 2, 2}, {2, 3, 3}}).empty());
    const Plan outside = make_plan(input, axis_grid({3, 3, 3}, {1, 1, 1}, {50, 0, 0}), {});
    EXPECT_TRUE(outside.covered.empty());
    EXPECT_TRUE(outside.input_box({{0, 0, 0}, {3, 3, 3}}).empty());
}

}  // namespace
}  // namespace revoxel::harness
