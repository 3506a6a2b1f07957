// revoxel compare
#include <fmt/format.h>

#include <cmath>

#include "cli/arguments.hpp"
#include "cli/command_line.hpp"
#include "cli/facts.hpp"
#include "cli/report.hpp"
#include "cli/text.hpp"
#include "pipeline/difference.hpp"
#include "revoxel/error.hpp"

namespace revoxel::cli {
namespace {

constexpr int kDifferent = 1;

std::string shape_text(const io::NiftiHeader& h) {
    std::string text = triple(h.grid.extent);
    if (h.frames() > 1) text += fmt::format(" x {}", h.frames());
    return text;
}

std::string grids_text(const pipeline::Difference& d) {
    std::string text = table({{"", "A", "B"},
                              {"extent (voxels)", shape_text(d.a), shape_text(d.b)},
                              {"spacing (mm)", triple(spacing(d.a.grid)), triple(spacing(d.b.grid))},
                              {"orientation", orientation_text(d.a.grid.affine), orientation_text(d.b.grid.affine)},
                              {"data type", voxel_text(d.a), voxel_text(d.b)},
                              {"scaling", scaling_text(d.a), scaling_text(d.b)}});
    if (d.a.grid.extent == d.b.grid.extent) {
        text += fmt::format("grids apart by at most {:.3g} mm ({:.3g} voxel)\n", d.grid_distance_mm,
                            d.grid_distance_voxels);
    }
    return text;
}

std::string values_text(const pipeline::Difference& d) {
    std::string text =
        table({{"largest |A - B|", fmt::format("{:.6g}", d.max)},
               {"mean |A - B|", fmt::format("{:.6g}", d.mean)},
               {"RMS of A - B", fmt::format("{:.6g}", d.rms)},
               {"different values", fmt::format("{} of {}", grouped(d.different), grouped(d.compared))}});
    if (d.max > 0.0) {
        text += fmt::format("the largest is at voxel ({}, {}, {})", d.max_at[0], d.max_at[1], d.max_at[2]);
        text += d.a.frames() > 1 ? fmt::format(" of volume {}\n", d.max_at[3]) : "\n";
    }
    if (d.unmatched > 0) {
        text += fmt::format("{} values are NaN or infinite on one side only; left out of the numbers above\n",
                            grouped(d.unmatched));
    }
    return text;
}

std::string verdict(const pipeline::Difference& d, double tolerance) {
    if (!d.same_shape) return "different: the shapes do not agree, so no voxel was compared\n";
    if (d.grid_distance_voxels > pipeline::kSameGridVoxels) return "different: the grids do not agree\n";
    if (d.within(tolerance)) return fmt::format("equal within {} (NaN equals NaN)\n", number(tolerance));
    return fmt::format("different by more than {} (NaN equals NaN)\n", number(tolerance));
}

}  // namespace

int run_compare_command(const CompareArguments& arguments) {
    const double tolerance = arguments.tolerance ? parse_number("--tolerance", *arguments.tolerance) : 0.0;
    if (!(tolerance >= 0.0)) {
        throw Error(ErrorCode::usage,
                    fmt::format("--tolerance {} is not possible; expected 0 or more", *arguments.tolerance));
    }
    if (arguments.quiet && arguments.json) {
        throw Error(ErrorCode::usage, "--quiet and --json contradict each other; give one of them");
    }
    const pipeline::Difference d = pipeline::difference_of_files(arguments.a, arguments.b);
    if (arguments.json) {
        print(dump(difference_facts(d, arguments.a, arguments.b, tolerance)));
    } else if (!arguments.quiet) {
        print(fmt::format("A  {}\nB  {}\n\n", printable(arguments.a), printable(arguments.b)) + grids_text(d) + "\n" +
              (d.same_shape ? values_text(d) : "") + verdict(d, tolerance));
    }
    return d.within(tolerance) ? 0 : kDifferent;
}

}  // namespace revoxel::cli
