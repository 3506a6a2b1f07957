// Device plans by the public API: several plans and volumes in one run, affines of patches, textures, Precision::fast.
// Device memory is host memory here.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "backends/harness.hpp"
#include "math/kernels.hpp"
#include "revoxel/cuda.hpp"
#include "revoxel/error.hpp"
#include "simt/simt.hpp"

namespace revoxel::harness {
namespace {

using cuda::DeviceJob;
using cuda::DeviceOptions;
using cuda::Precision;

/// Packed volumes of one extent and type, one after the other.
class Volumes {
public:
    Volumes(const Extent& extent, DType dtype, std::int64_t count)
        : extent_(extent), dtype_(dtype), bytes_(static_cast<std::size_t>(step() * count) * size_of(dtype)) {}

    std::int64_t step() const { return extent_[0] * extent_[1] * extent_[2]; }
    VolumeView view(std::int64_t n = 0) { return {data(n), dtype_, extent_, {1, extent_[0], extent_[0] * extent_[1]}}; }
    std::byte* data(std::int64_t n) { return bytes_.data() + static_cast<std::size_t>(n * step()) * size_of(dtype_); }
    std::vector<std::byte> volume(std::int64_t n) { return {data(n), data(n + 1)}; }
    const std::vector<std::byte>& bytes() const { return bytes_; }
    double value(std::int64_t n) const { return value_at(bytes_, dtype_, static_cast<std::size_t>(n)); }
    void fill_random(std::int64_t count) {
        for (std::int64_t n = 0; n < count; ++n) {
            Field field(extent_, dtype_, Layout::packed);
            harness::fill_random(field, static_cast<std::uint64_t>(n) + 1);
            const std::vector<std::byte> packed = field.packed();
            std::memcpy(data(n), packed.data(), packed.size());
        }
    }

private:
    Extent extent_;
    DType dtype_;
    std::vector<std::byte> bytes_;
};

/// What the CPU executor makes of one volume.
std::vector<std::byte> on_cpu(const Plan& plan, const ConstVolumeView& input) {
    Volumes output(plan.output.extent, plan.options.output_dtype, 1);
    ExecutorOptions options;
    options.threads = 1;
    make_executor(plan, Backend::cpu, options)->run(input, output.view());
    return output.bytes();
}

/// A plan, its volumes, and room for what is made of them.
struct Task {
    Plan plan;
    std::int64_t count;
    Volumes input, output;
    std::unique_ptr<cuda::DevicePlan> device_plan;

