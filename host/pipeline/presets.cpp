#include "pipeline/presets.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "plan/kernels.hpp"
#include "revoxel/error.hpp"

namespace revoxel {
namespace {

/// What a program does with a scan and with a label map. Facts and sources: docs/presets.md.
struct Preset {
    const char* name;
    GridPolicy policy;
    CountRule rule;
    Kernel image, labels;
    Boundary boundary;
    Boundary spline_boundary;  ///< where the kernel is a B-spline
    Outside outside;
    Antialias antialias;
    Clip clip;
    Rounding rounding;
    std::optional<DType> dtype;       ///< none: the input's
    bool nearest_when_thick = false;  ///< along the thick axis of anisotropic voxels: thick_axis_of
};

constexpr Preset kPresets[] = {
    {"ibsi", GridPolicy::centre, CountRule::ceil, Kernel::linear, Kernel::linear, Boundary::edge, Boundary::edge,
     Outside::fill, Antialias::none, Clip::none, Rounding::even, std::nullopt},
    {"simpleitk", GridPolicy::first, CountRule::even, Kernel::linear, Kernel::nearest, Boundary::edge, Boundary::mirror,
     Outside::fill, Antialias::none, Clip::none, Rounding::truncate, std::nullopt},
    {"scipy", GridPolicy::ends, CountRule::even, Kernel::bspline3, Kernel::nearest, Boundary::mirror, Boundary::mirror,
     Outside::fill, Antialias::none, Clip::none, Rounding::away, DType::float64},
    {"skimage", GridPolicy::edges, CountRule::even, Kernel::linear, Kernel::nearest, Boundary::mirror, Boundary::mirror,
     Outside::fill, Antialias::skimage, Clip::global, Rounding::even, DType::float64},
    {"torch", GridPolicy::edges, CountRule::floor, Kernel::linear, Kernel::nearest, Boundary::edge, Boundary::edge,
     Outside::fill, Antialias::none, Clip::none, Rounding::even, DType::float32},
    {"torchio", GridPolicy::centre, CountRule::floor, Kernel::linear, Kernel::nearest, Boundary::edge, Boundary::mirror,
     Outside::fill, Antialias::none, Clip::none, Rounding::truncate, std::nullopt},
    {"monai", GridPolicy::first, CountRule::span, Kernel::linear, Kernel::nearest, Boundary::edge, Boundary::edge,
     Outside::extend, Antialias::none, Clip::none, Rounding::even, DType::float32},
    {"nnunet", GridPolicy::edges, CountRule::even, Kernel::bspline3, Kernel::linear, Boundary::edge, Boundary::edge,
     Outside::fill, Antialias::none, Clip::global, Rounding::even, DType::float32, true},
    {"mrtrix", GridPolicy::centre, CountRule::down, Kernel::cubic, Kernel::nearest, Boundary::edge, Boundary::edge,
     Outside::fill, Antialias::supersample, Clip::none, Rounding::even, DType::float32},
    {"freesurfer", GridPolicy::half, CountRule::ceil, Kernel::linear, Kernel::nearest, Boundary::constant,
     Boundary::constant, Outside::extend, Antialias::none, Clip::none, Rounding::away, std::nullopt},
    {"fsl", GridPolicy::fsl, CountRule::floor, Kernel::linear, Kernel::nearest, Boundary::edge, Boundary::edge,
     Outside::extend, Antialias::gaussian, Clip::none, Rounding::truncate, std::nullopt},
    {"afni", GridPolicy::centre, CountRule::down, Kernel::nearest, Kernel::nearest, Boundary::edge, Boundary::edge,
     Outside::fill, Antialias::none, Clip::none, Rounding::even, std::nullopt},
    {"ants", GridPolicy::first, CountRule::round, Kernel::linear, Kernel::nearest, Boundary::edge, Boundary::mirror,
     Outside::fill, Antialias::none, Clip::none, Rounding::even, DType::float32},
};

const Preset& preset_of(const std::string& name) {
    std::string known;
    for (const Preset& preset : kPresets) {
        if (name == preset.name) return preset;
        known += fmt::format("{}{}", known.empty() ? "" : ", ", preset.name);
    }
    throw Error(ErrorCode::usage, fmt::format("unknown preset '{}'; choose one of {}", name, known));
}

/// nnU-Net's anisotropy rule: where the ratio of the spacings is above 3, the axis of the coarsest, unless two share
/// it.
std::optional<int> thick_axis(const Vec3& s) {
    const double coarsest = *std::max_element(s.begin(), s.end()), finest = *std::min_element(s.begin(), s.end());
    if (!(coarsest / finest > 3.0)) return std::nullopt;
    std::optional<int> axis;
    for (int d = 0; d < 3; ++d) {
        if (s[static_cast<std::size_t>(d)] != coarsest) continue;
        if (axis) return std::nullopt;
        axis = d;
    }
    return axis;
}

/// The thick axis of the input, else that of the spacing asked for.
std::optional<int> thick_axis_of(const ResampleRequest& request, const io::NiftiHeader& input) {
    const Vec3 s = spacing(input.grid);
    std::optional<int> axis = thick_axis(s);
    if (axis || !request.grid.spacing_mm) return axis;
    Vec3 t = *request.grid.spacing_mm;
    for (std::size_t d = 0; d < 3; ++d) {
        if (t[d] == 0.0) t[d] = s[d];
    }
    return thick_axis(t);
}

void set_kernel(ResampleRequest& request, const Preset& preset, const io::NiftiHeader& input) {
    if (!request.kernel) {
        PerAxis<Kernel> kernel(request.label.labels ? preset.labels : preset.image);
        if (request.label.fraction || request.label.argmax) kernel = Kernel::linear;
        if (preset.nearest_when_thick) {
            if (const std::optional<int> axis = thick_axis_of(request, input)) kernel[*axis] = Kernel::nearest;
        }
        request.kernel = kernel;
    }
    const PerAxis<Kernel>& kernel = *request.kernel;
    const bool spline = bspline_degree(kernel[0]) + bspline_degree(kernel[1]) + bspline_degree(kernel[2]) > 0;
    if (!request.boundary && !request.label.labels) {
        request.boundary = spline ? preset.spline_boundary : preset.boundary;
        const bool unnormalised = request.shape && !request.shape->normalised;
        if (unnormalised && request.boundary == Boundary::constant) request.boundary = Boundary::edge;
    }
    if (request.antialias) return;
    PerAxis<Antialias> antialias(request.label.labels ? Antialias::none : preset.antialias);
    for (int d = 0; d < 3; ++d) {
        if (kernel[d] == Kernel::nearest) antialias[d] = Antialias::none;
        if (kernel[d] == Kernel::area) antialias[d] = Antialias::automatic;
    }
    request.antialias = antialias;
}

}  // namespace

std::vector<std::string> preset_names() {
    std::vector<std::string> names;
    for (const Preset& preset : kPresets) names.emplace_back(preset.name);
    return names;
}

ResampleRequest pipeline::with_preset(const ResampleRequest& original, const io::NiftiHeader& input) {
    ResampleRequest request = original;
    if (!request.preset) return request;
    const Preset& preset = preset_of(*request.preset);
    if (!request.grid.like && !request.grid.policy) request.grid.policy = preset.policy;
    if (!request.grid.like && !request.grid.extent && !request.grid.rule) request.grid.rule = preset.rule;
    set_kernel(request, preset, input);
    const LabelRequest& label = request.label;
    if (!request.outside) {
        // What a label map's constant boundary would be: votes know no such boundary, and nearest needs none.
        const bool ends = label.labels && preset.boundary == Boundary::constant;
        const bool unnormalised = request.shape && !request.shape->normalised;
        const bool stays = ends || unnormalised || request.boundary == Boundary::renormalise;
        request.outside = stays ? Outside::fill : preset.outside;
    }
    if (label.labels || label.argmax) return request;
    const bool copies = *request.kernel == PerAxis<Kernel>(Kernel::nearest);
    if (!request.clip && !copies) request.clip = preset.clip;
    if (!request.rounding) request.rounding = preset.rounding;
    const bool typed = request.dtype || label.fraction || request.mask_threshold || input.components != 1;
    if (!typed && preset.dtype) request.dtype = preset.dtype;
    return request;
}

}  // namespace revoxel
