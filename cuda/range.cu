#include "range.hpp"

#include <thrust/iterator/counting_iterator.h>
#include <cmath>
#include <cub/device/device_reduce.cuh>
#include <limits>

#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

struct Range {
    double low, high;
};

/// The finite value of voxel number n, twice.
struct RangeOfVoxel {
    Field field;

    __device__ Range operator()(std::int64_t n) const {
        const std::int64_t row = n / field.extent[0];
        const std::int64_t at = field.offset(n % field.extent[0], row % field.extent[1], row / field.extent[1]);
        Range range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
        with_type(field.dtype, [&](auto typed) {
            using T = typename decltype(typed)::type;
            const auto v = static_cast<double>(reinterpret_cast<const T*>(field.data)[at]) + 0.0;  // no negative zero
            if (std::isfinite(v)) range = {v, v};
        });
        return range;
    }
};

struct Unite {
    __device__ Range operator()(const Range& a, const Range& b) const {
        return {a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high};
    }
};

cudaError_t reduce(void* scratch, std::size_t& bytes, const Field& field, Range* range, StreamHandle stream) {
    const Range none{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
    return cub::DeviceReduce::TransformReduce(scratch, bytes, thrust::counting_iterator<std::int64_t>(0), range,
                                              field.extent[0] * field.extent[1] * field.extent[2], Unite{},
                                              RangeOfVoxel{field}, none, stream);
}

}  // namespace

RangeFinder::RangeFinder(std::int64_t voxels, DType dtype) : range_(sizeof(Range)) {
    std::size_t bytes = 0;
    reduce(nullptr, bytes, {nullptr, dtype, {voxels, 1, 1}, {1, 1, 1}}, nullptr, nullptr);
    check_launch();
    scratch_ = DeviceMemory(std::max<std::size_t>(1, bytes));
}

void RangeFinder::find(const Field& field, StreamHandle stream) const {
    Field ordered = field;  // any order of axes will do: the one in which they lie in memory
    for (int pass = 0; pass < 2; ++pass) {
        for (int a = 0; a < 2; ++a) {
            if (std::abs(ordered.stride[a]) <= std::abs(ordered.stride[a + 1])) continue;
            std::swap(ordered.stride[a], ordered.stride[a + 1]);
            std::swap(ordered.extent[a], ordered.extent[a + 1]);
        }
    }
    std::size_t bytes = scratch_.bytes();
    reduce(scratch_.data(), bytes, ordered, reinterpret_cast<Range*>(range_.data()), stream);
    check_launch();
}

}  // namespace revoxel::cuda
