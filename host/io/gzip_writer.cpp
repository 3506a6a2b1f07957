#include "io/gzip_writer.hpp"

#include <fmt/format.h>
#include <isa-l/crc.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <system_error>
#include <utility>

#include "io/deflate_piece.hpp"
#include "revoxel/error.hpp"

namespace revoxel::io {
namespace {

// Deflate, no flags, no time stamp, no word about the effort, unknown system.
constexpr std::array<unsigned char, 10> kHeader{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};
// An empty last block in the fixed code.
constexpr std::array<unsigned char, 2> kLastBlock{0x03, 0x00};
constexpr int kPiecesPerThread = 2;

// Touched as far as it is used, unlike a vector.
std::unique_ptr<std::byte[]> new_buffer(std::size_t bytes) {
    return std::unique_ptr<std::byte[]>(new std::byte[bytes]);
}

}  // namespace

struct GzipWriter::Piece {
    std::unique_ptr<std::byte[]> in = new_buffer(kPieceBytes);
    std::unique_ptr<std::byte[]> out = new_buffer(PieceDeflater::bound(kPieceBytes));
    std::size_t in_bytes = 0, out_bytes = 0;
    std::uint32_t crc = 0;
    bool compressed = false;
};

GzipWriter::GzipWriter(Sink sink, int level, int threads)
    : sink_(std::move(sink)), level_(level), threads_(std::max(threads, 1)) {
    if (level < 0 || level > PieceDeflater::kLargestLevel) {
        throw Error(ErrorCode::usage,
                    fmt::format("gzip level {}: expected 0 to {}", level, PieceDeflater::kLargestLevel));
    }
    ring_.resize(threads_ == 1 ? 1 : static_cast<std::size_t>(threads_) * kPiecesPerThread);
}

GzipWriter::~GzipWriter() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

GzipWriter::Piece& GzipWriter::piece(std::int64_t number) {
    auto& slot = ring_[static_cast<std::size_t>(number) % ring_.size()];
    if (!slot) slot = std::make_unique<Piece>();
    return *slot;
}

void GzipWriter::write(std::span<const std::byte> bytes) {
    begin();
    size_ += static_cast<std::uint32_t>(bytes.size());
    while (!bytes.empty()) {
        // The caller alone submits, so it may look at submitted_ without the lock, and at a piece that nobody has yet.
        Piece& filling = piece(submitted_);
        const auto part = bytes.first(std::min(bytes.size(), kPieceBytes - filling.in_bytes));
        std::memcpy(filling.in.get() + filling.in_bytes, part.data(), part.size());
        filling.in_bytes += part.size();
        bytes = bytes.subspan(part.size());
        if (filling.in_bytes == kPieceBytes) submit();
    }
}

void GzipWriter::begin() {
    if (!std::exchange(begun_, true)) sink_(std::as_bytes(std::span(kHeader)));
}

// Returns when there is room for another piece.
void GzipWriter::submit() {
    Lock lock(mutex_);
    ++submitted_;
    start_worker();
    wake_.notify_one();
    const auto room = [this] { return submitted_ - delivered_ < static_cast<std::int64_t>(ring_.size()); };
    while (!error_ && !room()) {
        if (taken_ < submitted_) {
            compress_next(lock, deflater_);
        } else {
            moved_.wait(lock, [&] { return error_ || room(); });
        }
    }
    if (error_) std::rethrow_exception(error_);
}

void GzipWriter::finish() {
    begin();
    if (piece(submitted_).in_bytes > 0) submit();
    Lock lock(mutex_);
    while (!error_ && taken_ < submitted_) compress_next(lock, deflater_);
    moved_.wait(lock, [this] { return error_ || all_delivered(); });
    if (error_) std::rethrow_exception(error_);
    lock.unlock();  // all threads are idle
    std::array<unsigned char, kLastBlock.size() + 8> end{};
    std::copy(kLastBlock.begin(), kLastBlock.end(), end.begin());
    for (std::size_t byte = 0; byte < 4; ++byte) {
        end[kLastBlock.size() + byte] = static_cast<unsigned char>(crc_ >> 8 * byte);
        end[kLastBlock.size() + 4 + byte] = static_cast<unsigned char>(size_ >> 8 * byte);
    }
    sink_(std::as_bytes(std::span(end)));
}

void GzipWriter::start_worker() {
    if (static_cast<int>(workers_.size()) + 1 >= threads_) return;
    try {
        workers_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
        // A limit on processes or memory: fewer threads do the same work.
    }
}

void GzipWriter::work() {
    std::unique_ptr<PieceDeflater> deflater;
    Lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return stop_ || (!error_ && taken_ < submitted_); });
        if (stop_) return;
        compress_next(lock, deflater);
    }
}

// The lock is held before and after, not while working.
void GzipWriter::compress_next(Lock& lock, std::unique_ptr<PieceDeflater>& deflater) {
    Piece& mine = piece(taken_++);
    lock.unlock();
    std::exception_ptr error;
    try {
        if (!deflater) deflater = std::make_unique<PieceDeflater>(level_);
        const std::span<const std::byte> in(mine.in.get(), mine.in_bytes);
        mine.out_bytes = deflater->deflate(in, {mine.out.get(), PieceDeflater::bound(kPieceBytes)});
        mine.crc = crc32_gzip_refl(0, reinterpret_cast<const unsigned char*>(in.data()), in.size());
    } catch (...) {
        error = std::current_exception();
    }
    lock.lock();
    if (error && !error_) error_ = error;
    mine.compressed = true;
    deliver(lock);
}

// Brings to the sink what is next in order, unless somebody is at it, who will then find what this thread has made.
void GzipWriter::deliver(Lock& lock) {
    if (std::exchange(delivering_, true)) return;
    while (!error_ && !all_delivered() && piece(delivered_).compressed) {
        Piece& next = piece(delivered_);
        lock.unlock();
        std::exception_ptr error;
        try {
            sink_({next.out.get(), next.out_bytes});
        } catch (...) {
            error = std::current_exception();
        }
        lock.lock();
        if (error) {
            error_ = error;
            break;
        }
        crc_ = static_cast<std::uint32_t>(crc32_combine(crc_, next.crc, static_cast<z_off_t>(next.in_bytes)));
        next.in_bytes = 0;
        next.compressed = false;
        ++delivered_;
        moved_.notify_one();
    }
    delivering_ = false;
    if (error_) moved_.notify_one();
}

}  // namespace revoxel::io
