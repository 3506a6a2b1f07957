// Every value of the options that tests run through, once.
#pragma once

#include <iterator>

#include "revoxel/dtype.hpp"
#include "revoxel/plan.hpp"

namespace revoxel::test {

inline constexpr Kernel kKernels[] = {
    Kernel::nearest,     Kernel::linear,     Kernel::cubic,         Kernel::area,         Kernel::gaussian,
    Kernel::lanczos2,    Kernel::lanczos3,   Kernel::lanczos4,      Kernel::sinc_lanczos, Kernel::sinc_hamming,
    Kernel::sinc_cosine, Kernel::sinc_welch, Kernel::sinc_blackman, Kernel::bspline2,     Kernel::bspline3,
    Kernel::bspline4,    Kernel::bspline5};
inline constexpr Boundary kBoundaries[] = {Boundary::edge, Boundary::mirror,   Boundary::reflect,
                                           Boundary::wrap, Boundary::constant, Boundary::renormalise};
inline constexpr DType kDTypes[] = {DType::int8,    DType::uint8,   DType::int16,  DType::uint16,
                                    DType::int32,   DType::uint32,  DType::int64,  DType::uint64,
                                    DType::float16, DType::float32, DType::float64};
static_assert(std::size(kDTypes) == kDTypeCount);

}  // namespace revoxel::test
