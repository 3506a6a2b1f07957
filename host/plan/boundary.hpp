// The extended axis: which sample stands beyond a face. Usable on host and device.
#pragma once

#include <cstdint>

#include "math/portable.hpp"
#include "revoxel/plan.hpp"

namespace revoxel {

/// j modulo n, in [0, n).
REVOXEL_HD inline std::int64_t wrapped_index(std::int64_t j, std::int64_t n) {
    const std::int64_t r = j % n;
    return r < 0 ? r + n : r;
}

/// The sample of [0, n) that an axis of n samples, extended by the boundary, holds at index j; -1 where the boundary is
/// constant or renormalise and j lies outside.
REVOXEL_HD inline std::int64_t extended_index(Boundary boundary, std::int64_t j, std::int64_t n) {
    if (j >= 0 && j < n) return j;
    switch (boundary) {
        case Boundary::edge: return j < 0 ? 0 : n - 1;
        case Boundary::wrap: return wrapped_index(j, n);
        case Boundary::mirror: {
            if (n == 1) return 0;
            const std::int64_t r = wrapped_index(j, 2 * n - 2);
            return r < n ? r : 2 * n - 2 - r;
        }
        case Boundary::reflect: {
            const std::int64_t r = wrapped_index(j, 2 * n);
            return r < n ? r : 2 * n - 1 - r;
        }
        default: return -1;
    }
}

/// Whether positions far outside are brought near by clamping; else by the boundary's symmetry or period.
inline bool folds_by_clamping(Boundary boundary) {
    return boundary == Boundary::edge || boundary == Boundary::constant;
}

}  // namespace revoxel
