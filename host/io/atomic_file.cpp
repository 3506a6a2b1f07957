#include "io/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "io/io_error.hpp"

namespace revoxel::io {
namespace {

constexpr std::int64_t kWritebackBytes = std::int64_t{8} << 20;
constexpr mode_t kFileMode = 0666;  // less the umask, as for any new file

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string unnamed_link(int fd) {
    return fmt::format("/proc/self/fd/{}", fd);
}

std::string random_hidden_path(const std::string& folder) {
    static std::atomic<std::uint32_t> counter{0};
    std::random_device random;
    return fmt::format("{}/.revoxel-{:08x}{:04x}.tmp", folder, random(), counter++ & 0xffffU);
}

// The hidden names that exist now, for remove_hidden_files().
struct HiddenNames {
    std::mutex mutex;
    std::set<std::string> paths;
};

HiddenNames& hidden_names() {
    static HiddenNames names;
    return names;
}

void remember(const std::string& path) {
    if (path.empty()) return;
    const std::lock_guard<std::mutex> lock(hidden_names().mutex);
    hidden_names().paths.insert(path);
}

void forget(const std::string& path) {
    const std::lock_guard<std::mutex> lock(hidden_names().mutex);
    hidden_names().paths.erase(path);
}

// Held while files get their names: a signal comes before or after.
std::mutex& naming() {
    static std::mutex mutex;
    return mutex;
}

// What to advise for the errors that writing meets most.
std::string advice(int error) {
    switch (error) {
        case ENOSPC:
        case EDQUOT: return "; free some space or choose another folder";
        case EFBIG: return "; the file system or the shell (ulimit -f) limits the size of files";
        case EACCES:
        case EPERM:
        case EROFS: return "; choose a folder that you may write to";
        default: return "";
    }
}

[[noreturn]] void fail_with_errno(const std::string& path, const char* what, int error) {
    fail_output(path, fmt::format("{} ({}){}", what, system_message(error), advice(error)));
}

[[noreturn]] void fail_exists(const std::string& path) {
    fail_output(path, "the file exists already; choose another name or use --force to replace it");
}

}  // namespace

void remove_hidden_files() noexcept {
    naming().lock();  // for good
    const std::lock_guard<std::mutex> lock(hidden_names().mutex);
    for (const std::string& path : hidden_names().paths) ::unlink(path.c_str());
}

void check_target(const std::string& path, bool overwrite) {
    const std::string folder = folder_of(path);
    struct stat info {};
    if (::stat(folder.c_str(), &info) != 0) {
        const int error = errno;
        if (error == ENOENT) fail_output(path, fmt::format("the folder {} does not exist; make it first", folder));
        fail_with_errno(path, "its folder cannot be examined", error);
    }
    if (!S_ISDIR(info.st_mode)) fail_output(path, fmt::format("{} is not a folder; choose another name", folder));
    if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
        fail_with_errno(path, "its folder is not writable", errno);
    }
    if (::lstat(path.c_str(), &info) != 0) {
        if (errno == ENOENT) return;
        fail_with_errno(path, "the name cannot be used", errno);
    }
    if (S_ISLNK(info.st_mode) && ::stat(path.c_str(), &info) != 0) info.st_mode = S_IFREG;  // a link to nothing
    if (S_ISDIR(info.st_mode)) fail_output(path, "this is a directory; expected the name of a file to write");
    if (!S_ISREG(info.st_mode)) {
        fail_output(path, "this is not a regular file; choose another name");
    }
    if (!overwrite) fail_exists(path);
}

AtomicFile::AtomicFile(std::string path, bool overwrite)
    : path_(std::move(path)), folder_(folder_of(path_)), overwrite_(overwrite) {
    check_target(path_, overwrite_);
    if (!open_unnamed()) open_named();
    struct stat replaced {};
    // Where this is not possible the file stays as private as the umask makes it.
    if (overwrite_ && ::stat(path_.c_str(), &replaced) == 0) (void)!::fchmod(fd_, replaced.st_mode & 07777);
}

