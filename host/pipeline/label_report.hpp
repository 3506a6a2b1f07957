// What each label of a label map is like, and what resampling made of it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "revoxel/volume.hpp"

namespace revoxel::pipeline {

/// One label over all frames; each frame is a field of its own.
struct LabelFacts {
    std::int64_t value = 0;  ///< as stored, never scaled
    std::int64_t voxels = 0;
    double volume_mm3 = 0;        ///< voxels x |determinant of the affine|
    std::int64_t components = 0;  ///< voxels that share a face, an edge or a corner are connected (26 neighbours)
    std::int64_t euler = 0;       ///< of the union of the closed voxel cubes: components - tunnels + cavities
};

/// Labels as label_value.hpp has them; 0 is the background. Every other value (a fraction, NaN, an infinity, a number
/// beyond int64) is no label: it is counted, and bounds labels as the background does.
struct LabelCensus {
    std::vector<LabelFacts> labels;  ///< ascending
    std::int64_t not_labels = 0;     ///< voxels whose value is no label
};

/// One walk over the voxels with up to `threads` threads (0: one per core). Equal for every number of threads. Needs
/// memory for the runs of equal voxels in a few slices per thread, and for the labels; nothing that grows with a
/// label's value. Throws Error(usage) when a voxel has several components, Error(unavailable) when memory is refused.
LabelCensus measure_labels(const Volume& volume, int threads = 0);

/// One label of the map before, and the same label after: all zero but the value when it vanished.
struct LabelChange {
    LabelFacts before, after;

    bool vanished() const { return after.voxels == 0; }
    double volume_percent() const { return 100.0 * (after.volume_mm3 - before.volume_mm3) / before.volume_mm3; }
};

struct LabelReport {
    std::vector<LabelChange> labels;   ///< all that were there before, ascending
    std::optional<LabelFacts> fill;    ///< what lies outside the input, where that is no label of the map before
    std::vector<LabelFacts> invented;  ///< others after but not before, ascending: resampling must never make one
    std::int64_t not_labels_before = 0, not_labels_after = 0;

    std::int64_t vanished() const;
};

/// `fill`: the label that output voxels outside the input hold, where there are any.
LabelReport label_report(const LabelCensus& before, const LabelCensus& after, std::optional<std::int64_t> fill = {});

}  // namespace revoxel::pipeline
