// Reading gzip, over ISA-L.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct inflate_state;
struct isal_gzip_header;  // ISA-L

namespace revoxel::io {

/// True when the bytes begin as a gzip member does: 1f 8b and the deflate method.
bool looks_like_gzip(std::span<const std::byte> bytes) noexcept;

/// The most bytes that a gzip file of this size can hold. Deflate spends at least two bits on a match of 258 bytes, so
/// nothing expands more than 1032:1. Saturates at the largest int64.
std::int64_t gzip_capacity(std::int64_t compressed_bytes) noexcept;

/// Decompresses a gzip file of one or several members from its beginning. Bytes after the last member that are no
/// member themselves are not part of the data. Not thread-safe; different readers are independent.
class GzipReader {
public:
    /// Delivers up to n raw bytes and returns how many; 0 at the end of the file. May throw.
    using Source = std::function<std::size_t(std::byte*, std::size_t)>;

    /// `path` appears in errors only.
    GzipReader(std::string path, Source source);
    ~GzipReader();
    GzipReader(const GzipReader&) = delete;
    GzipReader& operator=(const GzipReader&) = delete;

    /// Fills `out` and returns its size, or less at the end of the data; truncated() then tells a proper end from a
    /// file that stops in the middle. A member's checksum has been verified once data beyond it, or the end, has been
    /// read. Throws Error(input) for damaged data and for a wrong CRC or length.
    std::size_t read(std::span<std::byte> out);

    /// The file ended inside a member.
    bool truncated() const noexcept { return truncated_; }
    /// Raw bytes after the last member; known once read() has returned less than asked for.
    std::int64_t trailing_bytes() const noexcept { return trailing_bytes_; }

private:
    bool refill();
    bool begin_next_member();
    bool read_header();
    [[noreturn]] void fail_damaged(int code) const;

    std::string path_;
    Source source_;
    std::unique_ptr<inflate_state> state_;
    std::unique_ptr<isal_gzip_header> header_;
    std::vector<std::byte> buffer_;
    std::int64_t raw_bytes_ = 0;  // taken from the source so far
    std::int64_t trailing_bytes_ = 0;
    bool source_ended_ = false;
    bool in_member_ = false;  // its header has been read
    bool ended_ = false;
    bool truncated_ = false;
};

}  // namespace revoxel::io