AtomicFile::~AtomicFile() {
    if (fd_ >= 0) ::close(fd_);
    take_back();
}

bool AtomicFile::open_unnamed() {
    fd_ = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kFileMode);
    return fd_ >= 0;
}

void AtomicFile::open_named() {
    do {
        hidden_ = random_hidden_path(folder_);
        fd_ = ::open(hidden_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, kFileMode);
    } while (fd_ < 0 && errno == EEXIST);
    if (fd_ < 0) {
        hidden_.clear();
        fail_with_errno(path_, "the file cannot be created", errno);
    }
    remember(hidden_);
}

void AtomicFile::reserve(std::int64_t bytes) {
    int status = -1;
    do {
        status = ::fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0, bytes);
    } while (status != 0 && errno == EINTR);
    if (status == 0 || (errno != ENOSPC && errno != EDQUOT && errno != EFBIG)) return;
    fail_with_errno(path_, fmt::format("there is no room for its {} bytes", bytes).c_str(), errno);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
        if (put < 0) {
            if (errno == EINTR) continue;
            fail_with_errno(path_, fmt::format("writing failed after {} bytes", bytes_written_).c_str(), errno);
        }
        bytes_written_ += put;
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    start_writeback();
}

// The disk works while more is computed, and sync() has less to wait for. Failing is none: sync() will tell.
void AtomicFile::start_writeback() noexcept {
    if (bytes_written_ - handed_over_ < kWritebackBytes) return;
    ::sync_file_range(fd_, handed_over_, bytes_written_ - handed_over_, SYNC_FILE_RANGE_WRITE);
    handed_over_ = bytes_written_;
}

void AtomicFile::sync() {
    if (fd_ < 0) return;
    if (::fsync(fd_) != 0) fail_with_errno(path_, "the data could not be brought to the disk", errno);
    if (!hidden_.empty()) close_file();
}

void AtomicFile::close_file() {
    // After close() the descriptor is gone even when it reports an error.
    if (::close(std::exchange(fd_, -1)) != 0) fail_with_errno(path_, "the file could not be closed", errno);
}

// False when the name is taken. At no moment is there another name that a killed process would leave behind.
bool AtomicFile::publish_unnamed() {
    if (::linkat(AT_FDCWD, unnamed_link(fd_).c_str(), AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW) == 0) {
        published_ = true;
        return true;
    }
    if (errno == EEXIST) return false;
    // Some sandboxes have unnamed files and no way to name them.
    copy_to_hidden_name();
    return overwrite_ ? false : publish_without_replacing();
}

void AtomicFile::give_hidden_name() {
    const std::string unnamed = unnamed_link(fd_);
    int status = -1;
    do {
        hidden_ = random_hidden_path(folder_);
        status = ::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, hidden_.c_str(), AT_SYMLINK_FOLLOW);
    } while (status != 0 && errno == EEXIST);
    if (status != 0) {
        hidden_.clear();
        copy_to_hidden_name();
        return;
    }
    remember(hidden_);
    close_file();
}

void AtomicFile::copy_to_hidden_name() {
    const int unnamed = std::exchange(fd_, -1);
    struct stat info {};
    std::int64_t at = 0;
    bytes_written_ = handed_over_ = 0;
    try {
        open_named();
        if (::fstat(unnamed, &info) == 0) (void)!::fchmod(fd_, info.st_mode & 07777);
        std::vector<std::byte> piece(std::size_t{1} << 20);
        while (true) {
            const ssize_t got = ::pread(unnamed, piece.data(), piece.size(), at);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) fail_with_errno(path_, "what was written could not be read again", errno);
            if (got == 0) break;
            write({piece.data(), static_cast<std::size_t>(got)});
            at += got;
        }
    } catch (...) {
        ::close(unnamed);
        throw;
    }
    ::close(unnamed);
    sync();
}

