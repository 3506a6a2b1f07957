// Where the voxels lie: sform, qform, pixdim, units, odd values.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "revoxel/nifti.hpp"
#include "support/files.hpp"
#include "support/nifti_bytes.hpp"
#include "support/nifti_expect.hpp"

namespace revoxel::test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

Affine affine(const std::array<std::array<double, 4>, 3>& rows) {
    Affine a;
    a.m = rows;
    return a;
}

class Transforms : public ::testing::Test {
protected:
    io::NiftiHeader read(const RawNifti& raw, bool prefer_qform = false) {
        write_file(folder_ / "a.nii", raw.small_file());
        return io::read_nifti_header(folder_ / "a.nii", {.prefer_qform = prefer_qform});
    }
    TempFolder folder_;
};

TEST_F(Transforms, SformOnly) {
    RawNifti raw;
    raw.srow = {{{-2, 0, 0, 90}, {0, 2, 0, -126}, {0, 0.5, 2.5, -72}}};
    for (const bool prefer_qform : {false, true}) {
        const auto header = read(raw, prefer_qform);
        EXPECT_EQ(header.source, io::TransformSource::sform);
        EXPECT_EQ(header.grid.affine, affine(raw.srow));
        EXPECT_EQ(header.qform_code, 0);
        EXPECT_EQ(header.form_disagreement_mm, 0);
        EXPECT_NO_WARNINGS(header);
    }
}

TEST_F(Transforms, QformOnly) {
    RawNifti raw{.qform_code = 1, .sform_code = 0};
    raw.pixdim = {-1, 2, 3, 4, 0, 0, 0, 0};
    raw.quatern = {0, 1, 0};
    raw.qoffset = {5, 6, 7};
    const auto header = read(raw);
    EXPECT_EQ(header.source, io::TransformSource::qform);
    expect_near(header.grid.affine, affine({{{-2, 0, 0, 5}, {0, 3, 0, 6}, {0, 0, 4, 7}}}), 1e-12);
    EXPECT_NO_WARNINGS(header);
}

TEST_F(Transforms, RotationByQuaternion) {
    // 90 degrees about z: a = d = sqrt(1/2).
    RawNifti raw{.format = RawNifti::Format::nifti2, .qform_code = 1, .sform_code = 0};
    raw.quatern = {0, 0, std::sqrt(0.5)};
    raw.pixdim = {1, 2, 3, 4, 0, 0, 0, 0};
    expect_near(read(raw).grid.affine, affine({{{0, -3, 0, 0}, {2, 0, 0, 0}, {0, 0, 4, 0}}}), 1e-12);
}

TEST_F(Transforms, NeitherFormMeansPixdim) {
    RawNifti raw{.sform_code = 0};
    raw.pixdim = {0, 2, 3, 4, 0, 0, 0, 0};
    raw.qoffset = {9, 9, 9};
    const auto header = read(raw);
    EXPECT_EQ(header.source, io::TransformSource::pixdim);
    EXPECT_EQ(header.grid.affine, affine({{{2, 0, 0, 0}, {0, 3, 0, 0}, {0, 0, 4, 0}}}));
    EXPECT_WARNING(header, "neither sform nor qform; the orientation is unknown");
}

TEST_F(Transforms, BothFormsThatAgree) {
    RawNifti raw{.qform_code = 1, .sform_code = 1};
    const auto header = read(raw);
    EXPECT_EQ(header.source, io::TransformSource::sform);
    EXPECT_NEAR(header.form_disagreement_mm, 0, 1e-12);
    EXPECT_NO_WARNINGS(header);
    EXPECT_EQ(read(raw, true).source, io::TransformSource::qform);
}

