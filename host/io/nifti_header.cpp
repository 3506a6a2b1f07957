#include "io/nifti_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "io/io_error.hpp"
#include "io/nifti_transform.hpp"
#include "io/nifti_types.hpp"

namespace revoxel::io {
namespace {

constexpr int kUnitMask = 7;
constexpr int kMetre = 1;
constexpr int kMillimetre = 2;
constexpr int kMicron = 3;

template <std::size_t N>
std::string text(const char (&field)[N]) {
    return std::string(field, strnlen(field, N));
}

void read_type(const std::string& path, const HeaderFields& fields, NiftiHeader& header) {
    const VoxelType* type = voxel_type(fields.datatype);
    if (type == nullptr) {
        fail_input(
            path,
            fmt::format("the datatype is {}; expected an integer of 8 to 64 bits, float32, float64, RGB24, RGBA32, "
                        "complex64 or complex128; convert the file first",
                        describe_unsupported(fields.datatype)));
    }
    if (fields.bitpix != type->bits()) {
        fail_input(path, fmt::format(
                             "bitpix is {}, but datatype {} has {} bits per voxel; the header is damaged; repair it or "
                             "write the file again",
                             fields.bitpix, fields.datatype, type->bits()));
    }
    header.datatype = type->code;
    header.dtype = type->dtype;
    header.components = type->components;
}

void read_dim(const std::string& path, const HeaderFields& fields, NiftiHeader& header) {
    const std::int64_t rank = fields.dim[0];
    if (rank < 1 || rank > 7) {
        fail_input(
            path, fmt::format("dim[0], the number of dimensions, is {}; expected 1 to 7; the header is damaged", rank));
    }
    header.dim.fill(1);
    header.dim[0] = rank;
    std::int64_t bytes = static_cast<std::int64_t>(size_of(header.dtype)) * header.components;
    for (std::int64_t axis = 1; axis <= rank; ++axis) {
        const std::int64_t count = fields.dim[axis];
        if (count < 1) {
            fail_input(
                path,
                fmt::format("dim[{}] is {}; expected at least 1 voxel along each of the {} dimensions; the header is "
                            "damaged",
                            axis, count, rank));
        }
        if (__builtin_mul_overflow(bytes, count, &bytes)) {
            fail_input(path, "the product of the dimensions exceeds 2^63 bytes; the header is damaged");
        }
        header.dim[axis] = count;
    }
    header.grid.extent = {header.dim[1], header.dim[2], header.dim[3]};
}

void read_vox_offset(const std::string& path, const RawHeader& raw, NiftiHeader& header) {
    const double offset = raw.vox_offset;
    const std::int64_t smallest = raw.pair ? 0 : smallest_vox_offset(raw.format);
    constexpr double kLargest = 4611686018427387904.0;  // 2^62: adding the voxels' bytes is checked against the file
    if (offset == 0.0 && !raw.pair) {
        header.warnings.push_back(fmt::format("vox_offset is 0; {} is taken", smallest));
        header.vox_offset = smallest;
        return;
    }
    const bool whole = std::isfinite(offset) && offset == std::floor(offset);
    if (!whole || offset < static_cast<double>(smallest) || offset > kLargest) {
        fail_input(path, fmt::format(
                             "vox_offset, where the voxels begin, is {:g}; expected a whole number of at least {}; the "
                             "header is damaged",
                             offset, smallest));
    }
    header.vox_offset = static_cast<std::int64_t>(offset);
}

void read_units(const HeaderFields& fields, NiftiHeader& header) {
    header.xyzt_units = fields.xyzt_units;
    const int code = fields.xyzt_units & kUnitMask;
    if (code == kMetre) header.spatial_unit = 1000.0;
    if (code == kMicron) header.spatial_unit = 0.001;
    if (code > kMicron) {
        header.warnings.push_back(fmt::format(
            "the unit of length has the code {}, which NIfTI does not define; millimetres are taken", code));
    }
    static_assert(kMillimetre == 2, "code 0 (unknown) counts as millimetres as well");
}

void read_scaling(const RawHeader& raw, NiftiHeader& header) {
    header.scl_slope = raw.fields.scl_slope;
    header.scl_inter = raw.fields.scl_inter;
    auto warn = [&header](std::string text) { header.warnings.push_back(std::move(text)); };
    if (raw.format == NiftiFormat::analyze75) {
        if (header.scaled())
            warn(fmt::format("the scale factor {:g} that SPM keeps in ANALYZE headers is applied", header.scl_slope));
        return;
    }
    if (!std::isfinite(header.scl_slope) || !std::isfinite(header.scl_inter)) {
        warn(fmt::format("scl_slope is {:g} and scl_inter is {:g}; values are taken as stored, without scaling",
                         header.scl_slope, header.scl_inter));
    } else if (header.scl_slope == 0 && header.scl_inter != 0) {
        warn(fmt::format("scl_inter is {:g}, but scl_slope is 0; values are taken as stored, without scaling",
                         header.scl_inter));
    }
}

void read_rest(const HeaderFields& fields, NiftiHeader& header) {
    for (int axis = 4; axis <= 7; ++axis) {
        header.pixdim[axis] = std::isfinite(fields.pixdim[axis]) ? fields.pixdim[axis] : 0.0;
    }
    header.cal_max = fields.cal_max;
    header.cal_min = fields.cal_min;
    header.slice_duration = fields.slice_duration;
    header.toffset = fields.toffset;
    header.slice_start = fields.slice_start;
    header.slice_end = fields.slice_end;
    header.slice_code = fields.slice_code;
    header.dim_info = static_cast<unsigned char>(fields.dim_info);
    header.intent_code = fields.intent_code;
    header.intent_p = {fields.intent_p1, fields.intent_p2, fields.intent_p3};
    header.intent_name = text(fields.intent_name);
    header.descrip = text(fields.descrip);
    header.aux_file = text(fields.aux_file);
}

void warn_of_unknown_orientation(NiftiHeader& header) {
    if (header.format == NiftiFormat::analyze75) {
        header.warnings.push_back(
            "ANALYZE 7.5 does not say which way the axes point; the orientation is unknown (RAS is taken, the origin "
            "is the "
            "first voxel)");
    } else if (header.source == TransformSource::pixdim) {
        header.warnings.push_back(
            "the file has neither sform nor qform; the orientation is unknown (RAS is taken, the origin is the first "
            "voxel)");
    }
}

}  // namespace

NiftiHeader check_header(const std::string& path, const RawHeader& raw, bool prefer_qform) {
    NiftiHeader header;
    header.format = raw.format;
    header.pair = raw.pair;
    header.big_endian = raw.big_endian;
    read_type(path, raw.fields, header);
    read_dim(path, raw.fields, header);
    read_vox_offset(path, raw, header);
    read_units(raw.fields, header);
    read_scaling(raw, header);
    read_rest(raw.fields, header);
    read_transforms(path, raw, prefer_qform, header);
    warn_of_unknown_orientation(header);
    return header;
}

std::int64_t voxel_bytes(const NiftiHeader& header) {
    return header.grid.extent[0] * header.grid.extent[1] * header.grid.extent[2] * header.frames() *
           static_cast<std::int64_t>(size_of(header.dtype)) * header.components;
}

std::string describe_voxels(const NiftiHeader& header) {
    std::string dims;
    for (std::int64_t axis = 1; axis <= header.dim[0]; ++axis)
        dims += fmt::format("{}{}", axis > 1 ? " x " : "", header.dim[axis]);
    const std::string type = header.components == 1
                                 ? std::string(revoxel::name_of(header.dtype))
                                 : fmt::format("{} {}", header.components, revoxel::name_of(header.dtype));
    return fmt::format("{} voxels of {}", dims, type);
}

const char* name_of(NiftiFormat format) noexcept {
    switch (format) {
        case NiftiFormat::analyze75: return "ANALYZE 7.5";
        case NiftiFormat::nifti1: return "NIfTI-1";
        case NiftiFormat::nifti2: break;
    }
    return "NIfTI-2";
}

const char* name_of(TransformSource source) noexcept {
    switch (source) {
        case TransformSource::sform: return "sform";
        case TransformSource::qform: return "qform";
        case TransformSource::pixdim: break;
    }
    return "pixdim";
}

std::int64_t NiftiHeader::frames() const {
    return dim[4] * dim[5] * dim[6] * dim[7];
}

double NiftiHeader::slope() const noexcept {
    const bool usable = std::isfinite(scl_slope) && std::isfinite(scl_inter) && scl_slope != 0 && components < 3;
    return usable ? scl_slope : 1.0;
}

double NiftiHeader::intercept() const noexcept {
    const bool usable = std::isfinite(scl_slope) && std::isfinite(scl_inter) && scl_slope != 0 && components < 3;
    return usable ? scl_inter : 0.0;
}

bool NiftiHeader::scaled() const noexcept {
    return slope() != 1.0 || intercept() != 0.0;
}

}  // namespace revoxel::io
