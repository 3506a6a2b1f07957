#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "revoxel/error.hpp"
#include "revoxel/resample.hpp"
#include "support/files.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel {
namespace {

using test::grid_of;
using test::TempFolder;
using test::volume_of;

class Resample : public testing::Test {
protected:
    template <typename T, typename F>
    std::string save(const std::string& name, const Grid& grid, DType dtype, F value, double slope = 1,
                     double inter = 0, std::int64_t frames = 1, int components = 1) {
        io::NiftiHeader header = io::new_header(grid, dtype, frames, components);
        header.scl_slope = slope;
        header.scl_inter = inter;
        io::write_nifti(folder_ / name, header, volume_of<T>(grid, dtype, value, frames, components));
        return folder_ / name;
    }

    ResampleRequest request(const std::string& input, double mm) const {
        ResampleRequest r;
        r.input = input;
        r.output = folder_ / "out.nii";
        r.grid.spacing_mm = Vec3{mm, mm, mm};
        r.overwrite = true;
        return r;
    }

    io::NiftiImage run(const ResampleRequest& r) {
        result_ = run_resample(plan_resample(r));
        return io::read_nifti(r.output);
    }

    static double first(const io::NiftiImage& image) {
        return dispatch(image.volume.dtype(), [&](auto zero) {
            return static_cast<double>(*reinterpret_cast<const decltype(zero)*>(image.volume.data()));
        });
    }

    bool warned(const std::string& words) const {
        for (const std::string& warning : result_.warnings) {
            if (warning.find(words) != std::string::npos) return true;
        }
        return false;
    }

