// How kernels of oblique grids go through the output: a block makes a brick of 8 x 8 x 4 voxels (or of fewer slices),
// so that a warp's voxels lie close together in the input however the grid is turned.
#pragma once

#include "device_view.hpp"
#include "math/kernels.hpp"
#include "runtime/device.hpp"

namespace revoxel::cuda {

inline constexpr unsigned kBrickThreads = 256;

template <unsigned kThreads = kBrickThreads>
inline __host__ __device__ std::int64_t bricks_along(const Box& box, int axis) {
    const std::int64_t size = axis == 2 ? kThreads / 64 : 8, n = box.hi[axis] - box.lo[axis];
    return n <= 0 ? 0 : (n + size - 1) / size;
}

template <unsigned kThreads = kBrickThreads>
inline __host__ __device__ std::int64_t bricks_in(const Box& box) {
    return bricks_along<kThreads>(box, 0) * bricks_along<kThreads>(box, 1) * bricks_along<kThreads>(box, 2);
}

/// Output voxel of the thread, and number of the volume. False: there is none.
template <unsigned kThreads = kBrickThreads>
__device__ inline bool brick_voxel(const Box& box, unsigned block, std::int64_t (&at)[3], std::int64_t& volume) {
    const auto nx = static_cast<unsigned>(bricks_along<kThreads>(box, 0)),
               ny = static_cast<unsigned>(bricks_along<kThreads>(box, 1)),
               nz = static_cast<unsigned>(bricks_along<kThreads>(box, 2));
    const unsigned thread = threadIdx.x, bx = block % nx, by = block / nx % ny, bz = block / nx / ny;
    at[0] = box.lo[0] + bx * 8 + thread % 8;
    at[1] = box.lo[1] + by * 8 + thread / 8 % 8;
    at[2] = box.lo[2] + bz % nz * (kThreads / 64) + thread / 64;
    volume = bz / nz;
    return box.holds(at[0], at[1], at[2]);
}

/// math::locate, with the affine of the volume where each has its own.
__device__ inline bool locate(const math::GatherFrame& frame, const double* affines, std::int64_t volume,
                              const std::int64_t (&at)[3], double (&c)[3]) {
    const auto x = static_cast<double>(at[0] + frame.first_output[0]),
               y = static_cast<double>(at[1] + frame.first_output[1]),
               z = static_cast<double>(at[2] + frame.first_output[2]);
    bool inside = true;
#pragma unroll
    for (int d = 0; d < 3; ++d) {
        double row[4];
#pragma unroll
        for (int e = 0; e < 4; ++e) row[e] = affines ? affines[volume * 12 + d * 4 + e] : frame.out_to_in[d][e];
        inside = math::locate_axis(frame, d, row, x, y, z, c[d]) && inside;
    }
    return inside;
}

}  // namespace revoxel::cuda
