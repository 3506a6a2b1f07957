#include "revoxel/dtype.hpp"

#include <limits>

#include "geometry/names.hpp"

namespace revoxel {
namespace {

constexpr std::pair<DType, const char*> kNames[] = {
    {DType::int8, "int8"},       {DType::uint8, "uint8"},     {DType::int16, "int16"},     {DType::uint16, "uint16"},
    {DType::int32, "int32"},     {DType::uint32, "uint32"},   {DType::int64, "int64"},     {DType::uint64, "uint64"},
    {DType::float16, "float16"}, {DType::float32, "float32"}, {DType::float64, "float64"},
};

}  // namespace

std::size_t size_of(DType dtype) noexcept {
    return dispatch(dtype, [](auto zero) { return sizeof(zero); });
}

bool is_integer(DType dtype) noexcept {
    return dtype != DType::float16 && dtype != DType::float32 && dtype != DType::float64;
}

const char* name_of(DType dtype) noexcept {
    return enum_name(kNames, dtype);
}

DType dtype_from_name(const std::string& name) {
    return enum_from_name(kNames, name, "dtype");
}

double lowest_value(DType dtype) noexcept {
    return dispatch(dtype,
                    [](auto zero) { return static_cast<double>(std::numeric_limits<decltype(zero)>::lowest()); });
}

double highest_value(DType dtype) noexcept {
    return dispatch(dtype, [](auto zero) { return static_cast<double>(std::numeric_limits<decltype(zero)>::max()); });
}

}  // namespace revoxel
