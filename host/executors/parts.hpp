// Boxes that are worked on one after the other, so that scratch memory stays small.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "revoxel/plan.hpp"

namespace revoxel {

/// What becomes of a box.
enum class Cut {
    drop,    ///< it is left out
    keep,    ///< it is a part
    halves,  ///< its halves are judged instead; where it cannot be cut it is a part
};

/// Adds the parts of `box` to `parts`, judge(const Box3&) deciding. Boxes are cut across their longest axis of those
/// that `may_cut` allows, slices before rows before columns.
template <typename Judge>
void add_parts(const Box3& box, const std::array<bool, 3>& may_cut, const Judge& judge, std::vector<Box3>& parts) {
    const Cut cut = judge(box);
    if (cut == Cut::drop) return;
    std::size_t axis = 2;
    for (std::size_t d : {1, 0}) {
        if (may_cut[d] && (!may_cut[axis] || box.hi[d] - box.lo[d] > box.hi[axis] - box.lo[axis])) axis = d;
    }
    if (cut == Cut::keep || !may_cut[axis] || box.hi[axis] - box.lo[axis] == 1) {
        parts.push_back(box);
        return;
    }
    Box3 low = box, high = box;
    low.hi[axis] = high.lo[axis] = (box.lo[axis] + box.hi[axis]) / 2;
    add_parts(low, may_cut, judge, parts);
    add_parts(high, may_cut, judge, parts);
}

/// The axes across which an output may be cut into parts. Passes read whole rows of the input, so rows stay whole
/// unless a gather reads what the passes make.
std::array<bool, 3> cuttable_axes(const Plan& plan);

/// Parts of the output that together are all of it. Each needs at most `bytes` for `values` computed values of each
/// voxel and for the array that a gather reads, where passes make one; a part that cannot be cut may need more.
std::vector<Box3> parts_of(const Plan& plan, int values, std::int64_t bytes);

/// What parts_of counts for a plan.
std::int64_t scratch_bytes_of(const Plan& part, int values);

/// The most voxels that one of the parts has.
std::int64_t largest_of(const std::vector<Box3>& parts);

}  // namespace revoxel
