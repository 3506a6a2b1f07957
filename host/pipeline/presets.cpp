#include "pipeline/presets.hpp"

#include <fmt/format.h>

#include <algorithm>

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
    Outside outside;
    Antialias antialias;
    Rounding rounding;
};

using enum Kernel;

constexpr Preset kPresets[] = {
    {"ibsi", GridPolicy::centre, CountRule::ceil, linear, linear, Boundary::edge, Outside::fill, Antialias::none,
     Rounding::even},
};

}  // namespace

std::vector<std::string> preset_names() {
    std::vector<std::string> names;
    for (const Preset& preset : kPresets) names.emplace_back(preset.name);
    return names;
}

ResampleRequest pipeline::with_preset(const ResampleRequest& request, const io::NiftiHeader&) {
    if (!request.preset) return request;
    const auto found = std::find_if(std::begin(kPresets), std::end(kPresets),
                                    [&](const Preset& preset) { return *request.preset == preset.name; });
    if (found == std::end(kPresets)) {
        std::string known;
        for (const Preset& preset : kPresets) known += fmt::format("{}{}", known.empty() ? "" : ", ", preset.name);
        throw Error(ErrorCode::usage, fmt::format("unknown preset '{}'; choose one of {}", *request.preset, known));
    }
    return request;
}

}  // namespace revoxel
