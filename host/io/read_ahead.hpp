// Reading while the consumer works.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace revoxel::io {

/// Runs a source on a thread of its own, a bounded number of blocks ahead of the consumer. Not thread-safe; different
/// objects are independent.
class ReadAhead {
public:
    /// Fills the block and returns its size, or less at the end of the data. Called for one block at a time, and not
    /// again after the end. May throw.
    using Source = std::function<std::size_t(std::span<std::byte>)>;

    /// Holds `blocks` of `block_bytes`. With one block there is no thread: next() calls the source.
    ReadAhead(Source source, std::size_t block_bytes, int blocks);
    /// Waits for the source to return, if it is at work.
    ~ReadAhead();
    ReadAhead(const ReadAhead&) = delete;
    ReadAhead& operator=(const ReadAhead&) = delete;

    /// The next block, the caller's until the next call; shorter than block_bytes at the end, then empty: the source is
    /// not in use any more. Throws what the source has thrown, after the blocks before.
    std::span<std::byte> next();

private:
    using Lock = std::unique_lock<std::mutex>;

    void work();
    void fill_next(Lock& lock);
    bool room() const { return read_ - released_ < static_cast<std::int64_t>(ring_.size()); }

    struct Block {
        std::unique_ptr<std::byte[]> bytes;
        std::size_t used = 0;
    };

    Source source_;
    std::size_t block_bytes_;
    std::vector<Block> ring_;  // block n is in n % size

    std::mutex mutex_;
    std::condition_variable wake_;   // for the thread: room, or stop
    std::condition_variable ready_;  // for the consumer: a block, or the end
    // All below are guarded by mutex_. released_ <= taken_ <= read_ <= released_ + size of the ring.
    std::int64_t read_ = 0;      // blocks that the source has filled
    std::int64_t taken_ = 0;     // blocks that the consumer has got
    std::int64_t released_ = 0;  // blocks that the consumer is done with
    bool ended_ = false;
    std::exception_ptr error_;
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace revoxel::io
