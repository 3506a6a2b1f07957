#include "oracle/filters.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace revoxel::oracle {
namespace {

constexpr double kPi = 3.14159265358979323846;
// Samples on each side of the one whose cardinal spline is solved for. The influence of the cut decays like the largest
// pole to this power: 0.4306^64 = 4e-24 for order 5.
constexpr int kPad = 64;
// Cardinal splines are dropped where they are smaller than this; relative to the value that is below a rounding of
// double times the number of taps.
constexpr double kNegligible = 1e-17;

/// The integers of [begin, end].
template <typename F>
void for_each_between(double begin, double end, F&& f) {
    const auto last = static_cast<std::int64_t>(std::floor(end));
    for (auto j = static_cast<std::int64_t>(std::ceil(begin)); j <= last; ++j) f(j, static_cast<double>(j));
}

double sinc(double x) {
    return x == 0.0 ? 1.0 : std::sin(kPi * x) / (kPi * x);
}

// Coefficients of the spline that is 1 at 0 and 0 at every other integer, from -kPad to kPad: solves M c = delta with
// M(i, j) = basis_spline(order, i - j). M is symmetric, positive definite and well conditioned (7.5 at worst), so that
// elimination without pivoting is stable.
std::vector<double> solve_cardinal(int order) {
    const int rows = 2 * kPad + 1, band = order / 2;
    std::vector<std::vector<double>> m(rows, std::vector<double>(rows));
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < rows; ++j) m[i][j] = basis_spline(order, i - j);
    std::vector<double> c(rows, 0.0);
    c[kPad] = 1.0;
    for (int p = 0; p < rows; ++p) {
        for (int i = p + 1; i < std::min(rows, p + band + 1); ++i) {
            const double factor = m[i][p] / m[p][p];
            for (int j = p; j < std::min(rows, p + band + 1); ++j) m[i][j] -= factor * m[p][j];
            c[i] -= factor * c[p];
        }
    }
    for (int p = rows - 1; p >= 0; --p) {
        for (int j = p + 1; j < std::min(rows, p + band + 1); ++j) c[p] -= m[p][j] * c[j];
        c[p] /= m[p][p];
    }
    return c;
}

// Coefficient j of the cardinal spline; 0 where it is negligible.
double cardinal_coefficient(int order, std::int64_t j) {
    static const std::array<std::vector<double>, 4> kAll{solve_cardinal(2), solve_cardinal(3), solve_cardinal(4),
                                                         solve_cardinal(5)};
    if (std::abs(j) > kPad) return 0.0;
    const double c = kAll[static_cast<std::size_t>(order - 2)][static_cast<std::size_t>(j + kPad)];
    return std::abs(c) < kNegligible ? 0.0 : c;
}

double cardinal_spline(int order, double x) {
    const double half = 0.5 * (order + 1);
    double sum = 0.0;
    for_each_between(x - half, x + half, [&](std::int64_t j, double at) {
        sum += cardinal_coefficient(order, j) * basis_spline(order, x - at);
    });
    return sum;
}

bool is_sinc(Kernel kernel) {
    switch (kernel) {
        case Kernel::lanczos2:
        case Kernel::lanczos3:
        case Kernel::lanczos4:
        case Kernel::sinc_lanczos:
        case Kernel::sinc_hamming:
        case Kernel::sinc_cosine:
        case Kernel::sinc_welch:
        case Kernel::sinc_blackman: return true;
        default: return false;
    }
}

// lanczos2 to lanczos4 are what they are, whatever the shape says; 0 for the others.
int lanczos_radius(Kernel kernel) {
    switch (kernel) {
        case Kernel::lanczos2: return 2;
        case Kernel::lanczos3: return 3;
        case Kernel::lanczos4: return 4;
        default: return 0;
    }
}

int sinc_radius(Kernel kernel, const KernelShape& shape) {
    const int r = lanczos_radius(kernel);
    return r > 0 ? r : shape.radius;
}

