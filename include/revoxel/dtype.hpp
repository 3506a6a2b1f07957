// Scalar types of stored voxels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "revoxel/float16.hpp"

namespace revoxel {

/// The type of one stored scalar. RGB, RGBA and complex voxels are several scalars of one of these ("components").
enum class DType : std::uint8_t { int8, uint8, int16, uint16, int32, uint32, int64, uint64, float16, float32, float64 };

inline constexpr int kDTypeCount = 11;

/// Bytes of one scalar.
std::size_t size_of(DType dtype) noexcept;

/// True for the integer types.
bool is_integer(DType dtype) noexcept;

/// "int16", "float32", ... : numpy's names.
const char* name_of(DType dtype) noexcept;

/// The inverse of name_of. Throws Error(usage) that lists the known names.
DType dtype_from_name(const std::string& name);

/// Smallest and largest value of a dtype, as double. 64-bit limits are rounded to the nearest double.
double lowest_value(DType dtype) noexcept;
double highest_value(DType dtype) noexcept;

/// Calls f(T{}) with a zero of the C++ type that stands for `dtype`, and returns what f returns.
template <typename F>
decltype(auto) dispatch(DType dtype, F&& f) {
    switch (dtype) {
        case DType::int8: return f(std::int8_t{});
        case DType::uint8: return f(std::uint8_t{});
        case DType::int16: return f(std::int16_t{});
        case DType::uint16: return f(std::uint16_t{});
        case DType::int32: return f(std::int32_t{});
        case DType::uint32: return f(std::uint32_t{});
        case DType::int64: return f(std::int64_t{});
        case DType::uint64: return f(std::uint64_t{});
        case DType::float16: return f(Float16{});
        case DType::float32: return f(float{});
        case DType::float64: break;
    }
    return f(double{});
}

}  // namespace revoxel
