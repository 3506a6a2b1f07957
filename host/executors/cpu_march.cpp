#include "executors/cpu_march.hpp"

namespace revoxel {
namespace {

template <typename C>
AxisTaps<C> axis_taps(int axis, const Extent& output, const std::vector<const AxisPass*>& passes, const Box3& covered) {
    for (const AxisPass* pass : passes) {
        if (pass->axis == axis) return AxisTaps<C>(pass->taps, covered.lo[axis], covered.hi[axis]);
    }
    return AxisTaps<C>(output[axis], covered.lo[axis], covered.hi[axis]);
}

}  // namespace

template <typename C>
March<C>::March(const Extent& input, const Extent& output, const std::vector<const AxisPass*>& passes,
                const Box3& covered, double fill, int threads)
    : x_(axis_taps<C>(0, output, passes, covered)),
      y_(axis_taps<C>(1, output, passes, covered)),
      z_(axis_taps<C>(2, output, passes, covered)),
      fill_(fill) {
    if (covered.empty()) return;
    slots_ = z_.identity ? 1 : std::max<std::int64_t>(1, z_.stride);
    bands_ = (y_.hi - y_.lo + kBandRows - 1) / kBandRows;
    // Enough items to keep the threads busy to the end; a chunk start costs the taps of one output slice again.
    const std::int64_t slices = z_.hi - z_.lo;
    const std::int64_t wanted = (4 * threads + bands_ - 1) / bands_;
    chunks_ = std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(1, slices / (4 * slots_)));
    if (!x_.identity) {
        const std::size_t n = static_cast<std::size_t>(x_.n_out), most = static_cast<std::size_t>(x_.stride);
        x_count_.assign(x_.count.begin(), x_.count.end());
        x_index_.assign(n * most, 0);
        x_weight_.assign(n * most, C(0));
        for (std::size_t o = 0; o < n; ++o) {
            for (std::size_t t = 0; t < most && x_.count[o] > 0; ++t) {
                const bool used = t < static_cast<std::size_t>(x_.count[o]);
                x_index_[t * n + o] =
                    static_cast<std::int32_t>(x_.sample(x_.first[o] + (used ? static_cast<std::int64_t>(t) : 0)));
                x_weight_[t * n + o] = used ? x_.weight[o * most + t] : C(0);
            }
        }
    }
    std::int64_t most_rows = 0;
    for (std::int64_t b = 0; b < bands_; ++b) most_rows = std::max(most_rows, band(b).in_end - band(b).in_begin);
    scratch_.resize(static_cast<std::size_t>(threads));
    for (Scratch& s : scratch_) {
        s.rows.resize(static_cast<std::size_t>(most_rows * input[0]));
        s.filtered.resize(static_cast<std::size_t>(input[0]));
        s.ring.resize(static_cast<std::size_t>(slots_ * kBandRows * x_.n_out));
        s.sum.resize(static_cast<std::size_t>(x_.n_out));
        s.slot_slice.resize(static_cast<std::size_t>(slots_));
        s.pointers.resize(static_cast<std::size_t>(std::max(y_.stride, z_.stride)));
    }
}

template <typename C>
typename March<C>::Band March<C>::band(std::int64_t index) const {
    Band b{y_.lo + index * kBandRows, std::min(y_.lo + (index + 1) * kBandRows, y_.hi), INT64_MAX, INT64_MIN};
    for (std::int64_t j = b.begin; j < b.end; ++j) {
        if (y_.count_of(j) == 0) continue;
        b.in_begin = std::min(b.in_begin, y_.first_of(j));
        b.in_end = std::max(b.in_end, y_.first_of(j) + y_.count_of(j));
    }
    if (b.in_end < b.in_begin) b.in_begin = b.in_end = 0;
    return b;
}

