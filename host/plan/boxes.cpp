// Which input a part of the output needs, and plans of parts.
#include <algorithm>
#include <array>
#include <cmath>

#include "plan/axis_plan.hpp"
#include "plan/boundary.hpp"
#include "revoxel/error.hpp"

namespace revoxel {
namespace {

/// Input indices [lo, hi) of one axis that rows [lo, hi) of a table read.
void through_table(const TapTable& taps, std::int64_t& lo, std::int64_t& hi) {
    std::int64_t first = INT64_MAX, end = INT64_MIN;
    for (auto o = static_cast<std::size_t>(lo); o < static_cast<std::size_t>(hi); ++o) {
        if (taps.count[o] == 0) continue;
        first = std::min(first, taps.first[o]);
        end = std::max(end, taps.first[o] + taps.count[o]);
    }
    const bool beyond = first < 0 || end > taps.n_in;  // a periodic axis: both ends are read
    lo = end == INT64_MIN || beyond ? 0 : first;
    hi = end == INT64_MIN ? 0 : beyond ? taps.n_in : end;
}

Box3 intersection(const Box3& a, const Box3& b) {
    Box3 box;
    for (int d = 0; d < 3; ++d) {
        box.lo[d] = std::max(a.lo[d], b.lo[d]);
        box.hi[d] = std::min(a.hi[d], b.hi[d]);
    }
    return box.empty() ? Box3{} : box;
}

/// How many voxels from floor(c) a gather reads on input axis i, at most.
std::int64_t gather_reach(const AffineGather& gather, int i) {
    const Kernel kernel = gather.kernel[i];
    const double k = gather.stretch[i];
    const int radius = point_kernel(kernel, gather.shape, k).radius;
    return kernel == Kernel::gaussian ? radius + 1 : static_cast<std::int64_t>(std::ceil(radius * k)) + 1;
}

/// Indices of the gathered array that the output voxels of `box` may read.
Box3 gather_input(const AffineGather& gather, const Box3& box) {
    Box3 in;
    for (int i = 0; i < 3; ++i) {
        double lo = gather.out_to_in(i, 3), hi = lo;
        for (int a = 0; a < 3; ++a) {
            const auto first = static_cast<double>(gather.first_output[a]);
            const double x = gather.out_to_in(i, a) * (first + static_cast<double>(box.lo[a]));
            const double y = gather.out_to_in(i, a) * (first + static_cast<double>(box.hi[a] - 1));
            lo += std::min(x, y);
            hi += std::max(x, y);
        }
        const auto n = static_cast<double>(gather.inside[i]);
        const double margin = std::max(0.5, gather.margin[i]);
        const bool folded = gather.outside == Outside::extend && !folds_by_clamping(gather.boundary) &&
                            (lo < -0.5 || hi >= n - 0.5 - math::kTieTolerance);  // such a tie goes up, beyond the face
        lo = folded ? -0.5 : std::clamp(lo, -margin, n - 1.0 + margin);
        hi = folded ? n - 0.5 : std::clamp(hi, -margin, n - 1.0 + margin);
        const std::int64_t reach = gather_reach(gather, i), origin = gather.origin[i];
        in.lo[i] = std::clamp(static_cast<std::int64_t>(std::floor(lo)) - reach - origin, std::int64_t{0},
                              gather.extent[i] - 1);
        in.hi[i] = std::clamp(static_cast<std::int64_t>(std::floor(hi)) + reach + 1 - origin, std::int64_t{1},
                              gather.extent[i]);
    }
    // A label gather extends the input itself: what lies beyond a face is some voxel inside.
    if (gather.boundary != Boundary::edge && gather.extent == gather.inside) in = {{0, 0, 0}, gather.extent};
    return in;
}

/// The output grid of `box`.
Grid grid_of_box(const Grid& grid, const Box3& box) {
    Grid part = grid;
    Vec3 origin;
    for (int d = 0; d < 3; ++d) {
        part.extent[d] = box.hi[d] - box.lo[d];
        origin[d] = static_cast<double>(box.lo[d]);
    }
    const Vec3 world = grid.affine * origin;
    for (int r = 0; r < 3; ++r) part.affine(r, 3) = world[r];
    return part;
}

/// A cut gather: the prefilters make only what it reads.
void crop_gather(Plan& plan, const Box3& box) {
    auto& gather = std::get<AffineGather>(plan.stages.back());
    const Box3 needed = gather_input(gather, box);
    for (int d = 0; d < 3; ++d) gather.first_output[d] += box.lo[d];
    for (Stage& stage : plan.stages) {
        auto* pass = std::get_if<AxisPass>(&stage);
        if (pass == nullptr) continue;
        const int i = pass->axis;
        pass->taps = sliced(pass->taps, needed.lo[i], needed.hi[i]);
        gather.origin[i] += needed.lo[i];
        gather.extent[i] = pass->taps.n_out;
        std::vector<double>& norm = gather.norm[i];
        if (!norm.empty()) norm = {norm.begin() + needed.lo[i], norm.begin() + needed.hi[i]};
    }
}

void crop_passes(Plan& plan, const Box3& box) {
    std::vector<Stage> stages;
    for (int a : kPassOrder) {
        const auto found = std::find_if(plan.stages.begin(), plan.stages.end(),
                                        [a](const Stage& s) { return std::get<AxisPass>(s).axis == a; });
        const bool whole = box.lo[a] == 0 && box.hi[a] == plan.output.extent[a];
        if (found != plan.stages.end()) {
            AxisPass pass = std::get<AxisPass>(*found);
            pass.taps = sliced(pass.taps, box.lo[a], box.hi[a]);
            stages.push_back(std::move(pass));
        } else if (!whole) {
            stages.push_back(
                AxisPass{a, AxisPass::Purpose::resample, identity_table(plan.output.extent[a], box.lo[a], box.hi[a])});
        }
    }
    plan.stages = std::move(stages);
}

/// Clip local looks at the input voxels less than max(1, step) away, which may lie beyond the taps.
Box3 with_neighbours(const Plan& plan, const Box3& outputs, Box3 in) {
    for (int a = 0; a < 3; ++a) {
        const AxisSummary& axis = plan.axes[a];
        const int d = plan.separable ? axis.input_axis : a;
        const double reach = std::max(1.0, std::fabs(axis.step)) + 1.0;
        double low = 0.0, high = 0.0;
        if (plan.separable) {
            const double first = axis.offset + axis.step * static_cast<double>(outputs.lo[a] + axis.first_output);
            const double last = axis.offset + axis.step * static_cast<double>(outputs.hi[a] - 1 + axis.first_output);
            low = std::min(first, last);
            high = std::max(first, last);
        } else {
            const auto& gather = std::get<AffineGather>(plan.stages.back());
            low = high = gather.out_to_in(d, 3);
            for (int c = 0; c < 3; ++c) {
                const auto begin = static_cast<double>(outputs.lo[c] + gather.first_output[c]);
                const auto end = static_cast<double>(outputs.hi[c] - 1 + gather.first_output[c]);
                low += std::min(gather.out_to_in(d, c) * begin, gather.out_to_in(d, c) * end);
                high += std::max(gather.out_to_in(d, c) * begin, gather.out_to_in(d, c) * end);
            }
        }
        const double from = static_cast<double>(plan.first_input[d]), n = static_cast<double>(plan.input.extent[d]);
        const double lo = std::clamp(std::floor(low - reach) - from, 0.0, n - 1.0);
        const double hi = std::clamp(std::ceil(high + reach) + 1.0 - from, 1.0, n);
        in.lo[d] = std::min(in.lo[d], static_cast<std::int64_t>(lo));
        in.hi[d] = std::max(in.hi[d], static_cast<std::int64_t>(hi));
    }
    return in;
}

/// Lets a plan read the input box `in` instead of the whole input.
void rebase(Plan& plan, const Box3& in) {
    AffineGather* gather = plan.separable ? nullptr : &std::get<AffineGather>(plan.stages.back());
    std::array<bool, 3> passed{};
    for (Stage& stage : plan.stages) {
        auto* pass = std::get_if<AxisPass>(&stage);
        if (pass == nullptr) continue;
        const int i = plan.separable ? plan.input_axis[pass->axis] : pass->axis;
        for (std::int64_t& first : pass->taps.first) first -= in.lo[i];
        pass->taps.n_in = in.hi[i] - in.lo[i];
        passed[i] = true;
    }
    for (int i = 0; i < 3 && gather != nullptr; ++i) {
        if (passed[i]) continue;
        gather->origin[i] += in.lo[i];
        gather->extent[i] = in.hi[i] - in.lo[i];
        std::vector<double>& norm = gather->norm[i];
        if (!norm.empty()) norm = {norm.begin() + in.lo[i], norm.begin() + in.hi[i]};
    }
    if (plan.separable) {
        std::erase_if(plan.stages, [](const Stage& s) { return std::get<AxisPass>(s).taps.is_identity(); });
    }
    for (int d = 0; d < 3; ++d) plan.first_input[d] += in.lo[d];
    plan.input = grid_of_box(plan.input, in);
}

}  // namespace

Plan Plan::part(const Box3& box) const {
    Plan part = cropped(box);
    Box3 in = input_box(box);
    if (in.empty()) in = {{0, 0, 0}, {1, 1, 1}};  // all fill; there is no volume without voxels
    rebase(part, in);
    return part;
}

Plan Plan::cropped(const Box3& box) const {
    for (int d = 0; d < 3; ++d) {
        if (box.lo[d] < 0 || box.hi[d] > output.extent[d] || box.hi[d] <= box.lo[d]) {
            throw Error(ErrorCode::usage, "a plan can be cut to a box inside its output only; expected indices inside");
        }
    }
    Plan part = *this;
    if (separable) {
        crop_passes(part, box);
    } else {
        crop_gather(part, box);
    }
    part.output = grid_of_box(output, box);
    for (int d = 0; d < 3; ++d) {
        if (separable) part.axes[d].first_output += box.lo[d];
        part.covered.lo[d] = std::clamp(covered.lo[d] - box.lo[d], std::int64_t{0}, part.output.extent[d]);
        part.covered.hi[d] = std::clamp(covered.hi[d] - box.lo[d], std::int64_t{0}, part.output.extent[d]);
    }
    if (part.covered.empty()) part.covered = Box3{};
    return part;
}

Box3 Plan::input_box(const Box3& box) const {
    Box3 in = intersection(box, covered);
    if (in.empty()) return {};
    const Box3 outputs = in;
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
        if (const auto* gather = std::get_if<AffineGather>(&*stage)) {
            in = gather_input(*gather, in);
        } else {
            const auto& pass = std::get<AxisPass>(*stage);
            through_table(pass.taps, in.lo[pass.axis], in.hi[pass.axis]);
        }
    }
    if (separable) {
        Box3 permuted;
        for (int a = 0; a < 3; ++a) {
            permuted.lo[input_axis[a]] = in.lo[a];
            permuted.hi[input_axis[a]] = in.hi[a];
        }
        in = permuted;
    }
    if (options.clip == Clip::local) in = with_neighbours(*this, outputs, in);
    return in;
}

}  // namespace revoxel
