// Scores of classes: channels to labels without holding resampled channels, and scores to probabilities.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "revoxel/executor.hpp"
#include "revoxel/plan.hpp"
#include "revoxel/volume.hpp"

namespace revoxel::pipeline {

/// Bytes for what argmax_channels holds of a part of the output: the largest score so far and that of one channel, and
/// the array that a gather reads, where passes make one.
inline constexpr std::int64_t kArgmaxScratchBytes = 16 << 20;

/// Who ran, and the most scratch memory that was held at a time.
struct ArgmaxRun {
    std::string backend;  ///< name() of the executors
    std::int64_t scratch_bytes = 0;
};

/// What is wrong with the labels of so many channels (empty: 0, 1, 2, ...) in an output of this type: not one for each,
/// or one that does not fit. Empty: nothing.
std::string channel_labels_complaint(const std::vector<std::int64_t>& table, std::int64_t channels, DType output);

/// Writes, in each output voxel, the label of the channel whose resampled score is largest: the first of equals, and
/// NaN is less than any score. Voxels without a score (outside the input, or NaN in all channels) hold the plan's fill.
/// The result is bit for bit that of resampling each channel whole, into the plan's compute type, whatever
/// `scratch_bytes` and the number of threads.
///
/// `plan` resamples one channel; its output dtype plays no part. The frames of `scores` are the channels, `table` has
/// the label of each; empty: 0, 1, 2, ... Throws Error(usage) for what channel_labels_complaint finds, and when scores
/// have several components.
ArgmaxRun argmax_channels(const Plan& plan, Backend backend, const ExecutorOptions& options, const Volume& scores,
                          std::vector<std::int64_t> table, Volume& output,
                          std::int64_t scratch_bytes = kArgmaxScratchBytes);

/// The frames v_c of each voxel become e^v_c / sum_c e^v_c, computed in double and rounded once. NaN stays and takes no
/// part; where infinity is the largest, the infinite ones share 1. Throws Error(usage) for integers. The result does
/// not depend on `threads` (0: one per core).
void softmax_in_place(Volume& scores, int threads = 0);

}  // namespace revoxel::pipeline
