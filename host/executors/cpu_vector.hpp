// Vectors of the instruction set that the including file is compiled for. For cpu_kernels.cpp and what it includes
// only: everything stands in a namespace of the instruction set and is always inlined.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#if defined(__AVX2__)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC's own undefined vectors
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define REVOXEL_INLINE inline __attribute__((always_inline))

namespace revoxel::REVOXEL_ISA {
namespace {

#if defined(__AVX512F__)
constexpr bool kManyRegisters = true;  ///< 32 vectors
#else
constexpr bool kManyRegisters = false;
#endif

/// kLanes computed values. load() and store() take aligned addresses, load_any() any. transpose() exchanges rows and
/// columns of kLanes vectors.
template <typename C>
struct Vector;

#if defined(__AVX512F__)

template <>
struct Vector<float> {
    static constexpr int kLanes = 16;
    __m512 v;
    static REVOXEL_INLINE Vector load(const float* p) { return {_mm512_load_ps(p)}; }
    static REVOXEL_INLINE Vector load_any(const float* p) { return {_mm512_loadu_ps(p)}; }
    static REVOXEL_INLINE Vector all(float x) { return {_mm512_set1_ps(x)}; }
    REVOXEL_INLINE void store(float* p) const { _mm512_store_ps(p, v); }
    REVOXEL_INLINE void store_any(float* p) const { _mm512_storeu_ps(p, v); }
    REVOXEL_INLINE Vector operator*(Vector o) const { return {_mm512_mul_ps(v, o.v)}; }
    REVOXEL_INLINE Vector operator+(Vector o) const { return {_mm512_add_ps(v, o.v)}; }
    REVOXEL_INLINE Vector operator-(Vector o) const { return {_mm512_sub_ps(v, o.v)}; }
    REVOXEL_INLINE Vector operator/(Vector o) const { return {_mm512_div_ps(v, o.v)}; }
    /// a * b + c with one rounding.
    static REVOXEL_INLINE Vector fma(Vector a, Vector b, Vector c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
    static REVOXEL_INLINE void transpose(Vector (&r)[16]) {
        __m512 t[16];
        for (int i = 0; i < 16; i += 2) {
            t[i] = _mm512_unpacklo_ps(r[i].v, r[i + 1].v);
            t[i + 1] = _mm512_unpackhi_ps(r[i].v, r[i + 1].v);
        }
        __m512d u[16];
        for (int i = 0; i < 16; i += 4) {
            u[i] = _mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2]));
            u[i + 1] = _mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2]));
            u[i + 2] = _mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3]));
            u[i + 3] = _mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3]));
        }
        // u[4 g + c] holds, in quarter q, column 4 q + c of rows 4 g to 4 g + 3.
        for (int c = 0; c < 4; ++c) {
            const __m512 a = _mm512_castpd_ps(u[c]), b = _mm512_castpd_ps(u[4 + c]);
            const __m512 d = _mm512_castpd_ps(u[8 + c]), e = _mm512_castpd_ps(u[12 + c]);
            const __m512 ab_low = _mm512_shuffle_f32x4(a, b, 0x44), ab_high = _mm512_shuffle_f32x4(a, b, 0xee);
            const __m512 de_low = _mm512_shuffle_f32x4(d, e, 0x44), de_high = _mm512_shuffle_f32x4(d, e, 0xee);
            r[c].v = _mm512_shuffle_f32x4(ab_low, de_low, 0x88);
            r[4 + c].v = _mm512_shuffle_f32x4(ab_low, de_low, 0xdd);
            r[8 + c].v = _mm512_shuffle_f32x4(ab_high, de_high, 0x88);
            r[12 + c].v = _mm512_shuffle_f32x4(ab_high, de_high, 0xdd);
        }
    }
};

