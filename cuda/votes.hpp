// Label plans: each output voxel takes the value with the most votes.
#pragma once

#include <cstddef>

#include "device_view.hpp"
#include "math/kernels.hpp"
#include "revoxel/plan.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

/// The taps of one axis, in vote units (math/votes.hpp). No table: an output index reads itself, with one vote.
struct VoteTable {
    const std::int32_t* first;
    const std::int32_t* count;
    const std::int64_t* weight;
    std::int32_t stride;
    std::int64_t n_in;
    bool wraps;
};

struct VoteJob {
    Field input, output;
    Volumes volumes;
    const double* affines;  ///< in a gather: of each volume, in place of the frame's; null: none
    Box covered;            ///< in a gather, voxels of it that lie outside the input become fill
    VoteTable table[3];
    bool gather;
    math::GatherFrame frame;
    math::PointKernel kernel[3];
    double stretch[3];
    Boundary boundary;
    std::int64_t origin[3];
    double fill;
};

/// Queues jobs.
void vote(const VoteJob* jobs, std::size_t count, StreamHandle stream);

}  // namespace revoxel::cuda
