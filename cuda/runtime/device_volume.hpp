// A volume as a 3-D texture. A host header: no CUDA header is included.
#pragma once

#include <cstddef>
#include <cstdint>

#include "device_view.hpp"
#include "runtime/memory.hpp"

struct cudaArray;

namespace revoxel::cuda {

/// A cudaTextureObject_t. 0: none.
using TextureHandle = unsigned long long;

/// Room for a field in the layout of textures, in which voxels that are neighbours along any axis lie close together.
/// Coordinates are voxels, unnormalised, and clamped to the field. Moves, does not copy.
class DeviceVolume {
public:
    enum class Read {
        bits,      ///< the voxel that a coordinate lies in, as an unsigned integer of its size (64 bits: two of 32)
        filtered,  ///< linear interpolation with weights of 8 bits, as float; integers as shares of full_scale()
    };
    DeviceVolume() = default;
    /// On the current device. Throws as DeviceMemory does.
    DeviceVolume(const std::int64_t (&extent)[3], DType dtype, Read read);
    ~DeviceVolume() { release(); }
    DeviceVolume(DeviceVolume&& other) noexcept;
    DeviceVolume& operator=(DeviceVolume&& other) noexcept;
    DeviceVolume(const DeviceVolume&) = delete;
    DeviceVolume& operator=(const DeviceVolume&) = delete;

    /// Queues a copy of a field with this extent and dtype, which copyable() holds for.
    void fill(const Field& field, StreamHandle stream) const;
    TextureHandle texture() const noexcept { return texture_; }
    /// At least what it takes of the device; the padding of the layout is the driver's secret.
    std::size_t bytes() const noexcept { return bytes_; }

private:
    void release() noexcept;

    cudaArray* array_ = nullptr;
    TextureHandle texture_ = 0;
    std::size_t bytes_ = 0;
    int device_ = -1;
};

/// Whether the current device has textures of this extent.
bool fits_texture(const std::int64_t (&extent)[3]);

/// What 1 stands for when a filtered texture is read; 1 for floating types. The lowest value of signed integers reads
/// as the one above it.
inline float full_scale(DType dtype) {
    switch (dtype) {
        case DType::int8: return 127.0f;
        case DType::uint8: return 255.0f;
        case DType::int16: return 32767.0f;
        case DType::uint16: return 65535.0f;
        default: return 1.0f;
    }
}

/// Whether a field can be copied into a DeviceVolume: i is fastest without gaps, and slices are whole rows.
inline bool copyable(const Field& field) {
    return field.stride[0] == 1 && field.stride[1] >= field.extent[0] && field.stride[2] > 0 &&
           field.stride[2] % field.stride[1] == 0 && field.stride[2] / field.stride[1] >= field.extent[1];
}

}  // namespace revoxel::cuda
