#include "simt/simt.hpp"

#include <sanitizer/asan_interface.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
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

long launch_count = 0;

struct Fiber {
    ucontext_t context{};
    std::unique_ptr<std::byte[]> stack{new std::byte[kStackBytes]};
    Index3 index;
    int state = kRunning;
};

/// The threads of a block and its shared memory; used for one block after the other.
class Block {
public:
    Block(const Index3& size, std::size_t shared_bytes, const std::function<void()>& kernel)
        : size_(size),
          shared_bytes_(shared_bytes),
          memory_(new std::byte[shared_bytes + 2 * kGuardBytes]),
          kernel_(kernel),
          fibers_(static_cast<std::size_t>(size.x) * size.y * size.z) {
        std::size_t n = 0;
        for (unsigned z = 0; z < size.z; ++z)
            for (unsigned y = 0; y < size.y; ++y)
                for (unsigned x = 0; x < size.x; ++x) fibers_[n++].index = {x, y, z};
    }
    ~Block() { ASAN_UNPOISON_MEMORY_REGION(memory_.get(), shared_bytes_ + 2 * kGuardBytes); }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    std::byte* shared() { return memory_.get() + kGuardBytes; }

    void run(const std::vector<std::size_t>& order) {
        std::memset(memory_.get(), 0xff, shared_bytes_ + 2 * kGuardBytes);
        poison(true);
        for (Fiber& fiber : fibers_) start(fiber);
        while (step(order)) {
        }
        poison(false);
        check_guards();
    }

    void wait(int line) {
        Fiber& fiber = *current_;
        fiber.state = line;
        swapcontext(&fiber.context, &scheduler_);
        threadIdx = fiber.index;
    }

private:
    void start(Fiber& fiber) {
        fiber.state = kRunning;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.get();
        fiber.context.uc_stack.ss_size = kStackBytes;
        fiber.context.uc_link = &scheduler_;
        makecontext(&fiber.context, reinterpret_cast<void (*)()>(&Block::enter), 0);
    }
    static void enter();

    /// All threads to their next barrier or end; false when all have ended.
    bool step(const std::vector<std::size_t>& order) {
        for (const std::size_t n : order) {
            current_ = &fibers_[n];
            if (current_->state == kEnded) continue;
            current_->state = kRunning;
            threadIdx = current_->index;
            swapcontext(&scheduler_, &current_->context);
        }
        const int state = fibers_[0].state;
        for (const Fiber& fiber : fibers_) {
            if (fiber.state == state) continue;
            throw std::logic_error("thread " + name_of(fibers_[0]) + " and thread " + name_of(fiber) +
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

    Index3 size_;
    std::size_t shared_bytes_;
    std::unique_ptr<std::byte[]> memory_;
    const std::function<void()>& kernel_;
    std::vector<Fiber> fibers_;
    Fiber* current_ = nullptr;
    ucontext_t scheduler_{};
};

thread_local Block* running = nullptr;

void Block::enter() {
    Block& block = *running;
    block.kernel_();
    block.current_->state = kEnded;
}

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
    return running->shared();
}

void synchronise(int line) {
    running->wait(line);
}

void run(const Index3& grid, const Index3& block, std::size_t shared_bytes, const std::function<void()>& kernel) {
    ++launch_count;
    const Order order = order_from_environment();
    const std::vector<std::size_t> threads = ordered(static_cast<std::size_t>(block.x) * block.y * block.z, order);
    Block one(block, shared_bytes, kernel);
    running = &one;
    gridDim = grid;
    blockDim = block;
    for (const std::size_t n : ordered(static_cast<std::size_t>(grid.x) * grid.y * grid.z, order)) {
        blockIdx = {static_cast<unsigned>(n % grid.x), static_cast<unsigned>(n / grid.x % grid.y),
                    static_cast<unsigned>(n / grid.x / grid.y)};
        one.run(threads);
    }
    running = nullptr;
}

long launches() {
    return launch_count;
}

}  // namespace revoxel::simt
