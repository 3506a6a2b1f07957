#include "executors/label_vote.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "executors/views.hpp"
#include "math/votes.hpp"
#include "plan/boundary.hpp"
#include "plan/kernels.hpp"

namespace revoxel {
namespace {

/// NaN equals NaN and comes last, so that values have an order.
template <typename T>
bool same(T a, T b) {
    return a == b || (a != a && b != b);
}
template <typename T>
bool before(T a, T b) {
    return a < b || (a == a && b != b);
}

}  // namespace

template <typename T>
LabelVote::Scratch::Vote LabelVote::vote_for(T value, std::int64_t votes) {
    Scratch::Vote vote{0, votes};
    std::memcpy(&vote.bits, &value, sizeof value);
    return vote;
}

template <typename T>
T LabelVote::value_of(const Scratch::Vote& vote) {
    T value;
    std::memcpy(&value, &vote.bits, sizeof value);
    return value;
}

/// Counts the votes of one voxel. A handful of values is the rule, so they stand in a short list; beyond it the votes
/// are kept one by one, and sorted and merged where they become many.
template <typename T>
class LabelVote::Count {
public:
    explicit Count(std::vector<Scratch::Vote>& rest) : rest_(rest) {}

    void add(T value, std::int64_t votes) {
        for (std::size_t e = 0; e < size_; ++e) {
            if (!same(values_[e], value)) continue;
            votes_[e] += votes;
            return;
        }
        if (size_ < kShort) {
            values_[size_] = value;
            votes_[size_++] = votes;
        } else {
            if (rest_.size() == rest_.capacity()) merge();
            rest_.push_back(vote_for(value, votes));
        }
    }

    /// Also empties the count.
    T winner() {
        T best = values_[0];
        std::int64_t most = -1;
        const auto consider = [&](T value, std::int64_t votes) {
            if (votes < most || (votes == most && !before(value, best))) return;
            best = value;
            most = votes;
        };
        for (std::size_t e = 0; e < size_; ++e) consider(values_[e], votes_[e]);
        merge();  // no value of the short list stands here
        for (const Scratch::Vote& vote : rest_) consider(value_of<T>(vote), vote.votes);
        size_ = 0;
        rest_.clear();
        return best;
    }

private:
    static constexpr std::size_t kShort = 32;

    /// One vote for each value of the rest.
    void merge() {
        std::sort(rest_.begin(), rest_.end(),
                  [](const auto& a, const auto& b) { return before(value_of<T>(a), value_of<T>(b)); });
        std::size_t end = 0;
        for (const Scratch::Vote& vote : rest_) {
            if (end > 0 && same(value_of<T>(rest_[end - 1]), value_of<T>(vote))) {
                rest_[end - 1].votes += vote.votes;
            } else {
                rest_[end++] = vote;
            }
        }
        rest_.resize(end);
    }

