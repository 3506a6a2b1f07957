#include "executors/two_step.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "executors/parts.hpp"
#include "executors/thread_pool.hpp"
#include "executors/views.hpp"

namespace revoxel {
namespace {

/// A sum of weights below this is too little to divide by: the value would be mostly what is not there.
constexpr double kLeastWeight = 1.0 / 64;

template <typename C>
constexpr DType dtype_of() {
    return sizeof(C) == 4 ? DType::float32 : DType::float64;
}

bool is_nan_aware(const Plan& plan) {
    return plan.options.nan_aware && !is_integer(plan.options.input_dtype);
}

/// Plain sums, as computed.
Plan plan_of_sums(const Plan& plan, DType input_dtype, DType compute_dtype) {
    Plan sums = plan;
    PlanOptions& options = sums.options;
    options.input_dtype = input_dtype;
    options.output_dtype = compute_dtype;
    options.clip = Clip::none;
    options.nan_aware = false;
    options.rounding = Rounding::even;
    options.threshold.reset();
    options.output_slope = 1.0;
    options.output_intercept = 0.0;
    return sums;
}

/// The same weights for a mask: a constant boundary counts as there.
Plan plan_of_weights(Plan sums) {
    sums.options.input_dtype = DType::uint8;
    for (Stage& stage : sums.stages) {
        if (auto* pass = std::get_if<AxisPass>(&stage)) pass->taps.outside_value = 1.0;
    }
    return sums;
}

/// Input voxels less than max(1, k) away from a position on one axis, of those from `begin` to `end`.
struct Neighbours {
    std::int64_t lo, hi;
};

Neighbours neighbours(double c, double k, std::int64_t begin, std::int64_t end) {
    const double near = std::floor(c + 0.5);
    if (std::fabs(c - near) < math::kIntegerSnap) c = near;
    const double reach = std::max(1.0, k) - math::kIntegerSnap;
    const auto lo = static_cast<std::int64_t>(std::floor(c - reach)) + 1;
    const auto hi = static_cast<std::int64_t>(std::ceil(c + reach));
    return {std::max(lo, begin), std::min(hi, end)};
}

/// Computed values that are held for each output voxel: the sum, and the sum of the weights.
int values_held(const Plan& plan) {
    return is_nan_aware(plan) ? 2 : 1;
}

/// What a part of a NaN-aware plan copies of the input. Gathers copy all of it once: the boxes that their parts read
/// overlap.
Box3 copied_box(const Plan& plan, const Box3& part) {
    if (!is_nan_aware(plan)) return {};
    if (!plan.separable) return {{0, 0, 0}, plan.input.extent};
    const Box3 box = plan.input_box(part);
    return box.empty() ? Box3{{0, 0, 0}, {1, 1, 1}} : box;  // as Plan::part
}

/// The copy and its mask.
std::int64_t copied_bytes(const Plan& plan, const Box3& part) {
    return copied_box(plan, part).count() * (plan.compute == ComputeType::f32 ? 5 : 9);
}

std::int64_t part_bytes(const Plan& plan, const Box3& part) {
    return scratch_bytes_of(plan.cropped(part), values_held(plan)) + copied_bytes(plan, part);
}

std::vector<Box3> two_step_parts(const Plan& plan, std::int64_t scratch_bytes) {
    const Box3 all{{0, 0, 0}, plan.output.extent};
    // What is copied whole anyhow does not become less with smaller parts.
    const std::int64_t fixed = plan.separable ? 0 : copied_bytes(plan, all);
    const std::int64_t most = std::max(scratch_bytes, (part_bytes(plan, all) - fixed) / 8) + fixed;
    const auto judge = [&](const Box3& part) { return part_bytes(plan, part) <= most ? Cut::keep : Cut::halves; };
    std::vector<Box3> parts;
    add_parts(all, cuttable_axes(plan), judge, parts);
    return parts;
}

using Make = std::function<std::unique_ptr<Executor>(const Plan&, const ExecutorOptions&)>;

template <typename C>
class TwoStepExecutor final : public Executor {
public:
    TwoStepExecutor(const Plan& plan, const ExecutorOptions& options, const Make& make, std::int64_t scratch_bytes)
        : plan_(plan),
          options_(options),
          make_(make),
          pool_(options.threads),
          nan_aware_(is_nan_aware(plan)),
          sums_(plan_of_sums(plan, nan_aware_ ? dtype_of<C>() : plan.options.input_dtype, dtype_of<C>())),
          parts_(two_step_parts(plan, scratch_bytes)),
          first_(executors_of(parts_.front())) {
        const auto voxels = static_cast<std::size_t>(largest_of(parts_));
        values_.resize(voxels);
        if (nan_aware_) {
            std::int64_t copied = 0;
            for (const Box3& part : parts_) copied = std::max(copied, copied_box(plan_, part).count());
            known_.resize(static_cast<std::size_t>(copied));
            mask_.resize(static_cast<std::size_t>(copied));
            shares_.resize(voxels);
        }
        for (const Stage& stage : plan_.stages) {
            const auto* gather = std::get_if<AffineGather>(&stage);
            if (gather == nullptr) continue;
            gather_ = frame_of(*gather);
            gather_->extend = false;  // neighbours are those of the position itself
            computes_all_ = gather->outside == Outside::extend;
        }
    }

