// The CPU executor: threads over bands of rows, each marching through the slices.
#pragma once

#include <memory>

#include "revoxel/executor.hpp"

namespace revoxel {

std::unique_ptr<Executor> make_cpu_executor(const Plan& plan, const ExecutorOptions& options);

}  // namespace revoxel
