#include "pipeline/memory.hpp"

#include <fmt/format.h>
#include <sys/sysinfo.h>

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

std::string memory_shortage(const ResampleJob& job) {
    struct sysinfo info {};
    if (::sysinfo(&info) != 0) return {};
    const double have = (static_cast<double>(info.totalram) + static_cast<double>(info.totalswap)) * info.mem_unit;
    const double need = static_cast<double>(volume_bytes(job.input)) + static_cast<double>(volume_bytes(job.output));
    if (need <= have) return {};
    return fmt::format("input and output need {:.1f} GB of memory, this machine has {:.1f} GB; ask for a coarser grid",
                       need / 1e9, have / 1e9);
}

}  // namespace revoxel::pipeline
