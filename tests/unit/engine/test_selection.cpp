// Which backend runs a job, and what happens when a GPU fails: on any machine, with any build.
#include "engine/selection.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/cuda_backend.hpp"
#include "revoxel/error.hpp"

namespace revoxel {
namespace {

Grid cube(std::int64_t n, double spacing_mm) {
    Grid grid{{n, n, n}, {}};
    for (int d = 0; d < 3; ++d) grid.affine(d, d) = spacing_mm;
    return grid;
}

Plan plan_of(std::int64_t n, Kernel kernel = Kernel::linear) {
    PlanOptions options;
    options.kernel = kernel;
    options.input_dtype = options.output_dtype = DType::int16;
    return make_plan(cube(n, 2.0), cube(2 * n, 1.0), options);
}

Machine machine(bool started, int threads = 2) {
    Machine m;
    m.threads = threads;
    m.gpu_in_build = true;
    m.gpu_started = started;
    m.gpu_name = [] { return std::string("Some GPU"); };
    m.gpu_complaint = [] { return std::string(); };
    return m;
}

TEST(ChooseBackend, WhatIsAskedForByNameIsTaken) {
    for (const Backend backend : {Backend::reference, Backend::cpu, Backend::cuda}) {
        const BackendChoice choice = choose_backend(backend, plan_of(8), 1, machine(true));
        EXPECT_EQ(choice.backend, backend);
        EXPECT_FALSE(choice.falls_back);
        EXPECT_TRUE(choice.reason.empty());
    }
}

TEST(ChooseBackend, ABuildWithoutCudaHasNoChoice) {
    Machine m = machine(true);
    m.gpu_in_build = false;
    m.gpu_name = []() -> std::string { throw std::logic_error("nobody asks"); };
    const BackendChoice choice = choose_backend(Backend::automatic, plan_of(200), 1, m);
    EXPECT_EQ(choice.backend, Backend::cpu);
    EXPECT_TRUE(choice.reason.empty());
}

TEST(ChooseBackend, ASmallJobDoesNotWaitForAGpuToStart) {
    Machine m = machine(false);
    m.gpu_name = []() -> std::string { throw std::logic_error("asking takes time"); };
    const BackendChoice choice = choose_backend(Backend::automatic, plan_of(40), 1, m);
    EXPECT_EQ(choice.backend, Backend::cpu);
    EXPECT_NE(choice.reason.find("the CPU"), std::string::npos);
    EXPECT_EQ(choose_backend(Backend::automatic, plan_of(40), 1, machine(true)).backend, Backend::cuda) << "started";
    EXPECT_EQ(choose_backend(Backend::automatic, plan_of(40), 5000, machine(false)).backend, Backend::cuda) << "4-D";
}

TEST(ChooseBackend, ALargeJobTakesTheGpuThatThereIs) {
    const BackendChoice choice = choose_backend(Backend::automatic, plan_of(400), 1, machine(false));
    EXPECT_EQ(choice.backend, Backend::cuda);
    EXPECT_TRUE(choice.falls_back);
    EXPECT_NE(choice.reason.find("Some GPU"), std::string::npos);
    EXPECT_EQ(choose_backend(Backend::automatic, plan_of(400), 1, machine(false, 1000)).backend, Backend::cpu);
    Machine none = machine(false);
    none.gpu_name = [] { return std::string(); };
    none.gpu_complaint = [] { return std::string("there is none"); };
    const BackendChoice without = choose_backend(Backend::automatic, plan_of(400), 1, none);
    EXPECT_EQ(without.backend, Backend::cpu);
    EXPECT_NE(without.reason.find("there is none"), std::string::npos);
}

TEST(ChooseBackend, WhatIsExpectedGrowsWithTheWork) {
    EXPECT_LT(expected_cpu_seconds(plan_of(50), 1, 2), expected_cpu_seconds(plan_of(50, Kernel::lanczos4), 1, 2));
    EXPECT_LT(expected_cpu_seconds(plan_of(50), 1, 2), expected_cpu_seconds(plan_of(50), 2, 2));
    EXPECT_LT(expected_cpu_seconds(plan_of(50), 1, 4), expected_cpu_seconds(plan_of(50), 1, 2));
    EXPECT_LT(expected_gpu_seconds(plan_of(50), 1, true), expected_gpu_seconds(plan_of(50), 1, false));
    EXPECT_LT(expected_gpu_seconds(plan_of(50), 1, true), expected_gpu_seconds(plan_of(60), 1, true));
}

class Failing : public testing::TestWithParam<ErrorCode> {
protected:
    Failing() {
        options_.warn = [this](const std::string& line) { warnings_.push_back(line); };
    }
    ExecutorOptions options_;
    std::vector<std::string> warnings_;
};

TEST_P(Failing, AGpuThatWasChosenIsReplaced) {
    const BackendSelection selection({Backend::cuda, true, "chosen"});
    std::vector<Backend> ran;
    const auto run = [&](Backend backend) {
        ran.push_back(backend);
        if (backend == Backend::cuda) throw Error(GetParam(), "backend cuda: it broke; choose --backend cpu");
        return 7;
    };
    EXPECT_EQ(selection.run_or_fall_back(run, options_), 7);
    EXPECT_EQ(ran, (std::vector{Backend::cuda, Backend::cpu}));
    EXPECT_EQ(warnings_, std::vector<std::string>{"backend cuda: it broke; the CPU does the work instead"});
    EXPECT_EQ(selection.run_or_fall_back(run, options_), 7);
    EXPECT_EQ(ran.size(), 3u) << "it is not tried again";
    EXPECT_EQ(warnings_.size(), 1u);
}

TEST_P(Failing, AGpuThatWasAskedForIsNot) {
    const BackendSelection selection({Backend::cuda, false, {}});
    const auto run = [](Backend) -> int { throw Error(GetParam(), "backend cuda: it broke"); };
    EXPECT_THROW(selection.run_or_fall_back(run, options_), Error);
    EXPECT_TRUE(warnings_.empty());
}

INSTANTIATE_TEST_SUITE_P(Codes, Failing, testing::Values(ErrorCode::unavailable, ErrorCode::device_memory));

TEST(Selection, MistakesOfTheRequestAreNoReasonToTryTheCpu) {
    const BackendSelection selection({Backend::cuda, true, "chosen"});
    const auto run = [](Backend) -> int { throw Error(ErrorCode::usage, "there is no GPU 9"); };
    EXPECT_THROW(selection.run_or_fall_back(run, {}), Error);
}

// In a build without CUDA, on a machine without a device, and with one.
TEST(Selection, ThisMachine) {
    const Plan plan = plan_of(10);
    std::vector<std::string> warnings;
    ExecutorOptions options;
    options.warn = [&](const std::string& line) { warnings.push_back(line); };
    const auto chosen = BackendSelection({Backend::cuda, true, "chosen"}).make(plan, options);
    if (cuda::available()) {
        EXPECT_EQ(chosen->name().find("cuda ("), 0u);
        EXPECT_TRUE(warnings.empty());
        EXPECT_TRUE(cuda::complaint().empty());
        return;
    }
    EXPECT_EQ(chosen->name().find("cpu"), 0u) << chosen->name();
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_FALSE(cuda::complaint().empty());
    try {
        make_executor(plan, Backend::cuda);
        ADD_FAILURE() << "there is no device";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unavailable);
        EXPECT_EQ(std::string(error.what()).find("backend cuda: "), 0u) << error.what();
    }
}

TEST(Selection, HostMemoryIsThereForEveryBackend) {
    for (const Backend backend : {Backend::cpu, Backend::cuda}) {
        const std::shared_ptr<std::byte[]> bytes = allocate_host(1000, backend);
        bytes[999] = std::byte{1};
        EXPECT_EQ(bytes[999], std::byte{1});
    }
}

TEST(Errors, TheCommandLineKnowsFourKinds) {
    EXPECT_EQ(exit_code(ErrorCode::usage), 2);
    EXPECT_EQ(exit_code(ErrorCode::unavailable), 5);
    EXPECT_EQ(exit_code(ErrorCode::device_memory), 5);
}

}  // namespace
}  // namespace revoxel
