#include "pipeline/difference.hpp"

#include <algorithm>
#include <cmath>

#include "pipeline/rows.hpp"

namespace revoxel::pipeline {
namespace {

struct Sums {
    double absolute = 0.0, squares = 0.0;
    std::int64_t max_index = -1;  // scalar in memory order
};

template <typename A, typename B>
void add_differences(const A* a, const B* b, std::int64_t count, Difference& d, Sums& sums) {
    const double slope_a = d.a.slope(), slope_b = d.b.slope(), inter_a = d.a.intercept(), inter_b = d.b.intercept();
    const bool alike = std::is_same_v<A, B> && slope_a == slope_b && inter_a == inter_b;
    for (std::int64_t v = 0; v < count; ++v) {
        if constexpr (std::is_same_v<A, B>) {
            if (alike && a[v] == b[v]) continue;  // 64-bit integers beyond 2^53 are compared as they are
        }
        const double x = slope_a * static_cast<double>(a[v]) + inter_a;
        const double y = slope_b * static_cast<double>(b[v]) + inter_b;
        const bool both_nan = std::isnan(x) && std::isnan(y);
        const bool integers_differ = alike && std::is_integral_v<A>;
        if (both_nan || (x == y && !integers_differ)) continue;
        ++d.different;
        if (!std::isfinite(x) || !std::isfinite(y)) {
            ++d.unmatched;
            continue;
        }
        const double difference = std::max(std::fabs(x - y), x == y ? std::fabs(slope_a) : 0.0);
        sums.absolute += difference;
        sums.squares += difference * difference;
        if (difference > d.max) {
            d.max = difference;
            sums.max_index = v;
        }
    }
}

void compare_voxels(const Volume& a, const Volume& b, Difference& d) {
    const std::int64_t count = a.size_bytes() / static_cast<std::int64_t>(size_of(a.dtype()));
    Sums sums;
    dispatch(a.dtype(), [&](auto zero_a) {
        dispatch(b.dtype(), [&](auto zero_b) {
            add_differences(reinterpret_cast<const decltype(zero_a)*>(a.data()),
                            reinterpret_cast<const decltype(zero_b)*>(b.data()), count, d, sums);
        });
    });
    d.compared = count;
    const double matched = static_cast<double>(count - d.unmatched);
    if (matched > 0.0) {
        d.mean = sums.absolute / matched;
        d.rms = std::sqrt(sums.squares / matched);
    }
    if (sums.max_index < 0) return;
    const Extent n = a.grid().extent;
    std::int64_t rest = sums.max_index / a.components();
    for (int axis = 0; axis < 3; ++axis) {
        d.max_at[axis] = rest % n[axis];
        rest /= n[axis];
    }
    d.max_at[3] = rest;
}

}  // namespace

bool Difference::within(double tolerance) const {
    return same_shape && grid_distance_voxels <= kSameGridVoxels && unmatched == 0 && max <= tolerance;
}

Difference difference_of_files(const std::string& a, const std::string& b) {
    Difference d;
    const io::NiftiImage image_a = io::read_nifti(a);
    const io::NiftiImage image_b = io::read_nifti(b);
    d.a = image_a.header;
    d.b = image_b.header;
    const Extent extent = d.a.grid.extent;
    if (extent == d.b.grid.extent) {
        d.grid_distance_mm = corner_distance(extent, d.a.grid.affine, d.b.grid.affine);
        const Vec3 s = spacing(d.a.grid);
        d.grid_distance_voxels = d.grid_distance_mm / *std::min_element(s.begin(), s.end());
    }
    d.same_shape = extent == d.b.grid.extent && d.a.frames() == d.b.frames() && d.a.components == d.b.components;
    if (d.same_shape) compare_voxels(image_a.volume, image_b.volume, d);
    return d;
}

}  // namespace revoxel::pipeline
