// Interpolation at points of a small dense array. Included by cpu_kernels.cpp only.
#pragma once

#include "executors/cpu_kernels.hpp"
#include "executors/cpu_vector.hpp"

namespace revoxel::REVOXEL_ISA {
namespace {

/// Points that are worked on at once.
template <typename C>
constexpr int kPoints = Vector<C>::kLanes;

/// One axis of kPoints points: index of the first tap in the array, and for each tap the weights and who uses them.
template <typename C>
struct PointTaps {
    alignas(64) std::int32_t first[kPoints<C>];
    alignas(64) C weight[math::kGatherTaps][kPoints<C>];
    Lanes<C> used[math::kGatherTaps];
    bool any[math::kGatherTaps];  ///< some point uses the tap
    bool all;                     ///< every point uses every tap
};

/// As math::gather_taps: fraction and weights with the same operations, zero weights at both ends left out.
template <typename C>
REVOXEL_INLINE void point_taps(const Brick<C>& brick, int d, const double* c, PointTaps<C>& taps) {
    constexpr int kN = kPoints<C>;
    alignas(64) C f[kN], g[kN];
    alignas(64) double base[kN];
    for (int p = 0; p < kN; ++p) {
        const double near = std::floor(c[p] + 0.5), off = c[p] - near, below = std::floor(c[p]);
        const bool whole = !(off > math::kIntegerSnap || off < -math::kIntegerSnap);
        base[p] = whole ? near : below;
        f[p] = static_cast<C>(whole ? 0.0 : c[p] - below);
        g[p] = C(1) - f[p];
    }
    const double shift = static_cast<double>(brick.lo[d]);
    C(*w)[kN] = taps.weight;
    const int count = brick.taps[d];
    if (brick.kernel[d].form == math::PointKernel::Form::linear) {
        for (int p = 0; p < kN; ++p) {
            w[0][p] = g[p];
            w[1][p] = f[p];
            taps.first[p] = static_cast<std::int32_t>(base[p] - shift);
        }
    } else if (brick.kernel[d].form == math::PointKernel::Form::cubic) {
        for (int p = 0; p < kN; ++p) {
            w[0][p] = C(-0.5) * f[p] * g[p] * g[p];
            w[1][p] = (C(1.5) * f[p] - C(2.5)) * f[p] * f[p] + C(1);
            w[2][p] = (C(1.5) * g[p] - C(2.5)) * g[p] * g[p] + C(1);
            w[3][p] = C(-0.5) * g[p] * f[p] * f[p];
            taps.first[p] = static_cast<std::int32_t>(base[p] - 1.0 - shift);
        }
    } else if (brick.kernel[d].form == math::PointKernel::Form::bspline && brick.kernel[d].degree == 3) {
        for (int p = 0; p < kN; ++p) {
            w[0][p] = g[p] * g[p] * g[p] / C(6);
            w[1][p] = C(2) / C(3) - f[p] * f[p] * (C(2) - f[p]) / C(2);
            w[2][p] = C(2) / C(3) - g[p] * g[p] * (C(2) - g[p]) / C(2);
            w[3][p] = f[p] * f[p] * f[p] / C(6);
            taps.first[p] = static_cast<std::int32_t>(base[p] - 1.0 - shift);
        }
    } else {
        math::GatherTaps<C> one;
        for (int p = 0; p < kN; ++p) {
            math::gather_taps<C>(brick.kernel[d], c[p], one);
            taps.first[p] = static_cast<std::int32_t>(one.first - brick.lo[d]);
            for (int t = 0; t < count; ++t) w[t][p] = t >= one.begin && t < one.end ? one.weight[t] : C(0);
        }
    }
    Lanes<C> seen = Lanes<C>::none(), nonzero[math::kGatherTaps];
    for (int t = 0; t < count; ++t) {
        nonzero[t] = Lanes<C>::where_nonzero(Vector<C>::load(w[t]));
        seen = seen | nonzero[t];
        taps.used[t] = seen;
    }
    seen = Lanes<C>::none();
    taps.all = true;
    for (int t = count - 1; t >= 0; --t) {
        seen = seen | nonzero[t];
        taps.used[t] = taps.used[t] & seen;
        taps.any[t] = taps.used[t].any();
        taps.all = taps.all && taps.used[t].all();
    }
}

/// kPoints points' next `n` (2 or 4) values from their places in the array.
template <int n, typename C>
REVOXEL_INLINE void fetch(const C* data, const std::int32_t* place, Vector<C> (&value)[4]) {
#if defined(__AVX2__)
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
/// changes no bit of it.
template <int n, bool masked, typename C>
REVOXEL_INLINE Vector<C> interpolate(const Brick<C>& brick, const PointTaps<C> (&taps)[3], const std::int32_t* place) {
    using V = Vector<C>;
    V volume = V::all(C(-0.0));
    for (int z = 0; z < brick.taps[2]; ++z) {
        if (masked && !taps[2].any[z]) continue;
        V plane = V::all(C(-0.0));
        for (int y = 0; y < brick.taps[1]; ++y) {
            if (masked && !taps[1].any[y]) continue;
            const C* row = brick.data + z * brick.pitch[2] + y * brick.pitch[1];
            V line = V::all(C(-0.0));
            for (int x = 0; x < brick.taps[0]; x += n) {
                V value[4];
                fetch<n>(row + x, place, value);
                for (int t = 0; t < n && x + t < brick.taps[0]; ++t) {
                    const V sum = V::fma(V::load(taps[0].weight[x + t]), value[t], line);
                    line = masked ? Lanes<C>::choose(taps[0].used[x + t], sum, line) : sum;
                }
            }
            const V sum = V::fma(V::load(taps[1].weight[y]), line, plane);
            plane = masked ? Lanes<C>::choose(taps[1].used[y], sum, plane) : sum;
        }
        const V sum = V::fma(V::load(taps[2].weight[z]), plane, volume);
        volume = masked ? Lanes<C>::choose(taps[2].used[z], sum, volume) : sum;
    }
    return volume;
}

/// A row of points: n values (rounded up to a vector) from output index i on. Positions are kept inside the brick, so
/// that points that do not count read something.
template <typename C>
void points(C* out, const Brick<C>& brick, const double (&inner)[3], std::int64_t i, std::int64_t n) {
    constexpr int kN = kPoints<C>;
    for (std::int64_t begin = 0; begin < n; begin += kN) {
        PointTaps<C> taps[3];
        for (int d = 0; d < 3; ++d) {
            alignas(64) double c[kN];
            const double step = brick.step[d], low = brick.low[d], high = brick.high[d], at = inner[d];
            for (int p = 0; p < kN; ++p) {
                const double position = std::fma(step, static_cast<double>(i + begin + p), at);
                const double above = position > low ? position : low;
                c[p] = above < high ? above : high;
            }
            point_taps(brick, d, c, taps[d]);
        }
        alignas(64) std::int32_t place[kN];
        const auto pitch_y = static_cast<std::int32_t>(brick.pitch[1]),
                   pitch_z = static_cast<std::int32_t>(brick.pitch[2]);
        for (int p = 0; p < kN; ++p) {
            place[p] = taps[0].first[p] + taps[1].first[p] * pitch_y + taps[2].first[p] * pitch_z;
        }
        const bool all = taps[0].all && taps[1].all && taps[2].all;
        Vector<C> value;
        if (brick.taps[0] == 2) {
            value = all ? interpolate<2, false>(brick, taps, place) : interpolate<2, true>(brick, taps, place);
        } else {
            value = all ? interpolate<4, false>(brick, taps, place) : interpolate<4, true>(brick, taps, place);
        }
        value.store(out + begin);
    }
}

IndexRange inside_range(const math::GatherFrame& frame, const double (&inner)[3], std::int64_t i, std::int64_t n) {
    // Each coordinate is monotone in i, also after rounding: what is inside is one stretch.
    std::int64_t begin = n, end = 0;
    for (std::int64_t p = 0; p < n; ++p) {
        bool inside = true;
        for (int d = 0; d < 3; ++d) {
            const double c = std::fma(frame.out_to_in[d][0], static_cast<double>(i + p), inner[d]);
            inside = inside & math::inside_axis(c, frame.inside[d]);
        }
        begin = inside && p < begin ? p : begin;
        end = inside ? p + 1 : end;
    }
    return begin < end ? IndexRange{i + begin, i + end} : IndexRange{i, i};
}

}  // namespace
}  // namespace revoxel::REVOXEL_ISA
