#include "pipeline/keep_labels.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "executors/ballot.hpp"
#include "executors/parts.hpp"
#include "executors/thread_pool.hpp"
#include "executors/views.hpp"
#include "math/values.hpp"
#include "pipeline/label_value.hpp"

namespace revoxel::pipeline {
namespace {

/// One label in one frame.
struct Seen {
    std::int64_t voxels = 0;
    Box3 box;  ///< the smallest that holds them

    void add(const Box3& more, std::int64_t count) {
        for (std::size_t d = 0; d < 3; ++d) {
            box.lo[d] = voxels == 0 ? more.lo[d] : std::min(box.lo[d], more.lo[d]);
            box.hi[d] = voxels == 0 ? more.hi[d] : std::max(box.hi[d], more.hi[d]);
        }
        voxels += count;
    }
};

/// All labels of one frame but 0.
using Labels = std::map<std::int64_t, Seen>;

template <typename T>
void add_row(const T* row, std::int64_t n, std::int64_t j, std::int64_t k, Labels& labels) {
    for (std::int64_t begin = 0, end = 0; begin < n; begin = end) {
        const T value = row[begin];
        for (end = begin + 1; end < n && row[end] == value;) ++end;
        if (value == T{0}) continue;
        if (const std::optional<std::int64_t> label = label_of(value)) {
            labels[*label].add({{begin, j, k}, {end, j + 1, k + 1}}, end - begin);
        }
    }
}

Labels labels_of(const Volume& volume, std::int64_t frame, ThreadPool& pool) {
    const ConstVolumeView view = volume.view(frame);
    std::vector<Labels> of_thread(static_cast<std::size_t>(pool.size()));
    pool.for_each(view.extent[2], [&](std::int64_t k, int thread) {
        dispatch(view.dtype, [&](auto zero) {
            using T = decltype(zero);
            for (std::int64_t j = 0; j < view.extent[1]; ++j) {
                const T* row = reinterpret_cast<const T*>(address(view, 0, j, k));
                add_row(row, view.extent[0], j, k, of_thread[static_cast<std::size_t>(thread)]);
            }
        });
    });
    Labels all;
    for (const Labels& part : of_thread) {
        for (const auto& [value, seen] : part) all[value].add(seen.box, seen.voxels);
    }
    return all;
}

/// The plan whose votes are counted. Nearest, or linear without anti-aliasing, does not see every input voxel.
Plan voting_plan(const Plan& plan) {
    PlanOptions options = plan.options;
    for (int i = 0; i < 3; ++i) {
        if (options.kernel[i] == Kernel::nearest) options.kernel[i] = Kernel::linear;
    }
    options.antialias = Antialias::automatic;
    if (options.kernel == plan.options.kernel && options.antialias == plan.options.antialias) return plan;
    return make_plan(plan.input, plan.output, options);
}

/// The smallest box that holds the label's voxels inside `box`; empty where there are none.
template <typename T>
Box3 bounds_of(const ConstVolumeView& view, const Box3& box, T label) {
    Seen seen;
    for (std::int64_t k = box.lo[2]; k < box.hi[2]; ++k) {
        for (std::int64_t j = box.lo[1]; j < box.hi[1]; ++j) {
            const T* row = reinterpret_cast<const T*>(address(view, 0, j, k));
            bool any = false;  // most rows have none, and a loop without an exit is a vector loop
            for (std::int64_t i = box.lo[0]; i < box.hi[0]; ++i) any |= row[i] == label;
            if (!any) continue;
            std::int64_t first = box.lo[0], end = box.hi[0];
            while (row[first] != label) ++first;
            while (row[end - 1] != label) --end;
            seen.add({{first, j, k}, {end, j + 1, k + 1}}, end - first);
        }
    }
    return seen.box;
}

/// Output voxels are searched in parts of at most this many, and where a part may read the label, in smaller ones.
constexpr std::int64_t kPartVoxels = 16 * 16 * 16, kSmallPartVoxels = 4 * 4 * 4;

Box3 common(const Box3& a, const Box3& b) {
    Box3 box;
    for (std::size_t d = 0; d < 3; ++d) {
        box.lo[d] = std::max(a.lo[d], b.lo[d]);
        box.hi[d] = std::min(a.hi[d], b.hi[d]);
    }
    return box;
}

/// Parts of `box`, of at most so many voxels each, that together hold all voxels that may read input voxels of
/// `wanted`.
std::vector<Box3> parts_reading(const Plan& plan, const Box3& box, const Box3& wanted, std::int64_t voxels) {
    std::vector<Box3> parts;
    const auto judge = [&](const Box3& part) {
        if (common(plan.input_box(part), wanted).empty()) return Cut::drop;
        return part.count() <= voxels ? Cut::keep : Cut::halves;
    };
    add_parts(box, {true, true, true}, judge, parts);
    return parts;
}

/// An output voxel for a label. More votes are better, then an earlier place in memory.
struct Candidate {
    std::int64_t votes = 0;  ///< 0: none
    Extent index{0, 0, 0};
    std::int64_t all_votes = 1;

