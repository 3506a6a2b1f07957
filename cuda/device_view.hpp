// Fields of voxels as kernels see them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "math/portable.hpp"
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

/// Half-open, as Box3.
struct Box {
    std::int64_t lo[3], hi[3];

    REVOXEL_HD bool holds(std::int64_t i, std::int64_t j, std::int64_t k) const {
        return i >= lo[0] && i < hi[0] && j >= lo[1] && j < hi[1] && k >= lo[2] && k < hi[2];
    }
};

}  // namespace revoxel::cuda
