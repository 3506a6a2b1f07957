#include "runtime/device_volume.hpp"

#include <cuda_runtime_api.h>

#include <utility>

#include "revoxel/error.hpp"
#include "runtime/check.hpp"

namespace revoxel::cuda {
namespace {

cudaChannelFormatDesc format_of(DType dtype, DeviceVolume::Read read) {
    const int bits = 8 * static_cast<int>(size_of(dtype));
    if (read == DeviceVolume::Read::bits) {
        return cudaCreateChannelDesc(bits == 64 ? 32 : bits, bits == 64 ? 32 : 0, 0, 0, cudaChannelFormatKindUnsigned);
    }
    const bool is_signed = dtype == DType::int8 || dtype == DType::int16;
    return cudaCreateChannelDesc(bits, 0, 0, 0,
                                 !is_integer(dtype) ? cudaChannelFormatKindFloat
                                 : is_signed        ? cudaChannelFormatKindSigned
                                                    : cudaChannelFormatKindUnsigned);
}

cudaExtent extent_of(const std::int64_t (&n)[3]) {
    return make_cudaExtent(static_cast<std::size_t>(n[0]), static_cast<std::size_t>(n[1]),
                           static_cast<std::size_t>(n[2]));
}

}  // namespace

DeviceVolume::DeviceVolume(const std::int64_t (&extent)[3], DType dtype, Read read)
    : bytes_(static_cast<std::size_t>(extent[0] * extent[1] * extent[2]) * size_of(dtype)), device_(current_device()) {
    const cudaChannelFormatDesc format = format_of(dtype, read);
    check(cudaMalloc3DArray(&array_, &format, extent_of(extent)), "taking memory for a texture");
    cudaResourceDesc resource{};
    resource.resType = cudaResourceTypeArray;
    resource.res.array.array = array_;
    cudaTextureDesc texture{};
    for (cudaTextureAddressMode& mode : texture.addressMode) mode = cudaAddressModeClamp;
    const bool filtered = read == Read::filtered;
    texture.filterMode = filtered ? cudaFilterModeLinear : cudaFilterModePoint;
    texture.readMode = filtered && is_integer(dtype) ? cudaReadModeNormalizedFloat : cudaReadModeElementType;
    const cudaError_t made = cudaCreateTextureObject(&texture_, &resource, &texture, nullptr);
    if (made != cudaSuccess) release();
    check(made, "making a texture");
}

DeviceVolume::DeviceVolume(DeviceVolume&& other) noexcept
    : array_(std::exchange(other.array_, nullptr)),
      texture_(std::exchange(other.texture_, 0)),
      bytes_(std::exchange(other.bytes_, 0)),
      device_(other.device_) {}

DeviceVolume& DeviceVolume::operator=(DeviceVolume&& other) noexcept {
    if (this != &other) {
        release();
        array_ = std::exchange(other.array_, nullptr);
        texture_ = std::exchange(other.texture_, 0);
        bytes_ = std::exchange(other.bytes_, 0);
        device_ = other.device_;
    }
    return *this;
}

void DeviceVolume::release() noexcept {
    if (!array_) return;
    int before = device_;
    cudaGetDevice(&before);
    if (before != device_) cudaSetDevice(device_);
    cudaDeviceSynchronize();  // kernels that read it may be queued
    if (texture_) cudaDestroyTextureObject(texture_);
    cudaFreeArray(array_);
    if (before != device_) cudaSetDevice(before);
}

void DeviceVolume::fill(const Field& field, StreamHandle stream) const {
    const std::size_t size = size_of(field.dtype);
    cudaMemcpy3DParms copy{};
    copy.srcPtr = make_cudaPitchedPtr(field.data, static_cast<std::size_t>(field.stride[1]) * size,
                                      static_cast<std::size_t>(field.extent[0]),
                                      static_cast<std::size_t>(field.stride[2] / field.stride[1]));
    copy.dstArray = array_;
    copy.extent = extent_of(field.extent);
    copy.kind = cudaMemcpyDeviceToDevice;
    check(cudaMemcpy3DAsync(&copy, stream), "a copy into a texture");
}

bool fits_texture(const std::int64_t (&extent)[3]) {
    constexpr cudaDeviceAttr kLimits[] = {cudaDevAttrMaxTexture3DWidth, cudaDevAttrMaxTexture3DHeight,
                                          cudaDevAttrMaxTexture3DDepth};
    for (int a = 0; a < 3; ++a) {
        int most = 0;
        check(cudaDeviceGetAttribute(&most, kLimits[a], current_device()), "asking for the extent of textures");
        if (extent[a] < 1 || extent[a] > most) return false;
    }
    return true;
}

}  // namespace revoxel::cuda
