// File to file with memory that does not grow with the volume.
#pragma once

#include "engine/selection.hpp"
#include "pipeline/memory.hpp"
#include "revoxel/resample.hpp"

namespace revoxel::pipeline {

/// Runs a job whose MemoryPlan says that it can be streamed: reads the input front to back, resamples slab after slab
/// and writes each while the next is made. The same bytes as from whole volumes. Throws Error; no output is left then.
void run_streamed(const ResampleJob& job, const MemoryPlan& memory, const ResampleObserver& observer,
                  ResampleResult& result);

/// What executors are told of a job. Their warnings become those of `result`, which lives as long as they.
ExecutorOptions executor_options(const ResampleJob& job, ResampleResult& result);

/// What all executors of a job run on. Sets ResampleResult::backend_reason.
BackendSelection select_backend(const ResampleJob& job, ResampleResult& result);

/// A label that does not fit the output's type would become another one. `stored`: range of the input.
void check_labels_fit(const ResampleJob& job, const ValueRange& stored);

/// The file may have changed since it was planned for.
void check_unchanged(const ResampleJob& job, const io::NiftiHeader& read);

}  // namespace revoxel::pipeline
