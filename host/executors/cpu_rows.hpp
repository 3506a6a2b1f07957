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

/// What becomes of a sum with the next row.
enum class Step { none, begin, add };

template <Step step, int vectors, typename C>
REVOXEL_INLINE void add_row(Vector<C> (&sum)[vectors], const C* weight, const Vector<C> (&value)[vectors]) {
    if constexpr (step != Step::none) {
        const Vector<C> w = Vector<C>::all(*weight);
        for (int v = 0; v < vectors; ++v) {
            sum[v] = step == Step::begin ? w * value[v] : Vector<C>::fma(w, value[v], sum[v]);
        }
    }
}

/// Vectors of CpuKernels::two_sums.
template <int vectors, typename C>
REVOXEL_INLINE void sum_two(C* out_a, C* out_b, const C* row, std::int64_t pitch, const C* weight_a, const C* weight_b,
                            std::int32_t count_a, std::int32_t later, std::int32_t end_b) {
    using V = Vector<C>;
    V a[vectors], b[vectors];
    const auto add = [&]<Step step_a, Step step_b>(std::int32_t t) {
        V value[vectors];
        for (int v = 0; v < vectors; ++v) value[v] = V::load(row + t * pitch + v * V::kLanes);
        add_row<step_a>(a, weight_a + t, value);
        add_row<step_b>(b, weight_b + (t - later), value);
    };
    constexpr Step none = Step::none, begin = Step::begin, more = Step::add;
    if (later == 0) {
        add.template operator()<begin, begin>(0);
    } else {
        add.template operator()<begin, none>(0);
        for (std::int32_t t = 1; t < later; ++t) add.template operator()<more, none>(t);
        if (later < count_a) {
            add.template operator()<more, begin>(later);
        } else {
            add.template operator()<none, begin>(later);
        }
    }
    for (std::int32_t t = later + 1; t < count_a; ++t) add.template operator()<more, more>(t);
    for (std::int32_t t = later + 1 > count_a ? later + 1 : count_a; t < end_b; ++t) {
        add.template operator()<none, more>(t);
    }
    for (int v = 0; v < vectors; ++v) {
        a[v].store(out_a + v * V::kLanes);
        b[v].store(out_b + v * V::kLanes);
    }
}

