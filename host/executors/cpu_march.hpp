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
    std::int64_t sample(std::int64_t i) const { return wrapped_index(i, n_in); }
};

/// Runs up to three passes over a view. Work is cut into bands of output rows times chunks of output slices; a band
/// walks through its slices and keeps the y- and x-filtered rows of the last few in a ring, from which the z sums are
/// taken. The cut does not change a bit: every output is the same sums in the same order.
template <typename C>
class March {
public:
    /// `passes` in the order y, x, z. Only outputs inside `covered` are computed.
    March(const Extent& input, const Extent& output, const std::vector<const AxisPass*>& passes, const Box3& covered,
          double fill, int threads);
    /// The extents of the views are those of the constructor. Every voxel of `output` is written.
    void run(const ConstVolumeView& input, const VolumeView& output, const math::Storing& storing, ThreadPool& pool,
             const std::function<void(double)>& progress);
    std::int64_t workspace_bytes() const noexcept;

private:
    static constexpr std::int64_t kBandRows = 32;

    /// Scratch of one thread.
    struct Scratch {
        std::vector<C> rows;                   ///< input rows of a band, converted
        std::vector<C> filtered;               ///< one row after the y pass
        std::vector<C> ring;                   ///< [slot][row of the band][x]
        std::vector<C> sum;                    ///< one output row
        std::vector<std::int64_t> slot_slice;  ///< which input slice a slot holds (AxisTaps::sample of it)
        std::vector<const C*> pointers;
    };
    struct Band {
        std::int64_t begin, end;        ///< output rows
        std::int64_t in_begin, in_end;  ///< input rows that they read
    };
    struct Views {
        const ConstVolumeView& input;
        const VolumeView& output;
        const math::Storing& storing;
    };

    void run_item(std::int64_t item, Scratch& s, const Views& v) const;
    void filter_slice(const Band& band, std::int64_t z, std::int64_t slot, Scratch& s, const Views& v) const;
    /// The weighted sum of the rows in s.pointers for row o of `axis`.
    void weigh(const AxisTaps<C>& axis, std::int64_t o, const C* const* rows, C* out, std::int64_t n) const;
    void emit_slice(const Band& band, std::int64_t k, Scratch& s, const Views& v) const;
    void write_row(const C* values, std::int64_t j, std::int64_t k, const Views& v) const;
    Band band(std::int64_t index) const;
    C* ring_row(Scratch& s, std::int64_t slot, std::int64_t row) const {
        return s.ring.data() + (slot * kBandRows + row) * x_.n_out;
    }

    const CpuKernels<C>& kernels_ = cpu_kernels<C>();
    AxisTaps<C> x_, y_, z_;
    double fill_;
    std::int64_t slots_ = 1, bands_ = 0, chunks_ = 1;
    std::vector<std::int32_t> x_count_, x_index_;  ///< TransposedTaps of x
    std::vector<C> x_weight_;
    std::vector<Scratch> scratch_;
};

}  // namespace revoxel
