// Plans that compute nothing: voxels are moved.
#pragma once

#include "device_view.hpp"
#include "math/kernels.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

struct CopyJob {
    Field input, output;
    Box covered;                    ///< what is written; in a gather, voxels outside the input become fill
    const std::int32_t* source[3];  ///< input index of each output index, for an axis that changes; else null
    bool gather;                    ///< the sources are those of the frame
    math::GatherFrame frame;
    std::int64_t origin[3];
    double fill;
};

/// Queues it. Bit for bit where the dtypes agree, else through math::convert.
void copy(const CopyJob& job, const Stream& stream);

}  // namespace revoxel::cuda
