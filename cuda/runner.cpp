#include "runner.hpp"

#include <algorithm>
#include <numeric>

#include "device_plan.hpp"
#include "executors/views.hpp"
#include "revoxel/error.hpp"

namespace revoxel::cuda {
namespace {

template <typename View>
View view_of_box(View view, const Box3& box) {
    view.data = const_cast<std::byte*>(address(static_cast<ConstVolumeView>(view), box.lo[0], box.lo[1], box.lo[2]));
    for (std::size_t a = 0; a < 3; ++a) view.extent[a] = box.hi[a] - box.lo[a];
    return view;
}

/// The same voxels, packed at `data`.
VolumeView packed_view(const ConstVolumeView& host, const DeviceMemory& memory) {
    return {memory.data(), host.dtype, host.extent, packed_strides(host)};
}

}  // namespace

Runner::Runner(const Plan& plan, const SlabCut& cut, std::vector<Slab> slabs, std::int64_t slots,
               const DeviceOptions& options, int threads, std::int64_t most_bytes)
    : slabs_(std::move(slabs)), device_(current_device()), pool_(threads), bring_(pool_), fetch_(pool_) {
    for (std::int64_t s = 0; s < slots; ++s) {
        auto slot = std::make_unique<Slot>();
        slot->input = DeviceMemory(static_cast<std::size_t>(cut.input_bytes));
        slot->output = DeviceMemory(static_cast<std::size_t>(cut.output_bytes));
        device_bytes_ += cut.input_bytes + cut.output_bytes;
        slots_.push_back(std::move(slot));
    }
    make_plans(plan, options, plan.options.clip == Clip::global && !cut.is_whole(plan), most_bytes);
}

void Runner::make_plans(const Plan& plan, const DeviceOptions& options, bool ranged, std::int64_t most_bytes) {
    plans_.resize(slabs_.size());
    // The largest first: its scratch serves the others.
    std::vector<std::size_t> order(slabs_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return slabs_[a].input.count() > slabs_[b].input.count(); });
    if (ranged) range_ = DeviceMemory(2 * sizeof(double));
    std::int64_t own = static_cast<std::int64_t>(range_.bytes()), scratch = 0;
    for (const std::size_t n : order) {
        const ScratchLender lender(scratch_);
        plans_[n] = make_device_plan(plan.part(slabs_[n].output), options);
        if (ranged) take_range_from(*plans_[n], reinterpret_cast<const double*>(range_.data()));
        own += plans_[n]->bytes() - static_cast<std::int64_t>(lender.lent_bytes());  // tables, and textures
        scratch = 0;
        for (const DeviceMemory& block : scratch_) scratch += static_cast<std::int64_t>(block.bytes());
        if (device_bytes_ + own + scratch > most_bytes) throw LimitExceeded{};
    }
    device_bytes_ += own + scratch;
}

void Runner::run(const ConstVolumeView& input, const VolumeView& output, const FiniteRange* range,
                 const std::function<void(std::int64_t)>& done) {
    const OnDevice here(device_);
    try {
        if (range && range_.bytes() > 0) {
            const double ends[2] = {range->low + 0.0, range->high + 0.0};
            upload(range_.data(), ends, sizeof ends, compute_.handle());
        }
        run_here(input, output, done);
    } catch (...) {
        // The device may still write to the caller's memory.
        for (const Stream* stream : {&up_, &compute_, &down_}) {
            try {
                stream->wait();
            } catch (const Error&) {  // the first error is the one that is told
            }
        }
        throw;
    }
}

void Runner::run_here(const ConstVolumeView& input, const VolumeView& output,
                      const std::function<void(std::int64_t)>& done) {
    std::size_t finished = 0;
    for (std::size_t n = 0; n < slabs_.size(); ++n) {
        while (finished + slots_.size() <= n) finish(finished++, output, done);
        start(n, input, output);
        // What goes through pieces of memory needs this thread; meanwhile the device computes slab n.
        const bool staged = !goes_directly(view_of_box(output, slabs_[n].output));
        while (staged && finished < n) finish(finished++, output, done);
    }
    while (finished < slabs_.size()) finish(finished++, output, done);
}

void Runner::start(std::size_t n, const ConstVolumeView& input, const VolumeView& output) {
    Slot& slot = slot_of(n);
    const Slab& slab = slabs_[n];
    Box3 box = slab.input;
    if (box.empty()) box = {{0, 0, 0}, {1, 1, 1}};
    const ConstVolumeView from = view_of_box(input, box);
    if (goes_directly(from)) {
        upload(slot.input.data(), from.data, static_cast<std::size_t>(bytes_of(from)), up_.handle());
    } else {
        bring_.to_device(from, slot.input.data(), up_);
    }
    slot.brought.record(up_);
    compute_.wait_for(slot.brought);
    const VolumeView to = view_of_box(output, slab.output);
    plans_[n]->run(packed_view(from, slot.input), packed_view(to, slot.output), compute_.handle());
    slot.computed.record(compute_);
    if (!goes_directly(to)) return;
    down_.wait_for(slot.computed);
    download(to.data, slot.output.data(), static_cast<std::size_t>(bytes_of(to)), down_.handle());
    slot.fetched.record(down_);
}

void Runner::finish(std::size_t n, const VolumeView& output, const std::function<void(std::int64_t)>& done) {
    Slot& slot = slot_of(n);
    const VolumeView to = view_of_box(output, slabs_[n].output);
    if (goes_directly(to)) {
        slot.fetched.wait();
    } else {
        down_.wait_for(slot.computed);
        fetch_.to_host(slot.output.data(), to, down_);
    }
    done(slabs_[n].output.count());
}

}  // namespace revoxel::cuda
