// From a request to what the plan is told.
#pragma once

#include "pipeline/resolution.hpp"
#include "revoxel/nifti.hpp"
#include "revoxel/resample.hpp"

namespace revoxel::pipeline {

/// Throws Error(usage) for what contradicts itself whatever the input is: told before a file is opened.
void check_request(const ResampleRequest& request);

/// Throws Error(usage) for what the input does not allow.
void check_request(const ResampleRequest& request, const io::NiftiHeader& input, DType output);

/// The stored type of the output. Throws Error(usage) where it cannot be had.
DType choose_dtype(const ResampleRequest& request, const io::NiftiHeader& input);

/// Whether stored values stay stored values, so that scl_slope and scl_inter stay true.
bool keeps_scaling(const ResampleRequest& request, const io::NiftiHeader& input, DType output);

PlanOptions plan_options(const ResampleRequest& request, const ResolutionPlan& resolution, const io::NiftiHeader& input,
                         DType output);

}  // namespace revoxel::pipeline
