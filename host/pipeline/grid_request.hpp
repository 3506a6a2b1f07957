// From the ways to ask for a grid to the grid.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "revoxel/nifti.hpp"
#include "revoxel/resample.hpp"

namespace revoxel::pipeline {

struct ChosenGrid {
    Grid grid;
    std::optional<GridPolicy> policy;  ///< none with like
    std::optional<CountRule> rule;     ///< none with like and extent
    std::optional<io::NiftiHeader> reference;
    std::vector<std::string> warnings;
};

/// A 2-D file has no third axis; a spacing for it would invent slices.
bool is_flat(const io::NiftiHeader& header);

/// budget_spacing() of a file; the third axis of a flat one does not count.
double affordable_spacing(const io::NiftiHeader& input, std::int64_t voxels, CountRule rule, double finest_mm = 0.0);

/// Throws Error(usage) unless exactly one way is given; Error(input) for a reference that cannot be read.
ChosenGrid choose_grid(const GridRequest& request, const io::NiftiHeader& input, bool prefer_qform);

}  // namespace revoxel::pipeline