// t = x/r.
double window(Kernel kernel, double t) {
    switch (kernel) {
        case Kernel::sinc_hamming: return 0.54 + 0.46 * std::cos(kPi * t);
        case Kernel::sinc_cosine: return std::cos(kPi * t / 2);
        case Kernel::sinc_welch: return 1 - t * t;
        case Kernel::sinc_blackman: return 0.42 + 0.5 * std::cos(kPi * t) + 0.08 * std::cos(2 * kPi * t);
        default: return sinc(t);
    }
}

// The part of a Gaussian of standard deviation s around 0 that lies in the voxel around x. A voxel counts when the cut
// at `alpha` reaches into it by more than kTie.
double gaussian_voxel(double x, const KernelShape& shape) {
    if (std::abs(x) >= 0.5 + shape.alpha * shape.sigma - kTie) return 0.0;
    const double unit = std::sqrt(2.0) * shape.sigma;
    return 0.5 * (std::erf((x + 0.5) / unit) - std::erf((x - 0.5) / unit));
}

// Distance beyond which kernel_value is zero, in input voxels.
double support_radius(Kernel kernel, const KernelShape& shape) {
    if (is_sinc(kernel)) return sinc_radius(kernel, shape);
    if (spline_order(kernel) > 0) return kPad;
    switch (kernel) {
        case Kernel::gaussian: return 0.5 + shape.alpha * shape.sigma;
        case Kernel::cubic: return 2.0;
        default: return 1.0;
    }
}

void divide(Taps& taps, double by) {
    for (auto& [j, w] : taps) w /= by;
}

double sum_of(const Taps& taps) {
    double sum = 0.0;
    for (const auto& [j, w] : taps) sum += w;
    return sum;
}

// Each weight h becomes h + |h| (p + q d), d = j - c; p and q follow by Gauss' elimination from: the sum does not
// change, and the first moment becomes 0. One tap alone cannot be moved.
void centre(Taps& taps, double c) {
    if (taps.size() < 2) return;
    double moment = 0.0, size[3] = {0, 0, 0};
    for (const auto& [j, h] : taps) {
        const double d = static_cast<double>(j) - c;
        moment += h * d;
        for (int power = 0; power < 3; ++power) size[power] += std::abs(h) * std::pow(d, power);
    }
    const double factor = size[1] / size[0];
    const double q = -moment / (size[2] - factor * size[1]), p = -q * factor;
    for (auto& [j, h] : taps) h += std::abs(h) * (p + q * (static_cast<double>(j) - c));
}

// The symmetric taps exp(-d^2/(2 s^2)), |d| <= reach, divided by their sum, and their variance.
struct Sampled {
    Taps taps;
    double variance;
};
Sampled sample_gaussian(double s, std::int64_t reach) {
    Sampled g{{{0, 1.0}}, 0.0};
    for (std::int64_t d = 1; d <= reach; ++d) {
        const double x = static_cast<double>(d) / s;
        g.taps[d] = g.taps[-d] = std::exp(-0.5 * x * x);
    }
    divide(g.taps, sum_of(g.taps));
    for (const auto& [d, w] : g.taps) g.variance += static_cast<double>(d * d) * w;
    return g;
}

// Dense weights without the zeros at both ends.
Row trimmed(const std::vector<double>& w, double outside) {
    std::size_t begin = 0, end = w.size();
    while (begin < end && w[begin] == 0.0) ++begin;
    while (end > begin && w[end - 1] == 0.0) --end;
    return {static_cast<std::int64_t>(begin),
            {w.begin() + static_cast<std::ptrdiff_t>(begin), w.begin() + static_cast<std::ptrdiff_t>(end)},
            outside};
}

}  // namespace

double basis_spline(int order, double x) {
    if (order == 0) return x >= -0.5 && x < 0.5 ? 1.0 : 0.0;
    // Not from boxes: next to a knot rounding can put x + 1/2 and x - 1/2 into both of them, or into none.
    if (order == 1) return std::max(0.0, 1.0 - std::abs(x));
    const double half = 0.5 * (order + 1);
    if (std::abs(x) >= half) return 0.0;
    return ((half + x) * basis_spline(order - 1, x + 0.5) + (half - x) * basis_spline(order - 1, x - 0.5)) / order;
}

