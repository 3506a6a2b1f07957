#include "pipeline/rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "executors/thread_pool.hpp"

namespace revoxel::pipeline {
namespace {

template <typename T>
struct Extremes {
    T low = std::numeric_limits<T>::max();
    T high = std::numeric_limits<T>::lowest();
    bool any = false;
};

/// Independent running extremes let the compiler use vector registers; a single one would be a chain.
constexpr std::size_t kLanes = 32;

template <typename T>
Extremes<T> extremes_of(const T* values, std::int64_t count) {
    Extremes<T> best;
    std::array<T, kLanes> low, high;
    low.fill(best.low);
    high.fill(best.high);
    std::int64_t v = 0;
    // The comparisons are false for NaN, and against the type's largest finite values for infinities.
    for (; v + static_cast<std::int64_t>(kLanes) <= count; v += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const T x = values[v + static_cast<std::int64_t>(lane)];
            const T as_low = x >= std::numeric_limits<T>::lowest() ? x : std::numeric_limits<T>::max();
            const T as_high = x <= std::numeric_limits<T>::max() ? x : std::numeric_limits<T>::lowest();
            low[lane] = as_low < low[lane] ? as_low : low[lane];
            high[lane] = as_high > high[lane] ? as_high : high[lane];
        }
    }
    for (; v < count; ++v) {
        const T x = values[v];
        if (!(x >= std::numeric_limits<T>::lowest()) || !(x <= std::numeric_limits<T>::max())) continue;
        low[0] = std::min(low[0], x);
        high[0] = std::max(high[0], x);
    }
    best.low = *std::min_element(low.begin(), low.end());
    best.high = *std::max_element(high.begin(), high.end());
    best.any = best.low <= best.high;
    return best;
}

}  // namespace

ValueRange stored_range(DType dtype, const void* first, std::int64_t count, ThreadPool& pool) {
    return dispatch(dtype, [&](auto zero) -> ValueRange {
        using T = decltype(zero);
        const T* values = static_cast<const T*>(first);
        constexpr std::int64_t kWorthAThread = 1 << 20;
        const std::int64_t parts = std::clamp<std::int64_t>(count / kWorthAThread, 1, pool.size());
        std::vector<Extremes<T>> found(static_cast<std::size_t>(parts));
        pool.for_each(parts, [&](std::int64_t part, int) {
            const std::int64_t lo = count * part / parts, hi = count * (part + 1) / parts;
            found[static_cast<std::size_t>(part)] = extremes_of(values + lo, hi - lo);
        });
        Extremes<T> all;
        for (const Extremes<T>& part : found) {
            if (!part.any) continue;
            all.low = std::min(all.low, part.low);
            all.high = std::max(all.high, part.high);
            all.any = true;
        }
        const double nan = std::numeric_limits<double>::quiet_NaN();
        if (!all.any) return {nan, nan};
        return {static_cast<double>(all.low), static_cast<double>(all.high)};
    });
}

ValueRange stored_range(const Volume& volume, int threads) {
    ThreadPool pool(threads);
    return stored_range(volume.dtype(), volume.data(),
                        volume.size_bytes() / static_cast<std::int64_t>(size_of(volume.dtype())), pool);
}

ValueRange united(const ValueRange& a, const ValueRange& b) {
    if (std::isnan(a.min)) return b;
    if (std::isnan(b.min)) return a;
    return {std::min(a.min, b.min), std::max(a.max, b.max)};
}

void replace_nan(DType dtype, void* first, std::int64_t count, double stored) {
    dispatch(dtype, [&](auto zero) {
        using T = decltype(zero);
        if constexpr (!std::numeric_limits<T>::is_integer) {
            T* values = static_cast<T*>(first);
            std::replace_if(
                values, values + count, [](T v) { return v != v; }, static_cast<T>(stored));
        }
    });
}

ValueRange scaled_range(const ValueRange& stored, double slope, double intercept) {
    const double a = slope * stored.min + intercept, b = slope * stored.max + intercept;
    return slope < 0.0 ? ValueRange{b, a} : ValueRange{a, b};
}

ValueRange scaled_range(const ScaledVolume& values, int threads) {
    return scaled_range(stored_range(*values.volume, threads), values.slope, values.intercept);
}

}  // namespace revoxel::pipeline
