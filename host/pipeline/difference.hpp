// Two files, voxel by voxel: what `revoxel compare` says.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "revoxel/nifti.hpp"

namespace revoxel::pipeline {

struct Difference {
    io::NiftiHeader a, b;
    bool same_shape = false;          ///< extents, volumes and components agree, so that voxels can be compared
    double grid_distance_mm = 0;      ///< largest distance between the same corner voxel of both; with equal extents
    double grid_distance_voxels = 0;  ///< the same in voxels of the finest axis
    // Over all volumes and components, of scaled values; NaN equals NaN, an infinity equals itself. Zero unless
    // same_shape.
    std::int64_t compared = 0;
    std::int64_t different = 0;  ///< voxels whose values are not equal
    std::int64_t unmatched =
        0;  ///< of those: NaN or infinite on one side only, or infinities of either sign; left out of what follows
    double max = 0, mean = 0, rms = 0;     ///< of |a - b|
    std::array<std::int64_t, 4> max_at{};  ///< i, j, k, volume of the largest difference

    /// Grids agree to 1e-3 voxel (float32 headers), and no value differs by more than `tolerance`.
    bool within(double tolerance) const;
};

inline constexpr double kSameGridVoxels = 1e-3;

/// Reads both files. Throws Error(input) or Error(unavailable).
Difference difference_of_files(const std::string& a, const std::string& b);

}  // namespace revoxel::pipeline
