// Labels from scores, part by part of the output: all channels of a part in one launch, then the largest of each voxel.
#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "argmax.hpp"
#include "device_view.hpp"
#include "executors/parts.hpp"
#include "revoxel/cuda.hpp"
#include "revoxel/error.hpp"
#include "runtime/memory.hpp"
#include "tables.hpp"

namespace revoxel::cuda {
namespace {

/// The plan of a channel: scores as computed, NaN where there is none.
Plan plan_of_scores(const Plan& plan) {
    Plan scores = plan;
    scores.options.output_dtype = plan.compute == ComputeType::f32 ? DType::float32 : DType::float64;
    scores.options.fill = std::numeric_limits<double>::quiet_NaN();
    return scores;
}

class PartwiseArgmax final : public ArgmaxPlan {
public:
    PartwiseArgmax(const Plan& plan, const std::vector<std::int64_t>& labels, const DeviceOptions& options,
                   std::int64_t scratch_bytes)
        : plan_(plan), channels_(static_cast<std::int64_t>(labels.size())) {
        if (labels.empty()) throw Error(ErrorCode::usage, "argmax of no channels; expected a label for each channel");
        const OnDevice here(options.device);
        device_ = current_device();
        prepare_parts(plan_of_scores(plan), options, scratch_bytes);
        const Stream stream;
        table_ = tables_.add(labels);
        tables_.upload(stream.handle());
        stream.wait();
        std::int64_t most = 0;
        for (const Part& part : parts_) most = std::max(most, part.box.count());
        const std::size_t field = static_cast<std::size_t>(most) * size_of(score_dtype());
        scores_ = DeviceMemory(field * static_cast<std::size_t>(at_once_));
        if (at_once_ < channels_) best_ = DeviceMemory(field);
    }

    void run(const ConstVolumeView& scores, std::int64_t step, const VolumeView& labels, StreamHandle stream) override {
        if (labels.extent != plan_.output.extent) {
            throw Error(ErrorCode::usage, "the labels do not have the extent of the plan's output");
        }
        const OnDevice here(device_);
        for (const Part& part : parts_) {
            VolumeView there = labels;
            there.data = static_cast<std::byte*>(labels.data) +
                         (part.box.lo[0] * labels.stride[0] + part.box.lo[1] * labels.stride[1] +
                          part.box.lo[2] * labels.stride[2]) *
                             static_cast<std::int64_t>(size_of(labels.dtype));
            for (std::size_t a = 0; a < 3; ++a) there.extent[a] = part.box.hi[a] - part.box.lo[a];
            run_part(part, scores, step, there, stream);
        }
    }

    std::int64_t bytes() const noexcept override {
        std::size_t bytes = tables_.bytes() + scores_.bytes() + best_.bytes();
        for (const Part& part : parts_) bytes += part.plan ? static_cast<std::size_t>(part.plan->bytes()) : 0;
        return static_cast<std::int64_t>(bytes);
    }
    const Plan& plan() const noexcept override { return plan_; }
    int device() const noexcept override { return device_; }

private:
    struct Part {
        Box3 box;
        std::unique_ptr<DevicePlan> plan;  ///< null: all of it is fill
    };

    /// Parts as small as `scratch_bytes` asks, each with all channels. Plans that have scratch memory of their own are
    /// not cut, each part would take it; their channels come one after the other.
    void prepare_parts(const Plan& scores, const DeviceOptions& options, std::int64_t scratch_bytes) {
        Part whole{{{0, 0, 0}, scores.output.extent}, nullptr};
        if (!scores.covered.empty()) whole.plan = make_device_plan(scores, options);
        if (whole.plan && whole.plan->scratch_bytes() != 0) {
            at_once_ = 1;
            parts_.push_back(std::move(whole));
            return;
        }
        at_once_ = channels_;
        const int values = static_cast<int>(std::min<std::int64_t>(channels_, std::numeric_limits<int>::max()));
        for (const Box3& box : parts_of(scores, values, scratch_bytes)) {
            const Plan part = scores.cropped(box);
            parts_.push_back({box, part.covered.empty() ? nullptr : make_device_plan(part, options)});
        }
    }

    DType score_dtype() const { return plan_.compute == ComputeType::f32 ? DType::float32 : DType::float64; }

    void run_part(const Part& part, const ConstVolumeView& scores, std::int64_t step, const VolumeView& labels,
                  StreamHandle stream) const {
        ArgmaxJob job{};
        job.scores = scores_.data();
        job.score_step = part.box.count();
        job.best = best_.data();
        job.labels = field_of(labels);
        job.fill = plan_.options.fill;
        job.first = true;
        if (!part.plan) return argmax_of(job, stream);
        const Extent& n = labels.extent;
        for (std::int64_t channel = 0; channel < channels_; channel += at_once_) {
            DeviceJob resampling;
            resampling.plan = part.plan.get();
            resampling.input = scores;
            resampling.input.data = static_cast<const std::byte*>(scores.data) +
                                    channel * step * static_cast<std::int64_t>(size_of(scores.dtype));
            resampling.output = {scores_.data(), score_dtype(), n, {1, n[0], n[0] * n[1]}};
            resampling.count = std::min(at_once_, channels_ - channel);
            resampling.input_step = step;
            resampling.output_step = job.score_step;
            cuda::run({resampling}, stream);
            job.channels = static_cast<int>(resampling.count);
            job.table = tables_.at<std::int64_t>(table_) + channel;
            job.first = channel == 0;
            argmax_of(job, stream);
        }
    }

    void argmax_of(const ArgmaxJob& job, StreamHandle stream) const {
        if (plan_.compute == ComputeType::f32) {
            argmax<float>(job, stream);
        } else {
            argmax<double>(job, stream);
        }
    }

    const Plan plan_;
    std::int64_t channels_, at_once_ = 1;
    int device_ = 0;
    std::vector<Part> parts_;
    Tables tables_;
    Tables::Place table_;
    DeviceMemory scores_, best_;
};

}  // namespace

std::unique_ptr<ArgmaxPlan> make_argmax_plan(const Plan& plan, const std::vector<std::int64_t>& labels,
                                             const DeviceOptions& options, std::int64_t scratch_bytes) {
    return std::make_unique<PartwiseArgmax>(plan, labels, options, scratch_bytes);
}

}  // namespace revoxel::cuda