    void run(const ConstVolumeView& input, const VolumeView& output) override {
        check_views(plan_, input, output);
        const FiniteRange range =
            plan_.options.clip == Clip::global ? finite_range(input, {{0, 0, 0}, input.extent}) : FiniteRange{};
        const math::Storing storing = storing_of(plan_, range);
        const double all = static_cast<double>(voxel_count(plan_.output));
        std::int64_t done = 0;
        for (std::size_t p = 0; p < parts_.size(); ++p) {
            const Box3& box = parts_[p];
            const std::int64_t before = std::exchange(done, done + box.count());
            if (nan_aware_ && (p == 0 || plan_.separable)) split(input, copied_box(plan_, box));
            if (p == 0) {
                run_sums(first_, input, box);
            } else {
                run_sums(executors_of(box), input, box);
            }
            pool_.for_each(
                box.hi[2] - box.lo[2],
                [&](std::int64_t k, int) { finish_slice(input, output, storing, box, box.lo[2] + k); },
                progress_between(static_cast<double>(before) / all, static_cast<double>(done) / all));
        }
    }

    std::int64_t workspace_bytes() const noexcept override {
        return static_cast<std::int64_t>((values_.size() + shares_.size() + known_.size()) * sizeof(C) + mask_.size()) +
               first_.sums->workspace_bytes() + (first_.weights ? first_.weights->workspace_bytes() : 0);
    }
    std::string name() const override { return first_.sums->name(); }

private:
    /// The executors of one part.
    struct Executors {
        std::unique_ptr<Executor> sums, weights;
    };

    static VolumeView dense(void* data, DType dtype, const Extent& n) {
        return {data, dtype, n, {1, n[0], n[0] * n[1]}};
    }
    static Extent extent_of(const Box3& box) {
        return {box.hi[0] - box.lo[0], box.hi[1] - box.lo[1], box.hi[2] - box.lo[2]};
    }
    static VolumeView view_of(C* data, const Extent& n) { return dense(data, dtype_of<C>(), n); }

    Executors executors_of(const Box3& box) const {
        const Plan part = nan_aware_ && sums_.separable ? sums_.part(box) : sums_.cropped(box);
        ExecutorOptions inner = options_;
        inner.progress = {};
        return {make_(part, inner), nan_aware_ ? make_(plan_of_weights(part), inner) : nullptr};
    }

    void run_sums(const Executors& executors, const ConstVolumeView& input, const Box3& box) {
        const Extent n = extent_of(box);
        const VolumeView values = view_of(values_.data(), n);
        if (!nan_aware_) {
            executors.sums->run(input, values);
            return;
        }
        const Extent copied = extent_of(copied_box(plan_, box));
        executors.sums->run(view_of(known_.data(), copied), values);
        executors.weights->run(dense(mask_.data(), DType::uint8, copied), view_of(shares_.data(), n));
    }

    std::function<void(double)> progress_between(double from, double to) const {
        if (!options_.progress) return {};
        return [this, from, to](double share) { options_.progress(from + (to - from) * share); };
    }

    /// A box of the input with 0 for what is not finite, and where it is.
    void split(const ConstVolumeView& input, const Box3& box) {
        const Extent n = extent_of(box);
        pool_.for_each(n[2], [&](std::int64_t k, int) {
            dispatch(input.dtype, [&](auto zero) {
                using T = decltype(zero);
                for (std::int64_t j = 0; j < n[1]; ++j) {
                    const T* row = reinterpret_cast<const T*>(address(input, box.lo[0], box.lo[1] + j, box.lo[2] + k));
                    const auto at = static_cast<std::size_t>((k * n[1] + j) * n[0]);
                    for (std::int64_t i = 0; i < n[0]; ++i) {
                        const auto v = static_cast<C>(row[i * input.stride[0]]);
                        mask_[at + static_cast<std::size_t>(i)] = std::isfinite(v) ? 1 : 0;
                        known_[at + static_cast<std::size_t>(i)] = std::isfinite(v) ? v : C(0);
                    }
                }
            });
        });
    }

