#include "pipeline/label_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <map>
#include <new>
#include <numeric>
#include <optional>
#include <span>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "executors/thread_pool.hpp"
#include "pipeline/label_value.hpp"
#include "revoxel/error.hpp"

namespace revoxel::pipeline {
namespace {

/// Voxels [begin, end) of one row, of one label that is not the background.
struct Run {
    std::int64_t begin, end;
    std::int64_t label;  ///< index of its tally
    std::int64_t component = -1;
};

struct Slice {
    std::vector<Run> runs;
    std::vector<std::size_t> row_begin;  ///< row j has the runs [row_begin[j], row_begin[j + 1])

    /// Rows outside the slice are empty.
    std::span<Run> row(std::int64_t j) {
        if (j < 0 || j + 1 >= std::ssize(row_begin)) return {};
        const std::size_t lo = row_begin[static_cast<std::size_t>(j)], hi = row_begin[static_cast<std::size_t>(j) + 1];
        return std::span<Run>(runs).subspan(lo, hi - lo);
    }
};

struct Tally {
    std::int64_t value = 0, voxels = 0, components = 0;
    std::int64_t euler_quarters = 0;
};

/// Tallies of labels, and the components that runs belong to so far (disjoint sets).
struct Ledger {
    std::vector<Tally> labels;
    std::vector<std::int64_t> parent;

    std::int64_t root(std::int64_t component) {
        auto at = static_cast<std::size_t>(component);
        while (parent[at] != static_cast<std::int64_t>(at)) {
            parent[at] = parent[static_cast<std::size_t>(parent[at])];
            at = static_cast<std::size_t>(parent[at]);
        }
        return static_cast<std::int64_t>(at);
    }

    void unite(std::int64_t a, std::int64_t b, Tally& label) {
        a = root(a);
        b = root(b);
        if (a == b) return;
        parent[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
        --label.components;
    }

    /// Connects the runs of a row with those of the same label in a neighbouring row. Runs that meet at a corner touch.
    void connect(std::span<Run> row, std::span<const Run> near) {
        auto first = near.begin();
        for (Run& run : row) {
            while (first != near.end() && first->end < run.begin) ++first;
            for (auto other = first; other != near.end() && other->begin <= run.end; ++other) {
                if (other->label != run.label) continue;
                if (run.component < 0) {
                    run.component = root(other->component);
                } else {
                    unite(run.component, other->component, labels[static_cast<std::size_t>(run.label)]);
                }
            }
        }
    }

    /// The three rows of the slice before that touch row j.
    void connect_slices(std::span<Run> row, Slice& before, std::int64_t j) {
        for (std::int64_t near = j - 1; near <= j + 1; ++near) connect(row, before.row(near));
    }

    void connect_rows(Slice& slice, Slice& before) {
        for (std::int64_t j = 0; j + 1 < std::ssize(slice.row_begin); ++j) {
            const std::span<Run> row = slice.row(j);
            connect(row, slice.row(j - 1));
            connect_slices(row, before, j);
            for (Run& run : row) {
                if (run.component >= 0) continue;
                run.component = std::ssize(parent);
                parent.push_back(run.component);
                ++labels[static_cast<std::size_t>(run.label)].components;
            }
        }
    }

    /// Forgets the components that no run of these slices belongs to: nothing will touch them again.
    void keep(std::initializer_list<Slice*> slices) {
        std::vector<std::int64_t> renamed(parent.size(), -1);
        std::int64_t count = 0;
        for (Slice* slice : slices) {
            for (Run& run : slice->runs) {
                std::int64_t& name = renamed[static_cast<std::size_t>(root(run.component))];
                if (name < 0) name = count++;
                run.component = name;
            }
        }
        parent.resize(static_cast<std::size_t>(count));
        std::iota(parent.begin(), parent.end(), std::int64_t{0});
    }
};

// Euler number. The cubes of a label are cut along the lines of voxel corners that run in i: four rows of voxels meet
// in each line. Let T(i) be the set of those four that hold the label at i, and g(T) the part that this line has in the
// Euler number of the 2-D squares T: 1 for its corner, -1/2 for each side, 1/4 for each square. Then the line has the
// part sum over i of g(T(i - 1) with T(i)) - g(T(i)) in the Euler number: it is 0 wherever T does not change.

/// 4 g(T), by the bits of T: rows (j-1, k-1), (j, k-1), (j-1, k), (j, k).
constexpr std::array<int, 16> kQuarters{0, 1, 1, 0, 1, 0, -2, -1, 1, -2, 0, -1, 0, -1, -1, 0};

constexpr std::int64_t kNone = -1;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// A row of runs as a function of i that is constant between changes.
struct Walk {
    std::span<const Run> rest{};
    std::int64_t label = kNone, change = kNever;

