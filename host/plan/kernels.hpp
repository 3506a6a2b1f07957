// Kernels as functions of the distance in voxels, in double, for tap tables.
#pragma once

#include <vector>

#include "revoxel/plan.hpp"

namespace revoxel {

/// A symmetric interpolating kernel. For B-splines it is the cardinal spline: the B-spline with its prefilter folded
/// in, cut where the prefilter's coefficients fall below the compute type's precision.
class KernelFunction {
public:
    KernelFunction(Kernel kernel, ComputeType compute);
    /// Zero at |x| >= radius(). Not defined for nearest.
    double operator()(double x) const;
    double radius() const noexcept { return radius_; }

private:
    Kernel kernel_;
    int degree_ = 0;                    ///< of the B-spline; 0 for other kernels
    std::vector<double> coefficients_;  ///< of the cardinal spline, for j = 0..K; symmetric
    double radius_ = 0.0;
};

/// The coefficients c_0..c_K of the cardinal B-spline of `degree` 2..5, sum over all j = 1. |c_j| beyond K is below
/// 2^-26 of c_0 (f32) or 2^-54 (f64). c = sum over poles p of a_p z_p^|j|, the inverse of the sampled B-spline (Unser
/// 1999, box 2).
std::vector<double> cardinal_coefficients(int degree, ComputeType compute);

}  // namespace revoxel
