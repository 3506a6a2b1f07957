// From scores to labels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "device_view.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

/// Some channels of a part of the output.
struct ArgmaxJob {
    const std::byte* scores;    ///< of type C, i fastest without gaps
    std::int64_t score_step;    ///< from a channel to the next
    int channels;               ///< none: the part becomes fill
    const std::int64_t* table;  ///< their labels
    std::byte* best;            ///< the largest scores of the channels before, in and out; null: there are no others
    bool first;                 ///< there were no channels before: `best` is only written
    Field labels;
    double fill;
};

/// Queues a job. Writes the label of the largest score where it is larger than those before: the first of equals, NaN
/// less than any. Voxels that have none when the first channels are done become fill.
template <typename C>
void argmax(const ArgmaxJob& job, StreamHandle stream);

}  // namespace revoxel::cuda
