// Labels that a label plan would lose keep one voxel.
#pragma once

#include <cstdint>
#include <vector>

#include "revoxel/plan.hpp"
#include "revoxel/resample.hpp"
#include "revoxel/volume.hpp"

namespace revoxel::pipeline {

struct LostLabel {
    std::int64_t value = 0;
    std::int64_t frame = 0;
};

/// Frame by frame, ascending labels.
struct KeptLabels {
    std::vector<KeptLabel> kept;
    std::vector<LostLabel> lost;  ///< no voxel was to be had, or the output's type cannot hold the label
};

/// Gives each label (label_value.hpp) but 0 that is in a frame of `input` and not in that frame of `output`, which is
/// what `plan` made of it, the output voxel where it has the most votes, the first in memory of several. Labels have
/// their turn in ascending order; none takes the last voxel of another, nor then one that another was given. Votes are
/// the plan's; where it skips input voxels (nearest, or no anti-aliasing) they are linear over the output voxel.
/// The result does not depend on `threads` (0: one per core). Needs memory for each label's box, none for its voxels.
/// `plan` is a label plan; the volumes have its grids and dtypes.
KeptLabels keep_labels(const Plan& plan, const Volume& input, Volume& output, int threads = 0);

}  // namespace revoxel::pipeline
