// Fields of voxels as kernels see them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "math/portable.hpp"
#include "revoxel/plan.hpp"
#include "revoxel/volume.hpp"

namespace revoxel::cuda {

/// A view with its axes in the order of the output's. Strides count scalars. `data` is on the device.
struct Field {
    std::byte* data;
    DType dtype;
    std::int64_t extent[3];
    std::int64_t stride[3];

    REVOXEL_HD std::int64_t offset(std::int64_t i, std::int64_t j, std::int64_t k) const {
        return i * stride[0] + j * stride[1] + k * stride[2];
    }
};

inline Field field_of(const ConstVolumeView& view) {
    Field field{static_cast<std::byte*>(const_cast<void*>(view.data)), view.dtype, {}, {}};
    for (std::size_t a = 0; a < 3; ++a) {
        field.extent[a] = view.extent[a];
        field.stride[a] = view.stride[a];
    }
    return field;
}

/// A job is done for so many volumes, one after the other in memory.
struct Volumes {
    std::int64_t count = 1;
    std::int64_t input_step = 0, output_step = 0;  ///< scalars
};

/// The first voxel of volume number n.
template <typename T>
REVOXEL_HD inline T* voxels_of(const Field& field, std::int64_t step, std::int64_t n) {
    return reinterpret_cast<T*>(field.data) + step * n;
}

/// Half-open, as Box3.
struct Box {
    std::int64_t lo[3], hi[3];

    REVOXEL_HD bool holds(std::int64_t i, std::int64_t j, std::int64_t k) const {
        return i >= lo[0] && i < hi[0] && j >= lo[1] && j < hi[1] && k >= lo[2] && k < hi[2];
    }
};

/// Empty boxes hold nothing wherever they lie.
inline Box box_of(const Box3& box) {
    Box result{};
    for (std::size_t a = 0; a < 3; ++a) {
        result.lo[a] = box.lo[a];
        result.hi[a] = box.empty() ? box.lo[a] : box.hi[a];
    }
    return result;
}

}  // namespace revoxel::cuda
