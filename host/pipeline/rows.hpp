// Walking over stored values, and the quick facts that one walk gives.
#pragma once

#include <cstdint>
#include <functional>

#include "executors/thread_pool.hpp"
#include "pipeline/field_of_view.hpp"
#include "revoxel/resample.hpp"
#include "revoxel/volume.hpp"

namespace revoxel::pipeline {

/// Stored values v of a volume, which stand for slope * v + intercept.
struct ScaledVolume {
    const Volume* volume = nullptr;
    double slope = 1.0;
    double intercept = 0.0;

    double scaled(double stored) const { return slope * stored + intercept; }
};

/// Calls visit(const T* values, std::int64_t count) for each row of the field, all frames, components interleaved as in
/// memory. T is the stored type.
template <typename Visit>
void visit_rows(const Volume& volume, const CommonField& field, Visit&& visit) {
    const Extent n = volume.grid().extent;
    const int components = volume.components();
    dispatch(volume.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const T* all = reinterpret_cast<const T*>(volume.data());
        for (std::int64_t frame = 0; frame < volume.frames(); ++frame) {
            for (std::int64_t k = 0; k < n[2]; ++k) {
                for (std::int64_t j = 0; j < n[1]; ++j) {
                    const Range i = field.row(j, k);
                    if (i.empty()) continue;
                    const std::int64_t row = ((frame * n[2] + k) * n[1] + j) * n[0];
                    visit(all + (row + i.lo) * components, i.count() * components);
                }
            }
        }
    });
}

/// Range of the finite stored values of all frames and components; NaN where there is none. Uses up to `threads`
/// threads (0: one per core).
ValueRange stored_range(const Volume& volume, int threads = 0);

ValueRange stored_range(DType dtype, const void* first, std::int64_t count, ThreadPool& pool);
ValueRange united(const ValueRange& a, const ValueRange& b);

/// NaN becomes `stored`.
void replace_nan(DType dtype, void* first, std::int64_t count, double stored);

/// The same after scaling.
ValueRange scaled_range(const ScaledVolume& values, int threads = 0);
ValueRange scaled_range(const ValueRange& stored, double slope, double intercept);

}  // namespace revoxel::pipeline
