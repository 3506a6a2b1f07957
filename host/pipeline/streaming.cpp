#include "pipeline/streaming.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "executors/thread_pool.hpp"
#include "executors/views.hpp"
#include "io/nifti_stream.hpp"
#include "pipeline/label_fraction.hpp"
#include "pipeline/rows.hpp"
#include "pipeline/stopwatch.hpp"
#include "pipeline/warnings.hpp"
#include "revoxel/error.hpp"

namespace revoxel::pipeline {
namespace {

/// The input slices that the current slab and later ones need, read front to back.
class InputWindow {
public:
    InputWindow(const ResampleJob& job, io::NiftiReader& reader, std::int64_t slices, Backend backend, ThreadPool& pool)
        : job_(job),
          reader_(reader),
          pool_(pool),
          n_(job.input.grid.extent),
          components_(job.input.components),
          scalars_(n_[0] * n_[1] * components_),
          raw_bytes_(scalars_ * static_cast<std::int64_t>(size_of(job.input.dtype))),
          wanted_(facts_wanted(job)) {
        dtype_ = job.request.label.fraction ? DType::uint8 : job.input.dtype;
        slice_bytes_ = scalars_ * static_cast<std::int64_t>(size_of(dtype_));
        capacity_ = std::max<std::int64_t>(1, slices);
        bytes_ = allocate_host(static_cast<std::size_t>(capacity_ * slice_bytes_), backend);
        if (job.request.label.fraction) raw_.resize(static_cast<std::size_t>(raw_bytes_));
        if (wanted_.evidence) sample_.emplace(job.input);
        const double nan = std::numeric_limits<double>::quiet_NaN();
        facts_.stored = {nan, nan};
    }

    void begin_frame() { begin_ = end_ = 0; }
    /// Makes slices [lo, hi) of the frame available. Neither bound ever decreases within a frame.
    void require(std::int64_t lo, std::int64_t hi) {
        drop_before(lo);
        while (end_ < lo) {  // slices that nobody needs
            read_slices(std::min(capacity_, lo - end_));
            drop_before(end_);
        }
        if (hi > end_) read_slices(hi - end_);
    }
    /// The rest of the frame is read for what is said about its values.
    void end_frame() { require(n_[2], n_[2]); }

    ConstVolumeView view(const Box3& box, int component) const {
        if (box.lo[2] < begin_ || box.hi[2] > end_) {
            throw std::logic_error(fmt::format("input slices {} to {} were wanted, {} to {} are held", box.lo[2],
                                               box.hi[2], begin_, end_));
        }
        const std::int64_t first = ((box.lo[2] - begin_) * n_[1] + box.lo[1]) * n_[0] + box.lo[0];
        const std::byte* data =
            bytes_.get() + (first * components_ + component) * static_cast<std::int64_t>(size_of(dtype_));
        return {data,
                dtype_,
                {box.hi[0] - box.lo[0], box.hi[1] - box.lo[1], box.hi[2] - box.lo[2]},
                {components_, components_ * n_[0], components_ * n_[0] * n_[1]}};
    }

    InputFacts facts() const {
        InputFacts facts = facts_;
        if (sample_) facts.evidence = sample_->evidence();
        return facts;
    }
    bool any_label() const { return any_label_; }

private:
    void drop_before(std::int64_t lo) {
        if (lo <= begin_) return;
        const std::int64_t kept = std::max<std::int64_t>(0, end_ - lo);
        std::memmove(bytes_.get(), slice(end_ - kept), static_cast<std::size_t>(kept * slice_bytes_));
        begin_ = end_ - kept;
    }
    std::byte* slice(std::int64_t k) { return bytes_.get() + (k - begin_) * slice_bytes_; }

    void read_slices(std::int64_t count) {
        // A few at a time, so that they are looked at while they are in the cache.
        constexpr std::int64_t kStepBytes = std::int64_t{4} << 20;
        const std::int64_t step = job_.request.label.fraction ? 1 : std::max<std::int64_t>(1, kStepBytes / raw_bytes_);
        for (std::int64_t done = 0; done < count;) {
            const std::int64_t now = std::min(step, count - done);
            std::byte* target = raw_.empty() ? slice(end_) : raw_.data();
            reader_.read({target, static_cast<std::size_t>(now * raw_bytes_)});
            look_at(target, now);
            if (!raw_.empty()) mark_label(slice(end_));
            end_ += now;
            slices_read_ += now;
            done += now;
        }
    }

    void look_at(std::byte* values, std::int64_t slices) {
        if (job_.request.nan_fill) {
            replace_nan(job_.input.dtype, values, slices * scalars_,
                        (*job_.request.nan_fill - job_.input.intercept()) / job_.input.slope());
        }
        facts_.stored = united(facts_.stored, stored_range(job_.input.dtype, values, slices * scalars_, pool_));
        if (wanted_.values) look_for_fractions(job_.input.dtype, values, slices * scalars_, facts_);
        for (std::int64_t s = 0; sample_ && s < slices && slices_read_ + s < n_[2]; ++s) {
            sample_->add(values + s * raw_bytes_, slices_read_ + s);
        }
    }

