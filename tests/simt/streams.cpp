#include "simt/streams.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "revoxel/error.hpp"
#include "runtime/memory.hpp"
#include "runtime/messages.hpp"
#include "simt/faults.hpp"
#include "simt/simt.hpp"

struct CUstream_st {
    std::shared_ptr<CUstream_st> self;  ///< until its owner is gone; events that others wait for own it, too
    std::deque<std::function<void()>> queue;
    std::uint64_t queued = 0, done = 0;

    void run_until(std::uint64_t point) {
        while (done < point) {
            const std::function<void()> work = std::move(queue.front());
            queue.pop_front();
            ++done;
            work();
        }
    }
};

/// A point in a stream, behind so much of its work.
struct CUevent_st {
    std::shared_ptr<CUstream_st> stream;
    std::uint64_t point = 0;
};

namespace revoxel::simt {

void enqueue(CUstream_st* stream, std::function<void()> work) {
    if (stream == nullptr) return work();
    stream->queue.push_back(std::move(work));
    ++stream->queued;
    if (order_from_environment() == Order::forward) stream->run_until(stream->queued);
}

void finish(CUstream_st* stream) {
    if (stream) stream->run_until(stream->queued);
}

}  // namespace revoxel::simt

namespace revoxel::cuda {
namespace {

/// A device that has failed says so to all who wait.
void check_kernels() {
    if (!simt::fault("kernel") || simt::launches() == 0) return;
    throw Error(ErrorCode::unavailable, failed_text("running a kernel", "an illegal memory access was encountered"));
}

}  // namespace

Stream::Stream() {
    const auto state = std::make_shared<CUstream_st>();
    state->self = state;
    handle_ = state.get();
}

Stream::~Stream() {
    const std::shared_ptr<CUstream_st> state = std::move(handle_->self);
    try {
        state->run_until(state->queued);
    } catch (...) {  // told to those who waited
    }
}

void Stream::wait() const {
    handle_->run_until(handle_->queued);
    check_kernels();
}

void Stream::wait_for(const Event& event) const {
    if (!event.handle()->stream) return;
    simt::enqueue(handle_, [point = *event.handle()] { point.stream->run_until(point.point); });
}

Event::Event() : handle_(new CUevent_st) {}
Event::~Event() {
    delete handle_;
}

void Event::record(const Stream& stream) {
    *handle_ = {stream.handle()->self, stream.handle()->queued};
}

void Event::wait() const {
    if (handle_->stream) handle_->stream->run_until(handle_->point);
    check_kernels();
}

}  // namespace revoxel::cuda
