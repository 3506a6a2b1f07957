// Does the output of a resampling look like its input? What --compare says.
#pragma once

#include <string>
#include <vector>

#include "pipeline/statistics.hpp"
#include "revoxel/plan.hpp"

namespace revoxel::pipeline {

struct Comparison {
    Statistics input, output;  ///< both over the field of view that the two grids share
    Histogram input_histogram, output_histogram;
    double histogram_distance = 0.0;
    double mean_shift_sd = 0.0;         ///< (output mean - input mean) / input SD; 0 when the SD is 0
    std::vector<std::string> findings;  ///< one line each; empty when the two differ as resampling lets them
};

/// The largest sum of |weight| with which a plan makes an output value, over all output values: 1 for kernels without
/// negative weights. With L of it, no output value lies outside the input's range by more than (L - 1)/2 of that range.
double overshoot_factor(const Plan& plan);

/// Statistics of both volumes and what is odd about them. Stored values of `input` are on plan.input, of `output` on
/// plan.output. A finding is raised when
/// - a value leaves the whole input's range by more than overshoot_factor allows, half a step of an integer output type
///   and float rounding: no resampling can do that;
/// - finite input gives NaN or infinity;
/// - the mean moves by more than kMeanShift of the input's SD plus `edge`, where edge = 1/2 sum over the resampled axes
///   of 1/(fewest voxels): the outermost voxels get another weight when the grid changes, at most half a voxel's;
/// - the SD grows by more than the share kSdGrowth plus `edge` (smoothing lowers it; nothing raises it that much but a
///   change of contrast);
/// - the histograms are more than kHistogramDistance + edge/4 + kSmoothingDistance (input SD - output SD, if positive)
/// /
///   range apart: values that smoothing pulls together are that far from where they were.
/// The bounds on mean, SD and histograms are kSamplingLeniency times as wide where an axis is down-sampled without
/// low-pass, because the output then is a sample of the input's voxels.
/// The constants are about twice the largest values seen on CT, MR and PET scans between 1/5 and 4 times their spacing.
Comparison compare_values(const Plan& plan, const ScaledVolume& input, const ScaledVolume& output);

inline constexpr double kMeanShift = 0.04;
inline constexpr double kSdGrowth = 0.04;
inline constexpr double kHistogramDistance = 0.03;
inline constexpr double kSmoothingDistance = 1.5;
inline constexpr double kSamplingLeniency = 5.0;

}  // namespace revoxel::pipeline
