#include "simt/simt.hpp"

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace revoxel::simt {

thread_local Index3 threadIdx, blockIdx, blockDim, gridDim;

namespace {

constexpr std::size_t kStackBytes = std::size_t{128} << 10;
constexpr std::size_t kGuardBytes = 256;
constexpr int kRunning = 0, kEnded = -1;  // else the line of the barrier that a thread waits at

std::atomic<long> launch_count{0};

/// Of number n, x fastest.
Index3 index_of(std::size_t n, const Index3& size) {
    return {static_cast<unsigned>(n % size.x), static_cast<unsigned>(n / size.x % size.y),
            static_cast<unsigned>(n / size.x / size.y)};
}

/// A stack of its own for one thread of a block. It runs one kernel after the other, so that stacks are made once.
struct Fiber {
    ucontext_t context{};
    std::unique_ptr<std::byte[]> stack{new std::byte[kStackBytes]};
    Index3 index;
    int state = kRunning;
};

/// What lets the fibers run, on the stack of the program, and what they run.
struct Scheduler {
    ucontext_t context{};
    const void* stack = nullptr;
    std::size_t stack_bytes = 0;
    Fiber* current = nullptr;
    const std::function<void()>* kernel = nullptr;
    std::byte* shared = nullptr;
};
thread_local Scheduler scheduler;

// The address sanitizer keeps the bounds of the stack in use, so it is told when another one is.
#if defined(__SANITIZE_ADDRESS__)
void start_switch(void** fake_stack, const void* to, std::size_t bytes) {
    __sanitizer_start_switch_fiber(fake_stack, to, bytes);
}
void finish_switch(void* fake_stack, const void** from, std::size_t* bytes) {
    __sanitizer_finish_switch_fiber(fake_stack, from, bytes);
}
#else
void start_switch(void**, const void*, std::size_t) {}
void finish_switch(void*, const void**, std::size_t*) {}
#endif

/// Back to the scheduler, until it lets this fiber run again.
void leave(Fiber& fiber) {
    void* fake_stack = nullptr;
    start_switch(&fake_stack, scheduler.stack, scheduler.stack_bytes);
    swapcontext(&fiber.context, &scheduler.context);
    finish_switch(fake_stack, &scheduler.stack, &scheduler.stack_bytes);
}

void resume(Fiber& fiber) {
    void* fake_stack = nullptr;
    scheduler.current = &fiber;
    start_switch(&fake_stack, fiber.stack.get(), kStackBytes);
    swapcontext(&scheduler.context, &fiber.context);
    finish_switch(fake_stack, nullptr, nullptr);
}

void run_kernels() {
    finish_switch(nullptr, &scheduler.stack, &scheduler.stack_bytes);
    Fiber& fiber = *scheduler.current;
    for (;;) {
        (*scheduler.kernel)();
        fiber.state = kEnded;
        leave(fiber);
    }
}

std::unique_ptr<Fiber> make_fiber() {
    auto fiber = std::make_unique<Fiber>();
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack.get();
    fiber->context.uc_stack.ss_size = kStackBytes;
    makecontext(&fiber->context, run_kernels, 0);
    // The sanitizer's own swapcontext forgets all that it knows of a stack whose size it finds.
    fiber->context.uc_stack.ss_size = 0;
    return fiber;
}

/// Fibers between two kernels.
std::vector<std::unique_ptr<Fiber>>& idle_fibers() {
    thread_local std::vector<std::unique_ptr<Fiber>> idle;
    return idle;
}

/// The threads of a block and its shared memory; used for one block after the other.
class Block {
public:
    Block(const Index3& size, std::size_t shared_bytes) : shared_bytes_(shared_bytes) {
        auto& idle = idle_fibers();
        for (std::size_t n = 0; n < std::size_t{size.x} * size.y * size.z; ++n) {
            if (idle.empty()) idle.push_back(make_fiber());
            fibers_.push_back(std::move(idle.back()));
            idle.pop_back();
            fibers_.back()->index = index_of(n, size);
        }
    }
    ~Block() {
        ASAN_UNPOISON_MEMORY_REGION(memory_.get(), shared_bytes_ + 2 * kGuardBytes);
        // A fiber in the middle of a kernel cannot run another.
        for (auto& fiber : fibers_) {
            if (fiber->state == kEnded) idle_fibers().push_back(std::move(fiber));
        }
    }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    void run(const std::vector<std::size_t>& order) {
        scheduler.shared = shared();
        std::memset(memory_.get(), 0xff, shared_bytes_ + 2 * kGuardBytes);
        poison(true);
        for (auto& fiber : fibers_) fiber->state = kRunning;
        while (step(order)) {
        }
        poison(false);
        check_guards();
    }

private:
    std::byte* shared() { return memory_.get() + kGuardBytes; }

    /// All threads to their next barrier or end; false when all have ended.
    bool step(const std::vector<std::size_t>& order) {
        for (const std::size_t n : order) {
            Fiber& fiber = *fibers_[n];
            if (fiber.state == kEnded) continue;
            fiber.state = kRunning;
            threadIdx = fiber.index;
            resume(fiber);
        }
        const int state = fibers_[0]->state;
        for (const auto& fiber : fibers_) {
            if (fiber->state == state) continue;
            throw std::logic_error("thread " + name_of(*fibers_[0]) + " and thread " + name_of(*fiber) +
                                   " of a block do not meet at one barrier");
        }
        return state != kEnded;
    }
    static std::string name_of(const Fiber& fiber) {
        const std::string index =
            std::to_string(fiber.index.x) + " " + std::to_string(fiber.index.y) + " " + std::to_string(fiber.index.z);
        return index + (fiber.state == kEnded ? " (ended)" : " (at line " + std::to_string(fiber.state) + ")");
    }

    void poison(bool on) {
        for (std::byte* guard : {memory_.get(), shared() + shared_bytes_}) {
            if (on) {
                ASAN_POISON_MEMORY_REGION(guard, kGuardBytes);
            } else {
                ASAN_UNPOISON_MEMORY_REGION(guard, kGuardBytes);
            }
        }
    }
    void check_guards() {
        for (const std::byte* guard : {memory_.get(), shared() + shared_bytes_}) {
            const bool untouched =
                std::all_of(guard, guard + kGuardBytes, [](std::byte b) { return b == std::byte{0xff}; });
            if (!untouched) throw std::logic_error("a kernel wrote beyond its shared memory");
        }
    }

    std::size_t shared_bytes_;
    std::unique_ptr<std::byte[]> memory_{new std::byte[shared_bytes_ + 2 * kGuardBytes]};
    std::vector<std::unique_ptr<Fiber>> fibers_;
};

std::vector<std::size_t> ordered(std::size_t n, Order order) {
    std::vector<std::size_t> all(n);
    for (std::size_t i = 0; i < n; ++i) all[i] = order == Order::reverse ? n - 1 - i : i;
    if (order == Order::shuffled) std::shuffle(all.begin(), all.end(), std::mt19937_64(n));
    return all;
}

}  // namespace

Order order_from_environment() {
    const char* name = std::getenv("REVOXEL_SIMT_ORDER");
    const std::string order = name ? name : "forward";
    if (order == "reverse") return Order::reverse;
    if (order == "shuffled") return Order::shuffled;
    if (order == "forward") return Order::forward;
    throw std::logic_error("REVOXEL_SIMT_ORDER is " + order + "; expected forward, reverse or shuffled");
}

std::byte* shared_memory() {
    return scheduler.shared;
}

void synchronise(int line) {
    Fiber* const fiber = scheduler.current;
    if (fiber == nullptr) throw std::logic_error("a kernel that was given no shared memory waits at a barrier");
    fiber->state = line;
    leave(*fiber);
}

void run(const Index3& grid, const Index3& block, std::size_t shared_bytes, const std::function<void()>& kernel) {
    ++launch_count;
    const Order order = order_from_environment();
    const std::vector<std::size_t> threads = ordered(static_cast<std::size_t>(block.x) * block.y * block.z, order);
    const std::vector<std::size_t> blocks = ordered(static_cast<std::size_t>(grid.x) * grid.y * grid.z, order);
    gridDim = grid;
    blockDim = block;
    scheduler.kernel = &kernel;
    scheduler.current = nullptr;
    std::optional<Block> fibers;
    if (shared_bytes > 0) fibers.emplace(block, shared_bytes);
    for (const std::size_t n : blocks) {
        blockIdx = index_of(n, grid);
        if (fibers) {
            fibers->run(threads);
            continue;
        }
        // Threads that share nothing wait for nothing: each runs from its begin to its end.
        for (const std::size_t t : threads) {
            threadIdx = index_of(t, block);
            kernel();
        }
    }
}

long launches() {
    return launch_count;
}

}  // namespace revoxel::simt
