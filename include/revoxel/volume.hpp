// Voxels in memory, and views of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "revoxel/dtype.hpp"
#include "revoxel/grid.hpp"

namespace revoxel {

/// Read-only view of one scalar 3-D field. Strides count scalars (not bytes) and may be negative; `data` points at
/// index (0, 0, 0). A view owns nothing: whoever made it keeps the memory alive.
struct ConstVolumeView {
    const void* data = nullptr;
    DType dtype = DType::float32;
    Extent extent{0, 0, 0};
    std::array<std::int64_t, 3> stride{0, 0, 0};
};

/// As ConstVolumeView, writable.
struct VolumeView {
    void* data = nullptr;
    DType dtype = DType::float32;
    Extent extent{0, 0, 0};
    std::array<std::int64_t, 3> stride{0, 0, 0};

    operator ConstVolumeView() const { return {data, dtype, extent, stride}; }
};

/// One or more 3-D fields on one grid: `frames` volumes (4-D and more), each voxel `components` interleaved scalars
/// (RGB has 3, complex 2). Memory order: component, i, j, k, frame; 64-byte aligned; not initialised. Moves, does not
/// copy.
class Volume {
public:
    Volume() = default;
    /// Throws Error(unavailable) when the memory is not to be had, Error(input) when the size exceeds int64.
    Volume(const Grid& grid, DType dtype, std::int64_t frames = 1, int components = 1);

    const Grid& grid() const noexcept { return grid_; }
    DType dtype() const noexcept { return dtype_; }
    std::int64_t frames() const noexcept { return frames_; }
    int components() const noexcept { return components_; }
    std::int64_t size_bytes() const noexcept { return size_bytes_; }

    std::byte* data() noexcept { return data_.get(); }
    const std::byte* data() const noexcept { return data_.get(); }

    /// The field of one component of one frame. No bounds check beyond an assertion.
    ConstVolumeView view(std::int64_t frame = 0, int component = 0) const;
    VolumeView view(std::int64_t frame = 0, int component = 0);

private:
    struct Free {
        std::size_t mapped;  ///< bytes of pages of its own; 0: from the heap
        Free() noexcept : mapped(0) {}
        explicit Free(std::size_t bytes) noexcept : mapped(bytes) {}
        void operator()(std::byte* p) const noexcept;
    };
    using Memory = std::unique_ptr<std::byte[], Free>;
    static Memory allocate(std::size_t bytes);

    Grid grid_;
    DType dtype_ = DType::float32;
    std::int64_t frames_ = 0;
    int components_ = 0;
    std::int64_t size_bytes_ = 0;
    Memory data_;
};

}  // namespace revoxel
