// Sums over rows and along rows. Included by cpu_kernels.cpp only.
#pragma once

#include "executors/cpu_kernels.hpp"
#include "executors/cpu_vector.hpp"

namespace revoxel::REVOXEL_ISA {
namespace {

/// Weighted sums of rows, from `at` on.
template <int vectors, typename C>
REVOXEL_INLINE void sum_vectors(Vector<C> (&sum)[vectors], const C* const* rows, const C* weight, std::int32_t count,
                                std::int64_t at) {
    using V = Vector<C>;
    const V w = V::all(weight[0]);
    for (int v = 0; v < vectors; ++v) sum[v] = w * V::load_any(rows[0] + at + v * V::kLanes);
    for (std::int32_t t = 1; t < count; ++t) {
        const V next = V::all(weight[t]);
        for (int v = 0; v < vectors; ++v) sum[v] = V::fma(next, V::load_any(rows[t] + at + v * V::kLanes), sum[v]);
    }
}

/// n of them, rounded up to whole vectors.
template <typename C>
void sum_some(C* out, const C* const* rows, const C* weight, std::int32_t count, std::int64_t at, std::int64_t n) {
    constexpr int kAtOnce = 8;
    constexpr std::int64_t kLanes = Vector<C>::kLanes;
    std::int64_t i = 0;
    for (; i + kAtOnce * kLanes <= n; i += kAtOnce * kLanes) {
        Vector<C> sum[kAtOnce];
        sum_vectors(sum, rows, weight, count, at + i);
        for (int v = 0; v < kAtOnce; ++v) sum[v].store(out + i + v * kLanes);
    }
    for (; i < n; i += kLanes) {
        Vector<C> sum[1];
        sum_vectors(sum, rows, weight, count, at + i);
        sum[0].store(out + i);
    }
}

template <typename C>
void weighted_sum(C* out, const C* const* rows, const C* weight, std::int32_t count, std::int64_t n) {
    sum_some(out, rows, weight, count, 0, n);
}

/// The sum of `count` vectors that follow each other, in this order.
template <typename C>
REVOXEL_INLINE Vector<C> column_sum(const C* column, const C* weight, std::int32_t count) {
    using V = Vector<C>;
    if (count == 0) return V::all(C(0));
    V sum = V::all(weight[0]) * V::load(column);
    std::int32_t t = 1;
    const auto add = [&](int after) {
        sum = V::fma(V::all(weight[t + after]), V::load(column + (t + after) * V::kLanes), sum);
    };
    for (; t + 4 <= count; t += 4) {
        add(0);
        add(1);
        add(2);
        add(3);
    }
    for (; t < count; ++t) add(0);
    return sum;
}

/// Vectors across rows: kLanes rows are exchanged with columns, so that an output is a sum of contiguous vectors with
/// one weight each. `in` and `out` are the first of kLanes rows, of which `rows` are there.
template <typename C>
void filter_columns(C* out, std::int64_t out_pitch, const C* in, std::int64_t in_pitch, std::int64_t rows,
                    const RowFilter<C>& f, C* columns) {
    using V = Vector<C>;
    constexpr std::int64_t kLanes = V::kLanes;
    const C* row[kLanes];
    for (std::int64_t r = 0; r < kLanes; ++r) row[r] = in + (r < rows ? r : rows - 1) * in_pitch;
    for (std::int64_t x = 0; x < f.n_in; x += kLanes) {
        V block[kLanes];
        for (std::int64_t r = 0; r < kLanes; ++r) block[r] = V::load(row[r] + x);
        V::transpose(block);
        for (std::int64_t r = 0; r < kLanes; ++r) block[r].store(columns + (x + r) * kLanes);
    }
    for (std::int64_t o = 0; o < f.n_out; o += kLanes) {
        V block[kLanes];
        for (std::int64_t r = 0; r < kLanes; ++r) {
            const std::int64_t at = o + r < f.n_out ? o + r : f.n_out - 1;
            block[r] = column_sum<C>(columns + f.first[at] * kLanes, f.weight + at * f.stride, f.count[at]);
            if (f.bias != nullptr) block[r] = block[r] + V::all(f.bias[at]);
        }
        V::transpose(block);
        for (std::int64_t r = 0; r < rows; ++r) block[r].store(out + r * out_pitch + o);
    }
}

#if defined(__AVX512F__)

/// Vectors along rows, for few taps: a block of outputs reads no more than four vectors, and each tap picks its values
/// out of those.
template <int rows>
REVOXEL_INLINE void filter_blocks(float* out, std::int64_t out_pitch, const float* in, std::int64_t in_pitch,
                                  const RowFilter<float>& f) {
    const std::int64_t blocks = (f.n_out + kFilterBlock - 1) / kFilterBlock;
    const __m512i one = _mm512_set1_epi32(1);
    for (std::int64_t b = 0; b < blocks; ++b) {
        const float* weight = f.block_weight + b * f.stride * kFilterBlock;
        __m512i index = _mm512_loadu_si512(f.block_first + b * kFilterBlock);
        const std::int32_t fewest = f.block_fewest[b], most = f.block_most[b];
        const std::int64_t outputs = f.n_out - b * kFilterBlock;
        const __mmask16 there = outputs >= kFilterBlock ? 0xffff : static_cast<__mmask16>((1U << outputs) - 1);
        const __m512i count =
            fewest == most ? _mm512_setzero_si512() : _mm512_maskz_loadu_epi32(there, f.count + b * kFilterBlock);
        __m512 sum[rows];
        if (f.block_span[b] <= 2 * kFilterBlock) {
            __m512 low[rows], high[rows];
            for (int r = 0; r < rows; ++r) {
                const float* from = in + r * in_pitch + f.block_base[b];
                low[r] = _mm512_loadu_ps(from);
                high[r] = _mm512_loadu_ps(from + 16);
            }
            for (std::int32_t t = 0; t < most; ++t, index = _mm512_add_epi32(index, one)) {
                const __m512 w = _mm512_loadu_ps(weight + t * kFilterBlock);
                const __mmask16 used =
                    t < fewest ? __mmask16(0xffff) : _mm512_cmpgt_epi32_mask(count, _mm512_set1_epi32(t));
                for (int r = 0; r < rows; ++r) {
                    const __m512 value = _mm512_permutex2var_ps(low[r], index, high[r]);
                    sum[r] =
                        t == 0 ? _mm512_maskz_mul_ps(used, w, value) : _mm512_mask3_fmadd_ps(w, value, sum[r], used);
                }
            }
        } else {
            __m512 part[rows][4];
            for (int r = 0; r < rows; ++r) {
                for (int q = 0; q < 4; ++q) part[r][q] = _mm512_loadu_ps(in + r * in_pitch + f.block_base[b] + 16 * q);
            }
            for (std::int32_t t = 0; t < most; ++t, index = _mm512_add_epi32(index, one)) {
                const __m512 w = _mm512_loadu_ps(weight + t * kFilterBlock);
                const __mmask16 used =
                    t < fewest ? __mmask16(0xffff) : _mm512_cmpgt_epi32_mask(count, _mm512_set1_epi32(t));
                const __mmask16 upper = _mm512_cmpge_epi32_mask(index, _mm512_set1_epi32(32));
                for (int r = 0; r < rows; ++r) {
                    const __m512 value =
                        _mm512_mask_blend_ps(upper, _mm512_permutex2var_ps(part[r][0], index, part[r][1]),
                                             _mm512_permutex2var_ps(part[r][2], index, part[r][3]));
                    sum[r] =
                        t == 0 ? _mm512_maskz_mul_ps(used, w, value) : _mm512_mask3_fmadd_ps(w, value, sum[r], used);
                }
            }
        }
        if (most == 0) {
            for (int r = 0; r < rows; ++r) sum[r] = _mm512_setzero_ps();
        }
        if (f.bias != nullptr) {
            const __m512 bias = _mm512_maskz_loadu_ps(there, f.bias + b * kFilterBlock);
            for (int r = 0; r < rows; ++r) sum[r] = _mm512_add_ps(sum[r], bias);
        }
        for (int r = 0; r < rows; ++r) _mm512_store_ps(out + r * out_pitch + b * kFilterBlock, sum[r]);
    }
}

template <typename C>
constexpr std::int32_t kBlockTaps = sizeof(C) == 4 ? 6 : 0;

#else

template <typename C>
constexpr std::int32_t kBlockTaps = 0;

#endif

template <typename C>
void filter(C* out, std::int64_t out_pitch, const C* in, std::int64_t in_pitch, std::int64_t rows,
            const RowFilter<C>& f, C* scratch) {
#if defined(__AVX512F__)
    if constexpr (sizeof(C) == 4) {
        if (f.block_base != nullptr) {
            std::int64_t r = 0;
            for (; r + 4 <= rows; r += 4)
                filter_blocks<4>(out + r * out_pitch, out_pitch, in + r * in_pitch, in_pitch, f);
            for (; r < rows; ++r) filter_blocks<1>(out + r * out_pitch, out_pitch, in + r * in_pitch, in_pitch, f);
            return;
        }
    }
#endif
    constexpr std::int64_t kLanes = Vector<C>::kLanes;
    for (std::int64_t r = 0; r < rows; r += kLanes) {
        filter_columns(out + r * out_pitch, out_pitch, in + r * in_pitch, in_pitch,
                       rows - r < kLanes ? rows - r : kLanes, f, scratch);
    }
}

}  // namespace
}  // namespace revoxel::REVOXEL_ISA
