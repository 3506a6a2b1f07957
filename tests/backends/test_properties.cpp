// What resampling must do whatever the formulas: properties that need no oracle for the value.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>

#include "backends/harness.hpp"
#include "oracle/oracle.hpp"
#include "support/options.hpp"

namespace revoxel::harness {
namespace {

using test::kDTypes;
using test::kKernels;

constexpr Kernel kSplines[] = {Kernel::bspline2, Kernel::bspline3, Kernel::bspline4, Kernel::bspline5};

std::vector<double> run(const Plan& plan, Backend backend, const Field& input) {
    const auto bytes = run_checked(plan, {backend, 2}, input, Layout::packed);
    std::vector<double> out;
    for (std::size_t v = 0; v < bytes.size() / size_of(plan.options.output_dtype); ++v)
        out.push_back(value_at(bytes, plan.options.output_dtype, v));
    return out;
}

/// The largest number of taps of the plan's stages, all added: how many roundings a value goes through.
double roundings(const Plan& plan) {
    double sum = 0;
    for (const Stage& stage : plan.stages) {
        const auto* pass = std::get_if<AxisPass>(&stage);
        sum += pass ? static_cast<double>(pass->taps.stride) : 12.0;
    }
    return sum;
}

TEST(Constants, StayConstant) {
    const Grid input = axis_grid({13, 9, 11}, {1, 1, 2});
    for (bool gather : {false, true}) {
        const Grid output = gather ? turned_grid(input, {7, 6, 8}, {1.1, 0.8, 1.7}, {10, -20, 30})
                                   : with_spacing(input, {0.7, 2.3, 1.9});
        for (Kernel kernel : kKernels) {
            if (gather && kernel == Kernel::area) continue;
            const bool spline = std::find(std::begin(kSplines), std::end(kSplines), kernel) != std::end(kSplines);
            for (DType dtype : kDTypes) {
                for (double value : {1.0, 117.0, -1024.0, 65535.0, 0x1p44 + 1, 0.1}) {
                    PlanOptions options;
                    options.kernel = kernel;
                    options.input_dtype = options.output_dtype = dtype;
                    const Plan plan = make_plan(input, output, options);
                    Field field(input.extent, dtype, Layout::packed);
                    field.fill([&](auto, auto, auto) { return value; });
                    const double stored = field.get(0, 0, 0);  // after saturation
                    if (std::isinf(stored)) continue;          // 65535 and more as float16
                    options.fill = stored;
                    const Plan filled = make_plan(input, output, options);
                    const double unit = plan.compute == ComputeType::f32 ? 0x1p-24 : 0x1p-53;
                    // Coefficients and lobes are signed: partial sums stay below 7.5^3 times the value (the condition
                    // of degree 5) for splines, and below 1.8^3 times for sincs.
                    const double lobes = spline && gather ? 422 : 6;
                    const double bound = is_integer(dtype) ? 0.0 : lobes * roundings(plan) * unit * std::abs(stored);
                    for (Backend backend : backends()) {
                        for (double got : run(filled, backend, field))
                            ASSERT_NEAR(got, stored, bound)
                                << name_of(kernel) << " " << revoxel::name_of(dtype) << (gather ? " gather" : "");
                    }
                }
            }
        }
    }
}

// Rows sum to one exactly, so a constant 1 stays exactly 1 on the separable route: every partial sum is on the grid of
// the weights.
TEST(Constants, OneStaysExactlyOne) {
    const Grid input = axis_grid({13, 9, 11}, {1, 1, 2});
    const Grid output = with_spacing(input, {0.7, 2.3, 1.9});
    for (Kernel kernel : kKernels) {
        for (DType dtype : {DType::float32, DType::float64}) {
            PlanOptions options;
            options.kernel = kernel;
            options.input_dtype = options.output_dtype = dtype;
            options.fill = 1;
            Field field(input.extent, dtype, Layout::packed);
            field.fill([](auto, auto, auto) { return 1.0; });
            for (Backend backend : backends())
                for (double got : run(make_plan(input, output, options), backend, field)) ASSERT_EQ(got, 1.0);
        }
    }
}

template <typename T>
void expect_rows_sum_to_one(const TapTable& taps) {
    std::mt19937_64 random(6);
    for (std::int64_t o = 0; o < taps.n_out; ++o) {
        const auto row = static_cast<std::size_t>(o);
        const auto begin = taps.weight.begin() + o * taps.stride;
        std::vector<double> w(begin, begin + taps.count[row]);
        if (w.empty()) continue;
        ASSERT_GE(taps.first[row], 0);
        ASSERT_LE(taps.first[row] + taps.count[row], taps.n_in);
        for (double x : w)
            ASSERT_EQ(static_cast<double>(static_cast<T>(x)), x) << "a weight is not exact in the compute type";
        ASSERT_NE(w.front(), 0.0) << "a tap of weight zero at the end of a row would spread NaN";
        ASSERT_NE(w.back(), 0.0) << "a tap of weight zero at the end of a row would spread NaN";
        for (int order = 0; order < 6; ++order) {
            T sum = 0;
            for (double x : w) sum += static_cast<T>(x);
            ASSERT_EQ(sum, T(1)) << "row " << o << " in order " << order;
            if (order == 0)
                std::reverse(w.begin(), w.end());
            else if (order == 1)
                std::sort(w.begin(), w.end());
            else
                std::shuffle(w.begin(), w.end(), random);
        }
    }
}

TEST(TapRows, SumToExactlyOneInAnyOrder) {
    const Grid input = axis_grid({37, 5, 64}, {1, 1, 1});
    for (Kernel kernel : kKernels) {
        for (DType dtype : {DType::float32, DType::float64}) {
            for (const Vec3& t : {Vec3{0.61, 0.3, 0.77}, Vec3{1.31, 2.2, 5.3}, Vec3{9.7, 1.01, 21.0}}) {
                PlanOptions options;
                options.kernel = kernel;
                options.input_dtype = options.output_dtype = dtype;
                for (const Grid& output : {with_spacing(input, t), turned_grid(input, {9, 9, 9}, t, {10, 20, 30})}) {
                    const bool oblique = output.affine(0, 1) != 0.0;
                    if (oblique && kernel == Kernel::area) continue;
                    const Plan plan = make_plan(input, output, options);
                    for (const Stage& stage : plan.stages) {
                        const auto* pass = std::get_if<AxisPass>(&stage);
                        if (!pass) continue;
                        SCOPED_TRACE(std::string(name_of(kernel)) + " axis " + std::to_string(pass->axis));
                        if (plan.compute == ComputeType::f32)
                            expect_rows_sum_to_one<float>(pass->taps);
                        else
                            expect_rows_sum_to_one<double>(pass->taps);
                    }
                }
            }
        }
    }
}

Affine random_affine(std::mt19937_64& random) {
    const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-52 - 1.0; };
    Affine a;
    for (;;) {
        for (auto& row : a.m)
            for (double& x : row) x = 1.5 * unit();
        for (int r = 0; r < 3; ++r) a(r, 3) = 200 * unit();
        // Sheared, flipped, anisotropic: all welcome, but not nearly singular.
        const double volume = std::abs(determinant(a));
        if (volume > 0.4) return a;
    }
}

// f(world) = a.x + b on random pairs of grids: finds half-voxel shifts, swapped axes and wrong affines.
TEST(WorldRamp, OnAnyPairOfGrids) {
    std::mt19937_64 random(12);
    const auto f = [](const Vec3& w) { return 2.5 * w[0] - 1.25 * w[1] + 3 * w[2] + 100; };
    for (int trial = 0; trial < 40; ++trial) {
        Grid input{{15, 13, 14}, random_affine(random)};
        Grid output{{9, 10, 11}, random_affine(random)};
        // Move the output's middle on to the input's.
        const Vec3 in_middle = oracle::world_of_index(input, {7, 6, 6.5}),
                   out_middle = oracle::world_of_index(output, {4, 4.5, 5});
        for (int r = 0; r < 3; ++r) output.affine(r, 3) += in_middle[r] - out_middle[r];
        for (DType dtype : {DType::float32, DType::float64}) {
            Field field(input.extent, dtype, Layout::packed);
            field.fill([&](auto i, auto j, auto k) {
                return f(oracle::world_of_index(input, {double(i), double(j), double(k)}));
            });
            PlanOptions options;
            options.antialias = Antialias::none;
            options.input_dtype = options.output_dtype = dtype;
            const Plan plan = make_plan(input, output, options);
            const oracle::Oracle oracle(input, output, options, field.values());
            // The samples themselves are rounded to the dtype: one more unit.
            double largest = 0;
            for (double v : field.values()) largest = std::max(largest, std::abs(v));
            const bool single = dtype == DType::float32;
            const double bound =
                oracle.error_bound(single ? oracle::kFloat : oracle::kDouble) + largest * (single ? 0x1p-24 : 0x1p-50);
            for (Backend backend : backends()) {
                const auto values = run(plan, backend, field);
                std::size_t at = 0;
                int tested = 0;
                for (std::int64_t k = 0; k < 11; ++k) {
                    for (std::int64_t j = 0; j < 10; ++j) {
                        for (std::int64_t i = 0; i < 9; ++i, ++at) {
                            const Vec3 c = oracle.position({i, j, k});
                            bool interior = true;
                            for (int d = 0; d < 3; ++d)
                                interior = interior && c[d] >= 0 && c[d] <= static_cast<double>(input.extent[d] - 1);
                            if (!interior) continue;
                            ++tested;
                            const Vec3 world = oracle::world_of_index(output, {double(i), double(j), double(k)});
                            ASSERT_NEAR(values[at], f(world), bound) << "trial " << trial;
                        }
                    }
                }
                EXPECT_GT(tested, 50);
            }
        }
    }
}

TEST(Turns, FourQuarterTurnsAreTheIdentity) {
    for (std::int64_t n : {7, 8}) {  // the centre on a voxel and between two
        const double middle = 0.5 * static_cast<double>(n - 1);
        for (int axis = 0; axis < 3; ++axis) {
            const Grid grid = axis_grid({n, n, n}, {0.7, 0.7, 0.7}, {-0.7 * middle, -0.7 * middle, -0.7 * middle});
            Vec3 degrees{0, 0, 0};
            degrees[axis] = 90;
            const Grid turned = turned_grid(grid, grid.extent, {0.7, 0.7, 0.7}, degrees);
            for (Kernel kernel : {Kernel::nearest, Kernel::bspline3}) {
                PlanOptions options;
                options.kernel = kernel;
                const Plan plan = make_plan(grid, turned, options);
                EXPECT_TRUE(plan.separable && plan.is_copy());
                for (Backend backend : backends()) {
                    Field field(grid.extent, DType::float32, Layout::packed);
                    fill_random(field, 8);
                    const auto before = field.packed();
                    for (int turn = 0; turn < 4; ++turn) {
                        Field out(grid.extent, DType::float32, Layout::packed);
                        make_executor(plan, backend)->run(field.view(), out.view());
                        if (turn < 3) {
                            EXPECT_FALSE(out.packed() == before);
                        }
                        field = std::move(out);  // and call it a volume on `grid` again
                    }
                    EXPECT_TRUE(field.packed() == before) << "axis " << axis << " n " << n;
                }
            }
        }
    }
}

// TorchIO#1310: the anchors centre and edges are symmetric, so flipping before is flipping after.
TEST(Flips, ResampleOfFlipIsFlipOfResample) {
    const Grid input = axis_grid({14, 11, 9}, {0.8, 1.1, 2.5});
    for (GridPolicy policy : {GridPolicy::centre, GridPolicy::edges}) {
        for (const Vec3& t : {Vec3{0.5, 0.7, 1.0}, Vec3{1.9, 2.3, 3.1}}) {
            for (Kernel kernel : kKernels) {
                // Nearest rounds ties up, in either direction: half-way positions are not symmetric.
                if (kernel == Kernel::nearest) continue;
                PlanOptions options;
                options.kernel = kernel;
                Field field(input.extent, DType::float32, Layout::packed);
                fill_random(field, 15);
                const Grid output = with_spacing(input, t, policy);
                const auto plain = run(make_plan(input, output, options), backends().back(), field);
                const oracle::Oracle oracle(input, output, options, field.values());
                const double bound = 2 * oracle.error_bound(oracle::kFloat);
                for (int flips = 1; flips < 8; ++flips) {
                    const Grid flipped = reoriented(input, {0, 1, 2}, flips);
                    const auto mirrored = [&](const Extent& n, std::int64_t i, int d) {
                        return flips >> d & 1 ? n[d] - 1 - i : i;
                    };
                    Field turned(input.extent, DType::float32, Layout::packed);
                    turned.fill([&](auto i, auto j, auto k) {
                        const Extent& n = input.extent;
                        return field.get(mirrored(n, i, 0), mirrored(n, j, 1), mirrored(n, k, 2));
                    });
                    const Grid flipped_output = with_spacing(flipped, t, policy);
                    ASSERT_EQ(flipped_output.extent, output.extent);
                    const auto values = run(make_plan(flipped, flipped_output, options), backends().back(), turned);
                    const Extent& m = output.extent;
                    std::size_t at = 0;
                    for (std::int64_t k = 0; k < m[2]; ++k)
                        for (std::int64_t j = 0; j < m[1]; ++j)
                            for (std::int64_t i = 0; i < m[0]; ++i, ++at)
                                ASSERT_NEAR(
                                    values[at],
                                    plain[static_cast<std::size_t>(
                                        (mirrored(m, k, 2) * m[1] + mirrored(m, j, 1)) * m[0] + mirrored(m, i, 0))],
                                    bound)
                                    << name_of(kernel) << " " << name_of(policy) << " flips " << flips;
                }
            }
        }
    }
}

// At whole factors the kernels that are partitions of unity spread each voxel with equal total weight, so a structure
// away from the faces keeps its mean: up (each voxel fills `factor` voxels an axis) and down with the low-pass.
TEST(Mean, IsKeptAtWholeFactors) {
    const Grid input = axis_grid({48, 48, 36}, {1, 1, 1});
    Field field(input.extent, DType::float64, Layout::packed);
    std::mt19937_64 random(21);
    field.fill([&](auto i, auto j, auto k) {
        const bool inside = std::abs(i - 23) < 4 && std::abs(j - 20) < 4 && std::abs(k - 17) < 4;
        return inside ? static_cast<double>(random() % 1000) : 0.0;
    });
    const auto values = field.values();
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    for (Kernel kernel :
         {Kernel::linear, Kernel::cubic, Kernel::bspline2, Kernel::bspline3, Kernel::bspline4, Kernel::bspline5}) {
        for (double t : {0.5, 2.0, 3.0, 4.0}) {
            PlanOptions options;
            options.kernel = kernel;
            options.input_dtype = options.output_dtype = DType::float64;
            const Grid output = with_spacing(input, {t, t, t}, GridPolicy::edges);
            for (Backend backend : backends()) {
                if (backend == Backend::reference && t < 1) continue;  // slow, and compared elsewhere
                const auto out = run(make_plan(input, output, options), backend, field);
                const double got = std::accumulate(out.begin(), out.end(), 0.0) / static_cast<double>(out.size());
                // The tails of the splines reach the faces: 0.43^(16/4) of 8^3 voxels at worst, for the widest.
                const bool wide = kernel != Kernel::linear && kernel != Kernel::cubic;
                const double tail = !wide ? 1e-12 : t <= 1 ? 1e-5 : std::pow(0.4306, 16 / t);
                EXPECT_NEAR(got / mean, 1.0, tail) << name_of(kernel) << " " << t;
            }
        }
    }
}

// The response to one bright voxel is the kernel.
TEST(Delta, GivesTheKernel) {
    const std::int64_t n = 61;
    const Grid input = axis_grid({n, 1, 1}, {1, 1, 1});
    for (Kernel kernel : kKernels) {
        if (kernel == Kernel::area || kernel == Kernel::gaussian) continue;  // no function of the distance alone
        const bool sinc = kernel >= Kernel::lanczos2 && kernel <= Kernel::sinc_blackman;
        for (DType dtype : {DType::float32, DType::float64}) {
            Field field(input.extent, dtype, Layout::packed);
            field.fill([](auto i, auto, auto) { return i == 30 ? 1.0 : 0.0; });
            // A step of 9/64: positions are exact in double, so that nothing but the weights is compared.
            const Grid output = axis_grid({120, 1, 1}, {0.140625, 1, 1}, {22, 0, 0});
            PlanOptions options;
            options.kernel = kernel;
            options.antialias = Antialias::none;
            options.input_dtype = options.output_dtype = dtype;
            // In double a spline is a sum of up to six terms of magnitude up to 3, rounded on both sides. Poles from
            // closed forms that cancel were 1.8e-15 off here.
            const double quantum = dtype == DType::float32 ? 0x1p-23 : 0x1p-50;
            for (Backend backend : backends()) {
                const auto values = run(make_plan(input, output, options), backend, field);
                for (std::size_t o = 0; o < values.size(); ++o) {
                    const double x = 22 + 0.140625 * static_cast<double>(o) - 30;
                    double sum = 1.0;
                    if (sinc) {
                        sum = 0.0;
                        for (int j = -6; j <= 6; ++j) sum += oracle::kernel_value(kernel, x - std::floor(x) - j);
                    }
                    EXPECT_NEAR(values[o], oracle::kernel_value(kernel, -x) / sum, quantum)
                        << name_of(kernel) << " " << x;
                }
            }
        }
    }
}

}  // namespace
}  // namespace revoxel::harness
