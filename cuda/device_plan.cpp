// Plans on a device: which kernels a plan needs, and queueing them for one volume or for many.
#include <fmt/format.h>
#include <algorithm>

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "copy.hpp"
#include "device_plan.hpp"
#include "device_view.hpp"
#include "engine/cuda_backend.hpp"
#include "executors/two_step.hpp"
#include "executors/views.hpp"
#include "fill.hpp"
#include "gather.hpp"
#include "math/votes.hpp"
#include "plan/kernels.hpp"
#include "range.hpp"
#include "revoxel/cuda.hpp"
#include "revoxel/error.hpp"
#include "runtime/device_volume.hpp"
#include "runtime/memory.hpp"
#include "separable.hpp"
#include "tables.hpp"
#include "votes.hpp"

namespace revoxel::cuda {
namespace {

template <typename C>
struct SumJobs {
    std::map<int, std::vector<MarchJob<C>>> marches;  ///< by the kernel's taps
    std::vector<GatherJob<C>> gathers;
};

/// Jobs that wait for their launch. They write different volumes, so that their order is free.
struct Queue {
    std::vector<FillJob> fills;
    std::vector<CopyJob> copies;
    std::vector<PickJob> picks;
    std::vector<VoteJob> votes;
    SumJobs<float> sums_f32;
    SumJobs<double> sums_f64;

    template <typename C>
    SumJobs<C>& sums() {
        if constexpr (sizeof(C) == 4) {
            return sums_f32;
        } else {
            return sums_f64;
        }
    }
    template <typename C>
    void launch_sums(StreamHandle stream) {
        for (const auto& [taps, jobs] : sums<C>().marches) march(jobs.data(), jobs.size(), taps, stream);
        gather(sums<C>().gathers.data(), sums<C>().gathers.size(), stream);
    }
    void launch(StreamHandle stream) {
        fill(fills.data(), fills.size(), stream);
        copy(copies.data(), copies.size(), stream);
        pick(picks.data(), picks.size(), stream);
        vote(votes.data(), votes.size(), stream);
        launch_sums<float>(stream);
        launch_sums<double>(stream);
    }
};

/// What DeviceJob says, as kernels see it. The input has its axes in the order of the output's.
struct FieldJob {
    Field input, output;
    Volumes volumes;
    const double* affines;

    /// Volume number n alone.
    FieldJob volume(std::int64_t n) const {
        FieldJob one = *this;
        one.input.data += n * volumes.input_step * static_cast<std::int64_t>(size_of(input.dtype));
        one.output.data += n * volumes.output_step * static_cast<std::int64_t>(size_of(output.dtype));
        one.volumes.count = 1;
        if (affines) one.affines += n * 12;
        return one;
    }
};

class QueuedPlan : public DevicePlan {
public:
    /// Adds what a run needs to the queue; what must be done in order, because it goes through memory of the plan, is
    /// launched at once.
    virtual void add(const DeviceJob& job, Queue& queue, StreamHandle stream) = 0;

    const double* given_range = nullptr;  ///< see take_range_from()
};

/// One of four shapes of plan: nothing computed; votes; separable passes; passes on the input grid, then a gather.
template <typename C>
class TypedPlan final : public QueuedPlan {
public:
    TypedPlan(const Plan& plan, const DeviceOptions& options) : plan_(plan), options_(options) {
        const OnDevice here(options.device);
        device_ = current_device();
        for (std::size_t a = 0; a < 3; ++a) {
            narrow(plan_.input.extent[a]);
            narrow(plan_.output.extent[a]);
        }
        for (const Stage& stage : plan_.stages) {
            if (const auto* pass = std::get_if<AxisPass>(&stage)) {
                passes_.push_back(pass);
            } else {
                gather_ = &std::get<AffineGather>(stage);
            }
        }
        const Stream stream;
        if (plan_.is_copy()) {
            prepare_copy();
        } else if (plan_.options.labels) {
            prepare_votes();
        } else {
            prepare_sums(stream.handle());
        }
        tables_.upload(stream.handle());
        stream.wait();
    }

