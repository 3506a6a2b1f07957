// The plan: all geometry and all filter weights, computed once on the host in double, as plain data.
//
// A plan has no voxels and no device in it. Executors only consume plans, so equal plans give equal bits.
// Every function here is pure and thread-safe; a finished plan may be shared between threads.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
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
    area,      ///< mean of the input, constant within each voxel, over the width of the output voxel
    gaussian,  ///< Gaussian of KernelShape::sigma voxels, integrated over each voxel (ITK)
    lanczos2,  ///< sinc_lanczos of radius 2
    lanczos3,
    lanczos4,
    sinc_lanczos,   ///< sinc(x) window(x), |x| < KernelShape::radius; window sinc(x/r)
    sinc_hamming,   ///< 0.54 + 0.46 cos(pi x/r)
    sinc_cosine,    ///< cos(pi x/2r)
    sinc_welch,     ///< 1 - (x/r)^2
    sinc_blackman,  ///< 0.42 + 0.5 cos(pi x/r) + 0.08 cos(2 pi x/r)
    bspline2,       ///< interpolating B-spline of order 2 ("quadratic")
    bspline3,
    bspline4,
    bspline5,
};

/// What some kernels can be told.
struct KernelShape {
    int radius = 5;          ///< half width of the windowed sincs in input voxels, 2 to 8
    bool normalised = true;  ///< weights are divided by their sum. false: as ITK's windowed sincs; sinc_* only
    double sigma = 0.8;      ///< of gaussian, in input voxels, above 0
    double alpha = 4.0;      ///< reach of gaussian in sigmas, above 0
};

/// What the input is beyond its faces, where a kernel reaches there.
enum class Boundary {
    edge,         ///< a a a|a b c d|d d d
    mirror,       ///< d c b|a b c d|c b a
    reflect,      ///< c b a|a b c d|d c b
    wrap,         ///< b c d|a b c d|a b c
    constant,     ///< v v v|a b c d|v v v with v = PlanOptions::boundary_value
    renormalise,  ///< nothing: the taps inside are divided by their sum
};

/// What output voxels hold whose centres lie outside the input: [-1/2, n - 1/2) on each axis.
enum class Outside {
    fill,    ///< PlanOptions::fill
    extend,  ///< the input extended by the boundary
};

/// The low-pass that belongs to a step above 1. k is the step in input voxels, sigma in input voxels; the Gaussians
/// filter the input grid before the kernel interpolates. docs/conventions.md names the tools that they come from.
enum class Antialias {
    automatic,  ///< stretch on the axes that are down-sampled; none for nearest
    none,
    stretch,      ///< the kernel, widened by k; keeps constants and ramps (docs/conventions.md)
    pillow,       ///< the kernel, widened by k, divided by its sum only: Pillow, torch, JAX
    gaussian,     ///< sigma^2 = (k^2 - 1)/(8 ln 2): Cardoso, TorchIO
    aperture,     ///< sigma^2 = (k^2 - 1)/12: an aperture of one input voxel becomes one of an output voxel
    area,         ///< kernel area on the axes that are down-sampled
    skimage,      ///< sigma = (k - 1)/2
    mirp,         ///< sigma = 0.402 k
    supersample,  ///< mean of ceil(k) interpolated values in each output voxel: MRtrix
};

/// What is done about values that leave the range of the input (kernels with negative weights).
enum class Clip {
    none,
    local,   ///< to the range of the input voxels less than max(1, k) away from the position, on each axis
    global,  ///< to the range of the finite values of the field
};

/// How computed values become integers. All saturate, and NaN becomes 0.
enum class Rounding {
    even,      ///< nearest, ties to even
    away,      ///< nearest, ties away from zero
    truncate,  ///< towards zero, as ITK does
};

/// One value for each input axis, or one for all.
template <typename T>
struct PerAxis {
    std::array<T, 3> axis{};

