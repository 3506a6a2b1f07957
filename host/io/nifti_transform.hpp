// The three ways of NIfTI to say where voxels lie.
#pragma once

#include <array>
#include <string>

#include "io/nifti_raw.hpp"
#include "revoxel/nifti.hpp"

namespace revoxel::io {

/// Largest distance, in voxels, at which two transforms of one grid count as the same.
inline constexpr double kSameFormVoxels = 0.1;
/// Cosine between axes from which on a grid counts as sheared: a qform cannot hold it.
inline constexpr double kShearedCosine = 1e-4;

/// Why an affine cannot serve as index-to-world transform ("is singular", ...); empty when it can. Spacings must lie in
/// 1e-9 to 1e9 mm and offsets within 1e12 mm, so that nothing computed from them overflows.
std::string why_unusable(const Affine& affine);

/// The affine of a quaternion (b, c, d), an offset and voxel sizes in mm; qfac -1 flips the third axis.
Affine affine_from_qform(const std::array<double, 3>& quatern, const std::array<double, 3>& qoffset,
                         const Vec3& voxel_mm, double qfac);

/// Makes `affine` the qform: quatern, qoffset, qfac in pixdim[0] and voxel sizes in pixdim[1..3]. Shear is lost.
void set_qform(NiftiHeader& header, const Affine& affine);

/// form_disagreement_mm and _voxels from the two forms and the grid.
void update_disagreement(NiftiHeader& header);

/// Takes pixdim[0..3], qform, sform and their codes from `raw`, decides which transform is in use and sets grid.affine
/// (grid.extent and spatial_unit must be set). Throws Error(input) when the one in use is unusable.
void read_transforms(const std::string& path, const RawHeader& raw, bool prefer_qform, NiftiHeader& header);

}  // namespace revoxel::io
