#include "oracle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace revoxel::oracle {
namespace {

// Samples added on each side before spline coefficients are solved for. The influence of the cut decays like the
// largest pole to this power: 0.4306^64 = 4e-24 for order 5.
constexpr int kPad = 64;
// Cardinal splines are dropped where they are smaller than this; relative to the value that is below a rounding of
// double times the number of taps.
constexpr double kNegligible = 1e-17;

int spline_order(Kernel kernel) {
    switch (kernel) {
        case Kernel::bspline2: return 2;
        case Kernel::bspline3: return 3;
        case Kernel::bspline4: return 4;
        case Kernel::bspline5: return 5;
        default: return 0;
    }
}

double sinc(double x) {
    if (x == 0.0) return 1.0;
    const double px = 3.14159265358979323846 * x;
    return std::sin(px) / px;
}

// Solves M X = R in place, where M(i, j) = basis_spline(order, i - j): symmetric, positive definite, banded, and well
// conditioned (7.5 at worst), so that elimination without pivoting is stable. R has `columns` columns, row-major.
void solve_spline_system(int order, std::size_t rows, std::size_t columns, std::vector<double>& r) {
    const std::size_t band = static_cast<std::size_t>(order / 2);
    std::vector<double> m(rows * rows, 0.0);
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < rows; ++j)
            m[i * rows + j] = basis_spline(order, static_cast<double>(i) - static_cast<double>(j));
    for (std::size_t p = 0; p < rows; ++p) {
        for (std::size_t i = p + 1; i < std::min(rows, p + band + 1); ++i) {
            const double factor = m[i * rows + p] / m[p * rows + p];
            for (std::size_t j = p; j < std::min(rows, p + band + 1); ++j) m[i * rows + j] -= factor * m[p * rows + j];
            for (std::size_t c = 0; c < columns; ++c) r[i * columns + c] -= factor * r[p * columns + c];
        }
    }
    for (std::size_t p = rows; p-- > 0;) {
        for (std::size_t c = 0; c < columns; ++c) {
            double sum = r[p * columns + c];
            for (std::size_t j = p + 1; j < std::min(rows, p + band + 1); ++j)
                sum -= m[p * rows + j] * r[j * columns + c];
            r[p * columns + c] = sum / m[p * rows + p];
        }
    }
}

// Coefficients of the spline that is 1 at 0 and 0 at every other integer, from -kPad to kPad.
const std::vector<double>& cardinal_coefficients(int order) {
    static const std::array<std::vector<double>, 4> kAll = [] {
        std::array<std::vector<double>, 4> all;
        for (int n = 2; n <= 5; ++n) {
            auto& c = all[static_cast<std::size_t>(n - 2)];
            c.assign(2 * kPad + 1, 0.0);
            c[kPad] = 1.0;
            solve_spline_system(n, c.size(), 1, c);
        }
        return all;
    }();
    return kAll[static_cast<std::size_t>(order - 2)];
}

double cardinal_spline(int order, double x) {
    const auto& c = cardinal_coefficients(order);
    const double half = 0.5 * (order + 1);
    double sum = 0.0;
    for (auto j = static_cast<int>(std::ceil(x - half)); j <= std::floor(x + half); ++j)
        if (std::abs(j) <= kPad) sum += c[static_cast<std::size_t>(j + kPad)] * basis_spline(order, x - j);
    return sum;
}

// Distance beyond which the kernel is zero (or negligible), in units of its own width.
double support_radius(Kernel kernel) {
    switch (kernel) {
        case Kernel::nearest: return 0.5;
        case Kernel::linear: return 1.0;
        case Kernel::cubic: return 2.0;
        case Kernel::lanczos3: return 3.0;
        default: break;
    }
    const auto& c = cardinal_coefficients(spline_order(kernel));
    int j = kPad;
    while (j > 0 && std::abs(c[static_cast<std::size_t>(j + kPad)]) < kNegligible) --j;
    return std::min<double>(kPad, j + 3.0);
}

std::int64_t clamp_index(std::int64_t j, std::int64_t n) {
    return std::clamp<std::int64_t>(j, 0, n - 1);
}