    /// The continuous input index of an output voxel on the input's axes, and the steps; false where it is fill.
    bool position(std::int64_t i, std::int64_t j, std::int64_t k, double (&c)[3], double (&step)[3]) const {
        if (gather_) {
            for (std::size_t d = 0; d < 3; ++d) step[d] = plan_.axes[d].step;
            return math::locate(*gather_, i, j, k, c) || computes_all_;
        }
        const Extent o{i, j, k};
        for (std::size_t a = 0; a < 3; ++a) {
            const AxisSummary& axis = plan_.axes[a];
            c[axis.input_axis] = std::fma(axis.step, static_cast<double>(o[a] + axis.first_output), axis.offset);
            step[axis.input_axis] = std::fabs(axis.step);
        }
        return true;
    }

    C clipped(C value, const ConstVolumeView& input, const double (&c)[3], const double (&step)[3]) const {
        Neighbours box[3];
        const Extent& first = plan_.first_input;
        for (int d = 0; d < 3; ++d) box[d] = neighbours(c[d], step[d], first[d], first[d] + input.extent[d]);
        C low = INFINITY, high = -INFINITY;
        dispatch(input.dtype, [&](auto zero) {
            using T = decltype(zero);
            for (std::int64_t k = box[2].lo; k < box[2].hi; ++k)
                for (std::int64_t j = box[1].lo; j < box[1].hi; ++j)
                    for (std::int64_t i = box[0].lo; i < box[0].hi; ++i) {
                        const auto v = static_cast<C>(
                            *reinterpret_cast<const T*>(address(input, i - first[0], j - first[1], k - first[2])));
                        if (nan_aware_ && !std::isfinite(v)) continue;
                        low = v < low ? v : low;  // NaN changes nothing
                        high = v > high ? v : high;
                    }
        });
        if (low > high) return value;
        return value < low ? low : value > high ? high : value;
    }

    /// Slice k of the part `box` of the output.
    void finish_slice(const ConstVolumeView& input, const VolumeView& output, const math::Storing& storing,
                      const Box3& box, std::int64_t k) const {
        const Box3& covered = plan_.covered;
        const std::int64_t width = box.hi[0] - box.lo[0], height = box.hi[1] - box.lo[1];
        dispatch(output.dtype, [&](auto zero) {
            using T = decltype(zero);
            for (std::int64_t j = box.lo[1]; j < box.hi[1]; ++j) {
                fill_row(address(output, box.lo[0], j, k), output.dtype, output.stride[0], width, plan_.options.fill);
                if (k < covered.lo[2] || k >= covered.hi[2] || j < covered.lo[1] || j >= covered.hi[1]) continue;
                const std::int64_t row = ((k - box.lo[2]) * height + (j - box.lo[1])) * width;
                const std::int64_t end = std::min(box.hi[0], covered.hi[0]);
                for (std::int64_t i = std::max(box.lo[0], covered.lo[0]); i < end; ++i) {
                    double c[3], step[3];
                    if (!position(i, j, k, c, step)) continue;
                    const auto at = static_cast<std::size_t>(row + (i - box.lo[0]));
                    C value = values_[at];
                    if (nan_aware_) value = shares_[at] < C(kLeastWeight) ? C(NAN) : value / shares_[at];
                    if (plan_.options.clip == Clip::local) value = clipped(value, input, c, step);
                    *reinterpret_cast<T*>(address(output, i, j, k)) = math::store_value<T>(value, storing);
                }
            }
        });
    }

    Plan plan_;
    ExecutorOptions options_;
    Make make_;
    ThreadPool pool_;
    bool nan_aware_;
    Plan sums_;                ///< of the whole output
    std::vector<Box3> parts_;  ///< of the output
    Executors first_;          ///< of the first part; those of the others are made when their turn comes
    std::optional<math::GatherFrame> gather_;
    bool computes_all_ = false;       ///< of a gather: also what lies outside the input
    std::vector<C> values_, shares_;  ///< of the output voxels of a part
    std::vector<C> known_;            ///< of the input, with 0 for what is not finite
    std::vector<std::uint8_t> mask_;  ///< 1 where it is finite
};

}  // namespace

bool needs_two_steps(const Plan& plan) {
    if (plan.options.labels || plan.is_copy()) return false;
    return plan.options.clip == Clip::local || is_nan_aware(plan);
}

std::int64_t two_step_scratch_bytes(const Plan& plan, std::int64_t scratch_bytes) {
    std::int64_t most = 0;
    for (const Box3& part : two_step_parts(plan, scratch_bytes)) most = std::max(most, part_bytes(plan, part));
    return most;
}

std::unique_ptr<Executor> make_two_step_executor(const Plan& plan, const ExecutorOptions& options, const Make& make,
                                                 std::int64_t scratch_bytes) {
    if (plan.compute == ComputeType::f32) {
        return std::make_unique<TwoStepExecutor<float>>(plan, options, make, scratch_bytes);
    }
    return std::make_unique<TwoStepExecutor<double>>(plan, options, make, scratch_bytes);
}

}  // namespace revoxel
