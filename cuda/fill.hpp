// One value for a box.
#pragma once

#include <cstddef>

#include "device_view.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

/// Every voxel of `box` becomes `value`, a stored value, saturated into the dtype.
struct FillJob {
    Field output;
    Volumes volumes;
    Box box;
    double value;
};

/// Queues jobs.
void fill(const FillJob* jobs, std::size_t count, StreamHandle stream);

/// The jobs for every voxel of `output` that is not in `box`.
inline constexpr std::size_t kOutsideBoxes = 6;
void outside_jobs(const Field& output, const Volumes& volumes, const Box& box, double value,
                  FillJob (&jobs)[kOutsideBoxes]);

}  // namespace revoxel::cuda
