// Plans that compute nothing: voxels are moved.
#pragma once

#include <cstddef>

#include "device_view.hpp"
#include "math/kernels.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

/// On straight grids.
struct CopyJob {
    Field input, output;
    Volumes volumes;
    Box covered;                    ///< what is written
    const std::int32_t* source[3];  ///< input index of each output index, for an axis that changes; else null
};

/// On oblique grids, kernel nearest.
struct PickJob {
    Field input, output;  ///< input: the array that begins at `origin`
    Volumes volumes;
    const double* affines;  ///< of each volume, in place of the frame's; null: none
    Box covered;            ///< what is written; voxels outside the input become fill
    math::GatherFrame frame;
    std::int64_t origin[3];
    double fill;
};

/// Queue jobs. Bit for bit where the dtypes agree, else through math::convert.
void copy(const CopyJob* jobs, std::size_t count, StreamHandle stream);
void pick(const PickJob* jobs, std::size_t count, StreamHandle stream);

}  // namespace revoxel::cuda