    bool better_than(const Candidate& other) const {
        if (votes != other.votes) return votes > other.votes;
        const Extent& a = index;
        const Extent& b = other.index;
        return votes > 0 && std::array{a[2], a[1], a[0]} < std::array{b[2], b[1], b[0]};
    }
};

std::int64_t all_votes(const std::array<Ballot, 3>& ballot) {
    std::int64_t product = 1;
    for (const Ballot& axis : ballot) {
        std::int64_t sum = 0;
        for (std::size_t t = 0; t < axis.index.size(); ++t) sum += axis.index[t] >= 0 ? axis.weight[t] : 0;
        product *= sum;
    }
    return product;
}

/// The label of an output voxel; none where it holds 0 or no label.
std::optional<std::int64_t> label_at(const ConstVolumeView& view, const Extent& o) {
    return dispatch(view.dtype, [&](auto zero) {
        const auto label = label_of(*reinterpret_cast<const decltype(zero)*>(address(view, o[0], o[1], o[2])));
        return label == 0 ? std::nullopt : label;
    });
}

void set_label(const VolumeView& view, const Extent& o, std::int64_t label) {
    dispatch(view.dtype, [&](auto zero) {
        using T = decltype(zero);
        *reinterpret_cast<T*>(address(view, o[0], o[1], o[2])) = math::convert<T>(label);
    });
}

/// One frame.
class Keeper {
public:
    /// `present`: the labels of the output.
    Keeper(const Plan& votes, const ConstVolumeView& input, const VolumeView& output, Labels present, ThreadPool& pool)
        : plan_(votes),
          ballots_(votes),
          input_(input),
          permuted_(permuted(input, votes.input_axis)),
          output_(output),
          present_(std::move(present)),
          pool_(pool) {}

    /// A label that is missing in the output, and its box in the input. Nothing where it stays lost.
    std::optional<KeptLabel> keep(std::int64_t label, const Box3& box) {
        if (!can_hold(output_.dtype, label)) return std::nullopt;
        const std::vector<Box3> parts = parts_reading(plan_, plan_.covered, box, kPartVoxels);
        std::vector<Candidate> of_thread(static_cast<std::size_t>(pool_.size()));
        pool_.for_each(std::ssize(parts), [&](std::int64_t part, int thread) {
            dispatch(input_.dtype, [&](auto zero) {
                search_part(parts[static_cast<std::size_t>(part)], static_cast<decltype(zero)>(label), box,
                            of_thread[static_cast<std::size_t>(thread)]);
            });
        });
        Candidate best;
        for (const Candidate& candidate : of_thread) {
            if (candidate.better_than(best)) best = candidate;
        }
        if (best.votes == 0) return std::nullopt;
        if (const std::optional<std::int64_t> owner = label_at(output_, best.index)) --present_.at(*owner).voxels;
        set_label(output_, best.index, label);
        present_[label].voxels = 1;
        const double fraction = static_cast<double>(best.votes) / static_cast<double>(best.all_votes);
        return KeptLabel{label, 0, best.index, fraction};
    }

private:
    /// Not the last voxel of another label.
    bool may_take(const Extent& o) const {
        const std::optional<std::int64_t> owner = label_at(output_, o);
        return !owner || present_.at(*owner).voxels > 1;
    }