double norm(double x, double y, double z) {
    return std::sqrt(x * x + y * y + z * z);
}

// The largest sum over the taps of |derivative of the kernel|, rounded up: how much a value can change with position.
double slope_sum(Kernel kernel) {
    switch (kernel) {
        case Kernel::nearest: return 0.0;
        case Kernel::linear: return 2.0;
        case Kernel::cubic: return 3.2;
        default: return 6.0;
    }
}

template <typename F>
void for_each_voxel(const Extent& n, F&& f) {
    for (std::int64_t k = 0; k < n[2]; ++k)
        for (std::int64_t j = 0; j < n[1]; ++j)
            for (std::int64_t i = 0; i < n[0]; ++i) f(Extent{i, j, k});
}

Vec3 difference(const Vec3& a, const Vec3& b) {
    return {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
}

}  // namespace

double basis_spline(int order, double x) {
    if (order == 0) return x >= -0.5 && x < 0.5 ? 1.0 : 0.0;
    const double half = 0.5 * (order + 1);
    if (std::abs(x) >= half) return 0.0;
    return ((half + x) * basis_spline(order - 1, x + 0.5) + (half - x) * basis_spline(order - 1, x - 0.5)) / order;
}

double kernel_value(Kernel kernel, double x) {
    const double a = std::abs(x);
    switch (kernel) {
        case Kernel::nearest: return x >= -0.5 && x < 0.5 ? 1.0 : 0.0;
        case Kernel::linear: return a < 1 ? 1 - a : 0.0;
        case Kernel::cubic:  // Keys, a = -1/2
            if (a < 1) return 1.5 * a * a * a - 2.5 * a * a + 1;
            return a < 2 ? -0.5 * a * a * a + 2.5 * a * a - 4 * a + 2 : 0.0;
        case Kernel::lanczos3: return a < 3 ? sinc(x) * sinc(x / 3) : 0.0;
        default: return cardinal_spline(spline_order(kernel), x);
    }
}

// Cramer's rule on the columns of the affine, so that nothing is shared with a matrix inverse elsewhere.
Vec3 index_of_world(const Grid& grid, const Vec3& world) {
    const auto& m = grid.affine.m;
    const Vec3 d{world[0] - m[0][3], world[1] - m[1][3], world[2] - m[2][3]};
    std::array<Vec3, 3> column;
    for (int c = 0; c < 3; ++c) column[c] = {m[0][c], m[1][c], m[2][c]};
    const auto triple = [](const Vec3& a, const Vec3& b, const Vec3& c) {
        return a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) +
               a[2] * (b[0] * c[1] - b[1] * c[0]);
    };
    const double volume = triple(column[0], column[1], column[2]);
    return {triple(d, column[1], column[2]) / volume, triple(column[0], d, column[2]) / volume,
            triple(column[0], column[1], d) / volume};
}

Vec3 world_of_index(const Grid& grid, const Vec3& index) {
    const auto& m = grid.affine.m;
    Vec3 world;
    for (int r = 0; r < 3; ++r) world[r] = m[r][0] * index[0] + m[r][1] * index[1] + m[r][2] * index[2] + m[r][3];
    return world;
}

