// Compiled once for each instruction set (CMakeLists.txt). No function with external linkage may be instantiated here
// that another file could share: the linker would keep one copy, for one instruction set. So: templates in this file's
// own namespace, always-inline leaves, no containers.
#include "executors/cpu_kernels.hpp"

#ifndef REVOXEL_ISA
#define REVOXEL_ISA portable
#endif
#define REVOXEL_STRING_(x) #x
#define REVOXEL_STRING(x) REVOXEL_STRING_(x)

#include "executors/cpu_points.hpp"
#include "executors/cpu_rows.hpp"

namespace revoxel::REVOXEL_ISA {
namespace {

/// Converts the first voxels of a packed row, where an instruction does it that the compiler does not find, to the same
/// bits; returns how many.
template <typename To, typename From>
inline std::int64_t convert_some(To*, const From*, std::int64_t) {
    return 0;
}
#if defined(__F16C__) && defined(__AVX2__)
inline std::int64_t convert_some(float* out, const Float16* in, std::int64_t n) {
    std::int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
    }
    return i;
}
inline std::int64_t convert_some(Float16* out, const float* in, std::int64_t n) {
    std::int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 v = _mm256_loadu_ps(in + i), nan = _mm256_set1_ps(std::numeric_limits<float>::quiet_NaN());
        const __m256 one = _mm256_blendv_ps(v, nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
        const __m128i halves = _mm256_cvtps_ph(one, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), halves);
    }
    return i;
}
/// A vector of integers that are exact in float.
#if defined(__AVX512F__)
REVOXEL_INLINE __m512 widened(const std::int16_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
}
REVOXEL_INLINE __m512 widened(const std::uint16_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
}
REVOXEL_INLINE __m512 widened(const std::int8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
REVOXEL_INLINE __m512 widened(const std::uint8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
#else
REVOXEL_INLINE __m256 widened(const std::int16_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
REVOXEL_INLINE __m256 widened(const std::uint16_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
REVOXEL_INLINE __m256 widened(const std::int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadu_si64(p)));
}
REVOXEL_INLINE __m256 widened(const std::uint8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadu_si64(p)));
}
#endif
template <typename T>
requires(std::is_integral_v<T> && sizeof(T) <= 2) inline std::int64_t
    convert_some(float* out, const T* in, std::int64_t n) {
    constexpr std::int64_t kLanes = Vector<float>::kLanes;
    if (n < kLanes) return 0;
    for (std::int64_t i = 0; i + kLanes < n; i += kLanes) Vector<float>{widened(in + i)}.store_any(out + i);
    Vector<float>{widened(in + n - kLanes)}.store_any(out + n - kLanes);  // may do some voxels again
    return n;
}
#endif

template <typename C, typename T>
void load(C* __restrict out, const void* row, std::int64_t stride, std::int64_t n) {
    const T* __restrict in = static_cast<const T*>(row);
    if (stride == 1) {
        for (std::int64_t i = convert_some(out, in, n); i < n; ++i) out[i] = static_cast<C>(in[i]);
    } else {
        for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<C>(in[i * stride]);
    }
}

template <typename C, typename T>
void load_brick(C* out, const BrickRows& rows) {
    constexpr std::int64_t kLanes = Vector<C>::kLanes;
    const std::int64_t n = rows.count;
    for (std::int64_t z = 0; z < rows.nz; ++z) {
        for (std::int64_t y = 0; y < rows.ny; ++y) {
            const std::byte* from = rows.data + rows.y_offset[y] + rows.z_offset[z];
            C* const row = out + z * rows.pitch_z + y * rows.pitch_y;
            C* const first = row + rows.before;
            if (std::is_same_v<C, T> && rows.stride == 1 && n >= kLanes) {
                const C* values = reinterpret_cast<const C*>(from);
                std::int64_t i = 0;
                for (; i + kLanes < n; i += kLanes) Vector<C>::load_any(values + i).store_any(first + i);
                Vector<C>::load_any(values + n - kLanes).store_any(first + n - kLanes);
            } else {
                load<C, T>(first, from, rows.stride, n);
            }
            for (std::int64_t i = 0; i < rows.before; ++i) row[i] = first[0];
            for (std::int64_t i = 0; i < rows.after; ++i) first[n + i] = first[n - 1];
        }
    }
}

