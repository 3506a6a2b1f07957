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

// Larger volumes have pages of their own, which go back to the system when the volume does. From the heap they would
// leave holes of their size, where a run makes one for each of its slabs.
constexpr std::size_t kOwnPages = std::size_t{1} << 20;
// Still larger ones ask for large pages: the system brings memory in as it is first written, and in pieces of 4 KiB it
// takes several times as long for that as the resampling does. Below it what the last page wastes is worth more.
constexpr std::size_t kLargePages = std::size_t{32} << 20;

}  // namespace

void Volume::Free::operator()(std::byte* p) const noexcept {
#if defined(__linux__)
    if (mapped > 0) {
        ::munmap(p, mapped);
        return;
    }
#endif
    std::free(p);
}

Volume::Memory Volume::allocate(std::size_t bytes) {
#if defined(__linux__)
    if (bytes >= kOwnPages) {
        void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) return {};
        if (bytes >= kLargePages) ::madvise(p, bytes, MADV_HUGEPAGE);  // a wish, which may be refused
        return Memory(static_cast<std::byte*>(p), Free(bytes));
    }
#endif
    return Memory(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)));
}

Volume::Volume(const Grid& grid, DType dtype, std::int64_t frames, int components)
    : grid_(grid), dtype_(dtype), frames_(frames), components_(components) {
    const std::int64_t voxel_bytes = components * static_cast<std::int64_t>(size_of(dtype));
    std::int64_t bytes = 0;
    if (frames < 1 || components < 1 || __builtin_mul_overflow(voxel_count(grid), frames, &bytes) ||
        __builtin_mul_overflow(bytes, voxel_bytes, &bytes) || bytes > INT64_MAX - 64) {
        throw Error(ErrorCode::input, fmt::format("a volume of {} x {} x {} voxels x {} frames cannot be addressed",
                                                  grid.extent[0], grid.extent[1], grid.extent[2], frames));
    }
    size_bytes_ = bytes;
    data_ = allocate(static_cast<std::size_t>(bytes));
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
