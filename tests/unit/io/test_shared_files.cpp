// Real files that were made by others. They are not in the repository: where the folder is missing the tests are
// skipped.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <set>

#include "revoxel/nifti.hpp"
#include "support/files.hpp"
#include "support/nifti_expect.hpp"

namespace revoxel::test {
namespace {

const std::string kNifti = std::string(REVOXEL_TEST_SHARED_DATA) + "/nifti/";

struct Reads {
    Extent extent;
    std::int64_t frames;
    DType dtype;
    int components;
    io::TransformSource source;
    const char* orientation;
    double slope;
    bool big_endian = false;
    std::size_t warnings = 0;
};

struct EdgeFile {
    const char* name;
    Reads reads;                     ///< where `fails` is empty
    std::vector<std::string> fails;  ///< parts of the message
};

constexpr auto kSform = io::TransformSource::sform;
constexpr auto kQform = io::TransformSource::qform;
constexpr auto kPixdim = io::TransformSource::pixdim;

// Every file of nifti/edge. What each is for: MANIFEST.tsv of that folder.
const EdgeFile kEdgeFiles[] = {
    {"5D_small.nii", {{1, 2, 3}, 3, DType::uint8, 1, kSform, "PSR", 0.0027581409085541964}, {}},
    {"air.hdr.gz", {{79, 67, 64}, 1, DType::float32, 1, kSform, "AIR", 1}, {}},
    {"air.img.gz", {{79, 67, 64}, 1, DType::float32, 1, kSform, "AIR", 1}, {}},
    {"analyze.hdr", {}, {"neither ", "analyze.img nor ", "analyze.img.gz exists"}},
    {"big.nii.gz", {{64, 64, 21}, 1, DType::float32, 1, kQform, "LAS", 1, true}, {}},
    {"complex_image.nii.gz", {{10, 10, 10}, 1, DType::float32, 2, kPixdim, "RAS", 1, false, 1}, {}},
    {"crash-1.nii", {}, {"not a NIfTI file", "sizeof_hdr is 0"}},
    {"ct_perfusion.nii.gz", {{256, 286, 15}, 1, DType::uint8, 3, kSform, "LAS", 1}, {}},
    {"dtype27/float32.nii", {{3, 3, 3}, 1, DType::float32, 1, kSform, "RAS", 1}, {}},
    {"dtype27/float64.nii", {{3, 3, 3}, 1, DType::float64, 1, kSform, "RAS", 1}, {}},
    {"dtype27/int16.nii", {{3, 3, 3}, 1, DType::int16, 1, kSform, "RAS", 1}, {}},
    {"dtype27/int32.nii", {{3, 3, 3}, 1, DType::int32, 1, kSform, "RAS", 1}, {}},
    {"dtype27/int8.nii", {{3, 3, 3}, 1, DType::int8, 1, kSform, "RAS", 1}, {}},
    {"dtype27/uint16.nii", {{3, 3, 3}, 1, DType::uint16, 1, kSform, "RAS", 1}, {}},
    {"dtype27/uint8.nii", {{3, 3, 3}, 1, DType::uint8, 1, kSform, "RAS", 1}, {}},
    {"empty.nii.gz", {}, {"empty (0 bytes)"}},
    {"inf_mtr.nii.gz", {{40, 40, 5}, 1, DType::float32, 1, kSform, "LAS", 1}, {}},
    {"low_res.nii.gz", {{7, 5, 3}, 1, DType::uint8, 1, kSform, "RAS", 1}, {}},
    {"minimal.hdr", {{64, 64, 10}, 1, DType::uint8, 1, kPixdim, "RAS", 1, true, 1}, {}},
    {"minimal.img", {{64, 64, 10}, 1, DType::uint8, 1, kPixdim, "RAS", 1, true, 1}, {}},
    {"minimal.nii", {{64, 64, 10}, 1, DType::uint8, 1, kPixdim, "RAS", 1, true, 1}, {}},
    {"minimal.nii.gz", {{64, 64, 10}, 1, DType::uint8, 1, kPixdim, "RAS", 1, true, 1}, {}},
    {"minimal_extended_hdr.nii", {{8, 8, 1}, 1, DType::float64, 1, kSform, "RAS", 1}, {}},
    {"nan_acosUnary.nii.gz", {{64, 64, 35}, 2, DType::float32, 1, kSform, "LAS", 1}, {}},
    {"nifti1.hdr", {}, {"neither ", "nifti1.img nor ", "nifti1.img.gz exists"}},
    {"not-nifti.nii", {}, {"not a NIfTI file", "348", "540"}},
    {"pval.LH.nii.gz", {{27307, 1, 6}, 1, DType::float32, 1, kSform, "LAS", 1}, {}},
    {"ras.hdr", {{62, 41, 34}, 1, DType::uint8, 1, kSform, "RAS", 1}, {}},
    {"ras.img", {{62, 41, 34}, 1, DType::uint8, 1, kSform, "RAS", 1}, {}},
    {"rgb24_3x3x3.nii", {{3, 3, 3}, 1, DType::uint8, 3, kSform, "RAS", 1}, {}},
    {"with_extension.nii.gz", {{161, 191, 151}, 1, DType::uint8, 1, kSform, "LPI", 1, true}, {}},
};

class SharedFiles : public ::testing::Test {
protected:
    void SetUp() override {
        if (!std::filesystem::is_directory(kNifti)) GTEST_SKIP() << kNifti << " is not there";
    }
};

void expect_same_voxels(const Volume& a, const Volume& b) {
    ASSERT_EQ(a.size_bytes(), b.size_bytes());
    EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size_bytes())), 0);
}

