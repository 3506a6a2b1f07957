// Headers that come from no file: a resampled one, and a fresh one.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "io/nifti_raw.hpp"
#include "io/nifti_transform.hpp"
#include "io/nifti_types.hpp"
#include "revoxel/error.hpp"
#include "revoxel/nifti.hpp"

namespace revoxel::io {
namespace {

constexpr int kAligned = 2;  // NIFTI_XFORM_ALIGNED_ANAT
constexpr std::int64_t kLargestNifti1Extent = 32767;
// An index that maps within this of another maps to it.
constexpr double kSameVoxel = 1e-4;
// What float32 quaternions leave between a qform and the sform that it was made from, in voxels at the corners.
constexpr double kQuaternionVoxels = 1e-3;
constexpr double kDegreesPerRadian = 57.29577951308232;

int datatype_for(DType dtype, int components) {
    if (const VoxelType* type = voxel_type(dtype, components)) return type->code;
    if (dtype == DType::float16) {
        throw Error(ErrorCode::usage, "NIfTI has no voxels of float16; choose float32, which holds all its values");
    }
    throw Error(ErrorCode::usage, fmt::format("NIfTI cannot store voxels of {} {} components; keep the input's type",
                                              components, revoxel::name_of(dtype)));
}

// How one output axis comes from one input axis: input index = step * output index + offset.
struct AxisMap {
    int input_axis = 0;
    double step = 1.0;
    double offset = 0.0;
};

// The map of the three axes when each comes from one input axis alone, to kSameVoxel over the whole output; else
// nothing.
std::optional<std::array<AxisMap, 3>> axis_maps(const Affine& out_to_in, const Extent& extent) {
    std::array<AxisMap, 3> maps;
    std::array<bool, 3> taken{};
    for (int out = 0; out < 3; ++out) {
        const double reach = static_cast<double>(std::max<std::int64_t>(extent[out] - 1, 1));
        int largest = 0;
        for (int in = 1; in < 3; ++in) {
            if (std::abs(out_to_in(in, out)) > std::abs(out_to_in(largest, out))) largest = in;
        }
        for (int in = 0; in < 3; ++in) {
            if (in != largest && std::abs(out_to_in(in, out)) * reach > kSameVoxel) return std::nullopt;
        }
        if (std::exchange(taken[largest], true)) return std::nullopt;
        maps[out] = {largest, out_to_in(largest, out), out_to_in(largest, 3)};
    }
    return maps;
}

// dim_info holds three axis numbers (1 to 3, 0 for none) of two bits each: frequency, phase, slice.
int axis_field(int dim_info, int field) {
    return dim_info >> (2 * field) & 3;
}

int permuted_dim_info(int dim_info, const std::array<AxisMap, 3>& maps) {
    int result = 0;
    for (int field = 0; field < 3; ++field) {
        for (int out = 0; out < 3; ++out) {
            if (axis_field(dim_info, field) == maps[out].input_axis + 1) result |= (out + 1) << (2 * field);
        }
    }
    return result;
}

// Slice orders 1 to 6 come in pairs that differ in direction: 1 and 2, 3 and 4, 5 and 6.
int reversed_slice_code(int code) {
    return code < 1 || code > 6 ? code : ((code - 1) ^ 1) + 1;
}

void clear_slice_timing(NiftiHeader& header) {
    header.slice_code = 0;
    header.slice_start = header.slice_end = 0;
    header.slice_duration = 0;
}

// Slices keep their times where the slice axis is copied or turned round whole; the names of the axes survive any
// permutation.
void update_slices(const NiftiHeader& input, const Affine& out_to_in, NiftiHeader& header) {
    const Extent& extent = header.grid.extent;
    const auto maps = axis_maps(out_to_in, extent);
    header.dim_info = maps ? permuted_dim_info(input.dim_info, *maps) : 0;
    const int slice_axis = axis_field(header.dim_info, 2) - 1;
    if (!maps || slice_axis < 0) return clear_slice_timing(header);
    const AxisMap& map = (*maps)[slice_axis];
    const std::int64_t count = extent[slice_axis];
    const double last = static_cast<double>(count - 1);
    const bool same_count = count == input.grid.extent[map.input_axis];
    auto maps_to = [&map](double out, double in) { return std::abs(map.step * out + map.offset - in) <= kSameVoxel; };
    if (same_count && maps_to(0, 0) && maps_to(last, last)) return;
    if (!same_count || !maps_to(0, last) || !maps_to(last, 0)) return clear_slice_timing(header);
    header.slice_code = reversed_slice_code(input.slice_code);
    header.slice_start = count - 1 - input.slice_end;
    header.slice_end = count - 1 - input.slice_start;
}

bool is_diagonal(const Affine& affine, const Extent& extent) {
    Affine plain;
    const Vec3 mm = spacing({extent, affine});
    for (int i = 0; i < 3; ++i) {
        plain(i, i) = mm[i];
        plain(i, 3) = affine(i, 3);
    }
    return corner_distance(extent, plain, affine) <= kSameVoxel * *std::min_element(mm.begin(), mm.end());
}

// Without a form nobody knows which way the axes point, and readers differ: some put the first voxel at 0, some the
// centre of the volume, some turn x round. So the output asserts no more than the input did, as long as pixdim can hold
// its grid.
void move_unknown_transform(NiftiHeader& header) {
    const Affine& in_use = header.grid.affine;
    if (!is_diagonal(in_use, header.grid.extent)) {
        header.sform_code = header.qform_code = kAligned;
        header.sform = header.qform = in_use;
        header.source = TransformSource::sform;
        header.warnings.push_back(
            "the input has neither sform nor qform, and pixdim alone cannot hold the output grid; sform and qform are "
            "written with code 2 (aligned), for an input whose axes point to R, A and S from a first voxel at the "
            "origin; "
            "check left and right");
        return;
    }
    const Vec3 mm = spacing(header.grid);
    double voxels = 0;
    for (int i = 0; i < 3; ++i) voxels = std::max(voxels, std::abs(in_use(i, 3)) / mm[i]);
    if (voxels <= kSameVoxel) return;
    header.warnings.push_back(fmt::format(
        "the input has neither sform nor qform, so the output has neither; its first voxel lies at {:.6g}, {:.6g}, "
        "{:.6g} mm from the input's, which pixdim cannot say (--grid-policy first moves nothing)",
        in_use(0, 3), in_use(1, 3), in_use(2, 3)));
}

// The transforms of the output before the question whether NIfTI can hold them.
void move_transforms(const NiftiHeader& input, const Affine& out_to_in, NiftiHeader& header) {
    if (input.source == TransformSource::pixdim) return move_unknown_transform(header);
    const Affine& in_use = header.grid.affine;
    const bool same_world = input.form_disagreement_voxels <= kQuaternionVoxels;
    if (input.sform_code > 0) {
        const bool exact = input.source == TransformSource::sform || same_world;
        header.sform = exact ? in_use : input.sform * out_to_in;
    }
    if (input.qform_code > 0) {
        const bool exact = input.source == TransformSource::qform || same_world;
        header.qform = exact ? in_use : input.qform * out_to_in;
    }
}

// A qform is a rotation with voxel sizes: what is sheared goes to the sform alone.
void drop_sheared_qform(NiftiHeader& header) {
    const bool output_sheared = shear(header.grid.affine) > kShearedCosine;
    if (header.qform_code <= 0 || (!output_sheared && shear(header.qform) <= kShearedCosine)) return;
    const double cosine = std::min(1.0, output_sheared ? shear(header.grid.affine) : shear(header.qform));
    if (header.source == TransformSource::qform) {
        const bool same_world = header.sform_code > 0 && header.sform == header.grid.affine;
        if (!same_world) header.sform_code = header.qform_code;
        header.sform = header.grid.affine;
        header.source = TransformSource::sform;
    }
    header.qform_code = 0;
    header.qform = Affine{};
    header.warnings.push_back(fmt::format(
        "{} is sheared (axes {:.3g} degrees off the right angle), which a qform cannot hold; it is kept in the "
        "sform and the qform code becomes 0",
        output_sheared ? "the output grid" : "the output grid as the qform sees it",
        std::asin(cosine) * kDegreesPerRadian));
}

// pixdim belongs to the qform. It holds the output's spacing unless that would make a qform of another world untrue.
void store_transforms(NiftiHeader& header) {
    const Vec3 mm = spacing(header.grid);
    if (header.qform_code > 0) {
        set_qform(header, header.qform);
        const Vec3 qform_mm = spacing({header.grid.extent, header.qform});
        double off = 0;
        for (int i = 0; i < 3; ++i) {
            off = std::max(off, std::abs(qform_mm[i] / mm[i] - 1) * static_cast<double>(header.grid.extent[i]));
        }
        if (off > kSameFormVoxels) {
            header.warnings.push_back(
                fmt::format("sform and qform have voxels of different size; pixdim is the qform's "
                            "({:.6g} x {:.6g} x {:.6g} mm)",
                            qform_mm[0], qform_mm[1], qform_mm[2]));
            return;
        }
    } else {
        header.quatern = {0, 0, 0};
        header.qoffset = {0, 0, 0};
        header.pixdim[0] = 1.0;
    }
    std::copy(mm.begin(), mm.end(), header.pixdim.begin() + 1);
}

void set_extent(NiftiHeader& header, const Grid& output) {
    header.grid = output;
    for (int axis = 1; axis <= 3; ++axis) {
        header.dim[axis] = output.extent[axis - 1];
        if (header.dim[axis] > 1) header.dim[0] = std::max<std::int64_t>(header.dim[0], axis);
    }
    const bool large =
        std::any_of(header.dim.begin(), header.dim.end(), [](std::int64_t n) { return n > kLargestNifti1Extent; });
    if (large) header.format = NiftiFormat::nifti2;
}

std::string cut_to(std::string text, std::size_t bytes) {
    if (text.size() <= bytes) return text;
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80)
        --bytes;  // not inside a UTF-8 character
    text.resize(bytes);
    return text;
}

}  // namespace