/// math::saturate_round without a branch, where C holds every T and int32 every T: clamping first changes nothing.
template <typename T, math::RoundTo rule = math::RoundTo::even, typename C>
REVOXEL_INLINE T saturated(C v) {
    constexpr C kHigh = static_cast<C>(std::numeric_limits<T>::max());
    constexpr C kLow = static_cast<C>(std::numeric_limits<T>::min());
    C c = v < kHigh ? v : kHigh;
    c = c > kLow ? c : kLow;
    c = v == v ? c : C(0);
    return static_cast<T>(static_cast<std::int32_t>(math::rounded<rule>(c)));
}

/// Nothing but rounding and saturating is done to values that are stored.
inline bool only_rounded(const math::Storing& s) {
    return s.plain || !(s.scaled || s.clipped || s.binary);
}

// Where vectors are stored as they are, or rounded to T by the same bits as math::saturate_round.
#if defined(__AVX512F__)
template <math::RoundTo rule, typename T>
REVOXEL_INLINE void store_rounded(T* out, __m512 v) {
    const __mmask16 number = _mm512_cmp_ps_mask(v, v, _CMP_ORD_Q);
    v = _mm512_min_ps(v, _mm512_set1_ps(std::numeric_limits<T>::max()));
    v = _mm512_max_ps(v, _mm512_set1_ps(std::numeric_limits<T>::min()));
    if constexpr (rule == math::RoundTo::away) {
        // The largest value below 1/2: with it no fraction below 1/2 reaches the next integer, and 1/2 does.
        const __m512 sign = _mm512_and_ps(v, _mm512_set1_ps(-0.0F));
        v = _mm512_add_ps(v, _mm512_or_ps(sign, _mm512_set1_ps(0x1.fffffep-2F)));
    }
    constexpr int kHow = rule == math::RoundTo::even ? _MM_FROUND_TO_NEAREST_INT : _MM_FROUND_TO_ZERO;
    const __m512i whole = _mm512_maskz_cvt_roundps_epi32(number, v, kHow | _MM_FROUND_NO_EXC);
    if constexpr (sizeof(T) == 2) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi32_epi16(whole));
    } else {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(whole));
    }
}
template <typename T>
requires std::is_integral_v<T> REVOXEL_INLINE void store_vector(T* out, Vector<float> value, math::RoundTo rule) {
    if (rule == math::RoundTo::even) {
        store_rounded<math::RoundTo::even>(out, value.v);
    } else if (rule == math::RoundTo::away) {
        store_rounded<math::RoundTo::away>(out, value.v);
    } else {
        store_rounded<math::RoundTo::zero>(out, value.v);
    }
}
template <typename C, typename T>
constexpr bool kRoundsVectors = sizeof(C) == 4 && std::is_integral_v<T> && sizeof(T) <= 2;
#else
template <typename C, typename T>
constexpr bool kRoundsVectors = false;
#endif
template <typename C>
REVOXEL_INLINE void store_vector(C* out, Vector<C> value, math::RoundTo) {
    with_one_nan(value).store_any(out);
}
template <typename C, typename T>
constexpr bool kStoresVectors = std::is_same_v<C, T> || kRoundsVectors<C, T>;

template <typename C, typename T>
constexpr bool kNarrow = std::is_integral_v<T> &&
                         (sizeof(T) <= 2 || (sizeof(T) == 4 && std::is_signed_v<T> && sizeof(C) == 8));

template <typename C, typename T>
void store(void* row, std::int64_t stride, const C* __restrict in, std::int64_t n, const math::Storing& storing) {
    T* __restrict out = static_cast<T*>(row);
    const math::Storing s = storing;
    std::int64_t i = 0;
    if constexpr (kRoundsVectors<C, T>) {
        constexpr std::int64_t kLanes = Vector<C>::kLanes;
        if (stride == 1 && only_rounded(s)) {
            while (i < n && n >= kLanes) {
                i = std::min(i, n - kLanes);  // the last vector may do some voxels again
                store_vector(out + i, Vector<C>::load_any(in + i), s.rounding);
                i += kLanes;
            }
        }
    }
    if (kNarrow<C, T> && stride == 1 && only_rounded(s) && s.rounding == math::RoundTo::zero) {
        if constexpr (kNarrow<C, T>) {
            for (; i < n; ++i) out[i] = saturated<T, math::RoundTo::zero>(in[i]);
        }
    } else if (!s.plain) {
        for (; i < n; ++i) out[i * stride] = math::store_value<T>(in[i], s);
    } else if (stride != 1) {
        for (; i < n; ++i) out[i * stride] = math::saturate_round<T>(in[i]);
    } else if constexpr (kNarrow<C, T>) {
        for (; i < n; ++i) out[i] = saturated<T>(in[i]);
    } else {
        for (i += convert_some(out + i, in + i, n - i); i < n; ++i) out[i] = math::saturate_round<T>(in[i]);
    }
}

