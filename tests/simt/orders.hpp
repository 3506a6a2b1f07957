// All three orders of the SIMT layer. The tests of tests/backends take two of them in turn.
#pragma once

#include <vector>

#include "backends/harness.hpp"

namespace revoxel::harness {

inline const std::vector<Subject> kEveryOrder{{Backend::cuda, 1, nullptr, {"forward", "reverse"}},
                                              {Backend::cuda, 1, nullptr, {"shuffled", "forward"}}};

}  // namespace revoxel::harness
