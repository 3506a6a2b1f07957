// Files that appear complete or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace revoxel::io {

/// Throws Error(output) unless a new file can be made at `path`: its folder exists and is writable, and the name is
/// free or names a regular file that may be replaced.
void check_target(const std::string& path, bool overwrite);

/// Removes the hidden files of this process that have not got their names yet, as far as it has any; from then on no
/// file gets its name. For a process that is about to end on a signal; not for a signal handler (it locks).
void remove_hidden_files() noexcept;

/// A file being written next to its target under no name (or a hidden one where the file system cannot do that). It
/// gets its name in commit(); a file that does not get there leaves nothing behind. Nor does a process that is killed,
/// where the file system has unnamed files (ext4, xfs, btrfs, tmpfs), but for a kill within the two calls that exchange
/// a replaced file or within those that name several. A file that replaces another keeps its permissions. Every
/// function throws Error(output).
class AtomicFile {
public:
    AtomicFile(std::string path, bool overwrite);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    /// Takes the space of a file of so many bytes, where the file system can do that: one that is short of it says so
    /// now, and blocks that are there already are written in half the time. The file is not longer for it.
    void reserve(std::int64_t bytes);
    void write(std::span<const std::byte> bytes);
    /// Brings the bytes to the disk. Nothing may be written afterwards.
    void sync();
    /// sync(), then the name. Never replaces a file unless `overwrite`, even when one appears just now.
    void commit() { commit({this}); }
    /// Gives all of these, of one folder and in this order, their names, or none.
    static void commit(std::initializer_list<AtomicFile*> files);

    std::int64_t bytes_written() const noexcept { return bytes_written_; }

private:
    bool open_unnamed();
    void open_named();
    void close_file();
    bool publish_unnamed();
    void give_hidden_name();
    void copy_to_hidden_name();
    bool publish_without_replacing();
    void publish_replacing();
    void publish();
    void settle() noexcept;
    void let_go() noexcept;
    void start_writeback() noexcept;
    void sync_folder() const;
    void take_back() noexcept;

    std::string path_, folder_;
    std::string hidden_;  // path of the temporary name; empty where there is none
    bool overwrite_;
    bool published_ = false;
    std::string replaced_;  // hidden path of the file that this one replaces; empty where there is none
    bool lost_ = false;     // it replaced one that could not be kept
    int fd_ = -1;
    std::int64_t bytes_written_ = 0;
    std::int64_t handed_over_ = 0;  // of those, to the disk
};

}  // namespace revoxel::io
