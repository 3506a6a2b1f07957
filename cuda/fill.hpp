// One value for a box.
#pragma once

#include "device_view.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

/// Queues that every voxel of `box` becomes `value`, a stored value, saturated into the dtype.
void fill(const Field& field, const Box& box, double value, const Stream& stream);

/// The same for every voxel that is not in `box`.
void fill_outside(const Field& field, const Box& box, double value, const Stream& stream);

}  // namespace revoxel::cuda