int spline_order(Kernel kernel) {
    switch (kernel) {
        case Kernel::bspline2: return 2;
        case Kernel::bspline3: return 3;
        case Kernel::bspline4: return 4;
        case Kernel::bspline5: return 5;
        default: return 0;
    }
}

double kernel_value(Kernel kernel, double x, const KernelShape& shape) {
    const double a = std::abs(x);
    if (is_sinc(kernel)) {
        const int r = sinc_radius(kernel, shape);
        return a < r ? sinc(x) * window(kernel, x / r) : 0.0;
    }
    switch (kernel) {
        case Kernel::nearest: return x >= -0.5 && x < 0.5 ? 1.0 : 0.0;
        case Kernel::cubic:
            if (a < 1) return 1.5 * a * a * a - 2.5 * a * a + 1;
            if (a < 2) return -0.5 * a * a * a + 2.5 * a * a - 4 * a + 2;
            return 0.0;
        case Kernel::gaussian: return gaussian_voxel(x, shape);
        case Kernel::linear:
        case Kernel::area: return a < 1 ? 1 - a : 0.0;
        default: return cardinal_spline(spline_order(kernel), x);
    }
}

Taps kernel_taps(Kernel kernel, const KernelShape& shape, double c) {
    if (kernel == Kernel::nearest) return {{static_cast<std::int64_t>(std::floor(c + 0.5 + kTie)), 1.0}};
    // All others but the Gaussian are 1 at 0 and 0 at every other integer: a voxel's own value, whatever is beside it.
    const double near = std::round(c);
    if (std::abs(c - near) < kSame) c = near;
    if (c == near && kernel != Kernel::gaussian) return {{static_cast<std::int64_t>(near), 1.0}};

    Taps taps;
    if (const int order = spline_order(kernel)) {
        const double half = 0.5 * (order + 1);
        for_each_between(c - half, c + half, [&](std::int64_t m, double at) {
            const double b = basis_spline(order, c - at);
            for (const auto& [j, w] : coefficient_taps(order, m)) taps[j] += b * w;
        });
        return taps;
    }
    const double reach = support_radius(kernel, shape);
    for_each_between(c - reach, c + reach, [&](std::int64_t j, double at) {
        if (const double w = kernel_value(kernel, c - at, shape); w != 0.0) taps[j] = w;
    });
    const bool sinc_divided = is_sinc(kernel) && (shape.normalised || lanczos_radius(kernel) > 0);
    if (kernel == Kernel::gaussian || sinc_divided) divide(taps, sum_of(taps));
    return taps;
}

Taps widened_taps(Kernel kernel, const KernelShape& shape, double c, double k, bool centred) {
    // A Gaussian is widened before it is integrated over the voxels.
    KernelShape wide = shape;
    const double unit = kernel == Kernel::gaussian ? 1.0 : k;
    if (kernel == Kernel::gaussian) wide.sigma *= k;
    const double reach = support_radius(kernel, wide) * unit;
    Taps taps;
    for_each_between(c - reach, c + reach, [&](std::int64_t j, double at) {
        const double w = kernel_value(kernel, (c - at) / unit, wide);
        if (std::abs(w) > kNegligible) taps[j] = w;
    });
    if (centred) centre(taps, c);
    divide(taps, sum_of(taps));
    return taps;
}

Taps area_taps(double c, double width) {
    const double begin = c - width / 2, end = c + width / 2;
    Taps taps;
    for_each_between(begin - 0.5, end + 0.5, [&](std::int64_t j, double at) {
        const double common = std::min(end, at + 0.5) - std::max(begin, at - 0.5);
        if (common > 0.0) taps[j] = common / width;
    });
    return taps;
}

Taps supersampled_taps(Kernel kernel, const KernelShape& shape, double c, double k) {
    const int q = static_cast<int>(std::ceil(k - kTie));
    Taps taps;
    for (int s = 0; s < q; ++s)
        for (const auto& [j, w] : kernel_taps(kernel, shape, c + ((s + 0.5) / q - 0.5) * k)) taps[j] += w / q;
    return taps;
}

Taps coefficient_taps(int order, std::int64_t i) {
    Taps taps;
    for (int j = -kPad; j <= kPad; ++j)
        if (const double w = cardinal_coefficient(order, j); w != 0.0) taps[i + j] = w;
    return taps;
}

