#include "io/gzip.hpp"

#include <fmt/format.h>
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "io/io_error.hpp"
#include "revoxel/error.hpp"

namespace revoxel::io {
namespace {

constexpr std::size_t kRawBufferBytes = std::size_t{256} << 10;
// Holds a header. Who reads the headers of thousands of files must not fetch a full buffer of each.
constexpr std::size_t kFirstRawBytes = std::size_t{4} << 10;
constexpr std::size_t kMagicBytes = 3;
// ISA-L counts in 32 bits.
constexpr std::size_t kLargestStep = std::size_t{1} << 30;

std::uint8_t* raw(const std::byte* bytes) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(bytes));
}

const char* damage(int code) {
    switch (code) {
        case ISAL_INVALID_BLOCK: return "an invalid deflate block";
        case ISAL_INVALID_SYMBOL: return "an invalid deflate symbol";
        case ISAL_INVALID_LOOKBACK: return "a reference to before the beginning of the data";
        case ISAL_INVALID_WRAPPER: return "an invalid gzip header";
        case ISAL_UNSUPPORTED_METHOD: return "a compression method other than deflate";
        default: return "bytes that are not deflate data";
    }
}

}  // namespace

bool looks_like_gzip(std::span<const std::byte> bytes) noexcept {
    return bytes.size() >= kMagicBytes && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b} &&
           bytes[2] == std::byte{8};
}

std::int64_t gzip_capacity(std::int64_t compressed_bytes) noexcept {
    constexpr std::int64_t kLargestExpansion = 1032;
    constexpr std::int64_t kLimit = std::numeric_limits<std::int64_t>::max();
    return compressed_bytes > kLimit / kLargestExpansion ? kLimit : compressed_bytes * kLargestExpansion;
}

GzipReader::GzipReader(std::string path, Source source)
    : path_(std::move(path)),
      source_(std::move(source)),
      state_(std::make_unique<inflate_state>()),
      header_(std::make_unique<isal_gzip_header>()),
      buffer_(kRawBufferBytes) {
    isal_inflate_init(state_.get());
}

GzipReader::~GzipReader() = default;

// Appends to what is still unread. False at the end of the source.
bool GzipReader::refill() {
    if (source_ended_) return false;
    if (state_->avail_in > 0) std::memmove(buffer_.data(), state_->next_in, state_->avail_in);
    const std::size_t room = buffer_.size() - state_->avail_in;
    const std::size_t got = source_(buffer_.data() + state_->avail_in, raw_bytes_ == 0 ? kFirstRawBytes : room);
    state_->next_in = raw(buffer_.data());
    state_->avail_in += static_cast<std::uint32_t>(got);
    raw_bytes_ += static_cast<std::int64_t>(got);
    source_ended_ = got == 0;
    return got > 0;
}

bool GzipReader::begin_next_member() {
    while (state_->avail_in < kMagicBytes && refill()) {
    }
    const auto* next = reinterpret_cast<const std::byte*>(state_->next_in);
    if (looks_like_gzip({next, state_->avail_in})) {
        isal_inflate_reset(state_.get());
        in_member_ = false;
        return true;
    }
    trailing_bytes_ = state_->avail_in;
    state_->avail_in = 0;
    while (refill()) {
        trailing_bytes_ += state_->avail_in;
        state_->avail_in = 0;
    }
    return false;
}

// isal_inflate() would read the header too, but forgets its flags where the input ends inside it. False when the source
// ends inside it.
bool GzipReader::read_header() {
    *header_ = {};
    isal_gzip_header_init(header_.get());
    int code = isal_read_gzip_header(state_.get(), header_.get());
    while (code == ISAL_END_INPUT && refill()) code = isal_read_gzip_header(state_.get(), header_.get());
    if (code == ISAL_END_INPUT) return false;
    if (code != ISAL_DECOMP_OK) fail_damaged(code);
    state_->crc_flag = ISAL_GZIP_NO_HDR_VER;  // what follows is deflate data and a checksum to verify
    return in_member_ = true;
}

void GzipReader::fail_damaged(int code) const {
    if (code == ISAL_INCORRECT_CHECKSUM) {
        fail_input(path_,
                   "the checksum or the length at the end of the gzip stream does not match the data; the file is "
                   "damaged; copy it again from its source");
    }
    fail_input(path_,
               fmt::format("the gzip stream has {} near byte {}; the file is damaged; copy it again from its source",
                           damage(code), raw_bytes_ - state_->avail_in));
}

std::size_t GzipReader::read(std::span<std::byte> out) {
    std::size_t done = 0;
    while (done < out.size() && !ended_) {
        if (state_->block_state == ISAL_BLOCK_FINISH && !begin_next_member()) {
            ended_ = true;
            break;
        }
        if (!in_member_ && !read_header()) {
            ended_ = truncated_ = true;
            break;
        }
        if (state_->avail_in == 0) refill();
        const auto step = static_cast<std::uint32_t>(std::min(out.size() - done, kLargestStep));
        const std::uint32_t before = state_->avail_in;
        state_->next_out = raw(out.data() + done);
        state_->avail_out = step;
        const int code = isal_inflate(state_.get());
        const std::uint32_t produced = step - state_->avail_out;
        done += produced;
        if (code != ISAL_DECOMP_OK) fail_damaged(code);
        const bool stuck = produced == 0 && state_->avail_in == before && state_->block_state != ISAL_BLOCK_FINISH;
        if (stuck && state_->avail_in > 0) fail_damaged(ISAL_INVALID_BLOCK);
        if (stuck && source_ended_) ended_ = truncated_ = true;
    }
    return done;
}

}  // namespace revoxel::io
