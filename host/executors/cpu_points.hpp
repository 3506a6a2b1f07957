// Interpolation at points of a small dense array. Included by cpu_kernels.cpp only.
#pragma once

#include "executors/cpu_kernels.hpp"
#include "executors/cpu_vector.hpp"

namespace revoxel::REVOXEL_ISA {
namespace {

/// Points that are worked on at once.
template <typename C>
constexpr int kPoints = Vector<C>::kLanes;

/// Vectors of double that hold the positions of kPoints points.
template <typename C>
constexpr int kHalves = kPoints<C> / Vector<double>::kLanes;

/// One axis of kPoints points: index of the first tap, and for each tap the weights and who uses them.
template <typename C>
struct PointTaps {
    Vector<double> first[kHalves<C>];
    Vector<C> weight[math::kGatherTaps];
    bool all;  ///< every point uses every tap
    // Set by find_used() only:
    Lanes<C> used[math::kGatherTaps];
    bool any[math::kGatherTaps];  ///< some point uses the tap
};

template <typename C>
REVOXEL_INLINE Vector<C> joined(const Vector<double> (&halves)[kHalves<C>]) {
    if constexpr (kHalves<C> == 2) {
        return narrowed(halves[0], halves[1]);
    } else {
        return halves[0];
    }
}

/// math::sin_pi, operation by operation.
REVOXEL_INLINE Vector<double> sin_pi(Vector<double> t) {
    using D = Vector<double>;
    using L = Lanes<double>;
    const D half = D::all(0.5), one = D::all(1.0), zero = D::all(0.0);
    D sign = one;
    for (L above = L::where_less(half, t); above.any(); above = L::where_less(half, t)) {
        t = L::choose(above, t - one, t);
        sign = L::choose(above, zero - sign, sign);
    }
    for (L below = L::where_less(t, D::all(-0.5)); below.any(); below = L::where_less(t, D::all(-0.5))) {
        t = L::choose(below, t + one, t);
        sign = L::choose(below, zero - sign, sign);
    }
    const D u = D::all(3.14159265358979323846) * t, u2 = u * u;
    D sum = one;
    for (int n = 22; n >= 2; n -= 2) sum = one - u2 / D::all(static_cast<double>(n * (n + 1))) * sum;
    return sign * u * sum;
}

/// math::windowed_sinc, operation by operation.
REVOXEL_INLINE Vector<double> windowed_sinc(math::Window window, double r, Vector<double> x) {
    using D = Vector<double>;
    using L = Lanes<double>;
    const D pi = D::all(3.14159265358979323846);
    x = L::choose(L::where_less(x, D::all(0.0)), D::all(0.0) - x, x);
    const D sinc = sin_pi(x) / (pi * x), t = x / D::all(r);
    const auto cos_pi = [](D v) { return sin_pi(v + D::all(0.5)); };
    D value;
    switch (window) {
        case math::Window::lanczos: value = sinc * sin_pi(t) / (pi * t); break;
        case math::Window::hamming: value = sinc * (D::all(0.54) + D::all(0.46) * cos_pi(t)); break;
        case math::Window::cosine: value = sinc * cos_pi(D::all(0.5) * t); break;
        case math::Window::welch: value = sinc * (D::all(1.0) - t * t); break;
        default:
            value = sinc * (D::all(0.42) + D::all(0.5) * cos_pi(t) + D::all(0.08) * cos_pi(D::all(2.0) * t));
            break;
    }
    value = L::choose(L::where_less(x, D::all(1e-9)), D::all(1.0), value);
    return L::choose(L::where_less(x, D::all(r)), value, D::all(0.0));
}

/// math::bspline, operation by operation.
REVOXEL_INLINE Vector<double> bspline(int n, Vector<double> x) {
    using D = Vector<double>;
    using L = Lanes<double>;
    D values[6];
    for (int i = 0; i <= n; ++i) {
        const D y = x + D::all(0.5 * n) - D::all(i);
        const D below_top = L::choose(L::where_less(y, D::all(0.5)), D::all(1.0), D::all(0.0));
        values[i] = L::choose(L::where_less(y, D::all(-0.5)), D::all(0.0), below_top);
    }
    for (int d = 1; d <= n; ++d) {
        for (int i = 0; i <= n - d; ++i) {
            const D y = x + D::all(0.5 * (n - d)) - D::all(i), half = D::all(0.5 * (d + 1));
            values[i] = ((half + y) * values[i] + (half - y) * values[i + 1]) / D::all(d);
        }
    }
    return values[0];
}

/// As math::general_taps for B-splines and windowed sincs: weights in double.
template <typename C>
void smooth_point_taps(const Brick<C>& brick, int d, const Vector<double> (&whole)[kHalves<C>],
                       const Vector<double> (&fraction)[kHalves<C>], PointTaps<C>& taps) {
    using D = Vector<double>;
    const math::PointKernel& kernel = brick.kernel[d];
    const bool spline = kernel.form == math::PointKernel::Form::bspline;
    const int count = brick.taps[d];
    D weight[math::kGatherTaps][kHalves<C>];
    for (int h = 0; h < kHalves<C>; ++h) {
        const D f = fraction[h];
        D left = D::all(kernel.radius - 1);
        if (spline && kernel.degree % 2 == 1) left = D::all((kernel.degree - 1) / 2);
        if (spline && kernel.degree % 2 == 0) {
            const auto lower = Lanes<double>::where_less(f, D::all(0.5));
            left = Lanes<double>::choose(lower, D::all(kernel.degree / 2), D::all(kernel.degree / 2 - 1));
        }
        taps.first[h] = whole[h] - left;
        const D low = D::all(0.0) - left - f;
        D sum = D::all(0.0);
        for (int t = 0; t < count; ++t) {
            const D x = low + D::all(t);
            weight[t][h] = spline ? bspline(kernel.degree, x)
                                  : windowed_sinc(kernel.window, static_cast<double>(kernel.radius), x);
            sum = sum + weight[t][h];
        }
        if (spline || !kernel.normalised) continue;
        const D scale = D::all(1.0) / sum;
        for (int t = 0; t < count; ++t) weight[t][h] = weight[t][h] * scale;
    }
    for (int t = 0; t < count; ++t) taps.weight[t] = joined<C>(weight[t]);
}

/// Weights that have no closed form, point by point.
template <typename C>
void general_point_taps(const Brick<C>& brick, int d, const Vector<double> (&position)[kHalves<C>],
                        PointTaps<C>& taps) {
    constexpr int kN = kPoints<C>;
    alignas(64) double c[kN];
    alignas(64) double first[kN];
    alignas(64) C weight[math::kGatherTaps][kN];
    for (int h = 0; h < kHalves<C>; ++h) position[h].store(c + h * Vector<double>::kLanes);
    math::GatherTaps<C> one;
    for (int p = 0; p < kN; ++p) {
        math::gather_taps<C>(brick.kernel[d], c[p], one);
        first[p] = static_cast<double>(one.first);
        for (int t = 0; t < brick.taps[d]; ++t) weight[t][p] = t >= one.begin && t < one.end ? one.weight[t] : C(0);
    }
    for (int h = 0; h < kHalves<C>; ++h) taps.first[h] = Vector<double>::load(first + h * Vector<double>::kLanes);
    for (int t = 0; t < brick.taps[d]; ++t) taps.weight[t] = Vector<C>::load(weight[t]);
}

/// Zero weights at both ends are left out.
template <typename C>
void find_used(PointTaps<C>& taps, int count) {
    Lanes<C> seen = Lanes<C>::none(), nonzero[math::kGatherTaps];
    for (int t = 0; t < count; ++t) {
        nonzero[t] = Lanes<C>::where_nonzero(taps.weight[t]);
        seen = seen | nonzero[t];
        taps.used[t] = seen;
    }
    seen = Lanes<C>::none();
    for (int t = count - 1; t >= 0; --t) {
        seen = seen | nonzero[t];
        taps.used[t] = taps.used[t] & seen;
        taps.any[t] = taps.used[t].any();
    }
}

/// What a brick's three axes have in common: kernels of which each has loops of its own, or anything.
enum class Weights { linear, cubic, bspline3, any };

/// Taps of each axis; 0: as many as the brick says.
template <Weights weights>
constexpr int kFixedTaps = weights == Weights::linear ? 2
                           : weights == Weights::any  ? 0
                                                      : 4;

inline Weights weights_of(const math::PointKernel& kernel) {
    using Form = math::PointKernel::Form;
    if (kernel.form == Form::linear) return Weights::linear;
    if (kernel.form == Form::cubic) return Weights::cubic;
    return kernel.form == Form::bspline && kernel.degree == 3 ? Weights::bspline3 : Weights::any;
}

/// Weights of a closed form, from the distance to the sample below.
template <typename C>
REVOXEL_INLINE void closed_weights(Weights weights, Vector<C> f, Vector<C> (&w)[math::kGatherTaps]) {
    using V = Vector<C>;
    const V one = V::all(C(1)), g = one - f;
    if (weights == Weights::linear) {
        w[0] = g;
        w[1] = f;
    } else if (weights == Weights::cubic) {
        w[0] = V::all(C(-0.5)) * f * g * g;
        w[1] = (V::all(C(1.5)) * f - V::all(C(2.5))) * f * f + one;
        w[2] = (V::all(C(1.5)) * g - V::all(C(2.5))) * g * g + one;
        w[3] = V::all(C(-0.5)) * g * f * f;
    } else {
        const V third = V::all(C(2) / C(3)), two = V::all(C(2)), six = V::all(C(6));
        w[0] = g * g * g / six;
        w[1] = third - f * f * (two - f) / two;
        w[2] = third - g * g * (two - g) / two;
        w[3] = f * f * f / six;
    }
}

/// As math::gather_taps: fraction and weights with the same operations.
template <Weights weights, typename C>
REVOXEL_INLINE void point_taps(const Brick<C>& brick, int d, const Vector<double> (&position)[kHalves<C>],
                               PointTaps<C>& taps) {
    using D = Vector<double>;
    using Form = math::PointKernel::Form;
    const math::PointKernel& kernel = brick.kernel[d];
    const int count = weights == Weights::any ? brick.taps[d] : kFixedTaps<weights>;
    const Weights own = weights == Weights::any ? weights_of(kernel) : weights;
    D base[kHalves<C>], fraction[kHalves<C>];
    for (int h = 0; h < kHalves<C>; ++h) {
        const D c = position[h], near = D::floor(c + D::all(0.5)), below = D::floor(c);
        const auto whole = Lanes<double>::where_within(c - near, math::kIntegerSnap);
        fraction[h] = Lanes<double>::choose(whole, D::all(0.0), c - below);
        base[h] = Lanes<double>::choose(whole, near, below);
    }
    if (own != Weights::any) {
        const D shift = D::all(own == Weights::linear ? 0.0 : 1.0);
        for (int h = 0; h < kHalves<C>; ++h) taps.first[h] = base[h] - shift;
        closed_weights(own, joined<C>(fraction), taps.weight);
    } else if constexpr (weights == Weights::any) {
        if (kernel.form == Form::windowed_sinc || kernel.form == Form::bspline) {
            smooth_point_taps(brick, d, base, fraction, taps);
        } else {
            general_point_taps(brick, d, position, taps);
        }
    }
    taps.all = (Lanes<C>::where_nonzero(taps.weight[0]) & Lanes<C>::where_nonzero(taps.weight[count - 1])).all();
}

/// kPoints points' next `n` (2 or 4) values from their places in the array.
template <int n, typename C>
REVOXEL_INLINE void fetch(const C* data, const std::int32_t* place, Vector<C> (&value)[4]) {
#if defined(__AVX2__) || defined(__aarch64__)
    if constexpr (sizeof(C) == 4) {
        fetch_floats<n>(data, place, value);
        return;
    }
#endif
    constexpr int kN = kPoints<C>;
    alignas(64) C column[n][kN];
    for (int p = 0; p < kN; ++p) {
        for (int t = 0; t < n; ++t) column[t][p] = data[place[p] + t];
    }
    for (int t = 0; t < n; ++t) value[t] = Vector<C>::load(column[t]);
}

/// The sums of kPoints points: x, then y, then z. A sum begins with -0, to which the first product is added: that
/// changes no bit of it. `fixed` taps on each axis; 0: as many as the brick says.
template <int fixed, bool masked, typename C>
REVOXEL_INLINE Vector<C> interpolate(const Brick<C>& brick, const PointTaps<C> (&taps)[3], const std::int32_t* place) {
    using V = Vector<C>;
    constexpr int kFetched = fixed == 2 ? 2 : 4;
    const int nx = fixed ? fixed : brick.taps[0], ny = fixed ? fixed : brick.taps[1],
              nz = fixed ? fixed : brick.taps[2];
    const C* const data = brick.data;
    const std::int64_t pitch_y = brick.pitch[1], pitch_z = brick.pitch[2];
    V volume = V::all(C(-0.0));
    for (int z = 0; z < nz; ++z) {
        if (masked && !taps[2].any[z]) continue;
        V plane = V::all(C(-0.0));
        for (int y = 0; y < ny; ++y) {
            if (masked && !taps[1].any[y]) continue;
            const C* row = data + z * pitch_z + y * pitch_y;
            V line = V::all(C(-0.0));
            for (int x = 0; x < nx; x += kFetched) {
                V value[4];
                fetch<kFetched>(row + x, place, value);
                for (int t = 0; t < kFetched && (fixed || x + t < nx); ++t) {
                    const V sum = V::fma(taps[0].weight[x + t], value[t], line);
                    line = masked ? Lanes<C>::choose(taps[0].used[x + t], sum, line) : sum;
                }
            }
            const V sum = V::fma(taps[1].weight[y], line, plane);
            plane = masked ? Lanes<C>::choose(taps[1].used[y], sum, plane) : sum;
        }
        const V sum = V::fma(taps[2].weight[z], plane, volume);
        volume = masked ? Lanes<C>::choose(taps[2].used[z], sum, volume) : sum;
    }
    return volume;
}

/// The usual case of weights of a closed form: no position is near a whole number, so that every tap has a weight and
/// nothing is snapped. False, and nothing done, where this is not so.
template <Weights weights, typename C>
REVOXEL_INLINE bool plain_taps(const Vector<double> (&position)[3][kHalves<C>], PointTaps<C> (&taps)[3]) {
    using D = Vector<double>;
    using V = Vector<C>;
    constexpr double kNear = 1e-5;  // beyond rounding in C, and weights of this power are not 0
    static_assert(kNear > 2.0 * math::kIntegerSnap);
    V f[3];
    D below[3][kHalves<C>];
    auto plain = Lanes<C>::none();
    for (int d = 0; d < 3; ++d) {
        D fraction[kHalves<C>];
        for (int h = 0; h < kHalves<C>; ++h) {
            below[d][h] = D::floor(position[d][h]);
            fraction[h] = position[d][h] - below[d][h];
        }
        f[d] = joined<C>(fraction);
        const auto here = Lanes<C>::where_within(f[d] - V::all(C(0.5)), 0.5 - kNear);
        plain = d == 0 ? here : plain & here;
    }
    if (!plain.all()) return false;
    for (int d = 0; d < 3; ++d) {
        for (int h = 0; h < kHalves<C>; ++h) {
            taps[d].first[h] = weights == Weights::linear ? below[d][h] : below[d][h] - D::all(1.0);
        }
        closed_weights(weights, f[d], taps[d].weight);
    }
    return true;
}

/// Positions of points that do not count are kept inside the brick, so that they read something; those of others need
/// that only where the boundary clamps them.
template <Weights weights, typename C>
void points_with(C* out, std::int64_t pitch, const Brick<C>& brick, const PointRow* rows, std::int64_t count) {
    using D = Vector<double>;
    constexpr int kN = kPoints<C>, fixed = kFixedTaps<weights>;
    // Whole numbers, which doubles hold: sums and products are exact.
    const double pitch_y = static_cast<double>(brick.pitch[1]), pitch_z = static_cast<double>(brick.pitch[2]);
    const double origin = static_cast<double>(brick.lo[0]) + static_cast<double>(brick.lo[1]) * pitch_y +
                          static_cast<double>(brick.lo[2]) * pitch_z;
    alignas(64) double iota[D::kLanes];
    for (int l = 0; l < D::kLanes; ++l) iota[l] = static_cast<double>(l);
    for (std::int64_t r = 0; r < count; ++r) {
        const PointRow& row = rows[r];
        for (std::int64_t i = row.range.lo; i < row.range.hi; i += kN) {
            D position[3][kHalves<C>];
            for (int h = 0; h < kHalves<C>; ++h) {
                const D index = D::load(iota) + D::all(static_cast<double>(i + h * D::kLanes));
                for (int d = 0; d < 3; ++d) {
                    position[d][h] = D::fma(D::all(brick.step[d]), index, D::all(row.inner[d]));
                }
            }
            for (int d = 0; d < 3 && (brick.clamped || i + kN > row.range.hi); ++d) {
                for (D& c : position[d]) c = D::min(D::max(c, D::all(brick.low[d])), D::all(brick.high[d]));
            }
            PointTaps<C> taps[3];
            bool all = false;
            if constexpr (weights != Weights::any) all = plain_taps<weights, C>(position, taps);
            if (!all) {
                for (int d = 0; d < 3; ++d) point_taps<weights>(brick, d, position[d], taps[d]);
                all = taps[0].all && taps[1].all && taps[2].all;
                for (int d = 0; d < 3 && !all; ++d) find_used(taps[d], brick.taps[d]);
            }
            alignas(64) std::int32_t place[kN];
            for (int h = 0; h < kHalves<C>; ++h) {
                const D in_plane = D::fma(taps[1].first[h], D::all(pitch_y), taps[0].first[h] - D::all(origin));
                D::fma(taps[2].first[h], D::all(pitch_z), in_plane).store_indices(place + h * D::kLanes);
            }
            const Vector<C> value =
                all ? interpolate<fixed, false>(brick, taps, place) : interpolate<fixed, true>(brick, taps, place);
            value.store(out + r * pitch + (i - row.range.lo));
        }
    }
}

template <typename C>
void points(C* out, std::int64_t pitch, const Brick<C>& brick, const PointRow* rows, std::int64_t count) {
    const Weights x = weights_of(brick.kernel[0]);
    const bool same = x == weights_of(brick.kernel[1]) && x == weights_of(brick.kernel[2]);
    if (same && x == Weights::linear) {
        points_with<Weights::linear>(out, pitch, brick, rows, count);
    } else if (same && x == Weights::cubic) {
        points_with<Weights::cubic>(out, pitch, brick, rows, count);
    } else if (same && x == Weights::bspline3) {
        points_with<Weights::bspline3>(out, pitch, brick, rows, count);
    } else {
        points_with<Weights::any>(out, pitch, brick, rows, count);
    }
}

/// Before (-1), inside (0) or behind (1) the input along axis `d`.
inline int side(const math::GatherFrame& frame, const double (&inner)[3], int d, std::int64_t i) {
    const double c = std::fma(frame.out_to_in[d][0], static_cast<double>(i), inner[d]);
    return math::inside_axis(c, frame.inside[d]) ? 0 : c < 0.0 ? -1 : 1;
}

/// The part of a row that lies inside the input. Each coordinate is monotone in i, also after rounding: it is one
/// stretch, and there is none where both ends of the row lie on the same side.
inline IndexRange inside_part(const math::GatherFrame& frame, const PointRow& row) {
    const auto inside = [&](std::int64_t i) {
        return side(frame, row.inner, 0, i) == 0 && side(frame, row.inner, 1, i) == 0 &&
               side(frame, row.inner, 2, i) == 0;
    };
    auto [lo, hi] = row.range;
    for (int d = 0; d < 3; ++d) {
        const int first = side(frame, row.inner, d, lo);
        if (first != 0 && first == side(frame, row.inner, d, hi - 1)) return {lo, lo};
    }
    while (lo < hi && !inside(lo)) ++lo;
    while (lo < hi && !inside(hi - 1)) --hi;
    return {lo, hi};
}

void point_rows(PointRow* rows, std::int64_t count, const math::GatherFrame& frame, IndexRange range, std::int64_t j,
                std::int64_t k, bool all) {
    const std::int64_t* first = frame.first_output;
    double slice[3];
    for (int d = 0; d < 3; ++d) {
        slice[d] = std::fma(frame.out_to_in[d][2], static_cast<double>(k + first[2]), frame.out_to_in[d][3]);
    }
    for (std::int64_t r = 0; r < count; ++r) {
        PointRow& row = rows[r];
        for (int d = 0; d < 3; ++d) {
            row.inner[d] = std::fma(frame.out_to_in[d][1], static_cast<double>(j + r + first[1]), slice[d]);
        }
        row.range = {range.lo + first[0], range.hi + first[0]};
        if (!all) row.range = inside_part(frame, row);
    }
}

}  // namespace
}  // namespace revoxel::REVOXEL_ISA
