// How far rounding may take an executor from the oracle.
//
// An executor runs stages; each stage replaces its input by sums of T products of weights with samples. Let A bound the
// magnitude of what enters a stage, N be the largest sum of |weight| of a row, u the unit roundoff and q the quantum
// that weights are rounded to. Then a stage makes an error of
//     A T w                 T weights, each off by w
//     + A N T u             T fused multiply-adds, each within u of a partial sum of magnitude at most N A
// and hands on N times the error that came in, and a magnitude of at most N A. Nothing needs weights that sum to one:
// that rows of unnormalised kernels do not is in N.
//
// Weights of tables (separable passes, and what runs on the input grid ahead of a gather; one table for an axis, its
// filters composed): w = q, rounded so that the row still sums to one. Taps of less than q/4 are not counted, but what
// they weigh is, and two more for those that the table has cut or moved. A constant boundary is one tap more: its share
// is known to q, and adding it rounds once. Boundary renormalise divides in double, before weights are rounded. Both
// sides make these weights in double, by up to 8 roundings for each filter that is composed: N 8 2^-53 each, which
// counts when the compute type is double.
//
// Weights that a gather makes on the fly, in the compute type: w = 4 q, eight roundings of numbers of magnitude one,
// the fraction of the position among them. Kernels that are divided by their sum make it a sum of T such weights: w (1
// + N) in place of w.
//
// Ahead of a gather come up to three tables, y, x, z. The error that one of them makes goes through the later tables
// and the gather together, which is one interpolation along each of those axes: N of its whole row (B-spline
// coefficients alone would have N = 7.5 for order 5, and the three of them far from any data); along its own axis and
// those done before, through the gather's weights alone. A is what the arrays really hold.
//
// Boundary renormalise of a gather divides by S, the product of the sums of the weights inside along the axes, each
// wrong by T w + T u; nan_aware divides two such sums, N/D, D that of samples of 0 and 1. For both
//     |N'/D' - N/D| <= (e_N + |N/D| e_D)/(D - e_D) + u |N/D|.
//
// Positions add a term of their own: both sides compose affines in double, which displaces c by at most `shift`, and
// the value by shift A times the sum of |derivative of the weights|, on each axis, A the magnitude that a gather or the
// passes hand on. Clamping (clip) moves two values no farther apart.
#include <algorithm>
#include <cmath>
#include <limits>

#include "oracle/oracle.hpp"

