// Oblique grids: each output voxel reads the input around its own position.
#pragma once

#include <cstddef>

#include "device_view.hpp"
#include "math/kernels.hpp"
#include "math/values.hpp"
#include "runtime/device_volume.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

template <typename C>
struct GatherJob {
    Field input, output;  ///< input: the array that begins at `origin`
    Volumes volumes;
    TextureHandle texture;  ///< the array as a texture that is read in place of it; 0: none
    float filtered;         ///< not 0: the texture interpolates, and makes values of which 1 stands for this
    const double* affines;  ///< of each volume, in place of the frame's; null: none
    Box covered;            ///< holds all voxels that are computed; those in it that are not become fill
    math::GatherFrame frame;
    math::PointKernel kernel[3];
    int taps;  ///< the most along an axis
    std::int64_t origin[3];
    const C* norm[3];  ///< AffineGather::norm; null where there is none
    math::Storing storing;
    double fill;
};

/// Queues jobs.
template <typename C>
void gather(const GatherJob<C>* jobs, std::size_t count, StreamHandle stream);

}  // namespace revoxel::cuda
