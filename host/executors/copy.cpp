#include "executors/copy.hpp"

#include <algorithm>
#include <cstring>

#include "executors/views.hpp"

namespace revoxel {
namespace {

template <typename From, typename To>
void copy_row(const From* in, std::int64_t in_stride, const std::int64_t* source, To* out, std::int64_t out_stride,
              std::int64_t n) {
    const std::int64_t first = source[0], last = source[n - 1];
    if constexpr (std::is_same_v<From, To>) {
        // Sources advance by floor or ceil of one constant step, so this sum means that each step is 1.
        if (in_stride == 1 && out_stride == 1 && last - first == n - 1) {
            std::memcpy(out, in + first, static_cast<std::size_t>(n) * sizeof(To));
            return;
        }
    }
    for (std::int64_t i = 0; i < n; ++i) out[i * out_stride] = math::convert<To>(in[source[i] * in_stride]);
}

/// Nearest voxel of each output index of one row of a gather; fill stays where there is none.
template <typename From, typename To>
void gather_row(const math::GatherFrame& frame, const Extent& origin, const ConstVolumeView& input,
                const VolumeView& output, std::int64_t lo, std::int64_t hi, std::int64_t j, std::int64_t k) {
    for (std::int64_t i = lo; i < hi; ++i) {
        double c[3];
        if (!math::locate(frame, i, j, k, c)) continue;
        Extent at;
        for (int d = 0; d < 3; ++d) {
            const std::int64_t nearest = math::floor_index(c[d] + 0.5 + math::kTieTolerance);
            at[d] = std::clamp<std::int64_t>(nearest, 0, frame.inside[d] - 1) - origin[d];
        }
        const From value = *reinterpret_cast<const From*>(address(input, at[0], at[1], at[2]));
        *reinterpret_cast<To*>(address(output, i, j, k)) = math::convert<To>(value);
    }
}

}  // namespace

VoxelCopy::VoxelCopy(const Plan& plan) : plan_(plan) {
    for (int a = 0; a < 3; ++a) {
        source_[a].resize(static_cast<std::size_t>(plan.output.extent[a]));
        for (std::size_t o = 0; o < source_[a].size(); ++o) source_[a][o] = static_cast<std::int64_t>(o);
    }
    for (const Stage& stage : plan.stages) {
        if (const auto* pass = std::get_if<AxisPass>(&stage)) {
            source_[pass->axis] = pass->taps.first;
        } else {
            gather_ = &std::get<AffineGather>(stage);
        }
    }
}

void VoxelCopy::run(const ConstVolumeView& original, const VolumeView& output, ThreadPool& pool,
                    const std::function<void(double)>& progress) const {
    const ConstVolumeView input = permuted(original, plan_.input_axis);
    const Box3& box = plan_.covered;
    const math::GatherFrame frame = gather_ ? frame_of(*gather_) : math::GatherFrame{};
    const auto slice = [&](std::int64_t k, int) {
        dispatch(input.dtype, [&](auto from) {
            dispatch(output.dtype, [&](auto to) {
                using From = decltype(from);
                using To = decltype(to);
                for (std::int64_t j = 0; j < output.extent[1]; ++j) {
                    const bool covered = k >= box.lo[2] && k < box.hi[2] && j >= box.lo[1] && j < box.hi[1];
                    const bool whole = covered && !gather_ && box.lo[0] == 0 && box.hi[0] == output.extent[0];
                    if (!whole) {
                        fill_row(address(output, 0, j, k), output.dtype, output.stride[0], output.extent[0],
                                 plan_.options.fill);
                    }
                    if (!covered) continue;
                    if (gather_) {
                        gather_row<From, To>(frame, gather_->origin, input, output, box.lo[0], box.hi[0], j, k);
                    } else {
                        const auto sj = source_[1][static_cast<std::size_t>(j)],
                                   sk = source_[2][static_cast<std::size_t>(k)];
                        copy_row(reinterpret_cast<const From*>(address(input, 0, sj, sk)), input.stride[0],
                                 source_[0].data() + box.lo[0], reinterpret_cast<To*>(address(output, box.lo[0], j, k)),
                                 output.stride[0], box.hi[0] - box.lo[0]);
                    }
                }
            });
        });
    };
    pool.for_each(output.extent[2], slice, progress);
}

std::int64_t VoxelCopy::workspace_bytes() const noexcept {
    return static_cast<std::int64_t>((source_[0].size() + source_[1].size() + source_[2].size()) *
                                     sizeof(std::int64_t));
}

}  // namespace revoxel
