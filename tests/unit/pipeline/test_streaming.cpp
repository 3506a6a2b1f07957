// Streamed runs give the file that whole volumes give, whatever the slabs.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "pipeline/memory.hpp"
#include "pipeline/streaming.hpp"
#include "revoxel/error.hpp"
#include "revoxel/resample.hpp"
#include "support/files.hpp"
#include "unit/pipeline/volumes.hpp"

namespace revoxel {
namespace {

using test::grid_of;
using test::noise;
using test::TempFolder;
using test::volume_of;

std::string bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

class Streaming : public testing::Test {
protected:
    template <typename T, typename F>
    std::string save(const std::string& name, const Grid& grid, DType dtype, F value, std::int64_t frames = 1,
                     int components = 1) {
        io::NiftiHeader header = io::new_header(grid, dtype, frames, components);
        io::write_nifti(folder_ / name, header, volume_of<T>(grid, dtype, value, frames, components),
                        {.overwrite = true});
        return folder_ / name;
    }

    std::string scan(std::int64_t frames = 1) {
        return save<std::int16_t>(
            "scan.nii.gz", grid_of({13, 11, 17}, {0.8, 0.9, 2.5}), DType::int16,
            [](auto i, auto j, auto k) { return 2000.0 * noise(i, j, k) - 1000.0; }, frames);
    }

    ResampleRequest request(const std::string& input) const {
        ResampleRequest r;
        r.input = input;
        r.output = folder_ / "out.nii.gz";
        r.grid.spacing_mm = Vec3{1, 1, 1};
        r.overwrite = true;
        return r;
    }

    /// A grid that is turned and flipped against that of scan().
    std::string like(double degrees, bool flip) {
        Grid grid = grid_of({9, 12, 19}, {1.1, 1.0, 2.0});
        const double c = std::cos(degrees * 0.0174532925), s = std::sin(degrees * 0.0174532925);
        grid.affine(1, 1) = c, grid.affine(1, 2) = -s * 2.0;
        grid.affine(2, 1) = s, grid.affine(2, 2) = c * 2.0;
        if (flip) {
            for (int r = 0; r < 3; ++r) {
                grid.affine(r, 3) += 18 * grid.affine(r, 2);
                grid.affine(r, 2) = -grid.affine(r, 2);
            }
        }
        return save<std::uint8_t>("like.nii", grid, DType::uint8, [](auto, auto, auto) { return 0; });
    }

    void expect_same(const ResampleRequest& r) {
        ResampleObserver whole;
        whole.inspect = [](const io::NiftiImage&, const io::NiftiHeader&, const Volume&) {};
        const ResampleJob job = plan_resample(r);
        const ResampleResult expected_result = run_resample(job, whole);
        EXPECT_EQ(expected_result.slab, 0);
        const std::string expected = bytes_of(r.output);
        for (std::int64_t slab : {1, 2, 5, 100}) {
            SCOPED_TRACE(slab);
            pipeline::MemoryPlan memory = pipeline::plan_memory(job, false);
            ASSERT_EQ(memory.whole, "");
            memory.slab = slab;
            memory.window = pipeline::widest_window(job.plan, slab);
            ResampleResult result;
            pipeline::run_streamed(job, memory, {}, result);
            EXPECT_TRUE(bytes_of(r.output) == expected);
            EXPECT_EQ(result.backend, expected_result.backend);
            EXPECT_EQ(result.input_range.min, expected_result.input_range.min);
            EXPECT_EQ(result.input_range.max, expected_result.input_range.max);
            EXPECT_EQ(result.output_range.min, expected_result.output_range.min);
            EXPECT_EQ(result.output_range.max, expected_result.output_range.max);
            EXPECT_EQ(result.warnings, expected_result.warnings);
        }
    }

    TempFolder folder_;
};

TEST_F(Streaming, EveryKernelAndBoundary) {
    for (Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::cubic, Kernel::bspline3, Kernel::lanczos3}) {
        for (Boundary boundary : {Boundary::edge, Boundary::wrap, Boundary::constant}) {
            ResampleRequest r = request(scan());
            r.kernel = kernel;
            r.boundary = boundary;
            SCOPED_TRACE(std::string(name_of(kernel)) + " " + name_of(boundary));
            expect_same(r);
        }
    }
}

TEST_F(Streaming, ObliqueFlippedAndPermutedGrids) {
    for (double degrees : {0.0, 20.0, 90.0}) {
        for (bool flip : {false, true}) {
            for (Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::bspline3}) {
                for (Backend backend : {Backend::reference, Backend::cpu}) {
                    SCOPED_TRACE(std::string(name_of(kernel)) + " " + name_of(backend));
                    ResampleRequest r = request(scan());
                    r.grid = {};
                    r.grid.like = like(degrees, flip);
                    r.kernel = kernel;
                    r.backend = backend;
                    expect_same(r);
                }
            }
        }
    }
}

// Far beyond the input a constant boundary leaves rows and slices without a tap.
TEST_F(Streaming, GridsThatGoFarBeyondTheInput) {
    for (int axis = 0; axis < 3; ++axis) {
        Grid grid = grid_of({9, 12, 19}, {1.1, 1.0, 2.0});
        grid.extent[axis] *= 3;
        grid.affine(axis, 3) = -25;
        const std::string beyond =
            save<std::uint8_t>("beyond.nii", grid, DType::uint8, [](auto, auto, auto) { return 0; });
        for (Boundary boundary : {Boundary::constant, Boundary::mirror}) {
            for (Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::cubic}) {
                SCOPED_TRACE(std::string(name_of(kernel)) + " " + name_of(boundary) + ", axis " + std::to_string(axis));
                ResampleRequest r = request(scan());
                r.grid = {};
                r.grid.like = beyond;
                r.kernel = kernel;
                r.boundary = boundary;
                r.outside = Outside::extend;
                r.fill = -1000;
                expect_same(r);
            }
        }
    }
}

