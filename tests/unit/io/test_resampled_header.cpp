// What an output's header says: transforms that stay true, and nothing that is true no longer.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "revoxel/nifti.hpp"
#include "support/files.hpp"
#include "support/nifti_bytes.hpp"
#include "support/nifti_expect.hpp"

namespace revoxel::test {
namespace {

Affine rotation_z(double degrees) {
    const double a = degrees / 57.29577951308232;
    Affine r;
    r(0, 0) = std::cos(a), r(0, 1) = -std::sin(a), r(1, 0) = std::sin(a), r(1, 1) = std::cos(a);
    return r;
}

Affine scaled(double x, double y, double z) {
    Affine s;
    s(0, 0) = x, s(1, 1) = y, s(2, 2) = z;
    return s;
}

Affine shifted(double x, double y, double z) {
    Affine t;
    t(0, 3) = x, t(1, 3) = y, t(2, 3) = z;
    return t;
}

constexpr double kTolerance = 1e-9;

class ResampledHeader : public ::testing::Test {
protected:
    ResampledHeader() {
        input_ = io::new_header({{10, 12, 14}, shifted(-20, 3, 7) * rotation_z(30) * scaled(2, 2, 3)}, DType::int16);
    }
    /// Sets both forms and their codes (0: none) and decides which is in use, as reading does.
    void set_forms(int sform_code, Affine sform, int qform_code, Affine qform, bool prefer_qform = false) {
        input_.sform_code = sform_code, input_.sform = sform;
        input_.qform_code = qform_code, input_.qform = qform;
        const bool use_q = qform_code > 0 && (prefer_qform || sform_code == 0);
        input_.source = use_q            ? io::TransformSource::qform
                        : sform_code > 0 ? io::TransformSource::sform
                                         : io::TransformSource::pixdim;
        input_.grid.affine = use_q ? qform : sform;
        const bool both = sform_code > 0 && qform_code > 0;
        input_.form_disagreement_mm = both ? corner_distance(input_.grid.extent, sform, qform) : 0;
        input_.form_disagreement_voxels = input_.form_disagreement_mm / 2;
    }
    io::NiftiHeader resampled(const Grid& output) {
        return io::resampled_header(input_, output, DType::int16, true, "test");
    }
    /// What a reader makes of the header, through a file.
    io::NiftiHeader written(const io::NiftiHeader& header, bool prefer_qform = false) {
        TempFolder folder;
        Volume volume(header.grid, header.dtype, header.frames(), header.components);
        std::memset(volume.data(), 0, static_cast<std::size_t>(volume.size_bytes()));
        io::write_nifti(folder / "a.nii", header, volume);
        return io::read_nifti_header(folder / "a.nii", {.prefer_qform = prefer_qform});
    }
    Grid half_spacing() const {
        Grid grid = input_.grid;
        grid.affine = grid.affine * shifted(-0.25, -0.25, -0.25) * scaled(0.5, 0.5, 0.5);
        grid.extent = {20, 24, 28};
        return grid;
    }
    io::NiftiHeader input_;
};

TEST_F(ResampledHeader, BothFormsThatAgreeBecomeTheOutputGrid) {
    const Grid output = half_spacing();
    set_forms(4, input_.grid.affine, 1, input_.grid.affine);
    const auto header = resampled(output);
    EXPECT_NO_WARNINGS(header);
    EXPECT_EQ(header.sform, output.affine);
    EXPECT_EQ(header.qform, output.affine);
    EXPECT_EQ(header.sform_code, 4);
    EXPECT_EQ(header.qform_code, 1);
    EXPECT_EQ(header.grid, output);
    EXPECT_NEAR(header.pixdim[1], 1, kTolerance);
    EXPECT_NEAR(header.pixdim[3], 1.5, kTolerance);
    for (const bool prefer_qform : {false, true}) {
        const auto read = written(header, prefer_qform);
        EXPECT_NO_WARNINGS(read);
        EXPECT_LT(corner_distance(output.extent, read.grid.affine, output.affine), 1e-4);
        EXPECT_EQ(read.sform_code, 4);
        EXPECT_EQ(read.qform_code, 1);
    }
}

TEST_F(ResampledHeader, FormsOfDifferentWorldsStayTrueInTheirOwn) {
    const Affine other = shifted(100, 0, 0) * rotation_z(-40) * scaled(2, 2, 3);
    const Affine own = input_.grid.affine;
    for (const bool prefer_qform : {false, true}) {
        set_forms(4, own, 1, other, prefer_qform);
        const Grid output = half_spacing();
        const auto header = resampled(output);
        EXPECT_NO_WARNINGS(header);
        const Affine out_to_in = inverse(input_.grid.affine) * output.affine;
        EXPECT_EQ(prefer_qform ? header.qform : header.sform, output.affine);
        expect_near(header.sform, own * out_to_in, kTolerance);
        expect_near(header.qform, other * out_to_in, kTolerance);
        const auto read = written(header, prefer_qform);
        EXPECT_LT(corner_distance(output.extent, read.grid.affine, output.affine), 1e-4);
        EXPECT_NEAR(read.form_disagreement_mm, corner_distance(output.extent, header.sform, header.qform), 1e-3);
    }
}

TEST_F(ResampledHeader, OneFormStaysAlone) {
    const Affine own = input_.grid.affine;
    set_forms(2, own, 0, {});
    auto header = written(resampled(half_spacing()));
    EXPECT_EQ(header.sform_code, 2);
    EXPECT_EQ(header.qform_code, 0);
    EXPECT_LT(corner_distance({20, 24, 28}, header.grid.affine, half_spacing().affine), 1e-4);
    set_forms(0, {}, 3, own);
    header = written(resampled(half_spacing()));
    EXPECT_EQ(header.sform_code, 0);
    EXPECT_EQ(header.qform_code, 3);
    EXPECT_EQ(header.source, io::TransformSource::qform);
    EXPECT_LT(corner_distance({20, 24, 28}, header.grid.affine, half_spacing().affine), 1e-4);
}

TEST_F(ResampledHeader, AQformWithVoxelsOfAnotherSizeKeepsThemInPixdim) {
    // Normalised brains: the sform scales into the template's space, the qform is the scanner's.
    set_forms(4, scaled(2.2, 2.1, 3.1), 1, scaled(2, 2, 3));
    Grid output{{22, 25, 43}, scaled(1, 1, 1)};
    const auto header = resampled(output);
    EXPECT_WARNING(header, "voxels of different size; pixdim is the qform's");
    EXPECT_NEAR(header.pixdim[1], 2 / 2.2, kTolerance);
    const auto by_sform = written(header), by_qform = written(header, true);
    EXPECT_LT(corner_distance(output.extent, by_sform.grid.affine, output.affine), 1e-4);
    expect_near(by_qform.grid.affine, scaled(2 / 2.2, 2 / 2.1, 3 / 3.1), 1e-6);
}

TEST_F(ResampledHeader, ShearGoesToTheSformAlone) {
    Grid sheared = half_spacing();
    sheared.affine(0, 2) += 0.4;
    const Affine own = input_.grid.affine;
    set_forms(4, own, 1, own);
    auto header = resampled(sheared);
    EXPECT_EQ(header.sform_code, 4);
    EXPECT_EQ(header.qform_code, 0);
    EXPECT_EQ(header.sform, sheared.affine);
    EXPECT_WARNING(header, "the output grid is sheared");
    EXPECT_LT(corner_distance(sheared.extent, written(header).grid.affine, sheared.affine), 1e-4);
    set_forms(0, {}, 3, own);
    header = resampled(sheared);
    EXPECT_EQ(header.sform_code, 3) << "the sform takes the qform's code";
    EXPECT_EQ(header.qform_code, 0);
    EXPECT_EQ(written(header).source, io::TransformSource::sform);
    EXPECT_LT(corner_distance(sheared.extent, written(header).grid.affine, sheared.affine), 1e-4);
    set_forms(4, shifted(50, 0, 0) * own, 1, own, true);
    header = resampled(sheared);
    EXPECT_EQ(header.sform, sheared.affine) << "the form in use survives";
    EXPECT_EQ(header.sform_code, 1);
    set_forms(2, own, 0, {});
    EXPECT_NO_WARNINGS(resampled(sheared));
}

TEST_F(ResampledHeader, AShearedViewThroughTheOtherFormDropsIt) {
    Affine crooked = input_.grid.affine;
    crooked(0, 2) += 0.4;
    // In use: an sform with shear, resampled on to a straight grid. What the qform would have to say is sheared.
    set_forms(1, crooked, 1, input_.grid.affine);
    Grid straight{{10, 10, 10}, shifted(-20, 3, 7)};
    const auto straightened = resampled(straight);
    EXPECT_EQ(straightened.qform_code, 0);
    EXPECT_EQ(straightened.sform, straight.affine);
    EXPECT_WARNING(straightened, "as the qform sees it is sheared");
}

TEST_F(ResampledHeader, WithoutFormsPixdimAloneStaysAlone) {
    set_forms(0, scaled(2, 2, 3), 0, {});
    auto header = resampled({{20, 24, 42}, scaled(1, 1, 1)});
    EXPECT_NO_WARNINGS(header);
    EXPECT_EQ(header.sform_code, 0);
    EXPECT_EQ(header.qform_code, 0);
    EXPECT_EQ(written(header).grid.affine, scaled(1, 1, 1));
    const Grid moved{{20, 24, 42}, shifted(-0.5, -0.5, -1) * scaled(1, 1, 1)};
    header = resampled(moved);
    EXPECT_EQ(header.sform_code, 0);
    EXPECT_EQ(header.qform_code, 0);
    EXPECT_WARNING(header, "first voxel lies at -0.5, -0.5, -1 mm from the input's");
    EXPECT_EQ(written(header).grid.affine, scaled(1, 1, 1));
    Grid flipped = moved;
    flipped.affine(0, 0) = -1;
    header = resampled(flipped);
    EXPECT_EQ(header.sform_code, 2);
    EXPECT_EQ(header.qform_code, 2);
    EXPECT_WARNING(header, "check left and right");
    for (const bool prefer_qform : {false, true})
        expect_near(written(header, prefer_qform).grid.affine, flipped.affine, 1e-6);
    Grid sheared = moved;
    sheared.affine(0, 1) = 0.3;
    header = resampled(sheared);
    EXPECT_EQ(header.qform_code, 0);
    EXPECT_EQ(written(header).grid.affine(0, 1), 0.3f);
}

TEST_F(ResampledHeader, FormsThatDifferByLessThanAWarningStillBothStayTrue) {
    const Affine q = shifted(0.09, 0, 0);
    set_forms(1, {}, 1, q);
    const auto header = resampled({{5, 6, 7}, scaled(2, 2, 2)});
    expect_near(header.qform, q * scaled(2, 2, 2), 1e-12);
    EXPECT_EQ(header.sform, scaled(2, 2, 2));
}

TEST_F(ResampledHeader, ScalingThatIsNotFiniteIsNotPassedOn) {
    input_.scl_slope = 2;
    input_.scl_inter = std::numeric_limits<double>::quiet_NaN();
    const auto header = io::resampled_header(input_, input_.grid, DType::int16, true, "");
    EXPECT_EQ(header.scl_slope, 1);
    EXPECT_EQ(header.scl_inter, 0);
}

TEST_F(ResampledHeader, RankGrowsWithTheGrid) {
    input_ = io::new_header({{10, 12, 1}, {}}, DType::int16);
    input_.dim[0] = 2;
    EXPECT_EQ(resampled({{20, 24, 1}, scaled(0.5, 0.5, 1)}).dim[0], 2);
    const auto header = resampled({{20, 24, 5}, scaled(0.5, 0.5, 0.2)});
    EXPECT_EQ(header.dim, (std::array<std::int64_t, 8>{3, 20, 24, 5, 1, 1, 1, 1}));
    EXPECT_EQ(resampled({{40000, 24, 5}, scaled(0.5, 0.5, 0.2)}).format, io::NiftiFormat::nifti2);
    input_ = io::new_header({{10, 12, 5}, {}}, DType::int16, 7);
    EXPECT_EQ(resampled({{10, 12, 1}, {}}).dim, (std::array<std::int64_t, 8>{4, 10, 12, 1, 7, 1, 1, 1}));
}

TEST_F(ResampledHeader, WhatIsStillTrueIsKept) {
    input_.dim = {5, 10, 12, 14, 3, 2, 1, 1};
    input_.pixdim[4] = 2.5, input_.pixdim[5] = 7;
    input_.cal_max = 99, input_.cal_min = -4, input_.toffset = 3.5, input_.xyzt_units = 1 + 16,
    input_.spatial_unit = 1000;
    input_.intent_code = 1007, input_.intent_p = {1, 2, 3}, input_.intent_name = "vector", input_.aux_file = "x.txt";
    input_.extensions = {{6, to_bytes("comment!")}};
    input_.scl_slope = 2, input_.scl_inter = -1024;
    input_.warnings = {"of the input"};
    input_.descrip = "old";
    auto header = resampled(half_spacing());
    EXPECT_EQ(header.dim[4], 3);
    EXPECT_EQ(header.dim[5], 2);
    EXPECT_EQ(header.pixdim[4], 2.5);
    EXPECT_EQ(header.pixdim[5], 7);
    EXPECT_EQ(header.cal_max, 99);
    EXPECT_EQ(header.cal_min, -4);
    EXPECT_EQ(header.toffset, 3.5);
    EXPECT_EQ(header.xyzt_units, 17);
    EXPECT_EQ(header.intent_code, 1007);
    EXPECT_EQ(header.intent_name, "vector");
    EXPECT_EQ(header.aux_file, "x.txt");
    ASSERT_EQ(header.extensions.size(), 1u);
    EXPECT_EQ(header.slope(), 2);
    EXPECT_EQ(header.intercept(), -1024);
    EXPECT_EQ(header.descrip, "test");
    EXPECT_NO_WARNINGS(header);
    header = io::resampled_header(input_, half_spacing(), DType::float32, false, "test");
    EXPECT_EQ(header.scl_slope, 1);
    EXPECT_EQ(header.scl_inter, 0);
    EXPECT_EQ(header.datatype, 16);
    EXPECT_EQ(header.cal_max, 99);
}

TEST_F(ResampledHeader, DescripIsCutBetweenCharacters) {
    auto descrip = [&](const std::string& text) {
        return io::resampled_header(input_, input_.grid, DType::int16, true, text).descrip;
    };
    EXPECT_EQ(descrip(std::string(79, 'a')), std::string(79, 'a'));
    EXPECT_EQ(descrip(std::string(200, 'a')), std::string(79, 'a'));
    EXPECT_EQ(descrip(std::string(78, 'a') + "\xc3\xa9"), std::string(78, 'a'));
}

TEST_F(ResampledHeader, ComponentsAndTypes) {
    input_ = io::new_header({{4, 4, 4}, {}}, DType::uint8, 1, 3);
    EXPECT_EQ(input_.datatype, 128);
    expect_error(ErrorCode::usage, {"3 float32 components"},
                 [&] { io::resampled_header(input_, input_.grid, DType::float32, true, ""); });
    input_ = io::new_header({{4, 4, 4}, {}}, DType::float32, 1, 2);
    EXPECT_EQ(io::resampled_header(input_, input_.grid, DType::float64, true, "").datatype, 1792);
    expect_error(ErrorCode::usage, {"5 uint8 components"}, [] { io::new_header({}, DType::uint8, 1, 5); });
}

class SliceTiming : public ResampledHeader {
protected:
    SliceTiming() {
        input_ = io::new_header({{10, 12, 14}, {}}, DType::int16);
        input_.slice_code = 3, input_.slice_start = 1, input_.slice_end = 12, input_.slice_duration = 0.1;
        input_.dim_info = 1 + 2 * 4 + 3 * 16;  // frequency i, phase j, slice k
    }
    static void expect_cleared(const io::NiftiHeader& header) {
        EXPECT_EQ(header.slice_code, 0);
        EXPECT_EQ(header.slice_start, 0);
        EXPECT_EQ(header.slice_end, 0);
        EXPECT_EQ(header.slice_duration, 0);
    }
};

TEST_F(SliceTiming, IsKeptWhereTheSlicesAreCopied) {
    const auto header = resampled({{20, 24, 14}, shifted(-0.25, -0.25, 0) * scaled(0.5, 0.5, 1)});
    EXPECT_EQ(header.slice_code, 3);
    EXPECT_EQ(header.slice_start, 1);
    EXPECT_EQ(header.slice_end, 12);
    EXPECT_EQ(header.slice_duration, 0.1);
    EXPECT_EQ(header.dim_info, 57);
}

TEST_F(SliceTiming, IsClearedWhereTheSlicesAreNew) {
    auto header = resampled({{10, 12, 28}, scaled(1, 1, 0.5)});
    expect_cleared(header);
    EXPECT_EQ(header.dim_info, 57) << "the axes are still what they were";
    expect_cleared(resampled({{10, 12, 14}, shifted(0, 0, 0.5)}));
    expect_cleared(resampled({{10, 12, 13}, {}}));
    header = resampled({{10, 12, 14}, rotation_z(5)});
    expect_cleared(header);
    EXPECT_EQ(header.dim_info, 0);
}

TEST_F(SliceTiming, FollowsAPermutationAndAFlip) {
    Affine permuted;  // k of the input is i of the output, turned round
    permuted.m = {{{0, 1, 0, 0}, {0, 0, 1, 0}, {-1, 0, 0, 13}}};
    const auto header = resampled({{14, 10, 12}, permuted});
    EXPECT_EQ(header.dim_info, 2 + 3 * 4 + 1 * 16);
    EXPECT_EQ(header.slice_code, 4) << "alternating upwards is alternating downwards, seen from the other end";
    EXPECT_EQ(header.slice_start, 1);
    EXPECT_EQ(header.slice_end, 12);
    EXPECT_EQ(header.slice_duration, 0.1);
}

TEST_F(SliceTiming, NeedsTheSliceAxisToBeNamed) {
    input_.dim_info = 0;
    expect_cleared(resampled({{10, 12, 14}, {}}));
}

TEST(NewHeader, IsCompleteAndReadsBack) {
    TempFolder folder;
    const Grid grid{{3, 4, 5}, shifted(1, 2, 3) * rotation_z(20) * scaled(0.5, 0.6, 0.7)};
    Volume volume(grid, DType::float32, 6);
    std::memset(volume.data(), 0, static_cast<std::size_t>(volume.size_bytes()));
    io::write_nifti(folder / "a.nii.gz", io::new_header(grid, DType::float32, 6), volume);
    const auto header = io::read_nifti_header(folder / "a.nii.gz");
    EXPECT_NO_WARNINGS(header);
    EXPECT_EQ(header.frames(), 6);
    EXPECT_EQ(header.qform_code, 1);
    EXPECT_EQ(header.sform_code, 1);
    EXPECT_EQ(header.xyzt_units, 2);
    EXPECT_FALSE(header.scaled());
    expect_near(header.grid.affine, grid.affine, 1e-6);
    expect_near(header.qform, grid.affine, 1e-6);
}

}  // namespace
}  // namespace revoxel::test