    void start(std::span<const Run> row) {
        rest = row;
        label = kNone;
        change = rest.empty() ? kNever : rest.front().begin;
    }

    /// On to `change`.
    void step() {
        if (rest.front().end == change) rest = rest.subspan(1);
        const bool inside = !rest.empty() && rest.front().begin == change;
        label = inside ? rest.front().label : kNone;
        change = rest.empty() ? kNever : inside ? rest.front().end : rest.front().begin;
    }
};

using FourLabels = std::array<std::int64_t, 4>;

unsigned rows_with(const FourLabels& labels, std::int64_t label) {
    unsigned bits = 0;
    for (std::size_t r = 0; r < 4; ++r) bits |= static_cast<unsigned>(labels[r] == label) << r;
    return bits;
}

void add_change(const FourLabels& before, const FourLabels& after, std::vector<Tally>& tallies) {
    FourLabels done_before{kNone, kNone, kNone, kNone}, done_after = done_before;
    const auto add = [&](std::int64_t label) {
        if (label == kNone || rows_with(done_before, label) != 0 || rows_with(done_after, label) != 0) return;
        const unsigned here = rows_with(after, label);
        tallies[static_cast<std::size_t>(label)].euler_quarters +=
            kQuarters[rows_with(before, label) | here] - kQuarters[here];
    };
    for (std::size_t r = 0; r < 4; ++r) {
        if (before[r] == after[r]) continue;
        add(before[r]);
        done_before[r] = before[r];
        add(after[r]);
        done_after[r] = after[r];
    }
}

void add_line(const std::array<std::span<const Run>, 4>& rows, std::vector<Tally>& tallies) {
    std::array<Walk, 4> walks;
    FourLabels before{kNone, kNone, kNone, kNone};
    std::int64_t change = kNever;
    for (std::size_t r = 0; r < 4; ++r) {
        walks[r].start(rows[r]);
        change = std::min(change, walks[r].change);
    }
    while (change != kNever) {
        FourLabels after = before;
        std::int64_t next = kNever;
        for (std::size_t r = 0; r < 4; ++r) {
            if (walks[r].change == change) {
                walks[r].step();
                after[r] = walks[r].label;
            }
            next = std::min(next, walks[r].change);
        }
        add_change(before, after, tallies);
        before = after;
        change = next;
    }
}

/// The corners between two slices of `rows` rows; an empty slice lies outside the volume.
void add_corners(Slice& below, Slice& above, std::int64_t rows, std::vector<Tally>& tallies) {
    for (std::int64_t j = 0; j <= rows; ++j) {
        add_line({below.row(j - 1), below.row(j), above.row(j - 1), above.row(j)}, tallies);
    }
}

/// Unsigned of the same size. Bits are compared, so that NaNs form runs.
template <typename T>
using Bits = std::conditional_t<sizeof(T) == 1, std::uint8_t,
                                std::conditional_t<sizeof(T) == 2, std::uint16_t,
                                                   std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>>;

template <typename T>
Bits<T> bits_of(T value) {
    return std::bit_cast<Bits<T>>(value);
}

/// End of the run of equal bits that begins at i.
template <typename T>
std::int64_t run_end(const T* row, std::int64_t i, std::int64_t n) {
    constexpr std::int64_t kLanes = 8 / sizeof(T);
    constexpr std::uint64_t kOnes = ~std::uint64_t{0} / std::numeric_limits<Bits<T>>::max();
    const Bits<T> bits = bits_of(row[i++]);
    const std::uint64_t repeated = kOnes * bits;
    for (; i + kLanes <= n; i += kLanes) {
        std::uint64_t lanes;
        std::memcpy(&lanes, row + i, sizeof lanes);
        if (lanes != repeated) break;
    }
    while (i < n && bits_of(row[i]) == bits) ++i;
    return i;
}

/// Cuts slices into runs and gives each label that turns up a tally.
template <typename T>
class RunReader {
public:
    RunReader(const T* frame, const Extent& extent, std::vector<Tally>& tallies)
        : frame_(frame), extent_(extent), tallies_(tallies) {}

