// gzip on several threads.
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

class PieceDeflater;

/// Compresses into one gzip member without a name and with time stamp 0. The data are cut into pieces of kPieceBytes
/// that are compressed each on its own, so the bytes depend on the data and the level, not on the number of threads or
/// on how the data were divided among calls of write(). Holds at most two pieces for each thread. Not thread-safe;
/// different writers are independent.
class GzipWriter {
public:
    /// Takes compressed bytes, in order, one call at a time, on any of the threads. May throw.
    using Sink = std::function<void(std::span<const std::byte>)>;

    static constexpr std::size_t kPieceBytes = std::size_t{512} << 10;

    /// `level` 0 (stored) to 9 (smallest). `threads` compress, at least 1: those that the writer starts when there are
    /// pieces for them, and the caller, who helps where it would have to wait. With 1 everything happens in the calls.
    /// Throws Error(usage) for another level.
    GzipWriter(Sink sink, int level, int threads = 1);
    /// What has not been delivered is given up.
    ~GzipWriter();
    GzipWriter(const GzipWriter&) = delete;
    GzipWriter& operator=(const GzipWriter&) = delete;

    /// Copies the bytes and returns, unless there is no room. Throws what the sink has thrown, now or in a thread; the
    /// writer can then only be destroyed.
    void write(std::span<const std::byte> bytes);
    /// Ends the member; the sink has everything then. Nothing may be written afterwards. Throws as write() does.
    void finish();

private:
    struct Piece;
    using Lock = std::unique_lock<std::mutex>;

    Piece& piece(std::int64_t number);
    void begin();
    void submit();
    void start_worker();
    void work();
    void compress_next(Lock& lock, std::unique_ptr<PieceDeflater>& deflater);
    void deliver(Lock& lock);
    bool all_delivered() const { return delivered_ == submitted_; }

    Sink sink_;
    int level_, threads_;
    std::vector<std::unique_ptr<Piece>> ring_;  // piece n is in n % size
    std::unique_ptr<PieceDeflater> deflater_;   // the caller's
    std::uint32_t size_ = 0;                    // of the data, modulo 2^32
    bool begun_ = false;

    std::mutex mutex_;
    std::condition_variable wake_;   // for workers: a piece waits, or stop
    std::condition_variable moved_;  // for the caller: a piece was delivered, or an error
    // All below are guarded by mutex_. delivered_ <= taken_ <= submitted_ <= delivered_ + size of the ring.
    std::int64_t submitted_ = 0;  // pieces that are full, or the last
    std::int64_t taken_ = 0;      // pieces that somebody compresses or has compressed
    std::int64_t delivered_ = 0;  // pieces that the sink has
    bool delivering_ = false;     // somebody is in the sink
    std::uint32_t crc_ = 0;       // of the pieces that the sink has
    std::exception_ptr error_;
    bool stop_ = false;
    std::vector<std::thread> workers_;
};

}  // namespace revoxel::io
