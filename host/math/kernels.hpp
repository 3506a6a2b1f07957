// Kernel formulas. Usable on host and device; C++17. Only + - * / and comparisons, so that the bits are the same
// everywhere once contraction is off: no call into a libm whose results depend on its version or on the CPU.
//
// x is in voxels. Sources: Keys 1981 (cubic convolution), Unser 1999 (B-splines), Duchon 1979 (Lanczos).
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

/// sin(pi t) for |t| <= 4, to 2e-16. Taylor series on [-1/2, 1/2] after exact reduction.
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

/// sinc(x) sinc(x/3) on |x| < 3; not normalised.
REVOXEL_HD inline double lanczos3(double x) {
    x = x < 0.0 ? -x : x;
    if (x >= 3.0) return 0.0;
    if (x < 1e-9) return 1.0;
    constexpr double kPi = 3.14159265358979323846;
    return 3.0 * sin_pi(x) * sin_pi(x / 3.0) / (kPi * kPi * x * x);
}

/// Centred B-spline of degree n, support |x| < (n+1)/2, by the Cox-de Boor recursion (all terms are positive).
REVOXEL_HD inline double bspline(int n, double x) {
    // values[i] holds the degree-d spline at x shifted by (n-d)/2 - i; half-open boxes at degree 0.
    double values[6] = {0, 0, 0, 0, 0, 0};
    for (int i = 0; i <= n; ++i) {
        const double y = x + 0.5 * n - i;
        values[i] = (y >= -0.5 && y < 0.5) ? 1.0 : 0.0;
    }
    for (int d = 1; d <= n; ++d) {
        for (int i = 0; i <= n - d; ++i) {
            const double y = x + 0.5 * (n - d) - i;
            const double half = 0.5 * (d + 1);
            values[i] = ((half + y) * values[i] + (half - y) * values[i + 1]) / d;
        }
    }
    return values[0];
}

/// The taps of one axis of a gather: input indices first + t with weight[t], begin <= t < end. Taps of weight 0 at the
/// ends are left out, so that NaN beside the position is not touched.
template <typename T>
struct GatherTaps {
    std::int64_t first;
    int begin, end;
    T weight[4];
};

enum class GatherKernel { nearest, linear, cubic, bspline3 };

template <typename T>
REVOXEL_HD inline std::int64_t floor_index(T c) {
    const auto i = static_cast<std::int64_t>(c);
    return static_cast<T>(i) > c ? i - 1 : i;
}

/// `c` is the continuous index, |c| < 2^52. Weights are computed in T from the fraction, which is rounded to T.
template <typename T>
REVOXEL_HD inline GatherTaps<T> gather_taps(GatherKernel kernel, double c) {
    GatherTaps<T> taps{};
    if (kernel == GatherKernel::nearest) {
        taps.first = floor_index(c + 0.5 + kTieTolerance);
        taps.begin = 0;
        taps.end = 1;
        taps.weight[0] = T(1);
        return taps;
    }
    const std::int64_t near = floor_index(c + 0.5);
    const double off = c - static_cast<double>(near);
    std::int64_t base = near;
    T f = T(0);
    if (off > kIntegerSnap || off < -kIntegerSnap) {
        base = floor_index(c);
        f = static_cast<T>(c - static_cast<double>(base));
    }
    const T g = T(1) - f;
    taps.begin = 0;
    switch (kernel) {
        case GatherKernel::linear:
            taps.first = base;
            taps.weight[0] = g;
            taps.weight[1] = f;
            taps.end = 2;
            break;
        case GatherKernel::cubic:
            taps.first = base - 1;
            taps.weight[0] = T(-0.5) * f * g * g;
            taps.weight[1] = (T(1.5) * f - T(2.5)) * f * f + T(1);
            taps.weight[2] = (T(1.5) * g - T(2.5)) * g * g + T(1);
            taps.weight[3] = T(-0.5) * g * f * f;
            taps.end = 4;
            break;
        default:  // bspline3
            taps.first = base - 1;
            taps.weight[0] = g * g * g / T(6);
            taps.weight[1] = T(2) / T(3) - f * f * (T(2) - f) / T(2);
            taps.weight[2] = T(2) / T(3) - g * g * (T(2) - g) / T(2);
            taps.weight[3] = f * f * f / T(6);
            taps.end = 4;
            break;
    }
    while (taps.begin < taps.end - 1 && taps.weight[taps.begin] == T(0)) ++taps.begin;
    while (taps.end > taps.begin + 1 && taps.weight[taps.end - 1] == T(0)) --taps.end;
    return taps;
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

}  // namespace revoxel::math
