#include "pipeline/field_of_view.hpp"

#include <algorithm>
#include <cmath>

#include "math/kernels.hpp"

namespace revoxel::pipeline {
namespace {

bool corners_inside(const Extent& extent, const Affine& to_other, const Extent& other) {
    for (int corner = 0; corner < 8; ++corner) {
        Vec3 p;
        for (int d = 0; d < 3; ++d) p[d] = (corner >> d & 1) ? static_cast<double>(extent[d] - 1) : 0.0;
        const Vec3 q = to_other * p;
        for (int d = 0; d < 3; ++d) {
            if (!math::inside_axis(q[d], other[d])) return false;
        }
    }
    return true;
}

}  // namespace

CommonField::CommonField(const Grid& grid) : extent_(grid.extent), other_extent_(grid.extent), whole_(true) {}

CommonField::CommonField(const Grid& grid, const Grid& other)
    : extent_(grid.extent),
      to_other_(out_to_in(other, grid)),
      other_extent_(other.extent),
      whole_(corners_inside(extent_, to_other_, other_extent_)) {}

Range CommonField::row(std::int64_t j, std::int64_t k) const {
    if (whole_) return {0, extent_[0]};
    // Each axis of the other grid is one pair of linear inequalities, low <= i step < high: math::inside_axis for
    // reals.
    const Vec3 origin = to_other_ * Vec3{0.0, static_cast<double>(j), static_cast<double>(k)};
    double lo = 0.0, hi = static_cast<double>(extent_[0]);
    for (int r = 0; r < 3; ++r) {
        const double step = to_other_(r, 0);
        const double low = -0.5 - math::kTieTolerance - origin[r], high = low + static_cast<double>(other_extent_[r]);
        if (std::fabs(step) < 1e-12) {
            if (low > 0.0 || high <= 0.0) return {};
        } else if (step > 0.0) {
            lo = std::max(lo, std::ceil(low / step));
            hi = std::min(hi, std::ceil(high / step));
        } else {
            lo = std::max(lo, std::floor(high / step) + 1.0);
            hi = std::min(hi, std::floor(low / step) + 1.0);
        }
    }
    if (!(lo < hi)) return {};
    return {static_cast<std::int64_t>(lo), static_cast<std::int64_t>(hi)};
}

std::int64_t CommonField::count() const {
    if (whole_) return extent_[0] * extent_[1] * extent_[2];
    std::int64_t total = 0;
    for (std::int64_t k = 0; k < extent_[2]; ++k) {
        for (std::int64_t j = 0; j < extent_[1]; ++j) total += row(j, k).count();
    }
    return total;
}

}  // namespace revoxel::pipeline
