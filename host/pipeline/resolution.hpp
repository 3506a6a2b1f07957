// From a requested resolution in mm to what the plan is told in voxels, and what comes out of it.
#pragma once

#include <string>
#include <vector>

#include "revoxel/nifti.hpp"
#include "revoxel/resample.hpp"

namespace revoxel::pipeline {

/// What the plan needs to know.
struct ResolutionPlan {
    Vec3 blur{0, 0, 0};      ///< PlanOptions::blur
    Vec3 aperture{1, 1, 1};  ///< PlanOptions::aperture
    std::optional<int> slice_axis;
    bool slice_axis_assumed = false;  ///< the header says nothing, and other axes are as coarse
};

/// Throws Error(usage) for widths that are not above 0, a target without a source, or one that is sharper than it.
ResolutionPlan plan_resolution(const ResolutionRequest& request, const io::NiftiHeader& input);

/// The resolution before and after, by the filters that the plan has.
EffectiveResolution effective_resolution(const ResolutionRequest& request, const ResolutionPlan& asked,
                                         const Plan& plan);

/// Gaps and overlaps of slices, targets that the output grid cannot hold.
std::vector<std::string> resolution_warnings(const ResolutionRequest& request, const ResolutionPlan& asked,
                                             const Plan& plan);

}  // namespace revoxel::pipeline
