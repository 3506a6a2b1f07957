#include "io/nifti_transform.hpp"

#include <fmt/format.h>
#include <nifti/nifti2_io.h>

#include <algorithm>
#include <cmath>

#include "io/io_error.hpp"

namespace revoxel::io {
namespace {

constexpr double kSmallestSpacingMm = 1e-9;
constexpr double kLargestSpacingMm = 1e9;
constexpr double kLargestOffsetMm = 1e12;
// Determinant over the product of spacings. Axes this near to one plane (0.0006 degrees) are no grid; float32 rounding
// alone leaves a singular matrix at about 1e-7.
constexpr double kSmallestVolumeRatio = 1e-5;
// float32 components of a unit quaternion are off by less.
constexpr double kQuaternionRounding = 1e-5;
constexpr int kLastDefinedCode = 5;

bool usable_spacing(double mm) {
    return mm >= kSmallestSpacingMm && mm <= kLargestSpacingMm;
}

double norm_of_column(const Affine& a, int column) {
    return std::hypot(a(0, column), a(1, column), a(2, column));
}

int read_code(const char* form, std::int32_t code, NiftiHeader& header) {
    if (code < 0) {
        header.warnings.push_back(
            fmt::format("{}_code is {}, which NIfTI does not define; taken as 0 (no {})", form, code, form));
        return 0;
    }
    if (code > kLastDefinedCode) {
        header.warnings.push_back(
            fmt::format("{}_code is {}, which NIfTI does not define; the {} is taken as valid", form, code, form));
    }
    return code;
}

// Sets pixdim[1..3] in mm. Returns the problem of the first axis whose voxel size is unusable, or nothing.
std::string read_pixdim(const HeaderFields& fields, NiftiHeader& header) {
    std::string problem;
    for (int axis = 1; axis <= 3; ++axis) {
        double& mm = header.pixdim[axis];
        mm = fields.pixdim[axis] * header.spatial_unit;
        if (mm < 0) {
            header.warnings.push_back(
                fmt::format("pixdim[{}] is {:g}; its absolute value is taken", axis, fields.pixdim[axis]));
            mm = -mm;
        }
        if (usable_spacing(mm)) continue;
        const std::string found = fmt::format("pixdim[{}] is {:g}", axis, fields.pixdim[axis]);
        if (header.dim[axis] == 1) {  // no neighbour to be near or far
            if (axis <= header.dim[0])
                header.warnings.push_back(found + "; 1 mm is taken, since the axis has one voxel");
            mm = 1.0;
        } else if (problem.empty()) {
            problem = found;
        }
    }
    return problem;
}

double read_qfac(const HeaderFields& fields, NiftiHeader& header) {
    const double qfac = fields.pixdim[0];
    if (std::isnan(qfac)) header.warnings.push_back("pixdim[0] (qfac) is NaN; 1 is taken");
    return qfac < 0 ? -1.0 : 1.0;
}

// Sets quatern, qoffset and qform. Returns what makes the qform unusable, or nothing.
std::string read_qform(const HeaderFields& fields, const std::string& pixdim_problem, NiftiHeader& header) {
    header.quatern = {fields.quatern_b, fields.quatern_c, fields.quatern_d};
    header.qoffset = {fields.qoffset_x * header.spatial_unit, fields.qoffset_y * header.spatial_unit,
                      fields.qoffset_z * header.spatial_unit};
    if (!pixdim_problem.empty()) return pixdim_problem;
    double squares = 0;
    for (const double q : header.quatern) squares += q * q;
    if (!std::isfinite(squares)) return "its quaternion is not finite";
    if (squares > 1 + kQuaternionRounding) {
        header.warnings.push_back(fmt::format(
            "the quaternion of the qform has b2 + c2 + d2 = {:.6g}, more than 1; it is normalised", squares));
    }
    header.qform = affine_from_qform(header.quatern, header.qoffset,
                                     {header.pixdim[1], header.pixdim[2], header.pixdim[3]}, header.pixdim[0]);
    return why_unusable(header.qform);
}

std::string read_sform(const HeaderFields& fields, NiftiHeader& header) {
    for (int column = 0; column < 4; ++column) {
        header.sform(0, column) = fields.srow_x[column] * header.spatial_unit;
        header.sform(1, column) = fields.srow_y[column] * header.spatial_unit;
        header.sform(2, column) = fields.srow_z[column] * header.spatial_unit;
    }
    return why_unusable(header.sform);
}

TransformSource choose(const NiftiHeader& header, bool prefer_qform) {
    if (header.qform_code > 0 && (prefer_qform || header.sform_code <= 0)) return TransformSource::qform;
    return header.sform_code > 0 ? TransformSource::sform : TransformSource::pixdim;
}

// A form that is unusable is fatal when it is in use and forgotten when it is not.
void settle_problem(const std::string& path, const char* form, const std::string& problem, bool in_use, int& code,
                    NiftiHeader& header) {
    if (problem.empty() || code <= 0) return;
    if (in_use) {
        const bool other = header.sform_code > 0 && header.qform_code > 0;
        const char* remedy = !other           ? "repair the header"
                             : form[0] == 's' ? "use --prefer qform or repair the header"
                                              : "leave out --prefer qform or repair the header";
        fail_input(
            path,
            fmt::format("the {} (code {}) is in use, but {}; expected an invertible transform of finite numbers; {}",
                        form, code, problem, remedy));
    }
    header.warnings.push_back(fmt::format("the {} (code {}) is ignored: {}", form, code, problem));
    code = 0;
}

void warn_of_disagreement(NiftiHeader& header) {
    if (header.form_disagreement_voxels <= kSameFormVoxels) return;
    const bool sform = header.source == TransformSource::sform;
    header.warnings.push_back(fmt::format(
        "sform and qform disagree by up to {:.4g} mm ({:.3g} voxels); the {} is in use{}", header.form_disagreement_mm,
        header.form_disagreement_voxels, sform ? "sform" : "qform", sform ? " (--prefer qform takes the other)" : ""));
}

}  // namespace

std::string why_unusable(const Affine& affine) {
    for (int row = 0; row < 3; ++row) {
        for (int column = 0; column < 4; ++column) {
            if (!std::isfinite(affine(row, column))) return "it has a number that is not finite";
        }
        if (std::abs(affine(row, 3)) > kLargestOffsetMm) return fmt::format("its offset is {:g} mm", affine(row, 3));
    }
    double product = 1;
    for (int column = 0; column < 3; ++column) {
        const double mm = norm_of_column(affine, column);
        if (mm == 0) return "it is singular (an axis has length 0)";
        if (!usable_spacing(mm)) return fmt::format("its voxels are {:g} mm apart", mm);
        product *= mm;
    }
    return std::abs(determinant(affine)) < kSmallestVolumeRatio * product ? "it is singular (its axes lie in one plane)"
                                                                          : "";
}

Affine affine_from_qform(const std::array<double, 3>& quatern, const std::array<double, 3>& qoffset,
                         const Vec3& voxel_mm, double qfac) {
    const nifti_dmat44 m = nifti_quatern_to_dmat44(quatern[0], quatern[1], quatern[2], qoffset[0], qoffset[1],
                                                   qoffset[2], voxel_mm[0], voxel_mm[1], voxel_mm[2], qfac);
    Affine affine;
    for (int row = 0; row < 3; ++row) {
        for (int column = 0; column < 4; ++column) affine(row, column) = m.m[row][column];
    }
    return affine;
}

void set_qform(NiftiHeader& header, const Affine& affine) {
    nifti_dmat44 m{};
    for (int row = 0; row < 3; ++row) {
        for (int column = 0; column < 4; ++column) m.m[row][column] = affine(row, column);
    }
    m.m[3][3] = 1;
    nifti_dmat44_to_quatern(m, &header.quatern[0], &header.quatern[1], &header.quatern[2], &header.qoffset[0],
                            &header.qoffset[1], &header.qoffset[2], nullptr, nullptr, nullptr, &header.pixdim[0]);
    const Vec3 mm = spacing({{1, 1, 1}, affine});
    std::copy(mm.begin(), mm.end(), header.pixdim.begin() + 1);
    header.qform = affine;
}

void update_disagreement(NiftiHeader& header) {
    header.form_disagreement_mm = header.form_disagreement_voxels = 0;
    if (header.qform_code <= 0 || header.sform_code <= 0) return;
    const Vec3 mm = spacing(header.grid);
    header.form_disagreement_mm = corner_distance(header.grid.extent, header.sform, header.qform);
    header.form_disagreement_voxels = header.form_disagreement_mm / *std::min_element(mm.begin(), mm.end());
}

void read_transforms(const std::string& path, const RawHeader& raw, bool prefer_qform, NiftiHeader& header) {
    const HeaderFields& fields = raw.fields;
    header.qform_code = read_code("qform", fields.qform_code, header);
    header.sform_code = read_code("sform", fields.sform_code, header);
    header.pixdim[0] = read_qfac(fields, header);
    const std::string pixdim_problem = read_pixdim(fields, header);
    header.source = choose(header, prefer_qform);
    if (header.source == TransformSource::pixdim && !pixdim_problem.empty()) {
        fail_input(path, fmt::format("{}, and there is no sform; expected a voxel size above 0 mm; repair the header",
                                     pixdim_problem));
    }
    if (header.qform_code > 0) {
        const std::string problem = read_qform(fields, pixdim_problem, header);
        settle_problem(path, "qform", problem, header.source == TransformSource::qform, header.qform_code, header);
    } else if (!pixdim_problem.empty()) {
        header.warnings.push_back(pixdim_problem + "; the sform's voxel size is taken");
    }
    if (header.sform_code > 0) {
        const std::string problem = read_sform(fields, header);
        settle_problem(path, "sform", problem, header.source == TransformSource::sform, header.sform_code, header);
    }
    switch (header.source) {
        case TransformSource::sform: header.grid.affine = header.sform; break;
        case TransformSource::qform: header.grid.affine = header.qform; break;
        case TransformSource::pixdim:
            header.grid.affine = Affine{};
            for (int i = 0; i < 3; ++i) header.grid.affine(i, i) = header.pixdim[i + 1];
    }
    if (header.source == TransformSource::sform && !pixdim_problem.empty()) {
        const Vec3 mm = spacing(header.grid);
        std::copy(mm.begin(), mm.end(), header.pixdim.begin() + 1);
    }
    update_disagreement(header);
    warn_of_disagreement(header);
}

}  // namespace revoxel::io
