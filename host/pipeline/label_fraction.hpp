// One label of a label map as a field of its own, whose resampling is the share of the label in each voxel.
#pragma once

#include <cstdint>

#include "pipeline/rows.hpp"
#include "revoxel/volume.hpp"

namespace revoxel::pipeline {

/// 1 where a voxel holds the label, else 0, as uint8; all frames. The label is in scaled units: voxels whose stored
/// value is the nearest of its type to (label - intercept) / slope hold it, and where the type is an integer and that
/// is not whole to 1e-6, none does. Throws Error(usage) for a label that is not finite, and when a voxel has several
/// components. The result does not depend on `threads` (0: one per core).
Volume indicator(const ScaledVolume& labels, double label, int threads = 0);

/// A label in scaled units, of stored values v that stand for slope * v + intercept.
struct ScaledLabel {
    double value, slope, intercept;
};

/// indicator() for `count` stored values.
void indicate(const ScaledLabel& label, DType dtype, const void* first, std::int64_t count, std::uint8_t* out);

}  // namespace revoxel::pipeline
