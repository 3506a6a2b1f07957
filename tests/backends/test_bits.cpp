// The bits of results, as hashes in golden/*.txt: the same on every machine. Other tests compare executors on one
// machine, and cannot see what a machine changes in all of them. Grids and data come about without sin and cos, whose
// last digits depend on the C library.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "backends/harness.hpp"
#include "support/options.hpp"

namespace revoxel::harness {
namespace {

using test::kBoundaries;
using test::kDTypes;
using test::kKernels;

constexpr Antialias kAntialias[] = {Antialias::none,     Antialias::stretch,  Antialias::pillow,
                                    Antialias::gaussian, Antialias::aperture, Antialias::area,
                                    Antialias::skimage,  Antialias::mirp,     Antialias::supersample};

/// What one line of a golden stands for.
struct Group {
    std::string name;
    std::vector<Case> cases = {};
    bool few_values = false;
    bool special_values = false;
};

/// Up on i, down on j and k; partly outside.
Case separable_case() {
    return {axis_grid({19, 8, 7}, {1.5, 0.6, 1.1}, {-3, 2, 5}),
            axis_grid({37, 6, 5}, {0.83, 1.37, 2.2}, {-4.6, 0.9, 3.7}),
            {}};
}

/// Turned by angles of which sine and cosine are fractions: 3/5, 4/5 and 5/13, 12/13.
Case oblique_case() {
    Case c = separable_case();
    const double turn[3][3] = {
        {0.6, -0.8 * 5 / 13, 0.8 * 12 / 13}, {0.8, 0.6 * 5 / 13, -0.6 * 12 / 13}, {0.0, 12.0 / 13, 5.0 / 13}};
    const Vec3 spacing_mm{0.9, 1.3, 2.1}, centre{10.4, 4.2, 8.3};
    c.output.extent = {21, 7, 6};
    for (int r = 0; r < 3; ++r) {
        c.output.affine(r, 3) = centre[r];
        for (int d = 0; d < 3; ++d) {
            c.output.affine(r, d) = turn[r][d] * spacing_mm[d];
            c.output.affine(r, 3) -= c.output.affine(r, d) * 0.5 * static_cast<double>(c.output.extent[d] - 1);
        }
    }
    return c;
}

/// One case in the three families of types: what is computed in float and in double, stored as it is or rounded.
void add_families(Group& group, Case c) {
    for (DType dtype : {DType::float32, DType::float64, DType::int16}) {
        c.options.input_dtype = c.options.output_dtype = dtype;
        group.cases.push_back(c);
    }
}

/// Noise in the range of the type, or of five whole numbers about 0: labels that meet again, values on ties, overshoot.
/// A few voxels are NaN and infinities where the group or the plan is about them.
Field input_of(const Case& c, const Group& group) {
    Field input(c.input.extent, c.options.input_dtype, Layout::packed);
    fill_random(input, c.seed);
    std::mt19937_64 random(c.seed);
    if (group.few_values)
        input.fill([&](auto, auto, auto) { return std::floor(static_cast<double>(random() >> 11) * 0x1p-53 * 5) - 2; });
    if (!c.options.nan_aware && !group.special_values) return input;
    const Extent& n = c.input.extent;
    for (std::int64_t v = 0; v < n[0] * n[1] * n[2]; v += c.options.nan_aware ? 5 : 71) {
        input.set(v % n[0], v / n[0] % n[1], v / n[0] / n[1], v % 3 == 0 ? NAN : v % 3 == 1 ? INFINITY : -INFINITY);
    }
    return input;
}

/// FNV-1a of the bytes of all results.
std::uint64_t hash_of(const Group& group, Backend backend) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const Case& c : group.cases) {
        SCOPED_TRACE(describe(c));
        const Plan plan = make_plan(c.input, c.output, c.options);
        for (std::byte b : run_checked(plan, {backend, 2}, input_of(c, group), Layout::packed)) {
            hash = (hash ^ std::to_integer<std::uint64_t>(b)) * 0x100000001b3;
        }
    }
    return hash;
}

/// REVOXEL_UPDATE_GOLDENS=1 rewrites the file: another line is another result for users.
void expect_golden(const std::vector<Group>& groups, const std::string& name) {
    const std::string path = std::string(REVOXEL_TEST_GOLDEN) + "/" + name + ".txt";
    for (Backend backend : {Backend::reference, Backend::cpu}) {
        std::string text;
        for (const Group& group : groups) text += fmt::format("{:016x} {}\n", hash_of(group, backend), group.name);
        if (backend == Backend::reference && std::getenv("REVOXEL_UPDATE_GOLDENS")) std::ofstream(path) << text;
        std::ifstream file(path);
        ASSERT_TRUE(file) << path;
        std::stringstream golden;
        golden << file.rdbuf();
        EXPECT_EQ(text, golden.str()) << revoxel::name_of(backend) << " against " << path;
    }
}