    /// `counted` is false for a slice that another slab counts.
    void read(std::int64_t k, bool counted, Slice& slice) {
        slice.runs.clear();
        slice.row_begin.assign(1, 0);
        const std::int64_t n = extent_[0];
        for (std::int64_t j = 0; j < extent_[1]; ++j) {
            const T* row = frame_ + (k * extent_[1] + j) * n;
            for (std::int64_t begin = 0, end = 0; begin < n; begin = end) {
                end = run_end(row, begin, n);
                if (bits_of(row[begin]) == 0) continue;
                const std::int64_t label = tally_of(row[begin]);
                if (label >= 0) {
                    slice.runs.push_back({begin, end, label});
                    if (counted) tallies_[static_cast<std::size_t>(label)].voxels += end - begin;
                } else if (counted && label == kNotALabel) {
                    not_labels_ += end - begin;
                }
            }
            slice.row_begin.push_back(slice.runs.size());
        }
    }

    std::int64_t not_labels() const { return not_labels_; }

private:
    static constexpr std::int64_t kBackground = -1, kNotALabel = -2;

    std::int64_t tally_of(T value) {
        const auto [at, unseen] = known_.try_emplace(bits_of(value), kNotALabel);
        if (!unseen) return at->second;
        if (const std::optional<std::int64_t> label = label_of(value)) {
            at->second = *label == 0 ? kBackground : std::ssize(tallies_);  // -0.0 has bits
            if (*label != 0) tallies_.push_back({*label});
        }
        return at->second;
    }

    const T* frame_;
    Extent extent_;
    std::vector<Tally>& tallies_;
    std::unordered_map<Bits<T>, std::int64_t> known_;
    std::int64_t not_labels_ = 0;
};

/// Slices [lo, hi) of a frame. The runs of the outermost two wait for the slabs beside it.
struct Slab {
    Ledger ledger;
    Slice first, last;
    std::int64_t not_labels = 0;
};

/// Has the corners below each of its slices, and those above the last slice of the frame.
template <typename T>
void scan(const T* frame, const Extent& extent, std::int64_t lo, std::int64_t hi, Slab& slab) {
    std::vector<Tally>& tallies = slab.ledger.labels;
    RunReader<T> reader(frame, extent, tallies);
    Slice below, slice, outside;
    if (lo > 0) reader.read(lo - 1, false, below);
    for (std::int64_t k = lo; k < hi; ++k) {
        reader.read(k, true, slice);
        add_corners(below, slice, extent[1], tallies);
        slab.ledger.connect_rows(slice, k == lo ? outside : below);
        if (k == lo) slab.first = slice;
        slab.ledger.keep({&slab.first, &slice});
        std::swap(below, slice);
    }
    if (hi == extent[2]) add_corners(below, outside, extent[1], tallies);
    slab.last = std::move(below);
    slab.not_labels = reader.not_labels();
}

/// All slabs of a frame, in order, put together.
class Whole {
public:
    void append(Slab slab) {
        std::vector<std::int64_t> index;
        for (const Tally& label : slab.ledger.labels) {
            const auto [at, unseen] = known_.try_emplace(label.value, std::ssize(ledger_.labels));
            if (unseen) ledger_.labels.push_back({label.value});
            index.push_back(at->second);
            Tally& sum = ledger_.labels[static_cast<std::size_t>(at->second)];
            sum.voxels += label.voxels;
            sum.components += label.components;
            sum.euler_quarters += label.euler_quarters;
        }
        const std::int64_t offset = std::ssize(ledger_.parent);
        for (std::int64_t parent : slab.ledger.parent) ledger_.parent.push_back(parent + offset);
        for (Slice* slice : {&slab.first, &slab.last}) {
            for (Run& run : slice->runs) {
                run.label = index[static_cast<std::size_t>(run.label)];
                run.component += offset;
            }
        }
        for (std::int64_t j = 0; j + 1 < std::ssize(slab.first.row_begin); ++j) {
            ledger_.connect_slices(slab.first.row(j), last_, j);
        }
        last_ = std::move(slab.last);
        ledger_.keep({&last_});
    }