    std::size_t size_ = 0;
    std::array<T, kShort> values_;
    std::array<std::int64_t, kShort> votes_;
    std::vector<Scratch::Vote>& rest_;
};

LabelVote::LabelVote(const Plan& plan, int threads) : plan_(plan), scratch_(static_cast<std::size_t>(threads)) {
    std::array<const TapTable*, 3> tables{};
    for (const Stage& stage : plan_.stages) {
        if (const auto* pass = std::get_if<AxisPass>(&stage)) {
            tables[static_cast<std::size_t>(pass->axis)] = &pass->taps;
        } else {
            gather_ = &std::get<AffineGather>(stage);
        }
    }
    std::array<std::size_t, 3> most{};
    for (int a = 0; a < 3; ++a) {
        const TapTable* table = tables[static_cast<std::size_t>(a)];
        if (gather_) {
            const math::PointKernel kernel = point_kernel(gather_->kernel[a], gather_->shape, gather_->stretch[a]);
            const double reach = std::max(kernel.reach + 0.5, gather_->stretch[a]);
            most[static_cast<std::size_t>(a)] = static_cast<std::size_t>(2.0 * reach) + 2;
        } else {
            taps_[a] = taps_of(table, plan_.output.extent[static_cast<std::size_t>(a)]);
            most[static_cast<std::size_t>(a)] = table == nullptr ? 1 : static_cast<std::size_t>(table->stride);
        }
    }
    if (!gather_) find_reach(plan_.input.extent[plan_.input_axis[0]]);
    for (Scratch& s : scratch_) {
        s.rest.reserve(std::min(most[0] * most[1] * most[2], kRest));
        s.rows.reserve(most[1] * most[2]);
        const auto row = static_cast<std::size_t>(plan_.input.extent[plan_.input_axis[0]]);
        s.mixed.resize(row);
        s.ends.resize(row);
        s.stretches.reserve(row);
        if (most[1] * most[2] > kFewRows && !gather_) {
            s.columns.resize(row * kColumn);
            s.column_sizes.resize(row);
        }
        for (std::size_t a = 0; a < 3; ++a) {
            s.index[a].reserve(most[a]);
            s.weight[a].reserve(most[a]);
        }
    }
}

LabelVote::Taps LabelVote::taps_of(const TapTable* table, std::int64_t n_out) {
    Taps taps;
    taps.begin.push_back(0);
    for (std::int64_t o = 0; o < n_out; ++o) {
        const auto row = static_cast<std::size_t>(o);
        if (table == nullptr) {
            taps.index.push_back(o);
            taps.weight.push_back(math::kVoteUnits);
        }
        for (std::int32_t t = 0; table != nullptr && t < table->count[row]; ++t) {
            taps.index.push_back(wrapped_index(table->first[row] + t, table->n_in));
            taps.weight.push_back(math::vote_units(
                table->weight[row * static_cast<std::size_t>(table->stride) + static_cast<std::size_t>(t)]));
        }
        taps.begin.push_back(static_cast<std::int64_t>(taps.index.size()));
    }
    return taps;
}

LabelVote::TapRange LabelVote::range(int axis, std::int64_t o) const {
    const std::vector<std::int64_t>& begin = taps_[axis].begin;
    return {begin[static_cast<std::size_t>(o)], begin[static_cast<std::size_t>(o) + 1]};
}

template <typename From, typename To>
void LabelVote::separable_row(const ConstVolumeView& input, const VolumeView& output, std::int64_t j, std::int64_t k,
                              Scratch& scratch) const {
    const TapRange ys = range(1, j), zs = range(2, k);
    scratch.rows.clear();
    for (std::int64_t z = zs.lo; z < zs.hi; ++z) {
        for (std::int64_t y = ys.lo; y < ys.hi; ++y) {
            const auto at_y = static_cast<std::size_t>(y), at_z = static_cast<std::size_t>(z);
            scratch.rows.push_back({address(input, 0, taps_[1].index[at_y], taps_[2].index[at_z]),
                                    taps_[1].weight[at_y] * taps_[2].weight[at_z]});
        }
    }
    const std::int64_t stride = input.stride[0];
    const From* values = static_cast<const From*>(scratch.rows[0].values);
    find_stretches<From>(input.extent[0], stride, scratch);
    scratch.columns_filled = false;
    const auto put = [&](std::int64_t lo, std::int64_t hi, From label) {
        const To stored = math::convert<To>(math::label_of_value(label));
        for (std::int64_t i = lo; i < hi; ++i) *reinterpret_cast<To*>(address(output, i, j, k)) = stored;
    };
    std::int64_t done = plan_.covered.lo[0];
    const std::int64_t end = plan_.covered.hi[0];
    for (std::size_t s = 0; s < scratch.stretches.size() && done < end; ++s) {
        const std::size_t at = rising_ ? s : scratch.stretches.size() - 1 - s;
        const Scratch::Stretch& stretch = scratch.stretches[at];
        const TapRange inside = outputs_inside(stretch);
        const std::int64_t lo = std::max(inside.lo, done), hi = std::min(inside.hi, end);
        if (lo >= hi) continue;
        count_row<From>(done, lo, input.extent[0], stride, scratch, put);
        put(lo, hi, values[stretch.first * stride]);
        done = hi;
    }
    count_row<From>(done, end, input.extent[0], stride, scratch, put);
}

/// Outputs [lo, hi), voxel by voxel; put(i, i + 1, label) takes them.
template <typename From, typename Put>
void LabelVote::count_row(std::int64_t lo, std::int64_t hi, std::int64_t n, std::int64_t stride, Scratch& scratch,
                          const Put& put) const {
    if (lo >= hi) return;
    // Of few rows the sums cost more than they save.
    const bool tall = scratch.rows.size() > kFewRows;
    if (tall && !scratch.columns_filled) fill_columns<From>(n, stride, scratch);
    scratch.columns_filled = true;
    Count<From> count(scratch.rest);
    for (std::int64_t i = lo; i < hi; ++i) {
        const TapRange xs = range(0, i);
        if (!tall || !add_columns(xs, scratch, count)) add_rows(xs, stride, scratch, count);
        put(i, i + 1, count.winner());
    }
}

/// Outputs all of whose taps along the row lie in the stretch; some at the ends of a periodic axis may be missing.
LabelVote::TapRange LabelVote::outputs_inside(const Scratch::Stretch& stretch) const {
    const auto first = static_cast<std::size_t>(stretch.first), last = static_cast<std::size_t>(stretch.last);
    return rising_ ? TapRange{from_[first], until_[last]} : TapRange{from_[last], until_[first]};
}

/// The tables of outputs_inside(). They leave out outputs whose taps wrap around, at the ends of a periodic axis.
/// Between those both ends of the taps go one way.
void LabelVote::find_reach(std::int64_t n) {
    const auto first = [&](std::int64_t o) { return taps_[0].index[static_cast<std::size_t>(range(0, o).lo)]; };
    const auto last = [&](std::int64_t o) { return taps_[0].index[static_cast<std::size_t>(range(0, o).hi - 1)]; };
    const auto straight = [&](std::int64_t o) {
        const TapRange taps = range(0, o);
        return taps.lo < taps.hi && last(o) - first(o) == taps.hi - 1 - taps.lo;
    };
    std::int64_t lo = plan_.covered.lo[0], hi = plan_.covered.hi[0];
    while (lo < hi && !straight(lo)) ++lo;
    while (hi > lo && !straight(hi - 1)) --hi;
    rising_ = lo == hi || first(lo) <= first(hi - 1);
    from_.assign(static_cast<std::size_t>(n), hi);
    until_.assign(static_cast<std::size_t>(n), lo);
    const auto follows = [&](std::int64_t o) {
        return rising_ ? first(o - 1) <= first(o) && last(o - 1) <= last(o)
                       : first(o - 1) >= first(o) && last(o - 1) >= last(o);
    };
    for (std::int64_t o = lo; o < hi; ++o) {
        if (!straight(o) || (o > lo && !follows(o))) return;  // it goes round more than once: everything is counted
    }
    std::int64_t from = lo, until = lo;
    for (std::int64_t step = 0; step < n; ++step) {
        const std::int64_t x = rising_ ? step : n - 1 - step;
        while (from < hi && (rising_ ? first(from) < x : last(from) > x)) ++from;
        while (until < hi && (rising_ ? last(until) <= x : first(until) >= x)) ++until;
        from_[static_cast<std::size_t>(x)] = from;
        until_[static_cast<std::size_t>(x)] = until;
    }
}

template <typename From>
void LabelVote::add_rows(const TapRange& xs, std::int64_t stride, const Scratch& scratch, Count<From>& count) const {
    const std::int64_t* index = taps_[0].index.data();
    const std::int64_t* weight = taps_[0].weight.data();
    for (const Scratch::Row& row : scratch.rows) {
        const From* values = static_cast<const From*>(row.values);
        for (std::int64_t x = xs.lo; x < xs.hi; ++x) count.add(values[index[x] * stride], row.votes * weight[x]);
    }
}

template <typename From>
bool LabelVote::add_columns(const TapRange& xs, const Scratch& scratch, Count<From>& count) const {
    const std::int64_t* index = taps_[0].index.data();
    for (std::int64_t x = xs.lo; x < xs.hi; ++x) {
        if (scratch.column_sizes[static_cast<std::size_t>(index[x])] > kColumn) return false;
    }
    for (std::int64_t x = xs.lo; x < xs.hi; ++x) {
        const auto column = static_cast<std::size_t>(index[x]);
        for (int e = 0; e < scratch.column_sizes[column]; ++e) {
            const Scratch::Vote& vote = scratch.columns[column * kColumn + static_cast<std::size_t>(e)];
            count.add(value_of<From>(vote), vote.votes * taps_[0].weight[static_cast<std::size_t>(x)]);
        }
    }
    return true;
}

template <typename From>
void LabelVote::fill_columns(std::int64_t n, std::int64_t stride, Scratch& scratch) const {
    std::fill(scratch.column_sizes.begin(), scratch.column_sizes.end(), 0);
    for (const Scratch::Row& row : scratch.rows) {
        const From* values = static_cast<const From*>(row.values);
        for (std::int64_t x = 0; x < n; ++x) {
            const From value = values[x * stride];
            Scratch::Vote* column = &scratch.columns[static_cast<std::size_t>(x * kColumn)];
            int& size = scratch.column_sizes[static_cast<std::size_t>(x)];
            int at = 0;
            while (at < size && at < kColumn && !same(value_of<From>(column[at]), value)) ++at;
            if (at == kColumn) {
                size = kColumn + 1;
                continue;
            }
            if (at == size) column[size++] = vote_for(value, 0);
            column[at].votes += row.votes;
        }
    }
}

/// Where all rows of the scratch hold the same one value.
template <typename From>
void LabelVote::find_stretches(std::int64_t n, std::int64_t stride, Scratch& scratch) const {
    std::uint8_t* __restrict mixed = scratch.mixed.data();
    const From* __restrict first = static_cast<const From*>(scratch.rows[0].values);
    std::fill(mixed, mixed + n, std::uint8_t{0});
    for (std::size_t r = 1; r < scratch.rows.size(); ++r) {
        const From* __restrict row = static_cast<const From*>(scratch.rows[r].values);
        if (stride == 1) {
            for (std::int64_t x = 0; x < n; ++x)
                mixed[x] = static_cast<std::uint8_t>(mixed[x] | !same(row[x], first[x]));
        } else {
            for (std::int64_t x = 0; x < n; ++x)
                mixed[x] = static_cast<std::uint8_t>(mixed[x] | !same(row[x * stride], first[x * stride]));
        }
    }
    std::uint8_t* __restrict ends = scratch.ends.data();
    for (std::int64_t x = 0; x + 1 < n; ++x) {
        ends[x] =
            static_cast<std::uint8_t>(mixed[x] | mixed[x + 1] | !same(first[x * stride], first[(x + 1) * stride]));
    }
    ends[n - 1] = 1;
    scratch.stretches.clear();
    for (std::int64_t x = 0; x < n;) {
        const void* end = std::memchr(ends + x, 1, static_cast<std::size_t>(n - x));
        const std::int64_t last = static_cast<const std::uint8_t*>(end) - ends;
        if (mixed[x] == 0) scratch.stretches.push_back({x, last});
        x = last + 1;
    }
}

template <typename From, typename To>
void LabelVote::gather_row(const ConstVolumeView& input, const VolumeView& output, std::int64_t j, std::int64_t k,
                           Scratch& scratch) const {
    const AffineGather& g = *gather_;
    const math::GatherFrame frame = frame_of(g);
    math::PointKernel kernel[3];
    for (int d = 0; d < 3; ++d) kernel[d] = point_kernel(g.kernel[d], g.shape, g.stretch[d]);
    auto& index = scratch.index;
    auto& weight = scratch.weight;
    Count<From> count(scratch.rest);
    for (std::int64_t i = plan_.covered.lo[0]; i < plan_.covered.hi[0]; ++i) {
        double c[3];
        if (!math::locate(frame, i, j, k, c)) continue;
        for (int d = 0; d < 3; ++d) {
            const math::VoteTaps taps = math::vote_taps(kernel[d], g.stretch[d], c[d]);
            index[d].clear();
            weight[d].clear();
            for (int t = 0; t < taps.count; ++t) {
                const std::int64_t at = extended_index(g.boundary, taps.first + t, g.inside[d]);
                index[d].push_back(at < 0 ? at : at - g.origin[d]);
                weight[d].push_back(math::vote_units(math::vote_weight(kernel[d], g.stretch[d], taps, t)));
            }
        }
        for (std::size_t z = 0; z < index[2].size(); ++z) {
            for (std::size_t y = 0; y < index[1].size(); ++y) {
                for (std::size_t x = 0; x < index[0].size(); ++x) {
                    if (index[0][x] < 0 || index[1][y] < 0 || index[2][z] < 0) continue;
                    count.add(*reinterpret_cast<const From*>(address(input, index[0][x], index[1][y], index[2][z])),
                              weight[0][x] * weight[1][y] * weight[2][z]);
                }
            }
        }
        *reinterpret_cast<To*>(address(output, i, j, k)) = math::convert<To>(math::label_of_value(count.winner()));
    }
}

void LabelVote::run(const ConstVolumeView& original, const VolumeView& output, ThreadPool& pool,
                    const std::function<void(double)>& progress) {
    const ConstVolumeView input = permuted(original, plan_.input_axis);
    const Box3& box = plan_.covered;
    const auto slice = [&](std::int64_t k, int thread) {
        Scratch& scratch = scratch_[static_cast<std::size_t>(thread)];
        dispatch(input.dtype, [&](auto from) {
            dispatch(output.dtype, [&](auto to) {
                using From = decltype(from);
                using To = decltype(to);
                for (std::int64_t j = 0; j < output.extent[1]; ++j) {
                    fill_row(address(output, 0, j, k), output.dtype, output.stride[0], output.extent[0],
                             plan_.options.fill);
                    if (k < box.lo[2] || k >= box.hi[2] || j < box.lo[1] || j >= box.hi[1]) continue;
                    if (gather_) {
                        gather_row<From, To>(input, output, j, k, scratch);
                    } else {
                        separable_row<From, To>(input, output, j, k, scratch);
                    }
                }
            });
        });
    };
    pool.for_each(output.extent[2], slice, progress);
}

std::int64_t LabelVote::workspace_bytes() const noexcept {
    std::size_t numbers = 0;
    for (const Taps& taps : taps_) numbers += taps.begin.size() + taps.index.size() + taps.weight.size();
    for (const Scratch& s : scratch_) numbers += 2 * (s.rest.capacity() + s.rows.capacity() + s.columns.size());
    return static_cast<std::int64_t>(numbers * sizeof(std::int64_t));
}

}  // namespace revoxel
