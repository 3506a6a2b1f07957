// The output of a plan in slabs: so that what is on the device at a time is bounded, and that copies and kernels
// overlap.
#pragma once

#include <cstdint>
#include <vector>

#include "revoxel/plan.hpp"

namespace revoxel::cuda {

/// How thick slabs are, in output voxels. Slices stay whole unless one by itself is too much.
struct SlabSize {
    std::int64_t slices = 1, rows = 1;

    /// About half of it. False: it is one row already.
    bool halve();
};

struct Slab {
    Box3 output;
    Box3 input;  ///< what it reads; empty: it is all fill
};

/// One slab is brought, one computed, one fetched.
inline constexpr std::int64_t kMostSlots = 3;

struct SlabCut {
    SlabSize size;
    std::vector<Slab> slabs;
    std::int64_t input_bytes = 0, output_bytes = 0;  ///< of the largest
    std::int64_t uploaded_bytes = 0;                 ///< of all inputs
    std::int64_t most_slots = kMostSlots;

    /// Of slabs that `runners` share each has so many on its device at a time.
    std::int64_t slots(std::size_t runners) const;
    /// One slab that reads the whole input.
    bool is_whole(const Plan& plan) const;
    /// Of the slots of one runner.
    std::int64_t slot_bytes(std::size_t runners) const { return slots(runners) * (input_bytes + output_bytes); }
};

/// The whole output as one slab.
SlabSize whole_size(const Plan& plan);
SlabCut cut_into_slabs(const Plan& plan, const SlabSize& size, std::int64_t most_slots = kMostSlots);

/// The first choice for so many runners, each of which may use `bytes` on its device: slabs of some 32 MB, larger ones
/// where neighbours would read much of the same input, thinner ones where they must be.
SlabCut choose_slabs(const Plan& plan, std::size_t runners, std::int64_t bytes, std::int64_t most_slots = kMostSlots);

}  // namespace revoxel::cuda
