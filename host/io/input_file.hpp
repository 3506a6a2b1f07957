// A file opened for reading, plain or gzip, whatever its name says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/gzip.hpp"

namespace revoxel::io {

/// Reads a regular file from front to back. Not thread-safe; different files are independent.
class InputFile {
public:
    /// Throws Error(input) when the file does not exist, cannot be read, is empty, or is no regular file.
    explicit InputFile(const std::string& path);
    ~InputFile();
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    const std::string& path() const noexcept { return path_; }
    bool gzipped() const noexcept { return gzip_ != nullptr; }
    /// Bytes on disk.
    std::int64_t disk_bytes() const noexcept { return disk_bytes_; }
    /// The most bytes that read() can ever deliver: exact for a plain file, an upper bound for gzip.
    std::int64_t capacity() const noexcept;

    /// Fills `out` and returns its size, or less at the end. Throws Error(input) on a read error and on damaged gzip
    /// data.
    std::size_t read(std::span<std::byte> out);
    /// Reads and forgets up to `count` bytes; returns how many there were.
    std::int64_t skip(std::int64_t count);
    /// Bytes delivered or skipped so far.
    std::int64_t position() const noexcept { return position_; }
    /// The file ended inside a gzip member.
    bool truncated() const noexcept { return gzip_ && gzip_->truncated(); }

    /// To be called when the data that the header asks for have been read: looks at what is left, which verifies the
    /// last gzip checksum. Adds a warning for bytes that nobody asked for. Throws as read() does, also for a truncated
    /// stream.
    void finish(std::vector<std::string>& warnings);

private:
    std::size_t read_raw(std::byte* out, std::size_t count);

    std::string path_;
    std::int64_t disk_bytes_ = 0;  // set while fd_ is made
    int fd_ = -1;
    std::int64_t position_ = 0;
    std::unique_ptr<GzipReader> gzip_;
};

}  // namespace revoxel::io
