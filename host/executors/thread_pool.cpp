#include "executors/thread_pool.hpp"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <system_error>

namespace revoxel {
namespace {

/// Sleeping and waking take about as long, and a loop over a small volume not much longer.
constexpr auto kSpin = std::chrono::microseconds(50);

/// Tells the core that its thread is waiting.
inline void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

}  // namespace

struct ThreadPool::Loop {
    std::int64_t count;
    const std::function<void(std::int64_t, int)>& body;
    const std::function<void(double)>& progress;
    std::atomic<std::int64_t> next{0};
    std::mutex report;
    std::int64_t done = 0;  ///< guarded by report

    void run(int thread) {
        for (std::int64_t item = next.fetch_add(1); item < count; item = next.fetch_add(1)) {
            body(item, thread);
            if (!progress) continue;
            const std::lock_guard<std::mutex> lock(report);
            ++done;
            progress(static_cast<double>(done) / static_cast<double>(count));
        }
    }
};

int available_threads() {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

ThreadPool::ThreadPool(int threads) {
    const int total = threads > 0 ? threads : available_threads();
    spins_ = total <= available_threads();
    workers_.reserve(static_cast<std::size_t>(total - 1));
    try {
        for (int t = 1; t < total; ++t) workers_.emplace_back([this, t] { work(t); });
    } catch (const std::system_error&) {
        // A limit on processes or memory: fewer threads do the same work.
    }
}

ThreadPool::~ThreadPool() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        stop_ = true;
        ++round_;  // for those who spin
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::for_each(std::int64_t count, const std::function<void(std::int64_t, int)>& body,
                          const std::function<void(double)>& progress) {
    Loop loop{count, body, progress, {}, {}, 0};
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        loop_ = &loop;
        ++round_;
    }
    wake_.notify_all();
    loop.run(0);
    spin([this] { return busy_ == 0; });
    // Workers that have not woken up yet must not see a loop that is gone.
    std::unique_lock<std::mutex> lock(mutex_);
    loop_ = nullptr;
    idle_.wait(lock, [this] { return busy_ == 0; });
}

template <typename Ready>
void ThreadPool::spin(const Ready& ready) const {
    if (!spins_) return;
    const auto end = std::chrono::steady_clock::now() + kSpin;
    while (!ready() && std::chrono::steady_clock::now() < end) pause();
}

void ThreadPool::work(int thread) {
    std::uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
        if (seen > 0) {
            lock.unlock();
            spin([&] { return round_ != seen; });
            lock.lock();
        }
        wake_.wait(lock, [&] { return stop_ || (loop_ != nullptr && round_ != seen); });
        if (stop_) return;
        seen = round_;
        Loop* loop = loop_;
        ++busy_;
        lock.unlock();
        loop->run(thread);
        lock.lock();
        if (--busy_ == 0) idle_.notify_all();
    }
}

}  // namespace revoxel
