#include "io/nifti_types.hpp"

#include <fmt/format.h>
#include <nifti/nifti1.h>

#include <array>

namespace revoxel::io {
namespace {

constexpr std::array<VoxelType, 14> kTypes{{
    {NIFTI_TYPE_UINT8, DType::uint8, 1},
    {NIFTI_TYPE_INT16, DType::int16, 1},
    {NIFTI_TYPE_INT32, DType::int32, 1},
    {NIFTI_TYPE_FLOAT32, DType::float32, 1},
    {NIFTI_TYPE_COMPLEX64, DType::float32, 2},
    {NIFTI_TYPE_FLOAT64, DType::float64, 1},
    {NIFTI_TYPE_RGB24, DType::uint8, 3},
    {NIFTI_TYPE_INT8, DType::int8, 1},
    {NIFTI_TYPE_UINT16, DType::uint16, 1},
    {NIFTI_TYPE_UINT32, DType::uint32, 1},
    {NIFTI_TYPE_INT64, DType::int64, 1},
    {NIFTI_TYPE_UINT64, DType::uint64, 1},
    {NIFTI_TYPE_COMPLEX128, DType::float64, 2},
    {NIFTI_TYPE_RGBA32, DType::uint8, 4},
}};

}  // namespace

const VoxelType* voxel_type(int code) noexcept {
    for (const VoxelType& type : kTypes) {
        if (type.code == code) return &type;
    }
    return nullptr;
}

const VoxelType* voxel_type(DType dtype, int components) noexcept {
    for (const VoxelType& type : kTypes) {
        if (type.dtype == dtype && type.components == components) return &type;
    }
    return nullptr;
}

std::string describe_unsupported(int code) {
    switch (code) {
        case DT_UNKNOWN: return "unknown (0)";
        case DT_BINARY: return "binary (1)";
        case NIFTI_TYPE_FLOAT128: return "float128 (1536)";
        case NIFTI_TYPE_COMPLEX256: return "complex256 (2048)";
        default: return fmt::format("{}, which NIfTI does not define", code);
    }
}

}  // namespace revoxel::io
