#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "pipeline/judgement.hpp"
#include "revoxel/executor.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel::pipeline {
namespace {

using test::shared_scan;

struct Resampled {
    Plan plan;
    Volume output;
};

Resampled resampled(const Volume& input, const Grid& grid, Kernel kernel, Antialias antialias = Antialias::automatic) {
    PlanOptions options;
    options.kernel = kernel;
    options.antialias = antialias;
    options.input_dtype = options.output_dtype = input.dtype();
    Resampled result{make_plan(input.grid(), grid, options),
                     Volume(grid, input.dtype(), input.frames(), input.components())};
    const std::unique_ptr<Executor> executor = make_executor(result.plan);
    for (std::int64_t f = 0; f < input.frames(); ++f) {
        for (int c = 0; c < input.components(); ++c) executor->run(input.view(f, c), result.output.view(f, c));
    }
    return result;
}

std::string findings_of(const Resampled& r, const ScaledVolume& in, double slope, double intercept) {
    std::string text;
    for (const std::string& finding : compare_values(r.plan, in, {&r.output, slope, intercept}).findings) {
        text += finding + "\n";
    }
    return text;
}

class Judgement : public testing::TestWithParam<const char*> {};

TEST_P(Judgement, AcceptsResamplingAndRejectsAContrastChange) {
    const std::string path = shared_scan(GetParam());
    if (path.empty()) GTEST_SKIP() << "scan not here: " << GetParam();
    const io::NiftiImage image = io::read_nifti(path);
    const ScaledVolume in{&image.volume, image.header.slope(), image.header.intercept()};
    for (double mm : {1.0, 3.0}) {
        const Resampled r = resampled(image.volume, with_spacing(image.header.grid, {mm, mm, mm}), Kernel::linear);
        EXPECT_EQ(findings_of(r, in, in.slope, in.intercept), "") << mm << " mm";
        EXPECT_NE(findings_of(r, in, 1.2 * in.slope, 1.2 * in.intercept), "") << mm << " mm, times 1.2";
    }
}

INSTANTIATE_TEST_SUITE_P(Scans, Judgement,
                         testing::Values("anat/KmeansTest_T1UCharRaw.nii.gz", "anat/STS_002/CT_image.nii.gz",
                                         "anat/STS_002/MR_T1_image.nii.gz", "anat/STS_002/PET_image.nii.gz",
                                         "anat/anatomical.nii", "anat/aniso_vox.nii.gz", "anat/cor_asc_35sl_16.nii",
                                         "anat/example4d.nii.gz", "anat/example_ct_sm.nii.gz",
                                         "anat/philips_fieldmaphz.nii", "anat/scct.nii", "anat/sct_t2/t2.nii.gz",
                                         "anat/shear.nii.gz", "anat/someones_anatomy.nii.gz",
                                         "anat/stroke/FLAIR.nii.gz", "edge/ct_perfusion.nii.gz"));

Volume scene() {
    return test::volume_of<float>(test::grid_of({40, 38, 36}), DType::float32, [](auto i, auto j, auto k) {
        const auto from = [](std::int64_t index, double middle) { return static_cast<double>(index) - middle; };
        const double r = std::hypot(from(i, 20), from(j, 19), from(k, 18));
        return (r < 14 ? 100.0 : 10.0) + 10.0 * test::noise(i, j, k);
    });
}

TEST(JudgementOf, EveryKernelAndPolicyIsAccepted) {
    const Volume input = scene();
    for (Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::cubic, Kernel::lanczos3, Kernel::bspline2,
                          Kernel::bspline3, Kernel::bspline5}) {
        for (GridPolicy policy : {GridPolicy::centre, GridPolicy::edges, GridPolicy::first, GridPolicy::ends}) {
            for (double mm : {0.7, 1.0, 2.5}) {
                const Resampled r = resampled(input, with_spacing(input.grid(), {mm, mm, 2 * mm}, policy), kernel);
                EXPECT_EQ(findings_of(r, {&input}, 1, 0), "") << name_of(kernel) << ' ' << name_of(policy) << ' ' << mm;
            }
        }
    }
}

TEST(JudgementOf, FillOutsideTheInputDoesNotCount) {
    const Volume input = scene();
    Grid wide = input.grid();
    wide.extent = {80, 80, 80};
    for (int d = 0; d < 3; ++d) wide.affine(d, 3) = -20.4;
    EXPECT_EQ(findings_of(resampled(input, wide, Kernel::linear), {&input}, 1, 0), "");
}

TEST(JudgementOf, ACropIsComparedWithItsOwnPart) {
    const Volume input = scene();
    Grid corner = input.grid();
    corner.extent = {14, 14, 14};
    EXPECT_EQ(findings_of(resampled(input, corner, Kernel::linear), {&input}, 1, 0), "");
}

TEST(JudgementOf, FaultsAreFound) {
    const Volume input = scene();
    const Grid grid = with_spacing(input.grid(), {1.5, 1.5, 1.5});
    Resampled r = resampled(input, grid, Kernel::linear);
    EXPECT_NE(findings_of(r, {&input}, 1.0, 8.0), "") << "an offset";
    EXPECT_NE(findings_of(r, {&input}, 0.85, 0.0), "") << "darker";
    float* values = reinterpret_cast<float*>(r.output.data());
    values[0] = 1000.0F;
    EXPECT_NE(findings_of(r, {&input}, 1, 0).find("cannot leave the input's range"), std::string::npos) << "one voxel";
    values[0] = NAN;
    EXPECT_NE(findings_of(r, {&input}, 1, 0).find("NaN"), std::string::npos);
}

TEST(OvershootFactor, IsOneWithoutNegativeWeights) {
    const Grid input = test::grid_of({20, 20, 20}), output = with_spacing(input, {0.5, 0.7, 1.7});
    const auto factor = [&](Kernel kernel) {
        PlanOptions options;
        options.kernel = kernel;
        return overshoot_factor(make_plan(input, output, options));
    };
    EXPECT_NEAR(factor(Kernel::nearest), 1.0, 1e-6);
    EXPECT_NEAR(factor(Kernel::linear), 1.0, 1e-6);
    EXPECT_GT(factor(Kernel::cubic), 1.2);
    EXPECT_LT(factor(Kernel::cubic), 1.25 * 1.25 * 1.25 + 1e-6);
    EXPECT_GT(factor(Kernel::bspline3), 1.2);
}

}  // namespace
}  // namespace revoxel::pipeline
