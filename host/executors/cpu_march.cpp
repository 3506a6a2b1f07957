#include "executors/cpu_march.hpp"

#include <cstring>

namespace revoxel {
namespace {

constexpr std::int64_t kMostBandRows = 64;
/// Taken at once: few enough that they stay in the first-level cache until they are streamed.
constexpr std::int64_t kEmittedRows = 8;
constexpr std::int64_t kLargestScalar = 8;
/// Of these on, the x pass in vectors across rows costs less than three permutations a tap.
constexpr std::int64_t kManyTaps = 6;
/// Of these on, the y sums of two rows at once cost less than one after the other.
constexpr std::int64_t kPairedTaps = 16;
// Smaller results may be wanted in the cache.
constexpr std::int64_t kStreamedBytes = std::int64_t{8} << 20;

std::int64_t round_up(std::int64_t n, std::int64_t step) {
    return (n + step - 1) / step * step;
}

template <typename C>
AxisTaps<C> axis_taps(int axis, const Extent& output, const std::vector<const AxisPass*>& passes, const Box3& covered) {
    for (const AxisPass* pass : passes) {
        if (pass->axis == axis) return AxisTaps<C>(pass->taps, covered.lo[axis], covered.hi[axis]);
    }
    return AxisTaps<C>(output[axis], covered.lo[axis], covered.hi[axis]);
}

}  // namespace

template <typename C>
March<C>::March(const Extent& output, const std::vector<const AxisPass*>& passes, const Box3& covered, double fill,
                int threads)
    : x_(axis_taps<C>(0, output, passes, covered)),
      y_(axis_taps<C>(1, output, passes, covered)),
      z_(axis_taps<C>(2, output, passes, covered)),
      fill_(fill) {
    if (covered.empty()) return;
    slots_ = z_.identity ? 1 : std::max<std::int64_t>(1, z_.stride);
    out_pitch_ = round_up(x_.n_out, kFilterBlock);
    x_end_ = x_.n_in;
    if (!z_.identity && z_.first.front() > z_.first.back()) z_direction_ = -1;
    if (!x_.identity) prepare_row_filter();
    // The x pass may load whole blocks from where its last taps begin.
    in_pitch_ = round_up(x_end_, kFilterBlock) + 4 * kFilterBlock;
    choose_bands(threads);
    std::int64_t most_rows = 0;
    for (std::int64_t b = 0; b < bands_; ++b) most_rows = std::max(most_rows, band(b).in_end - band(b).in_begin);
    scratch_.resize(static_cast<std::size_t>(threads));
    for (Scratch& s : scratch_) {
        s.rows.resize(std::max(most_rows, kFilterRows) * in_pitch_);
        s.filtered.resize(kFilterRows * in_pitch_);
        s.columns.resize(kFilterRows * in_pitch_);
        s.ring.resize(slots_ * band_rows_ * out_pitch_);
        s.sum.resize(out_pitch_);
        s.stored.resize(kEmittedRows * out_pitch_ * kLargestScalar + 2 * kRowAlignment);
        s.slot_slice.resize(static_cast<std::size_t>(slots_));
        s.pointers.resize(static_cast<std::size_t>(std::max<std::int64_t>({1, y_.stride, z_.stride})));
    }
}

template <typename C>
void March<C>::choose_bands(int threads) {
    // The ring should stay in the second-level cache.
    constexpr std::int64_t kRingBytes = std::int64_t{320} << 10;
    const std::int64_t row_bytes = slots_ * out_pitch_ * static_cast<std::int64_t>(sizeof(C));
    band_rows_ =
        std::clamp<std::int64_t>(kRingBytes / row_bytes / kFilterRows * kFilterRows, kFilterRows, kMostBandRows);
    const std::int64_t rows = y_.hi - y_.lo, slices = z_.hi - z_.lo;
    bands_ = (rows + band_rows_ - 1) / band_rows_;
    // Enough items to keep the threads busy to the end; a chunk start costs the taps of one output slice again.
    const std::int64_t wanted = threads == 1 ? 1 : (4 * threads + bands_ - 1) / bands_;
    chunks_ = std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(1, slices / (4 * slots_)));
}

