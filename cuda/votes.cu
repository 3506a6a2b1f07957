// Votes are counted without a list of labels: one walk over the voxels in reach counts those of one label and finds the
// next larger one. Labels come in ascending order, NaN last, so that ties go to the smallest. Most voxels see one label
// only, and count nothing.
#include "votes.hpp"

#include <cstring>

#include "brick.hpp"
#include "math/values.hpp"
#include "math/votes.hpp"
#include "plan/boundary.hpp"
#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

/// The voxels in reach along one axis of a straight grid.
class TableReach {
public:
    static constexpr std::size_t kSharedBytes = 0;

    __device__ TableReach(const VoteJob& job, int axis, std::int64_t o, double, std::byte*) : table_(job.table[axis]) {
        first_ = table_.count ? table_.first[o] : o;
        count_ = table_.count ? table_.count[o] : 1;
        weight_ = table_.count ? table_.weight + o * table_.stride : nullptr;
    }
    __device__ int count() const { return count_; }
    /// -1: nothing is there.
    __device__ std::int64_t index(int t) const {
        const std::int64_t at = first_ + t;
        return table_.wraps ? wrapped_index(at, table_.n_in) : at;
    }
    __device__ std::int64_t weight(int t) const { return weight_ ? weight_[t] : math::kVoteUnits; }

private:
    const VoteTable& table_;
    std::int64_t first_ = 0;
    int count_ = 0;
    const std::int64_t* weight_ = nullptr;
};

/// The same around a position. Indices and weights of the first taps wait in shared memory: each costs divisions.
class PointReach {
public:
    static constexpr int kHeld = 8;
    static constexpr std::size_t kSharedBytes = 3 * kHeld * kBrickThreads * 2 * sizeof(std::int32_t);

    __device__ PointReach(const VoteJob& job, int axis, std::int64_t, double c, std::byte* shared)
        : job_(job), axis_(axis) {
        index_ = reinterpret_cast<std::int32_t*>(shared) + axis * 2 * kHeld * kBrickThreads + threadIdx.x;
        taps_ = hold(job, axis, c, index_, index_ + kHeld * kBrickThreads);
    }
    __device__ int count() const { return taps_.count; }
    __device__ std::int64_t index(int t) const {
        return t < kHeld ? index_[t * kBrickThreads] : index_of(job_, axis_, taps_.first + t);
    }
    __device__ std::int64_t weight(int t) const {
        return t < kHeld ? index_[(kHeld + t) * kBrickThreads] : votes_of(job_, axis_, taps_, t);
    }

private:
    static __device__ __noinline__ math::VoteTaps hold(const VoteJob& job, int axis, double c, std::int32_t* index,
                                                       std::int32_t* votes) {
        const math::VoteTaps taps = math::vote_taps(job.kernel[axis], job.stretch[axis], c);
        for (int t = 0; t < min(taps.count, kHeld); ++t) {
            index[t * kBrickThreads] = static_cast<std::int32_t>(index_of(job, axis, taps.first + t));
            votes[t * kBrickThreads] = static_cast<std::int32_t>(votes_of(job, axis, taps, t));
        }
        return taps;
    }
    static __device__ __noinline__ std::int64_t index_of(const VoteJob& job, int axis, std::int64_t i) {
        const std::int64_t at = extended_index(job.boundary, i, job.frame.inside[axis]);
        return at < 0 ? at : at - job.origin[axis];
    }
    static __device__ __noinline__ std::int64_t votes_of(const VoteJob& job, int axis, const math::VoteTaps& taps,
                                                         int t) {
        return math::vote_units(math::vote_weight(job.kernel[axis], job.stretch[axis], taps, t));
    }

    const VoteJob& job_;
    int axis_;
    math::VoteTaps taps_;
    std::int32_t* index_;  ///< of this thread, kBrickThreads apart; behind them the weights
};

/// Labels of a type that deserves code of its own.
template <typename T>
class Labels {
public:
    using Key = T;  ///< in the order of labels

    __device__ Labels(const VoteJob& job, std::int64_t volume)
        : voxels_(voxels_of<T>(job.input, job.volumes.input_step, volume)) {}
    __device__ Key at(std::int64_t offset) const { return voxels_[offset]; }
    __device__ void store(Key label, const Field& to, std::int64_t target) const { store_converted(label, to, target); }

private:
    const T* voxels_;
};

/// Labels of any type, as whole numbers in the same order. NaN is the largest; all NaN are one, and so are both zeros.
class AnyLabels {
public:
    using Key = std::int64_t;