/// A group a kernel, of all dtypes.
std::vector<Group> groups_of_kernels(const Case& base) {
    std::vector<Group> groups;
    for (Kernel kernel : kKernels) {
        Group& group = groups.emplace_back(Group{revoxel::name_of(kernel), {}});
        for (DType dtype : kDTypes) {
            Case& c = group.cases.emplace_back(base);
            c.options.kernel = kernel;
            c.options.input_dtype = c.options.output_dtype = dtype;
        }
    }
    return groups;
}

TEST(Bits, KernelsAndDTypesSeparable) {
    expect_golden(groups_of_kernels(separable_case()), "separable");
}

TEST(Bits, KernelsAndDTypesOblique) {
    std::vector<Group> groups = groups_of_kernels(oblique_case());
    std::erase_if(groups, [](const Group& group) { return group.name == revoxel::name_of(Kernel::area); });
    expect_golden(groups, "oblique");
}

TEST(Bits, LowPassesAndBoundaries) {
    std::vector<Group> groups;
    for (const Case& base : {separable_case(), oblique_case()}) {
        const std::string route = groups.empty() ? "separable " : "oblique ";
        for (Antialias antialias : kAntialias) {
            Group group{route + revoxel::name_of(antialias), {}};
            Case c = base;
            c.options.kernel = Kernel::cubic;
            c.options.antialias = antialias;
            add_families(group, c);
            groups.push_back(group);
        }
        for (Boundary boundary : kBoundaries) {
            Group group{route + revoxel::name_of(boundary), {}};
            Case c = base;
            c.options.kernel = Kernel::bspline3;
            c.options.boundary = boundary;
            c.options.boundary_value = -37.5;
            c.options.outside = boundary == Boundary::renormalise ? Outside::fill : Outside::extend;
            add_families(group, c);
            c.options.blur = {0.05, 0.4, 1.7};
            c.options.aperture = {1, 0.5, 1.6};
            c.options.kernel = Kernel::linear;
            add_families(group, c);
            groups.push_back(group);
        }
    }
    expect_golden(groups, "low_passes_and_boundaries");
}

TEST(Bits, ValuesAndLabels) {
    std::vector<Group> groups;
    for (const Case& base : {separable_case(), oblique_case()}) {
        const std::string route = groups.empty() ? "separable " : "oblique ";
        const auto add = [&](const std::string& name, auto&& change) {
            Group group{route + name, {}, true};
            Case c = base;
            c.options.kernel = Kernel::bspline3;
            change(c.options);
            add_families(group, c);
            groups.push_back(group);
        };
        for (Clip clip : {Clip::none, Clip::local, Clip::global}) {
            add(std::string("clip ") + revoxel::name_of(clip), [&](PlanOptions& o) {
                o.kernel = Kernel::cubic;
                o.antialias = Antialias::none;
                o.clip = clip;
            });
        }
        add("nan aware", [](PlanOptions& o) { o.nan_aware = true; });
        for (Kernel kernel : {Kernel::linear, Kernel::cubic}) {
            add(std::string("special values ") + revoxel::name_of(kernel), [&](PlanOptions& o) { o.kernel = kernel; });
            groups.back().special_values = true;
        }
        for (Rounding rounding : {Rounding::even, Rounding::away, Rounding::truncate}) {
            add(std::string("rounding ") + revoxel::name_of(rounding), [&](PlanOptions& o) {
                o.kernel = Kernel::nearest;
                o.output_slope = 0.5;
                o.output_intercept = 1;
                o.rounding = rounding;
            });
        }
        add("threshold", [](PlanOptions& o) { o.threshold = 0.25; });
        add("slope and intercept", [](PlanOptions& o) {
            o.output_slope = -0.244202;
            o.output_intercept = -500.25;
        });
        for (Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::gaussian}) {
            add(std::string("labels ") + revoxel::name_of(kernel), [&](PlanOptions& o) {
                o.kernel = kernel;
                o.labels = true;
            });
        }
    }
    expect_golden(groups, "values_and_labels");
}

TEST(Bits, EveryDTypeToEveryOther) {
    std::vector<Group> groups;
    for (DType from : kDTypes) {
        Group& group = groups.emplace_back(Group{revoxel::name_of(from), {}});
        for (DType to : kDTypes) {
            Case c = separable_case();
            c.options.input_dtype = from;
            c.options.output_dtype = to;
            group.cases.push_back(c);
            c.output = reoriented(c.input, {2, 0, 1}, 5);
            group.cases.push_back(c);  // a copy
        }
    }
    expect_golden(groups, "conversions");
}

TEST(Bits, GridPolicies) {
    std::vector<Group> groups;
    for (GridPolicy policy : {GridPolicy::centre, GridPolicy::edges, GridPolicy::first, GridPolicy::ends}) {
        Group& group = groups.emplace_back(Group{revoxel::name_of(policy), {}});
        for (Case c : {separable_case(), oblique_case()}) {
            for (const Vec3& spacing_mm : {Vec3{0.31, 0.5, 1.0}, Vec3{1.7, 2.0, 4.1}}) {
                c.output = with_spacing(c.output, spacing_mm, policy);
                c.options.kernel = Kernel::lanczos3;
                group.cases.push_back(c);
            }
        }
    }
    expect_golden(groups, "grid_policies");
}

}  // namespace
}  // namespace revoxel::harness
