#include "revoxel/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "math/kernels.hpp"
#include "plan/taps.hpp"
#include "revoxel/error.hpp"

namespace revoxel {
namespace {

/// Positions closer than this, in input voxels at the corners of the output grid, are the same (float32 headers).
constexpr double kSamePosition = 1e-4;
/// y, x, z: the order in which the passes of every plan run.
constexpr std::array<int, 3> kPassOrder{1, 0, 2};
/// Coefficients that a cubic B-spline reads beyond a position in [-1/2, n - 1/2).
constexpr std::int64_t kSplinePad = 2;

double last_index(const Grid& grid, int axis) {
    return static_cast<double>(grid.extent[axis] - 1);
}

bool is_wide(DType dtype) {
    return size_of(dtype) >= 4 && dtype != DType::float32;
}

/// How far, in input voxels, the other output axes move the position along input axis `row`, at the farthest corner.
double cross_talk(const Affine& m, const Grid& output, int row, int axis) {
    double sum = 0.0;
    for (int a = 0; a < 3; ++a) {
        if (a != axis) sum += std::fabs(m(row, a)) * last_index(output, a);
    }
    return sum;
}

/// The permutation that makes the plan separable, if there is one: output axis a reads input axis p[a]. Where several
/// do (an output axis of one voxel has no direction), the one that follows the affine's directions best.
std::optional<std::array<int, 3>> separable_axes(const Affine& m, const Grid& output) {
    std::optional<std::array<int, 3>> best;
    double best_sum = -1.0;
    std::array<int, 3> p{0, 1, 2};
    do {
        double sum = 0.0;
        bool fits = true;
        for (int a = 0; a < 3; ++a) {
            fits = fits && cross_talk(m, output, p[a], a) < kSamePosition;
            const double length = std::hypot(m(0, a), m(1, a), m(2, a));
            sum += std::fabs(m(p[a], a)) / length;
        }
        if (fits && sum > best_sum + 1e-9) {
            best = p;
            best_sum = sum;
        }
    } while (std::next_permutation(p.begin(), p.end()));
    return best;
}

/// The axis pass's geometry. Off-diagonal parts of the affine are replaced by their value at the middle of the grid,
/// and an axis that only moves by whole voxels is made to do so exactly.
AxisGeometry axis_geometry(const Affine& m, const Grid& input, const Grid& output, int axis, int input_axis) {
    AxisGeometry g;
    g.n_in = input.extent[input_axis];
    g.n_out = output.extent[axis];
    g.step = m(input_axis, axis);
    g.offset = m(input_axis, 3);
    for (int a = 0; a < 3; ++a) {
        if (a != axis) g.offset += m(input_axis, a) * 0.5 * last_index(output, a);
    }
    const double last = last_index(output, axis);
    const double whole_step = std::copysign(1.0, g.step), whole_offset = std::floor(g.offset + 0.5);
    const double end = g.offset + g.step * last, whole_end = whole_offset + whole_step * last;
    if (std::fabs(g.step - whole_step) < kSamePosition && std::fabs(g.offset - whole_offset) < kSamePosition &&
        std::fabs(end - whole_end) < kSamePosition) {
        g.step = whole_step;
        g.offset = whole_offset;
    }
    g.lo = g.hi = 0;
    for (std::int64_t o = 0; o < g.n_out; ++o) {
        if (!math::inside_axis(std::fma(g.step, static_cast<double>(o), g.offset), g.n_in)) continue;
        if (g.hi == 0) g.lo = o;
        g.hi = o + 1;
    }
    return g;
}

/// The factor by which anti-aliasing widens the kernel where `step` input voxels make one of m output voxels.
double stretch_of(const PlanOptions& options, double step, std::int64_t m) {
    const bool wanted = options.antialias == Antialias::stretch ||
                        (options.antialias == Antialias::automatic && options.kernel != Kernel::nearest);
    const double k = std::fabs(step);
    return wanted && (k - 1.0) * static_cast<double>(m) > kSamePosition ? k : 1.0;
}

void plan_separable(Plan& plan, const Affine& m) {
    for (int a : kPassOrder) {
        const AxisGeometry g = axis_geometry(m, plan.input, plan.output, a, plan.input_axis[a]);
        const double stretch = stretch_of(plan.options, g.step, g.n_out);
        plan.covered.lo[a] = g.lo;
        plan.covered.hi[a] = g.hi;
        TapTable taps = make_table(resample_rows(g, plan.options.kernel, stretch, plan.compute), g.n_in, plan.compute);
        plan.axes[a] = {plan.input_axis[a], g.step, g.offset, taps.is_copy(), stretch > 1.0};
        if (!taps.is_identity()) plan.stages.push_back(AxisPass{a, AxisPass::Purpose::resample, std::move(taps)});
    }
}

/// The pass that input axis i needs ahead of a gather: low-pass, B-spline coefficients, or one after the other.
std::optional<TapTable> gather_prefilter(const Plan& plan, int i, double stretch) {
    const std::int64_t n = plan.input.extent[i];
    std::vector<Row> rows;
    if (stretch > 1.0) rows = resample_rows({n, n, 1.0, 0.0, 0, n}, plan.options.kernel, stretch, plan.compute);
    if (plan.options.kernel == Kernel::bspline3) {
        std::vector<Row> coefficients = coefficient_rows(n, kSplinePad, 3, plan.compute);
        rows = rows.empty() ? std::move(coefficients) : compose(coefficients, rows);
    }
    if (rows.empty()) return std::nullopt;
    return make_table(rows, n, plan.compute);
}

/// A box of output indices that holds every voxel inside the input: the bounding box of the input's corners.
Box3 gather_cover(const Plan& plan, const Affine& m) {
    const Affine in_to_out = inverse(m);
    Vec3 lo{INFINITY, INFINITY, INFINITY}, hi{-INFINITY, -INFINITY, -INFINITY};
    for (int corner = 0; corner < 8; ++corner) {
        Vec3 p;
        for (int d = 0; d < 3; ++d) p[d] = (corner >> d & 1) ? last_index(plan.input, d) + 0.5 : -0.5;
        const Vec3 q = in_to_out * p;
        for (int d = 0; d < 3; ++d) {
            lo[d] = std::min(lo[d], q[d]);
            hi[d] = std::max(hi[d], q[d]);
        }
    }
    Box3 box;
    for (int d = 0; d < 3; ++d) {
        const double n = static_cast<double>(plan.output.extent[d]);
        box.lo[d] = static_cast<std::int64_t>(std::clamp(std::floor(lo[d] - 0.01), 0.0, n));
        box.hi[d] = static_cast<std::int64_t>(std::clamp(std::ceil(hi[d] + 0.01) + 1.0, 0.0, n));
    }
    return box.empty() ? Box3{} : box;
}

void plan_gather(Plan& plan, const Affine& m) {
    const Kernel kernel = plan.options.kernel;
    if (kernel != Kernel::nearest && kernel != Kernel::linear && kernel != Kernel::cubic &&
        kernel != Kernel::bspline3) {
        throw Error(
            ErrorCode::usage,
            fmt::format("kernel {} does not work on a grid that is oblique to the input; choose nearest, linear, "
                        "cubic or bspline3",
                        name_of(kernel)));
    }
    AffineGather gather;
    gather.out_to_in = m;
    gather.kernel = kernel;
    gather.extent = plan.input.extent;
    std::array<double, 3> stretch{1.0, 1.0, 1.0};
    for (int i : kPassOrder) {
        // The largest steps decide how fine the output samples input axis i: Jacobian row norm (ALGORITHMS: oblique).
        const double k = std::hypot(m(i, 0), m(i, 1), m(i, 2));
        stretch[i] = stretch_of(plan.options, k, plan.input.extent[i]);
        if (std::optional<TapTable> taps = gather_prefilter(plan, i, stretch[i])) {
            gather.pad[i] = (taps->n_out - taps->n_in) / 2;
            gather.extent[i] = taps->n_out;
            plan.stages.push_back(AxisPass{i, AxisPass::Purpose::prefilter, std::move(*taps)});
        }
        plan.axes[i] = {i, k, 0.0, false, stretch[i] > 1.0};
    }
    plan.stages.push_back(gather);
    plan.covered = gather_cover(plan, m);
}

/// Input indices [lo, hi) of one axis that rows [lo, hi) of a table read.
void through_table(const TapTable& taps, std::int64_t& lo, std::int64_t& hi) {
    std::int64_t first = INT64_MAX, end = 0;
    for (auto o = static_cast<std::size_t>(lo); o < static_cast<std::size_t>(hi); ++o) {
        if (taps.count[o] == 0) continue;
        first = std::min(first, taps.first[o]);
        end = std::max(end, taps.first[o] + taps.count[o]);
    }
    lo = end == 0 ? 0 : first;
    hi = end;
}

Box3 intersection(const Box3& a, const Box3& b) {
    Box3 box;
    for (int d = 0; d < 3; ++d) {
        box.lo[d] = std::max(a.lo[d], b.lo[d]);
        box.hi[d] = std::min(a.hi[d], b.hi[d]);
    }
    return box.empty() ? Box3{} : box;
}

/// Indices of the gathered array that the output voxels of `box` may read.
Box3 gather_input(const AffineGather& gather, const Box3& box) {
    const std::int64_t reach = gather.kernel == Kernel::nearest ? 1 : 2;
    Box3 in;
    for (int i = 0; i < 3; ++i) {
        double lo = gather.out_to_in(i, 3), hi = lo;
        for (int a = 0; a < 3; ++a) {
            const double x = gather.out_to_in(i, a) * static_cast<double>(box.lo[a]);
            const double y = gather.out_to_in(i, a) * static_cast<double>(box.hi[a] - 1);
            lo += std::min(x, y);
            hi += std::max(x, y);
        }
        const double n = static_cast<double>(gather.extent[i] - 2 * gather.pad[i]);
        lo = std::clamp(lo, -0.5, n - 0.5);
        hi = std::clamp(hi, -0.5, n - 0.5);
        in.lo[i] = std::clamp(static_cast<std::int64_t>(std::floor(lo)) - reach + gather.pad[i], std::int64_t{0},
                              gather.extent[i] - 1);
        in.hi[i] = std::clamp(static_cast<std::int64_t>(std::floor(hi)) + reach + 1 + gather.pad[i], std::int64_t{1},
                              gather.extent[i]);
    }
    return in;
}

}  // namespace

Plan make_plan(const Grid& input, const Grid& output, const PlanOptions& options) {
    voxel_count(input);
    voxel_count(output);
    for (const Grid* grid : {&input, &output}) {
        const std::int64_t longest = *std::max_element(grid->extent.begin(), grid->extent.end());
        if (longest > INT32_MAX) {  // executors index an axis with 32 bits
            throw Error(ErrorCode::input,
                        fmt::format("an axis of {} voxels cannot be resampled; expected fewer than 2^31", longest));
        }
    }
    if (options.kernel == Kernel::nearest && options.antialias == Antialias::stretch) {
        throw Error(ErrorCode::usage,
                    "kernel nearest picks one voxel and cannot be widened against aliasing; choose linear, "
                    "or antialias none");
    }
    if (!std::isfinite(options.output_slope) || !std::isfinite(options.output_intercept)) {
        throw Error(ErrorCode::usage, "the output scaling is not finite; expected a finite slope and intercept");
    }
    Plan plan;
    plan.input = input;
    plan.output = output;
    plan.options = options;
    plan.compute = is_wide(options.input_dtype) || is_wide(options.output_dtype) ? ComputeType::f64 : ComputeType::f32;
    const Affine m = out_to_in(input, output);
    inverse(output.affine);  // an output grid must be as usable as an input grid
    const std::optional<std::array<int, 3>> axes = separable_axes(m, output);
    plan.separable = axes.has_value();
    if (axes) {
        plan.input_axis = *axes;
        plan_separable(plan, m);
        if (plan.covered.empty()) plan.covered = Box3{};
    } else {
        plan_gather(plan, m);
    }
    return plan;
}

bool Plan::is_copy() const {
    if (options.output_slope != 1.0 || options.output_intercept != 0.0) return false;
    return std::all_of(stages.begin(), stages.end(), [](const Stage& stage) {
        if (const auto* pass = std::get_if<AxisPass>(&stage)) return pass->taps.is_copy();
        return std::get<AffineGather>(stage).kernel == Kernel::nearest;
    });
}

Box3 Plan::input_box(const Box3& box) const {
    Box3 in = intersection(box, covered);
    if (in.empty()) return {};
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
        if (const auto* gather = std::get_if<AffineGather>(&*stage)) {
            in = gather_input(*gather, in);
        } else {
            const auto& pass = std::get<AxisPass>(*stage);
            through_table(pass.taps, in.lo[pass.axis], in.hi[pass.axis]);
        }
    }
    if (!separable) return in;
    Box3 permuted;
    for (int a = 0; a < 3; ++a) {
        permuted.lo[input_axis[a]] = in.lo[a];
        permuted.hi[input_axis[a]] = in.hi[a];
    }
    return permuted;
}

}  // namespace revoxel