    __device__ AnyLabels(const VoteJob& job, std::int64_t volume) : field_(job.input) {
        first_ = volume * job.volumes.input_step;
    }
    __device__ Key at(std::int64_t offset) const {
        Key key = 0;
        with_type(field_.dtype, [&](auto typed) {
            using T = typename decltype(typed)::type;
            const T v = reinterpret_cast<const T*>(field_.data)[first_ + offset];
            if constexpr (!std::numeric_limits<T>::is_integer) {
                key = key_of(math::label_of_value(static_cast<double>(v)));
            } else {
                key = static_cast<Key>(std::is_same_v<T, std::uint64_t> ? v ^ static_cast<T>(kTop) : v);
            }
        });
        return key;
    }
    __device__ void store(Key key, const Field& to, std::int64_t target) const {
        switch (field_.dtype) {
            case DType::float16:
            case DType::float32:
            case DType::float64: return store_converted(value_of(key), to, target);
            case DType::uint64: return store_converted(static_cast<std::uint64_t>(key) ^ kTop, to, target);
            default: store_converted(key, to, target);
        }
    }

private:
    static constexpr std::uint64_t kTop = std::uint64_t{1} << 63;

    /// The bits of a double, those of negative ones turned round.
    static __device__ Key turned(Key bits) { return bits < 0 ? bits ^ static_cast<Key>(~kTop) : bits; }
    static __device__ Key key_of(double v) {
        Key bits = 0;
        std::memcpy(&bits, &v, sizeof v);
        return turned(bits);
    }
    static __device__ double value_of(Key key) {
        const Key bits = turned(key);
        double v = 0.0;
        std::memcpy(&v, &bits, sizeof v);
        return v;
    }

    const Field& field_;
    std::int64_t first_;
};

/// Calls f(label, votes of y and z, x tap) for each voxel in reach; votes is a function, so that they are worked out
/// for those who ask.
template <typename Voxels, typename Reach, typename F>
__device__ void for_each_voter(const VoteJob& job, const Voxels& voxels, const Reach& x, const Reach& y, const Reach& z,
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
                if (i >= 0) f(voxels.at(job.input.offset(i, j, k)), votes, a);
            }
        }
    }
}

template <typename Voxels, typename Reach>
__device__ typename Voxels::Key winner(const VoteJob& job, const Voxels& voxels, const Reach& x, const Reach& y,
                                       const Reach& z) {
    using Key = typename Voxels::Key;
    Key label{}, largest{};
    bool any = false;
    for_each_voter(job, voxels, x, y, z, [&](Key value, const auto&, int) {
        label = any ? min(value, label) : value;
        largest = any ? max(value, largest) : value;
        any = true;
    });
    Key best = label;
    std::int64_t most = 0;
    for (bool first = true, more = label < largest; more; first = false) {
        std::int64_t votes = 0;
        Key next = largest;
        more = label < largest;
        for_each_voter(job, voxels, x, y, z, [&](Key value, const auto& share, int tap) {
            if (value == label) votes += x.weight(tap) * share();
            if (value > label) next = min(value, next);
        });
        if (first || votes > most) {
            most = votes;
            best = label;
        }
        label = next;
    }
    return best;
}

template <typename Reach>
__global__ void __launch_bounds__(kBrickThreads, 2) vote_kernel(const __grid_constant__ JobList<VoteJob> list) {
    unsigned block = 0;
    const VoteJob& job = job_of_block(list, block);
    std::int64_t at[3], volume = 0;
    if (!brick_voxel(job.covered, block, at, volume)) return;
    const std::int64_t target = job.output.offset(at[0], at[1], at[2]) + volume * job.volumes.output_step;
    double c[3] = {0, 0, 0};
    if (job.gather && !locate(job.frame, job.affines, volume, at, c)) return store_fill(job.fill, job.output, target);
    const Reach x(job, 0, at[0], c[0], shared_memory()), y(job, 1, at[1], c[1], shared_memory()),
        z(job, 2, at[2], c[2], shared_memory());
    const auto vote_on = [&](const auto& voxels) { voxels.store(winner(job, voxels, x, y, z), job.output, target); };
    switch (job.input.dtype) {
        case DType::uint8: return vote_on(Labels<std::uint8_t>(job, volume));
        case DType::int16: return vote_on(Labels<std::int16_t>(job, volume));
        case DType::uint16: return vote_on(Labels<std::uint16_t>(job, volume));
        case DType::int32: return vote_on(Labels<std::int32_t>(job, volume));
        default: vote_on(AnyLabels(job, volume));
    }
}

}  // namespace

void vote(const VoteJob* jobs, std::size_t count, StreamHandle stream) {
    const auto blocks = [](const VoteJob& job) { return bricks_in(job.covered) * job.volumes.count; };
    // Runs of jobs of a kernel.
    for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
        for (end = begin; end < count && jobs[end].gather == jobs[begin].gather;) ++end;
        if (jobs[begin].gather) {
            launch_jobs(vote_kernel<PointReach>, jobs + begin, end - begin, blocks, kBrickThreads,
                        PointReach::kSharedBytes, stream);
        } else {
            launch_jobs(vote_kernel<TableReach>, jobs + begin, end - begin, blocks, kBrickThreads,
                        TableReach::kSharedBytes, stream);
        }
    }
}

}  // namespace revoxel::cuda