template <>
struct Vector<double> {
    static constexpr int kLanes = 8;
    __m512d v;
    static REVOXEL_INLINE Vector load(const double* p) { return {_mm512_load_pd(p)}; }
    static REVOXEL_INLINE Vector load_any(const double* p) { return {_mm512_loadu_pd(p)}; }
    static REVOXEL_INLINE Vector all(double x) { return {_mm512_set1_pd(x)}; }
    REVOXEL_INLINE void store(double* p) const { _mm512_store_pd(p, v); }
    REVOXEL_INLINE void store_any(double* p) const { _mm512_storeu_pd(p, v); }
    REVOXEL_INLINE Vector operator*(Vector o) const { return {_mm512_mul_pd(v, o.v)}; }
    REVOXEL_INLINE Vector operator+(Vector o) const { return {_mm512_add_pd(v, o.v)}; }
    REVOXEL_INLINE Vector operator-(Vector o) const { return {_mm512_sub_pd(v, o.v)}; }
    REVOXEL_INLINE Vector operator/(Vector o) const { return {_mm512_div_pd(v, o.v)}; }
    static REVOXEL_INLINE Vector floor(Vector a) { return {_mm512_floor_pd(a.v)}; }
    static REVOXEL_INLINE Vector min(Vector a, Vector b) { return {_mm512_min_pd(a.v, b.v)}; }
    static REVOXEL_INLINE Vector max(Vector a, Vector b) { return {_mm512_max_pd(a.v, b.v)}; }
    REVOXEL_INLINE void store_indices(std::int32_t* p) const {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvttpd_epi32(v));
    }
    static REVOXEL_INLINE Vector fma(Vector a, Vector b, Vector c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
    static REVOXEL_INLINE void transpose(Vector (&r)[8]) {
        __m512d t[8];
        for (int i = 0; i < 8; i += 2) {
            t[i] = _mm512_unpacklo_pd(r[i].v, r[i + 1].v);
            t[i + 1] = _mm512_unpackhi_pd(r[i].v, r[i + 1].v);
        }
        // t[2 g + c] holds, in quarter q, column 2 q + c of rows 2 g and 2 g + 1.
        for (int c = 0; c < 2; ++c) {
            const __m512d ab_low = _mm512_shuffle_f64x2(t[c], t[2 + c], 0x44);
            const __m512d ab_high = _mm512_shuffle_f64x2(t[c], t[2 + c], 0xee);
            const __m512d de_low = _mm512_shuffle_f64x2(t[4 + c], t[6 + c], 0x44);
            const __m512d de_high = _mm512_shuffle_f64x2(t[4 + c], t[6 + c], 0xee);
            r[c].v = _mm512_shuffle_f64x2(ab_low, de_low, 0x88);
            r[2 + c].v = _mm512_shuffle_f64x2(ab_low, de_low, 0xdd);
            r[4 + c].v = _mm512_shuffle_f64x2(ab_high, de_high, 0x88);
            r[6 + c].v = _mm512_shuffle_f64x2(ab_high, de_high, 0xdd);
        }
    }
};

template <typename C>
struct Lanes {
    __mmask16 m;
    static constexpr __mmask16 kAll = sizeof(C) == 4 ? 0xffff : 0xff;
    static REVOXEL_INLINE Lanes none() { return {0}; }
    static REVOXEL_INLINE Lanes where_nonzero(Vector<float> x) {
        return {_mm512_cmp_ps_mask(x.v, _mm512_setzero_ps(), _CMP_NEQ_UQ)};
    }
    static REVOXEL_INLINE Lanes where_nonzero(Vector<double> x) {
        return {static_cast<__mmask16>(_mm512_cmp_pd_mask(x.v, _mm512_setzero_pd(), _CMP_NEQ_UQ))};
    }
    static REVOXEL_INLINE Lanes where_within(Vector<float> x, double bound) {
        return {_mm512_cmp_ps_mask(_mm512_abs_ps(x.v), _mm512_set1_ps(static_cast<float>(bound)), _CMP_LE_OQ)};
    }
    static REVOXEL_INLINE Lanes where_within(Vector<double> x, double bound) {
        return {static_cast<__mmask16>(_mm512_cmp_pd_mask(_mm512_abs_pd(x.v), _mm512_set1_pd(bound), _CMP_LE_OQ))};
    }
    static REVOXEL_INLINE Lanes where_less(Vector<double> a, Vector<double> b) {
        return {static_cast<__mmask16>(_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ))};
    }
    REVOXEL_INLINE Lanes operator|(Lanes o) const { return {static_cast<__mmask16>(m | o.m)}; }
    REVOXEL_INLINE Lanes operator&(Lanes o) const { return {static_cast<__mmask16>(m & o.m)}; }
    REVOXEL_INLINE bool any() const { return m != 0; }
    REVOXEL_INLINE bool all() const { return m == kAll; }
    /// a where the lane is set, else b.
    static REVOXEL_INLINE Vector<float> choose(Lanes l, Vector<float> a, Vector<float> b) {
        return {_mm512_mask_blend_ps(l.m, b.v, a.v)};
    }
    static REVOXEL_INLINE Vector<double> choose(Lanes l, Vector<double> a, Vector<double> b) {
        return {_mm512_mask_blend_pd(static_cast<__mmask8>(l.m), b.v, a.v)};
    }
};

