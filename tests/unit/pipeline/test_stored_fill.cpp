#include <gtest/gtest.h>

#include <cmath>

#include "pipeline/stored_fill.hpp"

namespace revoxel::pipeline {
namespace {

TEST(StoredFill, GoesThroughTheScaling) {
    EXPECT_DOUBLE_EQ(stored_fill(-1000, DType::int16, 1, -1024).stored, 24);
    EXPECT_DOUBLE_EQ(stored_fill(-1000, DType::int16, 1, -1024).actual, -1000);
    EXPECT_DOUBLE_EQ(stored_fill(0, DType::uint8, 0.5, 10).actual, 10) << "cannot go below the stored 0";
    EXPECT_DOUBLE_EQ(stored_fill(0.6, DType::int16, 1, 0).actual, 1);
    EXPECT_DOUBLE_EQ(stored_fill(-4, DType::int16, -2, 0).stored, 2);
    EXPECT_DOUBLE_EQ(stored_fill(NAN, DType::int16, 1, 5).actual, 5);
    EXPECT_TRUE(std::isnan(stored_fill(NAN, DType::float32, 1, 5).actual));
}

}  // namespace
}  // namespace revoxel::pipeline
