// One pass of a separable plan by itself: for taps that the march has no room for, or that do not come in its order.
#pragma once

#include "axis_taps.hpp"
#include "device_view.hpp"
#include "math/values.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

/// The voxels of `box` of the output become sums along `axis`, stored as `storing` says. Indices of the other axes are
/// moved by `shift`: output index o is input index o + shift there. Along `axis` input index j is in the array at
/// j + shift.
template <typename C>
struct AxisPassJob {
    Field input, output;
    Box box;
    std::int32_t axis;
    std::int64_t shift[3];
    AxisTaps<C> taps;
    math::Storing storing;
};

/// Queues it.
template <typename C>
void axis_pass(const AxisPassJob<C>& job, StreamHandle stream);

}  // namespace revoxel::cuda
