#include "executors/parts.hpp"

#include <algorithm>

namespace revoxel {
namespace {

/// The array that a gather reads after passes have made it; null where there is none.
const AffineGather* prefiltered_gather(const Plan& plan) {
    return plan.stages.size() > 1 ? std::get_if<AffineGather>(&plan.stages.back()) : nullptr;
}

}  // namespace

std::int64_t scratch_bytes_of(const Plan& part, int values) {
    std::int64_t count = values * voxel_count(part.output);
    if (const AffineGather* gather = prefiltered_gather(part)) {
        count += gather->extent[0] * gather->extent[1] * gather->extent[2];
    }
    return count * (part.compute == ComputeType::f32 ? 4 : 8);
}

std::array<bool, 3> cuttable_axes(const Plan& plan) {
    return {prefiltered_gather(plan) != nullptr, true, true};
}

std::vector<Box3> parts_of(const Plan& plan, int values, std::int64_t bytes) {
    std::vector<Box3> parts;
    const auto judge = [&](const Box3& box) {
        return scratch_bytes_of(plan.cropped(box), values) <= bytes ? Cut::keep : Cut::halves;
    };
    add_parts({{0, 0, 0}, plan.output.extent}, cuttable_axes(plan), judge, parts);
    return parts;
}

std::int64_t largest_of(const std::vector<Box3>& parts) {
    std::int64_t most = 0;
    for (const Box3& part : parts) most = std::max(most, part.count());
    return most;
}

}  // namespace revoxel
