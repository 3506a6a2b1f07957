#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include "io/atomic_file.hpp"
#include "io/gzip_writer.hpp"
#include "io/io_error.hpp"
#include "io/nifti_header.hpp"
#include "io/nifti_path.hpp"
#include "io/nifti_raw.hpp"
#include "io/nifti_stream.hpp"
#include "io/nifti_types.hpp"
#include "revoxel/error.hpp"
#include "revoxel/nifti.hpp"

namespace revoxel::io {
namespace {

constexpr std::int64_t kStepBytes = std::int64_t{4} << 20;
constexpr std::int64_t kExtensionHeadBytes = 8;
constexpr std::int64_t kAlignment = 16;
// vox_offset of NIfTI-1 is a float32: multiples of 16 are exact up to here.
constexpr std::int64_t kLargestNifti1Offset = std::int64_t{1} << 28;

// An AtomicFile with or without gzip in front of it.
class OutputStream {
public:
    OutputStream(const std::string& path, bool gz, const NiftiWriteOptions& options) : file(path, options.overwrite) {
        const auto sink = [this](std::span<const std::byte> bytes) { file.write(bytes); };
        if (gz) gzip_.emplace(sink, options.compression, options.threads);
    }
    void write(std::span<const std::byte> bytes) { gzip_ ? gzip_->write(bytes) : file.write(bytes); }
    void finish() {
        if (gzip_) gzip_->finish();
    }