template <typename C>
void March<C>::prepare_row_filter() {
    const std::size_t n = static_cast<std::size_t>(x_.n_out);
    std::int64_t lowest = 0;
    for (std::size_t o = 0; o < n; ++o) {
        if (x_.count[o] == 0) continue;
        lowest = std::min(lowest, x_.first[o]);
        x_end_ = std::max(x_end_, x_.first[o] + x_.count[o]);
    }
    x_origin_ = round_up(-lowest, kFilterBlock);
    x_end_ += x_origin_;
    for (std::size_t o = 0; o < n; ++o) x_first_.push_back(x_.count[o] > 0 ? x_.first[o] + x_origin_ : x_origin_);
    row_filter_ = {x_end_,
                   x_.n_out,
                   x_.stride,
                   x_first_.data(),
                   x_.count.data(),
                   x_.weight.data(),
                   x_.bias.empty() ? nullptr : x_.bias.data(),
                   nullptr,
                   nullptr,
                   nullptr,
                   nullptr,
                   nullptr,
                   nullptr};
    if (kernels_.filters_blocks) prepare_blocks();
}

template <typename C>
void March<C>::prepare_blocks() {
    const std::size_t n = static_cast<std::size_t>(x_.n_out);
    std::size_t dear = 0;  // of the blocks, those that take three permutations a tap
    for (std::size_t begin = 0; begin < n; begin += kFilterBlock) {
        const std::size_t end = std::min(begin + kFilterBlock, n);
        const auto [low, high] = std::minmax_element(x_first_.begin() + static_cast<std::ptrdiff_t>(begin),
                                                     x_first_.begin() + static_cast<std::ptrdiff_t>(end));
        const auto [fewest, most] = std::minmax_element(x_.count.begin() + static_cast<std::ptrdiff_t>(begin),
                                                        x_.count.begin() + static_cast<std::ptrdiff_t>(end));
        const std::int64_t span = *high - *low + *most;
        if (span > 4 * kFilterBlock) return;
        bool by_two = true;
        for (std::size_t o = begin; o < end; ++o)
            by_two &= x_first_[o] == *low + 2 * static_cast<std::int64_t>(o - begin);
        if (span > 2 * kFilterBlock && !by_two) ++dear;
        block_base_.push_back(static_cast<std::int32_t>(*low));
        block_span_.push_back(static_cast<std::int32_t>(span));
        block_fewest_.push_back(*fewest);
        block_most_.push_back(*most);
        for (std::size_t o = begin; o < begin + kFilterBlock; ++o) {
            const std::size_t lane = o - begin;
            block_first_.push_back(static_cast<std::int32_t>(o < n ? x_first_[o] - *low : by_two ? 2 * lane : 0));
        }
        for (std::size_t t = 0; t < static_cast<std::size_t>(x_.stride); ++t) {
            for (std::size_t o = begin; o < begin + kFilterBlock; ++o) {
                const bool used = o < n && t < static_cast<std::size_t>(x_.count[o]);
                block_weight_.push_back(used ? x_.weight[o * static_cast<std::size_t>(x_.stride) + t] : C(0));
            }
        }
    }
    if (x_.stride > kManyTaps && 4 * dear > block_base_.size()) return;
    row_filter_.block_base = block_base_.data();
    row_filter_.block_span = block_span_.data();
    row_filter_.block_first = block_first_.data();
    row_filter_.block_fewest = block_fewest_.data();
    row_filter_.block_most = block_most_.data();
    row_filter_.block_weight = block_weight_.data();
}

template <typename C>
typename March<C>::Band March<C>::band(std::int64_t index) const {
    Band b{y_.lo + index * band_rows_, std::min(y_.lo + (index + 1) * band_rows_, y_.hi), INT64_MAX, INT64_MIN, 0};
    for (std::int64_t j = b.begin; j < b.end; ++j) {
        if (y_.count_of(j) == 0) continue;
        b.in_begin = std::min(b.in_begin, y_.first_of(j));
        b.in_end = std::max(b.in_end, y_.first_of(j) + y_.count_of(j));
    }
    if (b.in_end < b.in_begin) b.in_begin = b.in_end = 0;
    // A step for each row that is filtered, and one for each that is emitted: of the output slices, those that follow
    // every input slice.
    const auto slices = static_cast<double>(z_.n_out / std::max<std::int64_t>(1, z_.n_in));
    b.fetch_rate = static_cast<double>(b.in_end - b.in_begin) / (static_cast<double>(b.end - b.begin) * (1 + slices));
    return b;
}