template <typename C, typename T>
REVOXEL_INLINE void store_row_sum(T* out, const C* const* rows, const C* weight, std::int32_t count, std::int64_t at,
                                  std::int64_t n, const math::Storing& s) {
    constexpr int kAtOnce = 8;
    constexpr std::int64_t kLanes = Vector<C>::kLanes;
    std::int64_t i = 0;
    if constexpr (kStoresVectors<C, T>) {
        if (only_rounded(s)) {
            for (; i + kAtOnce * kLanes <= n; i += kAtOnce * kLanes) {
                Vector<C> sum[kAtOnce];
                sum_vectors(sum, rows, weight, count, at + i);
                for (int v = 0; v < kAtOnce; ++v) store_vector(out + i + v * kLanes, sum[v], s.rounding);
            }
            while (i < n && n >= kLanes) {
                i = std::min(i, n - kLanes);  // the last vector may do some voxels again
                Vector<C> sum[1];
                sum_vectors(sum, rows, weight, count, at + i);
                store_vector(out + i, sum[0], s.rounding);
                i += kLanes;
            }
        }
    }
    for (; i < n; i += kAtOnce * kLanes) {
        alignas(kRowAlignment) C values[kAtOnce * kLanes];
        const std::int64_t left = std::min<std::int64_t>(kAtOnce * kLanes, n - i);
        sum_some(values, rows, weight, count, at + i, left);
        store<C, T>(out + i, 1, values, left, s);
    }
}

template <typename C, typename T>
void store_sums(void* to, std::int64_t to_pitch, const C* const* from, std::int64_t pitch, std::int64_t rows,
                const C* weight, std::int32_t count, std::int64_t n, const math::Storing& storing) {
    const math::Storing s = storing;
    for (std::int64_t r = 0; r < rows; ++r) {
        store_row_sum(static_cast<T*>(to) + r * to_pitch, from, weight, count, r * pitch, n, s);
    }
}

std::int64_t stream(void* to, const void* from, std::int64_t bytes, [[maybe_unused]] bool to_the_end) {
    auto* out = static_cast<unsigned char*>(to);
    const auto* in = static_cast<const unsigned char*>(from);
    std::int64_t at = 0;
#if defined(__AVX2__)
    constexpr std::int64_t kLine = 64;  // whole lines, or the memory has to be read first
    const std::int64_t past = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(out) % kLine);
    if (past != 0 && bytes >= kLine - past) {
        at = kLine - past;
        __builtin_memcpy(out, in, static_cast<std::size_t>(at));
    }
    if (past == 0 || at > 0) {
        for (; at + kLine <= bytes; at += kLine) {
            const auto* piece = reinterpret_cast<const __m256i*>(in + at);
            auto* line = reinterpret_cast<__m256i*>(out + at);
#if defined(__AVX512F__)
            _mm512_stream_si512(reinterpret_cast<__m512i*>(line), _mm512_loadu_si512(piece));
#else
            _mm256_stream_si256(line, _mm256_loadu_si256(piece));
            _mm256_stream_si256(line + 1, _mm256_loadu_si256(piece + 1));
#endif
        }
    }
    if (!to_the_end) return at;
#endif
    __builtin_memcpy(out + at, in + at, static_cast<std::size_t>(bytes - at));
    return bytes;
}

void finish_stream() {
#if defined(__AVX2__)
    _mm_sfence();
#endif
}