NiftiHeader resampled_header(const NiftiHeader& input, const Grid& output, DType dtype, bool keep_scaling,
                             const std::string& descrip) {
    constexpr std::size_t kDescripBytes = 79;
    NiftiHeader header = input;
    header.warnings.clear();
    header.big_endian = false;
    if (header.format == NiftiFormat::analyze75) header.format = NiftiFormat::nifti1;
    header.dtype = dtype;
    header.datatype = datatype_for(dtype, input.components);
    const bool unusable = !std::isfinite(header.scl_slope) || !std::isfinite(header.scl_inter);
    if (!keep_scaling || unusable) {
        header.scl_slope = 1.0;
        header.scl_inter = 0.0;
    }
    header.descrip = cut_to(descrip, kDescripBytes);
    set_extent(header, output);
    const Affine out_to_in = revoxel::out_to_in(input.grid, output);
    move_transforms(input, out_to_in, header);
    drop_sheared_qform(header);
    store_transforms(header);
    update_disagreement(header);
    update_slices(input, out_to_in, header);
    header.vox_offset = header.pair ? 0 : smallest_vox_offset(header.format);
    return header;
}

NiftiHeader new_header(const Grid& grid, DType dtype, std::int64_t frames, int components, int xform_code) {
    NiftiHeader header;
    header.dtype = dtype;
    header.components = components;
    header.datatype = datatype_for(dtype, components);
    header.dim.fill(1);
    header.dim[0] = frames > 1 ? 4 : 3;
    header.dim[4] = frames;
    header.pixdim.fill(1.0);
    header.scl_slope = 1.0;
    header.xyzt_units = 2;  // millimetres
    header.sform_code = header.qform_code = xform_code;
    header.sform = header.qform = grid.affine;
    header.source = xform_code > 0 ? TransformSource::sform : TransformSource::pixdim;
    set_extent(header, grid);
    drop_sheared_qform(header);
    store_transforms(header);
    header.vox_offset = smallest_vox_offset(header.format);
    return header;
}

}  // namespace revoxel::io