// Writes it resampled on to its own grid and reads it again.
void expect_survives(const io::NiftiImage& image) {
    TempFolder folder;
    const auto header = io::resampled_header(image.header, image.header.grid, image.header.dtype, true, "a copy");
    for (const char* name : {"a.nii.gz", "b.hdr"}) {
        io::write_nifti(folder / name, header, image.volume);
        const auto copy = io::read_nifti(folder / name);
        expect_same_voxels(copy.volume, image.volume);
        EXPECT_LT(corner_distance(image.header.grid.extent, copy.header.grid.affine, image.header.grid.affine), 1e-3);
        EXPECT_EQ(copy.header.extensions.size(), image.header.extensions.size());
        EXPECT_EQ(copy.header.slope(), image.header.slope());
        EXPECT_EQ(copy.header.intercept(), image.header.intercept());
        EXPECT_EQ(copy.header.intent_code, image.header.intent_code);
        EXPECT_EQ(copy.header.dim, image.header.dim);
    }
}

TEST_F(SharedFiles, EveryEdgeFileReadsRightlyOrFailsClearly) {
    for (const EdgeFile& file : kEdgeFiles) {
        SCOPED_TRACE(file.name);
        const std::string path = kNifti + "edge/" + file.name;
        if (!file.fails.empty()) {
            auto parts = file.fails;
            parts.push_back(path);
            expect_error(ErrorCode::input, parts, [&] { io::read_nifti(path); });
            continue;
        }
        const io::NiftiImage image = io::read_nifti(path);
        const io::NiftiHeader& header = image.header;
        EXPECT_EQ(header.grid.extent, file.reads.extent);
        EXPECT_EQ(header.frames(), file.reads.frames);
        EXPECT_EQ(header.dtype, file.reads.dtype);
        EXPECT_EQ(header.components, file.reads.components);
        EXPECT_EQ(header.source, file.reads.source);
        EXPECT_EQ(orientation_code(header.grid.affine), file.reads.orientation);
        EXPECT_EQ(header.slope(), file.reads.slope);
        EXPECT_EQ(header.big_endian, file.reads.big_endian);
        EXPECT_EQ(header.warnings.size(), file.reads.warnings) << all_warnings(header);
        expect_survives(image);
    }
}

TEST_F(SharedFiles, TheTableNamesEveryEdgeFile) {
    std::set<std::string> named, there;
    for (const EdgeFile& file : kEdgeFiles) named.insert(file.name);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kNifti + "edge")) {
        if (entry.is_regular_file()) there.insert(std::filesystem::relative(entry.path(), kNifti + "edge").string());
    }
    EXPECT_EQ(named, there);
}

TEST_F(SharedFiles, EveryScanSurvives) {
    int count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kNifti + "anat")) {
        if (!entry.is_regular_file()) continue;
        SCOPED_TRACE(entry.path());
        expect_survives(io::read_nifti(entry.path()));
        ++count;
    }
    EXPECT_GT(count, 20);
}

struct Range {
    double min = std::numeric_limits<double>::infinity();
    double max = -std::numeric_limits<double>::infinity();
};

