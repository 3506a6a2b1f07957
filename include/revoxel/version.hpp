// Version of the library and facts about how it was built.
#pragma once

#include <string>
#include <vector>

namespace revoxel {

/// "0.1.0"
const char* version() noexcept;

/// Facts for `revoxel --version` and bug reports: compiler, build type, CUDA or not, CPU features used, one line each.
std::vector<std::string> build_facts();

}  // namespace revoxel
