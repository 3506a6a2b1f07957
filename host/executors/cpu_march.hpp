// The fused separable passes: y, x, z in one walk through the slices.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "executors/cpu_kernels.hpp"
#include "executors/thread_pool.hpp"
#include "executors/views.hpp"
#include "plan/boundary.hpp"

namespace revoxel {

/// The tap table of one axis in the compute type. Without a pass it is the identity.
template <typename C>
struct AxisTaps {
    bool identity = true;
    std::int64_t n_in = 0, n_out = 0;
    std::int64_t lo = 0, hi = 0;  ///< outputs that are computed; the others are fill
    std::int64_t stride = 1;
    std::vector<std::int64_t> first;
    std::vector<std::int32_t> count;
    std::vector<C> weight;
    std::vector<C> bias;  ///< empty: nothing is added

    AxisTaps(std::int64_t n, std::int64_t covered_lo, std::int64_t covered_hi)
        : n_in(n), n_out(n), lo(covered_lo), hi(covered_hi) {}
    AxisTaps(const TapTable& taps, std::int64_t covered_lo, std::int64_t covered_hi)
        : identity(false),
          n_in(taps.n_in),
          n_out(taps.n_out),
          lo(covered_lo),
          hi(covered_hi),
          stride(std::max<std::int64_t>(1, taps.stride)),  // no row has a tap where all of it is boundary
          first(taps.first),
          count(taps.count),
          weight(taps.weight.begin(), taps.weight.end()) {
        for (double share : taps.bias) bias.push_back(static_cast<C>(share * taps.outside_value));
    }

    std::int64_t first_of(std::int64_t o) const { return identity ? o : first[static_cast<std::size_t>(o)]; }
    std::int32_t count_of(std::int64_t o) const { return identity ? 1 : count[static_cast<std::size_t>(o)]; }
    const C* weights_of(std::int64_t o) const { return weight.data() + o * stride; }
    /// first_of() and what follows may lie outside a periodic axis.
    std::int64_t sample(std::int64_t i) const { return i >= 0 && i < n_in ? i : wrapped_index(i, n_in); }
};

/// A buffer that begins at a multiple of kRowAlignment, all zero.
template <typename C>
class AlignedRows {
public:
    void resize(std::int64_t count) {
        storage_.assign(static_cast<std::size_t>(count + kRowAlignment / static_cast<std::int64_t>(sizeof(C))), C(0));
    }
    C* data() {
        const auto at = reinterpret_cast<std::uintptr_t>(storage_.data());
        constexpr auto kStep = static_cast<std::uintptr_t>(kRowAlignment);
        return reinterpret_cast<C*>((at + kStep - 1) / kStep * kStep);
    }
    std::int64_t bytes() const { return static_cast<std::int64_t>(storage_.size() * sizeof(C)); }

private:
    std::vector<C> storage_;
};

/// Runs up to three passes over a view. Work is cut into bands of output rows times chunks of output slices; a band
/// walks through its slices and keeps the y- and x-filtered rows of the last few in a ring, from which the z sums are
/// taken. The cut does not change a bit: every output is the same sums in the same order.
template <typename C>
class March {
public:
    /// `passes` in the order y, x, z. Only outputs inside `covered` are computed.
    March(const Extent& output, const std::vector<const AxisPass*>& passes, const Box3& covered, double fill,
          int threads);
    /// The extents of the views are those of the constructor. Every voxel of `output` is written.
    void run(const ConstVolumeView& input, const VolumeView& output, const math::Storing& storing, ThreadPool& pool,
             const std::function<void(double)>& progress);
    std::int64_t workspace_bytes() const noexcept;

private:
    /// How far the next input slice has been fetched.
    struct Ahead {
        std::int64_t slice = -1, row = 0, end = 0;
        std::int64_t bytes = 0;  ///< of a row
        double credit = 0;       ///< rows that may be fetched now
    };
    /// Scratch of one thread.
    struct Scratch {
        AlignedRows<C> rows;                   ///< input rows of a band, converted
        AlignedRows<C> filtered;               ///< kFilterRows rows after the y pass
        AlignedRows<C> columns;                ///< what the x pass needs
        AlignedRows<C> ring;                   ///< [slot][row of the band][x]
        AlignedRows<C> sum;                    ///< one output row
        AlignedRows<std::byte> stored;         ///< a few output rows as they are stored
        std::vector<std::int64_t> slot_slice;  ///< which input slice a slot holds (AxisTaps::sample of it)
        std::vector<const C*> pointers;
        Ahead ahead;
    };
    struct Band {
        std::int64_t begin, end;        ///< output rows
        std::int64_t in_begin, in_end;  ///< input rows that they read
        double fetch_rate;              ///< of these, how many to fetch ahead in a step
    };
    struct Views {
        const ConstVolumeView& input;
        const VolumeView& output;
        const math::Storing& storing;
        bool streamed;  ///< bands of output rows are contiguous and go past the caches
    };

    void choose_bands(int threads);
    void prepare_row_filter();
    void prepare_blocks();
    void run_item(std::int64_t item, Scratch& s, const Views& v) const;
    void filter_slice(const Band& band, std::int64_t z, std::int64_t slot, Scratch& s, const Views& v) const;
    std::int64_t sum_rows(std::int64_t o, std::int64_t left, const Band& rows, Scratch& s, C* out,
                          std::int64_t pitch) const;
    void fetch_ahead(const Band& band, Scratch& s, const Views& v) const;
    /// Writes the periodic continuation of an input row, where taps read it.
    void continue_row(C* row) const;
    /// The weighted sum of the rows in s.pointers for row o of `axis`.
    void weigh(const AxisTaps<C>& axis, std::int64_t o, const C* const* rows, C* out, std::int64_t n) const;
    void emit_slice(const Band& band, std::int64_t k, Scratch& s, const Views& v) const;
    void emit_rows(std::byte* to, std::int64_t pitch, std::int64_t row, std::int64_t rows, std::int64_t k, Scratch& s,
                   const Views& v) const;
    Band band(std::int64_t index) const;
    C* ring_row(Scratch& s, std::int64_t slot, std::int64_t row) const {
        return s.ring.data() + (slot * band_rows_ + row) * out_pitch_;
    }

    const CpuKernels<C>& kernels_ = cpu_kernels<C>();
    AxisTaps<C> x_, y_, z_;
    double fill_;
    std::int64_t slots_ = 1, band_rows_ = 1, bands_ = 0, chunks_ = 1;
    std::int64_t z_direction_ = 1;               ///< -1: flipped
    std::int64_t in_pitch_ = 0, out_pitch_ = 0;  ///< between the rows of scratch, in values
    std::int64_t x_origin_ = 0;                  ///< where index 0 of an input row stands in its scratch row
    std::int64_t x_end_ = 0;                     ///< where its last read value, continued or not, ends
    RowFilter<C> row_filter_{};
    std::vector<std::int64_t> x_first_;  ///< RowFilter::first
    std::vector<std::int32_t> block_base_, block_span_, block_first_, block_fewest_, block_most_;
    std::vector<C> block_weight_;
    std::vector<Scratch> scratch_;
};

}  // namespace revoxel