Oracle::Oracle(const Grid& input, const Grid& output, Kernel kernel, bool stretch, std::vector<double> samples)
    : input_(input), output_(output), kernel_(kernel), samples_(std::move(samples)) {
    // The rows of the index-space affine, from images of points: position(e_a) - position(0).
    const Vec3 origin = position({0, 0, 0});
    std::array<Vec3, 3> step;
    for (int a = 0; a < 3; ++a) {
        Extent o{0, 0, 0};
        o[a] = 1;
        step[a] = difference(position(o), origin);
    }
    // Separable: over the whole output grid no input axis depends on a second output axis by more than 1e-4 voxel.
    for (int i = 0; i < 3; ++i) {
        Vec3 reach;
        for (int a = 0; a < 3; ++a) reach[a] = std::abs(step[a][i]) * static_cast<double>(output.extent[a] - 1);
        int main = 0;
        for (int a = 1; a < 3; ++a)
            if (std::abs(step[a][i]) > std::abs(step[main][i])) main = a;
        if (reach[0] + reach[1] + reach[2] - reach[main] > 1e-4) separable_ = false;
        stretch_[i] = std::abs(step[main][i]);
    }
    for (int i = 0; i < 3; ++i) {
        if (!separable_) stretch_[i] = norm(step[0][i], step[1][i], step[2][i]);
        // A step within 1e-9 of 1 is rounding of the affines, not down-sampling.
        if (!stretch || stretch_[i] <= 1.0 + 1e-9) stretch_[i] = 1.0;
    }
    for (double v : samples_)
        if (std::isfinite(v)) max_abs_ = std::max(max_abs_, std::abs(v));

    if (const int order = spline_order(kernel)) {
        for (int axis = 0; axis < 3; ++axis) {
            const auto n = static_cast<std::size_t>(input.extent[axis]);
            const std::size_t rows = n + 2 * kPad;
            auto& c = coefficients_[axis];
            c.assign(rows * n, 0.0);
            for (std::size_t j = 0; j < rows; ++j)
                c[j * n +
                  static_cast<std::size_t>(clamp_index(static_cast<std::int64_t>(j) - kPad, input.extent[axis]))] = 1;
            solve_spline_system(order, rows, n, c);
        }
    }
    if (!separable_) low_pass();
}

Vec3 Oracle::position(const Extent& o) const {
    const Vec3 index{static_cast<double>(o[0]), static_cast<double>(o[1]), static_cast<double>(o[2])};
    return index_of_world(input_, world_of_index(output_, index));
}

bool Oracle::inside(const Extent& o) const {
    const Vec3 c = position(o);
    for (int a = 0; a < 3; ++a) {
        const double n = static_cast<double>(input_.extent[a]);
        if (!(c[a] + kTie >= -0.5 && c[a] + kTie < n - 0.5)) return false;
    }
    return true;
}

// Weights around position c for a kernel stretched by k; k == 1 is plain interpolation.
Oracle::Row Oracle::make_row(int axis, double c, double k) const {
    const std::int64_t n = input_.extent[axis];
    std::vector<double> w(static_cast<std::size_t>(n), 0.0);
    const int order = spline_order(kernel_);
    if (kernel_ == Kernel::nearest) {
        w[static_cast<std::size_t>(clamp_index(static_cast<std::int64_t>(std::floor(c + 0.5 + kTie)), n))] = 1.0;
    } else if (order > 0 && k == 1.0) {
        const double half = 0.5 * (order + 1);
        const auto last = static_cast<std::int64_t>(std::floor(c + half));
        for (auto j = static_cast<std::int64_t>(std::ceil(c - half)); j <= last; ++j) {
            const double b = basis_spline(order, c - static_cast<double>(j));
            for (std::size_t i = 0; i < w.size(); ++i)
                w[i] += b * coefficients_[axis][static_cast<std::size_t>(j + kPad) * w.size() + i];
        }
    } else {
        // Sums to one; a stretched kernel also has its centre of gravity at c: h + |h| (p + q d), where p and q follow
        // by Gauss' elimination from sum of changes = 0 and first moment = 0.
        const double reach = support_radius(kernel_) * k;
        const auto begin = static_cast<std::int64_t>(std::ceil(c - reach));
        const auto last = static_cast<std::int64_t>(std::floor(c + reach));
        const auto h_at = [&](std::int64_t j) { return kernel_value(kernel_, (static_cast<double>(j) - c) / k); };
        double sum = 0.0, moment = 0.0, size[3] = {0, 0, 0};
        for (std::int64_t j = begin; j <= last; ++j) {
            const double h = h_at(j), d = static_cast<double>(j) - c;
            sum += h;
            moment += h * d;
            for (int power = 0; power < 3; ++power) size[power] += std::abs(h) * std::pow(d, power);
        }
        const double factor = size[1] / size[0];
        const double q = k > 1.0 ? -moment / (size[2] - factor * size[1]) : 0.0, p = -q * factor;
        for (std::int64_t j = begin; j <= last; ++j) {
            const double h = h_at(j), d = static_cast<double>(j) - c;
            w[static_cast<std::size_t>(clamp_index(j, n))] += (h + std::abs(h) * (p + q * d)) / sum;
        }
    }
    Row row;
    std::size_t lo = 0, hi = w.size();
    while (lo + 1 < hi && w[lo] == 0.0) ++lo;
    while (hi > lo + 1 && w[hi - 1] == 0.0) --hi;
    row.first = static_cast<std::int64_t>(lo);
    row.weight.assign(w.begin() + static_cast<std::ptrdiff_t>(lo), w.begin() + static_cast<std::ptrdiff_t>(hi));
    return row;
}

