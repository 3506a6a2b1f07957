// Label plans on the CPU: each output voxel takes the value with the most votes.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "executors/thread_pool.hpp"
#include "revoxel/plan.hpp"
#include "revoxel/volume.hpp"

namespace revoxel {

/// Runs a label plan that is no copy. Memory does not grow with the number of labels. The result is that of the
/// reference's loops: votes are whole numbers (math/votes.hpp).
class LabelVote {
public:
    LabelVote(const Plan& plan, int threads);
    LabelVote(const LabelVote&) = delete;  // gather_ points into plan_
    LabelVote& operator=(const LabelVote&) = delete;
    void run(const ConstVolumeView& input, const VolumeView& output, ThreadPool& pool,
             const std::function<void(double)>& progress);
    std::int64_t workspace_bytes() const noexcept;

private:
    /// Taps of all outputs of an axis: sample indices, -1 for none, and weights in vote units.
    struct Taps {
        std::vector<std::int64_t> begin;  ///< n_out + 1 offsets
        std::vector<std::int64_t> index, weight;
    };

    /// Taps of an axis between two offsets.
    struct TapRange {
        std::int64_t lo, hi;
    };
    TapRange range(int axis, std::int64_t o) const;

    /// Of one thread, large enough for every voxel of a label map: more than kRest values around one voxel make it
    /// grow.
    struct Scratch {
        struct Vote {
            std::int64_t bits;  ///< of the value
            std::int64_t votes;
        };
        struct Row {
            const void* values;
            std::int64_t votes;  ///< of its y and z taps
        };
        /// Voxels of an input row.
        struct Stretch {
            std::int64_t first, last;
        };
        std::vector<Vote> rest;           ///< votes for values beyond the short list
        std::vector<Row> rows;            ///< input rows that take part in an output row
        std::vector<std::uint8_t> mixed;  ///< at each voxel of an input row: whether those rows differ
        std::vector<std::uint8_t> ends;   ///< and whether the next one differs from it
        std::vector<Stretch> stretches;   ///< where all of those rows hold one value
        std::vector<Vote> columns;        ///< kColumn for each of them: the values above each other, and their votes
        std::vector<int> column_sizes;    ///< how many of those; above kColumn: too many
        bool columns_filled = false;      ///< for the rows of now
        std::vector<std::int64_t> index[3], weight[3];
    };
    template <typename T>
    class Count;
    static constexpr int kColumn = 32;
    static constexpr std::size_t kFewRows = 8;
    static constexpr std::size_t kRest = 4096;

    template <typename T>
    static Scratch::Vote vote_for(T value, std::int64_t votes);
    template <typename T>
    static T value_of(const Scratch::Vote& vote);
    /// No table: the identity.
    static Taps taps_of(const TapTable* table, std::int64_t n_out);
    template <typename From, typename To>
    void separable_row(const ConstVolumeView& input, const VolumeView& output, std::int64_t j, std::int64_t k,
                       Scratch& scratch) const;
    template <typename From>
    void find_stretches(std::int64_t n, std::int64_t stride, Scratch& scratch) const;
    template <typename From, typename Put>
    void count_row(std::int64_t lo, std::int64_t hi, std::int64_t n, std::int64_t stride, Scratch& scratch,
                   const Put& put) const;
    void find_reach(std::int64_t n);
    TapRange outputs_inside(const Scratch::Stretch& stretch) const;
    /// The y and z sums of an output row.
    template <typename From>
    void fill_columns(std::int64_t n, std::int64_t stride, Scratch& scratch) const;
    /// The votes of some x taps, voxel by voxel.
    template <typename From>
    void add_rows(const TapRange& xs, std::int64_t stride, const Scratch& scratch, Count<From>& count) const;
    /// The same votes from the columns. False, and no vote, where one of them holds too many values.
    template <typename From>
    bool add_columns(const TapRange& xs, const Scratch& scratch, Count<From>& count) const;
    template <typename From, typename To>
    void gather_row(const ConstVolumeView& input, const VolumeView& output, std::int64_t j, std::int64_t k,
                    Scratch& scratch) const;

    const Plan plan_;
    const AffineGather* gather_ = nullptr;  ///< in plan_
    Taps taps_[3];                          ///< separable route
    /// For each voxel of an input row: the first output whose taps begin there or further along the outputs, and the
    /// one after the last whose taps end there or before.
    std::vector<std::int64_t> from_, until_;
    bool rising_ = true;  ///< taps rise with the output index; else the axis is flipped
    std::vector<Scratch> scratch_;
};

}  // namespace revoxel