REVOXEL_INLINE Vector<float> narrowed(Vector<double> low, Vector<double> high) {
    return {_mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low.v)), _mm512_cvtpd_ps(high.v), 1)};
}

/// The 2 or 4 values at each of 16 places, as vectors of first values, second values, ...
template <int n>
REVOXEL_INLINE void fetch_floats(const float* data, const std::int32_t* place, Vector<float> (&value)[4]) {
    const auto at = [&](int p) {
        if constexpr (n == 4) return _mm_loadu_ps(data + static_cast<std::uint32_t>(place[p]));
        // Two places in one
        const __m128 low = _mm_castsi128_ps(_mm_loadu_si64(data + static_cast<std::uint32_t>(place[p])));
        return _mm_loadh_pi(low, reinterpret_cast<const __m64*>(data + static_cast<std::uint32_t>(place[p + 1])));
    };
    // Points p, p + 4, p + 8, p + 12 in the four quarters
    const auto quarters = [&](int p) {
        const __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(at(p)), at(p + 4), 1);
        const __m256 high = _mm256_insertf128_ps(_mm256_castps128_ps256(at(p + 8)), at(p + 12), 1);
        return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
    };
    if constexpr (n == 2) {
        const __m512 a = quarters(0), b = quarters(2);
        value[0].v = _mm512_shuffle_ps(a, b, 0x88);
        value[1].v = _mm512_shuffle_ps(a, b, 0xdd);
    } else {
        const __m512 a = quarters(0), b = quarters(1), c = quarters(2), d = quarters(3);
        const __m512 ab_low = _mm512_unpacklo_ps(a, b), ab_high = _mm512_unpackhi_ps(a, b);
        const __m512 cd_low = _mm512_unpacklo_ps(c, d), cd_high = _mm512_unpackhi_ps(c, d);
        value[0].v = _mm512_shuffle_ps(ab_low, cd_low, 0x44);
        value[1].v = _mm512_shuffle_ps(ab_low, cd_low, 0xee);
        value[2].v = _mm512_shuffle_ps(ab_high, cd_high, 0x44);
        value[3].v = _mm512_shuffle_ps(ab_high, cd_high, 0xee);
    }
}

#elif defined(__AVX2__)