// Smallest and largest finite value, scaled.
Range range_of(const io::NiftiImage& image) {
    Range range;
    dispatch(image.header.dtype, [&](auto zero) {
        using T = decltype(zero);
        const auto* values = reinterpret_cast<const T*>(image.volume.data());
        for (std::int64_t i = 0; i < image.volume.size_bytes() / static_cast<std::int64_t>(sizeof(T)); ++i) {
            const double value = static_cast<double>(values[i]) * image.header.slope() + image.header.intercept();
            if (!std::isfinite(value)) continue;
            range.min = std::min(range.min, value);
            range.max = std::max(range.max, value);
        }
    });
    return range;
}

// The manifest's rows say what nibabel found: "nibabel reads (min -1024 max 789)", six digits.
TEST_F(SharedFiles, ValuesAreInTheRangeThatNibabelFound) {
    std::ifstream manifest(std::string(REVOXEL_TEST_SHARED_DATA) + "/MANIFEST.tsv");
    ASSERT_TRUE(manifest.is_open());
    int compared = 0;
    for (std::string line; std::getline(manifest, line);) {
        const auto at = line.find("nibabel reads (min ");
        if (line.rfind("nifti/", 0) != 0 || at == std::string::npos) continue;
        Range expected;
        ASSERT_EQ(std::sscanf(line.c_str() + at, "nibabel reads (min %lf max %lf)", &expected.min, &expected.max), 2);
        const std::string path = std::string(REVOXEL_TEST_SHARED_DATA) + "/" + line.substr(0, line.find('\t'));
        SCOPED_TRACE(path);
        const io::NiftiImage image = io::read_nifti(path);
        if (image.header.components > 1) continue;
        const Range found = range_of(image);
        EXPECT_NEAR(found.min, expected.min, 1e-5 * std::abs(expected.min));
        EXPECT_NEAR(found.max, expected.max, 1e-5 * std::abs(expected.max));
        ++compared;
    }
    EXPECT_GT(compared, 60);
}

class Space48 : public SharedFiles {
protected:
    static std::map<std::string, io::NiftiImage> read_all() {
        std::map<std::string, io::NiftiImage> images;
        for (const auto& entry : std::filesystem::directory_iterator(kNifti + "space48")) {
            const std::string name = entry.path().filename().string();
            images.emplace(name.substr(0, 3), io::read_nifti(entry.path()));
        }
        return images;
    }
};

TEST_F(Space48, EveryOrientationHasTheSameWorldContent) {
    const auto images = read_all();
    ASSERT_FALSE(images.empty());
    const io::NiftiImage& first = images.begin()->second;
    for (const auto& [code, image] : images) {
        SCOPED_TRACE(code);
        EXPECT_EQ(orientation_code(image.header.grid.affine), code);
        ASSERT_EQ(image.volume.size_bytes(), first.volume.size_bytes());
        const Affine map = out_to_in(image.header.grid, first.header.grid);
        const Extent& n = first.header.grid.extent;
        const Extent& m = image.header.grid.extent;
        std::int64_t different = 0, at = 0;
        for (std::int64_t k = 0; k < n[2]; ++k) {
            for (std::int64_t j = 0; j < n[1]; ++j) {
                for (std::int64_t i = 0; i < n[0]; ++i, ++at) {
                    Extent index{};
                    for (int a = 0; a < 3; ++a) {
                        const double c = map(a, 0) * static_cast<double>(i) + map(a, 1) * static_cast<double>(j) +
                                         map(a, 2) * static_cast<double>(k) + map(a, 3);
                        index[a] = std::llround(c);
                        ASSERT_NEAR(c, static_cast<double>(index[a]), 0.01);
                        ASSERT_TRUE(index[a] >= 0 && index[a] < m[a]);
                    }
                    different +=
                        first.volume.data()[at] != image.volume.data()[index[0] + m[0] * (index[1] + m[1] * index[2])];
                }
            }
        }
        EXPECT_EQ(different, 0);
    }
}

TEST_F(Space48, EveryOrientationSurvivesAsAQuaternion) {
    TempFolder folder;
    for (const auto& [code, image] : read_all()) {
        SCOPED_TRACE(code);
        io::NiftiHeader header = io::new_header(image.header.grid, image.header.dtype);
        header.sform_code = 0;
        io::write_nifti(folder / (code + ".nii"), header, image.volume);
        const auto read = io::read_nifti_header(folder / (code + ".nii"));
        EXPECT_EQ(read.source, io::TransformSource::qform);
        EXPECT_LT(corner_distance(read.grid.extent, read.grid.affine, image.header.grid.affine), 0.01);
        expect_survives(image);
    }
}

}  // namespace
}  // namespace revoxel::test
