// The executor on a GPU: brings the input there, runs the kernels of the plan, brings the output back.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <vector>

#include "copy.hpp"
#include "device_view.hpp"
#include "engine/cuda_backend.hpp"
#include "executors/views.hpp"
#include "fill.hpp"
#include "gather.hpp"
#include "math/votes.hpp"
#include "plan/kernels.hpp"
#include "runtime/memory.hpp"
#include "separable.hpp"
#include "tables.hpp"
#include "votes.hpp"

namespace revoxel::cuda {
namespace {

/// How a volume lies on the device: as on the host where that leaves no gaps, else with i fastest.
std::array<std::int64_t, 3> device_strides(const ConstVolumeView& view) {
    std::array<std::size_t, 3> order{0, 1, 2};
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return std::abs(view.stride[a]) < std::abs(view.stride[b]); });
    std::array<std::int64_t, 3> stride{};
    std::int64_t next = 1;
    for (const std::size_t a : order) {
        stride[a] = next;
        next *= view.extent[a];
    }
    return stride;
}

bool lies_as(const ConstVolumeView& view, const std::array<std::int64_t, 3>& stride) {
    for (std::size_t a = 0; a < 3; ++a) {
        if (view.extent[a] > 1 && view.stride[a] != stride[a]) return false;
    }
    return true;
}

std::size_t bytes_of(const ConstVolumeView& view) {
    return static_cast<std::size_t>(view.extent[0] * view.extent[1] * view.extent[2]) * size_of(view.dtype);
}

/// Copies voxels between two views of one dtype and extent.
void copy_host(const ConstVolumeView& from, const VolumeView& to) {
    dispatch(from.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t k = 0; k < from.extent[2]; ++k)
            for (std::int64_t j = 0; j < from.extent[1]; ++j) {
                const T* in = reinterpret_cast<const T*>(address(from, 0, j, k));
                T* out = reinterpret_cast<T*>(address(to, 0, j, k));
                for (std::int64_t i = 0; i < from.extent[0]; ++i) out[i * to.stride[0]] = in[i * from.stride[0]];
            }
    });
}

Box box_of(const Box3& box) {
    Box result{};
    for (std::size_t a = 0; a < 3; ++a) {
        result.lo[a] = box.lo[a];
        result.hi[a] = box.empty() ? box.lo[a] : box.hi[a];
    }
    return result;
}

/// One of four shapes of plan: nothing computed; votes; separable passes; passes on the input grid, then a gather.
template <typename C>
class CudaExecutor final : public Executor {
public:
    CudaExecutor(const Plan& plan, const ExecutorOptions& options) : plan_(plan), options_(options) {
        const PlanOptions& o = plan_.options;
        for (int a = 0; a < 3; ++a) {
            narrow(plan_.input.extent[static_cast<std::size_t>(a)]);
            narrow(plan_.output.extent[static_cast<std::size_t>(a)]);
        }
        input_ = DeviceMemory(bytes(plan_.input, o.input_dtype));
        output_ = DeviceMemory(bytes(plan_.output, o.output_dtype));
        for (const Stage& stage : plan_.stages) {
            if (const auto* pass = std::get_if<AxisPass>(&stage)) {
                passes_.push_back(pass);
            } else {
                gather_ = &std::get<AffineGather>(stage);
            }
        }
        if (plan_.is_copy()) {
            prepare_copy();
        } else if (o.labels) {
            prepare_votes();
        } else {
            prepare_sums();
        }
        tables_.upload(stream_);
    }

    void run(const ConstVolumeView& input, const VolumeView& output) override {
        check_views(plan_, input, output);
        const ConstVolumeView in = upload_input(input);
        const auto stride = device_strides(output);
        const VolumeView out{output_.data(), output.dtype, output.extent, stride};
        run_on_device(field_of(in), field_of(out), input);
        download_output(out, output);
        if (options_.progress) options_.progress(1.0);
    }

    std::int64_t workspace_bytes() const noexcept override {
        return static_cast<std::int64_t>(input_.bytes() + output_.bytes() + tables_.bytes() + filtered_.bytes() +
                                         (separable_ ? separable_->bytes() : 0));
    }
    std::string name() const override { return "cuda (" + device_name() + ")"; }

private:
    static std::size_t bytes(const Grid& grid, DType dtype) {
        return static_cast<std::size_t>(grid.extent[0] * grid.extent[1] * grid.extent[2]) * size_of(dtype);
    }

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

    void prepare_sums() {
        if (!gather_) {
            const ConstVolumeView in =
                permuted({nullptr, DType::uint8, plan_.input.extent, {0, 0, 0}}, plan_.input_axis);
            separable_.emplace(passes_, in.extent, plan_.output.extent, plan_.covered, stream_);
            return;
        }
        if (!passes_.empty()) {
            const Extent& n = gather_->extent;
            filtered_ = DeviceMemory(static_cast<std::size_t>(n[0] * n[1] * n[2]) * sizeof(C));
            separable_.emplace(passes_, plan_.input.extent, n, Box3{{0, 0, 0}, n}, stream_);
        }
        for (std::size_t a = 0; a < 3; ++a) {
            if (gather_->norm[a].empty()) continue;
            std::vector<C> norm;
            for (const double v : gather_->norm[a]) norm.push_back(static_cast<C>(v));
            norm_[a] = tables_.add(norm);
        }
    }

