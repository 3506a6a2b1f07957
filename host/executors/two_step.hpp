// What needs more than weighted sums: renormalisation over the taps that are finite, and clipping to the range of a
// voxel's neighbours. Any executor computes the sums; what follows is the same code for all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "revoxel/executor.hpp"

namespace revoxel {

/// Whether the plan asks for it and it can make a difference.
bool needs_two_steps(const Plan& plan);

/// Bytes for the sums of a part of the output; where the output is large, an eighth of what all of it would need.
inline constexpr std::int64_t kTwoStepScratchBytes = 64 << 20;

/// `make` makes the executors of the sums. The sums are computed part by part of the output, in run(); the same bits
/// whatever `scratch_bytes`. NaN-aware plans copy what a part reads of the input, gathers all of it.
std::unique_ptr<Executor> make_two_step_executor(
    const Plan& plan, const ExecutorOptions& options,
    const std::function<std::unique_ptr<Executor>(const Plan&, const ExecutorOptions&)>& make,
    std::int64_t scratch_bytes = kTwoStepScratchBytes);

/// What it holds beside the executors of the sums.
std::int64_t two_step_scratch_bytes(const Plan& plan, std::int64_t scratch_bytes = kTwoStepScratchBytes);

}  // namespace revoxel
