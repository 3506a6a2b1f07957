// The executor in slabs: whatever the limit of memory and the number of devices, the same bits, and the limit holds.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "backends/harness.hpp"
#include "revoxel/cuda.hpp"
#include "revoxel/error.hpp"
#include "runtime/memory.hpp"
#include "simt/faults.hpp"
#include "slabs.hpp"

namespace revoxel::harness {
namespace {

/// Sets an environment variable while it lives.
class Variable {
public:
    Variable(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
    ~Variable() { unsetenv(name_); }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

private:
    const char* name_;
};

struct Shape {
    const char* name;
    Plan plan;
};

/// The four shapes of plan, straight and oblique, odd sizes.
std::vector<Shape> shapes() {
    const Grid input = axis_grid({37, 29, 23}, {0.8, 0.8, 2.5});
    const Grid fine = with_spacing(input, {0.7, 1.1, 1.0}), coarse = with_spacing(input, {2.3, 1.9, 4});
    const Grid turned = turned_grid(input, {31, 27, 25}, {0.9, 0.8, 2.0}, {10, -20, 30});
    const Grid moved = axis_grid({40, 12, 50}, {0.7, 0.9, 1.1}, {-5, 3, -8});
    const auto options = [](Kernel kernel, DType dtype) {
        PlanOptions o;
        o.kernel = kernel;
        o.input_dtype = o.output_dtype = dtype;
        return o;
    };
    PlanOptions labels = options(Kernel::linear, DType::uint8), clipped = options(Kernel::cubic, DType::float32),
                wrapped = options(Kernel::lanczos3, DType::int16);
    labels.labels = true;
    clipped.clip = Clip::global;
    wrapped.boundary = Boundary::wrap;
    wrapped.outside = Outside::extend;
    return {{"march", make_plan(input, fine, options(Kernel::cubic, DType::int16))},
            {"low-pass", make_plan(input, coarse, options(Kernel::linear, DType::float64))},
            {"axes changed", make_plan(input, reoriented(fine, {2, 0, 1}, 3), options(Kernel::linear, DType::int16))},
            {"partly outside", make_plan(input, moved, options(Kernel::bspline3, DType::float32))},
            {"wrapped", make_plan(input, moved, wrapped)},
            {"copy", make_plan(input, reoriented(input, {1, 2, 0}, 5), options(Kernel::linear, DType::uint16))},
            {"votes", make_plan(input, fine, labels)},
            {"gather", make_plan(input, turned, options(Kernel::linear, DType::int16))},
            {"gather after passes", make_plan(input, turned, options(Kernel::bspline3, DType::float32))},
            {"gather of votes", make_plan(input, turned, labels)},
            {"clipped", make_plan(input, fine, clipped)},
            {"clipped gather", make_plan(input, turned, clipped)}};
}

Field random_field(const Plan& plan, Layout layout) {
    Field field(plan.input.extent, plan.options.input_dtype, layout);
    fill_random(field, 5);
    return field;
}

std::vector<std::byte> run(const Plan& plan, Backend backend, const ExecutorOptions& options, const Field& input,
                           Layout layout) {
    const auto executor = make_executor(plan, backend, options);
    Field output(plan.output.extent, plan.options.output_dtype, layout);
    executor->run(input.view(), output.view());
    executor->run(input.view(), output.view());
    EXPECT_TRUE(output.gaps_untouched());
    return output.packed();
}

class Slabs : public testing::TestWithParam<const char*> {
protected:
    Variable order_{"REVOXEL_SIMT_ORDER", GetParam()};
};

TEST_P(Slabs, TheSameBitsWithinAnyLimit) {
    for (const Shape& shape : shapes()) {
        const Field input = random_field(shape.plan, Layout::packed);
        const auto expected = run(shape.plan, Backend::reference, {}, input, Layout::packed);
        int refused = 0;
        for (const std::int64_t limit : {2'000'000, 400'000, 250'000, 150'000, 100'000, 30'000}) {
            SCOPED_TRACE(std::string(shape.name) + ", " + std::to_string(limit) + " bytes");
            ExecutorOptions options;
            options.device_memory = limit;
            const std::int64_t before = simt::device_bytes();
            simt::forget_most_bytes();
            try {
                EXPECT_TRUE(run(shape.plan, Backend::cuda, options, input, Layout::packed) == expected);
            } catch (const Error& error) {
                EXPECT_EQ(error.code(), ErrorCode::device_memory) << error.what();
                EXPECT_NE(std::string(error.what()).find("--gpu-memory allows"), std::string::npos) << error.what();
                ++refused;
            }
            EXPECT_EQ(simt::device_bytes(), before) << "memory is not given back";
        }
        EXPECT_LE(refused, shape.plan.separable ? 3 : 4) << shape.name;  // oblique slabs read much beside themselves
    }
}

TEST_P(Slabs, TheLimitHoldsWhileItRuns) {
    for (const Shape& shape : shapes()) {
        SCOPED_TRACE(shape.name);
        const Field input = random_field(shape.plan, Layout::packed);
        ExecutorOptions options;
        options.device_memory = 400'000;
        const auto executor = make_executor(shape.plan, Backend::cuda, options);
        EXPECT_LE(simt::device_bytes(), options.device_memory);
        EXPECT_LE(executor->workspace_bytes(), options.device_memory);
        simt::forget_most_bytes();
        const std::int64_t taken = simt::allocations();
        Field output(shape.plan.output.extent, shape.plan.options.output_dtype, Layout::packed);
        executor->run(input.view(), output.view());
        EXPECT_LE(simt::most_device_bytes(), options.device_memory);
        EXPECT_EQ(simt::allocations(), taken) << "a run takes memory on the device";
    }
}

TEST_P(Slabs, TheSameBitsOnSeveralDevices) {
    const Variable count("REVOXEL_SIMT_DEVICES", "3");
    for (const Shape& shape : shapes()) {
        const Field input = random_field(shape.plan, Layout::packed);
        const auto expected = run(shape.plan, Backend::reference, {}, input, Layout::packed);
        for (const std::vector<int>& devices : {std::vector{0, 0}, std::vector{0, 1}, std::vector{2, 0, 1}}) {
            for (const std::int64_t limit : {0, 600'000}) {
                SCOPED_TRACE(std::string(shape.name) + " on " + std::to_string(devices.size()) + " devices, limit " +
                             std::to_string(limit));
                ExecutorOptions options;
                options.devices = devices;
                options.device_memory = limit;
                EXPECT_TRUE(run(shape.plan, Backend::cuda, options, input, Layout::packed) == expected);
            }
        }
    }
    ExecutorOptions options;
    options.devices = {0, 3};
    try {
        make_executor(shapes()[0].plan, Backend::cuda, options);
        ADD_FAILURE() << "there are devices 0 to 2";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::usage);
    }
}

TEST_P(Slabs, AnyLayoutPinnedOrNot) {
    const Plan plan = shapes()[0].plan;
    ExecutorOptions options;
    options.device_memory = 120'000;
    options.threads = 2;
    for (const Layout layout : kLayouts) {
        SCOPED_TRACE(name_of(layout));
        const Field input = random_field(plan, layout);
        const auto expected = run(plan, Backend::reference, {}, input, layout);
        EXPECT_TRUE(run(plan, Backend::cuda, options, input, layout) == expected);
        const Variable fault("REVOXEL_SIMT_FAULT", "no-pinning");
        EXPECT_TRUE(run(plan, Backend::cuda, options, input, layout) == expected);
    }
}

// Copies that need no detour, and several of them under way.
TEST_P(Slabs, PinnedVolumes) {
    const Plan plan = shapes()[0].plan;
    const Field input = random_field(plan, Layout::packed);
    const auto expected = run(plan, Backend::reference, {}, input, Layout::packed);
    const std::vector<std::byte> voxels = input.packed();
    cuda::PinnedMemory from(voxels.size()), to(expected.size());
    ASSERT_TRUE(from.pinned());
    std::copy(voxels.begin(), voxels.end(), from.data());
    ConstVolumeView in = input.view();
    in.data = from.data();
    const Extent& n = plan.output.extent;
    const VolumeView out{to.data(), plan.options.output_dtype, n, {1, n[0], n[0] * n[1]}};
    for (const std::int64_t limit : {0, 250'000}) {
        for (const std::vector<int>& devices : {std::vector<int>{}, std::vector{0, 0}}) {
            std::fill(to.data(), to.data() + to.bytes(), std::byte{0xff});
            ExecutorOptions options;
            options.device_memory = limit;
            options.devices = devices;
            const auto executor = make_executor(plan, Backend::cuda, options);
            executor->run(in, out);
            EXPECT_TRUE(std::equal(expected.begin(), expected.end(), to.data())) << limit;
        }
    }
}

TEST_P(Slabs, FailuresAreToldAndLeaveNothing) {
    const Plan plan = shapes()[0].plan;
    const Field input = random_field(plan, Layout::packed);
    const std::int64_t before = simt::device_bytes();
    const auto code_of = [&](const std::string& fault) {
        const Variable variable("REVOXEL_SIMT_FAULT", fault);
        try {
            run(plan, Backend::cuda, {}, input, Layout::packed);
        } catch (const Error& error) {
            EXPECT_EQ(std::string(error.what()).find("backend cuda: "), 0u) << error.what();
            EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
            return error.code();
        }
        ADD_FAILURE() << fault << " went by unnoticed";
        return ErrorCode::usage;
    };
    for (const char* fault : {"no-driver", "no-device", "old-driver", "kernel"}) {
        EXPECT_EQ(code_of(fault), ErrorCode::unavailable) << fault;
    }
    for (std::int64_t n = 1; n <= 3; ++n) {
        EXPECT_EQ(code_of("out-of-memory:" + std::to_string(simt::allocations() + n)), ErrorCode::device_memory) << n;
    }
    EXPECT_EQ(simt::device_bytes(), before);
}

TEST(SlabSizes, LargeStraightVolumesOverlapAndObliqueOnesAreNotReadAgainAndAgain) {
    const Grid input = axis_grid({512, 512, 160}, {0.8, 0.8, 2.5});
    PlanOptions options;
    options.input_dtype = options.output_dtype = DType::int16;
    const cuda::SlabCut straight =
        cuda::choose_slabs(make_plan(input, with_spacing(input, {1, 1, 1}), options), 1, std::int64_t{1} << 40);
    EXPECT_GE(straight.slabs.size(), 4u);
    EXPECT_LT(straight.uploaded_bytes, 1.25 * 2 * 512 * 512 * 160);
    const cuda::SlabCut oblique =
        cuda::choose_slabs(make_plan(input, turned_grid(input, {400, 400, 400}, {1, 1, 1}, {20, 30, 10}), options), 1,
                           std::int64_t{1} << 40);
    EXPECT_LT(oblique.uploaded_bytes, 1.3 * 2 * 512 * 512 * 160);
    const Grid small = axis_grid({64, 64, 32}, {1, 1, 1});
    EXPECT_EQ(cuda::choose_slabs(make_plan(small, small, options), 1, std::int64_t{1} << 40).slabs.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Orders, Slabs, testing::Values("forward", "reverse"),
                         [](const auto& order) { return std::string(order.param); });

}  // namespace
}  // namespace revoxel::harness