TEST_F(Streaming, FramesColoursAndPairs) {
    expect_same(request(scan(3)));
    ResampleRequest colour = request(save<std::uint8_t>(
        "rgb.nii", grid_of({7, 6, 9}, {1, 1, 3}), DType::uint8,
        [](auto i, auto j, auto k) { return 255.0 * noise(i, j, k); }, 2, 3));
    expect_same(colour);
    colour.output = folder_ / "out.hdr";
    expect_same(colour);
}

TEST_F(Streaming, NanFillNanAwareAndLocalClip) {
    const std::string input =
        save<float>("nan.nii", grid_of({9, 8, 12}, {1, 1, 2}), DType::float32,
                    [](auto i, auto j, auto k) { return noise(i, j, k) < 0.2 ? std::nan("") : noise(j, k, i); });
    const auto expect_same_with = [&](const char* what, auto&& change) {
        SCOPED_TRACE(what);
        ResampleRequest r = request(input);
        change(r);
        expect_same(r);
    };
    expect_same_with("NaN as it is", [](ResampleRequest&) {});
    expect_same_with("NaN filled", [](ResampleRequest& r) { r.nan_fill = -3.0; });
    expect_same_with("NaN left out", [](ResampleRequest& r) { r.nan_aware = true; });
    expect_same_with("clip local", [](ResampleRequest& r) {
        r.clip = Clip::local;
        r.kernel = Kernel::cubic;
        r.dtype = DType::int16;
    });
    // The neighbours that clip the value lie beyond its taps.
    expect_same_with("clip local, down", [](ResampleRequest& r) {
        r.clip = Clip::local;
        r.grid.spacing_mm = Vec3{2.6, 2.6, 5.3};
        r.kernel = Kernel::cubic;
        r.antialias = Antialias::none;
    });
}

TEST_F(Streaming, LabelsAndTheShareOfOne) {
    const std::string input =
        save<std::int16_t>("labels.nii.gz", grid_of({12, 13, 14}, {1, 1, 2}), DType::int16,
                           [](auto i, auto j, auto k) { return (i / 3 + j / 4 + k / 3) % 5 * 100; });
    ResampleRequest r = request(input);
    expect_same(r);  // warns that this looks like a label map
    r.label.labels = true;
    expect_same(r);
    r.label.labels = false;
    r.label.fraction = 300.0;
    expect_same(r);
    r.label.fraction = 7.0;
    expect_same(r);  // warns that there is none
}

TEST_F(Streaming, MemoryThatIsNotThereIsAnError) {
    ResampleRequest r = request(scan());
    r.memory = 1'000'000;
    try {
        run_resample(plan_resample(r));
        FAIL() << "expected an error";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unavailable);
        EXPECT_NE(std::string(error.what()).find("--memory allows 1 MB"), std::string::npos) << error.what();
    }
    EXPECT_FALSE(std::filesystem::exists(r.output));
}

TEST_F(Streaming, LessMemoryMakesThinnerSlabs) {
    ResampleRequest r = request(scan());
    r.grid.spacing_mm = Vec3{0.02, 0.02, 2.5};
    const auto slab_with = [&](std::int64_t bytes) {
        r.memory = bytes;
        const ResampleJob job = plan_resample(r);
        const pipeline::MemoryPlan memory = pipeline::plan_memory(job, false);
        EXPECT_EQ(pipeline::memory_shortage(job, memory), "");
        if (bytes > 0) {
            EXPECT_LE(memory.bytes, bytes);
        }
        return memory.slab;
    };
    const std::int64_t free = slab_with(0), tight = slab_with(34'000'000);
    EXPECT_LT(tight, free);
    EXPECT_GE(tight, 1);
}

// A compressed input is read ahead as far as a slab needs, where there is the memory; a limit that is kept with less of
// it is no reason to refuse.
TEST_F(Streaming, LessMemoryReadsLessAhead) {
    ResampleRequest r = request(save<float>("wide.nii.gz", grid_of({512, 512, 16}, {1, 1, 1}), DType::float32,
                                            [](auto, auto, auto) { return 0; }));
    r.grid.spacing_mm = Vec3{8, 8, 4};
    r.kernel = Kernel::lanczos3;
    const auto plan_with = [&](std::int64_t bytes) {
        r.memory = bytes;
        return pipeline::plan_memory(plan_resample(r), false);
    };
    const pipeline::MemoryPlan least = plan_with(1);
    EXPECT_EQ(least.slab, 1);
    EXPECT_EQ(least.ahead, 4 << 20);
    const pipeline::MemoryPlan kept = plan_with(least.bytes);
    EXPECT_EQ(kept.bytes, least.bytes);
    EXPECT_EQ(pipeline::memory_shortage(plan_resample(r), kept), "");
    EXPECT_EQ(plan_with(0).ahead, 12 << 20);
}

TEST_F(Streaming, AFileThatEndsEarlyLeavesNoOutput) {
    const std::string input = scan();
    const ResampleJob job = plan_resample(request(input));
    std::filesystem::resize_file(input, std::filesystem::file_size(input) * 2 / 3);
    EXPECT_THROW(run_resample(job), Error);
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
        EXPECT_EQ(entry.path().filename(), "scan.nii.gz");
    }
}

}  // namespace
}  // namespace revoxel