    void mark_label(std::byte* target) {
        auto* shares = reinterpret_cast<std::uint8_t*>(target);
        indicate({*job_.request.label.fraction, job_.input.slope(), job_.input.intercept()}, job_.input.dtype,
                 raw_.data(), scalars_, shares);
        any_label_ = any_label_ || std::memchr(shares, 1, static_cast<std::size_t>(scalars_)) != nullptr;
    }

    const ResampleJob& job_;
    io::NiftiReader& reader_;
    ThreadPool& pool_;
    Extent n_;
    int components_;
    std::int64_t scalars_, raw_bytes_;  ///< of a slice of the file
    DType dtype_{};                     ///< of what the executor reads: the input's values, or the share of one label
    std::int64_t slice_bytes_ = 0;      ///< of that
    std::int64_t capacity_ = 0;
    std::int64_t begin_ = 0, end_ = 0;  ///< slices of the frame that are in bytes_
    std::shared_ptr<std::byte[]> bytes_;
    std::vector<std::byte> raw_;  ///< a slice as it is in the file, where the executor reads something else
    FactsWanted wanted_;
    InputFacts facts_;
    std::optional<LabelSample> sample_;
    std::int64_t slices_read_ = 0;  ///< of all frames
    bool any_label_ = false;
};

class Streaming {
public:
    Streaming(const ResampleJob& job, const MemoryPlan& memory, const ResampleObserver& observer,
              ResampleResult& result)
        : job_(job),
          memory_(memory),
          observer_(observer),
          result_(result),
          selection_(select_backend(job, result)),
          pool_(job.request.threads),
          reader_(job.request.input, read_options(job), memory.ahead),
          window_(job, reader_, memory.window, selection_.choice().backend, pool_),
          writer_(job.request.output, job.output, write_options(job, pool_.size())) {
        check_unchanged(job, reader_.header());
        const Extent& n = job.output.grid.extent;
        slice_scalars_ = n[0] * n[1] * job.output.components;
        const auto bytes = static_cast<std::size_t>(memory.slab * slice_bytes());
        const Backend backend = selection_.choice().backend;
        slab_ = allocate_host(bytes, backend);
        if (writes_behind(job) && memory.slab < n[2]) written_slab_ = allocate_host(bytes, backend);
        result.slab = memory.slab;
        const double nan = std::numeric_limits<double>::quiet_NaN();
        written_ = {nan, nan};
    }

    void run() {
        const std::vector<Box3> needs = slab_inputs(job_.plan, memory_.slab);
        for (std::int64_t frame = 0; frame < job_.input.frames(); ++frame) {
            window_.begin_frame();
            for (std::size_t s = 0; s < needs.size(); ++s) run_slab(frame, s, needs[s]);
            window_.end_frame();
            result_.read_s += watch_.lap();
        }
        reader_.finish();
        const InputFacts facts = window_.facts();
        check_labels_fit(job_, facts.stored);
        result_.input_range = scaled_range(facts.stored, job_.input.slope(), job_.input.intercept());
        result_.output_range = scaled_range(written_, job_.output.slope(), job_.output.intercept());
        for (std::string& warning : value_warnings(job_, facts)) result_.warnings.push_back(std::move(warning));
        if (job_.request.label.fraction && !window_.any_label()) {
            result_.warnings.push_back(
                fmt::format("no voxel holds label {:g}; its share is 0 everywhere", *job_.request.label.fraction));
        }
        result_.check_s += watch_.lap();
        finish_writing();
        writer_.commit();
        result_.write_s += watch_.lap();
    }

private:
    static io::NiftiReadOptions read_options(const ResampleJob& job) {
        io::NiftiReadOptions options;
        options.prefer_qform = job.request.prefer_qform;
        return options;
    }
    static io::NiftiWriteOptions write_options(const ResampleJob& job, int threads) {
        io::NiftiWriteOptions options;
        options.overwrite = job.request.overwrite;
        options.compression = job.request.compression;
        options.threads = threads;
        return options;
    }
    std::int64_t slice_bytes() const { return slice_scalars_ * static_cast<std::int64_t>(size_of(job_.output.dtype)); }

    void run_slab(std::int64_t frame, std::size_t s, const Box3& need) {
        const std::int64_t slices = job_.plan.output.extent[2], k = static_cast<std::int64_t>(s) * memory_.slab;
        Box3 box{{0, 0, k}, job_.plan.output.extent};
        box.hi[2] = std::min(k + memory_.slab, slices);
        window_.require(need.lo[2], need.hi[2]);
        result_.read_s += watch_.lap();
        resample(box, frame, slices);
        result_.resample_s += watch_.lap();
        const std::int64_t scalars = (box.hi[2] - k) * slice_scalars_;
        written_ = united(written_, stored_range(job_.output.dtype, slab_.get(), scalars, pool_));
        result_.check_s += watch_.lap();
        write({slab_.get(), static_cast<std::size_t>((box.hi[2] - k) * slice_bytes())});
        result_.write_s += watch_.lap();
    }