inline std::int64_t clamped(std::int64_t i, std::int64_t n) {
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/// The kernel's sum over the samples that are there, along axis d.
template <typename C>
inline C norm_of(const GatherSource<C>& s, int d, const math::GatherTaps<C>& taps) {
    C sum = 0;
    for (int t = taps.begin; t < taps.end; ++t) {
        const C norm = s.norm[d][clamped(taps.first + t - s.origin[d], s.extent[d])];
        sum = t == taps.begin ? taps.weight[t] * norm : std::fma(taps.weight[t], norm, sum);
    }
    return sum;
}

/// One output voxel: sums x, then y, then z, as the reference does.
template <typename C, typename T>
inline C gather_voxel(const GatherSource<C>& s, const double (&c)[3]) {
    math::GatherTaps<C> taps[3];
    std::int64_t offset[3][math::kGatherTaps];  // scalars from the origin, for each tap
    for (int d = 0; d < 3; ++d) {
        math::gather_taps<C>(s.kernel[d], c[d], taps[d]);
        for (int t = taps[d].begin; t < taps[d].end; ++t) {
            offset[d][t] = clamped(taps[d].first + t - s.origin[d], s.extent[d]) * s.stride[d];
        }
    }
    const T* data = static_cast<const T*>(s.data);
    C volume = 0;
    for (int z = taps[2].begin; z < taps[2].end; ++z) {
        C plane = 0;
        for (int y = taps[1].begin; y < taps[1].end; ++y) {
            const T* row = data + offset[2][z] + offset[1][y];
            C line = 0;
            for (int x = taps[0].begin; x < taps[0].end; ++x) {
                const C value = static_cast<C>(row[offset[0][x]]);
                line = x == taps[0].begin ? taps[0].weight[x] * value : std::fma(taps[0].weight[x], value, line);
            }
            plane = y == taps[1].begin ? taps[1].weight[y] * line : std::fma(taps[1].weight[y], line, plane);
        }
        volume = z == taps[2].begin ? taps[2].weight[z] * plane : std::fma(taps[2].weight[z], plane, volume);
    }
    for (int d = 0; d < 3; ++d) {
        if (s.norm[d] != nullptr) volume /= norm_of(s, d, taps[d]);
    }
    return volume;
}

template <typename C, typename T>
IndexRange gather(C* out, const GatherSource<C>& source, std::int64_t lo, std::int64_t hi, std::int64_t j,
                  std::int64_t k) {
    // A row meets the input in one stretch: each coordinate is monotone in i, also after rounding.
    double c[3];
    std::int64_t begin = lo;
    while (begin < hi && !math::locate(source.frame, begin, j, k, c)) ++begin;
    std::int64_t i = begin;
    for (; i < hi && math::locate(source.frame, i, j, k, c); ++i) out[i - lo] = gather_voxel<C, T>(source, c);
    return {begin, i};
}

#if defined(__AVX512F__)
constexpr const char* kDescription = "v4 (AVX-512)";
#elif defined(__AVX2__)
constexpr const char* kDescription = "v3 (AVX2 and FMA)";
#elif defined(__aarch64__)
constexpr const char* kDescription = "portable (NEON)";
#else
constexpr const char* kDescription = "portable";
#endif

/// Tables in the order of DType.
template <typename C>
constexpr CpuKernels<C> kKernels = {
    REVOXEL_STRING(REVOXEL_ISA),
    kDescription,
    kFiltersBlocks<C>,
    weighted_sum<C>,
    two_sums<C>,
    filter<C>,
    {load<C, std::int8_t>, load<C, std::uint8_t>, load<C, std::int16_t>, load<C, std::uint16_t>, load<C, std::int32_t>,
     load<C, std::uint32_t>, load<C, std::int64_t>, load<C, std::uint64_t>, load<C, Float16>, load<C, float>,
     load<C, double>},
    {load_brick<C, std::int8_t>, load_brick<C, std::uint8_t>, load_brick<C, std::int16_t>, load_brick<C, std::uint16_t>,
     load_brick<C, std::int32_t>, load_brick<C, std::uint32_t>, load_brick<C, std::int64_t>,
     load_brick<C, std::uint64_t>, load_brick<C, Float16>, load_brick<C, float>, load_brick<C, double>},
    {store<C, std::int8_t>, store<C, std::uint8_t>, store<C, std::int16_t>, store<C, std::uint16_t>,
     store<C, std::int32_t>, store<C, std::uint32_t>, store<C, std::int64_t>, store<C, std::uint64_t>,
     store<C, Float16>, store<C, float>, store<C, double>},
    {store_sums<C, std::int8_t>, store_sums<C, std::uint8_t>, store_sums<C, std::int16_t>, store_sums<C, std::uint16_t>,
     store_sums<C, std::int32_t>, store_sums<C, std::uint32_t>, store_sums<C, std::int64_t>,
     store_sums<C, std::uint64_t>, store_sums<C, Float16>, store_sums<C, float>, store_sums<C, double>},
    stream,
    finish_stream,
    points<C>,
    point_rows,
    {gather<C, std::int8_t>, gather<C, std::uint8_t>, gather<C, std::int16_t>, gather<C, std::uint16_t>,
     gather<C, std::int32_t>, gather<C, std::uint32_t>, gather<C, std::int64_t>, gather<C, std::uint64_t>,
     gather<C, Float16>, gather<C, float>, gather<C, double>},
};

}  // namespace

const CpuKernels<float>& kernels_f32() {
    return kKernels<float>;
}
const CpuKernels<double>& kernels_f64() {
    return kKernels<double>;
}

}  // namespace revoxel::REVOXEL_ISA
