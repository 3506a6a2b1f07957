// Oblique grids: each output voxel reads the input around its own position.
#pragma once

#include <cstddef>

#include "device_view.hpp"
#include "math/kernels.hpp"
#include "math/values.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

template <typename C>
struct GatherJob {
    Field input, output;  ///< input: the array that begins at `origin`
    Volumes volumes;
    const double* affines;  ///< of each volume, in place of the frame's; null: none
    Box covered;            ///< holds all voxels that are computed; those in it that are not become fill
    math::GatherFrame frame;
    math::PointKernel kernel[3];
    std::int64_t origin[3];
    const C* norm[3];  ///< AffineGather::norm; null where there is none
    math::Storing storing;
    double fill;
};

/// Queues jobs.
template <typename C>
void gather(const GatherJob<C>* jobs, std::size_t count, StreamHandle stream);

}  // namespace revoxel::cuda
