// Votes are counted without a list of labels: one walk over the voxels in reach counts those of one label and finds the
// next larger one. Labels come in ascending order, NaN last, so that ties go to the smallest.
#include "votes.hpp"

#include <algorithm>

#include "math/values.hpp"
#include "math/votes.hpp"
#include "plan/boundary.hpp"
#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

/// The taps of an output index along one axis.
class Reach {
public:
    __device__ Reach(const VoteJob& job, int axis, std::int64_t o, double c) : job_(job), axis_(axis), o_(o) {
        const VoteTable& table = job.table[axis];
        if (job.gather) {
            taps_ = math::vote_taps(job.kernel[axis], job.stretch[axis], c);
            count_ = taps_.count;
        } else {
            count_ = table.count ? table.count[o] : 1;
        }
    }
    __device__ int count() const { return count_; }
    /// -1: nothing is there.
    __device__ std::int64_t index(int t) const {
        if (job_.gather) {
            const std::int64_t at = extended_index(job_.boundary, taps_.first + t, job_.frame.inside[axis_]);
            return at < 0 ? at : at - job_.origin[axis_];
        }
        const VoteTable& table = job_.table[axis_];
        if (!table.count) return o_;
        const std::int64_t at = table.first[o_] + t;
        return table.wraps ? wrapped_index(at, table.n_in) : at;
    }
    __device__ std::int64_t weight(int t) const {
        if (job_.gather) {
            return math::vote_units(math::vote_weight(job_.kernel[axis_], job_.stretch[axis_], taps_, t));
        }
        const VoteTable& table = job_.table[axis_];
        return table.count ? table.weight[o_ * table.stride + t] : math::kVoteUnits;
    }

private:
    const VoteJob& job_;
    int axis_;
    std::int64_t o_;
    int count_ = 0;
    math::VoteTaps taps_{};
};

/// NaN is the largest, and all NaN are one.
template <typename T>
__device__ bool less(T a, T b) {
    return a < b || (a == a && b != b);
}

/// Calls f(voxel, z and y votes, x tap) for each voxel in reach.
template <typename T, typename F>
__device__ void for_each_voter(const VoteJob& job, const Reach& x, const Reach& y, const Reach& z, F&& f) {
    const T* voxels = reinterpret_cast<const T*>(job.input.data);
    for (int c = 0; c < z.count(); ++c) {
        const std::int64_t k = z.index(c);
        if (k < 0) continue;
        const std::int64_t z_votes = z.weight(c);
        for (int b = 0; b < y.count(); ++b) {
            const std::int64_t j = y.index(b);
            if (j < 0) continue;
            const std::int64_t votes = y.weight(b) * z_votes;
            for (int a = 0; a < x.count(); ++a) {
                const std::int64_t i = x.index(a);
                if (i >= 0) f(voxels[job.input.offset(i, j, k)], votes, a);
            }
        }
    }
}

template <typename T>
__device__ T winner(const VoteJob& job, const Reach& x, const Reach& y, const Reach& z) {
    T label{}, best{};
    bool any = false;
    for_each_voter<T>(job, x, y, z, [&](T value, std::int64_t, int) {
        if (!any || less(value, label)) label = value;
        any = true;
    });
    std::int64_t most = 0;
    for (bool first = true; any; first = false) {
        std::int64_t votes = 0;
        T next{};
        any = false;
        for_each_voter<T>(job, x, y, z, [&](T value, std::int64_t share, int tap) {
            if (less(label, value)) {
                if (!any || less(value, next)) next = value;
                any = true;
            } else if (!less(value, label)) {
                votes += x.weight(tap) * share;
            }
        });
        if (first || votes > most) {
            most = votes;
            best = label;
        }
        label = next;
    }
    return best;
}

__global__ void __launch_bounds__(256) vote_kernel(VoteJob job) {
    const int thread = static_cast<int>(threadIdx.x);
    const std::int64_t i = job.covered.lo[0] + static_cast<std::int64_t>(blockIdx.x) * 8 + thread % 8,
                       j = job.covered.lo[1] + static_cast<std::int64_t>(blockIdx.y) * 8 + thread / 8 % 8,
                       k = job.covered.lo[2] + static_cast<std::int64_t>(blockIdx.z) * 4 + thread / 64;
    if (!job.covered.holds(i, j, k)) return;
    double c[3] = {0, 0, 0};
    const bool inside = !job.gather || math::locate(job.frame, i, j, k, c);
    const std::int64_t target = job.output.offset(i, j, k);
    const Reach x(job, 0, i, c[0]), y(job, 1, j, c[1]), z(job, 2, k, c[2]);
    with_type(job.input.dtype, [&](auto in) {
        using From = typename decltype(in)::type;
        const From label = inside ? math::label_of_value(winner<From>(job, x, y, z)) : From{};
        with_type(job.output.dtype, [&](auto out) {
            using To = typename decltype(out)::type;
            reinterpret_cast<To*>(job.output.data)[target] =
                inside ? math::convert<To>(label) : math::saturate_round<To>(job.fill);
        });
    });
}

}  // namespace

void vote(const VoteJob& job, const Stream& stream) {
    std::int64_t n[3];
    for (int a = 0; a < 3; ++a) {
        n[a] = job.covered.hi[a] - job.covered.lo[a];
        if (n[a] <= 0) return;
    }
    launch(vote_kernel, {blocks_of(n[0], 8), blocks_of(n[1], 8), blocks_of(n[2], 4)}, {256, 1, 1}, 0, stream, job);
}

}  // namespace revoxel::cuda