    void run(const ConstVolumeView& input, const VolumeView& output, StreamHandle stream) override {
        DeviceJob job;
        job.plan = this;
        job.input = input;
        job.output = output;
        cuda::run({job}, stream);
    }

    void add(const DeviceJob& job, Queue& queue, StreamHandle stream) override {
        check_views(plan_, job.input, job.output);
        if (job.count < 0 || (job.count > 1 && job.output_step == 0)) {
            throw Error(ErrorCode::usage,
                        fmt::format("a job of {} volumes with an output step of {} is not possible; expected 0 volumes "
                                    "or more, which do not lie on each other",
                                    job.count, job.output_step));
        }
        FieldJob fields{
            field_of(job.input), field_of(job.output), {job.count, job.input_step, job.output_step}, job.affines};
        if (job.affines && !gather_) {
            throw Error(ErrorCode::usage, "affines are for plans that make_patch_plan made; this plan is separable");
        }
        FillJob outside[kOutsideBoxes];
        outside_jobs(fields.output, fields.volumes, box_of(plan_.covered), plan_.options.fill, outside);
        queue.fills.insert(queue.fills.end(), outside, outside + kOutsideBoxes);
        if (plan_.covered.empty()) return;
        if (plan_.is_copy()) return add_copy(permuted_job(fields), queue);
        if (plan_.options.labels) return add_votes(permuted_job(fields), queue);
        if (scratch_bytes() == 0 && (!separable_ || separable_->marches())) return add_sums(fields, queue);
        // Gathers from one volume share what is made of it.
        if (gather_ && job.input_step == 0) return run_sums(fields, stream);
        for (std::int64_t n = 0; n < job.count; ++n) run_sums(fields.volume(n), stream);
    }

    std::int64_t bytes() const noexcept override {
        return static_cast<std::int64_t>(tables_.bytes() + filtered_.bytes() + texture_.bytes() + range_.bytes() +
                                         (separable_ ? separable_->bytes() : 0));
    }
    std::int64_t scratch_bytes() const noexcept override {
        return static_cast<std::int64_t>(filtered_.bytes() + texture_.bytes() + range_.bytes() +
                                         (separable_ ? separable_->scratch_bytes() : 0));
    }
    const Plan& plan() const noexcept override { return plan_; }
    int device() const noexcept override { return device_; }

private:
    void prepare_copy() {
        if (gather_) return;
        for (const AxisPass* pass : passes_) {
            std::vector<std::int32_t> source;
            for (const std::int64_t i : pass->taps.first) source.push_back(narrow(i));
            source_[static_cast<std::size_t>(pass->axis)] = tables_.add(source);
        }
    }

    void prepare_votes() {
        for (const AxisPass* pass : passes_) {
            const auto a = static_cast<std::size_t>(pass->axis);
            std::vector<std::int64_t> votes;
            for (const double w : pass->taps.weight) votes.push_back(math::vote_units(w));
            axes_[a] = add_axis<C>(tables_, &pass->taps, 0);
            votes_[a] = tables_.add(votes);
        }
    }

    void prepare_sums(StreamHandle stream) {
        const Extent& from = plan_.input.extent;
        if (plan_.options.clip == Clip::global) {
            range_ = RangeFinder(from[0] * from[1] * from[2], plan_.options.input_dtype);
        }
        if (!gather_) {
            const ConstVolumeView in = permuted({nullptr, DType::uint8, from, {0, 0, 0}}, plan_.input_axis);
            separable_.emplace(passes_, in.extent, plan_.output.extent, plan_.covered, stream);
            return;
        }
        if (!passes_.empty()) {
            const Extent& n = gather_->extent;
            filtered_ = DeviceMemory(static_cast<std::size_t>(n[0] * n[1] * n[2]) * sizeof(C));
            separable_.emplace(passes_, from, n, Box3{{0, 0, 0}, n}, stream);
        }
        prepare_texture();
        for (std::size_t a = 0; a < 3; ++a) {
            if (gather_->norm[a].empty()) continue;
            std::vector<C> norm;
            for (const double v : gather_->norm[a]) norm.push_back(static_cast<C>(v));
            norm_[a] = tables_.add(norm);
        }
    }

