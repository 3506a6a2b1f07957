// Threads that wait for work, so that run() starts none.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace revoxel {

/// Cores that this process may use (its affinity mask), at least 1.
int available_threads();

/// A fixed set of threads that share one loop at a time. One caller at a time.
class ThreadPool {
public:
    /// threads <= 0: available_threads(). The caller of for_each is one of them. Where the system grants fewer threads,
    /// the pool is smaller.
    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int size() const noexcept { return static_cast<int>(workers_.size()) + 1; }

    /// Calls body(item, thread) for each item in [0, count), each once, in any order, thread in [0, size()). Returns
    /// when all are done. `progress` (may be empty) gets the share done, one call at a time. The body must not throw.
    void for_each(std::int64_t count, const std::function<void(std::int64_t, int)>& body,
                  const std::function<void(double)>& progress = {});

private:
    struct Loop;
    void work(int thread);
    /// Waits a little without sleeping until ready() holds.
    template <typename Ready>
    void spin(const Ready& ready) const;

    std::mutex mutex_;
    std::condition_variable wake_, idle_;
    Loop* loop_ = nullptr;  ///< the loop in progress; guarded by mutex_
    /// Changed under mutex_, looked at without it by those who spin.
    std::atomic<std::uint64_t> round_{0};  ///< counts loops, so that a worker joins each once
    std::atomic<int> busy_{0};             ///< workers inside the loop
    bool stop_ = false;                    ///< guarded by mutex_
    bool spins_ = false;                   ///< there is a core for each thread
    std::vector<std::thread> workers_;
};

}  // namespace revoxel
