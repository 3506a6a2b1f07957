// How an output grid follows from a request. Formulas: docs/conventions.md, "Grids".
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "geometry/names.hpp"
#include "revoxel/error.hpp"
#include "revoxel/grid.hpp"

namespace revoxel {
namespace {

constexpr std::pair<GridPolicy, const char*> kPolicyNames[] = {
    {GridPolicy::centre, "centre"}, {GridPolicy::edges, "edges"}, {GridPolicy::first, "first"},
    {GridPolicy::ends, "ends"},     {GridPolicy::half, "half"},   {GridPolicy::fsl, "fsl"},
    {GridPolicy::centre, "center"},
};

constexpr std::pair<CountRule, const char*> kRuleNames[] = {
    {CountRule::ceil, "ceil"}, {CountRule::floor, "floor"}, {CountRule::round, "round"},
    {CountRule::even, "even"}, {CountRule::down, "down"},   {CountRule::span, "span"},
};

/// Voxels of slack in every count, for spacings that went through a float32 header (relative error 6e-8 a factor).
double count_tolerance(double voxels) {
    return std::max(1e-4, 3e-7 * voxels);
}

/// More voxels along one axis than any volume has; tap tables of such an axis would fill the memory.
constexpr std::int64_t kMaxCount = std::int64_t{1} << 24;

/// A spacing asked for to within this of the one that is there is the one that is there: six digits of a display, or a
/// float32 header's 0.69999997 for 0.7.
constexpr double kSameSpacing = 1e-5;

double half_to_even(double x, double slack) {
    const double lower = std::floor(x);
    const bool tie = std::fabs(x - lower - 0.5) <= slack;
    return tie ? 2.0 * std::nearbyint((lower + 0.5) / 2.0) : std::nearbyint(x);
}

struct AxisMap {
    std::int64_t count = 1;
    double step = 1.0;    ///< input voxels per output voxel
    double offset = 0.0;  ///< continuous input index of output index 0
};

/// The anchor of m output voxels at `step` input voxels each.
AxisMap anchored(std::int64_t n, std::int64_t m, double step, GridPolicy policy, int axis, const Affine& affine) {
    const double dn = static_cast<double>(n), dm = static_cast<double>(m);
    switch (policy) {
        case GridPolicy::centre: return {m, step, (dn - 1.0) / 2.0 - (dm - 1.0) / 2.0 * step};
        case GridPolicy::edges: return {m, dn / dm, 0.5 * dn / dm - 0.5};
        case GridPolicy::first: return {m, step, 0.0};
        case GridPolicy::half: return {m, step, dn / 2.0 - dm / 2.0 * step};
        case GridPolicy::fsl:
            return {m, step, axis == 0 && determinant(affine) > 0.0 ? dn - 1.0 - (dm - 1.0) * step : 0.0};
        case GridPolicy::ends: break;
    }
    if (m == 1) return {m, step, 0.0};
    if (n == 1) {
        throw Error(
            ErrorCode::usage,
            fmt::format("grid policy 'ends' cannot make {} voxels of the single voxel of axis {}; choose centre, "
                        "edges or first",
                        m, "ijk"[axis]));
    }
    return {m, (dn - 1.0) / (dm - 1.0), 0.0};
}

Grid mapped(const Grid& input, const std::array<AxisMap, 3>& maps) {
    Grid output;
    Vec3 origin;
    for (int d = 0; d < 3; ++d) {
        output.extent[d] = maps[d].count;
        origin[d] = maps[d].offset;
        for (int r = 0; r < 3; ++r) {
            // x * 1.0 is x: an axis that is kept is kept bit for bit.
            output.affine(r, d) = input.affine(r, d) * maps[d].step;
        }
    }
    const bool moved = origin[0] != 0.0 || origin[1] != 0.0 || origin[2] != 0.0;
    const Vec3 world = moved ? input.affine * origin : Vec3{input.affine(0, 3), input.affine(1, 3), input.affine(2, 3)};
    for (int r = 0; r < 3; ++r) output.affine(r, 3) = world[r];
    voxel_count(output);
    return output;
}

}  // namespace

const char* name_of(GridPolicy policy) noexcept {
    return enum_name(kPolicyNames, policy);
}
const char* name_of(CountRule rule) noexcept {
    return enum_name(kRuleNames, rule);
}
GridPolicy grid_policy_from_name(const std::string& name) {
    return enum_from_name(kPolicyNames, name, "grid policy");
}
CountRule count_rule_from_name(const std::string& name) {
    return enum_from_name(kRuleNames, name, "rounding rule");
}

std::int64_t voxel_count(const Grid& grid) {
    std::int64_t count = 1;
    for (std::int64_t n : grid.extent) {
        if (n < 1 || __builtin_mul_overflow(count, n, &count)) {
            throw Error(ErrorCode::input,
                        fmt::format("a grid of {} x {} x {} voxels is not possible; expected at least 1 "
                                    "along each axis and fewer than 2^63 in all",
                                    grid.extent[0], grid.extent[1], grid.extent[2]));
        }
    }
    return count;
}

std::int64_t resampled_count(std::int64_t n, double s, double t, CountRule rule) {
    if (n < 1 || !(s > 0.0) || !(t > 0.0) || !std::isfinite(s) || !std::isfinite(t)) {
        throw Error(
            ErrorCode::usage,
            fmt::format("{} voxels of {:g} mm cannot be resampled to {:g} mm; expected spacings above 0", n, s, t));
    }
    const double exact = static_cast<double>(n) * s / t;
    if (!(exact < static_cast<double>(kMaxCount))) {
        throw Error(ErrorCode::usage,
                    fmt::format("{} voxels of {:g} mm at {:g} mm would be {:g} voxels; ask for a coarser spacing", n, s,
                                t, exact));
    }
    const double slack = count_tolerance(exact);
    double count = 1.0;
    switch (rule) {
        case CountRule::ceil: count = std::ceil(exact - slack); break;
        case CountRule::floor: count = std::floor(exact + slack); break;
        case CountRule::round: count = std::floor(exact + 0.5 + slack); break;
        case CountRule::even: count = half_to_even(exact, slack); break;
        case CountRule::down: count = std::ceil(exact - 0.5 - slack); break;
        case CountRule::span: count = half_to_even(static_cast<double>(n - 1) * s / t + 1.0, slack); break;
    }
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(count));
}

