// NIfTI's codes for voxel types.
#pragma once

#include <string>

#include "revoxel/dtype.hpp"

namespace revoxel::io {

struct VoxelType {
    int code = 0;
    DType dtype = DType::float32;
    int components = 1;

    int bits() const { return static_cast<int>(size_of(dtype)) * components * 8; }
    /// scl_slope and scl_inter do not apply to colours.
    bool is_colour() const { return components > 2; }
};

/// The type that a datatype code stands for, or nullptr when it is not supported.
const VoxelType* voxel_type(int code) noexcept;
/// The type with these components, or nullptr when NIfTI has no code for it.
const VoxelType* voxel_type(DType dtype, int components) noexcept;
/// NIfTI's word for a code that is not supported, for messages: "float128 (1536)".
std::string describe_unsupported(int code);

}  // namespace revoxel::io
