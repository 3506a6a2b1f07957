#include "executors/ballot.hpp"

#include "executors/views.hpp"
#include "math/votes.hpp"
#include "plan/boundary.hpp"
#include "plan/kernels.hpp"

namespace revoxel {
namespace {

void set_ballot(const TapTable* taps, std::int64_t o, Ballot& ballot) {
    if (taps == nullptr) {
        ballot.index.assign(1, o);
        ballot.weight.assign(1, math::kVoteUnits);
        return;
    }
    ballot.index.clear();
    ballot.weight.clear();
    const auto row = static_cast<std::size_t>(o);
    for (std::int32_t t = 0; t < taps->count[row]; ++t) {
        ballot.index.push_back(wrapped_index(taps->first[row] + t, taps->n_in));
        ballot.weight.push_back(
            math::vote_units(taps->weight[row * static_cast<std::size_t>(taps->stride) + static_cast<std::size_t>(t)]));
    }
}

void set_ballot(const AffineGather& gather, int d, double c, Ballot& ballot) {
    const math::PointKernel kernel = point_kernel(gather.kernel[d], gather.shape, gather.stretch[d]);
    const math::VoteTaps taps = math::vote_taps(kernel, gather.stretch[d], c);
    ballot.index.clear();
    ballot.weight.clear();
    for (int t = 0; t < taps.count; ++t) {
        const std::int64_t at = extended_index(gather.boundary, taps.first + t, gather.inside[d]);
        ballot.index.push_back(at < 0 ? at : at - gather.origin[d]);
        ballot.weight.push_back(math::vote_units(math::vote_weight(kernel, gather.stretch[d], taps, t)));
    }
}

}  // namespace

Ballots::Ballots(const Plan& plan) {
    for (const Stage& stage : plan.stages) {
        if (const auto* pass = std::get_if<AxisPass>(&stage)) {
            tables_[static_cast<std::size_t>(pass->axis)] = &pass->taps;
        } else {
            gather_ = &std::get<AffineGather>(stage);
        }
    }
}

bool Ballots::at(std::int64_t i, std::int64_t j, std::int64_t k, std::array<Ballot, 3>& ballot) const {
    if (gather_ == nullptr) {
        set_ballot(tables_[0], i, ballot[0]);
        set_ballot(tables_[1], j, ballot[1]);
        set_ballot(tables_[2], k, ballot[2]);
        return true;
    }
    double c[3];
    if (!math::locate(frame_of(*gather_), i, j, k, c)) return false;
    for (int d = 0; d < 3; ++d) set_ballot(*gather_, d, c[d], ballot[static_cast<std::size_t>(d)]);
    return true;
}

}  // namespace revoxel
