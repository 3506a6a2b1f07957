// Votes are counted without a list of labels: one walk over the voxels in reach counts those of one label and finds the
// next larger one. Labels come in ascending order, NaN last, so that ties go to the smallest.
#include "votes.hpp"

#include "brick.hpp"
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

/// Calls f(voxel, votes of y and z, x tap) for each voxel in reach; votes is a function, so that they are worked out
/// for those who ask.
template <typename T, typename F>
__device__ void for_each_voter(const VoteJob& job, const T* voxels, const Reach& x, const Reach& y, const Reach& z,
                               F&& f) {
    for (int c = 0; c < z.count(); ++c) {
        const std::int64_t k = z.index(c);
        if (k < 0) continue;
        for (int b = 0; b < y.count(); ++b) {
            const std::int64_t j = y.index(b);
            if (j < 0) continue;
            const auto votes = [&] { return y.weight(b) * z.weight(c); };
            for (int a = 0; a < x.count(); ++a) {
                const std::int64_t i = x.index(a);
                if (i >= 0) f(voxels[job.input.offset(i, j, k)], votes, a);
            }
        }
    }
}

template <typename T>
__device__ T winner(const VoteJob& job, const T* voxels, const Reach& x, const Reach& y, const Reach& z) {
    T label{}, largest{};
    bool any = false;
    for_each_voter<T>(job, voxels, x, y, z, [&](T value, const auto&, int) {
        if (!any || less(value, label)) label = value;
        if (!any || less(largest, value)) largest = value;
        any = true;
    });
    if (!less(label, largest)) return label;  // all are one, or there are none: nothing to count
    T best{};
    std::int64_t most = 0;
    for (bool first = true; any; first = false) {
        std::int64_t votes = 0;
        T next{};
        any = false;
        for_each_voter<T>(job, voxels, x, y, z, [&](T value, const auto& share, int tap) {
            if (less(label, value)) {
                if (!any || less(value, next)) next = value;
                any = true;
            } else if (!less(value, label)) {
                votes += x.weight(tap) * share();
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

__global__ void __launch_bounds__(kBrickThreads) vote_kernel(const __grid_constant__ JobList<VoteJob> list) {
    unsigned block = 0;
    const VoteJob& job = job_of_block(list, block);
    std::int64_t at[3], volume = 0;
    if (!brick_voxel(job.covered, block, at, volume)) return;
    const std::int64_t target = job.output.offset(at[0], at[1], at[2]) + volume * job.volumes.output_step;
    double c[3] = {0, 0, 0};
    if (job.gather && !locate(job.frame, job.affines, volume, at, c)) {
        with_type(job.output.dtype, [&](auto typed) {
            using T = typename decltype(typed)::type;
            reinterpret_cast<T*>(job.output.data)[target] = math::saturate_round<T>(job.fill);
        });
        return;
    }
    const Reach x(job, 0, at[0], c[0]), y(job, 1, at[1], c[1]), z(job, 2, at[2], c[2]);
    with_type(job.input.dtype, [&](auto typed) {
        using T = typename decltype(typed)::type;
        const T* voxels = voxels_of<T>(job.input, job.volumes.input_step, volume);
        store_converted(math::label_of_value(winner<T>(job, voxels, x, y, z)), job.output, target);
    });
}

}  // namespace

void vote(const VoteJob* jobs, std::size_t count, StreamHandle stream) {
    const auto blocks = [](const VoteJob& job) { return bricks_in(job.covered) * job.volumes.count; };
    launch_jobs(vote_kernel, jobs, count, blocks, kBrickThreads, 0, stream);
}

}  // namespace revoxel::cuda
