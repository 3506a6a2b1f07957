// NIfTI files front to back, a piece at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "revoxel/nifti.hpp"

namespace revoxel::io {

/// Reads the voxels of a file in their order. Not thread-safe; different readers are independent.
class NiftiReader {
public:
    /// Opens the file and checks its header as read_nifti does. `ahead_bytes`: compressed files are decompressed by a
    /// thread of their own while the caller works, so much further than what the caller has read (whole MiB, 2 at
    /// least); 0 for a caller that does nothing but read. Throws Error(input).
    NiftiReader(const std::string& path, const NiftiReadOptions& options, std::int64_t ahead_bytes);
    ~NiftiReader();
    NiftiReader(const NiftiReader&) = delete;
    NiftiReader& operator=(const NiftiReader&) = delete;

    const NiftiHeader& header() const;
    /// The next bytes of the voxels, whole scalars, in native byte order. Throws Error(input) where the file is too
    /// short or damaged.
    void read(std::span<std::byte> bytes);
    /// To be called when all voxels have been read: verifies the end of the file. Adds to the header's warnings.
    void finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Writes a file under a temporary name, as write_nifti does; without commit() nothing is left. Not thread-safe.
class NiftiWriter {
public:
    /// Writes the header. Throws Error(output), also when there is not the space for an uncompressed file.
    NiftiWriter(const std::string& path, const NiftiHeader& header, const NiftiWriteOptions& options);
    ~NiftiWriter();
    NiftiWriter(const NiftiWriter&) = delete;
    NiftiWriter& operator=(const NiftiWriter&) = delete;

    /// The next bytes of the voxels, as they are in memory.
    void write(std::span<const std::byte> bytes);
    /// Syncs and renames. Throws Error(output), also unless the voxels are complete.
    void commit();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace revoxel::io
