#include "io/nifti_raw.hpp"

#include <fmt/format.h>
#include <nifti/nifti2_io.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "io/io_error.hpp"

namespace revoxel::io {
namespace {

static_assert(std::endian::native == std::endian::little, "files are written in the machine's byte order");
static_assert(sizeof(nifti_1_header) == kNifti1HeaderBytes && sizeof(nifti_2_header) == kNifti2HeaderBytes);

constexpr char kMagic2Tail[4] = {'\r', '\n', '\032', '\n'};
constexpr std::size_t kMagic1Offset = 344;

std::int32_t swapped(std::int32_t value) {
    return static_cast<std::int32_t>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
}

bool is_size(std::int32_t value, std::size_t bytes) {
    return value == static_cast<std::int32_t>(bytes) || swapped(value) == static_cast<std::int32_t>(bytes);
}

std::int32_t first_word(std::span<const std::byte> bytes) {
    std::int32_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    return word;
}

template <std::size_t N, std::size_t M>
void copy_text(char (&to)[N], const char (&from)[M]) {
    std::memset(to, 0, N);
    std::memcpy(to, from, std::min(N, M));
}

HeaderFields widen(const nifti_1_header& from) {
    HeaderFields to{};
    to.datatype = from.datatype;
    to.bitpix = from.bitpix;
    std::copy(std::begin(from.dim), std::end(from.dim), to.dim);
    std::copy(std::begin(from.pixdim), std::end(from.pixdim), to.pixdim);
    to.intent_p1 = from.intent_p1;
    to.intent_p2 = from.intent_p2;
    to.intent_p3 = from.intent_p3;
    to.scl_slope = from.scl_slope;
    to.scl_inter = from.scl_inter;
    to.cal_max = from.cal_max;
    to.cal_min = from.cal_min;
    to.slice_duration = from.slice_duration;
    to.toffset = from.toffset;
    to.slice_start = from.slice_start;
    to.slice_end = from.slice_end;
    copy_text(to.descrip, from.descrip);
    copy_text(to.aux_file, from.aux_file);
    to.qform_code = from.qform_code;
    to.sform_code = from.sform_code;
    to.quatern_b = from.quatern_b;
    to.quatern_c = from.quatern_c;
    to.quatern_d = from.quatern_d;
    to.qoffset_x = from.qoffset_x;
    to.qoffset_y = from.qoffset_y;
    to.qoffset_z = from.qoffset_z;
    std::copy(std::begin(from.srow_x), std::end(from.srow_x), to.srow_x);
    std::copy(std::begin(from.srow_y), std::end(from.srow_y), to.srow_y);
    std::copy(std::begin(from.srow_z), std::end(from.srow_z), to.srow_z);
    to.slice_code = static_cast<unsigned char>(from.slice_code);
    to.xyzt_units = static_cast<unsigned char>(from.xyzt_units);
    to.intent_code = from.intent_code;
    copy_text(to.intent_name, from.intent_name);
    to.dim_info = from.dim_info;
    return to;
}

// What ANALYZE 7.5 shares with NIfTI-1; the rest of its bytes mean other things.
HeaderFields widen_analyze(const nifti_1_header& from) {
    HeaderFields to{};
    to.datatype = from.datatype;
    to.bitpix = from.bitpix;
    std::copy(std::begin(from.dim), std::end(from.dim), to.dim);
    std::copy(std::begin(from.pixdim), std::end(from.pixdim), to.pixdim);
    to.pixdim[0] = 0.0;
    to.scl_slope = from.scl_slope;  // "funused1", where SPM keeps its scale factor
    to.cal_max = from.cal_max;
    to.cal_min = from.cal_min;
    copy_text(to.descrip, from.descrip);
    copy_text(to.aux_file, from.aux_file);
    return to;
}

float to_float(double value) {
    constexpr double kLimit = std::numeric_limits<float>::max();
    return static_cast<float>(std::isfinite(value) ? std::clamp(value, -kLimit, kLimit) : value);
}

template <typename To, std::size_t N, typename From>
void narrow(To (&to)[N], const From (&from)[N]) {
    for (std::size_t i = 0; i < N; ++i) to[i] = static_cast<To>(from[i]);
}

nifti_1_header narrow(const HeaderFields& from, bool pair) {
    nifti_1_header to{};
    to.sizeof_hdr = static_cast<int>(kNifti1HeaderBytes);
    to.regular = 'r';
    std::memcpy(to.magic, pair ? "ni1" : "n+1", sizeof to.magic);
    to.datatype = from.datatype;
    to.bitpix = from.bitpix;
    narrow(to.dim, from.dim);
    std::transform(std::begin(from.pixdim), std::end(from.pixdim), to.pixdim, to_float);
    to.intent_p1 = to_float(from.intent_p1);
    to.intent_p2 = to_float(from.intent_p2);
    to.intent_p3 = to_float(from.intent_p3);
    to.vox_offset = static_cast<float>(from.vox_offset);
    to.scl_slope = to_float(from.scl_slope);
    to.scl_inter = to_float(from.scl_inter);
    to.cal_max = to_float(from.cal_max);
    to.cal_min = to_float(from.cal_min);
    to.slice_duration = to_float(from.slice_duration);
    to.toffset = to_float(from.toffset);
    to.slice_start = static_cast<short>(from.slice_start);
    to.slice_end = static_cast<short>(from.slice_end);
    copy_text(to.descrip, from.descrip);
    copy_text(to.aux_file, from.aux_file);
    to.qform_code = static_cast<short>(from.qform_code);
    to.sform_code = static_cast<short>(from.sform_code);
    to.quatern_b = to_float(from.quatern_b);
    to.quatern_c = to_float(from.quatern_c);
    to.quatern_d = to_float(from.quatern_d);
    to.qoffset_x = to_float(from.qoffset_x);
    to.qoffset_y = to_float(from.qoffset_y);
    to.qoffset_z = to_float(from.qoffset_z);
    std::transform(std::begin(from.srow_x), std::end(from.srow_x), to.srow_x, to_float);
    std::transform(std::begin(from.srow_y), std::end(from.srow_y), to.srow_y, to_float);
    std::transform(std::begin(from.srow_z), std::end(from.srow_z), to.srow_z, to_float);
    to.slice_code = static_cast<char>(from.slice_code);
    to.xyzt_units = static_cast<char>(from.xyzt_units);
    to.intent_code = static_cast<short>(from.intent_code);
    copy_text(to.intent_name, from.intent_name);
    to.dim_info = from.dim_info;
    return to;
}

template <std::size_t N>
void put_text(char (&to)[N], const std::string& from, std::size_t limit = N) {
    std::memset(to, 0, N);
    std::memcpy(to, from.data(), std::min(from.size(), limit));
}

HeaderFields fields_of(const NiftiHeader& header, bool pair, std::int64_t vox_offset) {
    const double unit = header.spatial_unit;
    HeaderFields to{};
    to.sizeof_hdr = static_cast<std::int32_t>(kNifti2HeaderBytes);
    std::memcpy(to.magic, pair ? "ni2" : "n+2", 4);
    std::memcpy(to.magic + 4, kMagic2Tail, sizeof kMagic2Tail);
    to.datatype = static_cast<std::int16_t>(header.datatype);
    to.bitpix = static_cast<std::int16_t>(size_of(header.dtype) * header.components * 8);
    std::copy(header.dim.begin(), header.dim.end(), to.dim);
    std::copy(header.pixdim.begin(), header.pixdim.end(), to.pixdim);
    for (int i = 1; i <= 3; ++i) to.pixdim[i] /= unit;
    to.intent_p1 = header.intent_p[0];
    to.intent_p2 = header.intent_p[1];
    to.intent_p3 = header.intent_p[2];
    to.vox_offset = vox_offset;
    to.scl_slope = header.scl_slope;
    to.scl_inter = header.scl_inter;
    to.cal_max = header.cal_max;
    to.cal_min = header.cal_min;
    to.slice_duration = header.slice_duration;
    to.toffset = header.toffset;
    to.slice_start = header.slice_start;
    to.slice_end = header.slice_end;
    put_text(to.descrip, header.descrip, sizeof to.descrip - 1);
    put_text(to.aux_file, header.aux_file);
    to.qform_code = header.qform_code;
    to.sform_code = header.sform_code;
    to.quatern_b = header.quatern[0];
    to.quatern_c = header.quatern[1];
    to.quatern_d = header.quatern[2];
    to.qoffset_x = header.qoffset[0] / unit;
    to.qoffset_y = header.qoffset[1] / unit;
    to.qoffset_z = header.qoffset[2] / unit;
    for (int i = 0; i < 4 && header.sform_code > 0; ++i) {
        to.srow_x[i] = header.sform(0, i) / unit;
        to.srow_y[i] = header.sform(1, i) / unit;
        to.srow_z[i] = header.sform(2, i) / unit;
    }
    to.slice_code = header.slice_code;
    to.xyzt_units = header.xyzt_units;
    to.intent_code = header.intent_code;
    put_text(to.intent_name, header.intent_name);
    to.dim_info = static_cast<char>(header.dim_info);
    return to;
}

// The first dimension tells whether the fields have the byte order that sizeof_hdr promised.
template <typename Header>
void check_byte_order(const std::string& path, const Header& native) {
    if (native.dim[0] >= 1 && native.dim[0] <= 7) return;
    Header other = native;
    swap_nifti_header(&other, std::is_same_v<Header, HeaderFields> ? 2 : 1);
    if (other.dim[0] >= 1 && other.dim[0] <= 7) {
        fail_input(
            path,
            "the header is byte-swapped in part (sizeof_hdr and dim[0] have different byte orders); expected one byte "
            "order throughout; write the file again from its source");
    }
}

RawHeader decode_nifti2(const std::string& path, std::span<const std::byte> bytes) {
    RawHeader raw;
    raw.format = NiftiFormat::nifti2;
    std::memcpy(&raw.fields, bytes.data(), kNifti2HeaderBytes);
    const char* magic = raw.fields.magic;
    const bool single = std::memcmp(magic, "n+2", 4) == 0;
    raw.pair = std::memcmp(magic, "ni2", 4) == 0;
    if (!single && !raw.pair) {
        fail_input(
            path,
            fmt::format("sizeof_hdr is 540, but the magic is \"{}\"; expected \"n+2\" or \"ni2\" of NIfTI-2; this is "
                        "not a NIfTI file or a damaged one",
                        printable(std::string(magic, 3))));
    }
    if (std::memcmp(magic + 4, kMagic2Tail, sizeof kMagic2Tail) != 0) {
        fail_input(
            path,
            "the line ends in NIfTI-2's magic were changed; the file was transferred as text; copy it again in binary "
            "mode");
    }
    raw.big_endian = raw.fields.sizeof_hdr != static_cast<std::int32_t>(kNifti2HeaderBytes);
    if (raw.big_endian) swap_nifti_header(&raw.fields, 2);
    check_byte_order(path, raw.fields);
    raw.vox_offset = static_cast<double>(raw.fields.vox_offset);
    return raw;
}

}  // namespace

std::size_t header_bytes(const std::string& path, std::span<const std::byte> bytes) {
    const std::int32_t word = first_word(bytes);
    if (is_size(word, kNifti1HeaderBytes)) return kNifti1HeaderBytes;
    if (is_size(word, kNifti2HeaderBytes)) return kNifti2HeaderBytes;
    constexpr std::size_t kDicomMagicOffset = 128;
    if (bytes.size() >= kDicomMagicOffset + 4 && std::memcmp(bytes.data() + kDicomMagicOffset, "DICM", 4) == 0) {
        fail_input(path, "this is a DICOM file; expected NIfTI; convert it first (dcm2niix, say)");
    }
    fail_input(path,
               fmt::format("this is not a NIfTI file: sizeof_hdr is {}; expected 348 (NIfTI-1, ANALYZE 7.5) or 540 "
                           "(NIfTI-2); check that this is the right file",
                           word));
}

RawHeader decode_header(const std::string& path, std::span<const std::byte> bytes, bool may_be_analyze) {
    if (bytes.size() == kNifti2HeaderBytes) return decode_nifti2(path, bytes);
    nifti_1_header header{};
    std::memcpy(&header, bytes.data(), kNifti1HeaderBytes);
    RawHeader raw;
    raw.big_endian = header.sizeof_hdr != static_cast<std::int32_t>(kNifti1HeaderBytes);
    const bool single = std::memcmp(header.magic, "n+1", 4) == 0;
    const bool pair = std::memcmp(header.magic, "ni1", 4) == 0;
    // ANALYZE has a number in the magic's place ("smin"), mostly 0; an 'n' means a damaged NIfTI magic.
    if (!single && !pair && (!may_be_analyze || header.magic[0] == 'n')) {
        fail_input(
            path,
            fmt::format("this is not a NIfTI file: the magic at byte {} is \"{}\"; expected \"n+1\" or \"ni1\"; check "
                        "that this is the right file",
                        kMagic1Offset, printable(std::string(header.magic, 3))));
    }
    if (!single && !pair) raw.format = NiftiFormat::analyze75;
    raw.pair = !single;
    const bool analyze = raw.format == NiftiFormat::analyze75;
    if (raw.big_endian) swap_nifti_header(&header, analyze ? 0 : 1);
    check_byte_order(path, header);
    raw.fields = analyze ? widen_analyze(header) : widen(header);
    raw.vox_offset = header.vox_offset;
    return raw;
}

std::vector<std::byte> encode_header(const NiftiHeader& header, bool pair, std::int64_t vox_offset) {
    const HeaderFields fields = fields_of(header, pair, vox_offset);
    if (header.format == NiftiFormat::nifti2) {
        std::vector<std::byte> bytes(kNifti2HeaderBytes);
        std::memcpy(bytes.data(), &fields, bytes.size());
        return bytes;
    }
    const nifti_1_header narrowed = narrow(fields, pair);
    std::vector<std::byte> bytes(kNifti1HeaderBytes);
    std::memcpy(bytes.data(), &narrowed, bytes.size());
    return bytes;
}

}  // namespace revoxel::io
