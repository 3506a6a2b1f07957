// The conventions of other programs by name. What each does and how it was found out: docs/presets.md.
#pragma once

#include "revoxel/nifti.hpp"
#include "revoxel/resample.hpp"

namespace revoxel::pipeline {

/// The request with what its preset says filled in where it says nothing itself. Throws Error(usage) for an unknown
/// name. `input`: a preset may decide by the anisotropy of the spacing.
ResampleRequest with_preset(const ResampleRequest& request, const io::NiftiHeader& input);

}  // namespace revoxel::pipeline
