// The bytes of a header, and its fields in native byte order, not yet believed.
#pragma once

#include <nifti/nifti2.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "revoxel/nifti.hpp"

namespace revoxel::io {

inline constexpr std::size_t kNifti1HeaderBytes = 348;
inline constexpr std::size_t kNifti2HeaderBytes = 540;
inline constexpr std::size_t kExtenderBytes = 4;

/// Where voxels may begin at the earliest in a single file: header and extender.
inline std::int64_t smallest_vox_offset(NiftiFormat format) {
    return static_cast<std::int64_t>((format == NiftiFormat::nifti2 ? kNifti2HeaderBytes : kNifti1HeaderBytes) +
                                     kExtenderBytes);
}

/// niftilib's struct is packed, so nothing promises that its members may be referred to. They lie at multiples of their
/// sizes, so aligning the whole is enough.
struct alignas(8) HeaderFields : nifti_2_header {};

struct RawHeader {
    NiftiFormat format = NiftiFormat::nifti1;
    bool pair = false;
    bool big_endian = false;
    /// In native byte order, NIfTI-1 widened. sizeof_hdr, magic and vox_offset are not meaningful here.
    HeaderFields fields{};
    double vox_offset = 0.0;  ///< a NIfTI-1 offset is a float: it may be NaN
};

/// How many bytes the header has that begins with these (at least 4): 348 or 540. Throws Error(input) when they begin
/// no NIfTI and no ANALYZE header.
std::size_t header_bytes(const std::string& path, std::span<const std::byte> bytes);

/// Format, byte order and fields from header_bytes() bytes. `may_be_analyze` allows a header without NIfTI's magic.
/// Throws Error(input) when the magic or the byte order makes no sense.
RawHeader decode_header(const std::string& path, std::span<const std::byte> bytes, bool may_be_analyze);

/// The little-endian bytes of a header for a single file or a pair; `vox_offset` is what they say. NIfTI-2 when
/// header.format is, else NIfTI-1.
std::vector<std::byte> encode_header(const NiftiHeader& header, bool pair, std::int64_t vox_offset);

}  // namespace revoxel::io