template <typename C>
void March<C>::run(const ConstVolumeView& input, const VolumeView& output, const math::Storing& storing,
                   ThreadPool& pool, const std::function<void(double)>& progress) {
    const bool whole_rows = x_.lo == 0 && x_.hi == x_.n_out && output.stride[0] == 1 && output.stride[1] == x_.n_out;
    const std::int64_t bytes =
        output.extent[0] * output.extent[1] * output.extent[2] * static_cast<std::int64_t>(size_of(output.dtype));
    const Views views{input, output, storing, whole_rows && bytes >= kStreamedBytes};
    // Rows and slices outside the covered box; the ends of covered rows are filled as the rows are written.
    const bool all_covered = bands_ > 0 && y_.lo == 0 && y_.hi == y_.n_out && z_.lo == 0 && z_.hi == z_.n_out;
    for (std::int64_t k = 0; k < output.extent[2] && !all_covered; ++k) {
        const bool slice_covered = bands_ > 0 && k >= z_.lo && k < z_.hi;
        for (std::int64_t j = 0; j < output.extent[1]; ++j) {
            if (slice_covered && j >= y_.lo && j < y_.hi) continue;
            fill_row(address(output, 0, j, k), output.dtype, output.stride[0], output.extent[0], fill_);
        }
    }
    pool.for_each(
        bands_ * chunks_,
        [&](std::int64_t item, int thread) { run_item(item, scratch_[static_cast<std::size_t>(thread)], views); },
        progress);
}

template <typename C>
void March<C>::run_item(std::int64_t item, Scratch& s, const Views& v) const {
    const Band rows = band(item % bands_);
    const std::int64_t chunk = item / bands_, slices = z_.hi - z_.lo;
    const std::int64_t begin = z_.lo + slices * chunk / chunks_, end = z_.lo + slices * (chunk + 1) / chunks_;
    std::fill(s.slot_slice.begin(), s.slot_slice.end(), INT64_MIN);
    for (std::int64_t k = begin; k < end; ++k) {
        // A window holds no more slices than there are slots, so none of them takes the slot of another.
        for (std::int64_t z = z_.first_of(k); z < z_.first_of(k) + z_.count_of(k); ++z) {
            const std::int64_t slot = wrapped_index(z, slots_);
            if (s.slot_slice[static_cast<std::size_t>(slot)] == z) continue;
            filter_slice(rows, z, slot, s, v);
            s.slot_slice[static_cast<std::size_t>(slot)] = z;
        }
        emit_slice(rows, k, s, v);
    }
    if (v.streamed) kernels_.finish_stream();
}

