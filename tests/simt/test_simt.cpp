// The SIMT layer itself: that it runs what CUDA would run, and tells what CUDA would not.
#include "simt/simt.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "backends/harness.hpp"
#include "engine/cuda_backend.hpp"
#include "runtime/device.hpp"

namespace revoxel::cuda {
namespace {

class Simt : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override { setenv("REVOXEL_SIMT_ORDER", GetParam(), 1); }
    void TearDown() override { unsetenv("REVOXEL_SIMT_ORDER"); }
    Stream stream_;
};

TEST_P(Simt, EveryThreadOfEveryBlockRunsOnce) {
    std::multiset<std::tuple<unsigned, unsigned, unsigned, unsigned>> seen;
    simt::run({3, 2, 2}, {4, 2, 3}, 0, [&] {
        EXPECT_EQ(blockDim.y, 2u);
        EXPECT_EQ(gridDim.z, 2u);
        const unsigned block = (blockIdx.z * 2 + blockIdx.y) * 3 + blockIdx.x;
        seen.insert({block, threadIdx.x, threadIdx.y, threadIdx.z});
    });
    EXPECT_EQ(seen.size(), 12u * 24u);
    EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), seen.size());
}

TEST_P(Simt, ABarrierIsOne) {
    std::vector<int> out(64, -1);
    simt::run({1, 1, 1}, {64, 1, 1}, 64 * sizeof(int), [&] {
        int* shared = reinterpret_cast<int*>(simt::shared_memory());
        const unsigned t = threadIdx.x;
        shared[t] = static_cast<int>(t);
        __syncthreads();
        const int other = shared[63 - t];
        __syncthreads();
        shared[t] = 2 * other;
        __syncthreads();
        out[t] = shared[(t + 1) % 64];
    });
    for (int t = 0; t < 64; ++t) EXPECT_EQ(out[static_cast<std::size_t>(t)], 2 * (63 - (t + 1) % 64));
}

TEST_P(Simt, SharedMemoryIsNanInEachBlock) {
    int wrong = 0;
    simt::run({3, 1, 1}, {1, 1, 1}, 8, [&] {
        double* shared = reinterpret_cast<double*>(simt::shared_memory());
        if (*shared == *shared) ++wrong;
        *shared = 1.0;
    });
    EXPECT_EQ(wrong, 0);
}

TEST_P(Simt, ThreadsThatDoNotMeetAreTold) {
    const auto one_leaves = [] {
        if (threadIdx.x != 5) __syncthreads();
    };
    const auto two_barriers = [] {
        if (threadIdx.x == 5) {
            __syncthreads();
        } else {
            __syncthreads();
        }
    };
    EXPECT_THROW(simt::run({1, 1, 1}, {8, 1, 1}, 8, one_leaves), std::logic_error);
    EXPECT_THROW(simt::run({1, 1, 1}, {8, 1, 1}, 8, two_barriers), std::logic_error);
    EXPECT_THROW(simt::run({1, 1, 1}, {8, 1, 1}, 0, [] { __syncthreads(); }), std::logic_error);
}

#if !defined(__SANITIZE_ADDRESS__)
TEST_P(Simt, WritesBeyondSharedMemoryAreTold) {
    for (const int at : {-1, 4}) {
        EXPECT_THROW(simt::run({1, 1, 1}, {1, 1, 1}, 4 * sizeof(int),
                               [&] { reinterpret_cast<volatile int*>(simt::shared_memory())[at] = 0; }),
                     std::logic_error);
    }
}
#endif

TEST_P(Simt, ExecutorsRunKernels) {
    const long before = simt::launches();
    harness::Case c{harness::axis_grid({5, 4, 3}, {1, 1, 1}), harness::axis_grid({9, 7, 5}, {0.5, 0.5, 0.5}), {}};
    harness::Field input(c.input.extent, DType::float32, harness::Layout::packed);
    harness::fill_random(input, 1);
    harness::run_checked(make_plan(c.input, c.output, c.options), {Backend::cuda, 1}, input, harness::Layout::packed);
    EXPECT_GT(simt::launches(), before);
    EXPECT_NE(description().find("SIMT"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Orders, Simt, testing::Values("forward", "reverse", "shuffled"),
                         [](const auto& order) { return std::string(order.param); });

}  // namespace
}  // namespace revoxel::cuda
