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
/// Sigma of a Gaussian low-pass in units of what it is made from, squared (docs/conventions.md).
constexpr double kCardoso = 5.545177444479562;  // 8 ln 2
constexpr double kAperture = 12.0;
constexpr double kMirp = 0.402;  // sqrt(-8 ln 0.98)

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

/// The factor by which an axis is low-passed, where k input voxels make one of m output voxels: an aperture of
/// `aperture` voxels becomes one of k. 1: not at all.
double low_pass_factor(double k, double aperture, std::int64_t m) {
    if ((k - 1.0) * static_cast<double>(m) <= kSamePosition) return 1.0;
    return aperture == 1.0 ? k : std::sqrt(std::max(1.0, 1.0 + k * k - aperture * aperture));
}

/// One input axis: what the options ask for there.
struct AxisPlan {
    AxisFilter filter;
    Antialias antialias = Antialias::none;  ///< none where nothing is down-sampled; never automatic
    double step = 1.0;                      ///< input voxels per output voxel, above 0
    double factor = 1.0;                    ///< of the low-pass
    double blur = 0.0;

    bool widened() const { return antialias == Antialias::stretch || antialias == Antialias::pillow; }
};

AxisPlan axis_plan(const Plan& plan, int input_axis, double step, std::int64_t m) {
    const PlanOptions& options = plan.options;
    AxisPlan axis;
    axis.filter = {options.kernel[input_axis], options.shape, options.boundary, plan.compute};
    axis.step = std::fabs(step);
    axis.blur = options.blur[input_axis];
    const Kernel kernel = axis.filter.kernel;
    Antialias wanted = options.antialias[input_axis];
    if (wanted == Antialias::automatic) {
        wanted = kernel == Kernel::nearest || kernel == Kernel::area ? Antialias::none
                 : options.labels                                    ? Antialias::pillow
                                                                     : Antialias::stretch;
    }
    const double factor = low_pass_factor(axis.step, options.aperture[input_axis], m);
    if (wanted != Antialias::none && factor > 1.0) {
        axis.antialias = wanted;
        axis.factor = factor;
    }
    return axis;
}

/// The Gaussian low-pass on the input grid that the antialias mode names, if it is one.
std::optional<Rows> gaussian_low_pass(const AxisPlan& axis, std::int64_t n) {
    const double k = axis.factor;
    const Boundary boundary = axis.filter.boundary;
    switch (axis.antialias) {
        case Antialias::gaussian: return sampled_gaussian_rows(n, boundary, std::sqrt((k * k - 1.0) / kCardoso));
        case Antialias::aperture: return exact_gaussian_rows(n, boundary, (k * k - 1.0) / kAperture);
        case Antialias::skimage: return sampled_gaussian_rows(n, boundary, (k - 1.0) / 2.0);
        case Antialias::mirp: return sampled_gaussian_rows(n, boundary, kMirp * k);
        default: return std::nullopt;
    }
}