    /// Of the array that the gather reads.
    void prepare_texture() {
        const DType dtype = !separable_ ? plan_.options.input_dtype : sizeof(C) == 4 ? DType::float32 : DType::float64;
        bool linear = true, whole = true;
        for (std::size_t a = 0; a < 3; ++a) {
            linear = linear && gather_->kernel[static_cast<int>(a)] == Kernel::linear;
            whole = whole && gather_->norm[a].empty();
        }
        const bool interpolates = options_.precision == Precision::fast && linear && whole && sizeof(C) == 4;
        const std::int64_t extent[3] = {gather_->extent[0], gather_->extent[1], gather_->extent[2]};
        if ((!options_.textures && !interpolates) || !fits_texture(extent)) return;
        if (interpolates) full_scale_ = full_scale(dtype);
        texture_ = DeviceVolume(extent, dtype, interpolates ? DeviceVolume::Read::filtered : DeviceVolume::Read::bits);
    }

    FieldJob permuted_job(FieldJob job) const {
        const Field field = job.input;
        for (std::size_t a = 0; a < 3; ++a) {
            const auto from = static_cast<std::size_t>(plan_.input_axis[a]);
            job.input.extent[a] = field.extent[from];
            job.input.stride[a] = field.stride[from];
        }
        return job;
    }

    void add_copy(const FieldJob& fields, Queue& queue) const {
        if (!gather_) {
            CopyJob job{fields.input, fields.output, fields.volumes, box_of(plan_.covered), {}};
            for (std::size_t a = 0; a < 3; ++a) job.source[a] = tables_.at<std::int32_t>(source_[a]);
            queue.copies.push_back(job);
            return;
        }
        PickJob job{};
        job.input = fields.input;
        job.output = fields.output;
        job.volumes = fields.volumes;
        job.affines = fields.affines;
        job.covered = box_of(plan_.covered);
        job.frame = frame_of(*gather_);
        for (std::size_t a = 0; a < 3; ++a) job.origin[a] = gather_->origin[a];
        job.fill = plan_.options.fill;
        queue.picks.push_back(job);
    }

    void add_votes(const FieldJob& fields, Queue& queue) const {
        VoteJob job{};
        job.input = fields.input;
        job.output = fields.output;
        job.volumes = fields.volumes;
        job.affines = fields.affines;
        job.covered = box_of(plan_.covered);
        job.fill = plan_.options.fill;
        for (std::size_t a = 0; a < 3; ++a) {
            const AxisPlaces& axis = axes_[a];
            job.table[a] = {tables_.at<std::int32_t>(axis.first),
                            tables_.at<std::int32_t>(axis.count),
                            tables_.at<std::int64_t>(votes_[a]),
                            axis.stride,
                            axis.n_in,
                            axis.wraps};
        }
        if (gather_) {
            job.gather = true;
            job.frame = frame_of(*gather_);
            job.boundary = gather_->boundary;
            for (int a = 0; a < 3; ++a) {
                const auto d = static_cast<std::size_t>(a);
                job.kernel[a] = point_kernel(gather_->kernel[a], gather_->shape, gather_->stretch[d]);
                job.stretch[a] = gather_->stretch[d];
                job.origin[a] = gather_->origin[d];
            }
        }
        queue.votes.push_back(job);
    }

    math::Storing storing() const {
        math::Storing result = storing_of(plan_, {});
        if (plan_.options.clip == Clip::global) {
            result.clipped = true;
            result.plain = false;
            result.range = given_range ? given_range : range_.range();
        }
        return result;
    }

