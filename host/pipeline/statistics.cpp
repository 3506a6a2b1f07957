#include "pipeline/statistics.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "revoxel/error.hpp"

namespace revoxel::pipeline {
namespace {

/// Calls f(double) for each scaled value in the field, finite or not.
template <typename F>
void visit_scaled(const ScaledVolume& values, const CommonField& field, F&& f) {
    const double slope = values.slope, intercept = values.intercept;
    visit_rows(*values.volume, field, [&](const auto* stored, std::int64_t count) {
        for (std::int64_t v = 0; v < count; ++v) f(slope * static_cast<double>(stored[v]) + intercept);
    });
}

/// Unsigned integers in the order of the floats they stand for: negative floats are stored by magnitude.
std::uint32_t ordered_key(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    return bits & 0x80000000U ? ~bits : bits | 0x80000000U;
}

float value_of_key(std::uint32_t key) {
    return std::bit_cast<float>(key & 0x80000000U ? key & 0x7fffffffU : ~key);
}

constexpr std::size_t kHalf = 1 << 16;

/// Selection by rank: counts by the upper half of the key, then by the lower half where a wanted rank lies.
class RankSelector {
public:
    RankSelector() : upper_(kHalf, 0) {}

    void count_upper(double value) { ++upper_[ordered_key(static_cast<float>(value)) >> 16]; }

    /// After all count_upper(): the ranks (ascending) that are wanted.
    void choose(const std::vector<std::int64_t>& ranks) {
        std::int64_t below = 0;
        std::uint32_t bucket = 0;
        for (std::int64_t rank : ranks) {
            while (bucket < kHalf - 1 && below + upper_[bucket] <= rank) below += upper_[bucket++];
            wanted_.push_back({bucket, rank - below});
            lower_.try_emplace(bucket, kHalf, 0);
        }
        for (auto& [key, counts] : lower_) upper_[key] = -1;  // marks the buckets that count_lower looks into
    }

    void count_lower(double value) {
        const std::uint32_t key = ordered_key(static_cast<float>(value));
        if (upper_[key >> 16] < 0) ++lower_.at(key >> 16)[key & 0xffffU];
    }

    std::vector<double> values() const {
        std::vector<double> found;
        for (const auto& [bucket, rank] : wanted_) {
            const std::vector<std::int64_t>& counts = lower_.at(bucket);
            std::int64_t below = 0;
            std::uint32_t low = 0;
            while (low < kHalf - 1 && below + counts[low] <= rank) below += counts[low++];
            found.push_back(static_cast<double>(value_of_key(bucket << 16 | low)));
        }
        return found;
    }

private:
    struct Wanted {
        std::uint32_t bucket;
        std::int64_t rank;
    };
    std::vector<std::int64_t> upper_;
    std::map<std::uint32_t, std::vector<std::int64_t>> lower_;
    std::vector<Wanted> wanted_;
};

std::vector<std::int64_t> ranks_of(const std::vector<double>& wanted, std::int64_t count) {
    std::vector<std::int64_t> ranks;
    for (double percent : wanted) {
        ranks.push_back(static_cast<std::int64_t>(percent / 100.0 * static_cast<double>(count - 1) + 0.5));
    }
    return ranks;
}

void fill_with_nan(Statistics& s) {
    s.min = s.max = s.mean = s.sd = std::numeric_limits<double>::quiet_NaN();
    s.percentiles.fill(s.min);
}

}  // namespace

Statistics statistics(const ScaledVolume& values, const CommonField& field) {
    Statistics s;
    double sum = 0.0;
    s.min = std::numeric_limits<double>::infinity();
    s.max = -s.min;
    visit_scaled(values, field, [&](double x) {
        if (!std::isfinite(x)) {
            ++(std::isnan(x) ? s.nan : s.infinite);
            return;
        }
        ++s.count;
        sum += x;
        s.min = std::min(s.min, x);
        s.max = std::max(s.max, x);
    });
    if (s.count == 0) {
        fill_with_nan(s);
        return s;
    }
    s.mean = std::clamp(sum / static_cast<double>(s.count), s.min, s.max);

    RankSelector selector;
    double squares = 0.0;
    visit_scaled(values, field, [&](double x) {
        if (!std::isfinite(x)) return;
        squares += (x - s.mean) * (x - s.mean);
        selector.count_upper(x);
    });
    s.sd = std::sqrt(squares / static_cast<double>(s.count));

    selector.choose(ranks_of({kPercentiles.begin(), kPercentiles.end()}, s.count));
    visit_scaled(values, field, [&](double x) {
        if (std::isfinite(x)) selector.count_lower(x);
    });
    const std::vector<double> found = selector.values();
    std::copy(found.begin(), found.end(), s.percentiles.begin());
    return s;
}

std::vector<double> percentiles(const ScaledVolume& values, const CommonField& field,
                                const std::vector<double>& wanted) {
    RankSelector selector;
    std::int64_t count = 0;
    visit_scaled(values, field, [&](double x) {
        if (!std::isfinite(x)) return;
        ++count;
        selector.count_upper(x);
    });
    if (count == 0) return std::vector<double>(wanted.size(), std::numeric_limits<double>::quiet_NaN());
    selector.choose(ranks_of(wanted, count));
    visit_scaled(values, field, [&](double x) {
        if (std::isfinite(x)) selector.count_lower(x);
    });
    return selector.values();
}

std::int64_t Histogram::total() const {
    return std::accumulate(bins.begin(), bins.end(), std::int64_t{0});
}

Histogram histogram(const ScaledVolume& values, const CommonField& field, double lo, double hi, int bins) {
    Histogram h{lo, hi, std::vector<std::int64_t>(static_cast<std::size_t>(bins), 0)};
    const double per_unit = hi > lo ? bins / (hi - lo) : 0.0;
    visit_scaled(values, field, [&](double x) {
        if (!std::isfinite(x)) return;
        const double bin = std::clamp((x - lo) * per_unit, 0.0, static_cast<double>(bins - 1));
        ++h.bins[static_cast<std::size_t>(bin)];
    });
    return h;
}

double histogram_distance(const Histogram& a, const Histogram& b) {
    if (a.bins.size() != b.bins.size() || a.lo != b.lo || a.hi != b.hi) {
        throw Error(ErrorCode::usage, "histograms on different bins cannot be compared");
    }
    const double na = static_cast<double>(a.total()), nb = static_cast<double>(b.total());
    if (na == 0.0 || nb == 0.0) return 0.0;
    double sum_a = 0.0, sum_b = 0.0, distance = 0.0;
    for (std::size_t bin = 0; bin < a.bins.size(); ++bin) {
        sum_a += static_cast<double>(a.bins[bin]);
        sum_b += static_cast<double>(b.bins[bin]);
        distance += std::fabs(sum_a / na - sum_b / nb);
    }
    return distance / static_cast<double>(a.bins.size());
}

}  // namespace revoxel::pipeline