template <>
struct Vector<float> {
    static constexpr int kLanes = 8;
    __m256 v;
    static REVOXEL_INLINE Vector load(const float* p) { return {_mm256_load_ps(p)}; }
    static REVOXEL_INLINE Vector load_any(const float* p) { return {_mm256_loadu_ps(p)}; }
    static REVOXEL_INLINE Vector all(float x) { return {_mm256_set1_ps(x)}; }
    REVOXEL_INLINE void store(float* p) const { _mm256_store_ps(p, v); }
    REVOXEL_INLINE void store_any(float* p) const { _mm256_storeu_ps(p, v); }
    REVOXEL_INLINE Vector operator*(Vector o) const { return {_mm256_mul_ps(v, o.v)}; }
    REVOXEL_INLINE Vector operator+(Vector o) const { return {_mm256_add_ps(v, o.v)}; }
    REVOXEL_INLINE Vector operator-(Vector o) const { return {_mm256_sub_ps(v, o.v)}; }
    REVOXEL_INLINE Vector operator/(Vector o) const { return {_mm256_div_ps(v, o.v)}; }
    static REVOXEL_INLINE Vector fma(Vector a, Vector b, Vector c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
    static REVOXEL_INLINE void transpose(Vector (&r)[8]) {
        __m256 t[8], u[8];
        for (int i = 0; i < 8; i += 2) {
            t[i] = _mm256_unpacklo_ps(r[i].v, r[i + 1].v);
            t[i + 1] = _mm256_unpackhi_ps(r[i].v, r[i + 1].v);
        }
        for (int i = 0; i < 8; i += 4) {
            u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
            u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
            u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
            u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
        }
        for (int c = 0; c < 4; ++c) {
            r[c].v = _mm256_permute2f128_ps(u[c], u[4 + c], 0x20);
            r[4 + c].v = _mm256_permute2f128_ps(u[c], u[4 + c], 0x31);
        }
    }
};

template <>
struct Vector<double> {
    static constexpr int kLanes = 4;
    __m256d v;
    static REVOXEL_INLINE Vector load(const double* p) { return {_mm256_load_pd(p)}; }
    static REVOXEL_INLINE Vector load_any(const double* p) { return {_mm256_loadu_pd(p)}; }
    static REVOXEL_INLINE Vector all(double x) { return {_mm256_set1_pd(x)}; }
    REVOXEL_INLINE void store(double* p) const { _mm256_store_pd(p, v); }
    REVOXEL_INLINE void store_any(double* p) const { _mm256_storeu_pd(p, v); }
    REVOXEL_INLINE Vector operator*(Vector o) const { return {_mm256_mul_pd(v, o.v)}; }
    REVOXEL_INLINE Vector operator+(Vector o) const { return {_mm256_add_pd(v, o.v)}; }
    REVOXEL_INLINE Vector operator-(Vector o) const { return {_mm256_sub_pd(v, o.v)}; }
    REVOXEL_INLINE Vector operator/(Vector o) const { return {_mm256_div_pd(v, o.v)}; }
    static REVOXEL_INLINE Vector floor(Vector a) { return {_mm256_floor_pd(a.v)}; }
    static REVOXEL_INLINE Vector min(Vector a, Vector b) { return {_mm256_min_pd(a.v, b.v)}; }
    static REVOXEL_INLINE Vector max(Vector a, Vector b) { return {_mm256_max_pd(a.v, b.v)}; }
    REVOXEL_INLINE void store_indices(std::int32_t* p) const {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvttpd_epi32(v));
    }
    static REVOXEL_INLINE Vector fma(Vector a, Vector b, Vector c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
    static REVOXEL_INLINE void transpose(Vector (&r)[4]) {
        const __m256d a = _mm256_unpacklo_pd(r[0].v, r[1].v), b = _mm256_unpackhi_pd(r[0].v, r[1].v);
        const __m256d c = _mm256_unpacklo_pd(r[2].v, r[3].v), d = _mm256_unpackhi_pd(r[2].v, r[3].v);
        r[0].v = _mm256_permute2f128_pd(a, c, 0x20);
        r[1].v = _mm256_permute2f128_pd(b, d, 0x20);
        r[2].v = _mm256_permute2f128_pd(a, c, 0x31);
        r[3].v = _mm256_permute2f128_pd(b, d, 0x31);
    }
};

template <typename C>
struct Lanes {
    __m256 m;  // all bits of a lane
    static REVOXEL_INLINE Lanes none() { return {_mm256_setzero_ps()}; }
    static REVOXEL_INLINE Lanes where_nonzero(Vector<float> x) {
        return {_mm256_cmp_ps(x.v, _mm256_setzero_ps(), _CMP_NEQ_UQ)};
    }
    static REVOXEL_INLINE Lanes where_nonzero(Vector<double> x) {
        return {_mm256_castpd_ps(_mm256_cmp_pd(x.v, _mm256_setzero_pd(), _CMP_NEQ_UQ))};
    }
    static REVOXEL_INLINE Lanes where_within(Vector<float> x, double bound) {
        const __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0F), x.v);
        return {_mm256_cmp_ps(size, _mm256_set1_ps(static_cast<float>(bound)), _CMP_LE_OQ)};
    }
    static REVOXEL_INLINE Lanes where_within(Vector<double> x, double bound) {
        const __m256d size = _mm256_andnot_pd(_mm256_set1_pd(-0.0), x.v);
        return {_mm256_castpd_ps(_mm256_cmp_pd(size, _mm256_set1_pd(bound), _CMP_LE_OQ))};
    }
    static REVOXEL_INLINE Lanes where_less(Vector<double> a, Vector<double> b) {
        return {_mm256_castpd_ps(_mm256_cmp_pd(a.v, b.v, _CMP_LT_OQ))};
    }
    REVOXEL_INLINE Lanes operator|(Lanes o) const { return {_mm256_or_ps(m, o.m)}; }
    REVOXEL_INLINE Lanes operator&(Lanes o) const { return {_mm256_and_ps(m, o.m)}; }
    REVOXEL_INLINE bool any() const { return _mm256_movemask_ps(m) != 0; }
    REVOXEL_INLINE bool all() const { return _mm256_movemask_ps(m) == 0xff; }
    /// a where the lane is set, else b.
    static REVOXEL_INLINE Vector<float> choose(Lanes l, Vector<float> a, Vector<float> b) {
        return {_mm256_blendv_ps(b.v, a.v, l.m)};
    }
    static REVOXEL_INLINE Vector<double> choose(Lanes l, Vector<double> a, Vector<double> b) {
        return {_mm256_blendv_pd(b.v, a.v, _mm256_castps_pd(l.m))};
    }
};

