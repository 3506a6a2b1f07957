// Plans that compute nothing: voxels are moved.
#pragma once

#include <vector>

#include "executors/thread_pool.hpp"
#include "revoxel/plan.hpp"
#include "revoxel/volume.hpp"

namespace revoxel {

/// Moves the voxels of a plan with is_copy(); bit for bit where the dtypes agree, else through math::convert.
class VoxelCopy {
public:
    explicit VoxelCopy(const Plan& plan);
    /// Writes every voxel of `output`, the fill as well.
    void run(const ConstVolumeView& input, const VolumeView& output, ThreadPool& pool,
             const std::function<void(double)>& progress) const;
    std::int64_t workspace_bytes() const noexcept;

private:
    const Plan& plan_;
    std::array<std::vector<std::int64_t>, 3>
        source_;  ///< per output axis: input index of each output index, -1 for fill
    const AffineGather* gather_ = nullptr;
};

}  // namespace revoxel
