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
        ballot.index.push_back(extended_index(gather.boundary, taps.first + t, gather.inside[d]));
        ballot.weight.push_back(math::vote_units(math::vote_weight(kernel, gather.stretch[d], taps, t)));
    }
}

}  // namespace

Position position(const AffineGather& gather, std::int64_t i, std::int64_t j, std::int64_t k) {
    const double index[3] = {static_cast<double>(i + gather.first_output[0]),
                             static_cast<double>(j + gather.first_output[1]),
                             static_cast<double>(k + gather.first_output[2])};
    Position p{{}, true};
    for (int r = 0; r < 3; ++r) {
        const auto& m = gather.out_to_in.m[r];
        const double row[4] = {m[0], m[1], m[2], m[3]};
        p.c[r] = math::gather_position(row, index[0], index[1], index[2]);
        if (gather.outside == Outside::extend) {
            p.c[r] = math::fold_position(fold_of(gather), p.c[r], gather.inside[r], gather.margin[r]);
        } else {
            p.inside = p.inside && math::inside_axis(p.c[r], gather.inside[r]);
        }
    }
    return p;
}

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
    const Position p = position(*gather_, i, j, k);
    if (!p.inside) return false;
    for (int d = 0; d < 3; ++d) set_ballot(*gather_, d, p.c[d], ballot[static_cast<std::size_t>(d)]);
    return true;
}

}  // namespace revoxel