REVOXEL_INLINE Vector<float> narrowed(Vector<double> low, Vector<double> high) {
    return {_mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low.v)), _mm256_cvtpd_ps(high.v), 1)};
}

/// The 2 or 4 values at each of 8 places, as vectors of first values, second values, ...
template <int n>
REVOXEL_INLINE void fetch_floats(const float* data, const std::int32_t* place, Vector<float> (&value)[4]) {
    const auto at = [&](int p) {
        if constexpr (n == 4) return _mm_loadu_ps(data + static_cast<std::uint32_t>(place[p]));
        // Two places in one
        const __m128 low = _mm_castsi128_ps(_mm_loadu_si64(data + static_cast<std::uint32_t>(place[p])));
        return _mm_loadh_pi(low, reinterpret_cast<const __m64*>(data + static_cast<std::uint32_t>(place[p + 1])));
    };
    // Points p and p + 4 in the two halves
    const auto halves = [&](int p) { return _mm256_insertf128_ps(_mm256_castps128_ps256(at(p)), at(p + 4), 1); };
    if constexpr (n == 2) {
        const __m256 a = halves(0), b = halves(2);
        value[0].v = _mm256_shuffle_ps(a, b, 0x88);
        value[1].v = _mm256_shuffle_ps(a, b, 0xdd);
    } else {
        const __m256 a = halves(0), b = halves(1), c = halves(2), d = halves(3);
        const __m256 ab_low = _mm256_unpacklo_ps(a, b), ab_high = _mm256_unpackhi_ps(a, b);
        const __m256 cd_low = _mm256_unpacklo_ps(c, d), cd_high = _mm256_unpackhi_ps(c, d);
        value[0].v = _mm256_shuffle_ps(ab_low, cd_low, 0x44);
        value[1].v = _mm256_shuffle_ps(ab_low, cd_low, 0xee);
        value[2].v = _mm256_shuffle_ps(ab_high, cd_high, 0x44);
        value[3].v = _mm256_shuffle_ps(ab_high, cd_high, 0xee);
    }
}

#elif defined(__aarch64__)

