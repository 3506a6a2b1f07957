// The slabs of one device: its memory, its streams, and the order of what happens there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "executors/thread_pool.hpp"
#include "executors/views.hpp"
#include "revoxel/cuda.hpp"
#include "runtime/memory.hpp"
#include "slabs.hpp"
#include "transfer.hpp"

namespace revoxel::cuda {

/// One slab is brought, one computed and one fetched at a time, each on a stream of its own. Device memory is taken in
/// the constructor.
class Runner {
public:
    struct LimitExceeded {};

    /// `slabs` are its share of `cut`. Throws LimitExceeded where they need more than `most_bytes` on the device,
    /// Error(device_memory) where the device has less.
    Runner(const Plan& plan, const SlabCut& cut, std::vector<Slab> slabs, std::int64_t slots,
           const DeviceOptions& options, int threads, std::int64_t most_bytes);

    /// `range`: of the whole input, for plans that clip to it in several slabs. `done` is told the output voxels of
    /// each slab that is finished. When it throws, nothing of it goes on on the device.
    void run(const ConstVolumeView& input, const VolumeView& output, const FiniteRange* range,
             const std::function<void(std::int64_t)>& done);

    /// On the device; on the host, pinned.
    std::int64_t device_bytes() const noexcept { return device_bytes_; }
    std::int64_t host_bytes() const noexcept { return bring_.bytes() + fetch_.bytes(); }

private:
    struct Slot {
        DeviceMemory input, output;
        Event brought, computed, fetched;
    };

    /// `ranged`: they clip to the range of the whole input and do not see all of it.
    void make_plans(const Plan& plan, const DeviceOptions& options, bool ranged, std::int64_t most_bytes);
    void run_here(const ConstVolumeView& input, const VolumeView& output,
                  const std::function<void(std::int64_t)>& done);
    void start(std::size_t n, const ConstVolumeView& input, const VolumeView& output);
    void finish(std::size_t n, const VolumeView& output, const std::function<void(std::int64_t)>& done);
    Slot& slot_of(std::size_t n) { return *slots_[n % slots_.size()]; }

    std::vector<Slab> slabs_;
    int device_ = 0;
    std::int64_t device_bytes_ = 0;
    ThreadPool pool_;
    StagedCopy bring_, fetch_;
    std::vector<DeviceMemory> scratch_;  ///< of all plans: they run one after the other
    DeviceMemory range_;
    std::vector<std::unique_ptr<DevicePlan>> plans_;  ///< of the slabs
    std::vector<std::unique_ptr<Slot>> slots_;
    Stream up_, compute_, down_;  ///< last: they wait before memory goes
};

}  // namespace revoxel::cuda