    Task(const Plan& p, std::int64_t n, std::int64_t inputs, const DeviceOptions& options = {})
        : plan(p),
          count(n),
          input(p.input.extent, p.options.input_dtype, inputs),
          output(p.output.extent, p.options.output_dtype, n),
          device_plan(cuda::make_device_plan(p, options)) {
        input.fill_random(inputs);
    }
    DeviceJob job() {
        DeviceJob job;
        job.plan = device_plan.get();
        job.input = input.view();
        job.output = output.view();
        job.count = count;
        job.input_step = input.step();
        job.output_step = output.step();
        return job;
    }
};

Plan straight_plan(Kernel kernel, bool labels, DType dtype) {
    PlanOptions options;
    options.kernel = kernel;
    options.labels = labels;
    options.input_dtype = options.output_dtype = dtype;
    return make_plan(axis_grid({11, 7, 5}, {1, 1, 2}), axis_grid({9, 10, 7}, {1.3, 0.6, 1.5}), options);
}

Plan oblique_plan(Kernel kernel, DType from, DType to, const Extent& extent = {13, 9, 7}) {
    PlanOptions options;
    options.kernel = kernel;
    options.antialias = Antialias::none;
    options.input_dtype = from;
    options.output_dtype = to;
    options.fill = 7;
    const Grid input = axis_grid(extent, {1, 1, 1.5});
    return make_plan(input, turned_grid(input, {11, 10, 6}, {0.9, 1.1, 1.2}, {20, -35, 50}), options);
}

TEST(DeviceApi, ManyVolumesOfManyPlans) {
    std::vector<Task> tasks;
    tasks.emplace_back(straight_plan(Kernel::linear, false, DType::int16), 3, 3);
    tasks.emplace_back(straight_plan(Kernel::cubic, false, DType::float32), 1, 1);
    tasks.emplace_back(straight_plan(Kernel::nearest, false, DType::uint8), 2, 2);
    tasks.emplace_back(straight_plan(Kernel::linear, true, DType::uint8), 2, 2);
    tasks.emplace_back(oblique_plan(Kernel::cubic, DType::int16, DType::float32), 3, 3);
    tasks.emplace_back(oblique_plan(Kernel::bspline3, DType::float32, DType::float32), 2, 2);
    tasks.emplace_back(oblique_plan(Kernel::linear, DType::float64, DType::float64), 2, 2);
    tasks.emplace_back(oblique_plan(Kernel::nearest, DType::int16, DType::int16), 2, 2);
    std::vector<DeviceJob> jobs;
    for (Task& task : tasks) jobs.push_back(task.job());
    cuda::run(jobs, nullptr);
    for (Task& task : tasks) {
        SCOPED_TRACE(task.plan.describe());
        for (std::int64_t n = 0; n < task.count; ++n) {
            EXPECT_TRUE(task.output.volume(n) == on_cpu(task.plan, task.input.view(n))) << "volume " << n;
        }
    }
}

TEST(DeviceApi, JobsThatCannotBeAreRefused) {
    Task task(straight_plan(Kernel::linear, false, DType::float32), 1, 1);
    DeviceJob job = task.job();
    const double affine[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
    job.affines = affine;
    EXPECT_THROW(cuda::run({job}, nullptr), Error);
    job = task.job();
    job.input.dtype = DType::int16;
    EXPECT_THROW(cuda::run({job}, nullptr), Error);
}

// Options about computed values change nothing where none is computed.
TEST(DeviceApi, PlansThatOnlyMoveTakeEveryOption) {
    PlanOptions options;
    options.kernel = Kernel::nearest;
    options.clip = Clip::local;
    options.nan_aware = true;
    Task task(make_plan(axis_grid({7, 6, 5}, {1, 1, 1}), axis_grid({9, 8, 7}, {0.7, 0.7, 0.7}), options), 1, 1);
    cuda::run({task.job()}, nullptr);
    EXPECT_EQ(task.output.volume(0), on_cpu(task.plan, task.input.view()));
}

TEST(DeviceApi, VolumesDoNotLieOnEachOther) {
    Task task(make_plan(axis_grid({7, 6, 5}, {1, 1, 1}), axis_grid({9, 8, 7}, {0.7, 0.7, 0.7}), {}), 2, 2);
    DeviceJob job = task.job();
    job.output_step = 0;
    EXPECT_THROW(cuda::run({job}, nullptr), Error);
    job = task.job();
    job.count = -1;
    EXPECT_THROW(cuda::run({job}, nullptr), Error);
    job.count = 0;
    cuda::run({job}, nullptr);
}

/// Affines of patches: turned, zoomed and sheared, one of them partly outside, one that does not move.
std::vector<Affine> patch_affines() {
    const double rows[3][3][4] = {{{0.9, 0.2, -0.1, 1.25}, {-0.3, 0.8, 0.15, 3.5}, {0.1, -0.2, 0.7, 2.0}},
                                  {{1.4, 0.0, 0.5, -3.0}, {0.0, -1.2, 0.0, 9.0}, {0.0, 0.3, 1.1, 1.0}},
                                  {{1, 0, 0, 2}, {0, 1, 0, 1}, {0, 0, 1, 0}}};
    std::vector<Affine> all(3);
    for (std::size_t n = 0; n < 3; ++n)
        for (int r = 0; r < 3; ++r)
            for (int c = 0; c < 4; ++c) all[n](r, c) = rows[n][r][c];
    return all;
}

/// Patches of one volume and of one volume each, against the CPU executor on a plan with the affine in it.
void check_patches(PlanOptions options, const DeviceOptions& device) {
    options.antialias = Antialias::none;
    options.fill = -5;
    const Plan plan = make_patch_plan({12, 11, 9}, {6, 7, 5}, options);
    SCOPED_TRACE(plan.describe());
    const std::vector<Affine> affines = patch_affines();
    std::vector<double> rows;
    for (const Affine& affine : affines)
        for (int r = 0; r < 3; ++r)
            for (int c = 0; c < 4; ++c) rows.push_back(affine(r, c));
    const auto count = static_cast<std::int64_t>(affines.size());
    for (const bool one_volume : {true, false}) {
        Task task(plan, count, count, device);
        DeviceJob job = task.job();
        job.affines = rows.data();
        if (one_volume) job.input_step = 0;
        cuda::run({job}, nullptr);
        for (std::int64_t n = 0; n < count; ++n) {
            Plan own = plan;
            std::get<AffineGather>(own.stages.back()).out_to_in = affines[static_cast<std::size_t>(n)];
            EXPECT_TRUE(task.output.volume(n) == on_cpu(own, task.input.view(one_volume ? 0 : n))) << "patch " << n;
        }
    }
}

TEST(DeviceApi, PatchesByAffines) {
    for (const Kernel kernel : {Kernel::nearest, Kernel::linear, Kernel::cubic, Kernel::bspline2, Kernel::bspline3,
                                Kernel::bspline4, Kernel::bspline5, Kernel::lanczos3}) {
        for (const DType dtype : {DType::float32, DType::int16, DType::float64}) {
            PlanOptions options;
            options.kernel = kernel;
            options.input_dtype = options.output_dtype = dtype;
            check_patches(options, {});
        }
    }
}

TEST(DeviceApi, PatchesOfLabels) {
    PlanOptions options;
    options.labels = true;
    options.input_dtype = options.output_dtype = DType::uint8;
    check_patches(options, {});
}

TEST(DeviceApi, PatchesThatExtendAndScale) {
    for (const Boundary boundary : {Boundary::edge, Boundary::mirror, Boundary::wrap}) {
        PlanOptions options;
        options.kernel = Kernel::linear;
        options.boundary = boundary;
        options.outside = Outside::extend;
        options.input_dtype = options.output_dtype = DType::int16;
        options.output_slope = 0.5;
        options.rounding = Rounding::away;
        check_patches(options, {});
    }
}

DeviceOptions with_textures() {
    DeviceOptions options;
    options.textures = true;
    return options;
}

/// Runs one volume; says whether a texture was read.
bool reads_texture(Task& task) {
    const long before = simt::texture_reads();
    task.device_plan->run(task.input.view(), task.output.view(), nullptr);
    return simt::texture_reads() > before;
}

TEST(Textures, GiveTheSameBits) {
    for (const DType dtype : {DType::int8, DType::uint8, DType::int16, DType::uint16, DType::int32, DType::uint32,
                              DType::int64, DType::uint64, DType::float16, DType::float32, DType::float64}) {
        for (const Kernel kernel : {Kernel::linear, Kernel::cubic, Kernel::lanczos3}) {
            const Plan plan = oblique_plan(kernel, dtype, dtype);
            SCOPED_TRACE(plan.describe());
            Task task(plan, 1, 1, with_textures());
            EXPECT_TRUE(reads_texture(task));
            EXPECT_TRUE(task.output.bytes() == on_cpu(plan, task.input.view()));
        }
    }
}

TEST(Textures, OfEveryKernel) {
    for (const Kernel kernel : {Kernel::bspline2, Kernel::bspline3, Kernel::bspline5, Kernel::lanczos4,
                                Kernel::sinc_hamming, Kernel::gaussian}) {
        const Plan plan = oblique_plan(kernel, DType::float32, DType::float32);
        SCOPED_TRACE(plan.describe());
        Task task(plan, 1, 1, with_textures());
        EXPECT_TRUE(reads_texture(task));
        EXPECT_TRUE(task.output.bytes() == on_cpu(plan, task.input.view()));
    }
}

TEST(Textures, OfPatches) {
    PlanOptions options;
    options.kernel = Kernel::cubic;
    options.input_dtype = options.output_dtype = DType::int16;
    check_patches(options, with_textures());
}

TEST(Textures, AreCountedAsScratch) {
    const Plan plan = oblique_plan(Kernel::linear, DType::int16, DType::float32);
    const auto with = cuda::make_device_plan(plan, with_textures()), without = cuda::make_device_plan(plan);
    EXPECT_EQ(without->scratch_bytes(), 0);
    EXPECT_EQ(with->scratch_bytes(), 13 * 9 * 7 * 2);
    EXPECT_EQ(with->bytes(), without->bytes() + with->scratch_bytes());
}

TEST(Textures, AreNotUsedBeyondTheirLimits) {
    const Plan plan = oblique_plan(Kernel::linear, DType::int16, DType::float32, {65, 9, 7});
    Task task(plan, 1, 1, with_textures());
    EXPECT_EQ(task.device_plan->scratch_bytes(), 0);
    EXPECT_FALSE(reads_texture(task));
    EXPECT_TRUE(task.output.bytes() == on_cpu(plan, task.input.view()));
}

TEST(Textures, AreUsedWhereStridesAllowIt) {
    const Plan plan = oblique_plan(Kernel::cubic, DType::int16, DType::float32);
    for (const Layout layout : kLayouts) {
        SCOPED_TRACE(name_of(layout));
        Task task(plan, 1, 1, with_textures());
        Field input(plan.input.extent, DType::int16, layout);
        fill_random(input, 3);
        const long before = simt::texture_reads();
        task.device_plan->run(input.view(), task.output.view(), nullptr);
        // Slices of `padded` are not whole rows.
        EXPECT_EQ(simt::texture_reads() > before, layout == Layout::packed);
        EXPECT_TRUE(task.output.bytes() == on_cpu(plan, input.view()));
    }
    // Rows with gaps, slices of whole rows.
    Task task(plan, 1, 1, with_textures());
    const Extent& n = plan.input.extent;
    Volumes room({n[0] + 3, n[1] + 2, n[2]}, DType::int16, 1);
    room.fill_random(1);
    ConstVolumeView view = room.view();
    view.extent = n;
    const long before = simt::texture_reads();
    task.device_plan->run(view, task.output.view(), nullptr);
    EXPECT_GT(simt::texture_reads(), before);
    EXPECT_TRUE(task.output.bytes() == on_cpu(plan, view));
}

DeviceOptions fast() {
    DeviceOptions options;
    options.precision = Precision::fast;
    return options;
}

/// The largest share of its bound that the error of Precision::fast has: 3/512 of the range of the eight voxels around.
/// Expects that voxels outside are fill.
double largest_share(const Plan& plan, Task& task) {
    const std::vector<std::byte> exact = on_cpu(plan, task.input.view());
    const auto& gather = std::get<AffineGather>(plan.stages.back());
    const Extent &n = plan.input.extent, &m = plan.output.extent;
    double largest = 0.0;
    std::int64_t at = 0;
    for (std::int64_t k = 0; k < m[2]; ++k)
        for (std::int64_t j = 0; j < m[1]; ++j)
            for (std::int64_t i = 0; i < m[0]; ++i, ++at) {
                const double index[3] = {static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)};
                double low = INFINITY, high = -INFINITY, size = 0.0;
                std::int64_t base[3];
                bool inside = true;
                for (int d = 0; d < 3; ++d) {
                    double c = gather.out_to_in(d, 3);
                    for (int e = 0; e < 3; ++e) c += gather.out_to_in(d, e) * index[e];
                    inside = inside && math::inside_axis(c, n[static_cast<std::size_t>(d)]);
                    base[d] = static_cast<std::int64_t>(std::floor(c));
                }
                const double got = task.output.value(at),
                             expected = value_at(exact, DType::float32, static_cast<std::size_t>(at));
                if (!inside) {
                    EXPECT_EQ(got, expected);
                    continue;
                }
                for (int corner = 0; corner < 8; ++corner) {
                    std::int64_t v[3];
                    for (int d = 0; d < 3; ++d) {
                        v[d] = std::clamp<std::int64_t>(base[d] + (corner >> d & 1), 0,
                                                        n[static_cast<std::size_t>(d)] - 1);
                    }
                    const double value = task.input.value((v[2] * n[1] + v[1]) * n[0] + v[0]);
                    low = std::min(low, value);
                    high = std::max(high, value);
                    size = std::max(size, std::abs(value));
                }
                // And the rounding of floats: of eight products and sums, and of integers as shares of the largest.
                const double bound = (high - low) * 3.0 / 512.0 + 16 * 0x1p-24 * size;
                EXPECT_LE(std::abs(got - expected), bound) << "voxel " << i << " " << j << " " << k;
                if (bound > 0.0) largest = std::max(largest, std::abs(got - expected) / bound);
            }
    return largest;
}

TEST(Fast, IsWithinItsBound) {
    for (const DType dtype : {DType::int8, DType::uint8, DType::int16, DType::uint16, DType::float16, DType::float32}) {
        const Plan plan = oblique_plan(Kernel::linear, dtype, DType::float32);
        SCOPED_TRACE(name_of(dtype));
        Task task(plan, 1, 1, fast());
        if (dtype == DType::int8 || dtype == DType::int16) {
            // The lowest value reads as the one above it, which the bound does not count.
            for (std::int64_t n = 0; n < task.input.step(); ++n) {
                std::byte* voxel = task.input.data(0) + n * static_cast<std::int64_t>(size_of(dtype));
                const bool lowest = task.input.value(n) == (dtype == DType::int8 ? -128.0 : -32768.0);
                if (lowest) voxel[0] = std::byte{dtype == DType::int8 ? std::uint8_t{0x81} : std::uint8_t{0x01}};
            }
        }
        EXPECT_TRUE(reads_texture(task));
        const double share = largest_share(plan, task);
        EXPECT_GT(share, 0.1) << "a bound that nothing comes near to";
    }
}

TEST(Fast, IsWithinItsBoundAtAnImpulse) {
    // Where the bound is: beside a voxel that differs from all others the error of each axis counts whole.
    PlanOptions options;
    options.antialias = Antialias::none;
    Plan plan = make_patch_plan({8, 8, 8}, {8, 1, 1}, options);
    auto& affine = std::get<AffineGather>(plan.stages.back()).out_to_in;
    const double shift = 1.0 / 512.0 - 0x1p-20;  // all but half of the weights' last bit
    for (int r = 0; r < 3; ++r) {
        for (int c = 0; c < 3; ++c) affine(r, c) = c == 0 ? 1.0 : 0.0;
        affine(r, 3) = -shift;
    }
    plan.covered = {{0, 0, 0}, plan.output.extent};
    Task task(plan, 1, 1, fast());
    std::vector<float> voxels(512, 0.0f);
    voxels[3 * 64 + 3 * 8 + 3] = 1000.0f;
    std::memcpy(task.input.data(0), voxels.data(), sizeof(float) * voxels.size());
    EXPECT_TRUE(reads_texture(task));
    const double share = largest_share(plan, task);
    EXPECT_GT(share, 0.95);
}

TEST(Fast, LeavesOthersExact) {
    std::vector<Plan> plans = {oblique_plan(Kernel::cubic, DType::float32, DType::float32),
                               oblique_plan(Kernel::linear, DType::float64, DType::float32),
                               oblique_plan(Kernel::linear, DType::int32, DType::int32),
                               straight_plan(Kernel::linear, false, DType::float32)};
    PlanOptions renormalised = plans[0].options;
    renormalised.kernel = Kernel::linear;
    renormalised.boundary = Boundary::renormalise;
    plans.push_back(make_plan(plans[0].input, plans[0].output, renormalised));
    for (const Plan& plan : plans) {
        SCOPED_TRACE(plan.describe());
        Task task(plan, 1, 1, fast());
        EXPECT_FALSE(reads_texture(task));
        EXPECT_TRUE(task.output.bytes() == on_cpu(plan, task.input.view()));
    }
}

TEST(Fast, SaysWhatItCosts) {
    const std::string cost = cuda::describe(Precision::fast);
    EXPECT_NE(cost.find("0.59 %"), std::string::npos) << "3/512";
    EXPECT_NE(cost.find("24 HU on 4096"), std::string::npos) << 4096.0 * 3 / 512;
    EXPECT_EQ(cost.find('\n'), std::string::npos);
    EXPECT_NE(cuda::describe(Precision::exact), cost);
}

}  // namespace
}  // namespace revoxel::harness