template <>
struct Vector<float> {
    static constexpr int kLanes = 4;
    float32x4_t v;
    static REVOXEL_INLINE Vector load(const float* p) { return {vld1q_f32(p)}; }
    static REVOXEL_INLINE Vector load_any(const float* p) { return {vld1q_f32(p)}; }
    static REVOXEL_INLINE Vector all(float x) { return {vdupq_n_f32(x)}; }
    REVOXEL_INLINE void store(float* p) const { vst1q_f32(p, v); }
    REVOXEL_INLINE void store_any(float* p) const { vst1q_f32(p, v); }
    REVOXEL_INLINE Vector operator*(Vector o) const { return {vmulq_f32(v, o.v)}; }
    REVOXEL_INLINE Vector operator+(Vector o) const { return {vaddq_f32(v, o.v)}; }
    REVOXEL_INLINE Vector operator-(Vector o) const { return {vsubq_f32(v, o.v)}; }
    REVOXEL_INLINE Vector operator/(Vector o) const { return {vdivq_f32(v, o.v)}; }
    static REVOXEL_INLINE Vector fma(Vector a, Vector b, Vector c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
    static REVOXEL_INLINE void transpose(Vector (&r)[4]) {
        const float64x2_t ab_even = vreinterpretq_f64_f32(vtrn1q_f32(r[0].v, r[1].v));
        const float64x2_t ab_odd = vreinterpretq_f64_f32(vtrn2q_f32(r[0].v, r[1].v));
        const float64x2_t cd_even = vreinterpretq_f64_f32(vtrn1q_f32(r[2].v, r[3].v));
        const float64x2_t cd_odd = vreinterpretq_f64_f32(vtrn2q_f32(r[2].v, r[3].v));
        r[0].v = vreinterpretq_f32_f64(vtrn1q_f64(ab_even, cd_even));
        r[1].v = vreinterpretq_f32_f64(vtrn1q_f64(ab_odd, cd_odd));
        r[2].v = vreinterpretq_f32_f64(vtrn2q_f64(ab_even, cd_even));
        r[3].v = vreinterpretq_f32_f64(vtrn2q_f64(ab_odd, cd_odd));
    }
};

template <>
struct Vector<double> {
    static constexpr int kLanes = 2;
    float64x2_t v;
    static REVOXEL_INLINE Vector load(const double* p) { return {vld1q_f64(p)}; }
    static REVOXEL_INLINE Vector load_any(const double* p) { return {vld1q_f64(p)}; }
    static REVOXEL_INLINE Vector all(double x) { return {vdupq_n_f64(x)}; }
    REVOXEL_INLINE void store(double* p) const { vst1q_f64(p, v); }
    REVOXEL_INLINE void store_any(double* p) const { vst1q_f64(p, v); }
    REVOXEL_INLINE Vector operator*(Vector o) const { return {vmulq_f64(v, o.v)}; }
    REVOXEL_INLINE Vector operator+(Vector o) const { return {vaddq_f64(v, o.v)}; }
    REVOXEL_INLINE Vector operator-(Vector o) const { return {vsubq_f64(v, o.v)}; }
    REVOXEL_INLINE Vector operator/(Vector o) const { return {vdivq_f64(v, o.v)}; }
    static REVOXEL_INLINE Vector floor(Vector a) { return {vrndmq_f64(a.v)}; }
    static REVOXEL_INLINE Vector min(Vector a, Vector b) { return {vbslq_f64(vcltq_f64(a.v, b.v), a.v, b.v)}; }
    static REVOXEL_INLINE Vector max(Vector a, Vector b) { return {vbslq_f64(vcgtq_f64(a.v, b.v), a.v, b.v)}; }
    REVOXEL_INLINE void store_indices(std::int32_t* p) const { vst1_s32(p, vmovn_s64(vcvtq_s64_f64(v))); }
    static REVOXEL_INLINE Vector fma(Vector a, Vector b, Vector c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
    static REVOXEL_INLINE void transpose(Vector (&r)[2]) {
        const float64x2_t a = r[0].v, b = r[1].v;
        r[0].v = vtrn1q_f64(a, b);
        r[1].v = vtrn2q_f64(a, b);
    }
};

template <typename C>
struct Lanes {
    uint8x16_t m;  // all bits of a lane
    static REVOXEL_INLINE Lanes none() { return {vdupq_n_u8(0)}; }
    static REVOXEL_INLINE Lanes where_nonzero(Vector<float> x) {
        return {vmvnq_u8(vreinterpretq_u8_u32(vceqzq_f32(x.v)))};
    }
    static REVOXEL_INLINE Lanes where_nonzero(Vector<double> x) {
        return {vmvnq_u8(vreinterpretq_u8_u64(vceqzq_f64(x.v)))};
    }
    static REVOXEL_INLINE Lanes where_within(Vector<float> x, double bound) {
        return {vreinterpretq_u8_u32(vcaleq_f32(x.v, vdupq_n_f32(static_cast<float>(bound))))};
    }
    static REVOXEL_INLINE Lanes where_within(Vector<double> x, double bound) {
        return {vreinterpretq_u8_u64(vcaleq_f64(x.v, vdupq_n_f64(bound)))};
    }
    static REVOXEL_INLINE Lanes where_less(Vector<double> a, Vector<double> b) {
        return {vreinterpretq_u8_u64(vcltq_f64(a.v, b.v))};
    }
    REVOXEL_INLINE Lanes operator|(Lanes o) const { return {vorrq_u8(m, o.m)}; }
    REVOXEL_INLINE Lanes operator&(Lanes o) const { return {vandq_u8(m, o.m)}; }
    REVOXEL_INLINE bool any() const { return vmaxvq_u8(m) != 0; }
    REVOXEL_INLINE bool all() const { return vminvq_u8(m) == 0xff; }
    /// a where the lane is set, else b.
    static REVOXEL_INLINE Vector<float> choose(Lanes l, Vector<float> a, Vector<float> b) {
        return {vbslq_f32(vreinterpretq_u32_u8(l.m), a.v, b.v)};
    }
    static REVOXEL_INLINE Vector<double> choose(Lanes l, Vector<double> a, Vector<double> b) {
        return {vbslq_f64(vreinterpretq_u64_u8(l.m), a.v, b.v)};
    }
};

REVOXEL_INLINE Vector<float> narrowed(Vector<double> low, Vector<double> high) {
    return {vcvt_high_f32_f64(vcvt_f32_f64(low.v), high.v)};
}

/// The 2 or 4 values at each of 4 places, as vectors of first values, second values, ...
template <int n>
REVOXEL_INLINE void fetch_floats(const float* data, const std::int32_t* place, Vector<float> (&value)[4]) {
    if constexpr (n == 2) {
        const float32x4_t a = vcombine_f32(vld1_f32(data + place[0]), vld1_f32(data + place[1]));
        const float32x4_t b = vcombine_f32(vld1_f32(data + place[2]), vld1_f32(data + place[3]));
        value[0].v = vuzp1q_f32(a, b);
        value[1].v = vuzp2q_f32(a, b);
    } else {
        for (int p = 0; p < 4; ++p) value[p] = Vector<float>::load_any(data + place[p]);
        Vector<float>::transpose(value);
    }
}

#else

/// 16 bytes of plain loops, which a compiler turns into what the machine has (SSE2, say).
template <typename C>
struct Vector {
    static constexpr int kLanes = 16 / static_cast<int>(sizeof(C));
    C v[kLanes];
    static REVOXEL_INLINE Vector load(const C* p) {
        Vector r;
        for (int i = 0; i < kLanes; ++i) r.v[i] = p[i];
        return r;
    }
    static REVOXEL_INLINE Vector load_any(const C* p) { return load(p); }
    static REVOXEL_INLINE Vector all(C x) {
        Vector r;
        for (int i = 0; i < kLanes; ++i) r.v[i] = x;
        return r;
    }
    REVOXEL_INLINE void store(C* p) const {
        for (int i = 0; i < kLanes; ++i) p[i] = v[i];
    }
    REVOXEL_INLINE void store_any(C* p) const { store(p); }
    REVOXEL_INLINE Vector operator*(Vector o) const {
        for (int i = 0; i < kLanes; ++i) o.v[i] = v[i] * o.v[i];
        return o;
    }
    REVOXEL_INLINE Vector operator+(Vector o) const {
        for (int i = 0; i < kLanes; ++i) o.v[i] = v[i] + o.v[i];
        return o;
    }
    REVOXEL_INLINE Vector operator-(Vector o) const {
        for (int i = 0; i < kLanes; ++i) o.v[i] = v[i] - o.v[i];
        return o;
    }
    REVOXEL_INLINE Vector operator/(Vector o) const {
        for (int i = 0; i < kLanes; ++i) o.v[i] = v[i] / o.v[i];
        return o;
    }
    static REVOXEL_INLINE Vector floor(Vector a) {
        for (C& x : a.v) x = std::floor(x);
        return a;
    }
    static REVOXEL_INLINE Vector min(Vector a, Vector b) {
        for (int i = 0; i < kLanes; ++i) b.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
        return b;
    }
    static REVOXEL_INLINE Vector max(Vector a, Vector b) {
        for (int i = 0; i < kLanes; ++i) b.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
        return b;
    }
    REVOXEL_INLINE void store_indices(std::int32_t* p) const {
        for (int i = 0; i < kLanes; ++i) p[i] = static_cast<std::int32_t>(v[i]);
    }
    static REVOXEL_INLINE Vector fma(Vector a, Vector b, Vector c) {
        for (int i = 0; i < kLanes; ++i) c.v[i] = std::fma(a.v[i], b.v[i], c.v[i]);
        return c;
    }
    static REVOXEL_INLINE void transpose(Vector (&r)[kLanes]) {
        for (int i = 0; i < kLanes; ++i) {
            for (int j = i + 1; j < kLanes; ++j) {
                const C swapped = r[i].v[j];
                r[i].v[j] = r[j].v[i];
                r[j].v[i] = swapped;
            }
        }
    }
};

template <typename C>
struct Lanes {
    bool m[Vector<C>::kLanes];
    static REVOXEL_INLINE Lanes none() { return {}; }
    static REVOXEL_INLINE Lanes where_nonzero(Vector<C> x) {
        Lanes r;
        for (int i = 0; i < Vector<C>::kLanes; ++i) r.m[i] = x.v[i] != C(0);
        return r;
    }
    static REVOXEL_INLINE Lanes where_within(Vector<C> x, double bound) {
        Lanes r;
        for (int i = 0; i < Vector<C>::kLanes; ++i) r.m[i] = x.v[i] <= bound && x.v[i] >= -bound;
        return r;
    }
    static REVOXEL_INLINE Lanes where_less(Vector<C> a, Vector<C> b) {
        Lanes r;
        for (int i = 0; i < Vector<C>::kLanes; ++i) r.m[i] = a.v[i] < b.v[i];
        return r;
    }
    REVOXEL_INLINE Lanes operator|(Lanes o) const {
        for (int i = 0; i < Vector<C>::kLanes; ++i) o.m[i] = m[i] || o.m[i];
        return o;
    }
    REVOXEL_INLINE Lanes operator&(Lanes o) const {
        for (int i = 0; i < Vector<C>::kLanes; ++i) o.m[i] = m[i] && o.m[i];
        return o;
    }
    REVOXEL_INLINE bool any() const {
        bool some = false;
        for (bool set : m) some = some || set;
        return some;
    }
    REVOXEL_INLINE bool all() const {
        bool every = true;
        for (bool set : m) every = every && set;
        return every;
    }
    /// a where the lane is set, else b.
    static REVOXEL_INLINE Vector<C> choose(Lanes l, Vector<C> a, Vector<C> b) {
        for (int i = 0; i < Vector<C>::kLanes; ++i) b.v[i] = l.m[i] ? a.v[i] : b.v[i];
        return b;
    }
};

REVOXEL_INLINE Vector<float> narrowed(Vector<double> low, Vector<double> high) {
    Vector<float> r;
    for (int i = 0; i < Vector<double>::kLanes; ++i) {
        r.v[i] = static_cast<float>(low.v[i]);
        r.v[Vector<double>::kLanes + i] = static_cast<float>(high.v[i]);
    }
    return r;
}

#endif

/// All NaN are one, as math::saturate_round says.
template <typename C>
REVOXEL_INLINE Vector<C> with_one_nan(Vector<C> x) {
    constexpr C kNan = std::numeric_limits<C>::quiet_NaN();
#if defined(__AVX512F__) || defined(__AVX2__) || defined(__aarch64__)
    x.v = x.v == x.v ? x.v : Vector<C>::all(kNan).v;
#else
    for (C& v : x.v) v = v == v ? v : kNan;
#endif
    return x;
}

}  // namespace
}  // namespace revoxel::REVOXEL_ISA
