// How a job goes through memory: whole, or a slab of output slices after the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "revoxel/resample.hpp"

namespace revoxel::pipeline {

/// Bytes of all voxels that a header describes. Throws Error(input) beyond int64.
std::int64_t volume_bytes(const io::NiftiHeader& header);

struct MemoryPlan {
    std::string whole;        ///< why input and output must be in memory as a whole; empty: they need not
    std::int64_t slab = 0;    ///< output slices of a slab; streamed only
    std::int64_t window = 0;  ///< the most input slices that a slab reads, with those that later ones still need
    std::int64_t ahead = 0;   ///< bytes of a compressed input that wait decompressed
    std::int64_t bytes = 0;   ///< what the run takes, about
};

/// `inspected`: both volumes are wanted at the end (ResampleObserver::inspect). Slabs are as thick as
/// ResampleRequest::memory allows, or without it as thick as pays.
MemoryPlan plan_memory(const ResampleJob& job, bool inspected);

/// An uncompressed slab is written while the next one is made, and two of them are held: the system takes longer to
/// copy the voxels than it takes to make them. (A compressor has threads and buffers of its own.)
bool writes_behind(const ResampleJob& job);

/// For each slab the input slices that it reads, [lo[2], hi[2]), widened by what must be kept for later slabs (flips)
/// and what earlier ones have read: both ends only grow, so that the input goes by once. The other axes mean nothing.
std::vector<Box3> slab_inputs(const Plan& plan, std::int64_t slab);
std::int64_t widest_window(const Plan& plan, std::int64_t slab);

/// One line when the job takes more than ResampleRequest::memory, or than the machine's memory and swap or the
/// container's limit; else empty. Asking the allocator would not tell: Linux promises more than it has and ends the
/// process later.
std::string memory_shortage(const ResampleJob& job, const MemoryPlan& memory);

}  // namespace revoxel::pipeline