    AtomicFile file;

private:
    std::optional<GzipWriter> gzip_;
};

std::int64_t rounded_up(std::int64_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::int64_t extension_bytes(const NiftiExtension& extension) {
    return rounded_up(kExtensionHeadBytes + static_cast<std::int64_t>(extension.data.size()));
}

std::int64_t bytes_before_voxels(const NiftiHeader& header) {
    std::int64_t bytes = smallest_vox_offset(header.format);
    for (const NiftiExtension& extension : header.extensions) bytes += extension_bytes(extension);
    return rounded_up(bytes);
}

bool fits_nifti1(const NiftiHeader& header) {
    constexpr std::int64_t kLargest = std::numeric_limits<std::int16_t>::max();
    auto fits = [](std::int64_t value) { return value >= -kLargest - 1 && value <= kLargest; };
    return std::all_of(header.dim.begin(), header.dim.end(), fits) && fits(header.slice_start) &&
           fits(header.slice_end) && fits(header.qform_code) && fits(header.sform_code) && fits(header.intent_code) &&
           bytes_before_voxels(header) <= kLargestNifti1Offset;
}

void check_volume(const std::string& path, const NiftiHeader& header, const Volume& volume) {
    const Extent& extent = volume.grid().extent;
    const VoxelType* type = voxel_type(header.datatype);
    const bool fits = type != nullptr && type->dtype == volume.dtype() && type->components == volume.components() &&
                      header.dtype == volume.dtype() && header.components == volume.components() &&
                      extent == Extent{header.dim[1], header.dim[2], header.dim[3]} &&
                      header.frames() == volume.frames();
    if (fits) return;
    fail_output(
        path,
        fmt::format("the header describes {} (datatype {}), but the volume has {} x {} x {} voxels, {} frames and {} "
                    "components of {}; make the header for this volume",
                    describe_voxels(header), header.datatype, extent[0], extent[1], extent[2], volume.frames(),
                    volume.components(), revoxel::name_of(volume.dtype())));
}

void check_extensions(const std::string& path, const NiftiHeader& header) {
    for (const NiftiExtension& extension : header.extensions) {
        if (extension_bytes(extension) <= std::numeric_limits<std::int32_t>::max()) continue;
        fail_output(path, fmt::format("a header extension has {} bytes; expected less than 2^31; remove it",
                                      extension.data.size()));
    }
}

// The header, the extender and the extensions.
std::vector<std::byte> encode_all_headers(const NiftiHeader& header, bool pair) {
    std::vector<std::byte> bytes = encode_header(header, pair, pair ? 0 : bytes_before_voxels(header));
    bytes.resize(static_cast<std::size_t>(smallest_vox_offset(header.format)));
    if (!header.extensions.empty()) bytes[bytes.size() - kExtenderBytes] = std::byte{1};
    for (const NiftiExtension& extension : header.extensions) {
        const std::size_t at = bytes.size();
        const std::int32_t head[2] = {static_cast<std::int32_t>(extension_bytes(extension)), extension.code};
        bytes.resize(at + static_cast<std::size_t>(head[0]));
        std::memcpy(bytes.data() + at, head, sizeof head);
        std::copy(extension.data.begin(), extension.data.end(),
                  bytes.begin() + static_cast<std::ptrdiff_t>(at + sizeof head));
    }
    if (!pair) bytes.resize(static_cast<std::size_t>(bytes_before_voxels(header)));
    return bytes;
}

NiftiName checked_name(const std::string& path) {
    if (const auto name = parse_nifti_name(path)) return *name;
    fail_output(path,
                "the name of an output file must end in .nii, .nii.gz, .hdr, .hdr.gz, .img or .img.gz; rename it");
}

/// A file that will not fit is known before anything is computed. What a compressed one will take is not known.
void check_space(const std::string& path, std::int64_t bytes) {
    const auto slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    struct statvfs disk {};
    if (::statvfs(folder.c_str(), &disk) != 0) return;  // opening the file will tell
    if (disk.f_blocks == 0) return;                     // ramfs and others do not say
    const double have = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
    if (have >= static_cast<double>(bytes)) return;
    fail_output(path,
                fmt::format("the file needs {:.6g} MB, but its disk has {:.6g} MB left; free some space or choose "
                            "another folder",
                            static_cast<double>(bytes) / 1e6, have / 1e6));
}

}  // namespace

void check_output_path(const std::string& path, bool overwrite) {
    const NiftiName name = checked_name(path);
    if (name.part == NiftiPart::single) {
        check_target(path, overwrite);
        return;
    }
    check_target(name.with_part(NiftiPart::header, name.gz), overwrite);
    check_target(name.with_part(NiftiPart::image, name.gz), overwrite);
}

struct NiftiWriter::State {
    std::string path;
    std::int64_t total = 0, done = 0;      // bytes of voxels
    std::unique_ptr<OutputStream> voxels;  // and the header, in a single file
    std::unique_ptr<OutputStream> head;    // of a pair
};

NiftiWriter::NiftiWriter(const std::string& path, const NiftiHeader& header, const NiftiWriteOptions& options)
    : state_(std::make_unique<State>()) {
    State& s = *state_;
    const NiftiName name = checked_name(path);
    check_extensions(path, header);
    check_output_path(path, options.overwrite);
    NiftiHeader written = header;
    if (written.format != NiftiFormat::nifti2) {
        written.format = fits_nifti1(header) ? NiftiFormat::nifti1 : NiftiFormat::nifti2;
    }
    s.path = path;
    s.total = voxel_bytes(header);
    if (!name.gz) check_space(path, s.total);
    const bool single = name.part == NiftiPart::single;
    const std::vector<std::byte> head = encode_all_headers(written, !single);
    const std::string voxels_path = single ? path : name.with_part(NiftiPart::image, name.gz);
    s.voxels = std::make_unique<OutputStream>(voxels_path, name.gz, options);
    if (!name.gz) s.voxels->file.reserve(s.total + (single ? static_cast<std::int64_t>(head.size()) : 0));
    if (single) {
        s.voxels->write(head);
        return;
    }
    s.head = std::make_unique<OutputStream>(name.with_part(NiftiPart::header, name.gz), name.gz, options);
    s.head->write(head);
}

NiftiWriter::~NiftiWriter() = default;

void NiftiWriter::write(std::span<const std::byte> bytes) {
    state_->voxels->write(bytes);
    state_->done += static_cast<std::int64_t>(bytes.size());
}

void NiftiWriter::commit() {
    State& s = *state_;
    if (s.done != s.total) {
        fail_output(s.path, fmt::format("{} of {} bytes of voxels were written; a complete volume was expected", s.done,
                                        s.total));
    }
    s.voxels->finish();
    if (!s.head) return s.voxels->file.commit();
    s.head->finish();
    // Whoever sees the new header finds the new voxels.
    AtomicFile::commit({&s.voxels->file, &s.head->file});
}

void write_nifti(const std::string& path, const NiftiHeader& header, const Volume& volume,
                 const NiftiWriteOptions& options) {
    checked_name(path);
    check_volume(path, header, volume);
    NiftiWriter writer(path, header, options);
    const std::int64_t total = volume.size_bytes();
    for (std::int64_t done = 0; done < total;) {
        const std::int64_t step = std::min(kStepBytes, total - done);
        writer.write({volume.data() + done, static_cast<std::size_t>(step)});
        done += step;
        if (options.progress) options.progress(static_cast<double>(done) / static_cast<double>(total));
    }
    writer.commit();
}

}  // namespace revoxel::io