    const std::vector<Tally>& labels() const { return ledger_.labels; }

private:
    Ledger ledger_;
    Slice last_;
    std::unordered_map<std::int64_t, std::int64_t> known_;
};

template <typename T>
std::vector<Slab> scan_frame(const T* frame, const Extent& extent, ThreadPool& pool) {
    constexpr std::int64_t kSlabsPerThread = 4;  // the middle of a body holds more runs than its ends
    const std::int64_t count = std::min<std::int64_t>(extent[2], kSlabsPerThread * pool.size());
    std::vector<Slab> slabs(static_cast<std::size_t>(count));
    std::atomic<bool> refused{false};
    pool.for_each(count, [&](std::int64_t s, int) {
        try {
            scan(frame, extent, extent[2] * s / count, extent[2] * (s + 1) / count, slabs[static_cast<std::size_t>(s)]);
        } catch (const std::bad_alloc&) {
            refused = true;
        }
    });
    if (refused) {
        throw Error(ErrorCode::unavailable,
                    "memory for counting labels was refused; is this a label map? Close other programs or ask for no "
                    "label report");
    }
    return slabs;
}

}  // namespace

LabelCensus measure_labels(const Volume& volume, int threads) {
    if (volume.components() != 1) {
        throw Error(ErrorCode::usage, fmt::format("labels are counted where a voxel is one number; these voxels have "
                                                  "{} components",
                                                  volume.components()));
    }
    LabelCensus census;
    std::map<std::int64_t, LabelFacts> sums;
    ThreadPool pool(threads);
    const double voxel_mm3 = std::fabs(determinant(volume.grid().affine));
    for (std::int64_t f = 0; f < volume.frames(); ++f) {
        std::vector<Slab> slabs = dispatch(volume.dtype(), [&](auto zero) {
            return scan_frame(static_cast<const decltype(zero)*>(volume.view(f).data), volume.grid().extent, pool);
        });
        Whole frame;
        for (Slab& slab : slabs) {
            census.not_labels += slab.not_labels;
            frame.append(std::move(slab));
        }
        for (const Tally& label : frame.labels()) {
            LabelFacts& sum = sums[label.value];
            sum.value = label.value;
            sum.voxels += label.voxels;
            sum.components += label.components;
            sum.euler += label.euler_quarters / 4;
        }
    }
    for (auto& [value, facts] : sums) {
        facts.volume_mm3 = static_cast<double>(facts.voxels) * voxel_mm3;
        census.labels.push_back(facts);
    }
    return census;
}

std::int64_t LabelReport::vanished() const {
    return std::count_if(labels.begin(), labels.end(), [](const LabelChange& change) { return change.vanished(); });
}

LabelReport label_report(const LabelCensus& before, const LabelCensus& after, std::optional<std::int64_t> fill) {
    LabelReport report;
    report.not_labels_before = before.not_labels;
    report.not_labels_after = after.not_labels;
    auto next = after.labels.begin();
    for (const LabelFacts& label : before.labels) {
        while (next != after.labels.end() && next->value < label.value) report.invented.push_back(*next++);
        LabelFacts none;
        none.value = label.value;
        const bool kept = next != after.labels.end() && next->value == label.value;
        report.labels.push_back({label, kept ? *next++ : none});
    }
    report.invented.insert(report.invented.end(), next, after.labels.end());
    const auto filled = std::find_if(report.invented.begin(), report.invented.end(),
                                     [&](const LabelFacts& label) { return label.value == fill; });
    if (filled != report.invented.end()) {
        report.fill = *filled;
        report.invented.erase(filled);
    }
    return report;
}

}  // namespace revoxel::pipeline
