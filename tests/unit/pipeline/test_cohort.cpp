#include "pipeline/cohort.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "revoxel/error.hpp"
#include "support/nifti_expect.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel::pipeline {
namespace {

CohortScan scan_of(const Extent& extent, const Vec3& spacing_mm, std::int64_t frames = 1) {
    return {"scan.nii.gz", io::new_header(test::grid_of(extent, spacing_mm), DType::int16, frames)};
}

CohortScan flat_scan(const Extent& extent, const Vec3& spacing_mm) {
    CohortScan scan = scan_of(extent, spacing_mm);
    scan.header.dim[0] = 2;
    return scan;
}

/// Spacings and extents as a hospital has them, reproducible.
std::vector<CohortScan> mixed_cohort(std::int64_t count) {
    std::vector<CohortScan> scans;
    for (std::int64_t s = 0; s < count; ++s) {
        const double xy = 0.6 + 0.4 * test::noise(s, 0, 0), z = 1.0 + 4.0 * test::noise(s, 1, 0);
        const auto slices = static_cast<std::int64_t>(40 + 200 * test::noise(s, 2, 0));
        scans.push_back(scan_of({512, 512, slices}, {xy, xy, z}));
    }
    return scans;
}

std::int64_t most_voxels_at(const std::vector<PlannedScan>& scans, double mm) {
    std::int64_t most = 0;
    for (const PlannedScan& p : scans) {
        most = std::max(most, voxel_count(with_spacing(p.scan.header.grid, {mm, mm, mm})));
    }
    return most;
}

std::vector<std::string> oddities_of(const PlannedScan& planned) {
    std::vector<std::string> names;
    for (const Finding& f : planned.findings) {
        names.push_back(name_of(f.oddity) + (f.axis < 0 ? std::string() : fmt::format(" {}", "ijk"[f.axis])));
    }
    return names;
}

using Names = std::vector<std::string>;

TEST(CohortPlan, RecommendsTheFinestSpacingThatTheWorstFileAffords) {
    for (const std::int64_t budget : {1'000, 77'777, 1'000'000, 20'000'000}) {
        const CohortPlan plan = plan_cohort(mixed_cohort(30), budget);
        const Recommendation& r = plan.recommended;
        ASSERT_TRUE(r.budget_binds) << budget;
        EXPECT_LE(most_voxels_at(plan.scans, r.spacing_mm), budget);
        EXPECT_GT(most_voxels_at(plan.scans, r.exact_mm * (1 - 2e-4)), budget) << "a finer spacing would have fitted";
        EXPECT_GE(r.spacing_mm, r.exact_mm);
        EXPECT_LE(r.spacing_mm, r.exact_mm * 1.01);
        EXPECT_EQ(r.spacing_mm, std::stod(fmt::format("{:.3g}", r.spacing_mm))) << "three digits";
        EXPECT_GT(voxel_count(with_spacing(plan.scans[r.decided_by].scan.header.grid,
                                           Vec3{r.exact_mm, r.exact_mm, r.exact_mm})),
                  budget * 9 / 10);
        EXPECT_EQ(plan.scans[plan.largest_output].voxels, most_voxels_at(plan.scans, r.spacing_mm));
    }
}

TEST(CohortPlan, GoesToTheFinestAxisOfAnyFileAndNoFurther) {
    const CohortPlan plan = plan_cohort({scan_of({50, 50, 50}, {4, 4, 4}), scan_of({200, 200, 30}, {0.9, 0.7, 5})});
    const Recommendation& r = plan.recommended;
    EXPECT_FALSE(r.budget_binds);
    EXPECT_EQ(r.spacing_mm, 0.7) << "not the finest of the coarsest file";
    EXPECT_EQ(r.finest_mm, 0.7);
    EXPECT_EQ(r.finest_scan, 1U);
    EXPECT_EQ(r.finest_axis, 1);
    EXPECT_EQ(plan.scans[1].step, (Vec3{0.7 / 0.9, 1, 0.7 / 5}));
    EXPECT_FALSE(plan.scans[1].much_upsampled(0));
    EXPECT_TRUE(plan.scans[1].much_upsampled(2));
}

TEST(CohortPlan, KeepsTheFinestSpacingToSixDigitsSoThatItsAxesAreCopied) {
    for (const double mm : {0.7, 0.703125, 0.48242188, 1.0000001, 0.97656202}) {
        const auto stored = static_cast<double>(static_cast<float>(mm));
        const CohortPlan plan = plan_cohort({scan_of({512, 512, 100}, {stored, stored, 3 * stored})}, 500'000'000);
        EXPECT_FALSE(plan.recommended.budget_binds);
        EXPECT_EQ(plan.recommended.spacing_mm, std::stod(fmt::format("{:.6g}", plan.recommended.spacing_mm)));
        EXPECT_EQ(plan.scans[0].step[0], 1.0) << mm;
        EXPECT_EQ(plan.scans[0].step[1], 1.0) << mm;
        EXPECT_FALSE(plan.scans[0].downsampled(0)) << mm;
    }
}

TEST(CohortPlan, TakesAnyBudgetThatIsOne) {
    const std::vector<CohortScan> scans{scan_of({10, 10, 10}, {1, 1, 1}), scan_of({30, 20, 10}, {1, 1, 3})};
    test::expect_error(ErrorCode::usage, {"budget"}, [&] { plan_cohort(scans, 0); });
    test::expect_error(ErrorCode::usage, {"at least one"}, [&] { plan_cohort({}); });
    const CohortPlan one = plan_cohort(scans, 1);
    EXPECT_EQ(one.recommended.spacing_mm, 30.0);
    for (const PlannedScan& p : one.scans) EXPECT_EQ(p.voxels, 1);
    const CohortPlan exact = plan_cohort(scans, 30 * 20 * 30);
    EXPECT_FALSE(exact.recommended.budget_binds) << "a file that has just so many voxels is affordable";
    EXPECT_EQ(exact.recommended.spacing_mm, 1.0);
    EXPECT_TRUE(plan_cohort(scans, 30 * 20 * 30 - 1).recommended.budget_binds);
}

TEST(CohortPlan, AFileThatNobodyCanResampleSoFineOnlySetsTheSpacing) {
    const CohortPlan plan = plan_cohort({scan_of({512, 512, 100}, {1, 1, 1}), scan_of({20, 20, 20}, {1e-8, 1, 1})},
                                        std::int64_t{9'000'000'000'000});
    EXPECT_TRUE(plan.recommended.budget_binds);
    EXPECT_EQ(plan.recommended.finest_mm, 1e-8);
    EXPECT_LT(plan.recommended.spacing_mm, 0.1);
}

TEST(CohortPlan, TheThirdAxisOfATwoDimensionalFileDoesNotCount) {
    const CohortPlan plan =
        plan_cohort({flat_scan({100, 80, 1}, {1, 2, 0.1}), scan_of({10, 10, 10}, {3, 3, 3})}, 8'000);
    EXPECT_EQ(plan.recommended.finest_mm, 1.0);
    const PlannedScan& flat = plan.scans[0];
    EXPECT_EQ(flat.axes, 2);
    EXPECT_EQ(flat.anisotropy, 2.0);
    EXPECT_EQ(flat.extent[2], 1);
    EXPECT_EQ(flat.step[2], 1.0);
    EXPECT_LE(flat.voxels, 8'000);
    EXPECT_EQ(plan.spacing_mm[0].count, 2);
    EXPECT_EQ(plan.spacing_mm[2].count, 1);
    EXPECT_EQ(plan.shared.size(), 0U) << "half of the files is not most of them";
    EXPECT_EQ(oddities_of(flat), Names{"two_dimensional"});
}

TEST(CohortPlan, TheBudgetIsOfAVolumeAndBytesAreOfAll) {
    const CohortPlan plan = plan_cohort({scan_of({10, 10, 10}, {2, 2, 2}, 7)}, 1'000);
    const PlannedScan& p = plan.scans[0];
    EXPECT_EQ(plan.recommended.spacing_mm, 2.0);
    EXPECT_EQ(p.voxels, 1'000);
    EXPECT_EQ(p.input_bytes, 2 * 7 * 1'000);
    EXPECT_EQ(p.output_bytes, 2 * 7 * 1'000);
}

TEST(CohortPlan, AddsUpWhatChanges) {
    constexpr std::int64_t kBudget = 1'000'000;  // (100 mm)^3 of the second scan at 1 mm
    std::vector<CohortScan> scans{scan_of({100, 100, 10}, {1, 1, 5}), scan_of({50, 50, 50}, {2, 2, 2}),
                                  scan_of({40, 40, 40}, {0.5, 4.5, 4})};
    scans[1].path = "plain.nii";
    const CohortPlan plan = plan_cohort(scans, kBudget);
    ASSERT_EQ(plan.recommended.spacing_mm, 1.0);
    EXPECT_EQ(plan.recommended.decided_by, 1U);
    EXPECT_EQ(plan.downsampled.scans, 1);
    EXPECT_EQ(plan.downsampled.axes, (std::array<std::int64_t, 3>{1, 0, 0}));
    EXPECT_DOUBLE_EQ(plan.downsampled.largest, 2.0);
    EXPECT_EQ(plan.much_upsampled.scans, 2) << "twice is not more than twice";
    EXPECT_EQ(plan.much_upsampled.axes, (std::array<std::int64_t, 3>{0, 1, 2}));
    EXPECT_DOUBLE_EQ(plan.much_upsampled.largest, 5.0);
    std::int64_t output = 0;
    double seconds = 0.0;
    for (const PlannedScan& p : plan.scans) {
        output += p.output_bytes;
        seconds += p.seconds;
        EXPECT_GT(p.seconds, static_cast<double>(p.output_bytes) / kGzipBytesPerSecond);
        EXPECT_LE(p.peak_bytes, plan.scans[plan.largest_peak].peak_bytes);
    }
    EXPECT_EQ(plan.output_bytes, output);
    EXPECT_DOUBLE_EQ(plan.seconds, seconds);
    scans[1].path = "packed.nii.gz";
    EXPECT_GT(plan_cohort(scans, kBudget).scans[1].seconds, plan.scans[1].seconds);
}

TEST(CohortOutliers, AreFarOffTheMedianOfABroadCohort) {
    std::vector<CohortScan> scans = mixed_cohort(40);
    scans.push_back(scan_of({512, 512, 20}, {0.8, 0.8, 60}));
    const CohortPlan plan = plan_cohort(scans);
    EXPECT_EQ(plan.outliers, 1);
    const PlannedScan& odd = plan.scans.back();
    EXPECT_EQ(oddities_of(odd), (Names{"spacing k", "anisotropy"}));
    EXPECT_EQ(odd.findings[0].value, 60.0);
    EXPECT_EQ(odd.findings[0].usual, plan.spacing_mm[2].median());
}

TEST(CohortOutliers, MustBeMoreThanAFifthOffWhereAllAreEqual) {
    std::vector<CohortScan> scans(9, scan_of({100, 100, 100}, {1, 1, 1.5}));
    scans.push_back(scan_of({100, 100, 88}, {1, 1, 1.7}));
    EXPECT_EQ(plan_cohort(scans).outliers, 0);
    scans.push_back(scan_of({100, 100, 15}, {1, 1, 10}));
    scans.push_back(scan_of({200, 100, 100}, {1, 1, 1.5}));
    const CohortPlan plan = plan_cohort(scans);
    EXPECT_EQ(plan.outliers, 2);
    EXPECT_EQ(oddities_of(plan.scans[10]), (Names{"spacing k", "anisotropy"}));
    EXPECT_EQ(oddities_of(plan.scans[11]), Names{"field_of_view i"});
}

TEST(CohortOutliers, TakeFourFilesToCompare) {
    std::vector<CohortScan> scans(2, scan_of({100, 100, 100}, {1, 1, 1}));
    scans.push_back(scan_of({100, 100, 100}, {9, 9, 9}));
    EXPECT_EQ(plan_cohort(scans).outliers, 0);
    scans.insert(scans.begin(), scans[0]);
    EXPECT_EQ(plan_cohort(scans).outliers, 1);
}

TEST(CohortOutliers, HaveAnotherNumberOfVolumesThanMost) {
    std::vector<CohortScan> scans(3, scan_of({10, 10, 10}, {1, 1, 1}));
    scans.push_back(scan_of({10, 10, 10}, {1, 1, 1}, 4));
    const CohortPlan plan = plan_cohort(scans);
    ASSERT_EQ(oddities_of(plan.scans[3]), Names{"volumes"});
    EXPECT_EQ(plan.scans[3].findings[0].value, 4.0);
    EXPECT_EQ(plan.scans[3].findings[0].usual, 1.0);
    const std::vector<CohortScan> halves{scans[0], scans[3]};
    EXPECT_EQ(plan_cohort(halves).outliers, 0) << "one of each: neither is the odd one";
}

TEST(CohortOutliers, HaveHeadersThatAreOdd) {
    std::vector<CohortScan> scans(9, scan_of({10, 10, 10}, {1, 1, 1}));
    scans[1].header.source = io::TransformSource::pixdim;
    scans[2].header.form_disagreement_voxels = 3.5;
    scans[3].header.grid.affine(0, 2) = 0.2;
    scans[4] = flat_scan({10, 10, 1}, {1, 1, 1});
    scans[5].header.form_disagreement_voxels = 0.05;
    scans[6].header.grid.affine(0, 2) = 1e-7;
    const CohortPlan plan = plan_cohort(scans);
    EXPECT_EQ(oddities_of(plan.scans[1]), Names{"no_transform"});
    EXPECT_EQ(oddities_of(plan.scans[2]), Names{"forms_disagree"});
    EXPECT_EQ(oddities_of(plan.scans[3]), Names{"shear"});
    EXPECT_EQ(oddities_of(plan.scans[4]), Names{"two_dimensional"});
    EXPECT_EQ(plan.outliers, 4);
    EXPECT_TRUE(plan.shared.empty());
    const CohortPlan slice = plan_cohort({scan_of({10, 10, 10}, {1, 1, 1}), scan_of({10, 10, 1}, {1, 1, 1})});
    EXPECT_EQ(oddities_of(slice.scans[1]), Names{"single_voxel k"});
}

TEST(CohortOutliers, WhatMostFilesShareIsSaidOnce) {
    std::vector<CohortScan> scans(5, scan_of({10, 10, 10}, {1, 1, 1}));
    for (std::size_t s = 0; s < 4; ++s) scans[s].header.source = io::TransformSource::pixdim;
    const CohortPlan plan = plan_cohort(scans);
    EXPECT_EQ(plan.outliers, 0);
    ASSERT_EQ(plan.shared.size(), 1U);
    EXPECT_EQ(plan.shared[0], std::make_pair(Oddity::no_transform, std::int64_t{4}));
    EXPECT_EQ(plan_cohort({flat_scan({10, 10, 1}, {1, 1, 1})}).shared.size(), 1U);
}

TEST(CohortPlan, SaysWhatTheSpacingWouldBeWithoutOutliers) {
    std::vector<CohortScan> scans(9, scan_of({100, 100, 100}, {1, 1, 1}));
    EXPECT_FALSE(plan_cohort(scans, 1'000'000).without_outliers.has_value());
    scans.push_back(scan_of({100, 100, 400}, {1, 1, 5}));
    const CohortPlan plan = plan_cohort(scans, 1'000'000);
    EXPECT_GT(plan.recommended.spacing_mm, 2.7);
    EXPECT_EQ(plan.recommended.decided_by, 9U);
    ASSERT_TRUE(plan.without_outliers.has_value());
    EXPECT_EQ(plan.without_outliers->spacing_mm, 1.0);
    EXPECT_FALSE(plan.without_outliers->budget_binds);
}

TEST(CohortDistribution, IsOfNearestRanks) {
    const Distribution ten = distribution_of({9, 0, 1, 8, 2, 7, 3, 6, 4, 5});
    EXPECT_EQ(ten.count, 10);
    EXPECT_EQ(ten.percentiles, (std::array<double, 7>{0, 0, 2, 5, 7, 9, 9}));
    const Distribution one = distribution_of({std::nan(""), 3});
    EXPECT_EQ(one.count, 1);
    EXPECT_EQ(one.percentiles, (std::array<double, 7>{3, 3, 3, 3, 3, 3, 3}));
    EXPECT_EQ(one.median(), 3.0);
    EXPECT_EQ(distribution_of({}).count, 0);
    EXPECT_TRUE(std::isnan(distribution_of({}).median()));
}

}  // namespace
}  // namespace revoxel::pipeline
