#include "executors/views.hpp"

#include <fmt/format.h>

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

math::Scaling scaling_of(const Plan& plan) {
    const PlanOptions& options = plan.options;
    return {options.output_slope != 1.0 || options.output_intercept != 0.0, options.output_slope,
            options.output_intercept};
}

math::GatherKernel gather_kernel(const AffineGather& gather) {
    switch (gather.kernel) {
        case Kernel::nearest: return math::GatherKernel::nearest;
        case Kernel::linear: return math::GatherKernel::linear;
        case Kernel::cubic: return math::GatherKernel::cubic;
        default: return math::GatherKernel::bspline3;
    }
}

}  // namespace revoxel
