// Where a user may be about to go wrong: findings that become warnings.
#pragma once

#include <string>
#include <vector>

#include "revoxel/resample.hpp"

namespace revoxel::pipeline {

/// Warnings about the geometry and the header, known before a voxel is read.
std::vector<std::string> plan_warnings(const ResampleJob& job);

/// Warnings about the values, known when they have been read. `input_range` is of stored values.
std::vector<std::string> value_warnings(const ResampleJob& job, const Volume& input, const ValueRange& input_range);

}  // namespace revoxel::pipeline
