// Kernels as functions of the distance in voxels, in double, for tap tables.
#pragma once

#include <vector>

#include "math/kernels.hpp"
#include "revoxel/plan.hpp"

namespace revoxel {

/// A symmetric kernel that has one formula at every width: all but nearest, area and gaussian. For B-splines it is the
/// cardinal spline: the B-spline with its prefilter folded in, cut where the prefilter's coefficients fall below the
/// compute type's precision.
class KernelFunction {
public:
    KernelFunction(Kernel kernel, const KernelShape& shape, ComputeType compute);
    /// Zero at |x| >= radius().
    double operator()(double x) const;
    double radius() const noexcept { return radius_; }

private:
    Kernel kernel_;
    math::Window window_ = math::Window::lanczos;
    int degree_ = 0;                    ///< of the B-spline; 0 for other kernels
    std::vector<double> coefficients_;  ///< of the cardinal spline, for j = 0..K; symmetric
    double radius_ = 0.0;
};

/// 0 for kernels that are no B-splines.
int bspline_degree(Kernel kernel) noexcept;
bool is_windowed_sinc(Kernel kernel) noexcept;  ///< lanczos2..4 among them

/// The kernel as a gather evaluates it. gaussian: widened by `stretch`.
math::PointKernel point_kernel(Kernel kernel, const KernelShape& shape, double stretch = 1.0);

/// The most taps that a point has along an axis.
int most_taps(const math::PointKernel& kernel) noexcept;

/// The coefficients c_0..c_K of the cardinal B-spline of `degree` 2..5, sum over all j = 1. |c_j| beyond K is below
/// 2^-26 of c_0 (f32) or 2^-54 (f64). c = sum over poles p of a_p z_p^|j|, the inverse of the sampled B-spline (Unser
/// 1999, box 2).
std::vector<double> cardinal_coefficients(int degree, ComputeType compute);

}  // namespace revoxel