namespace revoxel::oracle {
namespace {

constexpr double kDoubleWeight = 8 * 0x1p-53;
constexpr std::int64_t kBeyond = 4;  // voxels: as far beyond the faces as the widest basis spline reads
constexpr int kGatherOrder[] = {1, 0, 2};

template <typename F>
void for_each_voxel(const Extent& n, F&& f) {
    for (std::int64_t k = 0; k < n[2]; ++k)
        for (std::int64_t j = 0; j < n[1]; ++j)
            for (std::int64_t i = 0; i < n[0]; ++i) f(Extent{i, j, k});
}

double sum_abs(const Row& row) {
    double sum = std::abs(row.outside);
    for (double w : row.weight) sum += std::abs(w);
    return sum;
}

double largest_abs(const std::vector<double>& field) {
    double largest = 0.0;
    for (double v : field)
        if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
    return largest;
}

bool is_copy(const Row& row) {
    return row.outside == 0.0 && row.weight.size() == 1 && row.weight[0] == 1.0;
}

// T of a row of a table.
double counted_taps(const Row& row, double quantum) {
    double count = 0.0, small = 0.0;
    const auto add = [&](double w) {
        if (std::abs(w) > quantum / 4)
            count += 1.0;
        else
            small += std::abs(w) / quantum;
    };
    for (double w : row.weight) add(w);
    add(row.outside);
    return small > 0.0 ? count + small + 2.0 : count;
}

// The array with `row` i of `rows` in place of index i along `axis`, whose extent changes.
std::vector<double> applied(const std::vector<Row>& rows, int axis, Extent& n, const std::vector<double>& field,
                            double outside) {
    std::int64_t stride = 1;
    for (int a = 0; a < axis; ++a) stride *= n[a];
    const std::int64_t from = n[axis], to = static_cast<std::int64_t>(rows.size());
    const std::int64_t lines = static_cast<std::int64_t>(field.size()) / from;
    std::vector<double> out(static_cast<std::size_t>(lines * to));
    for (std::int64_t i = 0; i < to; ++i) {
        const Row& row = rows[static_cast<std::size_t>(i)];
        for (std::int64_t line = 0; line < lines; ++line) {
            const std::int64_t before = line / stride * stride * from + line % stride + row.first * stride,
                               after = line / stride * stride * to + line % stride + i * stride;
            double sum = row.outside == 0.0 ? 0.0 : row.outside * outside;
            for (std::size_t t = 0; t < row.weight.size(); ++t)
                sum += row.weight[t] * field[static_cast<std::size_t>(before + static_cast<std::int64_t>(t) * stride)];
            out[static_cast<std::size_t>(after)] = sum;
        }
    }
    n[axis] = to;
    return out;
}

double quotient_error(double numerator_error, double quotient, double denominator, double denominator_error,
                      double unit) {
    if (denominator <= denominator_error) return std::numeric_limits<double>::infinity();
    return (numerator_error + quotient * denominator_error) / (denominator - denominator_error) + unit * quotient;
}

}  // namespace

// The one table of an axis: a separable pass, or what runs ahead of a gather.
std::vector<Row> Oracle::table(int axis) const {
    const std::int64_t n = input_.extent[axis];
    const int order = spline_order(options_.kernel[axis]);
    std::vector<Row> rows;
    if (separable_) {
        const int along = output_axis_[axis];
        for (std::int64_t i = 0; i < output_.extent[along]; ++i) {
            Extent o{0, 0, 0};
            o[along] = i;
            const double c = position(o)[axis];
            if (options_.outside == Outside::extend || (c > -0.6 && c < static_cast<double>(n) - 0.4))
                rows.push_back(make_row(axis, taps_at(axis, c)));
        }
    } else if (order > 0) {
        for (std::int64_t i = -kBeyond; i < n + kBeyond; ++i)
            rows.push_back(folded(coefficient_taps(order, i), options_.boundary, n));
    } else {
        for (std::int64_t i = 0; i < n; ++i) rows.push_back({i, {1.0}, 0.0});
    }
    for (auto filter = on_grid_[axis].rbegin(); filter != on_grid_[axis].rend(); ++filter)
        for (Row& row : rows) row = composed(row, *filter, n);
    return rows;
}

Oracle::Stage Oracle::table_stage(int axis, const std::vector<Row>& rows, const Precision& precision) const {
    Stage stage;
    if (std::all_of(rows.begin(), rows.end(), is_copy)) return stage;  // no pass, or one that moves values
    double taps = 0.0;
    for (const Row& row : rows) {
        taps = std::max(taps, counted_taps(row, precision.quantum));
        stage.sum_abs = std::max(stage.sum_abs, sum_abs(row));
    }
    const double filters = static_cast<double>(on_grid_[axis].size() + 1);
    stage.made =
        taps * precision.quantum + filters * stage.sum_abs * kDoubleWeight + stage.sum_abs * taps * precision.unit;
    return stage;
}

Oracle::Stage Oracle::gather_stage(int axis, const Precision& precision) const {
    Stage stage;
    const Kernel kernel = options_.kernel[axis];
    if (kernel == Kernel::nearest) return stage;
    const int order = spline_order(kernel);
    // N at all fractions of a voxel in steps of 1/64, the half among them, where the sums of |weight| are largest.
    double taps = order + 1;
    for (int f = 0; order == 0 && f < 64; ++f) {
        const Taps row = kernel_taps(kernel, options_.shape, f / 64.0);
        double sum = 0.0;
        for (const auto& [j, w] : row) sum += std::abs(w);
        taps = std::max(taps, static_cast<double>(row.size()));
        stage.sum_abs = std::max(stage.sum_abs, sum);
    }
    const bool polynomial = order > 0 || kernel == Kernel::linear || kernel == Kernel::cubic;
    const double weight = 4 * precision.quantum * (polynomial ? 1 : 1 + stage.sum_abs);
    stage.made = taps * (weight + stage.sum_abs * precision.unit);
    return stage;
}

// N of tables and gather together, at all positions in steps of 1/8.
double Oracle::interpolation_sum(int axis) const {
    const std::int64_t n = input_.extent[axis];
    double largest = 1.0;
    for (double c = -0.5; c <= static_cast<double>(n) - 0.5; c += 0.125) {
        Row row = folded(kernel_taps(options_.kernel[axis], options_.shape, c), options_.boundary, n);
        for (auto filter = on_grid_[axis].rbegin(); filter != on_grid_[axis].rend(); ++filter)
            row = composed(row, *filter, n);
        largest = std::max(largest, sum_abs(row));
    }
    return largest;
}

// Of a sum of weights and samples, before anything is divided. `field` is what goes in, `outside` beside it.
double Oracle::sum_error(const Precision& precision, std::vector<double> field, double outside) const {
    double amplitude = largest_abs(field), error = 0.0;
    if (options_.boundary == Boundary::constant) amplitude = std::max(amplitude, std::abs(outside));
    amplitude = std::max(amplitude, std::numeric_limits<double>::min());
    const auto run = [&](const Stage& stage) {
        error = stage.sum_abs * error + amplitude * stage.made;
        amplitude *= stage.sum_abs;
    };
    if (separable_) {
        for (int axis = 0; axis < 3; ++axis) run(table_stage(axis, table(axis), precision));
    } else {
        std::array<Stage, 3> gather;
        for (int axis = 0; axis < 3; ++axis) gather[axis] = gather_stage(axis, precision);
        double made = 0.0;  // by the tables, as it comes out of the gather
        Extent n = input_.extent;
        for (int axis : kGatherOrder) {
            const std::vector<Row> rows = table(axis);
            const Stage stage = table_stage(axis, rows, precision);
            if (stage.made == 0.0) continue;
            made = made * interpolation_sum(axis) / gather[axis].sum_abs + amplitude * stage.made;
            field = applied(rows, axis, n, field, outside);
            amplitude = std::max(largest_abs(field), options_.boundary == Boundary::constant ? std::abs(outside) : 0.0);
        }
        for (const Stage& stage : gather) made *= stage.sum_abs;
        for (const Stage& stage : gather) run(stage);
        error += made;
    }
    double slopes = 0.0;
    for (int axis = 0; axis < 3; ++axis) slopes += slope_sum(axis);
    return error + slopes * position_error() * amplitude;
}

double Oracle::value_sum_error(const Precision& precision) const {
    const auto known = value_errors_.find(precision.unit);
    if (known != value_errors_.end()) return known->second;
    std::vector<double> field = samples_;
    for (double& v : field)
        if (!std::isfinite(v)) v = 0.0;
    return value_errors_[precision.unit] = sum_error(precision, std::move(field), options_.boundary_value);
}

double Oracle::share_sum_error(const Precision& precision) const {
    const auto known = share_errors_.find(precision.unit);
    if (known != share_errors_.end()) return known->second;
    std::vector<double> field = samples_;
    for (double& v : field) v = std::isfinite(v) ? 1.0 : 0.0;
    return share_errors_[precision.unit] = sum_error(precision, std::move(field), 1.0);
}

// `error` of a sum, after a gather has divided it by S; `quotient` is the result.
double Oracle::renormalised_error(const Precision& precision, const Extent& o, double error, double quotient) const {
    if (separable_ || options_.boundary != Boundary::renormalise) return error;
    const Vec3 c = position(o);
    double sum = 1.0, wrong = 0.0;
    for (int axis = 0; axis < 3; ++axis) {
        sum *=
            folded(kernel_taps(options_.kernel[axis], options_.shape, c[axis]), options_.boundary, input_.extent[axis])
                .inside();
        wrong += gather_stage(axis, precision).made + slope_sum(axis) * position_error();
    }
    return quotient_error(error, std::abs(quotient), sum, wrong, precision.unit);
}

double Oracle::share_error(const Precision& precision, const Extent& o) const {
    return renormalised_error(precision, o, share_sum_error(precision), finite_share(o));
}

double Oracle::error_bound(const Precision& precision, const Extent& o) const {
    const double v = weighted(rows_at(o), filtered_, options_.boundary_value);
    const double error = renormalised_error(precision, o, value_sum_error(precision), v);
    if (!options_.nan_aware) return error;
    const double share = finite_share(o);
    return quotient_error(error, std::abs(v / share), share, share_error(precision, o), precision.unit);
}

double Oracle::error_bound(const Precision& precision) const {
    const bool divides = options_.nan_aware || (!separable_ && options_.boundary == Boundary::renormalise);
    if (!divides) return value_sum_error(precision);
    double largest = 0.0;
    for_each_voxel(output_.extent, [&](const Extent& o) {
        if (inside(o) && (!options_.nan_aware || finite_share(o) >= kLeastShare))
            largest = std::max(largest, error_bound(precision, o));
    });
    return largest;
}

// The largest sum over the taps of |derivative of the weight|, rounded up: how much a value can change with position.
// Widening only lowers it.
double Oracle::slope_sum(int axis) const {
    const KernelShape& shape = options_.shape;
    // A box loses on one side what it gains on the other.
    if (separable_ && antialias(axis) == Antialias::area) return 2.0 / low_pass_[axis];
    switch (options_.kernel[axis]) {
        case Kernel::nearest: return 0.0;
        case Kernel::linear: return 2.0;
        case Kernel::cubic: return 3.2;
        case Kernel::area: return 2.0 / step_[axis];
        case Kernel::gaussian:
            // A voxel's share changes by the difference of the density at its two faces: over all voxels by twice the
            // largest density, 0.4/sigma. The sum that it is divided by changes no more, and is at least what lies
            // within the cut.
            return 2 * 0.8 / shape.sigma / std::erf(shape.alpha / std::sqrt(2.0));
        default: return 6.0;
    }
}

// How far, in input voxels, rounding may have moved a position on both sides together. Each composes a product of two
// affines and an inverse: at most eight roundings of numbers no larger than |A_in^-1| (|A_out| o + |translations|).
// Where the grids are made of binary fractions nothing is rounded at all, and then nothing is granted.
double Oracle::position_error() const {
    if (position_error_) return *position_error_;
    double largest = 0.0;
    for (int i = 0; i < 3 && !positions_are_exact(); ++i) {
        double reach = 0.0;
        for (int r = 0; r < 3; ++r) {
            double world = std::abs(input_.affine.m[r][3]) + std::abs(output_.affine.m[r][3]);
            for (int a = 0; a < 3; ++a)
                world += std::abs(output_.affine.m[r][a]) * static_cast<double>(output_.extent[a]);
            Vec3 unit = world_of_index(input_, {0, 0, 0});
            unit[r] += 1.0;
            reach += std::abs(index_of_world(input_, unit)[i]) * world;
        }
        largest = std::max(largest, 16 * 0x1p-53 * reach);
    }
    position_error_ = largest;
    return largest;
}

bool Oracle::positions_are_exact() const {
    bool exact = true;
    for_each_voxel(output_.extent,
                   [&](const Extent& o) { exact = exact && unsnapped_position(o) == exact_position(o); });
    return exact;
}

// unsnapped_position() with more digits, rounded once at the end.
Vec3 Oracle::exact_position(const Extent& o) const {
    using Long = long double;
    const auto& in = input_.affine.m;
    const auto& out = output_.affine.m;
    std::array<Long, 3> d;
    for (int r = 0; r < 3; ++r) {
        d[r] = static_cast<Long>(out[r][3]) - in[r][3];
        for (int a = 0; a < 3; ++a) d[r] += static_cast<Long>(out[r][a]) * static_cast<Long>(o[a]);
    }
    // Cramer's rule again: the determinant with column i replaced by d.
    const auto determinant_with = [&](int column) {
        std::array<std::array<Long, 3>, 3> m;
        for (int r = 0; r < 3; ++r)
            for (int c = 0; c < 3; ++c) m[r][c] = c == column ? d[r] : static_cast<Long>(in[r][c]);
        return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
               m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
    };
    const Long volume = determinant_with(3);
    Vec3 c;
    for (int i = 0; i < 3; ++i) c[i] = static_cast<double>(determinant_with(i) / volume);
    return c;
}

}  // namespace revoxel::oracle