TEST_F(Transforms, DisagreementIsMeasuredAtTheCornersAndWarnedOfAboveATenthOfAVoxel) {
    RawNifti raw{.format = RawNifti::Format::nifti2, .qform_code = 1, .sform_code = 2};
    raw.pixdim = {1, 2, 2, 2, 0, 0, 0, 0};
    raw.srow = {{{2, 0, 0, 0.19}, {0, 2, 0, 0}, {0, 0, 2, 0}}};
    EXPECT_NO_WARNINGS(read(raw));
    raw.srow[0][3] = 0.21;
    auto header = read(raw);
    EXPECT_NEAR(header.form_disagreement_mm, 0.21, 1e-12);
    EXPECT_NEAR(header.form_disagreement_voxels, 0.105, 1e-12);
    EXPECT_WARNING(header, "sform and qform disagree by up to 0.21 mm (0.105 voxels); the sform is in use");
    header = read(raw, true);
    EXPECT_EQ(header.grid.affine(0, 3), 0.0);
    EXPECT_WARNING(header, "the qform is in use");
    raw.srow[0] = {2.5, 0, 0, 0};  // 0.5 mm a voxel, three voxels to the far corner
    EXPECT_NEAR(read(raw).form_disagreement_mm, 1.5, 1e-12);
}

TEST_F(Transforms, Units) {
    const std::pair<int, double> kUnits[] = {{0, 1}, {1, 1000}, {2, 1}, {3, 0.001}, {8 + 1, 1000}, {16 + 3, 0.001}};
    for (const auto& [code, mm] : kUnits) {
        RawNifti raw{.format = RawNifti::Format::nifti2, .xyzt_units = code, .qform_code = 1};
        raw.pixdim = {1, 0.5, 0.25, 2, 7, 0, 0, 0};
        raw.srow = {{{0.5, 0, 0, 8}, {0, 0.25, 0, 0}, {0, 0, 2, 0}}};
        raw.qoffset = {8, 0, 0};
        const auto header = read(raw);
        EXPECT_NO_WARNINGS(header);
        EXPECT_EQ(header.spatial_unit, mm);
        EXPECT_EQ(header.xyzt_units, code);
        expect_near(header.sform, affine({{{0.5 * mm, 0, 0, 8 * mm}, {0, 0.25 * mm, 0, 0}, {0, 0, 2 * mm, 0}}}), 1e-9);
        expect_near(header.qform, header.sform, 1e-9);
        EXPECT_EQ(header.pixdim[1], 0.5 * mm);
        EXPECT_EQ(header.pixdim[4], 7);
        Volume volume(header.grid, header.dtype);
        std::memset(volume.data(), 0, 48);
        io::write_nifti(folder_ / "b.nii", header, volume, {.overwrite = true});
        Bytes file = raw.file(Bytes(48));
        EXPECT_EQ(read_file(folder_ / "b.nii"), file) << "the file keeps its unit";
    }
    EXPECT_WARNING(read({.xyzt_units = 5}), "unit of length has the code 5");
}

TEST_F(Transforms, CodesOutsideTheStandard) {
    auto header = read({.sform_code = 77});
    EXPECT_EQ(header.source, io::TransformSource::sform);
    EXPECT_EQ(header.sform_code, 77);
    EXPECT_WARNING(header, "sform_code is 77");
    header = read({.qform_code = -3});
    EXPECT_EQ(header.qform_code, 0);
    EXPECT_WARNING(header, "qform_code is -3");
    EXPECT_NO_WARNINGS(read({.qform_code = 5, .sform_code = 5}));
}

TEST_F(Transforms, QuaternionLongerThanOneIsNormalised) {
    RawNifti raw{.format = RawNifti::Format::nifti2, .qform_code = 1, .sform_code = 0};
    raw.quatern = {0, 0, 2};
    auto header = read(raw);
    EXPECT_WARNING(header, "b2 + c2 + d2 = 4");
    expect_near(header.grid.affine, affine({{{-1, 0, 0, 0}, {0, -1, 0, 0}, {0, 0, 1, 0}}}), 1e-12);
    raw.quatern = {0, 0, 1 + 1e-7};
    EXPECT_NO_WARNINGS(read(raw));
}