    void add_sums(const FieldJob& fields, Queue& queue) const {
        if (gather_) {
            queue.sums<C>().gathers.push_back(gather_job(fields.input, fields));
            return;
        }
        const FieldJob straight = permuted_job(fields);
        queue.sums<C>().marches[march_kernel_taps(separable_->z_taps())].push_back(
            separable_->march_job(straight.input, straight.output, straight.volumes, storing()));
    }

    /// One volume, step by step; or several gathers from one.
    void run_sums(const FieldJob& fields, StreamHandle stream) const {
        if (range_.range() && !given_range) range_.find(fields.input, stream);
        if (!gather_) {
            return separable_->run(permuted_job(fields).input, fields.output, storing(), stream);
        }
        Field source = fields.input;
        if (separable_) {
            const Extent& n = gather_->extent;
            source = Field{filtered_.data(),
                           sizeof(C) == 4 ? DType::float32 : DType::float64,
                           {n[0], n[1], n[2]},
                           {1, n[0], n[0] * n[1]}};
            separable_->run(fields.input, source, {}, stream);
        }
        GatherJob<C> job = gather_job(source, fields);
        if (texture_.texture() != 0 && copyable(source)) {
            texture_.fill(source, stream);
            job.texture = texture_.texture();
            job.filtered = full_scale_;
        }
        gather(&job, 1, stream);
    }

    GatherJob<C> gather_job(const Field& source, const FieldJob& fields) const {
        GatherJob<C> job{};
        job.input = source;
        job.output = fields.output;
        job.volumes = fields.volumes;
        job.affines = fields.affines;
        job.covered = box_of(plan_.covered);
        job.frame = frame_of(*gather_);
        job.storing = storing();
        job.fill = plan_.options.fill;
        for (int a = 0; a < 3; ++a) {
            const auto d = static_cast<std::size_t>(a);
            job.kernel[a] = point_kernel(gather_->kernel[a], gather_->shape);
            job.taps = std::max(job.taps, most_taps(job.kernel[a]));
            job.origin[a] = gather_->origin[d];
            job.norm[a] = tables_.at<C>(norm_[d]);
        }
        return job;
    }

    const Plan plan_;
    DeviceOptions options_;
    int device_ = 0;
    std::vector<const AxisPass*> passes_;   ///< in plan_
    const AffineGather* gather_ = nullptr;  ///< in plan_
    DeviceMemory filtered_;                 ///< what the gather reads, after the passes
    DeviceVolume texture_;                  ///< a copy of what the gather reads; may be none
    float full_scale_ = 0.0f;               ///< of a texture that interpolates
    RangeFinder range_;                     ///< of plans that clip to it
    std::optional<Separable<C>> separable_;
    Tables tables_;
    std::array<Tables::Place, 3> source_, votes_, norm_;
    std::array<AxisPlaces, 3> axes_;
};

}  // namespace

std::unique_ptr<DevicePlan> make_device_plan(const Plan& plan, const DeviceOptions& options) {
    check_device();
    if (needs_two_steps(plan)) {
        throw Error(ErrorCode::unavailable,
                    "plans that clip locally or leave out NaN run from host memory only; use make_executor");
    }
    if (plan.compute == ComputeType::f32) return std::make_unique<TypedPlan<float>>(plan, options);
    return std::make_unique<TypedPlan<double>>(plan, options);
}

void take_range_from(DevicePlan& plan, const double* range) {
    static_cast<QueuedPlan&>(plan).given_range = range;
}

void run(const std::vector<DeviceJob>& jobs, StreamHandle stream) {
    if (jobs.empty()) return;
    const OnDevice here(jobs.front().plan->device());
    Queue queue;
    for (const DeviceJob& job : jobs) {
        if (job.plan->device() != jobs.front().plan->device()) {
            throw Error(ErrorCode::usage,
                        "the jobs of one run are on several devices; run those of each by themselves");
        }
        static_cast<QueuedPlan*>(job.plan)->add(job, queue, stream);
    }
    queue.launch(stream);
}

}  // namespace revoxel::cuda