/// Rows of one axis at the positions of `g`: the kernel and the low-pass that is made of it, then what filters the
/// input ahead of it.
Rows filter_rows(const AxisPlan& axis, const AxisGeometry& g) {
    const Boundary boundary = axis.filter.boundary;
    Rows rows;
    if (axis.antialias == Antialias::area) {
        rows = area_rows(g, boundary, axis.factor);
    } else if (axis.filter.kernel == Kernel::area) {
        rows = area_rows(g, boundary, axis.step);
    } else if (axis.antialias == Antialias::supersample) {
        rows = supersample_rows(g, axis.filter, axis.factor);
    } else {
        const double stretch = axis.widened() ? axis.factor : 1.0;
        rows = kernel_rows(g, axis.filter, stretch, axis.antialias != Antialias::pillow);
    }
    if (const std::optional<Rows> low_pass = gaussian_low_pass(axis, g.n_in)) {
        rows = compose(rows, *low_pass, g.n_in, boundary);
    }
    if (axis.blur > 0.0) {
        rows = compose(rows, exact_gaussian_rows(g.n_in, boundary, axis.blur * axis.blur), g.n_in, boundary);
    }
    return rows;
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

bool folds_by_clamping(Boundary boundary) {
    return boundary == Boundary::edge || boundary == Boundary::constant;
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
        if (kernel == Kernel::gaussian && !plan.options.labels &&
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

/// Input indices [lo, hi) of one axis that rows [lo, hi) of a table read.
void through_table(const TapTable& taps, std::int64_t& lo, std::int64_t& hi) {
    std::int64_t first = INT64_MAX, end = INT64_MIN;
    for (auto o = static_cast<std::size_t>(lo); o < static_cast<std::size_t>(hi); ++o) {
        if (taps.count[o] == 0) continue;
        first = std::min(first, taps.first[o]);
        end = std::max(end, taps.first[o] + taps.count[o]);
    }
    const bool beyond = first < 0 || end > taps.n_in;  // a periodic axis: both ends are read
    lo = end == INT64_MIN || beyond ? 0 : first;
    hi = end == INT64_MIN ? 0 : beyond ? taps.n_in : end;
}

Box3 intersection(const Box3& a, const Box3& b) {
    Box3 box;
    for (int d = 0; d < 3; ++d) {
        box.lo[d] = std::max(a.lo[d], b.lo[d]);
        box.hi[d] = std::min(a.hi[d], b.hi[d]);
    }
    return box.empty() ? Box3{} : box;
}

/// How many voxels from floor(c) a gather reads on input axis i, at most.
std::int64_t gather_reach(const AffineGather& gather, int i) {
    const Kernel kernel = gather.kernel[i];
    const double k = gather.stretch[i];
    const int radius = point_kernel(kernel, gather.shape, k).radius;
    return kernel == Kernel::gaussian ? radius + 1 : static_cast<std::int64_t>(std::ceil(radius * k)) + 1;
}

/// Indices of the gathered array that the output voxels of `box` may read.
Box3 gather_input(const AffineGather& gather, const Box3& box) {
    Box3 in;
    for (int i = 0; i < 3; ++i) {
        double lo = gather.out_to_in(i, 3), hi = lo;
        for (int a = 0; a < 3; ++a) {
            const auto first = static_cast<double>(gather.first_output[a]);
            const double x = gather.out_to_in(i, a) * (first + static_cast<double>(box.lo[a]));
            const double y = gather.out_to_in(i, a) * (first + static_cast<double>(box.hi[a] - 1));
            lo += std::min(x, y);
            hi += std::max(x, y);
        }
        const auto n = static_cast<double>(gather.inside[i]);
        const double margin = std::max(0.5, gather.margin[i]);
        const bool folded =
            gather.outside == Outside::extend && !folds_by_clamping(gather.boundary) && (lo < -0.5 || hi >= n - 0.5);
        lo = folded ? -0.5 : std::clamp(lo, -margin, n - 1.0 + margin);
        hi = folded ? n - 0.5 : std::clamp(hi, -margin, n - 1.0 + margin);
        const std::int64_t reach = gather_reach(gather, i), origin = gather.origin[i];
        in.lo[i] = std::clamp(static_cast<std::int64_t>(std::floor(lo)) - reach - origin, std::int64_t{0},
                              gather.extent[i] - 1);
        in.hi[i] = std::clamp(static_cast<std::int64_t>(std::floor(hi)) + reach + 1 - origin, std::int64_t{1},
                              gather.extent[i]);
    }
    // A label gather extends the input itself: what lies beyond a face is some voxel inside.
    if (gather.boundary != Boundary::edge && gather.extent == gather.inside) in = {{0, 0, 0}, gather.extent};
    return in;
}

/// The output grid of `box`.
Grid grid_of_box(const Grid& grid, const Box3& box) {
    Grid part = grid;
    Vec3 origin;
    for (int d = 0; d < 3; ++d) {
        part.extent[d] = box.hi[d] - box.lo[d];
        origin[d] = static_cast<double>(box.lo[d]);
    }
    const Vec3 world = grid.affine * origin;
    for (int r = 0; r < 3; ++r) part.affine(r, 3) = world[r];
    return part;
}

/// A cut gather: the prefilters make only what it reads.
void crop_gather(Plan& plan, const Box3& box) {
    auto& gather = std::get<AffineGather>(plan.stages.back());
    const Box3 needed = gather_input(gather, box);
    for (int d = 0; d < 3; ++d) gather.first_output[d] += box.lo[d];
    for (Stage& stage : plan.stages) {
        auto* pass = std::get_if<AxisPass>(&stage);
        if (pass == nullptr) continue;
        const int i = pass->axis;
        pass->taps = sliced(pass->taps, needed.lo[i], needed.hi[i]);
        gather.origin[i] += needed.lo[i];
        gather.extent[i] = pass->taps.n_out;
        std::vector<double>& norm = gather.norm[i];
        if (!norm.empty()) norm = {norm.begin() + needed.lo[i], norm.begin() + needed.hi[i]};
    }
}

void crop_passes(Plan& plan, const Box3& box) {
    std::vector<Stage> stages;
    for (int a : kPassOrder) {
        const auto found = std::find_if(plan.stages.begin(), plan.stages.end(),
                                        [a](const Stage& s) { return std::get<AxisPass>(s).axis == a; });
        const bool whole = box.lo[a] == 0 && box.hi[a] == plan.output.extent[a];
        if (found != plan.stages.end()) {
            AxisPass pass = std::get<AxisPass>(*found);
            pass.taps = sliced(pass.taps, box.lo[a], box.hi[a]);
            stages.push_back(std::move(pass));
        } else if (!whole) {
            stages.push_back(
                AxisPass{a, AxisPass::Purpose::resample, identity_table(plan.output.extent[a], box.lo[a], box.hi[a])});
        }
    }
    plan.stages = std::move(stages);
}

[[noreturn]] void refuse(const std::string& message) {
    throw Error(ErrorCode::usage, message);
}

void check_shape(const PlanOptions& o) {
    const bool sinc = is_windowed_sinc(o.kernel[0]) || is_windowed_sinc(o.kernel[1]) || is_windowed_sinc(o.kernel[2]);
    if (o.shape.radius < 2 || o.shape.radius > 8) {
        refuse(fmt::format("a kernel radius of {} voxels is not possible; expected 2 to 8", o.shape.radius));
    }
    if (!(o.shape.sigma > 0.0) || !(o.shape.alpha > 0.0) || !(o.shape.sigma * o.shape.alpha < 1000.0)) {
        refuse(
            fmt::format("a Gaussian of sigma {:g} voxels cut at {:g} sigma is not possible; expected numbers above 0",
                        o.shape.sigma, o.shape.alpha));
    }
    if (o.shape.normalised) return;
    if (!sinc)
        refuse("unnormalised weights are for the sinc kernels only; choose one (sinc-hamming, say) or leave it out");
    if (o.boundary == Boundary::renormalise) refuse("unnormalised weights contradict boundary renormalise; choose one");
    if (o.nan_aware)
        refuse("unnormalised weights contradict NaN-aware ones, which are divided by their sum; choose one");
    if (o.boundary == Boundary::constant || o.outside == Outside::extend) {
        refuse(
            "unnormalised weights do not keep a constant outside; choose boundary edge, mirror, reflect or wrap, and "
            "fill "
            "outside");
    }
}

void check_low_pass(const PlanOptions& o, int i) {
    const Kernel kernel = o.kernel[i];
    const Antialias antialias = o.antialias[i];
    if (kernel == Kernel::nearest && (antialias == Antialias::stretch || antialias == Antialias::pillow)) {
        refuse(
            "kernel nearest picks one voxel and cannot be widened against aliasing; choose linear, or antialias none");
    }
    if (kernel == Kernel::area && antialias != Antialias::automatic) {
        refuse(
            fmt::format("kernel area is a low-pass itself and does not go with antialias {}; leave one of the two out",
                        name_of(antialias)));
    }
    if (!(o.blur[i] >= 0.0) || !(o.blur[i] < 1e4)) {
        refuse(fmt::format("a blur of {:g} voxels is not possible; expected 0 or more", o.blur[i]));
    }
    if (!(o.aperture[i] > 0.0) || !std::isfinite(o.aperture[i])) {
        refuse(fmt::format("an aperture of {:g} voxels is not possible; expected a number above 0", o.aperture[i]));
    }
}

void check_labels(const PlanOptions& o) {
    for (int i = 0; i < 3; ++i) {
        const Kernel kernel = o.kernel[i];
        if (kernel != Kernel::nearest && kernel != Kernel::linear && kernel != Kernel::area &&
            kernel != Kernel::gaussian) {
            refuse(
                fmt::format("labels cannot be interpolated with kernel {}: its negative weights have no meaning for "
                            "votes; choose linear, nearest, area or gaussian",
                            name_of(kernel)));
        }
        if (o.antialias[i] != Antialias::automatic && o.antialias[i] != Antialias::none) {
            refuse(
                fmt::format("labels do not go with antialias {}: they are voted on, not averaged; leave it out (the "
                            "vote covers the output voxel where labels are down-sampled)",
                            name_of(o.antialias[i])));
        }
        if (o.blur[i] != 0.0) refuse("labels cannot be blurred; leave the target resolution out");
    }
    if (o.boundary == Boundary::constant) refuse("labels do not go with boundary constant; choose edge");
    if (o.clip != Clip::none) refuse("labels do not go with clipping: votes never leave the labels; leave it out");
    if (o.nan_aware) refuse("labels do not go with NaN-aware weights; leave it out");
    if (o.threshold) refuse("a threshold does not go with labels as they are; ask for the fraction of a label");
    if (o.output_slope != 1.0 || o.output_intercept != 0.0) {
        refuse("labels are moved, not scaled; keep the stored type or one of the same kind");
    }
}

void check_options(const PlanOptions& o) {
    check_shape(o);
    for (int i = 0; i < 3; ++i) check_low_pass(o, i);
    if (o.labels) check_labels(o);
    if (o.outside == Outside::extend && o.boundary == Boundary::renormalise) {
        refuse("boundary renormalise has nothing to extend the input with; choose another boundary, or fill outside");
    }
    if (!std::isfinite(o.output_slope) || !std::isfinite(o.output_intercept)) {
        refuse("the output scaling is not finite; expected a finite slope and intercept");
    }
    if (o.threshold && std::isnan(*o.threshold)) refuse("a threshold of NaN is not possible; expected a number");
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
    check_options(options);
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
    if (options.output_slope != 1.0 || options.output_intercept != 0.0 || options.threshold) return false;
    const bool rounds = !is_integer(options.input_dtype) && is_integer(options.output_dtype);
    if (rounds && options.rounding != Rounding::even && !options.labels) return false;
    return std::all_of(stages.begin(), stages.end(), [](const Stage& stage) {
        if (const auto* pass = std::get_if<AxisPass>(&stage)) return pass->taps.is_copy();
        const auto& gather = std::get<AffineGather>(stage);
        return gather.kernel == PerAxis<Kernel>(Kernel::nearest) && gather.outside == Outside::fill;
    });
}

Plan Plan::cropped(const Box3& box) const {
    for (int d = 0; d < 3; ++d) {
        if (box.lo[d] < 0 || box.hi[d] > output.extent[d] || box.hi[d] <= box.lo[d]) {
            throw Error(ErrorCode::usage, "a plan can be cut to a box inside its output only; expected indices inside");
        }
    }
    Plan part = *this;
    if (separable) {
        crop_passes(part, box);
    } else {
        crop_gather(part, box);
    }
    part.output = grid_of_box(output, box);
    for (int d = 0; d < 3; ++d) {
        if (separable) part.axes[d].first_output += box.lo[d];
        part.covered.lo[d] = std::clamp(covered.lo[d] - box.lo[d], std::int64_t{0}, part.output.extent[d]);
        part.covered.hi[d] = std::clamp(covered.hi[d] - box.lo[d], std::int64_t{0}, part.output.extent[d]);
    }
    if (part.covered.empty()) part.covered = Box3{};
    return part;
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
