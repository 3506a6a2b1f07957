// Which input voxels vote for an output voxel of a label plan, and with what weights.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "revoxel/plan.hpp"

namespace revoxel {

/// The taps of one axis: sample indices, -1 for none, and weights in vote units (math/votes.hpp).
struct Ballot {
    std::vector<std::int64_t> index, weight;
};

/// The ballots of a label plan, read from it voxel by voxel. Points into the plan.
class Ballots {
public:
    explicit Ballots(const Plan& plan);
    /// Sets the ballots of the three axes of output voxel (i, j, k); false where it is fill. Indices are those of the
    /// input with its axes in the order of the output's. The voxel lies inside Plan::covered.
    bool at(std::int64_t i, std::int64_t j, std::int64_t k, std::array<Ballot, 3>& ballot) const;

private:
    std::array<const TapTable*, 3> tables_{};  ///< null: the identity
    const AffineGather* gather_ = nullptr;
};

}  // namespace revoxel
