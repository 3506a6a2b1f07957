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
        const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), halves);
    }
    return i;
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

/// math::saturate_round without a branch, where C holds every T and int32 every T: clamping first changes nothing.
template <typename T, typename C>
REVOXEL_INLINE T saturated(C v) {
    constexpr C kHigh = static_cast<C>(std::numeric_limits<T>::max());
    constexpr C kLow = static_cast<C>(std::numeric_limits<T>::min());
    C c = v < kHigh ? v : kHigh;
    c = c > kLow ? c : kLow;
    c = v == v ? c : C(0);
    return static_cast<T>(static_cast<std::int32_t>(std::rint(c)));
}

template <typename C, typename T>
constexpr bool kNarrow = std::is_integral_v<T> &&
                         (sizeof(T) <= 2 || (sizeof(T) == 4 && std::is_signed_v<T> && sizeof(C) == 8));

template <typename C, typename T>
void store(void* row, std::int64_t stride, const C* __restrict in, std::int64_t n, const math::Storing& storing) {
    T* __restrict out = static_cast<T*>(row);
    const math::Storing s = storing;
    if (!s.plain) {
        for (std::int64_t i = 0; i < n; ++i) out[i * stride] = math::store_value<T>(in[i], s);
    } else if (stride != 1) {
        for (std::int64_t i = 0; i < n; ++i) out[i * stride] = math::saturate_round<T>(in[i]);
    } else if constexpr (kNarrow<C, T>) {
        for (std::int64_t i = 0; i < n; ++i) out[i] = saturated<T>(in[i]);
    } else {
        for (std::int64_t i = convert_some(out, in, n); i < n; ++i) out[i] = math::saturate_round<T>(in[i]);
    }
}

void stream(void* to, const void* from, std::int64_t bytes) {
    auto* out = static_cast<unsigned char*>(to);
    const auto* in = static_cast<const unsigned char*>(from);
#if defined(__AVX2__)
    constexpr std::int64_t kLine = 64;  // whole lines, or the memory has to be read first
    const std::int64_t past = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(out) % kLine);
    const std::int64_t head = past == 0 ? 0 : kLine - past;
    if (bytes >= head + kLine) {
        __builtin_memcpy(out, in, static_cast<std::size_t>(head));
        std::int64_t at = head;
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
        out += at;
        in += at;
        bytes -= at;
        _mm_sfence();
    }
#endif
    __builtin_memcpy(out, in, static_cast<std::size_t>(bytes));
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
#else
constexpr const char* kDescription = "portable";
#endif

/// Tables in the order of DType.
template <typename C>
constexpr CpuKernels<C> kKernels = {
    REVOXEL_STRING(REVOXEL_ISA),
    kDescription,
    kBlockTaps<C>,
    weighted_sum<C>,
    filter<C>,
    {load<C, std::int8_t>, load<C, std::uint8_t>, load<C, std::int16_t>, load<C, std::uint16_t>, load<C, std::int32_t>,
     load<C, std::uint32_t>, load<C, std::int64_t>, load<C, std::uint64_t>, load<C, Float16>, load<C, float>,
     load<C, double>},
    {store<C, std::int8_t>, store<C, std::uint8_t>, store<C, std::int16_t>, store<C, std::uint16_t>,
     store<C, std::int32_t>, store<C, std::uint32_t>, store<C, std::int64_t>, store<C, std::uint64_t>,
     store<C, Float16>, store<C, float>, store<C, double>},
    stream,
    points<C>,
    inside_range,
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