/// The y and x passes of one band of one input slice, into a ring slot.
template <typename C>
void March<C>::filter_slice(const Band& rows, std::int64_t slice, std::int64_t slot, Scratch& s, const Views& v) const {
    const ConstVolumeView& in = v.input;
    const std::int64_t z = z_.sample(slice);
    const auto load = kernels_.load[static_cast<int>(in.dtype)];
    const std::int64_t n = x_.n_in;
    const std::int64_t next = z + z_direction_;
    const bool fetched = next >= 0 && next < z_.n_in && in.stride[0] == 1;
    s.ahead = {next, rows.in_begin, fetched ? rows.in_end : rows.in_begin,
               n * static_cast<std::int64_t>(size_of(in.dtype)), 0};
    if (y_.identity && x_.identity) {
        for (std::int64_t j = rows.begin; j < rows.end; ++j) {
            load(ring_row(s, slot, j - rows.begin), address(in, 0, j, z), in.stride[0], n);
            fetch_ahead(rows, s, v);
        }
        return;
    }
    for (std::int64_t j = rows.in_begin; j < rows.in_end; ++j) {
        C* row = s.rows.data() + (j - rows.in_begin) * in_pitch_;
        load(row + x_origin_, address(in, 0, y_.sample(j), z), in.stride[0], n);
        if (y_.identity) continue_row(row);
    }
    for (std::int64_t begin = rows.begin; begin < rows.end; begin += kFilterRows) {
        const std::int64_t count = std::min(kFilterRows, rows.end - begin);
        C* out = ring_row(s, slot, begin - rows.begin);
        const C* filtered = s.rows.data() + (begin - rows.in_begin) * in_pitch_;  // without a y pass
        if (!y_.identity) {
            C* sums = x_.identity ? out : s.filtered.data() + x_origin_;
            const std::int64_t pitch = x_.identity ? out_pitch_ : in_pitch_;
            for (std::int64_t j = 0; j < count;) {
                const std::int64_t end = j + sum_rows(begin + j, count - j, rows, s, sums + j * pitch, pitch);
                for (; j < end; ++j) {
                    if (!x_.identity) continue_row(s.filtered.data() + j * in_pitch_);
                    fetch_ahead(rows, s, v);
                }
            }
            filtered = s.filtered.data();
        }
        if (!x_.identity) {
            kernels_.filter(out, out_pitch_, filtered, in_pitch_, count, row_filter_, s.columns.data());
        }
    }
}

/// The y sums of output row o, or of it and the next where that costs less and it is one of the `left`; returns how
/// many.
template <typename C>
std::int64_t March<C>::sum_rows(std::int64_t o, std::int64_t left, const Band& rows, Scratch& s, C* out,
                                std::int64_t pitch) const {
    const auto row = [&](std::int64_t j) { return s.rows.data() + (j - rows.in_begin) * in_pitch_ + x_origin_; };
    if (left > 1 && y_.stride >= kPairedTaps && y_.bias.empty()) {
        const std::int64_t a = y_.first_of(o) <= y_.first_of(o + 1) ? o : o + 1, b = a == o ? o + 1 : o;
        const std::int64_t later = y_.first_of(b) - y_.first_of(a), end = later + y_.count_of(b);
        if (y_.count_of(a) > 0 && y_.count_of(b) > 0 && later <= y_.count_of(a) && end >= y_.count_of(a)) {
            kernels_.two_sums(out + (a - o) * pitch, out + (b - o) * pitch, row(y_.first_of(a)), in_pitch_,
                              y_.weights_of(a), y_.weights_of(b), y_.count_of(a), static_cast<std::int32_t>(later),
                              static_cast<std::int32_t>(end), x_.n_in);
            return 2;
        }
    }
    for (std::int32_t t = 0; t < y_.count_of(o); ++t) s.pointers[static_cast<std::size_t>(t)] = row(y_.first_of(o) + t);
    weigh(y_, o, s.pointers.data(), out, x_.n_in);
    return 1;
}

/// One step of those in which the next slice is fetched: its rows are far apart in memory, so the CPU does not foresee
/// them, and all at once they would be waited for.
template <typename C>
void March<C>::fetch_ahead(const Band& rows, Scratch& s, const Views& v) const {
    Ahead& a = s.ahead;
    for (a.credit += rows.fetch_rate; a.credit >= 1 && a.row < a.end; a.credit -= 1, ++a.row) {
        prefetch(address(v.input, 0, y_.sample(a.row), a.slice), a.bytes);
    }
}

template <typename C>
void March<C>::continue_row(C* row) const {
    const std::int64_t lo = -x_origin_, hi = x_end_ - x_origin_;
    if (hi == x_.n_in && lo == 0) return;
    for (std::int64_t i = lo; i < 0; ++i) row[x_origin_ + i] = row[x_origin_ + x_.sample(i)];
    for (std::int64_t i = x_.n_in; i < hi; ++i) row[x_origin_ + i] = row[x_origin_ + x_.sample(i)];
}

template <typename C>
void March<C>::weigh(const AxisTaps<C>& axis, std::int64_t o, const C* const* rows, C* out, std::int64_t n) const {
    if (axis.count_of(o) > 0) {
        kernels_.weighted_sum(out, rows, axis.weights_of(o), axis.count_of(o), n);
    } else {
        std::fill(out, out + n, C(0));
    }
    if (axis.bias.empty()) return;
    const C bias = axis.bias[static_cast<std::size_t>(o)];
    for (std::int64_t i = 0; i < n; ++i) out[i] += bias;
}