Grid with_spacing(const Grid& input, const Vec3& spacing_mm, GridPolicy policy, CountRule rule) {
    const Vec3 current = spacing(input);
    std::array<AxisMap, 3> maps;
    for (int d = 0; d < 3; ++d) {
        const double t = spacing_mm[d];
        if (!(t >= 0.0) || !std::isfinite(t)) {
            throw Error(ErrorCode::usage,
                        fmt::format("a spacing of {:g} mm is not possible; expected a number above 0, or "
                                    "0 to keep the axis",
                                    t));
        }
        const bool kept = t == 0.0 || std::fabs(t / current[d] - 1.0) <= kSameSpacing;
        if (kept) {
            maps[d] = {input.extent[d], 1.0, 0.0};
        } else {
            maps[d] = anchored(input.extent[d], resampled_count(input.extent[d], current[d], t, rule), t / current[d],
                               policy, d, input.affine);
        }
    }
    return mapped(input, maps);
}

Grid with_extent(const Grid& input, const Extent& extent, GridPolicy policy) {
    std::array<AxisMap, 3> maps;
    for (int d = 0; d < 3; ++d) {
        const std::int64_t n = input.extent[d], m = extent[d];
        if (m < 0 || m > kMaxCount) {
            throw Error(
                ErrorCode::usage,
                fmt::format("an extent of {} voxels is not possible; expected 1 to 2^24, or 0 to keep the axis", m));
        }
        if (m == 0 || m == n) {
            maps[d] = {n, 1.0, 0.0};
        } else {
            maps[d] = anchored(n, m, static_cast<double>(n) / static_cast<double>(m), policy, d, input.affine);
        }
    }
    return mapped(input, maps);
}

double budget_spacing(const Grid& input, std::int64_t voxels, CountRule rule, double finest_mm) {
    if (voxels < 1)
        throw Error(ErrorCode::usage, fmt::format("a budget of {} voxels is not possible; expected 1 or more", voxels));
    const Vec3 s = spacing(input);
    const auto fits = [&](double t) {
        double count = 1.0;
        for (int d = 0; d < 3; ++d) {
            if (static_cast<double>(input.extent[d]) * s[d] / t >= static_cast<double>(kMaxCount)) return false;
            count *= static_cast<double>(resampled_count(input.extent[d], s[d], t, rule));
        }
        return count <= static_cast<double>(voxels);
    };
    double fine = finest_mm > 0.0 ? finest_mm : *std::min_element(s.begin(), s.end());
    if (fits(fine)) return fine;
    const Vec3 size = fov(input);
    double coarse = *std::max_element(size.begin(), size.end());  // one voxel an axis under every rule
    for (int step = 0; step < 200 && coarse / fine > 1.0 + 1e-12; ++step) {
        const double middle = std::sqrt(fine * coarse);
        (fits(middle) ? coarse : fine) = middle;
    }
    return coarse;
}

}  // namespace revoxel