template <typename C>
void March<C>::run(const ConstVolumeView& input, const VolumeView& output, const math::Storing& storing,
                   ThreadPool& pool, const std::function<void(double)>& progress) {
    const Views views{input, output, storing};
    // Rows and slices outside the covered box; the ends of covered rows are filled as the rows are written.
    for (std::int64_t k = 0; k < output.extent[2]; ++k) {
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
}

/// The y and x passes of one band of one input slice, into a ring slot.
template <typename C>
void March<C>::filter_slice(const Band& rows, std::int64_t slice, std::int64_t slot, Scratch& s, const Views& v) const {
    const ConstVolumeView& in = v.input;
    const std::int64_t z = z_.sample(slice);
    const auto load = kernels_.load[static_cast<int>(in.dtype)];
    const std::int64_t n = x_.n_in;
    if (!(y_.identity && x_.identity)) {
        for (std::int64_t j = rows.in_begin; j < rows.in_end; ++j) {
            load(s.rows.data() + (j - rows.in_begin) * n, address(in, 0, y_.sample(j), z), in.stride[0], n);
        }
    }
    const TransposedTaps<C> x_taps{x_.n_out,         static_cast<std::int32_t>(x_.stride),
                                   x_count_.data(),  x_index_.data(),
                                   x_weight_.data(), x_.bias.empty() ? nullptr : x_.bias.data()};
    for (std::int64_t j = rows.begin; j < rows.end; ++j) {
        C* out = ring_row(s, slot, j - rows.begin);
        if (y_.identity && x_.identity) {
            load(out, address(in, 0, j, z), in.stride[0], n);
            continue;
        }
        const C* row = s.rows.data() + (y_.count_of(j) > 0 ? y_.first_of(j) - rows.in_begin : 0) * n;
        if (!y_.identity) {
            for (std::int32_t t = 0; t < y_.count_of(j); ++t) s.pointers[static_cast<std::size_t>(t)] = row + t * n;
            C* sum = x_.identity ? out : s.filtered.data();
            weigh(y_, j, s.pointers.data(), sum, n);
            row = sum;
        }
        if (!x_.identity) kernels_.filter(out, row, x_taps);
    }
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
    for (std::int64_t j = rows.begin; j < rows.end; ++j) {
        const std::int64_t first = z_.first_of(k);
        if (z_.identity) {
            write_row(ring_row(s, wrapped_index(first, slots_), j - rows.begin), j, k, v);
            continue;
        }
        for (std::int32_t t = 0; t < z_.count_of(k); ++t) {
            s.pointers[static_cast<std::size_t>(t)] = ring_row(s, wrapped_index(first + t, slots_), j - rows.begin);
        }
        weigh(z_, k, s.pointers.data(), s.sum.data(), x_.n_out);
        write_row(s.sum.data(), j, k, v);
    }
}

template <typename C>
void March<C>::write_row(const C* values, std::int64_t j, std::int64_t k, const Views& v) const {
    const VolumeView& out = v.output;
    fill_row(address(out, 0, j, k), out.dtype, out.stride[0], x_.lo, fill_);
    kernels_.store[static_cast<int>(out.dtype)](address(out, x_.lo, j, k), out.stride[0], values + x_.lo, x_.hi - x_.lo,
                                                v.storing);
    fill_row(address(out, x_.hi, j, k), out.dtype, out.stride[0], x_.n_out - x_.hi, fill_);
}

template <typename C>
std::int64_t March<C>::workspace_bytes() const noexcept {
    std::size_t bytes = (x_weight_.size() + x_.weight.size() + y_.weight.size() + z_.weight.size()) * sizeof(C) +
                        (x_index_.size() + x_count_.size()) * sizeof(std::int32_t);
    for (const Scratch& s : scratch_) {
        bytes += (s.rows.size() + s.filtered.size() + s.ring.size() + s.sum.size()) * sizeof(C);
    }
    return static_cast<std::int64_t>(bytes);
}

template class March<float>;
template class March<double>;

}  // namespace revoxel
