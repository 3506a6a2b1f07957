#include "pipeline/grid_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "revoxel/error.hpp"

namespace revoxel::pipeline {
namespace {

void check_one_way(const GridRequest& request) {
    std::vector<const char*> ways;
    if (request.spacing_mm) ways.push_back("spacing");
    if (request.extent) ways.push_back("size");
    if (request.iso) ways.push_back("iso");
    if (request.budget) ways.push_back("budget");
    if (request.like) ways.push_back("like");
    if (ways.empty()) {
        throw Error(ErrorCode::usage, "no output grid was asked for; give one of spacing, size, iso, budget or like");
    }
    if (ways.size() > 1) {
        throw Error(ErrorCode::usage,
                    fmt::format("the output grid was asked for by {} and by {}; ask for it one way", ways[0], ways[1]));
    }
    if (request.like && (request.policy || request.rule)) {
        throw Error(ErrorCode::usage,
                    fmt::format("a {} does not go with like: the reference is the grid; give one of the two",
                                request.policy ? "grid policy" : "rounding rule"));
    }
    if (request.extent && request.rule) {
        throw Error(ErrorCode::usage,
                    "a rounding rule does not go with size: the voxel counts are given; leave it out");
    }
}

double iso_spacing(const std::string& iso, const Vec3& s, int axes) {
    if (iso == "min") return *std::min_element(s.begin(), s.begin() + axes);
    if (iso == "max") return *std::max_element(s.begin(), s.begin() + axes);
    if (iso == "geomean") {
        double product = 1.0;
        for (int d = 0; d < axes; ++d) product *= s[d];
        return axes == 2 ? std::sqrt(product) : std::cbrt(product);
    }
    double value = 0.0;
    const auto [end, error] = std::from_chars(iso.data(), iso.data() + iso.size(), value);
    if (error != std::errc{} || end != iso.data() + iso.size() || !(value > 0.0) || !std::isfinite(value)) {
        throw Error(ErrorCode::usage,
                    fmt::format("--iso '{}' is neither min, max, geomean nor a spacing in mm above 0", iso));
    }
    return value;
}

}  // namespace

bool is_flat(const io::NiftiHeader& header) {
    return header.dim[0] < 3;
}

double affordable_spacing(const io::NiftiHeader& input, std::int64_t voxels, CountRule rule, double finest_mm) {
    Grid grid = input.grid;
    if (is_flat(input)) {
        // One voxel at the finest spacing stays one voxel at every coarser one, so the third axis does not count.
        const Vec3 s = spacing(grid);
        if (finest_mm == 0.0) finest_mm = std::min(s[0], s[1]);
        grid.extent[2] = 1;
        for (int r = 0; r < 3; ++r) grid.affine(r, 2) *= finest_mm / s[2];
    }
    return budget_spacing(grid, voxels, rule, finest_mm);
}

ChosenGrid choose_grid(const GridRequest& request, const io::NiftiHeader& input, bool prefer_qform) {
    check_one_way(request);
    ChosenGrid chosen;
    if (request.like) {
        io::NiftiReadOptions options;
        options.prefer_qform = prefer_qform;
        chosen.reference = io::read_nifti_header(*request.like, options);
        chosen.grid = chosen.reference->grid;
        for (const std::string& warning : chosen.reference->warnings) {
            chosen.warnings.push_back(fmt::format("reference {}: {}", *request.like, warning));
        }
        return chosen;
    }
    if (request.extent) {
        chosen.policy = request.policy.value_or(GridPolicy::edges);
        chosen.grid = with_extent(input.grid, *request.extent, *chosen.policy);
        return chosen;
    }
    chosen.policy = request.policy.value_or(GridPolicy::centre);
    chosen.rule = request.rule.value_or(CountRule::ceil);
    Vec3 target;
    if (request.spacing_mm) {
        target = *request.spacing_mm;
    } else if (request.budget) {
        target.fill(affordable_spacing(input, *request.budget, *chosen.rule));
    } else {
        target.fill(iso_spacing(*request.iso, spacing(input.grid), is_flat(input) ? 2 : 3));
    }
    if (is_flat(input) && target[2] != 0.0) {
        target[2] = 0.0;
        chosen.warnings.push_back("the input is two-dimensional; its third axis is kept as it is");
    }
    chosen.grid = with_spacing(input.grid, target, *chosen.policy, *chosen.rule);
    return chosen;
}

}  // namespace revoxel::pipeline
