#include "tables.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "revoxel/error.hpp"

namespace revoxel::cuda {

std::int32_t narrow(std::int64_t value) {
    constexpr std::int64_t kMost = std::int64_t{1} << 30;
    if (value >= -kMost && value <= kMost) return static_cast<std::int32_t>(value);
    throw Error(
        ErrorCode::unavailable,
        fmt::format("backend cuda: an axis or a stride of {} voxels is too long, it can do {}; choose --backend cpu",
                    value, kMost));
}

template <typename C>
AxisPlaces add_axis(Tables& tables, const TapTable* table, std::int64_t n) {
    AxisPlaces places;
    std::vector<std::int32_t> first, count;
    std::vector<C> weight, bias;
    if (table == nullptr) {
        places.n_in = narrow(n);
        for (std::int64_t o = 0; o < n; ++o) first.push_back(static_cast<std::int32_t>(o));
        count.assign(first.size(), 1);
        weight.assign(first.size(), C(1));
    } else {
        places.n_in = narrow(table->n_in);
        places.wraps = table->wraps;
        places.stride = std::max(1, narrow(table->stride));
        for (const std::int64_t f : table->first) first.push_back(narrow(f));
        count = table->count;
        for (const double w : table->weight) weight.push_back(static_cast<C>(w));
        for (const double b : table->bias) bias.push_back(static_cast<C>(b * table->outside_value));
    }
    places.first = tables.add(first);
    places.count = tables.add(count);
    places.weight = tables.add(weight);
    if (!bias.empty()) places.bias = tables.add(bias);
    return places;
}

template AxisPlaces add_axis<float>(Tables&, const TapTable*, std::int64_t);
template AxisPlaces add_axis<double>(Tables&, const TapTable*, std::int64_t);

}  // namespace revoxel::cuda
