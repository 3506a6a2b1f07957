#include "io/deflate_piece.hpp"

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "revoxel/error.hpp"

namespace revoxel::io {
namespace {

constexpr std::size_t kStoredBytes = 65535;  // the most that one stored block holds
constexpr std::size_t kStoredHeadBytes = 5;
constexpr int kLargestIsalLevel = 2;
constexpr std::array<int, PieceDeflater::kLargestLevel + 1> kLibdeflateLevel{0, 0, 0, 1, 2, 4, 6, 8, 10, 12};
// The header of an empty stored block behind its three zero bits: a length of 0 and its complement.
constexpr std::array<std::byte, 4> kEmptyStored{std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};

std::uint8_t* raw(const std::byte* bytes) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(bytes));
}

[[noreturn]] void fail(const char* library) {
    throw Error(ErrorCode::output, std::string("the gzip compressor failed (") + library + "); please report this");
}

std::size_t store(std::span<const std::byte> piece, std::span<std::byte> out) {
    std::byte* to = out.data();
    while (!piece.empty()) {
        const auto block = piece.first(std::min(piece.size(), kStoredBytes));
        const auto low = static_cast<std::byte>(block.size() & 0xff), high = static_cast<std::byte>(block.size() >> 8);
        const std::array<std::byte, kStoredHeadBytes> head{std::byte{0}, low, high, ~low, ~high};
        to = std::copy(head.begin(), head.end(), to);
        to = std::copy(block.begin(), block.end(), to);
        piece = piece.subspan(block.size());
    }
    return static_cast<std::size_t>(to - out.data());
}

z_stream* new_inflater() {
    auto stream = std::make_unique<z_stream>();
    constexpr int kRawDeflate = -15;
    if (inflateInit2(stream.get(), kRawDeflate) != Z_OK) throw std::bad_alloc();
    return stream.release();
}

void delete_inflater(z_stream* stream) {
    inflateEnd(stream);
    delete stream;
}

// ISA-L's blocks end where this buffer is full. Smaller ones follow the data more closely; medium is where the size of
// CT and MR is least at no cost in time.
std::uint32_t level_buffer_bytes(int level) {
    return level == 1 ? ISAL_DEF_LVL1_MEDIUM : ISAL_DEF_LVL2_MEDIUM;
}

}  // namespace

PieceDeflater::PieceDeflater(int level)
    : level_(level), libdeflate_(nullptr, libdeflate_free_compressor), inflater_(nullptr, delete_inflater) {
    if (level_ == 0) return;
    if (level_ <= kLargestIsalLevel) {
        isal_ = new_isal_stream();
        scratch_.resize(level_buffer_bytes(level_));
        return;
    }
    libdeflate_.reset(libdeflate_alloc_compressor(kLibdeflateLevel.at(static_cast<std::size_t>(level_))));
    if (!libdeflate_) throw std::bad_alloc();
    inflater_.reset(new_inflater());
}

PieceDeflater::~PieceDeflater() = default;

// Each of them falls back to stored blocks where nothing else is shorter; libdeflate's need not be full ones. The rest
// is for the end.
std::size_t PieceDeflater::bound(std::size_t bytes) noexcept {
    constexpr std::size_t kEndBytes = 64;
    return libdeflate_deflate_compress_bound(nullptr, bytes) + kEndBytes;
}

std::size_t PieceDeflater::deflate(std::span<const std::byte> piece, std::span<std::byte> out) {
    if (level_ == 0) return store(piece, out);
    return isal_ ? with_isal(piece, out) : with_libdeflate(piece, out);
}

std::size_t PieceDeflater::with_isal(std::span<const std::byte> piece, std::span<std::byte> out) {
    isal_deflate_stateless_init(isal_.get());
    isal_->level = static_cast<std::uint32_t>(level_);
    isal_->level_buf = raw(scratch_.data());
    isal_->level_buf_size = static_cast<std::uint32_t>(scratch_.size());
    isal_->flush = FULL_FLUSH;
    isal_->next_in = raw(piece.data());
    isal_->avail_in = static_cast<std::uint32_t>(piece.size());
    isal_->next_out = raw(out.data());
    isal_->avail_out = static_cast<std::uint32_t>(out.size());
    if (isal_deflate_stateless(isal_.get()) != COMP_OK || isal_->avail_in != 0) fail("ISA-L");
    return out.size() - isal_->avail_out;
}

std::size_t PieceDeflater::with_libdeflate(std::span<const std::byte> piece, std::span<std::byte> out) {
    const std::size_t used =
        libdeflate_deflate_compress(libdeflate_.get(), piece.data(), piece.size(), out.data(), out.size());
    if (used == 0) fail("libdeflate");
    return open_end(piece.size(), out, used);
}

// libdeflate can only end a stream. Where its last block begins stands nowhere, so zlib walks through the blocks; the
// last one then loses its final bit, and an empty stored block fills the last byte.
std::size_t PieceDeflater::open_end(std::size_t piece_bytes, std::span<std::byte> out, std::size_t used) {
    constexpr int kUnusedBits = 7, kLastBlock = 64, kEndOfBlock = 128;  // of data_type
    scratch_.resize(std::max(scratch_.size(), piece_bytes));
    inflateReset(inflater_.get());
    inflater_->next_in = raw(out.data());
    inflater_->avail_in = static_cast<uInt>(used);
    inflater_->next_out = raw(scratch_.data());
    inflater_->avail_out = static_cast<uInt>(piece_bytes);
    std::size_t last_block = 0, bit = 0;
    do {
        last_block = bit;
        if (inflate(inflater_.get(), Z_BLOCK) != Z_OK || !(inflater_->data_type & kEndOfBlock)) fail("libdeflate");
        bit = inflater_->total_in * 8 - static_cast<std::size_t>(inflater_->data_type & kUnusedBits);
    } while (!(inflater_->data_type & kLastBlock));
    if (inflater_->avail_in != 0 || inflater_->avail_out != 0) fail("libdeflate");
    out[last_block / 8] &= ~static_cast<std::byte>(1 << last_block % 8);
    constexpr std::size_t kStoredBits = 3;
    if (used * 8 - bit < kStoredBits) out[used++] = std::byte{0};
    std::copy(kEmptyStored.begin(), kEmptyStored.end(), out.begin() + static_cast<std::ptrdiff_t>(used));
    return used + kEmptyStored.size();
}

}  // namespace revoxel::io
