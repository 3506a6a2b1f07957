#include "fill.hpp"

#include <algorithm>

#include "math/values.hpp"
#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void fill_kernel(Field field, Box box, double value) {
    const std::int64_t width = box.hi[0] - box.lo[0], height = box.hi[1] - box.lo[1],
                       count = width * height * (box.hi[2] - box.lo[2]);
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kThreads;
    with_type(field.dtype, [&](auto typed) {
        using T = typename decltype(typed)::type;
        const T stored = math::saturate_round<T>(value);
        T* voxels = reinterpret_cast<T*>(field.data);
        for (std::int64_t n = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; n < count; n += step) {
            const std::int64_t row = n / width;
            voxels[field.offset(box.lo[0] + n % width, box.lo[1] + row % height, box.lo[2] + row / height)] = stored;
        }
    });
}

}  // namespace

void fill(const Field& field, const Box& box, double value, const Stream& stream) {
    std::int64_t count = 1;
    for (int a = 0; a < 3; ++a) count *= std::max<std::int64_t>(0, box.hi[a] - box.lo[a]);
    if (count == 0) return;
    const unsigned blocks = static_cast<unsigned>(std::min<std::int64_t>((count + kThreads - 1) / kThreads, 65535));
    launch(fill_kernel, {blocks, 1, 1}, {kThreads, 1, 1}, 0, stream, field, box, value);
}

void fill_outside(const Field& field, const Box& box, double value, const Stream& stream) {
    // Slices before and after, then rows, then columns: six boxes that do not overlap.
    Box rest{{0, 0, 0}, {field.extent[0], field.extent[1], field.extent[2]}};
    for (int a = 2; a >= 0; --a) {
        Box before = rest, after = rest;
        before.hi[a] = std::max(rest.lo[a], std::min(box.lo[a], rest.hi[a]));
        after.lo[a] = std::min(rest.hi[a], std::max(box.hi[a], before.hi[a]));
        fill(field, before, value, stream);
        fill(field, after, value, stream);
        rest.lo[a] = before.hi[a];
        rest.hi[a] = after.lo[a];
    }
}

}  // namespace revoxel::cuda