const Oracle::Row& Oracle::interpolation_row(int axis, double c) const {
    auto& known = rows_[axis];
    const auto found = known.find(c);
    if (found != known.end()) return found->second;
    return known.emplace(c, make_row(axis, c, separable_ ? stretch_[axis] : 1.0)).first->second;
}

double Oracle::value(const Extent& o) const {
    const Vec3 c = position(o);
    const Row& x = interpolation_row(0, c[0]);
    const Row& y = interpolation_row(1, c[1]);
    const Row& z = interpolation_row(2, c[2]);
    // Sums of sums: one long sum over all voxels would lose ten times as many bits.
    double volume = 0.0;
    for (std::size_t k = 0; k < z.weight.size(); ++k) {
        double plane = 0.0;
        for (std::size_t j = 0; j < y.weight.size(); ++j) {
            const std::int64_t at =
                ((z.first + static_cast<std::int64_t>(k)) * input_.extent[1] + y.first + static_cast<std::int64_t>(j)) *
                    input_.extent[0] +
                x.first;
            double line = 0.0;
            for (std::size_t i = 0; i < x.weight.size(); ++i) {
                if (x.weight[i] != 0.0) line += x.weight[i] * samples_[static_cast<std::size_t>(at) + i];
            }
            if (y.weight[j] != 0.0) plane += y.weight[j] * line;
        }
        if (z.weight[k] != 0.0) volume += z.weight[k] * plane;
    }
    return volume;
}

void Oracle::low_pass() {
    for (int axis = 0; axis < 3; ++axis)
        if (stretch_[axis] > 1.0) low_pass_axis(axis);
}

void Oracle::low_pass_axis(int axis) {
    const std::int64_t n = input_.extent[axis];
    std::int64_t stride = 1;
    for (int a = 0; a < axis; ++a) stride *= input_.extent[a];
    std::vector<Row> rows;
    for (std::int64_t i = 0; i < n; ++i) rows.push_back(make_row(axis, static_cast<double>(i), stretch_[axis]));
    const std::vector<double> before = samples_;
    for (std::int64_t v = 0; v < static_cast<std::int64_t>(samples_.size()); ++v) {
        const std::int64_t i = (v / stride) % n;
        const Row& row = rows[static_cast<std::size_t>(i)];
        double sum = 0.0;
        for (std::size_t t = 0; t < row.weight.size(); ++t)
            if (row.weight[t] != 0.0)
                sum += row.weight[t] *
                       before[static_cast<std::size_t>(v + (row.first + static_cast<std::int64_t>(t) - i) * stride)];
        samples_[static_cast<std::size_t>(v)] = sum;
    }
}