    constexpr PerAxis() = default;
    constexpr PerAxis(T all) : axis{all, all, all} {}
    constexpr PerAxis(T i, T j, T k) : axis{i, j, k} {}
    constexpr T operator[](int a) const { return axis[static_cast<std::size_t>(a)]; }
    constexpr T& operator[](int a) { return axis[static_cast<std::size_t>(a)]; }
    constexpr bool uniform() const { return axis[0] == axis[1] && axis[1] == axis[2]; }
    constexpr bool any(T value) const { return axis[0] == value || axis[1] == value || axis[2] == value; }
    constexpr bool operator==(const PerAxis& other) const { return axis == other.axis; }
};

/// The type in which weights are applied: f64 when input or output is float64 or an integer of 32 bits or more.
enum class ComputeType { f32, f64 };

const char* name_of(Kernel kernel) noexcept;
const char* name_of(Boundary boundary) noexcept;
const char* name_of(Outside outside) noexcept;
const char* name_of(Antialias antialias) noexcept;
const char* name_of(Clip clip) noexcept;
const char* name_of(Rounding rounding) noexcept;
const char* name_of(ComputeType type) noexcept;
std::string names_of(const PerAxis<Kernel>& kernels);  ///< one name, or three: "linear/linear/nearest"
std::string names_of(const PerAxis<Antialias>& modes);
Kernel kernel_from_name(const std::string& name);  ///< also "quadratic"; Error(usage) lists the names
Boundary boundary_from_name(const std::string& name);
Outside outside_from_name(const std::string& name);
Antialias antialias_from_name(const std::string& name);
Clip clip_from_name(const std::string& name);
Rounding rounding_from_name(const std::string& name);

/// Half-open index region [lo, hi).
struct Box3 {
    Extent lo{0, 0, 0};
    Extent hi{0, 0, 0};

    bool empty() const { return hi[0] <= lo[0] || hi[1] <= lo[1] || hi[2] <= lo[2]; }
    std::int64_t count() const { return empty() ? 0 : (hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]); }
    bool operator==(const Box3& other) const { return lo == other.lo && hi == other.hi; }
};

