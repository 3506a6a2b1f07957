// Where samples lie: affines, grids, and how an output grid follows from a request.
//
// Index space: voxel centres are at integer (i, j, k), i fastest in memory. World space: millimetres, RAS+ (NIfTI).
// Every function here is pure and thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace revoxel {

using Vec3 = std::array<double, 3>;
using Extent = std::array<std::int64_t, 3>;  ///< voxel counts along i, j, k

/// The upper three rows of a 4x4 affine; the fourth row is 0 0 0 1 always.
struct Affine {
    std::array<std::array<double, 4>, 3> m{{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};

    double operator()(int row, int column) const { return m[row][column]; }
    double& operator()(int row, int column) { return m[row][column]; }
    bool operator==(const Affine& other) const { return m == other.m; }
    bool operator!=(const Affine& other) const { return !(*this == other); }
};

/// Composition: (a * b) * p is a * (b * p).
Affine operator*(const Affine& a, const Affine& b);
Vec3 operator*(const Affine& a, const Vec3& p);
/// Throws Error(input) when the affine is singular or not finite.
Affine inverse(const Affine& a);
double determinant(const Affine& a) noexcept;

/// Where samples lie, without data: voxel counts and the affine from index to world (mm, RAS+).
struct Grid {
    Extent extent{1, 1, 1};
    Affine affine;

    bool operator==(const Grid& other) const { return extent == other.extent && affine == other.affine; }
};

/// Number of voxels. Throws Error(input) when an extent is below 1 or the product exceeds int64.
std::int64_t voxel_count(const Grid& grid);
/// mm between neighbouring centres per index axis: the norms of the affine's columns.
Vec3 spacing(const Grid& grid);
/// Field of view in mm per index axis, edge to edge: extent x spacing.
Vec3 fov(const Grid& grid);
/// Three letters from "RLAPSI": the world direction that each index axis points at, nearest axis ("RAS", "LPI", ...).
std::string orientation_code(const Affine& affine);
/// Largest angle in degrees between an index axis and the world axis nearest to it. 0 for an axis-aligned grid.
double obliquity_degrees(const Affine& affine);
/// Largest |cosine| between two index axes. 0 for an orthogonal grid; a gantry tilt of 14 degrees gives 0.24.
double shear(const Affine& affine);
/// Largest distance in mm between the same corner voxel centre of the same extent under two affines.
double corner_distance(const Extent& extent, const Affine& a, const Affine& b);

/// The anchor of an output axis of m voxels at spacing t on an input axis of n voxels at spacing s. c(o) is the
/// continuous input index of output index o, k = t/s.
enum class GridPolicy {
    centre,  ///< c(o) = (n-1)/2 + (o - (m-1)/2) k: volume centres coincide, spacing kept exactly. IBSI, MRtrix,
             ///< FreeSurfer
    edges,   ///< c(o) = (o + 1/2) n/m - 1/2: field of view kept exactly, spacing n s/m. scikit-image, torch, nnU-Net
    first,   ///< c(o) = o k: first centres coincide, spacing kept exactly. ITK recipes, ANTs, FSL, MONAI
    ends,    ///< c(o) = o (n-1)/(m-1): first and last centres coincide. scipy.ndimage.zoom
    half,    ///< c(o) = n/2 + (o - m/2) k: index n/2 stays, not the centre. FreeSurfer
    fsl,     ///< first; along i, where the affine's determinant is positive, c(o) = n-1 - (m-1-o) k. FSL
};

/// How m follows from n s/t. Each rule forgives 1e-4 voxel, so that a spacing read from a float32 header makes no ghost
/// slice: 300 voxels of 0.1 mm to 0.15 mm are 200, not 201. m is at least 1.
enum class CountRule {
    ceil,
    floor,
    round,  ///< half up
    even,   ///< half to even
    down,   ///< half down. MRtrix, AFNI
    span,   ///< half to even of (n-1) s/t + 1: from first to last centre. MONAI
};

const char* name_of(GridPolicy policy) noexcept;
const char* name_of(CountRule rule) noexcept;
GridPolicy grid_policy_from_name(const std::string& name);  ///< Error(usage) lists the names
CountRule count_rule_from_name(const std::string& name);    ///< Error(usage) lists the names

/// The output voxel count of one axis: n voxels of s mm, at t mm. Throws Error(usage) unless s and t are finite and >
/// 0, or when the count exceeds 2^24.
std::int64_t resampled_count(std::int64_t n, double s, double t, CountRule rule);

/// The grid of `input` at another spacing (mm per axis; 0 keeps an axis as it is). Spacing is exact for centre and
/// first; for edges and ends it is what the count allows. An axis that is asked for its own spacing to within 1e-5 of
/// it (six digits) is kept bit for bit. Throws Error(usage) on a negative or non-finite spacing, and for ends on an
/// axis of one voxel that would get more.
Grid with_spacing(const Grid& input, const Vec3& spacing_mm, GridPolicy policy = GridPolicy::centre,
                  CountRule rule = CountRule::ceil);

/// The grid of `input` with another extent (0 keeps an axis), spacing n s/m, so the field of view is kept (edges).
/// Throws Error(usage) on a negative count, and for ends on an axis of one voxel that would get more.
Grid with_extent(const Grid& input, const Extent& extent, GridPolicy policy = GridPolicy::edges);

/// The finest isotropic spacing in mm whose grid (same policy and rule) has at most `voxels` voxels, never finer than
/// `finest_mm` (0: the finest axis of `input`). Throws Error(usage) when voxels < 1.
double budget_spacing(const Grid& input, std::int64_t voxels, CountRule rule = CountRule::ceil, double finest_mm = 0.0);

/// The affine from indices of `output` to continuous indices of `input`: inverse(input.affine) * output.affine.
Affine out_to_in(const Grid& input, const Grid& output);

}  // namespace revoxel
