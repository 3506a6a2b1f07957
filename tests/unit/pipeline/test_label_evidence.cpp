#include <gtest/gtest.h>

#include <cmath>

#include "pipeline/label_evidence.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel::pipeline {
namespace {

using test::grid_of;
using test::noise;
using test::shared_scan;
using test::volume_of;

template <typename T, typename F>
bool labels_of(DType dtype, F value, const Extent& extent = {40, 36, 30}) {
    return looks_like_labels(label_evidence(volume_of<T>(grid_of(extent), dtype, value)));
}

/// Many touching regions of a few voxels each: a fine parcellation.
std::int64_t cell(std::int64_t i, std::int64_t j, std::int64_t k) {
    return (i / 4) + 10 * (j / 4) + 100 * (k / 4);
}

TEST(LabelHeuristic, SeesLabelMaps) {
    EXPECT_TRUE(labels_of<std::uint8_t>(DType::uint8, [](auto i, auto, auto) { return i > 20; }));
    EXPECT_TRUE(labels_of<std::int16_t>(DType::int16, cell));
    EXPECT_TRUE(labels_of<float>(DType::float32, cell)) << "label maps are stored as float, too";
    EXPECT_TRUE(labels_of<std::uint32_t>(DType::uint32, [](auto i, auto j, auto k) {
        return 100000 * (1 + cell(i, j, k) % 50);
    })) << "large label numbers";
    EXPECT_TRUE(labels_of<std::uint8_t>(DType::uint8, [](auto i, auto j, auto k) {
        return i == 7 && j == 9 && k == 11;
    })) << "a single labelled voxel";
}

TEST(LabelHeuristic, SeesSparseLabelsInLargeVolumes) {
    const auto point = [](auto i, auto j, auto k) { return i == 7 && j == 9 && k == 33 ? 2 : 0; };
    EXPECT_TRUE(labels_of<std::uint8_t>(DType::uint8, point, {400, 400, 60}));
}

TEST(LabelHeuristic, LeavesImagesAlone) {
    EXPECT_FALSE(labels_of<std::uint8_t>(DType::uint8, [](auto i, auto j, auto k) { return 256 * noise(i, j, k); }));
    EXPECT_FALSE(labels_of<float>(DType::float32, noise));
    EXPECT_FALSE(labels_of<std::int16_t>(DType::int16, [](auto i, auto j, auto k) { return 10 * i + 3 * j - k; }));
    EXPECT_FALSE(labels_of<std::uint8_t>(DType::uint8, [](auto i, auto, auto) { return i; }))
        << "a ramp along one axis";
    EXPECT_FALSE(labels_of<std::uint8_t>(DType::uint8, [](auto, auto, auto) { return 3; })) << "a constant";
    EXPECT_FALSE(labels_of<float>(DType::float32, [](auto i, auto, auto) { return i > 3 ? NAN : 1.0F; }));
}

struct Sample {
    const char* file;
    bool labels;
};

// Each label map and each image of the collection: no miss, no false alarm.
class RealScans : public testing::TestWithParam<Sample> {};

TEST_P(RealScans, AreToldApart) {
    const std::string path = shared_scan(GetParam().file);
    if (path.empty()) GTEST_SKIP() << "scan not here: " << GetParam().file;
    const io::NiftiImage image = io::read_nifti(path);
    const LabelEvidence e = label_evidence(image.volume);
    EXPECT_EQ(looks_like_labels(e), GetParam().labels)
        << e.distinct << " values, equal neighbours " << e.equal_mean << ", least " << e.equal_least;
}

INSTANTIATE_TEST_SUITE_P(
    Labels, RealScans,
    testing::Values(Sample{"anat/KmeansTest_T1KmeansPrelimSegmentation.nii.gz", true},
                    Sample{"anat/STS_002/CT_mask.nii.gz", true}, Sample{"anat/STS_002/MR_T1_mask.nii.gz", true},
                    Sample{"anat/STS_002/PET_mask.nii.gz", true}, Sample{"anat/anatomical_label.nii.gz", true},
                    Sample{"anat/example_seg.nii.gz", true}, Sample{"anat/sct_t2/labels.nii.gz", true},
                    Sample{"anat/sct_t2/t2_seg-manual.nii.gz", true}, Sample{"anat/stroke/lesion.nii.gz", true},
                    Sample{"anat/torsoLabel.nii.gz", true}, Sample{"edge/with_extension.nii.gz", true}));
INSTANTIATE_TEST_SUITE_P(
    Images, RealScans,
    testing::Values(Sample{"anat/CRLM-CT-1004_CT_0p8x0p8x5.nii.gz", false},
                    Sample{"anat/KmeansTest_T1UCharRaw.nii.gz", false}, Sample{"anat/STS_002/CT_image.nii.gz", false},
                    Sample{"anat/STS_002/MR_T1_image.nii.gz", false}, Sample{"anat/STS_002/PET_image.nii.gz", false},
                    Sample{"anat/T1W_cor_5_15_30.nii", false}, Sample{"anat/anatomical.nii", false},
                    Sample{"anat/aniso_vox.nii.gz", false}, Sample{"anat/cor_asc_35sl_16.nii", false},
                    Sample{"anat/example4d.nii.gz", false}, Sample{"anat/example_ct_sm.nii.gz", false},
                    Sample{"anat/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz", false},
                    Sample{"anat/mpld_asl.nii.gz", false}, Sample{"anat/philips_fieldmaphz.nii", false},
                    Sample{"anat/sag_asc_36sl_19.nii", false}, Sample{"anat/scct.nii", false},
                    Sample{"anat/sct_t2/t2.nii.gz", false}, Sample{"anat/shear.nii.gz", false},
                    Sample{"anat/someones_anatomy.nii.gz", false}, Sample{"anat/stroke/FLAIR.nii.gz", false},
                    Sample{"edge/minimal.nii", false}, Sample{"edge/ras.hdr", false}, Sample{"edge/big.nii.gz", false},
                    Sample{"space48/LAI.nii.gz", false}));

}  // namespace
}  // namespace revoxel::pipeline
