#include "executors/cpu.hpp"

#include <optional>

#include "executors/copy.hpp"
#include "executors/cpu_march.hpp"
#include "executors/label_vote.hpp"
#include "plan/kernels.hpp"

namespace revoxel {
namespace {

template <typename C>
constexpr DType dtype_of() {
    return sizeof(C) == 4 ? DType::float32 : DType::float64;
}

/// One of three shapes of plan: nothing computed; separable passes; passes on the input grid, then a gather.
template <typename C>
class CpuExecutor final : public Executor {
public:
    CpuExecutor(const Plan& plan, const ExecutorOptions& options)
        : plan_(plan), options_(options), pool_(options.threads) {
        if (plan_.is_copy()) {
            copy_.emplace(plan_);
            return;
        }
        if (plan_.options.labels) {
            vote_.emplace(plan_, pool_.size());
            return;
        }
        std::vector<const AxisPass*> passes;
        for (const Stage& stage : plan_.stages) {
            if (const auto* pass = std::get_if<AxisPass>(&stage)) {
                passes.push_back(pass);
            } else {
                gather_ = &std::get<AffineGather>(stage);
            }
        }
        if (!gather_) {
            march_.emplace(plan_.output.extent, passes, plan_.covered, plan_.options.fill, pool_.size());
            return;
        }
        if (!passes.empty()) {
            filtered_.resize(static_cast<std::size_t>(gather_->extent[0] * gather_->extent[1] * gather_->extent[2]));
            march_.emplace(gather_->extent, passes, Box3{{0, 0, 0}, gather_->extent}, 0.0, pool_.size());
        }
        for (std::size_t d = 0; d < 3; ++d) norm_[d].assign(gather_->norm[d].begin(), gather_->norm[d].end());
        const Box3& box = plan_.covered;
        rows_.resize(static_cast<std::size_t>(pool_.size()));
        for (std::vector<C>& row : rows_) row.resize(static_cast<std::size_t>(box.hi[0] - box.lo[0]));
    }

    void run(const ConstVolumeView& input, const VolumeView& output) override {
        check_views(plan_, input, output);
        if (copy_) {
            copy_->run(input, output, pool_, options_.progress);
        } else if (vote_) {
            vote_->run(input, output, pool_, options_.progress);
        } else if (!gather_) {
            march_->run(permuted(input, plan_.input_axis), output, storing(input), pool_, options_.progress);
        } else {
            run_gather(input, output);
        }
    }

    std::int64_t workspace_bytes() const noexcept override {
        std::size_t bytes = filtered_.size() * sizeof(C);
        for (const std::vector<C>& row : rows_) bytes += row.size() * sizeof(C);
        return static_cast<std::int64_t>(bytes) + (march_ ? march_->workspace_bytes() : 0) +
               (copy_ ? copy_->workspace_bytes() : 0) + (vote_ ? vote_->workspace_bytes() : 0);
    }

    std::string name() const override { return std::string("cpu-") + cpu_kernels<C>().isa; }

private:
    math::Storing storing(const ConstVolumeView& input) {
        if (plan_.options.clip != Clip::global) return storing_of(plan_, {});
        std::vector<FiniteRange> ranges(static_cast<std::size_t>(input.extent[2]));
        pool_.for_each(input.extent[2],
                       [&](std::int64_t k, int) {
                           ranges[static_cast<std::size_t>(k)] =
                               finite_range(input, {{0, 0, k}, {input.extent[0], input.extent[1], k + 1}});
                       },
                       {});
        FiniteRange all;
        for (const FiniteRange& range : ranges) all = united(all, range);
        return storing_of(plan_, all);
    }

    void run_gather(const ConstVolumeView& input, const VolumeView& output) {
        // The passes on the input grid are the first half of the bar, where there are any.
        const double share = march_ ? 0.5 : 0.0;
        const math::Storing how = storing(input);
        ConstVolumeView source = input;
        if (march_) {
            const Extent& n = gather_->extent;
            const VolumeView filtered{filtered_.data(), dtype_of<C>(), n, {1, n[0], n[0] * n[1]}};
            march_->run(input, filtered, {}, pool_, scaled_progress(0.0, share));
            source = filtered;
        }
        GatherSource<C> s{};
        s.data = source.data;
        s.frame = frame_of(*gather_);
        for (int d = 0; d < 3; ++d) {
            s.kernel[d] = point_kernel(gather_->kernel[d], gather_->shape);
            s.extent[d] = gather_->extent[d];
            s.stride[d] = source.stride[d];
            s.origin[d] = gather_->origin[d];
            s.norm[d] = norm_[d].empty() ? nullptr : norm_[d].data();
        }
        const auto gather = cpu_kernels<C>().gather[static_cast<int>(source.dtype)];
        const auto store = cpu_kernels<C>().store[static_cast<int>(output.dtype)];
        const Box3& box = plan_.covered;
        pool_.for_each(
            output.extent[2],
            [&](std::int64_t k, int thread) {
                C* row = rows_[static_cast<std::size_t>(thread)].data();
                for (std::int64_t j = 0; j < output.extent[1]; ++j) {
                    fill_row(address(output, 0, j, k), output.dtype, output.stride[0], output.extent[0],
                             plan_.options.fill);
                    if (k < box.lo[2] || k >= box.hi[2] || j < box.lo[1] || j >= box.hi[1]) continue;
                    const auto inside = gather(row, s, box.lo[0], box.hi[0], j, k);
                    store(address(output, inside.lo, j, k), output.stride[0], row + (inside.lo - box.lo[0]),
                          inside.hi - inside.lo, how);
                }
            },
            scaled_progress(share, 1.0));
    }

    std::function<void(double)> scaled_progress(double from, double to) const {
        if (!options_.progress) return {};
        return [this, from, to](double share) { options_.progress(from + (to - from) * share); };
    }

    Plan plan_;
    ExecutorOptions options_;
    ThreadPool pool_;
    std::optional<VoxelCopy> copy_;
    std::optional<LabelVote> vote_;
    std::optional<March<C>> march_;
    const AffineGather* gather_ = nullptr;  ///< in plan_
    std::array<std::vector<C>, 3> norm_;    ///< AffineGather::norm
    std::vector<C> filtered_;               ///< what the gather reads, after the passes
    std::vector<std::vector<C>> rows_;      ///< one output row a thread
};

}  // namespace

std::unique_ptr<Executor> make_cpu_executor(const Plan& plan, const ExecutorOptions& options) {
    if (plan.compute == ComputeType::f32) return std::make_unique<CpuExecutor<float>>(plan, options);
    return std::make_unique<CpuExecutor<double>>(plan, options);
}

}  // namespace revoxel
