#include "revoxel/volume.hpp"

#include <fmt/format.h>

#include <cassert>
#include <cstdlib>

#include "revoxel/error.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace revoxel {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Below it the memory that the last page wastes is worth more than the time.
constexpr std::size_t kUsesHugePages = std::size_t{32} << 20;

/// Large volumes ask for large pages: the system brings memory in as it is first written, and takes ten times as long
/// for that as the resampling does where it comes in pieces of 4 KiB.
std::byte* allocate(std::size_t bytes) {
    const std::size_t alignment = bytes >= kUsesHugePages ? kHugePage : 64;
    void* p = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
#if defined(__linux__)
    if (p != nullptr && bytes >= kUsesHugePages) madvise(p, bytes, MADV_HUGEPAGE);  // a wish: it may be refused
#endif
    return static_cast<std::byte*>(p);
}

}  // namespace

void Volume::Free::operator()(std::byte* p) const noexcept {
    std::free(p);
}

Volume::Volume(const Grid& grid, DType dtype, std::int64_t frames, int components)
    : grid_(grid), dtype_(dtype), frames_(frames), components_(components) {
    const std::int64_t voxel_bytes = components * static_cast<std::int64_t>(size_of(dtype));
    std::int64_t bytes = 0;
    if (frames < 1 || components < 1 || __builtin_mul_overflow(voxel_count(grid), frames, &bytes) ||
        __builtin_mul_overflow(bytes, voxel_bytes, &bytes) || bytes > INT64_MAX - (std::int64_t{4} << 20)) {
        throw Error(ErrorCode::input, fmt::format("a volume of {} x {} x {} voxels x {} frames cannot be addressed",
                                                  grid.extent[0], grid.extent[1], grid.extent[2], frames));
    }
    size_bytes_ = bytes;
    data_.reset(allocate(static_cast<std::size_t>(bytes)));
    if (!data_) {
        throw Error(
            ErrorCode::unavailable,
            fmt::format("{:.2f} GiB of memory for a volume were refused; close other programs or ask for a coarser "
                        "grid",
                        static_cast<double>(bytes) / (1 << 30)));
    }
}

VolumeView Volume::view(std::int64_t frame, int component) {
    assert(frame >= 0 && frame < frames_ && component >= 0 && component < components_);
    const Extent& n = grid_.extent;
    const std::int64_t offset = frame * (n[0] * n[1] * n[2] * components_) + component;
    return {data_.get() + offset * static_cast<std::int64_t>(size_of(dtype_)),
            dtype_,
            n,
            {components_, components_ * n[0], components_ * n[0] * n[1]}};
}

ConstVolumeView Volume::view(std::int64_t frame, int component) const {
    return const_cast<Volume*>(this)->view(frame, component);
}

}  // namespace revoxel
