// The C++ types of voxels, in kernels.
#pragma once

#include <limits>
#include <type_traits>

#include "device_view.hpp"
#include "math/values.hpp"
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

/// A fill value, saturated into the type.
__device__ __noinline__ inline void store_fill(double v, const Field& to, std::int64_t target) {
    with_type(to.dtype, [&](auto typed) {
        using T = typename decltype(typed)::type;
        reinterpret_cast<T*>(to.data)[target] = math::saturate_round<T>(v);
    });
}

template <typename Wide>
__device__ __noinline__ inline void store_wide(Wide v, const Field& to, std::int64_t target) {
    with_type(to.dtype, [&](auto typed) {
        using T = typename decltype(typed)::type;
        reinterpret_cast<T*>(to.data)[target] = math::convert<T>(v);
    });
}

/// A value as a voxel of another type, by math::convert. Goes by way of the widest type of the kind, which holds all
/// values of the others: fewer pairs of types to compile.
template <typename From>
__device__ void store_converted(From v, const Field& to, std::int64_t target) {
    using Wide = std::conditional_t<!std::numeric_limits<From>::is_integer, double,
                                    std::conditional_t<std::is_signed_v<From>, std::int64_t, std::uint64_t>>;
    store_wide(static_cast<Wide>(v), to, target);
}

/// One voxel into another field: every bit where the dtypes agree, else converted. Places are scalars.
__device__ inline void convert_voxel(const Field& from, std::int64_t source, const Field& to, std::int64_t target) {
    with_type(from.dtype, [&](auto typed) {
        using T = typename decltype(typed)::type;
        const T v = reinterpret_cast<const T*>(from.data)[source];
        if (from.dtype == to.dtype) {
            reinterpret_cast<T*>(to.data)[target] = v;
        } else {
            store_converted(v, to, target);
        }
    });
}

}  // namespace revoxel::cuda