    TempFolder folder_;
    ResampleResult result_;
    static constexpr auto kSeven = [](std::int64_t, std::int64_t, std::int64_t) { return 7; };
};

TEST_F(Resample, StoredValuesAndScalingAreKeptBetweenIntegers) {
    const std::string in = save<std::uint8_t>("in.nii", grid_of({6, 6, 6}), DType::uint8, kSeven, 0.5, 100);
    for (auto dtype : {std::optional<DType>(), std::optional<DType>(DType::int16)}) {
        ResampleRequest r = request(in, 0.7);
        r.dtype = dtype;
        const ResampleJob job = plan_resample(r);
        EXPECT_FALSE(job.scaling_applied);
        const io::NiftiImage out = run(r);
        EXPECT_EQ(out.header.slope(), 0.5);
        EXPECT_EQ(out.header.intercept(), 100);
        EXPECT_EQ(first(out), 7);
        EXPECT_DOUBLE_EQ(result_.input_range.min, 103.5);
        EXPECT_DOUBLE_EQ(result_.output_range.max, 103.5);
    }
}

TEST_F(Resample, ScalingIsAppliedIntoFloat) {
    const std::string in = save<std::uint8_t>("in.nii", grid_of({6, 6, 6}), DType::uint8, kSeven, 0.5, 100);
    ResampleRequest r = request(in, 0.7);
    r.dtype = DType::float32;
    EXPECT_TRUE(plan_resample(r).scaling_applied);
    const io::NiftiImage out = run(r);
    EXPECT_FALSE(out.header.scaled());
    EXPECT_FLOAT_EQ(static_cast<float>(first(out)), 103.5F);
    EXPECT_DOUBLE_EQ(result_.output_range.max, 103.5);
}

TEST_F(Resample, FillIsInScaledUnits) {
    const std::string in = save<std::int16_t>("in.nii", grid_of({6, 6, 6}), DType::int16, kSeven, 2, -1024);
    Grid wide = grid_of({30, 6, 6});
    wide.affine(0, 3) = -12;
    const std::string like = save<std::uint8_t>("like.nii", wide, DType::uint8, kSeven);
    ResampleRequest r = request(in, 1);
    r.grid = {};
    r.grid.like = like;
    r.fill = -1000;
    EXPECT_EQ(first(run(r)), 12) << "2 v - 1024 = -1000";
    r.dtype = DType::float32;
    EXPECT_EQ(first(run(r)), -1000);
    r.fill.reset();
    r.fill_minimum = true;
    EXPECT_EQ(first(run(r)), 2 * 7 - 1024);
    r.dtype.reset();
    EXPECT_EQ(first(run(r)), 7);
}

TEST_F(Resample, FillByTheMinimumIgnoresWhatIsNotFinite) {
    const auto values = [](std::int64_t i, std::int64_t, std::int64_t) {
        return i == 0 ? NAN : i == 1 ? -INFINITY : static_cast<float>(i) - 10.0F;
    };
    const std::string in = save<float>("in.nii", grid_of({6, 6, 6}), DType::float32, values);
    Grid wide = grid_of({30, 6, 6});
    wide.affine(0, 3) = -12;
    ResampleRequest r = request(in, 1);
    r.grid = {};
    r.grid.like = save<std::uint8_t>("like.nii", wide, DType::uint8, kSeven);
    r.fill_minimum = true;
    EXPECT_EQ(first(run(r)), -8);
    r.input = save<float>("nan.nii", grid_of({6, 6, 6}), DType::float32, [](auto, auto, auto) { return NAN; });
    EXPECT_EQ(first(run(r)), 0);
    EXPECT_TRUE(warned("no finite value"));
}

TEST_F(Resample, EveryVolumeAndComponentIsResampled) {
    const auto ramp = [](std::int64_t i, std::int64_t, std::int64_t) { return 10 * i; };
    const std::string four = save<std::int16_t>("4d.nii", grid_of({6, 5, 4}), DType::int16, ramp, 1, 0, 3);
    io::NiftiImage out = run(request(four, 0.5));
    ASSERT_EQ(out.volume.frames(), 3);
    const std::vector<std::int16_t> values = test::values_of<std::int16_t>(out.volume);
    const std::size_t third = values.size() / 3;
    for (std::size_t v = 0; v < third; ++v) {
        ASSERT_EQ(values[v], values[v + third]);
        ASSERT_EQ(values[v], values[v + 2 * third]);
    }
    const std::string colour = save<std::uint8_t>("rgb.nii", grid_of({6, 5, 4}), DType::uint8, ramp, 1, 0, 1, 3);
    out = run(request(colour, 0.5));
    ASSERT_EQ(out.volume.components(), 3);
    const std::vector<std::uint8_t> bytes = test::values_of<std::uint8_t>(out.volume);
    for (std::size_t v = 0; v < bytes.size(); v += 3) ASSERT_TRUE(bytes[v] == bytes[v + 1] && bytes[v] == bytes[v + 2]);
}

TEST_F(Resample, TheHeaderNamesProgramAndKernel) {
    ResampleRequest r = request(test::shipped("ct_abdomen.nii.gz"), 4);
    r.kernel = Kernel::cubic;
    EXPECT_EQ(run(r).header.descrip, "revoxel 0.1.0 cubic antialias");
    r.label.labels = true;
    r.kernel.reset();
    EXPECT_EQ(run(r).header.descrip, "revoxel 0.1.0 linear labels voted over the voxel");
}

TEST_F(Resample, AnObserverCanStopItAndNothingIsWritten) {
    const ResampleJob job = plan_resample(request(test::shipped("ct_abdomen.nii.gz"), 2));
    ResampleObserver observer;
    std::vector<Phase> phases;
    observer.progress = [&](Phase phase, double share) {
        EXPECT_TRUE(share >= 0.0 && share <= 1.0);
        if (phases.empty() || phases.back() != phase) phases.push_back(phase);
    };
    observer.inspect = [&](const io::NiftiImage& input, const io::NiftiHeader& header, const Volume& output) {
        EXPECT_EQ(input.volume.grid().extent, job.input.grid.extent);
        EXPECT_EQ(output.grid().extent, header.grid.extent);
        throw Error(ErrorCode::usage, "stop");
    };
    EXPECT_THROW(run_resample(job, observer), Error);
    EXPECT_TRUE(folder_.names().empty());
    observer.inspect = {};
    phases.clear();
    run_resample(job, observer);
    EXPECT_EQ(folder_.names(), std::vector<std::string>{"out.nii"});
    EXPECT_TRUE(std::is_sorted(phases.begin(), phases.end())) << "the phases come in order";
}

TEST_F(Resample, ErrorsAreToldBeforeAnyWork) {
    const auto code_of = [&](const ResampleRequest& r) -> int {
        try {
            plan_resample(r);
        } catch (const Error& error) {
            return static_cast<int>(error.code());
        }
        return 0;
    };
    const std::string in = test::shipped("ct_abdomen.nii.gz");
    EXPECT_EQ(code_of(request(in, 2)), 0);
    EXPECT_EQ(code_of(request(folder_ / "absent.nii", 2)), 3);
    EXPECT_EQ(code_of(request(in, -1)), 2);
    ResampleRequest r = request(in, 2);
    r.output = in;
    EXPECT_EQ(code_of(r), 2) << "the input";
    r = request(in, 2);
    r.output = folder_ / "absent/out.nii";
    EXPECT_EQ(code_of(r), 4);
    r = request(in, 2);
    r.fill = 1;
    r.fill_minimum = true;
    EXPECT_EQ(code_of(r), 2);
    r = request(in, 2);
    r.label.labels = true;
    r.kernel = Kernel::cubic;
    EXPECT_EQ(code_of(r), 2);
    r = request(test::shipped("rgb24.nii"), 2);
    r.dtype = DType::float32;
    EXPECT_EQ(code_of(r), 2);
    r = request(in, 2);
    r.output.clear();
    EXPECT_EQ(code_of(r), 0) << "plans without an output";
    EXPECT_THROW(run_resample(plan_resample(r)), Error);
    EXPECT_TRUE(folder_.names().empty());
}

TEST_F(Resample, WarnsOfWhatTheValuesShow) {
    const auto ramp = [](std::int64_t i, std::int64_t j, std::int64_t k) {
        return 1000.0 * test::noise(i, j, k) - 1.0;
    };
    const Grid grid = grid_of({12, 12, 12});
    ResampleRequest r = request(save<float>("in.nii", grid, DType::float32, ramp), 0.8);
    r.dtype = DType::uint8;
    run(r);
    EXPECT_TRUE(warned("clipped"));
    r.input =
        save<float>("share.nii", grid, DType::float32, [](auto i, auto j, auto k) { return test::noise(i, j, k); });
    run(r);
    EXPECT_TRUE(warned("rounded to whole numbers"));
    r.dtype.reset();
    r.label.labels = true;
    run(r);
    EXPECT_TRUE(warned("not whole numbers"));
    const auto huge = [](std::int64_t i, std::int64_t, std::int64_t) { return (std::int64_t{1} << 60) + i; };
    r = request(save<std::int64_t>("big.nii", grid, DType::int64, huge), 0.8);
    run(r);
    EXPECT_TRUE(warned("2^53"));
    r.label.labels = true;
    run(r);
    EXPECT_FALSE(warned("2^53")) << "nothing is interpolated";
}

TEST_F(Resample, AGridLargerThanTheMachineIsRefusedBeforeReading) {
    ResampleRequest r = request(test::shipped("ct_abdomen.nii.gz"), 0.002);
    const ResampleJob job = plan_resample(r);
    try {
        run_resample(job);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unavailable);
        EXPECT_NE(std::string(error.what()).find("GB of memory"), std::string::npos);
    }
    EXPECT_TRUE(folder_.names().empty());
}

TEST_F(Resample, TheFileMayNotChangeAfterPlanning) {
    const std::string in = save<std::int16_t>("in.nii", grid_of({6, 6, 6}), DType::int16, kSeven);
    const ResampleJob job = plan_resample(request(in, 0.7));
    std::filesystem::remove(in);
    save<std::int16_t>("in.nii", grid_of({8, 6, 6}), DType::int16, kSeven);
    EXPECT_THROW(run_resample(job), Error);
}

}  // namespace
}  // namespace revoxel
