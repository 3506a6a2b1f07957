#include "io/read_ahead.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace revoxel::io {

ReadAhead::ReadAhead(Source source, std::size_t block_bytes, int blocks)
    : source_(std::move(source)), block_bytes_(block_bytes), ring_(static_cast<std::size_t>(std::max(blocks, 1))) {
    // Not set to zero: untouched where the data are shorter.
    for (Block& block : ring_) block.bytes.reset(new std::byte[block_bytes_]);
    if (ring_.size() == 1) return;
    try {
        thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {
        // A limit on processes or memory: next() calls the source.
    }
}

ReadAhead::~ReadAhead() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        stop_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

std::span<std::byte> ReadAhead::next() {
    Lock lock(mutex_);
    released_ = taken_;
    if (thread_.joinable()) {
        wake_.notify_one();
        ready_.wait(lock, [this] { return taken_ < read_ || ended_; });
    } else if (!ended_) {
        fill_next(lock);
    }
    if (taken_ < read_) {
        Block& block = ring_[static_cast<std::size_t>(taken_++) % ring_.size()];
        return {block.bytes.get(), block.used};
    }
    if (error_) std::rethrow_exception(error_);
    return {};
}

void ReadAhead::work() {
    Lock lock(mutex_);
    while (!ended_) {
        wake_.wait(lock, [this] { return stop_ || room(); });
        if (stop_) return;
        fill_next(lock);
    }
}

// The lock is held before and after, not while the source works.
void ReadAhead::fill_next(Lock& lock) {
    Block& block = ring_[static_cast<std::size_t>(read_) % ring_.size()];
    lock.unlock();
    std::exception_ptr error;
    try {
        block.used = source_({block.bytes.get(), block_bytes_});
    } catch (...) {
        error = std::current_exception();
        block.used = 0;
    }
    lock.lock();
    error_ = error;
    ended_ = block.used < block_bytes_;
    if (block.used > 0) ++read_;
    ready_.notify_one();
}

}  // namespace revoxel::io
