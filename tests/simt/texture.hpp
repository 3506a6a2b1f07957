// Textures of the SIMT layer: 3-D, coordinates in voxels, clamped. As the CUDA C++ Programming Guide says in its
// chapter on texture fetching.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "revoxel/dtype.hpp"

struct cudaArray;  // what a handle points at

namespace revoxel::simt {

struct Texture {
    std::int64_t extent[3];
    DType dtype;
    bool filtered;
    std::vector<std::byte> voxels;  ///< i fastest

    /// The voxel that a coordinate lies in.
    const std::byte* nearest(float x, float y, float z) const;
    /// Linear interpolation around the coordinate less 1/2, with fractions of 8 bits; integers as shares of the
    /// largest.
    float interpolated(float x, float y, float z) const;
};

/// How often a texture was read since the start of the process: that a test used one at all.
long texture_reads();
void count_texture_read();

}  // namespace revoxel::simt

namespace revoxel::cuda {

struct uint2 {
    unsigned x, y;
};

template <typename T>
T tex3D(unsigned long long handle, float x, float y, float z) {
    const auto& texture = *reinterpret_cast<const simt::Texture*>(handle);
    simt::count_texture_read();
    if constexpr (std::is_same_v<T, float>) {
        return texture.interpolated(x, y, z);
    } else {
        if (texture.filtered || sizeof(T) != size_of(texture.dtype)) {
            throw std::logic_error("a texture is read as another type than it has");
        }
        T bits;
        std::memcpy(&bits, texture.nearest(x, y, z), sizeof bits);
        return bits;
    }
}

}  // namespace revoxel::cuda
