#include "pipeline/memory.hpp"

#include <fmt/format.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "executors/two_step.hpp"
#include "pipeline/argmax.hpp"
#include "revoxel/error.hpp"

namespace revoxel::pipeline {

std::int64_t volume_bytes(const io::NiftiHeader& header) {
    std::int64_t bytes = voxel_count(header.grid);
    const std::int64_t voxel = header.components * static_cast<std::int64_t>(size_of(header.dtype));
    if (__builtin_mul_overflow(bytes, header.frames(), &bytes) || __builtin_mul_overflow(bytes, voxel, &bytes)) {
        throw Error(ErrorCode::input,
                    fmt::format("{} x {} x {} voxels x {} volumes cannot be addressed", header.grid.extent[0],
                                header.grid.extent[1], header.grid.extent[2], header.frames()));
    }
    return bytes;
}

namespace {

/// The array that a gather reads, where passes make one, and what clipping and leaving out hold; all other scratch is
/// small.
double workspace_bytes(const ResampleJob& job) {
    const Plan& plan = job.plan;
    if (job.request.label.argmax) return static_cast<double>(kArgmaxScratchBytes);
    if (needs_two_steps(plan)) return static_cast<double>(two_step_scratch_bytes(plan));
    if (plan.stages.size() < 2) return 0.0;
    const auto* gather = std::get_if<AffineGather>(&plan.stages.back());
    if (gather == nullptr) return 0.0;
    const Extent& n = gather->extent;
    return static_cast<double>(n[0]) * static_cast<double>(n[1]) * static_cast<double>(n[2]) *
           (plan.compute == ComputeType::f32 ? 4.0 : 8.0);
}

/// RAM and swap, or what a container is limited to.
double available_bytes() {
    double have = std::numeric_limits<double>::infinity();
    struct sysinfo info {};
    if (::sysinfo(&info) == 0) {
        have = (static_cast<double>(info.totalram) + static_cast<double>(info.totalswap)) * info.mem_unit;
    }
    for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
        double limit = 0.0;
        if (std::ifstream(path) >> limit && limit > 0.0) have = std::min(have, limit);  // "max" is no number
    }
    return have;
}

}  // namespace

std::string memory_shortage(const ResampleJob& job) {
    const double have = available_bytes();
    const double need = static_cast<double>(volume_bytes(job.input)) + static_cast<double>(volume_bytes(job.output)) +
                        workspace_bytes(job);
    if (need <= have) return {};
    return fmt::format("this needs {:.4g} GB of memory, there are {:.4g} GB; ask for a coarser grid", need / 1e9,
                       have / 1e9);
}

}  // namespace revoxel::pipeline
