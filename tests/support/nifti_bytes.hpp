// NIfTI files made byte by byte, right or wrong as a test wants them, without the code under test.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "support/files.hpp"

namespace revoxel::test {

/// The bytes of a value in either byte order.
template <typename T>
void append(Bytes& to, T value, bool big_endian) {
    std::array<std::byte, sizeof(T)> bytes;
    std::memcpy(bytes.data(), &value, sizeof value);
    if (big_endian) std::reverse(bytes.begin(), bytes.end());
    to.insert(to.end(), bytes.begin(), bytes.end());
}

/// A header as plain fields, by default that of a single-file 4 x 3 x 2 int16 image with an sform. Whatever is set is
/// written, sense or nonsense.
struct RawNifti {
    enum class Format { analyze75, nifti1, nifti2 };

    Format format = Format::nifti1;
    bool pair = false;
    bool big_endian = false;

    int sizeof_hdr = 0;   ///< 0: 348 or 540
    std::string magic{};  ///< empty: what format and pair ask for
    std::array<std::int64_t, 8> dim{3, 4, 3, 2, 1, 1, 1, 1};
    int datatype = 4, bitpix = 16;
    std::array<double, 8> pixdim{1, 1, 1, 1, 1, 1, 1, 1};
    double vox_offset = -12345;  ///< that value: where the voxels really begin
    double scl_slope = 0, scl_inter = 0, cal_max = 0, cal_min = 0, slice_duration = 0, toffset = 0;
    std::int64_t slice_start = 0, slice_end = 0;
    int slice_code = 0, xyzt_units = 2, dim_info = 0, intent_code = 0;
    std::array<double, 3> intent_p{};
    std::string intent_name{}, descrip{}, aux_file{};
    int qform_code = 0, sform_code = 1;
    std::array<double, 3> quatern{}, qoffset{};
    std::array<std::array<double, 4>, 3> srow{{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    int extender = 0;    ///< its first byte
    Bytes extensions{};  ///< follow the extender as they are; see extension()

    /// One extension with its own idea of its size.
    Bytes extension(std::int32_t size, std::int32_t code, const Bytes& data) const {
        Bytes bytes;
        append(bytes, size, big_endian);
        append(bytes, code, big_endian);
        return bytes + data;
    }

    std::int64_t header_size() const { return format == Format::nifti2 ? 540 : 348; }
    std::int64_t voxels_begin() const {
        return pair ? 0 : header_size() + 4 + static_cast<std::int64_t>(extensions.size());
    }

    /// Header, extender (not for ANALYZE) and extensions.
    Bytes header() const {
        Bytes bytes = format == Format::nifti2 ? header2() : header1();
        if (format == Format::analyze75) return bytes;
        bytes.push_back(static_cast<std::byte>(extender));
        bytes.resize(bytes.size() + 3);
        return bytes + extensions;
    }
    Bytes file(const Bytes& voxels) const { return header() + voxels; }

    /// Bytes of 0, 1, 2, ... as scalars T, in this header's byte order.
    template <typename T>
    Bytes ramp(std::int64_t count) const {
        Bytes bytes;
        for (std::int64_t i = 0; i < count; ++i) append(bytes, static_cast<T>(i), big_endian);
        return bytes;
    }

    /// The default image, ready to be read: 24 voxels of int16.
    Bytes small_file() const { return file(ramp<std::int16_t>(24)); }

private:
    template <typename T, typename V>
    void put(Bytes& bytes, V value) const {
        append(bytes, static_cast<T>(value), big_endian);
    }
    template <typename T, typename Values>
    void put_all(Bytes& bytes, const Values& values) const {
        for (const auto& value : values) put<T>(bytes, value);
    }
    static void put_text(Bytes& bytes, const std::string& text, std::size_t width) {
        Bytes field = to_bytes(text);
        field.resize(width);
        bytes = std::move(bytes) + field;
    }
    double offset() const { return vox_offset == -12345 ? static_cast<double>(voxels_begin()) : vox_offset; }

    Bytes header1() const {
        Bytes b;
        put<std::int32_t>(b, sizeof_hdr == 0 ? 348 : sizeof_hdr);
        b.resize(39);
        put<std::int8_t>(b, dim_info);
        put_all<std::int16_t>(b, dim);
        put_all<float>(b, intent_p);
        put<std::int16_t>(b, intent_code);
        put<std::int16_t>(b, datatype);
        put<std::int16_t>(b, bitpix);
        put<std::int16_t>(b, slice_start);
        put_all<float>(b, pixdim);
        put<float>(b, offset());
        put<float>(b, scl_slope);
        put<float>(b, scl_inter);
        put<std::int16_t>(b, slice_end);
        put<std::int8_t>(b, slice_code);
        put<std::int8_t>(b, xyzt_units);
        for (double value : {cal_max, cal_min, slice_duration, toffset}) put<float>(b, value);
        b.resize(148);
        put_text(b, descrip, 80);
        put_text(b, aux_file, 24);
        if (format == Format::analyze75) {
            b.resize(348);
            return b;
        }
        put<std::int16_t>(b, qform_code);
        put<std::int16_t>(b, sform_code);
        put_all<float>(b, quatern);
        put_all<float>(b, qoffset);
        for (const auto& row : srow) put_all<float>(b, row);
        put_text(b, intent_name, 16);
        put_text(b, magic.empty() ? (pair ? "ni1" : "n+1") : magic, 4);
        return b;
    }

    Bytes header2() const {
        Bytes b;
        put<std::int32_t>(b, sizeof_hdr == 0 ? 540 : sizeof_hdr);
        const std::string tail("\0\r\n\032\n", 5);
        put_text(b, magic.empty() ? (pair ? "ni2" : "n+2") + tail : magic, 8);
        put<std::int16_t>(b, datatype);
        put<std::int16_t>(b, bitpix);
        put_all<std::int64_t>(b, dim);
        put_all<double>(b, intent_p);
        put_all<double>(b, pixdim);
        put<std::int64_t>(b, offset());
        for (double value : {scl_slope, scl_inter, cal_max, cal_min, slice_duration, toffset}) put<double>(b, value);
        put<std::int64_t>(b, slice_start);
        put<std::int64_t>(b, slice_end);
        put_text(b, descrip, 80);
        put_text(b, aux_file, 24);
        put<std::int32_t>(b, qform_code);
        put<std::int32_t>(b, sform_code);
        put_all<double>(b, quatern);
        put_all<double>(b, qoffset);
        for (const auto& row : srow) put_all<double>(b, row);
        put<std::int32_t>(b, slice_code);
        put<std::int32_t>(b, xyzt_units);
        put<std::int32_t>(b, intent_code);
        put_text(b, intent_name, 16);
        put<std::int8_t>(b, dim_info);
        b.resize(540);
        return b;
    }
};

}  // namespace revoxel::test