Taps sampled_gaussian(double s) {
    return sample_gaussian(s, static_cast<std::int64_t>(std::floor(4 * s + 0.5 + kTie))).taps;
}

// Seven symmetric taps with the moments 1, v, 3 v^2, 15 v^3 of a Gaussian: three equations for the taps at 1, 2, 3 by
// Cramer's rule, and what is left at 0.
Taps moment_gaussian(double v) {
    const double m[3] = {v / 2, 3 * v * v / 2, 15 * v * v * v / 2};
    double rows[3][3];
    for (int p = 0; p < 3; ++p)
        for (int d = 0; d < 3; ++d) rows[p][d] = std::pow(d + 1.0, 2 * (p + 1));
    const auto determinant = [&](int replaced) {
        double a[3][3];
        for (int p = 0; p < 3; ++p)
            for (int d = 0; d < 3; ++d) a[p][d] = d == replaced ? m[p] : rows[p][d];
        return a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) - a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0]) +
               a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
    };
    Taps taps;
    double beside = 0.0;
    for (int d = 1; d <= 3; ++d) {
        const double w = determinant(d - 1) / determinant(-1);
        taps[-d] = taps[d] = w;
        beside += 2 * w;
    }
    taps[0] = 1 - beside;
    return taps;
}

Taps exact_gaussian(double variance) {
    if (variance < 0.49) return moment_gaussian(variance);
    const auto reach = static_cast<std::int64_t>(std::ceil(5 * std::sqrt(variance) - kTie)) + 1;
    // The variance grows with s, from 0 to that of a box of 2 reach + 1 voxels, which is more than eight times as
    // large.
    double low = 0.0, high = 1.0;
    while (sample_gaussian(high, reach).variance < variance) high *= 2;
    for (int halving = 0; halving < 100; ++halving) {
        const double s = 0.5 * (low + high);
        (sample_gaussian(s, reach).variance < variance ? low : high) = s;
    }
    return sample_gaussian(high, reach).taps;
}

Taps moved(const Taps& taps, std::int64_t by) {
    Taps out;
    for (const auto& [j, w] : taps) out[j + by] = w;
    return out;
}

std::optional<std::int64_t> sample_index(Boundary boundary, std::int64_t j, std::int64_t n) {
    while (j < 0 || j >= n) {
        switch (boundary) {
            case Boundary::edge: return j < 0 ? 0 : n - 1;
            case Boundary::mirror:
                if (n == 1) return 0;
                j = j < 0 ? -j : 2 * (n - 1) - j;
                break;
            case Boundary::reflect: j = j < 0 ? -1 - j : 2 * n - 1 - j; break;
            case Boundary::wrap: j += j < 0 ? n : -n; break;
            case Boundary::constant:
            case Boundary::renormalise: return std::nullopt;
        }
    }
    return j;
}

double Row::inside() const {
    double sum = 0.0;
    for (double w : weight) sum += w;
    return sum;
}

Row folded(const Taps& taps, Boundary boundary, std::int64_t n) {
    std::vector<double> w(static_cast<std::size_t>(n), 0.0);
    double outside = 0.0;
    for (const auto& [j, weight] : taps) {
        const auto at = sample_index(boundary, j, n);
        (at ? w[static_cast<std::size_t>(*at)] : outside) += weight;
    }
    return trimmed(w, outside);
}

Row renormalised(Row row) {
    const double sum = row.inside();
    for (double& w : row.weight) w /= sum;
    row.outside = 0.0;
    return row;
}

Row composed(const Row& outer, const std::vector<Row>& inner, std::int64_t n) {
    std::vector<double> w(static_cast<std::size_t>(n), 0.0);
    double outside = outer.outside;
    for (std::size_t t = 0; t < outer.weight.size(); ++t) {
        const Row& row = inner[static_cast<std::size_t>(outer.first) + t];
        for (std::size_t i = 0; i < row.weight.size(); ++i)
            w[static_cast<std::size_t>(row.first) + i] += outer.weight[t] * row.weight[i];
        outside += outer.weight[t] * row.outside;
    }
    return trimmed(w, outside);
}

}  // namespace revoxel::oracle
