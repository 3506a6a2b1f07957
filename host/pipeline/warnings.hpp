// Where a user may be about to go wrong: findings that become warnings.
#pragma once

#include <string>
#include <vector>

#include "pipeline/label_evidence.hpp"
#include "revoxel/resample.hpp"

namespace revoxel::pipeline {

/// Warnings about the geometry and the header, known before a voxel is read.
std::vector<std::string> plan_warnings(const ResampleJob& job);

/// What the warnings about values rest on.
struct InputFacts {
    ValueRange stored{};     ///< range of the stored values
    bool finite = true;      ///< no NaN, no infinity; where wanted
    bool whole = true;       ///< whole numbers only; where wanted
    LabelEvidence evidence;  ///< where wanted
};

struct FactsWanted {
    bool evidence = false, values = false;
};

/// Looks at more stored values: whether they are finite, and whole numbers.
void look_for_fractions(DType dtype, const void* first, std::int64_t count, InputFacts& facts);
FactsWanted facts_wanted(const ResampleJob& job);
InputFacts facts_of(const ResampleJob& job, const Volume& input);

/// Warnings about the values, known when they have been read.
std::vector<std::string> value_warnings(const ResampleJob& job, const InputFacts& facts);

}  // namespace revoxel::pipeline
