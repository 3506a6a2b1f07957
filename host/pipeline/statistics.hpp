// What the values of a volume are like, and how two volumes differ in that.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "pipeline/rows.hpp"

namespace revoxel::pipeline {

inline constexpr std::array<double, 7> kPercentiles{1, 5, 25, 50, 75, 95, 99};

/// Of scaled values, over all frames and components. Moments and percentiles are of the finite values; all are NaN when
/// there is none.
struct Statistics {
    std::int64_t count = 0;  ///< finite values
    std::int64_t nan = 0, infinite = 0;
    double min = 0, max = 0, mean = 0;
    double sd = 0;  ///< of the population
    /// Nearest rank: the value at position floor(p/100 (count - 1) + 1/2) in order, to float precision (2^-24).
    std::array<double, kPercentiles.size()> percentiles{};
};

/// Three walks over the values inside `field`.
Statistics statistics(const ScaledVolume& values, const CommonField& field);

/// One value per percentile in `wanted` (0 to 100, ascending), defined as in Statistics. Two walks.
std::vector<double> percentiles(const ScaledVolume& values, const CommonField& field,
                                const std::vector<double>& wanted);

/// Counts of finite values in equal bins over [lo, hi]. Values outside go to the outermost bins.
struct Histogram {
    double lo = 0, hi = 0;
    std::vector<std::int64_t> bins;

    std::int64_t total() const;
};

inline constexpr int kHistogramBins = 1024;

Histogram histogram(const ScaledVolume& values, const CommonField& field, double lo, double hi,
                    int bins = kHistogramBins);

/// Earth mover's distance between two distributions on the same bins, as a share of their range:
/// sum over bins b of |A(b) - B(b)| / bins, with A and B the cumulative shares. It is the mean distance by which the
/// values of one must be moved to make the other, divided by hi - lo: 0 when equal, 1 when all of one is at lo and all
/// of the other at hi. Throws Error(usage) for different bins. 0 when either is empty.
double histogram_distance(const Histogram& a, const Histogram& b);

}  // namespace revoxel::pipeline
