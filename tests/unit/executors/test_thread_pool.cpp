// The pool does the work whatever the system grants.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "executors/thread_pool.hpp"

namespace revoxel {
namespace {

std::int64_t sum_by(ThreadPool& pool, std::int64_t count) {
    std::atomic<std::int64_t> sum{0};
    pool.for_each(count, [&](std::int64_t item, int) { sum += item; });
    return sum;
}

TEST(ThreadPool, CallsEachItemOnceWithItsOwnThread) {
    ThreadPool pool(5);
    EXPECT_EQ(pool.size(), 5);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::atomic<int>> calls(37);
        std::atomic<bool> in_range{true};
        pool.for_each(37, [&](std::int64_t item, int thread) {
            ++calls[static_cast<std::size_t>(item)];
            if (thread < 0 || thread >= 5) in_range = false;
        });
        EXPECT_TRUE(in_range);
        for (const auto& n : calls) EXPECT_EQ(n, 1);
    }
}

TEST(ThreadPool, ReportsEveryItemAndEndsAtOne) {
    ThreadPool pool(3);
    std::vector<double> shares;
    pool.for_each(
        11, [](std::int64_t, int) {}, [&](double share) { shares.push_back(share); });
    ASSERT_EQ(shares.size(), 11U);
    EXPECT_EQ(shares.back(), 1.0);
    EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
}

TEST(ThreadPool, NothingToDoIsDone) {
    ThreadPool pool(2);
    EXPECT_EQ(sum_by(pool, 0), 0);
}

// In a child: a process that may start no thread. The sanitizers' own threads cannot live with that.
TEST(ThreadPool, WorksWithTheThreadsThatTheSystemGrants) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "a process limit under a sanitizer";
#endif
    const pid_t child = fork();
    if (child == 0) {
        const rlimit none{0, 0};
        // Limits do not bind root; nobody's do.
        if (setrlimit(RLIMIT_NPROC, &none) != 0 || (geteuid() == 0 && setuid(65534) != 0)) _exit(2);
        ThreadPool pool(8);
        _exit(pool.size() == 1 && sum_by(pool, 100) == 4950 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace revoxel