// False when the name is taken.
bool AtomicFile::publish_without_replacing() {
    if (::renameat2(AT_FDCWD, hidden_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) == 0) return true;
    if (errno == EEXIST) return false;
    if (errno != EINVAL && errno != ENOSYS) fail_with_errno(path_, "the finished file could not be renamed", errno);
    // A file system without that flag: a hard link refuses to replace as well.
    if (::link(hidden_.c_str(), path_.c_str()) == 0) {
        ::unlink(hidden_.c_str());
        return true;
    }
    if (errno == EEXIST) return false;
    if (errno != EPERM && errno != EOPNOTSUPP) fail_with_errno(path_, "the finished file could not be renamed", errno);
    // Nor hard links (FAT): whoever creates the name owns it, so replacing our own empty file is safe.
    const int fd = ::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, kFileMode);
    if (fd < 0 && errno == EEXIST) return false;
    if (fd < 0) fail_with_errno(path_, "the file cannot be created", errno);
    ::close(fd);
    if (::rename(hidden_.c_str(), path_.c_str()) != 0) {
        const int error = errno;
        ::unlink(path_.c_str());
        fail_with_errno(path_, "the finished file could not be renamed", error);
    }
    return true;
}

void AtomicFile::publish_replacing() {
    if (::renameat2(AT_FDCWD, hidden_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) == 0) {
        replaced_ = hidden_;
        return;
    }
    if (errno == ENOENT && publish_without_replacing()) return;  // nothing there to replace
    // A second name keeps the old file until settle(). Where there are no hard links it is gone with the renaming.
    replaced_ = random_hidden_path(folder_);
    if (::link(path_.c_str(), replaced_.c_str()) != 0) replaced_.clear();
    remember(replaced_);
    if (::rename(hidden_.c_str(), path_.c_str()) != 0) {
        fail_with_errno(path_, "the finished file could not be renamed", errno);
    }
    lost_ = replaced_.empty();
}

void AtomicFile::publish() {
    if (overwrite_) check_target(path_, true);
    const bool unnamed = hidden_.empty();
    if (!unnamed || !publish_unnamed()) {
        if (overwrite_) {
            if (hidden_.empty()) give_hidden_name();
            publish_replacing();
        } else if (unnamed || !publish_without_replacing()) {
            fail_exists(path_);
        }
    }
    published_ = true;
    if (fd_ >= 0) close_file();
}

void AtomicFile::sync_folder() const {
    const int fd = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;  // a folder that may be written but not listed
    const int status = ::fsync(fd);
    const int error = errno;
    ::close(fd);
    // EINVAL: the file system has no such operation.
    if (status != 0 && error != EINVAL && error != EROFS) {
        fail_with_errno(path_, "its folder could not be brought to the disk", error);
    }
}

void AtomicFile::settle() noexcept {
    if (!replaced_.empty()) ::unlink(replaced_.c_str());
    let_go();
}

void AtomicFile::let_go() noexcept {
    forget(hidden_);
    forget(replaced_);
    hidden_.clear();
    replaced_.clear();
    published_ = lost_ = false;
}

void AtomicFile::take_back() noexcept {
    if (!published_) {
        if (!hidden_.empty()) ::unlink(hidden_.c_str());
        if (!replaced_.empty()) ::unlink(replaced_.c_str());
    } else if (!replaced_.empty()) {
        ::rename(replaced_.c_str(), path_.c_str());
    } else if (!lost_) {
        ::unlink(path_.c_str());
    }
    let_go();
}

void AtomicFile::commit(std::initializer_list<AtomicFile*> files) {
    for (AtomicFile* file : files) file->sync();
    const std::lock_guard<std::mutex> lock(naming());
    try {
        for (AtomicFile* file : files) file->publish();
        for (AtomicFile* file : files) file->settle();
    } catch (...) {
        for (AtomicFile* file : files) file->take_back();
        throw;
    }
    (*files.begin())->sync_folder();
}

}  // namespace revoxel::io