TEST_F(Transforms, QfacZeroIsOneAndNaNToo) {
    RawNifti raw{.qform_code = 1, .sform_code = 0};
    raw.pixdim[0] = 0;
    auto header = read(raw);
    EXPECT_EQ(header.pixdim[0], 1);
    EXPECT_GT(determinant(header.grid.affine), 0);
    EXPECT_NO_WARNINGS(header);
    raw.pixdim[0] = kNaN;
    EXPECT_WARNING(read(raw), "qfac");
    raw.pixdim[0] = -1;
    EXPECT_LT(determinant(read(raw).grid.affine), 0);
}

TEST_F(Transforms, NegativePixdimIsItsAbsoluteValue) {
    RawNifti raw{.qform_code = 1, .sform_code = 0};
    raw.pixdim = {1, -2, 3, 4, 0, 0, 0, 0};
    const auto header = read(raw);
    EXPECT_WARNING(header, "pixdim[1] is -2; its absolute value is taken");
    expect_near(header.grid.affine, affine({{{2, 0, 0, 0}, {0, 3, 0, 0}, {0, 0, 4, 0}}}), 1e-12);
}

TEST_F(Transforms, BadPixdimIsAWarningWhereItIsNotNeeded) {
    for (const double mm : {0.0, kNaN, kInf}) {
        RawNifti raw;
        raw.srow[1][1] = 3;
        raw.pixdim[2] = mm;
        auto header = read(raw);
        EXPECT_WARNING(header, "pixdim[2] is ");
        EXPECT_EQ(header.pixdim[2], 3);
        raw.qform_code = 1;
        header = read(raw);
        EXPECT_WARNING(header, "the qform (code 1) is ignored: pixdim[2] is ");
        EXPECT_EQ(header.qform_code, 0);
        EXPECT_EQ(header.source, io::TransformSource::sform);
    }
}

TEST_F(Transforms, AxesOfOneVoxelNeedNoPixdim) {
    RawNifti raw{.sform_code = 0};
    raw.dim = {2, 6, 4, 0, 0, 0, 0, 0};
    raw.pixdim = {1, 2, 2, 0, 0, 0, 0, 0};
    auto header = read(raw);
    EXPECT_EQ(header.grid.affine(2, 2), 1);
    EXPECT_EQ(header.grid.extent, (Extent{6, 4, 1}));
    EXPECT_EQ(header.warnings.size(), 1u) << all_warnings(header);
    raw.dim[0] = 3, raw.dim[3] = 1;
    EXPECT_WARNING(read(raw), "pixdim[3] is 0; 1 mm is taken, since the axis has one voxel");
}

TEST_F(Transforms, AnUnusableFormThatIsNotInUseIsIgnored) {
    RawNifti raw{.qform_code = 1};
    raw.srow[0] = {0, 0, 0, 0};
    const auto header = read(raw, true);
    EXPECT_EQ(header.source, io::TransformSource::qform);
    EXPECT_EQ(header.sform_code, 0);
    EXPECT_WARNING(header, "the sform (code 1) is ignored: it is singular");
    RawNifti q{.qform_code = 2};
    q.quatern = {kNaN, 0, 0};
    EXPECT_WARNING(read(q), "the qform (code 2) is ignored: its quaternion is not finite");
}

TEST_F(Transforms, DimensionsBeyondTheRankDoNotCount) {
    RawNifti raw;
    raw.dim = {3, 4, 3, 2, 0, -7, 30000, 0};
    const auto header = read(raw);
    EXPECT_EQ(header.frames(), 1);
    EXPECT_EQ(header.dim, (std::array<std::int64_t, 8>{3, 4, 3, 2, 1, 1, 1, 1}));
}

