#include "pipeline/stored_fill.hpp"

#include "math/values.hpp"

namespace revoxel::pipeline {

StoredFill stored_fill(double scaled, DType dtype, double slope, double intercept) {
    StoredFill fill;
    fill.stored = (scaled - intercept) / slope;
    const double kept = dispatch(
        dtype, [&](auto zero) { return static_cast<double>(math::saturate_round<decltype(zero)>(fill.stored)); });
    fill.actual = slope * kept + intercept;
    return fill;
}

}  // namespace revoxel::pipeline