// An executor runs stages; each stage replaces its input by sums of T products of weights with samples. Let A bound the
// magnitude of what enters a stage, e the error that has been made so far, N the largest sum of |weight| of a row, u
// the unit roundoff and q the quantum that weights are rounded to. Then a stage makes
//     e' = N e              what came in, weighted
//        + A T q            T weights each off by one quantum: rounded so that the row still sums to one
//        + A N T u          T fused multiply-adds, each within u of a partial sum of magnitude at most N A
//     A' = N A.
// Positions add a term of their own: both sides compose affines in double, which displaces c by at most `shift`, and
// the value by at most 8 shift A N^2 (8 exceeds the slope sum of every kernel here; stretching only lowers it). T and N
// come from the oracle's own rows: taps of less than q/4 are counted as two more, as they decay geometrically.
double Oracle::error_bound(const Precision& precision) const {
    double amplitude = std::max(max_abs_, std::numeric_limits<double>::min());
    double error = 0.0;
    const auto stage = [&](double taps, double sum_abs, double quanta = 1.0) {
        error = sum_abs * error + amplitude * taps * (quanta * precision.quantum + sum_abs * precision.unit);
        amplitude *= sum_abs;
    };
    const auto row_stage = [&](int axis, const std::vector<Row>& rows) {
        double taps = 1.0, sum_abs = 1.0;
        for (const Row& row : rows) {
            double count = 0.0, sum = 0.0;
            for (double w : row.weight) {
                if (std::abs(w) > precision.quantum / 4) count += 1.0;
                sum += std::abs(w);
            }
            taps = std::max(taps, count + (count > 1 ? 2.0 * stretch_[axis] : 0.0));
            sum_abs = std::max(sum_abs, sum);
        }
        stage(taps, sum_abs);
    };
    for (int axis = 0; axis < 3; ++axis) {
        std::vector<Row> rows;
        if (separable_) {
            int main = 0;
            const Vec3 origin = position({0, 0, 0});
            double longest = -1.0;
            for (int a = 0; a < 3; ++a) {
                Extent o{0, 0, 0};
                o[a] = 1;
                const double length = std::abs(difference(position(o), origin)[axis]);
                if (length > longest) longest = length, main = a;
            }
            for (std::int64_t i = 0; i < output_.extent[main]; ++i) {
                Extent o{0, 0, 0};
                o[main] = i;
                const double c = position(o)[axis];
                if (c > -0.6 && c < static_cast<double>(input_.extent[axis]) - 0.4)
                    rows.push_back(make_row(axis, c, stretch_[axis]));
            }
            row_stage(axis, rows);
            continue;
        }
        if (stretch_[axis] > 1.0) {
            for (std::int64_t i = 0; i < input_.extent[axis]; ++i)
                rows.push_back(make_row(axis, static_cast<double>(i), stretch_[axis]));
            row_stage(axis, rows);
        }
        // Samples to cubic B-spline coefficients: weights sqrt3 z^|j|, whose magnitudes sum to 3; those above 2^-25
        // (2^-54) are 27 (57).
        if (kernel_ == Kernel::bspline3) stage(precision.unit > 1e-10 ? 29 : 59, 3.0);
    }
    if (!separable_) {
        // Four taps per axis at most, and basis splines and linear weights are positive; Keys sums to 1.25. A gather
        // makes its weights on the fly, a cubic polynomial each: up to eight roundings of numbers of magnitude one.
        const double taps = kernel_ == Kernel::nearest ? 1 : kernel_ == Kernel::linear ? 2 : 4;
        for (int axis = 0; axis < 3; ++axis) stage(taps, kernel_ == Kernel::cubic ? 1.25 : 1.0, 4.0);
    }
    return error + 3 * slope_sum(kernel_) * position_error() * amplitude;
}

// How far, in input voxels, rounding may have moved a position on both sides together. Each composes a product of two
// affines and an inverse: at most eight roundings of numbers no larger than |A_in^-1| (|A_out| o + |translations|).
// Where the grids are made of binary fractions nothing is rounded at all, and then nothing is granted.
double Oracle::position_error() const {
    bool exact = true;
    for_each_voxel(output_.extent, [&](const Extent& o) { exact = exact && position(o) == exact_position(o); });
    if (exact) return 0.0;
    double largest = 0.0;
    for (int i = 0; i < 3; ++i) {
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
    return largest;
}

// position() with more digits, rounded once at the end.
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

double stored_value(DType dtype, double v) {
    if (dtype == DType::float64) return v;
    if (dtype == DType::float32) return static_cast<double>(static_cast<float>(v));
    if (std::isnan(v)) return 0.0;
    // nearbyint rounds to nearest even in the default environment.
    return std::clamp(std::nearbyint(v), lowest_value(dtype), highest_value(dtype));
}

}  // namespace revoxel::oracle
