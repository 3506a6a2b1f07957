// From words on the command line to values. Every function throws Error(usage) with one line that names the option.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "revoxel/resample.hpp"

namespace revoxel::cli {

struct ResampleArguments;

/// Options that take several numbers get them as one word: {"--spacing", "1", "1", "3", "in.nii"} becomes
/// {"--spacing=1,1,3", "in.nii"}. So they never swallow a file name that follows, and a file name may stand between.
std::vector<std::string> join_numbers(const std::vector<std::string>& words);

double parse_number(const std::string& option, const std::string& word);
std::int64_t parse_integer(const std::string& option, const std::string& word, std::int64_t lowest,
                           std::int64_t highest);
/// "1" or "1,1,3". One number stands for all three axes.
Vec3 parse_spacing(const std::string& option, const std::string& word);
Extent parse_extent(const std::string& option, const std::string& word);
/// Voxels: "50000000", "50M", "0.5G", "200k".
std::int64_t parse_budget(const std::string& option, const std::string& word);
/// Bytes: "300M", "2G".
std::int64_t parse_bytes(const std::string& option, const std::string& word);

/// Checks what goes together and turns words into values.
ResampleRequest request_from(const ResampleArguments& arguments);

}  // namespace revoxel::cli
