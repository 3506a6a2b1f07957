// How a fill in scaled units becomes a stored value.
#pragma once

#include "revoxel/dtype.hpp"

namespace revoxel::pipeline {

/// How a request's fill becomes a stored value.
struct StoredFill {
    double stored = 0.0;  ///< in the output's stored units, before saturation
    double actual = 0.0;  ///< what the file will say, scaled
};

/// The fill of `scaled` units in a file of `dtype` whose stored values v stand for slope * v + intercept.
StoredFill stored_fill(double scaled, DType dtype, double slope, double intercept);

}  // namespace revoxel::pipeline
