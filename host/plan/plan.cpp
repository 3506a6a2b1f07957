#include "revoxel/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "math/kernels.hpp"
#include "plan/axis_plan.hpp"
#include "plan/boundary.hpp"
#include "plan/check_options.hpp"
#include "plan/taps.hpp"
#include "revoxel/error.hpp"

namespace revoxel {
namespace {

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

bool is_unit_sum(const PlanOptions& options) {
    return options.shape.normalised;
}

void plan_separable(Plan& plan, const Affine& m) {
    for (int a : kPassOrder) {
        AxisGeometry g = axis_geometry(m, plan.input, plan.output, a, plan.input_axis[a]);
        if (plan.options.outside == Outside::extend) {
            g.lo = 0;
            g.hi = g.n_out;
        }
        const AxisPlan axis = axis_plan(plan, plan.input_axis[a], g.step, g.n_out);
        plan.covered.lo[a] = g.lo;
        plan.covered.hi[a] = g.hi;
        const Rows rows = filter_rows(axis, g);
        TapTable taps = plan.options.labels ? make_label_table(rows, g.n_in, axis.filter.boundary)
                                            : make_table(rows, g.n_in, plan.compute, axis.filter.boundary,
                                                         plan.options.boundary_value, is_unit_sum(plan.options));
        const bool area = axis.filter.kernel == Kernel::area && low_pass_factor(axis.step, 1.0, g.n_out) > 1.0;
        plan.axes[a] = {plan.input_axis[a], g.step, g.offset, 0, taps.is_copy(), axis.factor > 1.0 || area};
        if (!taps.is_identity()) plan.stages.push_back(AxisPass{a, AxisPass::Purpose::resample, std::move(taps)});
    }
}

/// How a gather's positions stay where its array has samples, when all output voxels are computed. Far outside, the
/// extended signal of edge and constant is what it is `margin` voxels outside: beyond the reach of the kernel.
double extend_margin(const AxisFilter& filter) {
    const int degree = bspline_degree(filter.kernel);
    const int reach = point_kernel(filter.kernel, filter.shape).radius;
    return degree == 0 ? reach + 1.0
                       : static_cast<double>(cardinal_coefficients(degree, filter.compute).size()) + reach;
}

/// The pass that input axis i needs ahead of a gather: low-pass, extension by the boundary, B-spline coefficients, or
/// several in one. Sets what the gather must know of it.
std::optional<TapTable> gather_prefilter(const Plan& plan, const AxisPlan& axis, int i, AffineGather& gather) {
    const std::int64_t n = plan.input.extent[i];
    const Boundary boundary = axis.filter.boundary;
    const bool extend = plan.options.outside == Outside::extend;
    const int degree = bspline_degree(axis.filter.kernel);
    if (extend) gather.margin[i] = folds_by_clamping(boundary) ? extend_margin(axis.filter) : 0.5;

    AxisPlan ahead = axis;  // the low-pass alone, at the positions of the input's own voxels
    if (!axis.widened() && axis.antialias != Antialias::supersample) ahead.filter.kernel = Kernel::linear;
    Rows rows;
    if (axis.antialias != Antialias::none || axis.blur > 0.0) rows = filter_rows(ahead, {n, n, 1.0, 0.0, 0, n});
    const bool reads_outside = axis.filter.kernel != Kernel::nearest || extend;
    if (degree > 0 || (boundary != Boundary::edge && reads_outside)) {
        const auto pad = static_cast<std::int64_t>(std::ceil(gather.margin[i])) +
                         point_kernel(axis.filter.kernel, axis.filter.shape).radius;
        const Rows extension = degree > 0 ? coefficient_rows(n, -pad, n + pad, degree, boundary, plan.compute)
                                          : extension_rows(n, -pad, n + pad, boundary);
        gather.origin[i] = -pad;
        if (boundary == Boundary::renormalise) {
            for (const Row& row : extension) {
                double sum = 0.0;
                for (double w : row.weight) sum += w;
                gather.norm[i].push_back(sum);
            }
        }
        rows = rows.empty() ? extension : compose(extension, rows, n, boundary);
    }
    if (rows.empty()) return std::nullopt;
    const bool sums_to_one = is_unit_sum(plan.options) && boundary != Boundary::renormalise;
    TapTable taps = make_table(rows, n, plan.compute, boundary, plan.options.boundary_value, sums_to_one);
    if (taps.is_identity()) return std::nullopt;
    return taps;
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

void check_gather_kernels(const Plan& plan) {
    for (int i = 0; i < 3; ++i) {
        const Kernel kernel = plan.options.kernel[i];
        const char* reason = nullptr;
        if (kernel == Kernel::area) reason = "an output voxel is no box of input voxels there";
        if (kernel == Kernel::gaussian &&
            2.0 * plan.options.shape.alpha * plan.options.shape.sigma + 2.0 > math::kGatherTaps) {
            reason = "it reaches farther than 7 voxels";
        }
        if (reason == nullptr) continue;
        throw Error(ErrorCode::usage,
                    fmt::format("kernel {} does not work on a grid that is oblique to the input: {}; choose another, "
                                "linear say",
                                name_of(kernel), reason));
    }
}

void plan_gather(Plan& plan, const Affine& m) {
    check_gather_kernels(plan);
    const PlanOptions& options = plan.options;
    AffineGather gather;
    gather.out_to_in = m;
    gather.kernel = options.kernel;
    gather.shape = options.shape;
    gather.inside = gather.extent = plan.input.extent;
    gather.boundary = options.boundary;
    gather.outside = options.outside;
    for (int i : kPassOrder) {
        // The largest steps decide how fine the output samples input axis i: Jacobian row norm (ALGORITHMS: oblique).
        const double k = std::hypot(m(i, 0), m(i, 1), m(i, 2));
        const AxisPlan axis = axis_plan(plan, i, k, plan.input.extent[i]);
        plan.axes[i] = {i, k, 0.0, 0, false, axis.factor > 1.0};
        if (options.labels) {
            gather.stretch[i] = axis.factor;
            if (options.outside == Outside::extend) {
                const math::PointKernel kernel = point_kernel(options.kernel[i], options.shape, axis.factor);
                gather.margin[i] = std::ceil(std::max(kernel.reach, axis.factor)) + 1.0;
            }
            continue;
        }
        if (std::optional<TapTable> taps = gather_prefilter(plan, axis, i, gather)) {
            gather.extent[i] = taps->n_out;
            plan.stages.push_back(AxisPass{i, AxisPass::Purpose::prefilter, std::move(*taps)});
        }
    }
    plan.stages.push_back(gather);
    plan.covered = options.outside == Outside::extend ? Box3{{0, 0, 0}, plan.output.extent} : gather_cover(plan, m);
}

/// A plan with all but its stages.
Plan begin_plan(const Grid& input, const Grid& output, const PlanOptions& options) {
    voxel_count(input);
    voxel_count(output);
    for (const Grid* grid : {&input, &output}) {
        const std::int64_t longest = *std::max_element(grid->extent.begin(), grid->extent.end());
        if (longest > INT32_MAX) {  // executors index an axis with 32 bits
            throw Error(ErrorCode::input,
                        fmt::format("an axis of {} voxels cannot be resampled; expected fewer than 2^31", longest));
        }
    }
    check_options(options);
    Plan plan;
    plan.input = input;
    plan.output = output;
    plan.options = options;
    plan.compute = is_wide(options.input_dtype) || is_wide(options.output_dtype) ? ComputeType::f64 : ComputeType::f32;
    return plan;
}

}  // namespace

Plan make_plan(const Grid& input, const Grid& output, const PlanOptions& options) {
    Plan plan = begin_plan(input, output, options);
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

Plan make_patch_plan(const Extent& input, const Extent& patch, const PlanOptions& options) {
    const PlanOptions none;
    for (int a = 0; a < 3; ++a) {
        const Antialias mode = options.antialias[a];
        if (mode == Antialias::automatic || mode == Antialias::none) continue;
        throw Error(ErrorCode::usage,
                    fmt::format("patches take no low-pass, and antialias is {}; expected none", name_of(mode)));
    }
    if (options.blur != none.blur || options.aperture != none.aperture) {
        throw Error(ErrorCode::usage, "patches take no low-pass, and there is a blur or an aperture; expected none");
    }
    Grid from, to;
    from.extent = input;
    to.extent = patch;
    Plan plan = begin_plan(from, to, options);
    plan.separable = false;
    plan_gather(plan, Affine{});
    plan.covered = {{0, 0, 0}, patch};
    return plan;
}

bool Plan::is_copy() const {
    if (options.output_slope != 1.0 || options.output_intercept != 0.0 || options.threshold) return false;
    const bool rounds = !is_integer(options.input_dtype) && is_integer(options.output_dtype);
    if (rounds && options.rounding != Rounding::even && !options.labels) return false;
    return std::all_of(stages.begin(), stages.end(), [](const Stage& stage) {
        if (const auto* pass = std::get_if<AxisPass>(&stage)) return pass->taps.is_copy();
        const auto& gather = std::get<AffineGather>(stage);
        return gather.kernel == PerAxis<Kernel>(Kernel::nearest) && gather.outside == Outside::fill;
    });
}

}  // namespace revoxel
