// What no resampling on this machine can be faster than.
#pragma once

#include <cstdint>

#include "revoxel/plan.hpp"

namespace revoxel::bench {

/// Seconds for reading half of `bytes` and writing the other half, past the caches, in memory of large pages where the
/// system gives them. The fastest of `repeat`.
double copy_seconds(std::int64_t bytes, int threads, int repeat);

/// Products that the sums of a plan are made of: of every pass on all its rows, and of each point of a gather.
double multiply_adds(const Plan& plan);

/// Fused multiply-adds of float in a second: registers only, the widest instructions of this CPU that the program
/// knows; 0 where it knows none. The fastest of a few tries.
double multiply_add_rate(int threads);

}  // namespace revoxel::bench
