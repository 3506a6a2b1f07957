#include "simt/texture.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "runtime/device_volume.hpp"
#include "simt/streams.hpp"

namespace revoxel {
namespace simt {
namespace {

std::atomic<long> reads{0};

std::int64_t clamped(double i, std::int64_t n) {
    return static_cast<std::int64_t>(std::clamp(i, 0.0, static_cast<double>(n - 1)));
}

}  // namespace

long texture_reads() {
    return reads;
}

void count_texture_read() {
    ++reads;
}

const std::byte* Texture::nearest(float x, float y, float z) const {
    const std::int64_t at =
        (clamped(std::floor(z), extent[2]) * extent[1] + clamped(std::floor(y), extent[1])) * extent[0] +
        clamped(std::floor(x), extent[0]);
    return voxels.data() + static_cast<std::size_t>(at) * size_of(dtype);
}

float Texture::interpolated(float x, float y, float z) const {
    if (!filtered) throw std::logic_error("a texture without interpolation is asked for it");
    // 9 bits of fixed point, of which 8 are the fraction.
    const float at[3] = {x - 0.5f, y - 0.5f, z - 0.5f};
    float base[3], fraction[3];
    for (int d = 0; d < 3; ++d) {
        base[d] = std::floor(at[d]);
        fraction[d] = std::rint((at[d] - base[d]) * 256.0f) / 256.0f;
    }
    float sum = 0.0f;
    for (int corner = 0; corner < 8; ++corner) {
        float weight = 1.0f, place[3];
        for (int d = 0; d < 3; ++d) {
            const bool upper = (corner >> d & 1) != 0;
            weight *= upper ? fraction[d] : 1.0f - fraction[d];
            place[d] = base[d] + (upper ? 1.0f : 0.0f);
        }
        const float value = dispatch(dtype, [&](auto voxel) {
            std::memcpy(&voxel, nearest(place[0], place[1], place[2]), sizeof voxel);
            return std::max(static_cast<float>(voxel) / cuda::full_scale(dtype), is_integer(dtype) ? -1.0f : -INFINITY);
        });
        sum += weight * value;
    }
    return sum;
}

}  // namespace simt

namespace cuda {

DeviceVolume::DeviceVolume(const std::int64_t (&extent)[3], DType dtype, Read read)
    : bytes_(static_cast<std::size_t>(extent[0] * extent[1] * extent[2]) * size_of(dtype)) {
    auto* texture = new simt::Texture{{extent[0], extent[1], extent[2]},
                                      dtype,
                                      read == Read::filtered,
                                      std::vector<std::byte>(bytes_, std::byte{0xff})};
    array_ = reinterpret_cast<cudaArray*>(texture);
    texture_ = reinterpret_cast<TextureHandle>(texture);
}

DeviceVolume::DeviceVolume(DeviceVolume&& other) noexcept
    : array_(std::exchange(other.array_, nullptr)),
      texture_(std::exchange(other.texture_, 0)),
      bytes_(std::exchange(other.bytes_, 0)) {}

DeviceVolume& DeviceVolume::operator=(DeviceVolume&& other) noexcept {
    if (this != &other) {
        release();
        array_ = std::exchange(other.array_, nullptr);
        texture_ = std::exchange(other.texture_, 0);
        bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
}

void DeviceVolume::release() noexcept {
    delete reinterpret_cast<simt::Texture*>(array_);
}

// Rows and slices as cudaMemcpy3D steps: by a pitch, and by whole rows.
void DeviceVolume::fill(const Field& field, StreamHandle stream) const {
    simt::enqueue(stream, [field, texture = reinterpret_cast<simt::Texture*>(array_)] {
        const std::int64_t rows = field.stride[2] / field.stride[1];
        const std::size_t size = size_of(field.dtype), row = static_cast<std::size_t>(field.extent[0]) * size;
        std::byte* to = texture->voxels.data();
        for (std::int64_t k = 0; k < field.extent[2]; ++k)
            for (std::int64_t j = 0; j < field.extent[1]; ++j, to += row) {
                const std::int64_t first = (k * rows + j) * field.stride[1];
                std::memcpy(to, field.data + first * static_cast<std::int64_t>(size), row);
            }
    });
}

// Few voxels, so that what larger volumes lead to is tested.
bool fits_texture(const std::int64_t (&extent)[3]) {
    constexpr std::int64_t kMost = 64;
    return extent[0] <= kMost && extent[1] <= kMost && extent[2] <= kMost;
}

}  // namespace cuda
}  // namespace revoxel
