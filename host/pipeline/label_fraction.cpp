#include "pipeline/label_fraction.hpp"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <type_traits>

#include "executors/thread_pool.hpp"
#include "math/values.hpp"
#include "revoxel/error.hpp"

namespace revoxel::pipeline {
namespace {

/// The stored value that stands for a label; none where the type has no such value.
template <typename T>
std::optional<T> stored_label(double stored) {
    if constexpr (std::is_integral_v<T>) {
        const double whole = std::rint(stored);
        const T value = math::convert<T>(whole);
        if (std::fabs(stored - whole) > 1e-6 || static_cast<double>(value) != whole) return std::nullopt;
        return value;
    }
    return static_cast<T>(stored);
}

}  // namespace

void indicate(const ScaledLabel& label, DType dtype, const void* first, std::int64_t count, std::uint8_t* out) {
    dispatch(dtype, [&](auto zero) {
        using T = decltype(zero);
        const std::optional<T> wanted = stored_label<T>((label.value - label.intercept) / label.slope);
        const T* values = static_cast<const T*>(first);
        for (std::int64_t v = 0; v < count; ++v) out[v] = wanted && values[v] == *wanted ? 1 : 0;
    });
}

Volume indicator(const ScaledVolume& labels, double label, int threads) {
    const Volume& volume = *labels.volume;
    if (!std::isfinite(label)) {
        throw Error(ErrorCode::usage, fmt::format("a label of {} is not possible; expected a number", label));
    }
    if (volume.components() != 1) {
        throw Error(ErrorCode::usage,
                    fmt::format("labels stand in volumes of one component; these voxels have {}", volume.components()));
    }
    Volume result(volume.grid(), DType::uint8, volume.frames());
    const std::int64_t slices = volume.frames() * volume.grid().extent[2];
    const std::int64_t voxels = volume.grid().extent[0] * volume.grid().extent[1];  // of a slice
    ThreadPool pool(threads);
    pool.for_each(slices, [&](std::int64_t slice, int) {
        const std::int64_t bytes = voxels * static_cast<std::int64_t>(size_of(volume.dtype()));
        indicate({label, labels.slope, labels.intercept}, volume.dtype(), volume.data() + slice * bytes, voxels,
                 reinterpret_cast<std::uint8_t*>(result.data()) + slice * voxels);
    });
    return result;
}

}  // namespace revoxel::pipeline
