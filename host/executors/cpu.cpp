#include "executors/cpu.hpp"

#include <optional>

#include "executors/copy.hpp"
#include "executors/cpu_gather.hpp"
#include "executors/cpu_march.hpp"
#include "executors/label_vote.hpp"
#include "revoxel/volume.hpp"

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
            Grid grid;
            grid.extent = gather_->extent;
            filtered_ = Volume(grid, dtype_of<C>());
            march_.emplace(gather_->extent, passes, Box3{{0, 0, 0}, gather_->extent}, 0.0, pool_.size());
        }
        points_.emplace(*gather_, plan_.output.extent, plan_.options.fill, pool_.size());
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
        return filtered_.size_bytes() + (march_ ? march_->workspace_bytes() : 0) +
               (points_ ? points_->workspace_bytes() : 0) + (copy_ ? copy_->workspace_bytes() : 0) +
               (vote_ ? vote_->workspace_bytes() : 0);
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
            march_->run(input, filtered_.view(), {}, pool_, scaled_progress(0.0, share));
            source = filtered_.view();
        }
        points_->run(source, output, how, pool_, scaled_progress(share, 1.0));
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
    std::optional<PointGather<C>> points_;
    Volume filtered_;  ///< what the gather reads, after the passes
};

}  // namespace

std::unique_ptr<Executor> make_cpu_executor(const Plan& plan, const ExecutorOptions& options) {
    if (plan.compute == ComputeType::f32) return std::make_unique<CpuExecutor<float>>(plan, options);
    return std::make_unique<CpuExecutor<double>>(plan, options);
}

}  // namespace revoxel
