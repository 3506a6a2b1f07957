// The plan: all geometry and all filter weights, computed once on the host in double, as plain data.
//
// A plan has no voxels and no device in it. Executors only consume plans, so equal plans give equal bits.
// Every function here is pure and thread-safe; a finished plan may be shared between threads.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "revoxel/dtype.hpp"
#include "revoxel/grid.hpp"

namespace revoxel {

/// The reconstruction function. Formulas: docs/conventions.md.
enum class Kernel {
    nearest,   ///< floor(c + 1/2)
    linear,    ///< 1 - |x|
    cubic,     ///< Keys, a = -1/2 (Catmull-Rom)
    lanczos3,  ///< sinc(x) sinc(x/3), weights normalised
    bspline2,  ///< interpolating B-spline of order 2 ("quadratic")
    bspline3,
    bspline4,
    bspline5,
};

/// The low-pass that belongs to a step above 1.
enum class Antialias {
    automatic,  ///< stretch on the axes that are down-sampled; none for nearest
    none,
    stretch,  ///< the kernel, widened by the step; keeps constants and ramps (docs/conventions.md)
};

/// The type in which weights are applied: f64 when input or output is float64 or an integer of 32 bits or more.
enum class ComputeType { f32, f64 };

const char* name_of(Kernel kernel) noexcept;
const char* name_of(Antialias antialias) noexcept;
const char* name_of(ComputeType type) noexcept;
Kernel kernel_from_name(const std::string& name);  ///< also "quadratic"; Error(usage) lists the names
Antialias antialias_from_name(const std::string& name);

/// Half-open index region [lo, hi).
struct Box3 {
    Extent lo{0, 0, 0};
    Extent hi{0, 0, 0};

    bool empty() const { return hi[0] <= lo[0] || hi[1] <= lo[1] || hi[2] <= lo[2]; }
    std::int64_t count() const { return empty() ? 0 : (hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]); }
    bool operator==(const Box3& other) const { return lo == other.lo && hi == other.hi; }
};

/// The weights of one axis. Output o is the sum over t < count[o], in this order, of
/// weight[o * stride + t] * input[first[o] + t]; every index read is inside [0, n_in).
/// Weights are exact in the compute type, and a row's sum is exactly 1 there in any order of addition
/// (docs/conventions.md). Rows outside the covered box have count 0 and are filled.
struct TapTable {
    std::int64_t n_in = 0;
    std::int64_t n_out = 0;
    std::int64_t stride = 0;  ///< the largest count
    std::vector<std::int64_t> first;
    std::vector<std::int32_t> count;
    std::vector<double> weight;

    /// Every row is empty or one tap of weight 1: the pass moves values and computes none.
    bool is_copy() const;
    /// is_copy(), n_in == n_out and row o reads o.
    bool is_identity() const;
};

/// One separable pass along output axis `axis`.
struct AxisPass {
    enum class Purpose {
        resample,   ///< interpolation and anti-alias low-pass in one
        prefilter,  ///< ahead of a gather: low-pass on the input grid, B-spline coefficients, or both
    };
    int axis = 0;
    Purpose purpose = Purpose::resample;
    TapTable taps;
};

/// Each output voxel reads the input around its own position. The affine is in double; a position is
/// fma(m0, i, fma(m1, j, fma(m2, k, m3))) per row, in this order on every executor.
struct AffineGather {
    Affine out_to_in;  ///< output index to continuous index of the input grid
    Kernel kernel = Kernel::linear;
    Extent pad{0, 0,
               0};  ///< what the passes before it added at the low end of each axis (B-spline coefficients outside)
    Extent extent{0, 0, 0};  ///< of the array that it reads, pads included; reads beyond it are clamped (boundary edge)
};

using Stage = std::variant<AxisPass, AffineGather>;

struct PlanOptions {
    Kernel kernel = Kernel::linear;
    Antialias antialias = Antialias::automatic;
    DType input_dtype = DType::float32;
    DType output_dtype = DType::float32;
    double fill = 0.0;          ///< stored value of output voxels outside the input, saturated into the output dtype
    double output_slope = 1.0;  ///< each computed value v is stored as slope * v + intercept (fill is not scaled)
    double output_intercept = 0.0;
};

/// What make_plan decided about one output axis, for the report.
struct AxisSummary {
    int input_axis = 0;        ///< the input axis it comes from; on the gather route the nearest one
    double step = 1.0;         ///< input voxels per output voxel, signed; on the gather route the norm of the input row
    double offset = 0.0;       ///< continuous input index at output index 0; separable route only
    bool copied = false;       ///< values move, none is computed
    bool antialiased = false;  ///< widened by |step|
};

struct Plan {
    Grid input;
    Grid output;
    PlanOptions options;
    ComputeType compute = ComputeType::f32;
    bool separable = true;
    std::array<int, 3> input_axis{0, 1, 2};  ///< separable route: output axis a reads input axis input_axis[a]
    std::array<AxisSummary, 3> axes;
    /// Separable route: the output voxels whose centres lie inside the input; the others are fill.
    /// Gather route: a box that holds all of them; the executor tests each voxel (inside_input).
    Box3 covered;
    /// Separable: at most one resample pass per axis, in the order y, x, z; axes that do not change have none.
    /// Gather: at most one prefilter pass per input axis in the order y, x, z, then the gather.
    std::vector<Stage> stages;

    /// No value is computed: the output holds input values (or fill) only, moved bit for bit when the dtypes agree.
    bool is_copy() const;
    /// The input voxels that the output voxels of `box` depend on. Empty when they are all fill.
    Box3 input_box(const Box3& box) const;
    /// The plan as text, one fact a line, stable across machines: what --explain prints.
    std::string describe() const;
};

/// Plans the resampling of `input` on to `output`. Separable when out_to_in is, at the corners of the output grid,
/// within 1e-4 voxel of a signed axis permutation with scale and offset; else a gather (nearest, linear, cubic,
/// bspline3 only). Throws Error(usage) for a kernel that the route does not have, for nearest with stretch and for a
/// non-finite slope or intercept; Error(input) for a singular or non-finite affine.
Plan make_plan(const Grid& input, const Grid& output, const PlanOptions& options);

}  // namespace revoxel
