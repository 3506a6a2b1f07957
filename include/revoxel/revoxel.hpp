// Everything that is public. See docs/cpp-api.md for a worked example.
#pragma once

#include "revoxel/cuda.hpp"
#include "revoxel/dtype.hpp"
#include "revoxel/error.hpp"
#include "revoxel/executor.hpp"
#include "revoxel/grid.hpp"
#include "revoxel/nifti.hpp"
#include "revoxel/plan.hpp"
#include "revoxel/resample.hpp"
#include "revoxel/version.hpp"
#include "revoxel/volume.hpp"
