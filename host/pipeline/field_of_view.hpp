// Which voxels of one grid lie inside another.
#pragma once

#include <cstdint>
#include <vector>

#include "revoxel/grid.hpp"

namespace revoxel::pipeline {

/// Half-open range of indices.
struct Range {
    std::int64_t lo = 0, hi = 0;

    bool empty() const { return hi <= lo; }
    std::int64_t count() const { return empty() ? 0 : hi - lo; }
};

/// The voxels of `grid` whose centres lie in the field of view of another grid, which is [-1/2, n - 1/2) on each of its
/// axes. A field of view is convex, so along i they are one range per (j, k). Centres on the border count as the
/// executors count them; rounding may differ from theirs: not meant for choosing which voxels are computed.
class CommonField {
public:
    /// Everything: the other grid is the grid itself.
    explicit CommonField(const Grid& grid);
    CommonField(const Grid& grid, const Grid& other);

    const Extent& extent() const noexcept { return extent_; }
    Range row(std::int64_t j, std::int64_t k) const;
    std::int64_t count() const;
    bool whole() const noexcept { return whole_; }

private:
    Extent extent_;
    Affine to_other_;
    Extent other_extent_;
    bool whole_;
};

}  // namespace revoxel::pipeline
