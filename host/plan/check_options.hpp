// Options that contradict each other or are out of range.
#pragma once

#include "revoxel/plan.hpp"

namespace revoxel {

/// Throws Error(usage) with one line that says what to choose instead.
void check_options(const PlanOptions& options);

}  // namespace revoxel
