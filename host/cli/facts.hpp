// What --json prints: the facts of report.hpp as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "pipeline/difference.hpp"
#include "pipeline/judgement.hpp"
#include "revoxel/resample.hpp"

namespace revoxel::cli {

using Json = nlohmann::ordered_json;

Json header_facts(const io::NiftiHeader& header, const std::string& path);
Json plan_facts(const ResampleJob& job);
Json result_facts(const ResampleJob& job, const ResampleResult& result);
Json comparison_facts(const pipeline::Comparison& comparison);
Json difference_facts(const pipeline::Difference& difference, const std::string& a, const std::string& b,
                      double tolerance);

/// Two spaces of indentation and a final newline. Bytes that are not UTF-8 (file names may hold any) become U+FFFD,
/// NaN and infinities null.
std::string dump(const Json& json);

}  // namespace revoxel::cli