    /// `box` holds all voxels of the label.
    template <typename T>
    void search_part(const Box3& part, T label, const Box3& box, Candidate& best) const {
        const Box3 near = bounds_of(input_, common(plan_.input_box(part), box), label);
        if (near.empty()) return;
        Box3 wanted;  // with its axes in the order of the output's
        for (std::size_t d = 0; d < 3; ++d) {
            const auto axis = static_cast<std::size_t>(plan_.input_axis[d]);
            wanted.lo[d] = near.lo[axis];
            wanted.hi[d] = near.hi[axis];
        }
        for (const Box3& small : parts_reading(plan_, part, near, kSmallPartVoxels))
            search_voxels(small, label, wanted, best);
    }

    template <typename T>
    void search_voxels(const Box3& part, T label, const Box3& wanted, Candidate& best) const {
        std::array<Ballot, 3> ballot;
        for (std::int64_t k = part.lo[2]; k < part.hi[2]; ++k) {
            for (std::int64_t j = part.lo[1]; j < part.hi[1]; ++j) {
                for (std::int64_t i = part.lo[0]; i < part.hi[0]; ++i) {
                    if (!ballots_.at(i, j, k, ballot)) continue;
                    Candidate candidate{votes_for(label, wanted, ballot), {i, j, k}};
                    if (!candidate.better_than(best) || !may_take(candidate.index)) continue;
                    candidate.all_votes = all_votes(ballot);
                    best = candidate;
                }
            }
        }
    }

    /// `wanted` holds all voxels of the label that the ballots name.
    template <typename T>
    std::int64_t votes_for(T label, const Box3& wanted, const std::array<Ballot, 3>& ballot) const {
        const auto outside = [&wanted](std::size_t axis, std::int64_t index) {
            return index < wanted.lo[axis] || index >= wanted.hi[axis];
        };
        std::int64_t votes = 0;
        for (std::size_t z = 0; z < ballot[2].index.size(); ++z) {
            if (outside(2, ballot[2].index[z])) continue;
            for (std::size_t y = 0; y < ballot[1].index.size(); ++y) {
                if (outside(1, ballot[1].index[y])) continue;
                std::int64_t row = 0;
                for (std::size_t x = 0; x < ballot[0].index.size(); ++x) {
                    if (outside(0, ballot[0].index[x])) continue;
                    const auto* voxel = reinterpret_cast<const T*>(
                        address(permuted_, ballot[0].index[x], ballot[1].index[y], ballot[2].index[z]));
                    if (*voxel == label) row += ballot[0].weight[x];
                }
                votes += row * ballot[1].weight[y] * ballot[2].weight[z];
            }
        }
        return votes;
    }

    const Plan& plan_;
    Ballots ballots_;
    ConstVolumeView input_;
    ConstVolumeView permuted_;  ///< the input with its axes in the order of the output's
    VolumeView output_;
    Labels present_;  ///< in the output: how many voxels; the boxes are not kept up
    ThreadPool& pool_;
};

}  // namespace

KeptLabels keep_labels(const Plan& plan, const Volume& input, Volume& output, int threads) {
    KeptLabels result;
    ThreadPool pool(threads);
    const Plan votes = voting_plan(plan);
    for (std::int64_t frame = 0; frame < input.frames(); ++frame) {
        const Labels before = labels_of(input, frame, pool);
        const Labels after = labels_of(output, frame, pool);
        Keeper keeper(votes, input.view(frame), output.view(frame), after, pool);
        for (const auto& [label, seen] : before) {
            if (after.count(label) > 0) continue;
            if (std::optional<KeptLabel> kept = keeper.keep(label, seen.box)) {
                kept->frame = frame;
                result.kept.push_back(*kept);
            } else {
                result.lost.push_back({label, frame});
            }
        }
    }
    return result;
}

}  // namespace revoxel::pipeline
