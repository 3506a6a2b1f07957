// The oracle: what resampling means, evaluated in double, one world point at a time.
//
// It shares no code with the plan or the executors, so that a wrong plan cannot make its own judge wrong: it composes
// no affine, folds no filter into a tap table and knows no B-spline pole. From the project it takes the types of the
// public headers only. Slow on purpose: volumes of a few thousand voxels.
//
// The definition. For output voxel o: world = A_out o, and c solves A_in c = world. If -0.5 <= c + kTie < n - 0.5 on
// every axis the value is a tensor product of one-dimensional kernels around c on the edge-extended signal f(clamp(j));
// else it is `fill`. Antialias, on an input axis with k > 1 input voxels per output voxel:
//   - separable grids (the index-space affine is a signed permutation with scale and offset; k is the scale): the
//   kernel
//     becomes h((j - c)/k), normalised by its sum;
//   - oblique grids (k is the norm of the axis' row of that affine): the samples are first replaced by sum_j h((j -
//   i)/k) f(clamp(j)) / sum_j h((j - i)/k) at each input
//     index i, axis by axis, and then interpolated with the kernel as it is.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "revoxel/dtype.hpp"
#include "revoxel/grid.hpp"
#include "revoxel/plan.hpp"

namespace revoxel::oracle {

/// Positions within this many voxels below a tie or a border count as being on it: 0.1 mm is not a binary fraction.
inline constexpr double kTie = 1e-6;

/// The reconstruction kernel at distance x, in input voxels. For bspline2..5 the cardinal (interpolating) spline.
double kernel_value(Kernel kernel, double x);

/// The centred B-spline of `order` by the recursion of Cox and de Boor.
double basis_spline(int order, double x);

/// Where a point of the world lies in the index space of `grid`.
Vec3 index_of_world(const Grid& grid, const Vec3& world);
Vec3 world_of_index(const Grid& grid, const Vec3& index);

/// How the error of a float evaluation grows: see Oracle::error_bound.
struct Precision {
    double unit;     ///< relative rounding error of one operation: 2^-24 or 2^-53
    double quantum;  ///< weights are multiples of this: 2^-23 or 2^-52
};
inline constexpr Precision kFloat{0x1p-24, 0x1p-23};
inline constexpr Precision kDouble{0x1p-53, 0x1p-52};

class Oracle {
public:
    /// `samples` are the input voxels, i fastest. `stretch`: antialias on the axes that are down-sampled.
    Oracle(const Grid& input, const Grid& output, Kernel kernel, bool stretch, std::vector<double> samples);

    /// Whether output voxel `o` lies inside the input.
    bool inside(const Extent& o) const;
    /// The interpolated value; only for voxels that are inside. NaN and infinities follow the arithmetic, with every
    /// tap of weight zero left out.
    double value(const Extent& o) const;
    /// The continuous input index of output voxel `o`.
    Vec3 position(const Extent& o) const;

    bool separable() const { return separable_; }
    /// Input voxels per output voxel on each input axis, 1 where nothing is stretched.
    const Vec3& stretch() const { return stretch_; }

    /// An upper bound on |executor - oracle| before the result is stored, for finite samples; derived in oracle.cpp.
    double error_bound(const Precision& precision) const;

private:
    /// Weights of one axis on the input samples [first, first + weight.size()), after clamping.
    struct Row {
        std::int64_t first = 0;
        std::vector<double> weight;
    };
    const Row& interpolation_row(int axis, double c) const;
    Row make_row(int axis, double c, double k) const;
    double position_error() const;
    Vec3 exact_position(const Extent& o) const;
    void low_pass();
    void low_pass_axis(int axis);

    Grid input_, output_;
    Kernel kernel_;
    Vec3 stretch_{1, 1, 1};
    bool separable_ = true;
    double max_abs_ = 0.0;
    std::vector<double> samples_;
    /// Per axis, for B-splines: coefficient j (from -kPad) as a combination of the n samples; row-major [n + 2
    /// kPad][n].
    std::array<std::vector<double>, 3> coefficients_;
    mutable std::array<std::map<double, Row>, 3> rows_;  ///< rows already made, by position
};

/// What a stored voxel must hold for the exact value v: integers to nearest even, saturated, NaN to 0; float32 rounded.
double stored_value(DType dtype, double v);

}  // namespace revoxel::oracle
