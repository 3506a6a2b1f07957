#include "executors/two_step.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

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

/// Input voxels less than max(1, k) away from a position on one axis, inside it.
struct Neighbours {
    std::int64_t lo, hi;
};

Neighbours neighbours(double c, double k, std::int64_t n) {
    const double near = std::floor(c + 0.5);
    if (std::fabs(c - near) < math::kIntegerSnap) c = near;
    const double reach = std::max(1.0, k) - math::kIntegerSnap;
    const auto lo = static_cast<std::int64_t>(std::floor(c - reach)) + 1;
    const auto hi = static_cast<std::int64_t>(std::ceil(c + reach));
    return {std::max<std::int64_t>(lo, 0), std::min(hi, n)};
}

template <typename C>
class TwoStepExecutor final : public Executor {
public:
    TwoStepExecutor(const Plan& plan, const ExecutorOptions& options,
                    const std::function<std::unique_ptr<Executor>(const Plan&, const ExecutorOptions&)>& make)
        : plan_(plan), options_(options), pool_(options.threads), nan_aware_(is_nan_aware(plan)) {
        const Plan sums = plan_of_sums(plan_, nan_aware_ ? dtype_of<C>() : plan_.options.input_dtype, dtype_of<C>());
        ExecutorOptions inner = options;
        inner.progress = {};
        sums_ = make(sums, inner);
        const auto voxels = static_cast<std::size_t>(voxel_count(plan_.output));
        values_.resize(voxels);
        if (nan_aware_) {
            weights_ = make(plan_of_weights(sums), inner);
            const auto input_voxels = static_cast<std::size_t>(voxel_count(plan_.input));
            known_.resize(input_voxels);
            mask_.resize(input_voxels);
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
        const VolumeView values = view_of(values_.data(), plan_.output.extent);
        if (nan_aware_) {
            split(input);
            sums_->run(view_of(known_.data(), plan_.input.extent), values);
            weights_->run(dense(mask_.data(), DType::uint8, plan_.input.extent),
                          view_of(shares_.data(), plan_.output.extent));
        } else {
            sums_->run(input, values);
        }
        const FiniteRange range =
            plan_.options.clip == Clip::global ? finite_range(input, {{0, 0, 0}, input.extent}) : FiniteRange{};
        const math::Storing storing = storing_of(plan_, range);
        pool_.for_each(
            output.extent[2], [&](std::int64_t k, int) { finish_slice(input, output, storing, k); }, options_.progress);
    }

    std::int64_t workspace_bytes() const noexcept override {
        return static_cast<std::int64_t>((values_.size() + shares_.size() + known_.size()) * sizeof(C) + mask_.size()) +
               sums_->workspace_bytes() + (weights_ ? weights_->workspace_bytes() : 0);
    }
    std::string name() const override { return sums_->name(); }

private:
    static VolumeView dense(void* data, DType dtype, const Extent& n) {
        return {data, dtype, n, {1, n[0], n[0] * n[1]}};
    }
    static VolumeView view_of(C* data, const Extent& n) { return dense(data, dtype_of<C>(), n); }

    /// The input with 0 for what is not finite, and where it is.
    void split(const ConstVolumeView& input) {
        const Extent& n = input.extent;
        pool_.for_each(n[2], [&](std::int64_t k, int) {
            dispatch(input.dtype, [&](auto zero) {
                using T = decltype(zero);
                for (std::int64_t j = 0; j < n[1]; ++j) {
                    const T* row = reinterpret_cast<const T*>(address(input, 0, j, k));
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
        for (int d = 0; d < 3; ++d) box[d] = neighbours(c[d], step[d], input.extent[d]);
        C low = INFINITY, high = -INFINITY;
        dispatch(input.dtype, [&](auto zero) {
            using T = decltype(zero);
            for (std::int64_t k = box[2].lo; k < box[2].hi; ++k)
                for (std::int64_t j = box[1].lo; j < box[1].hi; ++j)
                    for (std::int64_t i = box[0].lo; i < box[0].hi; ++i) {
                        const auto v = static_cast<C>(*reinterpret_cast<const T*>(address(input, i, j, k)));
                        if (nan_aware_ && !std::isfinite(v)) continue;
                        low = v < low ? v : low;  // NaN changes nothing
                        high = v > high ? v : high;
                    }
        });
        if (low > high) return value;
        return value < low ? low : value > high ? high : value;
    }

    void finish_slice(const ConstVolumeView& input, const VolumeView& output, const math::Storing& storing,
                      std::int64_t k) const {
        const Extent& n = output.extent;
        const Box3& box = plan_.covered;
        dispatch(output.dtype, [&](auto zero) {
            using T = decltype(zero);
            for (std::int64_t j = 0; j < n[1]; ++j) {
                fill_row(address(output, 0, j, k), output.dtype, output.stride[0], n[0], plan_.options.fill);
                if (k < box.lo[2] || k >= box.hi[2] || j < box.lo[1] || j >= box.hi[1]) continue;
                const auto row = static_cast<std::size_t>((k * n[1] + j) * n[0]);
                for (std::int64_t i = box.lo[0]; i < box.hi[0]; ++i) {
                    double c[3], step[3];
                    if (!position(i, j, k, c, step)) continue;
                    const auto at = row + static_cast<std::size_t>(i);
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
    ThreadPool pool_;
    bool nan_aware_;
    std::unique_ptr<Executor> sums_, weights_;
    std::optional<math::GatherFrame> gather_;
    bool computes_all_ = false;       ///< of a gather: also what lies outside the input
    std::vector<C> values_, shares_;  ///< of the output voxels
    std::vector<C> known_;            ///< the input with 0 for what is not finite
    std::vector<std::uint8_t> mask_;  ///< 1 where it is finite
};

}  // namespace

bool needs_two_steps(const Plan& plan) {
    if (plan.options.labels || plan.is_copy()) return false;
    return plan.options.clip == Clip::local || is_nan_aware(plan);
}

std::unique_ptr<Executor> make_two_step_executor(
    const Plan& plan, const ExecutorOptions& options,
    const std::function<std::unique_ptr<Executor>(const Plan&, const ExecutorOptions&)>& make) {
    if (plan.compute == ComputeType::f32) return std::make_unique<TwoStepExecutor<float>>(plan, options, make);
    return std::make_unique<TwoStepExecutor<double>>(plan, options, make);
}

}  // namespace revoxel
