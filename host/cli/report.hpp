// What `revoxel resample` tells a person: plain ASCII for 80 columns.
#pragma once

#include <cstdint>
#include <string>

#include "pipeline/judgement.hpp"
#include "revoxel/resample.hpp"

namespace revoxel::cli {

/// What becomes of one output axis (on the gather route: of one input axis): "no change", "up-sampling 2.5x",
/// "down-sampling 0.667x, antialiased", ...
std::string axis_text(const Plan& plan, int axis);
/// "none" or "0.244 v - 500"
std::string scaling_text(const io::NiftiHeader& header);
/// "sform (code 1)"
std::string transform_text(const io::NiftiHeader& header);
/// What the other transform says: "qform agrees", "qform differs by 1.2 mm (0.6 voxel)"; empty when there is none.
std::string disagreement_text(const io::NiftiHeader& header);
/// "int16", "3 x uint8", "complex of float32"
std::string voxel_text(const io::NiftiHeader& header);
/// "LPS, oblique 9.3 deg"
std::string orientation_text(const Affine& affine);

/// Before computing: the before/after table and what will be done.
std::string plan_report(const ResampleJob& job);
/// Plan::describe() and the bytes of everything.
std::string explanation(const ResampleJob& job);
/// After computing.
std::string result_report(const ResampleJob& job, const ResampleResult& result);
std::string comparison_report(const pipeline::Comparison& comparison);

/// The most memory that the program has held so far, bytes.
std::int64_t peak_bytes();

/// Share of the stored values per second that a phase handled.
struct Throughput {
    double mvoxels_per_s = 0, mbytes_per_s = 0;
};
/// Of the resampling itself: output values made, input and output bytes.
Throughput resample_throughput(const ResampleJob& job, const ResampleResult& result);

double total_seconds(const ResampleResult& result);

}  // namespace revoxel::cli
