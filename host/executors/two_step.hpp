// What needs more than weighted sums: renormalisation over the taps that are finite, and clipping to the range of a
// voxel's neighbours. Any executor computes the sums; what follows is the same code for all of them.
#pragma once

#include <functional>
#include <memory>

#include "revoxel/executor.hpp"

namespace revoxel {

/// Whether the plan asks for it and it can make a difference.
bool needs_two_steps(const Plan& plan);

/// `make` makes the executor of the sums.
std::unique_ptr<Executor> make_two_step_executor(
    const Plan& plan, const ExecutorOptions& options,
    const std::function<std::unique_ptr<Executor>(const Plan&, const ExecutorOptions&)>& make);

}  // namespace revoxel
