// What `revoxel plan` tells a person: plain ASCII for 100 columns.
#pragma once

#include <string>
#include <vector>

#include "io/nifti_search.hpp"
#include "pipeline/cohort.hpp"

namespace revoxel::cli {

/// The command that brings a file to the recommended spacing.
std::string command_text(const pipeline::Recommendation& recommended);

/// The files (the outliers alone where there are many, unless `all`), how their geometry is distributed, what is odd,
/// what could not be read, and last the recommendation and what it means.
std::string cohort_report(const pipeline::CohortPlan& plan, const std::vector<io::UnusablePath>& unusable, bool all);

}  // namespace revoxel::cli