/// The z sums of one band of one output slice, written to the output.
template <typename C>
void March<C>::emit_slice(const Band& rows, std::int64_t k, Scratch& s, const Views& v) const {
    const VolumeView& out = v.output;
    const auto voxel_bytes = static_cast<std::int64_t>(size_of(out.dtype));
    std::byte* target = address(out, 0, rows.begin, k);
    std::byte* stored = s.stored.data();
    std::int64_t waiting = 0;  // bytes of the rows before that filled no cache line
    for (std::int64_t j = rows.begin; j < rows.end; j += kEmittedRows) {
        const std::int64_t count = std::min(kEmittedRows, rows.end - j);
        if (v.streamed) {
            emit_rows(stored + waiting, x_.n_out, j - rows.begin, count, k, s, v);
            waiting += count * x_.n_out * voxel_bytes;
            const std::int64_t gone = kernels_.stream(target, stored, waiting, j + count == rows.end);
            target += gone;
            waiting -= gone;
            std::memmove(stored, stored + gone, static_cast<std::size_t>(waiting));
        } else {
            for (std::int64_t row = j; row < j + count && x_.hi - x_.lo < x_.n_out; ++row) {
                fill_row(address(out, 0, row, k), out.dtype, out.stride[0], x_.lo, fill_);
                fill_row(address(out, x_.hi, row, k), out.dtype, out.stride[0], x_.n_out - x_.hi, fill_);
            }
            emit_rows(address(out, x_.lo, j, k), out.stride[1], j - rows.begin, count, k, s, v);
        }
        for (std::int64_t row = 0; row < count; ++row) fetch_ahead(rows, s, v);
    }
}

/// The covered part of rows of the band, `pitch` scalars from one to the next.
template <typename C>
void March<C>::emit_rows(std::byte* to, std::int64_t pitch, std::int64_t row, std::int64_t rows, std::int64_t k,
                         Scratch& s, const Views& v) const {
    const VolumeView& out = v.output;
    const int dtype = static_cast<int>(out.dtype);
    const std::int64_t first = z_.first_of(k), n = x_.hi - x_.lo;
    const std::int32_t taps = z_.count_of(k);
    for (std::int32_t t = 0; t < taps; ++t) {
        s.pointers[static_cast<std::size_t>(t)] = ring_row(s, wrapped_index(first + t, slots_), row);
    }
    if (!z_.identity && out.stride[0] == 1 && x_.lo == 0 && taps > 0 && z_.bias.empty()) {
        kernels_.store_sums[dtype](to, pitch, s.pointers.data(), out_pitch_, rows, z_.weights_of(k), taps, n,
                                   v.storing);
        return;
    }
    const std::int64_t pitch_bytes = pitch * static_cast<std::int64_t>(size_of(out.dtype));
    for (std::int64_t r = 0; r < rows; ++r) {
        const C* values = s.pointers[0];
        if (!z_.identity) {
            weigh(z_, k, s.pointers.data(), s.sum.data(), x_.n_out);
            values = s.sum.data();
        }
        kernels_.store[dtype](to + r * pitch_bytes, out.stride[0], values + x_.lo, n, v.storing);
        for (std::int32_t t = 0; t < taps; ++t) s.pointers[static_cast<std::size_t>(t)] += out_pitch_;
    }
}

template <typename C>
std::int64_t March<C>::workspace_bytes() const noexcept {
    std::size_t bytes = (x_.weight.size() + y_.weight.size() + z_.weight.size() + block_weight_.size()) * sizeof(C) +
                        block_first_.size() * sizeof(std::int32_t);
    for (const Scratch& s : scratch_) {
        bytes += static_cast<std::size_t>(s.rows.bytes() + s.filtered.bytes() + s.columns.bytes() + s.ring.bytes() +
                                          s.sum.bytes() + s.stored.bytes());
    }
    return static_cast<std::int64_t>(bytes);
}

template class March<float>;
template class March<double>;

}  // namespace revoxel
