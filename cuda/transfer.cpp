#include "transfer.hpp"

#include <algorithm>

namespace revoxel::cuda {
namespace {

constexpr std::int64_t kPieceBytes = std::int64_t{4} << 20;
constexpr std::size_t kPieces = 3;

}  // namespace

bool goes_directly(const ConstVolumeView& host) {
    return is_packed(host) && is_pinned(host.data);
}

std::int64_t StagedCopy::prepare(const HostRows& rows) {
    const std::int64_t each = std::clamp<std::int64_t>(kPieceBytes / rows.row_bytes(), 1, rows.count());
    const auto bytes = static_cast<std::size_t>(each * rows.row_bytes());
    while (pieces_.size() < kPieces) pieces_.push_back(std::make_unique<Piece>());
    for (const auto& piece : pieces_) {
        if (piece->memory.bytes() >= bytes) continue;
        piece->copied.wait();
        piece->memory = PinnedMemory();
        piece->memory = PinnedMemory(bytes);
    }
    return each;
}

void StagedCopy::to_device(const ConstVolumeView& host, std::byte* device, const Stream& stream) {
    const HostRows rows(host);
    const std::int64_t each = prepare(rows);
    for (std::int64_t begin = 0; begin < rows.count(); begin += each) {
        Piece& piece = *pieces_[next_++ % kPieces];
        const std::int64_t end = std::min(begin + each, rows.count());
        piece.copied.wait();
        rows.pack(begin, end, piece.memory.data(), pool_);
        upload(device + begin * rows.row_bytes(), piece.memory.data(),
               static_cast<std::size_t>((end - begin) * rows.row_bytes()), stream.handle());
        piece.copied.record(stream);
    }
}

void StagedCopy::to_host(const std::byte* device, const VolumeView& host, const Stream& stream) {
    const HostRows rows(host);
    const std::int64_t each = prepare(rows), count = (rows.count() + each - 1) / each;
    for (std::int64_t n = 0, finished = 0; finished < count; ++n) {
        if (n < count) {
            Piece& piece = *pieces_[static_cast<std::size_t>(n) % kPieces];
            piece.begin = n * each;
            piece.end = std::min(piece.begin + each, rows.count());
            download(piece.memory.data(), device + piece.begin * rows.row_bytes(),
                     static_cast<std::size_t>((piece.end - piece.begin) * rows.row_bytes()), stream.handle());
            piece.copied.record(stream);
        }
        if (n + 1 < static_cast<std::int64_t>(kPieces) && n + 1 < count) continue;  // some stay under way
        const Piece& oldest = *pieces_[static_cast<std::size_t>(finished++) % kPieces];
        oldest.copied.wait();
        rows.unpack(oldest.begin, oldest.end, oldest.memory.data(), pool_);
    }
}

std::int64_t StagedCopy::bytes() const noexcept {
    std::int64_t bytes = 0;
    for (const auto& piece : pieces_) bytes += static_cast<std::int64_t>(piece->memory.bytes());
    return bytes;
}

}  // namespace revoxel::cuda