    void write(std::span<const std::byte> slab) {
        finish_writing();
        if (!written_slab_) {
            writer_.write(slab);
            return;
        }
        std::swap(slab_, written_slab_);
        try {
            writing_ = std::async(std::launch::async, [this, slab] { writer_.write(slab); });
        } catch (const std::system_error&) {  // no thread is to be had
            writer_.write(slab);
        }
    }
    void finish_writing() {
        if (writing_.valid()) writing_.get();
    }

    void resample(const Box3& box, std::int64_t frame, std::int64_t slices) {
        const int components = job_.output.components;
        const Extent n{box.hi[0], box.hi[1], box.hi[2] - box.lo[2]};
        const auto view = [&](int component) {
            std::byte* data = slab_.get() + component * static_cast<std::int64_t>(size_of(job_.output.dtype));
            return VolumeView{data, job_.output.dtype, n, {components, components * n[0], components * n[0] * n[1]}};
        };
        const Plan part = job_.plan.part(box);
        Box3 in = job_.plan.input_box(box);
        if (in.empty()) {
            for (int c = 0; c < components; ++c) fill(view(c));
        } else {
            ExecutorOptions options = executor_options(job_, result_);
            const double all = static_cast<double>(job_.input.frames() * slices);
            const double before = static_cast<double>(frame * slices + box.lo[2]);
            if (observer_.progress) {
                options.progress = [&](double share) {
                    observer_.progress(Phase::resample, (before + share * static_cast<double>(n[2])) / all);
                };
            }
            const std::unique_ptr<Executor> executor = selection_.make(part, options);
            result_.workspace_bytes = std::max(result_.workspace_bytes, executor->workspace_bytes());
            for (int c = 0; c < components; ++c) executor->run(window_.view(in, c), view(c));
            result_.backend = executor->name();
        }
    }

    void fill(const VolumeView& view) const {
        for (std::int64_t k = 0; k < view.extent[2]; ++k) {
            for (std::int64_t j = 0; j < view.extent[1]; ++j) {
                fill_row(address(view, 0, j, k), view.dtype, view.stride[0], view.extent[0], job_.plan.options.fill);
            }
        }
    }

    const ResampleJob& job_;
    const MemoryPlan& memory_;
    const ResampleObserver& observer_;
    ResampleResult& result_;
    Stopwatch watch_;
    BackendSelection selection_;
    ThreadPool pool_;
    io::NiftiReader reader_;
    InputWindow window_;
    io::NiftiWriter writer_;
    std::int64_t slice_scalars_ = 0;  ///< of the output
    std::shared_ptr<std::byte[]> slab_;
    std::shared_ptr<std::byte[]> written_slab_;  ///< see writes_behind()
    ValueRange written_{};
    std::future<void> writing_;  ///< last: its destructor waits
};

}  // namespace

void run_streamed(const ResampleJob& job, const MemoryPlan& memory, const ResampleObserver& observer,
                  ResampleResult& result) {
    Streaming(job, memory, observer, result).run();
}

ExecutorOptions executor_options(const ResampleJob& job, ResampleResult& result) {
    ExecutorOptions options;
    options.threads = job.request.threads;
    options.devices = job.request.devices;
    options.device_memory = job.request.gpu_memory;
    options.precision = job.request.precision;
    options.warn = [&result](const std::string& line) {
        result.warnings.push_back(line);
        result.backend_reason = "the CPU, after a GPU has failed";
    };
    return options;
}

BackendSelection select_backend(const ResampleJob& job, ResampleResult& result) {
    const std::int64_t fields = job.input.frames() * job.input.components;
    BackendChoice choice = choose_backend(job.request.backend, job.plan, fields, this_machine(job.request.threads));
    result.backend_reason = choice.reason;
    return BackendSelection(std::move(choice));
}

void check_labels_fit(const ResampleJob& job, const ValueRange& stored) {
    const DType out = job.output.dtype;
    if (!job.request.label.labels || out == job.input.dtype) return;
    if (!(stored.min < lowest_value(out)) && !(stored.max > highest_value(out))) return;
    throw Error(ErrorCode::usage, fmt::format("{}: labels {:g} to {:g} do not fit {} and would become others; choose a "
                                              "wider dtype",
                                              job.request.input, stored.min, stored.max, name_of(out)));
}

void check_unchanged(const ResampleJob& job, const io::NiftiHeader& read) {
    if (read.grid == job.input.grid && read.dtype == job.input.dtype && read.components == job.input.components &&
        read.frames() == job.input.frames() && read.slope() == job.input.slope() &&
        read.intercept() == job.input.intercept()) {
        return;
    }
    throw Error(ErrorCode::input, job.request.input + ": the file changed between planning and reading; try again");
}

}  // namespace revoxel::pipeline
