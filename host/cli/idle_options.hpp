// Options that change nothing: told, so that nobody takes them to have worked.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.hpp"
#include "revoxel/resample.hpp"

namespace revoxel::cli {

/// A warning for each option that this file leaves without effect; with another file of a cohort it may have one.
/// Throws Error(usage) for an option that belongs to another kernel.
std::vector<std::string> idle_options(const ResampleArguments& arguments, const ResampleJob& job);

}  // namespace revoxel::cli