/// The weights of one axis. Output o is the sum over t < count[o], in this order, of
/// weight[o * stride + t] * input[first[o] + t], plus bias[o] * outside_value; every index read is inside [0, n_in),
/// after it has been wrapped into it where `wraps`. Weights are exact in the compute type, and a row's sum is exactly 1
/// there in any order of addition, with the share of a constant boundary counted in (docs/conventions.md); not for
/// unnormalised kernels. The weights of label plans are multiples of 2^-20 and their sum is free. Rows outside the
/// covered box have count 0 and are filled.
struct TapTable {
    std::int64_t n_in = 0;
    std::int64_t n_out = 0;
    std::int64_t stride = 0;  ///< the largest count
    bool wraps = false;       ///< boundary wrap: first may lie outside [0, n_in)
    std::vector<std::int64_t> first;
    std::vector<std::int32_t> count;
    std::vector<double> weight;
    std::vector<double> bias;    ///< weight of a constant boundary; empty where there is none
    double outside_value = 0.0;  ///< what a constant boundary holds

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
/// fma(m0, i, fma(m1, j, fma(m2, k, m3))) per row, in this order on every executor, with (i, j, k) = output index +
/// first_output.
struct AffineGather {
    Affine out_to_in;  ///< output index to continuous index of the input grid
    PerAxis<Kernel> kernel;
    KernelShape shape;
    Vec3 stretch{1, 1, 1};         ///< label plans: the kernel is widened by this on each input axis
    Extent first_output{0, 0, 0};  ///< of a plan cut to a box: where that box begins
    Extent inside{0, 0, 0};        ///< extent of the input grid
    Extent origin{0, 0, 0};        ///< input index of the first sample of the array that is read; below 0 with pads
    Extent extent{0, 0, 0};        ///< of that array; reads beyond it are clamped (boundary edge)
    Boundary boundary = Boundary::edge;
    Outside outside = Outside::fill;
    Vec3 margin{0, 0, 0};  ///< extend: positions are folded, or clamped, to [-margin, n - 1 + margin]
    /// Boundary renormalise: the value is divided, axis by axis, by the kernel's sum over these samples of the array.
    std::array<std::vector<double>, 3> norm;
};

using Stage = std::variant<AxisPass, AffineGather>;

/// Axes are those of the input.
struct PlanOptions {
    PerAxis<Kernel> kernel = Kernel::linear;
    KernelShape shape;
    PerAxis<Antialias> antialias = Antialias::automatic;
    Boundary boundary = Boundary::edge;
    double boundary_value = 0.0;  ///< stored value of the input beyond its faces; boundary constant
    Outside outside = Outside::fill;
    Vec3 blur{0, 0, 0};      ///< sigma, in input voxels, of a Gaussian on the input grid ahead of all else; 0: none
    Vec3 aperture{1, 1, 1};  ///< width that an input voxel is the mean of, in voxels: slice thickness / spacing
    bool labels = false;     ///< votes instead of sums: the value with the largest weight, ties to the smallest value
    Clip clip = Clip::none;
    bool nan_aware = false;  ///< weights are renormalised over the taps that are finite; NaN where too few are left
    DType input_dtype = DType::float32;
    DType output_dtype = DType::float32;
    double fill = 0.0;          ///< stored value of output voxels outside the input, saturated into the output dtype
    double output_slope = 1.0;  ///< each computed value v is stored as slope * v + intercept (fill is not scaled)
    double output_intercept = 0.0;
    Rounding rounding = Rounding::even;
    /// Stores 1 where the value, rounded to 6 decimals, is at least this, else 0. fill is not compared.
    std::optional<double> threshold;
};

/// What make_plan decided about one output axis, for the report.
struct AxisSummary {
    int input_axis = 0;   ///< the input axis it comes from; on the gather route the nearest one
    double step = 1.0;    ///< input voxels per output voxel, signed; on the gather route the norm of the input row
    double offset = 0.0;  ///< continuous input index at output index -first_output; separable route only
    std::int64_t first_output = 0;  ///< of a cut plan: where it begins; separable route only
    bool copied = false;            ///< values move, none is computed
    bool antialiased = false;       ///< widened by |step|
};

struct Plan {
    Grid input;
    Grid output;
    PlanOptions options;
    ComputeType compute = ComputeType::f32;
    bool separable = true;
    Extent first_input{0, 0, 0};  ///< of a part: where its input begins in the whole one; the whole one's index 0 is
                                  ///< what AxisSummary::offset counts from
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
    /// The plan of the output voxels of `box` (inside the output), bit for bit the same values. It reads the whole
    /// input.
    Plan cropped(const Box3& box) const;
    /// As cropped(), but it reads a volume that holds no more than input_box(box): Plan::input is the grid of that box,
    /// or of one voxel where the box is all fill.
    Plan part(const Box3& box) const;
    /// The plan as text, one fact a line, stable across machines: what --explain prints.
    std::string describe() const;
};

/// Plans the resampling of `input` on to `output`. Separable when out_to_in is, at the corners of the output grid,
/// within 1e-4 voxel of a signed axis permutation with scale and offset; else a gather (not with kernel area).
/// Throws Error(usage) for options that contradict each other or are out of range; Error(input) for a singular or
/// non-finite affine.
Plan make_plan(const Grid& input, const Grid& output, const PlanOptions& options);

/// Plans patches that are cut from a volume by any affine, one for each patch: random rotations, zooms and shears. The
/// plan is a gather whose AffineGather::out_to_in is the identity; whoever runs it puts another in its place
/// (cuda::DeviceJob::affines). Kernels as on oblique grids. No low-pass: an affine that steps by more than a voxel
/// aliases. Input and patch have unit affines: voxel indices are what is spoken of.
/// Throws as make_plan, and Error(usage) for options that ask for a low-pass.
Plan make_patch_plan(const Extent& input, const Extent& patch, const PlanOptions& options);

}  // namespace revoxel
