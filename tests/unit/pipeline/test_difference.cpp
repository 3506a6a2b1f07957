#include <gtest/gtest.h>

#include <cmath>

#include "pipeline/difference.hpp"
#include "support/files.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel::pipeline {
namespace {

using test::TempFolder;

class DifferenceOfFiles : public testing::Test {
protected:
    template <typename T>
    std::string save(const std::string& name, DType dtype, const std::vector<T>& values, double slope = 1,
                     double inter = 0) {
        Volume volume = test::row_of<T>(values, dtype);
        io::NiftiHeader header = io::new_header(volume.grid(), dtype);
        header.scl_slope = slope;
        header.scl_inter = inter;
        io::write_nifti(folder_ / name, header, volume);
        return folder_ / name;
    }
    TempFolder folder_;
};

TEST_F(DifferenceOfFiles, ComparesScaledValues) {
    const std::string a = save<std::int16_t>("a.nii", DType::int16, {0, 10, 20, 30}, 0.5, 1);
    const std::string b = save<float>("b.nii", DType::float32, {1, 6, 11, 19});
    const Difference d = difference_of_files(a, b);
    EXPECT_TRUE(d.same_shape);
    EXPECT_EQ(d.different, 1);
    EXPECT_DOUBLE_EQ(d.max, 3);
    EXPECT_DOUBLE_EQ(d.mean, 0.75);
    EXPECT_DOUBLE_EQ(d.rms, 1.5);
    EXPECT_EQ(d.max_at[0], 3);
    EXPECT_FALSE(d.within(2.9));
    EXPECT_TRUE(d.within(3));
}

TEST_F(DifferenceOfFiles, NaNEqualsNaNAndNothingElse) {
    const std::string a = save<float>("a.nii", DType::float32, {NAN, INFINITY, 1, NAN});
    const std::string b = save<float>("b.nii", DType::float32, {NAN, INFINITY, 1, 2});
    EXPECT_TRUE(difference_of_files(a, a).within(0));
    const Difference d = difference_of_files(a, b);
    EXPECT_EQ(d.different, 1);
    EXPECT_EQ(d.unmatched, 1);
    EXPECT_FALSE(d.within(1e30));
}

TEST_F(DifferenceOfFiles, LargeIntegersAreComparedExactly) {
    const std::int64_t big = std::int64_t{1} << 60;
    const std::string a = save<std::int64_t>("a.nii", DType::int64, {big, 5});
    const std::string b = save<std::int64_t>("b.nii", DType::int64, {big + 1, 5});
    const Difference d = difference_of_files(a, b);
    EXPECT_EQ(d.different, 1);
    EXPECT_FALSE(d.within(0));
}

TEST_F(DifferenceOfFiles, GridsCount) {
    const std::string a = save<float>("a.nii", DType::float32, {1, 2, 3});
    EXPECT_FALSE(difference_of_files(a, save<float>("b.nii", DType::float32, {1, 2})).same_shape);
    Volume volume = test::row_of<float>({1, 2, 3}, DType::float32);
    Grid moved = volume.grid();
    moved.affine(1, 3) = 0.25;
    io::write_nifti(folder_ / "c.nii", io::new_header(moved, DType::float32), volume);
    const Difference d = difference_of_files(a, folder_ / "c.nii");
    EXPECT_NEAR(d.grid_distance_mm, 0.25, 1e-6);
    EXPECT_EQ(d.max, 0);
    EXPECT_FALSE(d.within(0));
}

}  // namespace
}  // namespace revoxel::pipeline
