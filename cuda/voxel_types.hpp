// The C++ types of voxels, in kernels.
#pragma once

#include "device_view.hpp"
#include "runtime/device.hpp"

namespace revoxel::cuda {

template <typename T>
struct Typed {
    using type = T;
};

/// Calls f(Typed<T>{}) with the type that stands for `dtype`. As revoxel::dispatch, on the device.
template <typename F>
__device__ inline void with_type(DType dtype, F&& f) {
    switch (dtype) {
        case DType::int8: f(Typed<std::int8_t>{}); break;
        case DType::uint8: f(Typed<std::uint8_t>{}); break;
        case DType::int16: f(Typed<std::int16_t>{}); break;
        case DType::uint16: f(Typed<std::uint16_t>{}); break;
        case DType::int32: f(Typed<std::int32_t>{}); break;
        case DType::uint32: f(Typed<std::uint32_t>{}); break;
        case DType::int64: f(Typed<std::int64_t>{}); break;
        case DType::uint64: f(Typed<std::uint64_t>{}); break;
        case DType::float16: f(Typed<Float16>{}); break;
        case DType::float32: f(Typed<float>{}); break;
        case DType::float64: f(Typed<double>{}); break;
    }
}

/// The same for the types that are computed in C: double takes them all, float those of 16 bits or less and itself.
template <typename C, typename F>
__device__ inline void with_type_of(DType dtype, F&& f) {
    if constexpr (sizeof(C) == 8) {
        with_type(dtype, f);
    } else {
        switch (dtype) {
            case DType::int8: f(Typed<std::int8_t>{}); break;
            case DType::uint8: f(Typed<std::uint8_t>{}); break;
            case DType::int16: f(Typed<std::int16_t>{}); break;
            case DType::uint16: f(Typed<std::uint16_t>{}); break;
            case DType::float16: f(Typed<Float16>{}); break;
            default: f(Typed<float>{}); break;
        }
    }
}

}  // namespace revoxel::cuda
