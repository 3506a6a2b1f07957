// From fields that a file claims to a header that can be relied on.
#pragma once

#include <cstdint>
#include <string>

#include "io/nifti_raw.hpp"
#include "revoxel/nifti.hpp"

namespace revoxel::io {

/// Checks everything that the header alone can tell: voxel type, dimensions (no product overflows afterwards), offset,
/// units and transforms. Throws Error(input) with `path`; what is odd but usable becomes a warning.
NiftiHeader check_header(const std::string& path, const RawHeader& raw, bool prefer_qform);

/// Bytes of all voxels. The header must have been checked.
std::int64_t voxel_bytes(const NiftiHeader& header);

/// "64 x 64 x 35 x 2 voxels of int16" for messages.
std::string describe_voxels(const NiftiHeader& header);

}  // namespace revoxel::io
