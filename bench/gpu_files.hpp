// The arrays of bench_gpu as .npy files, for peers. Indexed k, j, i; of several volumes the first index is theirs.
#pragma once

#include <cstddef>
#include <string>

#include "gpu_jobs.hpp"

namespace revoxel::bench {

/// folder/NAME/in.npy, out.npy; NAME is the job's with - for spaces. Jobs of several plans have no single shape and are
/// left out.
void save_arrays(const std::string& folder, const GpuJob& job, const std::byte* input, const std::byte* output);

/// folder/NAME/w0.npy, w1.npy, w2.npy: what each axis is multiplied by, outputs x inputs, float32; of axes that change,
/// of straight plans of one volume that compute sums.
void save_weights(const std::string& folder, const GpuJob& job);

}  // namespace revoxel::bench
