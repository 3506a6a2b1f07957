#include "io/input_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "io/io_error.hpp"

namespace revoxel::io {
namespace {

constexpr std::size_t kScratchBytes = std::size_t{64} << 10;
// A small scan followed by gigabytes of zeros must not keep us busy just to verify a checksum.
constexpr std::int64_t kMostSurplusBytes = std::int64_t{64} << 20;

int open_regular(const std::string& path, std::int64_t& bytes) {
    // O_NONBLOCK: opening a fifo must not wait for a writer.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        const int error = errno;
        if (error == ENOENT || error == ENOTDIR) fail_input(path, "there is no such file; check the path");
        fail_input(path, fmt::format("the file cannot be opened for reading ({})", system_message(error)));
    }
    struct stat info {};
    std::string problem;
    if (::fstat(fd, &info) != 0) {
        problem = fmt::format("the file cannot be examined ({})", system_message(errno));
    } else if (S_ISDIR(info.st_mode)) {
        problem = "this is a directory; expected a NIfTI file (.nii, .nii.gz, .hdr or .img)";
    } else if (!S_ISREG(info.st_mode)) {
        problem = "this is not a regular file; save the data to a file first";
    } else if (info.st_size == 0) {
        problem = "the file is empty (0 bytes); copy it again from its source";
    }
    if (!problem.empty()) {
        ::close(fd);
        fail_input(path, problem);
    }
    bytes = info.st_size;
    return fd;
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path), fd_(open_regular(path, disk_bytes_)) {
    try {
        std::array<std::byte, 3> magic{};
        const ssize_t got = ::pread(fd_, magic.data(), magic.size(), 0);
        if (got < 0) fail_input(path_, fmt::format("the file cannot be read ({})", system_message(errno)));
        if (looks_like_gzip({magic.data(), static_cast<std::size_t>(got)})) {
            gzip_ = std::make_unique<GzipReader>(
                path_, [this](std::byte* out, std::size_t count) { return read_raw(out, count); });
        }
    } catch (...) {
        ::close(fd_);
        throw;
    }
    ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
}

InputFile::~InputFile() {
    ::close(fd_);
}

std::int64_t InputFile::capacity() const noexcept {
    return gzip_ ? gzip_capacity(disk_bytes_) : disk_bytes_;
}

std::size_t InputFile::read_raw(std::byte* out, std::size_t count) {
    std::size_t done = 0;
    while (done < count) {
        const ssize_t got = ::read(fd_, out + done, count - done);
        if (got == 0) break;
        if (got < 0) {
            if (errno == EINTR) continue;
            fail_input(path_, fmt::format("the file cannot be read ({})", system_message(errno)));
        }
        done += static_cast<std::size_t>(got);
    }
    return done;
}

std::size_t InputFile::read(std::span<std::byte> out) {
    const std::size_t got = gzip_ ? gzip_->read(out) : read_raw(out.data(), out.size());
    position_ += static_cast<std::int64_t>(got);
    return got;
}

std::int64_t InputFile::skip(std::int64_t count) {
    std::vector<std::byte> scratch(static_cast<std::size_t>(std::min<std::int64_t>(count, kScratchBytes)));
    std::int64_t done = 0;
    while (done < count) {
        const auto step = static_cast<std::size_t>(std::min<std::int64_t>(count - done, kScratchBytes));
        const std::size_t got = read({scratch.data(), step});
        done += static_cast<std::int64_t>(got);
        if (got < step) break;
    }
    return done;
}

void InputFile::finish(std::vector<std::string>& warnings) {
    if (!gzip_) {
        if (position_ < disk_bytes_) {
            warnings.push_back(fmt::format("the file has {} more bytes than its header asks for; they are ignored",
                                           disk_bytes_ - position_));
        }
        return;
    }
    const std::int64_t surplus = skip(kMostSurplusBytes);
    if (surplus == kMostSurplusBytes) {
        warnings.push_back(
            "the gzip stream goes on for more than 64 MiB after the voxels; the rest was not read and its checksum not "
            "verified");
        return;
    }
    if (truncated()) {
        fail_input(
            path_,
            "the gzip stream has no end, though all voxels are there; the file is truncated; copy it again from its "
            "source");
    }
    if (surplus > 0) {
        warnings.push_back(
            fmt::format("the gzip stream holds {} more bytes than its header asks for; they are ignored", surplus));
    }
    if (gzip_->trailing_bytes() > 0) {
        warnings.push_back(
            fmt::format("{} bytes after the end of the gzip stream are ignored", gzip_->trailing_bytes()));
    }
}

}  // namespace revoxel::io
