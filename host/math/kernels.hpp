// Kernel formulas. Usable on host and device; C++17. Only + - * / and comparisons, so that the bits are the same
// everywhere once contraction is off: no call into a libm whose results depend on its version or on the CPU.
//
// x is in voxels. Sources: Keys 1981 (cubic convolution), Unser 1999 (B-splines), Duchon 1979 (Lanczos), Meijering 1999
// (windowed sincs).
#pragma once

#include <cmath>
#include <cstdint>

#include "math/portable.hpp"

namespace revoxel::math {

/// Continuous indices this close to an integer are that integer, in voxels: composing affines in double leaves 1e-12.
inline constexpr double kIntegerSnap = 1e-9;
/// Added to a continuous index before it is compared or rounded, in voxels. Positions on a tie (half-way between two
/// voxels, on the face of the volume) are decided alike although rounding has moved them: up.
inline constexpr double kTieTolerance = 1e-6;

/// sin(pi t) for |t| <= 16, to 2e-16. Taylor series on [-1/2, 1/2] after exact reduction.
REVOXEL_HD inline double sin_pi(double t) {
    double sign = 1.0;
    while (t > 0.5) {
        t -= 1.0;
        sign = -sign;
    }
    while (t < -0.5) {
        t += 1.0;
        sign = -sign;
    }
    const double u = 3.14159265358979323846 * t;
    const double u2 = u * u;
    double sum = 1.0;
    for (int n = 22; n >= 2; n -= 2) sum = 1.0 - u2 / static_cast<double>(n * (n + 1)) * sum;
    return sign * u * sum;
}

REVOXEL_HD inline double cos_pi(double t) {
    return sin_pi(t + 0.5);
}

REVOXEL_HD inline double linear(double x) {
    x = x < 0.0 ? -x : x;
    return x < 1.0 ? 1.0 - x : 0.0;
}

/// Keys, a = -1/2.
REVOXEL_HD inline double cubic(double x) {
    x = x < 0.0 ? -x : x;
    if (x < 1.0) return (1.5 * x - 2.5) * x * x + 1.0;
    if (x < 2.0) return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0;
    return 0.0;
}

enum class Window { lanczos, hamming, cosine, welch, blackman };

/// sinc(x) times the window of half width r, on |x| < r; not normalised. r <= 8.
REVOXEL_HD inline double windowed_sinc(Window window, double r, double x) {
    x = x < 0.0 ? -x : x;
    if (x >= r) return 0.0;
    if (x < 1e-9) return 1.0;
    constexpr double kPi = 3.14159265358979323846;
    const double sinc = sin_pi(x) / (kPi * x), t = x / r;
    switch (window) {
        case Window::lanczos: return sinc * sin_pi(t) / (kPi * t);
        case Window::hamming: return sinc * (0.54 + 0.46 * cos_pi(t));
        case Window::cosine: return sinc * cos_pi(0.5 * t);
        case Window::welch: return sinc * (1.0 - t * t);
        default: return sinc * (0.42 + 0.5 * cos_pi(t) + 0.08 * cos_pi(2.0 * t));
    }
}

/// e^-y for 0 <= y <= 700, to 1e-15 of its value: e^-y = 2^-n e^-r, Taylor series on |r| <= ln2/2.
REVOXEL_HD inline double exp_minus(double y) {
    if (y > 700.0) return 0.0;
    constexpr double kLog2High = 0x1.62e42fee00000p-1, kLog2Low = 0x1.a39ef35793c76p-33;
    const double n = std::floor(y / 0.693147180559945309 + 0.5);
    const double r = std::fma(-n, kLog2Low, std::fma(-n, kLog2High, y));
    double sum = 1.0;
    for (int k = 16; k >= 1; --k) sum = 1.0 - r / static_cast<double>(k) * sum;
    double scale = 1.0;
    for (int bit = 0, left = static_cast<int>(n); left > 0; ++bit, left >>= 1) {
        // 2^-(2^bit), exact
        double factor = 0.5;
        for (int b = 0; b < bit; ++b) factor *= factor;
        if (left & 1) scale *= factor;
    }
    return sum * scale;
}

/// The error function to 1e-15: erf x = 2/sqrt(pi) e^-x^2 sum_n 2^n x^(2n+1) / (2n+1)!!, all terms of one sign.
REVOXEL_HD inline double error_function(double x) {
    const double a = x < 0.0 ? -x : x;
    if (a > 6.0) return x < 0.0 ? -1.0 : 1.0;
    double term = a, sum = a;
    for (int n = 1; n < 200 && term > 1e-17 * sum; ++n) {
        term *= 2.0 * a * a / static_cast<double>(2 * n + 1);
        sum += term;
    }
    const double value = 1.12837916709551257390 * exp_minus(a * a) * sum;
    return x < 0.0 ? -value : value;
}

/// The weight that a Gaussian of standard deviation sigma around 0 gives to the voxel at x: its integral over
/// [x - 1/2, x + 1/2], times 2.
REVOXEL_HD inline double voxel_gaussian(double x, double sigma) {
    const double scale = 0.70710678118654752440 / sigma;
    return error_function((x + 0.5) * scale) - error_function((x - 0.5) * scale);
}

inline constexpr int kMostDegree = 5;  ///< of B-splines

/// Centred B-spline of degree n <= kMostDegree, support |x| < (n+1)/2, by the Cox-de Boor recursion (all terms are
/// positive). The loops are as long for all degrees, so that a GPU's compiler keeps the values in registers; those of
/// i > n - d are not used.
REVOXEL_HD inline double bspline(int n, double x) {
    // values[i] holds the degree-d spline at x shifted by (n-d)/2 - i; half-open boxes at degree 0.
    double values[kMostDegree + 1];
    for (int i = 0; i <= kMostDegree; ++i) {
        const double y = x + 0.5 * n - i;
        values[i] = (y >= -0.5 && y < 0.5) ? 1.0 : 0.0;
    }
    for (int d = 1; d <= kMostDegree; ++d) {
        if (d > n) continue;
        for (int i = 0; i <= kMostDegree - d; ++i) {
            const double y = x + 0.5 * (n - d) - i;
            const double half = 0.5 * (d + 1);
            values[i] = ((half + y) * values[i] + (half - y) * values[i + 1]) / d;
        }
    }
    return values[0];
}

template <typename T>
REVOXEL_HD inline std::int64_t floor_index(T c) {
    const auto i = static_cast<std::int64_t>(c);
    return static_cast<T>(i) > c ? i - 1 : i;
}
template <typename T>
REVOXEL_HD inline std::int64_t ceil_index(T c) {
    const auto i = static_cast<std::int64_t>(c);
    return static_cast<T>(i) < c ? i + 1 : i;
}

inline constexpr int kGatherTaps = 16;  ///< the most that a gather reads along an axis

/// A kernel as a gather evaluates it, at each voxel anew. bspline: the basis, on coefficients.
struct PointKernel {
    enum class Form { nearest, linear, cubic, bspline, windowed_sinc, gaussian };
    Form form = Form::linear;
    int degree = 0;                   ///< bspline
    int radius = 1;                   ///< half of the taps, rounded up
    Window window = Window::lanczos;  ///< windowed_sinc
    bool normalised = true;           ///< windowed_sinc
    double sigma = 1.0, reach = 4.0;  ///< gaussian: standard deviation and reach, both in voxels
};

/// The taps of one axis of a gather: input indices first + t with weight[t], begin <= t < end. Taps of weight 0 at the
/// ends are left out, so that NaN beside the position is not touched.
template <typename T>
struct GatherTaps {
    std::int64_t first;
    int begin, end;
    T weight[kGatherTaps];
};

/// Taps first + t, t < count, of which tap t lies at low + t from the position.
struct TapSpan {
    std::int64_t first;
    int count;
    double low;
};

/// Of the forms whose weights are computed in double. `base` is floor(c), f the fraction.
REVOXEL_HD inline TapSpan general_span(const PointKernel& kernel, std::int64_t base, double f) {
    if (kernel.form == PointKernel::Form::bspline) {
        const bool even = kernel.degree % 2 == 0;
        const int left = even ? kernel.degree / 2 - (f >= 0.5 ? 1 : 0) : (kernel.degree - 1) / 2;
        return {base - left, kernel.degree + 1, -static_cast<double>(left) - f};
    }
    if (kernel.form == PointKernel::Form::windowed_sinc) {
        return {base - kernel.radius + 1, 2 * kernel.radius, 1.0 - static_cast<double>(kernel.radius) - f};
    }
    const std::int64_t begin = floor_index(f + 0.5 - kernel.reach + kTieTolerance),
                       end = ceil_index(f + 0.5 + kernel.reach - kTieTolerance);
    return {base + begin, static_cast<int>(end - begin), static_cast<double>(begin) - f};
}

/// The weight of a tap at x from the position; not divided by the sum.
REVOXEL_HD inline double general_weight(const PointKernel& kernel, double x) {
    if (kernel.form == PointKernel::Form::windowed_sinc) {
        return windowed_sinc(kernel.window, static_cast<double>(kernel.radius), x);
    }
    if (kernel.form == PointKernel::Form::gaussian) return voxel_gaussian(x, kernel.sigma);
    return bspline(kernel.degree, x);
}

REVOXEL_HD inline bool divided_by_sum(const PointKernel& kernel) {
    return kernel.form == PointKernel::Form::gaussian ||
           (kernel.form == PointKernel::Form::windowed_sinc && kernel.normalised);
}

template <typename T>
REVOXEL_HD inline void general_taps(const PointKernel& kernel, std::int64_t base, double f, GatherTaps<T>& taps) {
    double weight[kGatherTaps];
    const TapSpan span = general_span(kernel, base, f);
    taps.first = span.first;
    taps.end = span.count;
    double sum = 0.0;
    for (int t = 0; t < span.count; ++t) {
        weight[t] = general_weight(kernel, span.low + t);
        sum += weight[t];
    }
    const double scale = divided_by_sum(kernel) ? 1.0 / sum : 1.0;
    for (int t = 0; t < span.count; ++t) taps.weight[t] = static_cast<T>(weight[t] * scale);
}

/// Splits c into floor(c) and a fraction, where c within kIntegerSnap of an integer is that integer.
REVOXEL_HD inline std::int64_t split_position(double c, double& fraction) {
    const std::int64_t near = floor_index(c + 0.5);
    const double off = c - static_cast<double>(near);
    fraction = 0.0;
    if (off <= kIntegerSnap && off >= -kIntegerSnap) return near;
    const std::int64_t base = floor_index(c);
    fraction = c - static_cast<double>(base);
    return base;
}

/// Whether the weights are polynomials that are computed in T: no more than 4 taps.
REVOXEL_HD inline bool is_polynomial(const PointKernel& kernel) {
    using Form = PointKernel::Form;
    return kernel.form == Form::nearest || kernel.form == Form::linear || kernel.form == Form::cubic ||
           (kernel.form == Form::bspline && kernel.degree == 3);
}

/// All taps of such a kernel; the fraction is rounded to T. taps.begin is 0.
template <typename T>
REVOXEL_HD inline void polynomial_taps(const PointKernel& kernel, double c, GatherTaps<T>& taps) {
    taps.begin = 0;
    if (kernel.form == PointKernel::Form::nearest) {
        taps.first = floor_index(c + 0.5 + kTieTolerance);
        taps.end = 1;
        taps.weight[0] = T(1);
        return;
    }
    double fraction = 0.0;
    const std::int64_t base = split_position(c, fraction);
    const T f = static_cast<T>(fraction), g = T(1) - f;
    if (kernel.form == PointKernel::Form::linear) {
        taps.first = base;
        taps.weight[0] = g;
        taps.weight[1] = f;
        taps.end = 2;
        return;
    }
    taps.first = base - 1;
    taps.end = 4;
    if (kernel.form == PointKernel::Form::cubic) {
        taps.weight[0] = T(-0.5) * f * g * g;
        taps.weight[1] = (T(1.5) * f - T(2.5)) * f * f + T(1);
        taps.weight[2] = (T(1.5) * g - T(2.5)) * g * g + T(1);
        taps.weight[3] = T(-0.5) * g * f * f;
    } else {
        taps.weight[0] = g * g * g / T(6);
        taps.weight[1] = T(2) / T(3) - f * f * (T(2) - f) / T(2);
        taps.weight[2] = T(2) / T(3) - g * g * (T(2) - g) / T(2);
        taps.weight[3] = f * f * f / T(6);
    }
}

/// Leaves out taps of weight 0 at the ends. There are no more than kMost: a loop of known length, which a GPU's
/// compiler can take apart.
template <int kMost, typename T>
REVOXEL_HD inline void trim_taps(GatherTaps<T>& taps) {
    const int count = taps.end;
    for (int t = 0; t < kMost - 1; ++t) {
        if (t < count - 1 && taps.begin == t && taps.weight[t] == T(0)) taps.begin = t + 1;
    }
    for (int t = kMost - 1; t > 0; --t) {
        if (taps.end == t + 1 && t > taps.begin && taps.weight[t] == T(0)) taps.end = t;
    }
}

/// `c` is the continuous index, |c| < 2^52. Linear, cubic and cubic B-spline weights are computed in T from the
/// fraction, which is rounded to T; the others in double.
template <typename T>
REVOXEL_HD inline void gather_taps(const PointKernel& kernel, double c, GatherTaps<T>& taps) {
    if (is_polynomial(kernel)) {
        polynomial_taps(kernel, c, taps);
        trim_taps<4>(taps);
        return;
    }
    double fraction = 0.0;
    const std::int64_t base = split_position(c, fraction);
    taps.begin = 0;
    general_taps(kernel, base, fraction, taps);
    trim_taps<kGatherTaps>(taps);
}

/// Positions beyond the faces of an axis of n voxels, brought to where the extended signal is the same.
enum class Fold { none, clamp, mirror, reflect, wrap };

/// clamp: to [-margin, n - 1 + margin]. mirror: into [0, n - 1]. reflect and wrap: into [-1/2, n - 1/2].
REVOXEL_HD inline double fold_position(Fold fold, double c, std::int64_t n, double margin) {
    const double size = static_cast<double>(n);
    if (fold == Fold::clamp) return c < -margin ? -margin : c > size - 1.0 + margin ? size - 1.0 + margin : c;
    if (fold == Fold::none || (c >= -0.5 && c < size - 0.5)) return c;
    if (fold == Fold::wrap) return c - size * std::floor((c + 0.5) / size);
    if (fold == Fold::mirror) {
        if (n == 1) return 0.0;
        const double period = 2.0 * (size - 1.0), r = c - period * std::floor(c / period);
        return r > size - 1.0 ? period - r : r;
    }
    const double period = 2.0 * size, r = (c + 0.5) - period * std::floor((c + 0.5) / period);
    return (r >= size ? period - r : r) - 0.5;
}

/// One row of an affine times an index, in the order that plan.hpp states.
REVOXEL_HD inline double gather_position(const double (&row)[4], double i, double j, double k) {
    return std::fma(row[0], i, std::fma(row[1], j, std::fma(row[2], k, row[3])));
}

/// Whether a continuous index lies inside an axis of n voxels: [-1/2, n - 1/2), ties as kTieTolerance says.
REVOXEL_HD inline bool inside_axis(double c, std::int64_t n) {
    const double shifted = c + 0.5 + kTieTolerance;
    return shifted >= 0.0 && shifted < static_cast<double>(n);
}

/// Where the output voxels of a gather lie in its input.
struct GatherFrame {
    double out_to_in[3][4];
    std::int64_t first_output[3];  ///< added to output indices
    std::int64_t inside[3];        ///< extent of the input
    bool extend;                   ///< positions outside are folded; else they are fill
    Fold fold;
    double margin[3];
    bool nearest[3];  ///< the kernel of the axis: folding turns ties round, so the voxel is chosen before
};

/// The continuous index along one axis at an output index that first_output is added to already, folded where the input
/// is extended. `row` is that of the affine. False: it lies outside.
REVOXEL_HD inline bool locate_axis(const GatherFrame& frame, int axis, const double (&row)[4], double i, double j,
                                   double k, double& c) {
    c = gather_position(row, i, j, k);
    if (!frame.extend) return inside_axis(c, frame.inside[axis]);
    if (frame.nearest[axis]) c = std::floor(c + 0.5 + kTieTolerance);
    c = fold_position(frame.fold, c, frame.inside[axis], frame.margin[axis]);
    return true;
}

/// The continuous index of output voxel (i, j, k). False: the voxel is fill.
REVOXEL_HD inline bool locate(const GatherFrame& frame, std::int64_t i, std::int64_t j, std::int64_t k,
                              double (&c)[3]) {
    const auto x = static_cast<double>(i + frame.first_output[0]), y = static_cast<double>(j + frame.first_output[1]),
               z = static_cast<double>(k + frame.first_output[2]);
    bool inside = true;
    for (int d = 0; d < 3; ++d) inside = locate_axis(frame, d, frame.out_to_in[d], x, y, z, c[d]) && inside;
    return inside;
}

}  // namespace revoxel::math
