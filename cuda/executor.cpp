// The executor for volumes on the host: deals slabs to devices.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/cuda_backend.hpp"
#include "executors/views.hpp"
#include "revoxel/cuda.hpp"
#include "revoxel/error.hpp"
#include "runner.hpp"
#include "runtime/memory.hpp"
#include "slabs.hpp"

namespace revoxel::cuda {
namespace {

/// Of what is free, where no limit is set: the driver and others need some.
constexpr double kShareOfFree = 0.9;
/// Host threads are worth starting for copies of more than this.
constexpr std::int64_t kBytesForThreads = std::int64_t{4} << 20;

class CudaExecutor final : public Executor {
public:
    CudaExecutor(const Plan& plan, const ExecutorOptions& options)
        : plan_(plan), options_(options), devices_(options.devices), precision_(options.precision) {
        check_device();
        if (devices_.empty()) devices_.push_back(current_device());
        // With fewer slabs on a device at a time they need not be as thin, and have fewer tables.
        std::int64_t slots = kMostSlots;
        while (!make_runners_with(slots)) {
            if (--slots > 0) continue;
            if (precision_ == Precision::exact) throw_too_little();
            precision_ = Precision::exact;  // each slab has a texture of its own
            slots = kMostSlots;
        }
        name_ = device_names();
    }

    void run(const ConstVolumeView& input, const VolumeView& output) override {
        check_views(plan_, input, output);
        const FiniteRange range = needs_range_ ? range_of(input) : FiniteRange{};
        std::mutex mutex;
        std::int64_t voxels = 0;
        const auto done = [&](std::int64_t more) {
            if (!options_.progress) return;
            const std::lock_guard lock(mutex);
            voxels += more;
            options_.progress(static_cast<double>(voxels) / static_cast<double>(voxel_count(plan_.output)));
        };
        std::vector<std::exception_ptr> errors(runners_.size());
        const auto run_one = [&](std::size_t r) noexcept {
            try {
                runners_[r]->run(input, output, &range, done);
            } catch (...) {
                errors[r] = std::current_exception();
            }
        };
        std::vector<std::thread> threads;
        for (std::size_t r = 1; r < runners_.size(); ++r) threads.emplace_back(run_one, r);
        run_one(0);
        for (std::thread& thread : threads) thread.join();
        for (const std::exception_ptr& error : errors) {
            if (error) std::rethrow_exception(error);
        }
    }

    std::int64_t workspace_bytes() const noexcept override {
        std::int64_t bytes = 0;
        for (const auto& runner : runners_) bytes += runner->device_bytes() + runner->host_bytes();
        return bytes;
    }
    std::string name() const override { return name_; }

private:
    FiniteRange range_of(const ConstVolumeView& input) const {
        std::vector<FiniteRange> slices(static_cast<std::size_t>(input.extent[2]));
        ThreadPool(options_.threads).for_each(input.extent[2], [&](std::int64_t k, int) {
            slices[static_cast<std::size_t>(k)] =
                finite_range(input, {{0, 0, k}, {input.extent[0], input.extent[1], k + 1}});
        });
        FiniteRange all;
        for (const FiniteRange& slice : slices) all = united(all, slice);
        return all;
    }

    /// That each runner may take.
    std::int64_t most_bytes() const {
        std::int64_t most = std::numeric_limits<std::int64_t>::max();
        for (const int device : devices_) {
            const OnDevice here(device);
            const std::int64_t sharing = std::count(devices_.begin(), devices_.end(), device);
            const std::int64_t all =
                options_.device_memory > 0
                    ? options_.device_memory
                    : static_cast<std::int64_t>(kShareOfFree * static_cast<double>(free_device_bytes()));
            most = std::min(most, all / sharing);
        }
        return most;
    }

    /// False where the memory does not suffice, however thin slabs are.
    bool make_runners_with(std::int64_t slots) {
        const std::size_t count = devices_.size();
        SlabCut cut = choose_slabs(plan_, count, most_bytes(), slots);
        while (!make_runners(cut)) {
            SlabSize size = cut.size;
            if (!size.halve()) return false;
            SlabCut thinner = cut_into_slabs(plan_, size, slots);
            // Where tables are more than the slabs, thinner ones with more tables do not help.
            if (thinner.slot_bytes(count) < most_bytes() / 8) return false;
            cut = std::move(thinner);
        }
        return true;
    }

    bool make_runners(const SlabCut& cut) {
        const std::int64_t most = most_bytes();
        if (cut.slot_bytes(devices_.size()) > most) return false;
        const int host_threads = options_.threads > 0 ? options_.threads : available_threads();
        const bool large = cut.uploaded_bytes > kBytesForThreads;
        const int threads = large ? std::max(1, host_threads / static_cast<int>(devices_.size())) : 1;
        DeviceOptions device_options;
        device_options.precision = precision_;
        try {
            for (std::size_t r = 0; r < std::min(devices_.size(), cut.slabs.size()); ++r) {
                const OnDevice here(devices_[r]);
                std::vector<Slab> share;
                for (std::size_t s = r; s < cut.slabs.size(); s += devices_.size()) share.push_back(cut.slabs[s]);
                runners_.push_back(std::make_unique<Runner>(plan_, cut, std::move(share), cut.slots(devices_.size()),
                                                            device_options, threads, most));
            }
            needs_range_ = plan_.options.clip == Clip::global && !cut.is_whole(plan_);
            return true;
        } catch (const Runner::LimitExceeded&) {
        } catch (const Error& error) {
            if (error.code() != ErrorCode::device_memory) throw;
            refusal_ = error.what();
        }
        runners_.clear();
        return false;
    }

    [[noreturn]] void throw_too_little() const {
        if (!refusal_.empty()) throw Error(ErrorCode::device_memory, refusal_);
        const bool limited = options_.device_memory > 0;
        throw Error(ErrorCode::device_memory,
                    fmt::format("backend cuda: {} {:.4g} MB of the GPU, and this volume with its tables does not fit, "
                                "however thin its slabs; {}, or choose --backend cpu",
                                limited ? "--gpu-memory allows" : "there are", static_cast<double>(most_bytes()) / 1e6,
                                limited ? "allow more" : "end what else uses it"));
    }

    std::string device_names() const {
        std::vector<std::string> names;
        for (const int device : devices_) {
            const OnDevice here(device);
            names.push_back(device_name());
        }
        const bool same = std::all_of(names.begin(), names.end(), [&](const auto& name) { return name == names[0]; });
        if (same && names.size() > 1) return fmt::format("cuda ({} x {})", names.size(), names[0]);
        std::string text;
        for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
        return "cuda (" + text + ")";
    }

    const Plan plan_;
    const ExecutorOptions options_;
    std::vector<int> devices_;
    Precision precision_;
    bool needs_range_ = false;  ///< slabs see parts of the input, and clip to the range of all of it
    std::string refusal_;       ///< of the device, in the last attempt that it refused
    std::vector<std::unique_ptr<Runner>> runners_;
    std::string name_;
};

}  // namespace

std::unique_ptr<Executor> make_executor(const Plan& plan, const ExecutorOptions& options) {
    return std::make_unique<CudaExecutor>(plan, options);
}

}  // namespace revoxel::cuda
