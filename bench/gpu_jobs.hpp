// What bench_gpu measures. Plans and numbers only; nothing here needs a GPU.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "executors/thread_pool.hpp"
#include "revoxel/plan.hpp"

namespace revoxel::bench {

/// What the input holds: noise everywhere, or blocks of 16 x 16 x 8 voxels of one label each.
enum class GpuData { noise, blocks };

/// Volumes of one plan, one after the other in memory.
struct GpuPart {
    Plan plan;
    std::int64_t count = 1;
};

struct GpuJob {
    std::string name;    ///< bench/gpu_peers.py knows it by this
    std::string what;    ///< for the report
    std::string group;   ///< which floor bounds peers: linear, antialiased, spline, labels; "": none
    bool fused = false;  ///< straight axes: the bytes of input and output are the floor, and one march should reach it
    GpuData data = GpuData::noise;
    std::vector<GpuPart> parts;
    /// Rows of 12, for each patch of parts[0]: all patches read the first input volume. Empty: no patches.
    std::vector<double> affines;
    /// The label of each channel: parts[0] resamples one channel of scores, the output is the label of the largest.
    /// Empty: no scores.
    std::vector<std::int64_t> channel_labels;

    std::int64_t channels() const { return static_cast<std::int64_t>(channel_labels.size()); }
    std::int64_t input_volumes(const GpuPart& part) const {
        if (!channel_labels.empty()) return channels();
        return affines.empty() ? part.count : 1;
    }
    std::int64_t input_bytes() const;
    std::int64_t output_bytes() const;
    bool single() const { return parts.size() == 1 && parts[0].count == 1; }
};

/// Every job; each extent divided by `scale`, the counts of batches by its cube.
std::vector<GpuJob> gpu_jobs(int scale);

/// The plan of patch n of a job of patches, as any executor runs it.
Plan patch_plan(const GpuJob& job, std::int64_t n);

/// Writes the inputs of a job, all its volumes. The same on every machine.
void fill_input(const GpuJob& job, std::byte* to, ThreadPool& pool);

}  // namespace revoxel::bench
