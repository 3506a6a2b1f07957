// Reading and writing NIfTI-1, NIfTI-2 and ANALYZE 7.5.
//
// Paths decide the form: .nii, .hdr/.img, each with or without .gz. Reading looks at the bytes as well: a .nii that is
// really gzip (or the reverse) is read as what it is, with a warning. All functions are thread-safe for different
// files.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "revoxel/dtype.hpp"
#include "revoxel/grid.hpp"
#include "revoxel/volume.hpp"

namespace revoxel::io {

enum class NiftiFormat { analyze75, nifti1, nifti2 };
enum class TransformSource { sform, qform, pixdim };

const char* name_of(NiftiFormat format) noexcept;      ///< "ANALYZE 7.5", "NIfTI-1", "NIfTI-2"
const char* name_of(TransformSource source) noexcept;  ///< "sform", "qform", "pixdim"

struct NiftiExtension {
    int code = 0;
    std::vector<std::byte> data;  ///< without the 8 bytes of size and code
};

/// A header in native byte order, checked, with what follows from it. Lengths and affines are in mm whatever the file's
/// unit is; `spatial_unit` says what the file uses.
struct NiftiHeader {
    NiftiFormat format = NiftiFormat::nifti1;
    bool pair = false;        ///< .hdr/.img
    bool big_endian = false;  ///< byte order of the file
    int datatype = 16;        ///< NIfTI code
    DType dtype = DType::float32;
    int components = 1;                 ///< 3 for RGB24, 4 for RGBA32, 2 for complex
    std::array<std::int64_t, 8> dim{};  ///< dim[0] = rank; entries beyond the rank are 1
    std::array<double, 8> pixdim{};     ///< 1..3 in mm, 4.. in the file's own units; 0 is qfac, -1 or 1
    std::int64_t vox_offset = 352;
    double scl_slope = 0.0;  ///< as stored; see slope()
    double scl_inter = 0.0;
    double cal_max = 0.0, cal_min = 0.0;
    double slice_duration = 0.0, toffset = 0.0;
    std::int64_t slice_start = 0, slice_end = 0;
    int slice_code = 0;
    int dim_info = 0;           ///< frequency, phase and slice axis, two bits each
    int xyzt_units = 0;         ///< as stored
    double spatial_unit = 1.0;  ///< mm per unit of the file: 1000, 1 or 0.001
    int intent_code = 0;
    std::array<double, 3> intent_p{};
    std::string intent_name, descrip, aux_file;
    int qform_code = 0, sform_code = 0;
    std::array<double, 3> quatern{}, qoffset{};  ///< b, c, d; offset in mm
    Affine qform, sform;                         ///< mm; meaningful where the code is > 0
    std::vector<NiftiExtension> extensions;

    TransformSource source = TransformSource::pixdim;  ///< which one `grid` uses
    Grid grid;                                         ///< dim[1..3] and the affine in use
    double form_disagreement_mm = 0.0;  ///< largest corner distance between sform and qform; 0 unless both codes > 0
    double form_disagreement_voxels = 0.0;  ///< the same in voxels of the finest axis
    std::vector<std::string> warnings;      ///< one line each, without the file name

    std::int64_t frames() const;  ///< product of dim[4..7]
    /// Stored values v stand for slope() * v + intercept(). 1 and 0 where the file has no (usable) scaling.
    double slope() const noexcept;
    double intercept() const noexcept;
    bool scaled() const noexcept;  ///< slope() != 1 or intercept() != 0
};

struct NiftiReadOptions {
    bool prefer_qform = false;  ///< use the qform where its code is > 0, even when there is an sform
    /// Called now and then with the share of the voxels read so far, 0 to 1. Must not throw.
    std::function<void(double)> progress{};
};

struct NiftiImage {
    NiftiHeader header;
    Volume volume;  ///< stored values in native byte order, not scaled
};

/// Reads and checks the header and its extensions, no voxels. For a pair `path` may name either file.
/// Throws Error(input).
NiftiHeader read_nifti_header(const std::string& path, const NiftiReadOptions& options = {});

/// Reads everything. Nothing is allocated before the header has been checked against what the file can hold.
/// Throws Error(input), or Error(unavailable) when the memory is not to be had.
NiftiImage read_nifti(const std::string& path, const NiftiReadOptions& options = {});

/// The header of `input` resampled on to `output`: both transforms updated (each in its own world), codes kept,
/// everything that is still true kept, what is not cleared. Problems (shear that a qform cannot hold, a transform that
/// the input did not have) are added to the result's warnings; the input's own warnings are not repeated. `dtype` is
/// the output's scalar type; components are the input's. `keep_scaling` keeps scl_slope and scl_inter (values are still
/// stored values), else they become 1 and 0. `descrip` is cut to 79 bytes.
NiftiHeader resampled_header(const NiftiHeader& input, const Grid& output, DType dtype, bool keep_scaling,
                             const std::string& descrip);

/// A fresh header for a volume that comes from no file: sform and qform with code `xform_code`, mm.
NiftiHeader new_header(const Grid& grid, DType dtype, std::int64_t frames = 1, int components = 1, int xform_code = 1);

/// The fastest compression that comes within a tenth of the size of zlib's level 6 on CT and MR.
inline constexpr int kFastCompression = 1;

struct NiftiWriteOptions {
    bool overwrite = false;
    int compression = kFastCompression;  ///< effort for .gz, 0 (stored) to 9 (smallest)
    int threads = 1;                     ///< that compress, the caller included; the bytes do not depend on it
    /// Called now and then with the share of the voxels written so far, 0 to 1. Must not throw.
    std::function<void(double)> progress{};
};

/// Writes to a temporary name in the target's folder, syncs, renames; nothing is left behind on failure. The file is
/// little-endian; NIfTI-1 unless an extent exceeds 32767 or the header is NIfTI-2; a single file or a pair by the name
/// of `path`. The bytes depend on the arguments alone (no time stamp). The volume must match the header's dims. Throws
/// Error(output).
void write_nifti(const std::string& path, const NiftiHeader& header, const Volume& volume,
                 const NiftiWriteOptions& options = {});

/// Throws Error(output) if write_nifti to this path would be refused before any work: unknown ending, folder missing or
/// not writable, target exists and `overwrite` is false.
void check_output_path(const std::string& path, bool overwrite);

}  // namespace revoxel::io