template <typename C>
void two_sums(C* out_a, C* out_b, const C* row, std::int64_t pitch, const C* weight_a, const C* weight_b,
              std::int32_t count_a, std::int32_t later, std::int32_t end_b, std::int64_t n) {
    constexpr std::int64_t kLanes = Vector<C>::kLanes;
    constexpr int kAtOnce = kManyRegisters ? 8 : 4;
    std::int64_t i = 0;
    for (; i + kAtOnce * kLanes <= n; i += kAtOnce * kLanes) {
        sum_two<kAtOnce>(out_a + i, out_b + i, row + i, pitch, weight_a, weight_b, count_a, later, end_b);
    }
    for (; i < n; i += kLanes) {
        sum_two<1>(out_a + i, out_b + i, row + i, pitch, weight_a, weight_b, count_a, later, end_b);
    }
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

/// The sums of a block of outputs of `rows` rows. even(r) and odd(r) are the values of taps t and t + 1 of row r, and
/// next() goes on by two taps.
template <int rows, bool all_alike, typename Even, typename Odd, typename Next>
REVOXEL_INLINE void sum_block(__m512 (&sum)[rows], const float* weight, std::int32_t most,
                              [[maybe_unused]] __m512i count, const Even& even, const Odd& odd, const Next& next) {
    // Added to -0, the first product is what it is, whatever its sign.
    for (int r = 0; r < rows; ++r) sum[r] = _mm512_set1_ps(-0.0F);
    const auto add = [&](std::int32_t t, const auto& value) {
        const __m512 w = _mm512_loadu_ps(weight + t * kFilterBlock);
        if constexpr (all_alike) {
            for (int r = 0; r < rows; ++r) sum[r] = _mm512_fmadd_ps(w, value(r), sum[r]);
        } else {
            const __mmask16 used = _mm512_cmpgt_epi32_mask(count, _mm512_set1_epi32(t));
            for (int r = 0; r < rows; ++r) sum[r] = _mm512_mask3_fmadd_ps(w, value(r), sum[r], used);
        }
    };
    std::int32_t t = 0;
    for (; t + 2 <= most; t += 2) {
        add(t, even);
        add(t + 1, odd);
        next();
    }
    if (t < most) add(t, even);
    if constexpr (!all_alike) {
        const __mmask16 some = _mm512_cmpgt_epi32_mask(count, _mm512_setzero_si512());
        for (int r = 0; r < rows; ++r) sum[r] = _mm512_maskz_mov_ps(some, sum[r]);
    }
}

/// Block b from such sums.
template <int rows, typename Even, typename Odd, typename Next>
REVOXEL_INLINE void store_block(float* out, std::int64_t out_pitch, const RowFilter<float>& f, std::int64_t b,
                                const Even& even, const Odd& odd, const Next& next) {
    const float* weight = f.block_weight + b * f.stride * kFilterBlock;
    const std::int32_t fewest = f.block_fewest[b], most = f.block_most[b];
    const std::int64_t outputs = f.n_out - b * kFilterBlock;
    const auto there = static_cast<__mmask16>(outputs >= kFilterBlock ? 0xffffU : (1U << outputs) - 1);
    __m512 sum[rows];
    if (fewest == most && most > 0) {
        sum_block<rows, true>(sum, weight, most, _mm512_setzero_si512(), even, odd, next);
    } else {
        const __m512i count = _mm512_maskz_loadu_epi32(there, f.count + b * kFilterBlock);
        sum_block<rows, false>(sum, weight, most, count, even, odd, next);
    }
    if (f.bias != nullptr) {
        const __m512 bias = _mm512_maskz_loadu_ps(there, f.bias + b * kFilterBlock);
        for (int r = 0; r < rows; ++r) sum[r] = _mm512_add_ps(sum[r], bias);
    }
    for (int r = 0; r < rows; ++r) _mm512_store_ps(out + r * out_pitch + b * kFilterBlock, sum[r]);
}

/// Block b, which reads two vectors: each tap picks its values out of those.
template <int rows>
REVOXEL_INLINE void filter_two(float* out, std::int64_t out_pitch, const float* in, std::int64_t in_pitch,
                               const RowFilter<float>& f, std::int64_t b) {
    const __m512i two = _mm512_set1_epi32(2);
    __m512i index = _mm512_loadu_si512(f.block_first + b * kFilterBlock);
    __m512i after = _mm512_add_epi32(index, _mm512_set1_epi32(1));
    __m512 low[rows], high[rows];
    for (int r = 0; r < rows; ++r) {
        low[r] = _mm512_loadu_ps(in + r * in_pitch + f.block_base[b]);
        high[r] = _mm512_loadu_ps(in + r * in_pitch + f.block_base[b] + 16);
    }
    store_block<rows>(
        out, out_pitch, f, b, [&](int r) { return _mm512_permutex2var_ps(low[r], index, high[r]); },
        [&](int r) { return _mm512_permutex2var_ps(low[r], after, high[r]); },
        [&] {
            index = _mm512_add_epi32(index, two);
            after = _mm512_add_epi32(after, two);
        });
}

/// The same where it reads four.
template <int rows>
REVOXEL_INLINE void filter_four(float* out, std::int64_t out_pitch, const float* in, std::int64_t in_pitch,
                                const RowFilter<float>& f, std::int64_t b) {
    const __m512i one = _mm512_set1_epi32(1), two = _mm512_set1_epi32(2);
    __m512i index = _mm512_loadu_si512(f.block_first + b * kFilterBlock);
    __m512i after = _mm512_add_epi32(index, one);
    __m512 part[rows][4];
    for (int r = 0; r < rows; ++r) {
        for (int q = 0; q < 4; ++q) part[r][q] = _mm512_loadu_ps(in + r * in_pitch + f.block_base[b] + 16 * q);
    }
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    if (_mm512_cmpneq_epi32_mask(index, _mm512_add_epi32(lane, lane)) == 0) {
        // Outputs two apart: even taps read every second value, odd taps those between.
        __m512 even[rows][2], odd[rows][2];
        for (int r = 0; r < rows; ++r) {
            for (int h = 0; h < 2; ++h) {
                even[r][h] = _mm512_permutex2var_ps(part[r][2 * h], index, part[r][2 * h + 1]);
                odd[r][h] = _mm512_permutex2var_ps(part[r][2 * h], after, part[r][2 * h + 1]);
            }
        }
        index = lane;
        store_block<rows>(
            out, out_pitch, f, b, [&](int r) { return _mm512_permutex2var_ps(even[r][0], index, even[r][1]); },
            [&](int r) { return _mm512_permutex2var_ps(odd[r][0], index, odd[r][1]); },
            [&] { index = _mm512_add_epi32(index, one); });
        return;
    }
    const auto value = [&](int r, __m512i at) {
        const __mmask16 upper = _mm512_cmpge_epi32_mask(at, _mm512_set1_epi32(32));
        return _mm512_mask_blend_ps(upper, _mm512_permutex2var_ps(part[r][0], at, part[r][1]),
                                    _mm512_permutex2var_ps(part[r][2], at, part[r][3]));
    };
    store_block<rows>(
        out, out_pitch, f, b, [&](int r) { return value(r, index); }, [&](int r) { return value(r, after); },
        [&] {
            index = _mm512_add_epi32(index, two);
            after = _mm512_add_epi32(after, two);
        });
}

/// Vectors along rows: a block of outputs reads no more than four.
template <int rows>
REVOXEL_INLINE void filter_blocks(float* out, std::int64_t out_pitch, const float* in, std::int64_t in_pitch,
                                  const RowFilter<float>& f) {
    const std::int64_t blocks = (f.n_out + kFilterBlock - 1) / kFilterBlock;
    for (std::int64_t b = 0; b < blocks; ++b) {
        if (f.block_span[b] <= 2 * kFilterBlock) {
            filter_two<rows>(out, out_pitch, in, in_pitch, f, b);
        } else {
            filter_four<rows>(out, out_pitch, in, in_pitch, f, b);
        }
    }
}

template <typename C>
constexpr bool kFiltersBlocks = sizeof(C) == 4;

#else

template <typename C>
constexpr bool kFiltersBlocks = false;

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
