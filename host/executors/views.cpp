#include "executors/views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "revoxel/error.hpp"

namespace revoxel {
namespace {

void check_view(const char* what, const ConstVolumeView& view, const Grid& grid, DType dtype) {
    if (view.data != nullptr && view.extent == grid.extent && view.dtype == dtype) return;
    throw Error(ErrorCode::usage,
                fmt::format("the {} view holds {} x {} x {} voxels of {}{}; the plan expects {} x {} x {} of {}", what,
                            view.extent[0], view.extent[1], view.extent[2], name_of(view.dtype),
                            view.data == nullptr ? " at a null address" : "", grid.extent[0], grid.extent[1],
                            grid.extent[2], name_of(dtype)));
}

}  // namespace

void check_views(const Plan& plan, const ConstVolumeView& input, const VolumeView& output) {
    check_view("input", input, plan.input, plan.options.input_dtype);
    check_view("output", output, plan.output, plan.options.output_dtype);
}

ConstVolumeView permuted(const ConstVolumeView& input, const std::array<int, 3>& input_axis) {
    ConstVolumeView view = input;
    for (int a = 0; a < 3; ++a) {
        view.extent[a] = input.extent[input_axis[a]];
        view.stride[a] = input.stride[input_axis[a]];
    }
    return view;
}

void fill_row(std::byte* first, DType dtype, std::int64_t stride, std::int64_t n, double value) {
    dispatch(dtype, [&](auto zero) {
        using T = decltype(zero);
        T* voxels = reinterpret_cast<T*>(first);
        const T stored = math::saturate_round<T>(value);
        for (std::int64_t i = 0; i < n; ++i) voxels[i * stride] = stored;
    });
}

FiniteRange finite_range(const ConstVolumeView& view, const Box3& box) {
    FiniteRange range{INFINITY, -INFINITY};
    dispatch(view.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t k = box.lo[2]; k < box.hi[2]; ++k) {
            for (std::int64_t j = box.lo[1]; j < box.hi[1]; ++j) {
                const T* row = reinterpret_cast<const T*>(address(view, 0, j, k));
                for (std::int64_t i = box.lo[0]; i < box.hi[0]; ++i) {
                    const auto v = static_cast<double>(row[i * view.stride[0]]);
                    if (!std::isfinite(v)) continue;
                    range.low = std::min(range.low, v);
                    range.high = std::max(range.high, v);
                }
            }
        }
    });
    return range;
}

FiniteRange united(const FiniteRange& a, const FiniteRange& b) {
    if (a.low > a.high) return b;
    if (b.low > b.high) return a;
    return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

math::Storing storing_of(const Plan& plan, const FiniteRange& range) {
    const PlanOptions& options = plan.options;
    math::Storing storing;
    storing.scaled = options.output_slope != 1.0 || options.output_intercept != 0.0;
    storing.slope = options.output_slope;
    storing.intercept = options.output_intercept;
    storing.rounding = options.rounding == Rounding::away       ? math::RoundTo::away
                       : options.rounding == Rounding::truncate ? math::RoundTo::zero
                                                                : math::RoundTo::even;
    storing.clipped = options.clip == Clip::global && range.low <= range.high;
    storing.low = range.low + 0.0;  // of the two zeros one, whichever was seen first
    storing.high = range.high + 0.0;
    storing.binary = options.threshold.has_value();
    storing.threshold = options.threshold.value_or(0.0);
    storing.plain = !storing.scaled && !storing.clipped && !storing.binary && options.rounding == Rounding::even;
    return storing;
}

math::GatherFrame frame_of(const AffineGather& gather) {
    math::GatherFrame frame{};
    for (int d = 0; d < 3; ++d) {
        for (int c = 0; c < 4; ++c) frame.out_to_in[d][c] = gather.out_to_in(d, c);
        frame.first_output[d] = gather.first_output[d];
        frame.inside[d] = gather.inside[d];
        frame.margin[d] = gather.margin[d];
        frame.nearest[d] = gather.kernel[d] == Kernel::nearest;
    }
    frame.extend = gather.outside == Outside::extend;
    switch (gather.boundary) {
        case Boundary::mirror: frame.fold = math::Fold::mirror; break;
        case Boundary::reflect: frame.fold = math::Fold::reflect; break;
        case Boundary::wrap: frame.fold = math::Fold::wrap; break;
        default: frame.fold = math::Fold::clamp; break;
    }
    return frame;
}

}  // namespace revoxel
