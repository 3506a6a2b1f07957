// The reference executor: the loops a reader would write. It defines the right bits.
#pragma once

#include <memory>

#include "revoxel/executor.hpp"

namespace revoxel {

std::unique_ptr<Executor> make_reference_executor(const Plan& plan, const ExecutorOptions& options);

}  // namespace revoxel