    ConstVolumeView upload_input(const ConstVolumeView& input) {
        const VolumeView there{input_.data(), input.dtype, input.extent, device_strides(input)};
        if (lies_as(input, there.stride)) {
            upload(input_.data(), input.data, bytes_of(input), stream_);
            return there;
        }
        staging_.resize(std::max(staging_.size(), bytes_of(input)));
        copy_host(input, {staging_.data(), input.dtype, input.extent, there.stride});
        upload(input_.data(), staging_.data(), bytes_of(input), stream_);
        return there;
    }

    void download_output(const VolumeView& there, const VolumeView& output) {
        if (lies_as(output, there.stride)) {
            download(output.data, output_.data(), bytes_of(output), stream_);
            stream_.wait();
            return;
        }
        staging_.resize(std::max(staging_.size(), bytes_of(output)));
        download(staging_.data(), output_.data(), bytes_of(output), stream_);
        stream_.wait();
        copy_host({staging_.data(), output.dtype, output.extent, there.stride}, output);
    }

    /// `host` is the input once more, where the host can look at it.
    void run_on_device(const Field& input, const Field& output, const ConstVolumeView& host) {
        fill_outside(output, box_of(plan_.covered), plan_.options.fill, stream_);
        if (plan_.covered.empty()) return;
        const Field ordered = permuted_field(input);
        if (plan_.is_copy()) return run_copy(ordered, output);
        if (plan_.options.labels) return run_votes(ordered, output);
        FiniteRange range;
        if (plan_.options.clip == Clip::global) range = finite_range(host, {{0, 0, 0}, host.extent});
        const math::Storing storing = storing_of(plan_, range);
        if (!gather_) return separable_->run(ordered, output, storing, stream_);
        const Extent& n = gather_->extent;
        Field source = input;
        for (std::size_t a = 0; a < 3; ++a) source.extent[a] = n[a];
        if (separable_) {
            source = Field{filtered_.data(),
                           sizeof(C) == 4 ? DType::float32 : DType::float64,
                           {n[0], n[1], n[2]},
                           {1, n[0], n[0] * n[1]}};
            separable_->run(input, source, {}, stream_);
        }
        run_gather(source, output, storing);
    }

    Field permuted_field(const Field& field) const {
        Field result = field;
        for (std::size_t a = 0; a < 3; ++a) {
            const auto from = static_cast<std::size_t>(plan_.input_axis[a]);
            result.extent[a] = field.extent[from];
            result.stride[a] = field.stride[from];
        }
        return result;
    }

    void run_copy(const Field& input, const Field& output) const {
        CopyJob job{};
        job.input = input;
        job.output = output;
        job.covered = box_of(plan_.covered);
        for (std::size_t a = 0; a < 3; ++a) job.source[a] = tables_.at<std::int32_t>(source_[a]);
        job.fill = plan_.options.fill;
        if (gather_) {
            job.gather = true;
            job.frame = frame_of(*gather_);
            for (std::size_t a = 0; a < 3; ++a) job.origin[a] = gather_->origin[a];
        }
        copy(job, stream_);
    }

    void run_votes(const Field& input, const Field& output) const {
        VoteJob job{};
        job.input = input;
        job.output = output;
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
        vote(job, stream_);
    }

    void run_gather(const Field& source, const Field& output, const math::Storing& storing) const {
        GatherJob<C> job{};
        job.input = source;
        job.output = output;
        job.covered = box_of(plan_.covered);
        job.frame = frame_of(*gather_);
        job.storing = storing;
        job.fill = plan_.options.fill;
        for (int a = 0; a < 3; ++a) {
            const auto d = static_cast<std::size_t>(a);
            job.kernel[a] = point_kernel(gather_->kernel[a], gather_->shape);
            job.origin[a] = gather_->origin[d];
            job.norm[a] = tables_.at<C>(norm_[d]);
        }
        gather(job, stream_);
    }

    const Plan plan_;
    ExecutorOptions options_;
    std::vector<const AxisPass*> passes_;   ///< in plan_
    const AffineGather* gather_ = nullptr;  ///< in plan_
    Stream stream_;
    DeviceMemory input_, output_;
    DeviceMemory filtered_;  ///< what the gather reads, after the passes
    std::optional<Separable<C>> separable_;
    Tables tables_;
    std::array<Tables::Place, 3> source_, votes_, norm_;
    std::array<AxisPlaces, 3> axes_;
    std::vector<std::byte> staging_;  ///< of volumes that have gaps or negative strides
};

}  // namespace

std::unique_ptr<Executor> make_executor(const Plan& plan, const ExecutorOptions& options) {
    check_device();
    if (plan.compute == ComputeType::f32) return std::make_unique<CudaExecutor<float>>(plan, options);
    return std::make_unique<CudaExecutor<double>>(plan, options);
}

}  // namespace revoxel::cuda
