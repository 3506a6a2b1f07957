// Plans on a device, for those who cut them.
#pragma once

#include "revoxel/cuda.hpp"

namespace revoxel::cuda {

/// A plan that clips globally and sees a part of the input only takes the range of all of it from here instead: two
/// doubles on the device, as RangeFinder leaves them. Other plans: nothing happens.
void take_range_from(DevicePlan& plan, const double* range);

}  // namespace revoxel::cuda