TEST_F(Transforms, Scaling) {
    auto scaled = [&](double slope, double inter, int datatype = 4, int bitpix = 16) {
        RawNifti raw{.datatype = datatype, .bitpix = bitpix};
        raw.dim = {1, 48 * 8 / bitpix, 1, 1, 1, 1, 1, 1};
        raw.scl_slope = slope, raw.scl_inter = inter;
        return read(raw);
    };
    auto expect = [](const io::NiftiHeader& header, double slope, double inter) {
        EXPECT_EQ(header.slope(), slope);
        EXPECT_EQ(header.intercept(), inter);
        EXPECT_EQ(header.scaled(), slope != 1 || inter != 0);
    };
    expect(scaled(2, -1024), 2, -1024);
    expect(scaled(1, 0), 1, 0);
    expect(scaled(-0.5, 0), -0.5, 0);
    expect(scaled(0, 0), 1, 0);
    EXPECT_NO_WARNINGS(scaled(0, 0));
    expect(scaled(0, 5), 1, 0);
    EXPECT_WARNING(scaled(0, 5), "scl_slope is 0");
    for (const double bad : {kNaN, kInf, -kInf}) {
        expect(scaled(bad, 5), 1, 0);
        expect(scaled(2, bad), 1, 0);
        EXPECT_WARNING(scaled(bad, 5), "without scaling");
        EXPECT_WARNING(scaled(2, bad), "without scaling");
    }
    expect(scaled(3, 4, 128, 24), 1, 0);  // colours are not scaled
    expect(scaled(3, 4, 2304, 32), 1, 0);
    expect(scaled(3, 4, 32, 64), 3, 4);  // complex numbers are
}

TEST_F(Transforms, Analyze) {
    for (const bool big_endian : {false, true}) {
        RawNifti raw{.format = RawNifti::Format::analyze75, .big_endian = big_endian, .vox_offset = 0};
        raw.pixdim = {0, 2, 3, 4, 0, 0, 0, 0};
        raw.dim = {4, 4, 3, 2, 1, 0, 0, 0};
        raw.descrip = "from a scanner";
        raw.scl_slope = 2.5;
        TempFolder folder;
        write_file(folder / "a.hdr", raw.header());
        write_file(folder / "a.img", raw.ramp<std::int16_t>(24));
        const auto image = io::read_nifti(folder / "a.img");
        EXPECT_EQ(image.header.format, io::NiftiFormat::analyze75);
        EXPECT_TRUE(image.header.pair);
        EXPECT_EQ(image.header.grid.affine, affine({{{2, 0, 0, 0}, {0, 3, 0, 0}, {0, 0, 4, 0}}}));
        EXPECT_EQ(image.header.descrip, "from a scanner");
        EXPECT_EQ(image.header.slope(), 2.5);
        EXPECT_WARNING(image.header, "ANALYZE 7.5 does not say which way the axes point");
        EXPECT_WARNING(image.header, "scale factor 2.5");
        EXPECT_EQ(image.volume.data()[46], std::byte{23});
        io::write_nifti(folder / "b.nii",
                        io::resampled_header(image.header, image.header.grid, DType::int16, true, "x"), image.volume);
        EXPECT_EQ(io::read_nifti_header(folder / "b.nii").format, io::NiftiFormat::nifti1);
        EXPECT_EQ(io::read_nifti_header(folder / "b.nii").slope(), 2.5);
    }
}

// Every signed permutation of the axes, 24 of them flips, through a qform.
TEST_F(Transforms, QuaternionsOfAll48OrientationsRoundTrip) {
    int count = 0;
    std::array<int, 3> order{0, 1, 2};
    do {
        for (int signs = 0; signs < 8; ++signs) {
            Grid grid;
            grid.extent = {5, 6, 7};
            for (int i = 0; i < 3; ++i) {
                for (int j = 0; j < 3; ++j) grid.affine(j, i) = 0;
                grid.affine(order[i], i) = (signs >> i & 1 ? -1 : 1) * (0.7 + i);
                grid.affine(i, 3) = 10.0 * i - 7;
            }
            io::NiftiHeader header = io::new_header(grid, DType::uint8);
            header.sform_code = 0;
            Volume volume(grid, DType::uint8);
            std::memset(volume.data(), 0, static_cast<std::size_t>(volume.size_bytes()));
            io::write_nifti(folder_ / "q.nii", header, volume, {.overwrite = true});
            const auto read = io::read_nifti_header(folder_ / "q.nii");
            EXPECT_EQ(read.source, io::TransformSource::qform);
            expect_near(read.grid.affine, grid.affine, 1e-5);
            ++count;
        }
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_EQ(count, 48);
}

}  // namespace
}  // namespace revoxel::test
