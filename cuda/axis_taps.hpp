// The weights of one axis as kernels see them.
#pragma once

#include <cstdint>

#include "math/portable.hpp"

namespace revoxel::cuda {

/// As TapTable, in the compute type. Row o reads wrapped(first[o] + t) for t < count[o].
template <typename C>
struct AxisTaps {
    const std::int32_t* first;
    const std::int32_t* count;
    const C* weight;  ///< row o begins at o * stride
    const C* bias;    ///< added to the sum; null where there is none
    std::int32_t stride;
    std::int32_t n_in;
    bool wraps;

    REVOXEL_HD std::int32_t index(std::int32_t j) const {
        if (!wraps) return j;
        const std::int32_t r = j % n_in;
        return r < 0 ? r + n_in : r;
    }
};

}  // namespace revoxel::cuda
