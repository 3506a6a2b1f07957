// The finite values of a field, for clip global.
#pragma once

#include <cstddef>

#include "device_view.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

/// Finds the smallest and the largest finite value of fields of one extent and dtype. Takes its memory when it is made.
class RangeFinder {
public:
    RangeFinder() = default;
    RangeFinder(std::int64_t voxels, DType dtype);

    /// Queues it. range()[0] > range()[1] where no value is finite.
    void find(const Field& field, StreamHandle stream) const;
    /// Two doubles on the device.
    const double* range() const noexcept { return reinterpret_cast<const double*>(range_.data()); }
    std::size_t bytes() const noexcept { return range_.bytes() + scratch_.bytes(); }

private:
    DeviceMemory range_, scratch_;
};

}  // namespace revoxel::cuda
