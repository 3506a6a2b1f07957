// The label report as a table for a person and as JSON.
#pragma once

#include <string>

#include "cli/facts.hpp"
#include "pipeline/label_report.hpp"

namespace revoxel::cli {

/// Up to this many labels are shown one by one. Of more, those that a person must see come first: the fill, invented,
/// vanished, then by their change of volume.
inline constexpr std::size_t kLabelRows = 30;

/// Plain ASCII for 80 columns; ascending labels.
std::string label_table(const pipeline::LabelReport& report);

/// Every label.
Json label_facts(const pipeline::LabelReport& report);

}  // namespace revoxel::cli
