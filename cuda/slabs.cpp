#include "slabs.hpp"

#include <algorithm>

namespace revoxel::cuda {
namespace {

constexpr std::int64_t kSlabBytes = std::int64_t{32} << 20;  // input and output
constexpr double kMostRepeated = 1.25;                       // bytes that are brought, of those of one slab
constexpr std::int64_t kMostSlabs = 4096;                    // each has its tables

std::int64_t voxels_of(const Box3& box) {
    return std::max<std::int64_t>(1, box.count());  // Plan::part reads one voxel where it needs none
}

}  // namespace

bool SlabSize::halve() {
    std::int64_t& thick = slices > 1 ? slices : rows;
    if (thick == 1) return false;
    thick = (thick + 1) / 2;
    return true;
}

std::int64_t SlabCut::slots(std::size_t runners) const {
    const std::int64_t each =
        (std::ssize(slabs) + static_cast<std::int64_t>(runners) - 1) / static_cast<std::int64_t>(runners);
    return std::min(each, most_slots);
}

bool SlabCut::is_whole(const Plan& plan) const {
    return slabs.size() == 1 && slabs[0].input == Box3{{0, 0, 0}, plan.input.extent};
}

SlabSize whole_size(const Plan& plan) {
    return {plan.output.extent[2], plan.output.extent[1]};
}

SlabCut cut_into_slabs(const Plan& plan, const SlabSize& size, std::int64_t most_slots) {
    SlabCut cut{size, {}, 0, 0, 0, most_slots};
    const Extent& n = plan.output.extent;
    const auto in_scalar = static_cast<std::int64_t>(size_of(plan.options.input_dtype));
    const auto out_scalar = static_cast<std::int64_t>(size_of(plan.options.output_dtype));
    for (std::int64_t k = 0; k < n[2]; k += size.slices) {
        for (std::int64_t j = 0; j < n[1]; j += size.rows) {
            const Box3 box{{0, j, k}, {n[0], std::min(j + size.rows, n[1]), std::min(k + size.slices, n[2])}};
            cut.slabs.push_back({box, plan.input_box(box)});
            const std::int64_t input = voxels_of(cut.slabs.back().input) * in_scalar;
            cut.input_bytes = std::max(cut.input_bytes, input);
            cut.output_bytes = std::max(cut.output_bytes, box.count() * out_scalar);
            cut.uploaded_bytes += input;
        }
    }
    return cut;
}

SlabCut choose_slabs(const Plan& plan, std::size_t runners, std::int64_t bytes, std::int64_t most_slots) {
    SlabCut cut = cut_into_slabs(plan, whole_size(plan), most_slots);
    const double once = kMostRepeated * static_cast<double>(cut.uploaded_bytes);
    for (SlabSize size = cut.size; size.halve();) {
        const bool must = cut.slot_bytes(runners) > bytes;
        const bool pays = cut.input_bytes + cut.output_bytes > kSlabBytes || cut.slabs.size() < runners;
        if (!must && !pays) break;
        SlabCut finer = cut_into_slabs(plan, size, most_slots);
        if (!must && static_cast<double>(finer.uploaded_bytes) > once) break;
        if (std::ssize(finer.slabs) > kMostSlabs) break;
        cut = std::move(finer);
    }
    return cut;
}

}  // namespace revoxel::cuda
