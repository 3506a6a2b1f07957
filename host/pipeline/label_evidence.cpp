#include "pipeline/label_evidence.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

namespace revoxel::pipeline {
namespace {

constexpr std::int64_t kSampleVoxels = 2'000'000;

/// Counts of values, for data in which neighbours are often equal.
class ValueCounts {
public:
    /// False when there are more than kMostLabels different values.
    bool add(double value) {
        if (last_ != nullptr && value == last_value_) {
            ++*last_;
            return true;
        }
        last_ = &counts_[value];
        last_value_ = value;
        ++*last_;
        return counts_.size() <= kMostLabels;
    }
    int distinct() const { return static_cast<int>(counts_.size()); }
    double most_frequent() const {
        const auto best = std::max_element(counts_.begin(), counts_.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
        return best == counts_.end() ? 0.0 : best->first;
    }

private:
    std::unordered_map<double, std::int64_t> counts_;
    std::int64_t* last_ = nullptr;
    double last_value_ = 0.0;
};

struct EqualPairs {
    std::int64_t pairs = 0, equal = 0;
};

template <typename T>
void count_pairs(const T* a, const T* b, std::int64_t n, std::int64_t step, T background, EqualPairs& found) {
    for (std::int64_t i = 0; i < n; i += step) {
        if (a[i] == background && b[i] == background) continue;
        ++found.pairs;
        found.equal += a[i] == b[i];
    }
}

/// Evidence from every `skip`-th slice from `first` on, of the first component of the first volume.
template <typename T>
LabelEvidence evidence_of(const T* voxels, const Extent& n, int components, std::int64_t first, std::int64_t skip) {
    LabelEvidence evidence;
    ValueCounts counts;
    const std::int64_t row = n[0] * components, slice = row * n[1];
    for (std::int64_t k = first; k < n[2]; k += skip) {
        for (std::int64_t v = 0; v < slice; v += components) {
            const double value = static_cast<double>(voxels[k * slice + v]);
            if (value != std::rint(value) || !std::isfinite(value)) return evidence;
            if (!counts.add(value)) return {true, counts.distinct(), 0.0, 0.0};
        }
    }
    evidence.whole_numbers = true;
    evidence.distinct = counts.distinct();
    const T background = static_cast<T>(counts.most_frequent());
    std::array<EqualPairs, 3> found;
    for (std::int64_t k = first; k < n[2]; k += skip) {
        const T* here = voxels + k * slice;
        for (std::int64_t j = 0; j < n[1]; ++j) {
            count_pairs(here + j * row, here + j * row + components, row - components, components, background,
                        found[0]);
        }
        count_pairs(here, here + row, slice - row, components, background, found[1]);
        if (k + 1 < n[2]) count_pairs(here, here + slice, slice, components, background, found[2]);
    }
    int axes = 0;
    evidence.equal_least = 1.0;
    for (const EqualPairs& axis : found) {
        if (axis.pairs == 0) continue;
        const double share = static_cast<double>(axis.equal) / static_cast<double>(axis.pairs);
        evidence.equal_mean += share;
        evidence.equal_least = std::min(evidence.equal_least, share);
        ++axes;
    }
    if (axes > 0) evidence.equal_mean /= axes;
    return evidence;
}

std::int64_t sample_skip(const Extent& n) {
    const std::int64_t slices = std::max<std::int64_t>(1, kSampleVoxels / (n[0] * n[1]));
    return std::max<std::int64_t>(1, n[2] / slices);
}

}  // namespace

LabelSample::LabelSample(const io::NiftiHeader& header)
    : header_(header), n_(header.grid.extent), skip_(sample_skip(n_)) {}

void LabelSample::add(const std::byte* slice, std::int64_t k) {
    const std::int64_t past = k - skip_ / 2;
    if (past < 0 || past % skip_ > 1) return;
    const std::int64_t bytes = n_[0] * n_[1] * header_.components * static_cast<std::int64_t>(size_of(header_.dtype));
    bytes_.insert(bytes_.end(), slice, slice + bytes);
    ++slices_;
}

LabelEvidence LabelSample::evidence() const {
    if (slices_ == 0 || header_.slope() != std::rint(header_.slope()) ||
        header_.intercept() != std::rint(header_.intercept())) {
        return {};
    }
    return dispatch(header_.dtype, [&](auto zero) {
        using T = decltype(zero);
        // Slices and their neighbours, one after the other.
        return evidence_of(reinterpret_cast<const T*>(bytes_.data()), {n_[0], n_[1], slices_}, header_.components, 0,
                           std::min<std::int64_t>(skip_, 2));
    });
}

LabelEvidence label_evidence(const Volume& volume, double slope, double intercept) {
    // Whole stored numbers stand for whole numbers when both of these are whole.
    if (slope != std::rint(slope) || intercept != std::rint(intercept)) return {};
    const Extent n = volume.grid().extent;
    const std::int64_t skip = sample_skip(n);
    return dispatch(volume.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const std::int64_t frame = n[0] * n[1] * n[2] * volume.components();
        LabelEvidence sample;
        for (std::int64_t f = 0; f < volume.frames(); ++f) {
            const T* voxels = reinterpret_cast<const T*>(volume.data()) + f * frame;
            sample = evidence_of(voxels, n, volume.components(), skip / 2, skip);
            // A sample of one value says nothing: small structures may lie between its slices.
            if (sample.whole_numbers && sample.distinct < 2 && skip > 1) {
                sample = evidence_of(voxels, n, volume.components(), 0, 1);
            }
            if (!sample.whole_numbers || sample.distinct >= 2) break;
        }
        return sample;
    });
}

bool looks_like_labels(const LabelEvidence& evidence) {
    if (!evidence.whole_numbers || evidence.distinct < 2) return false;
    if (evidence.distinct <= 8) return true;
    return evidence.distinct <= kMostLabels && evidence.equal_mean > 0.5 && evidence.equal_least > 0.2;
}

}  // namespace revoxel::pipeline
