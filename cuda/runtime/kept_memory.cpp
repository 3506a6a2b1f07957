// Memory that is moved, lent or kept: what needs no word of CUDA, so that the tests run the same.
#include <mutex>
#include <new>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/cuda_backend.hpp"
#include "revoxel/error.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {
namespace {

constexpr std::align_val_t kAlignment{64};
constexpr std::size_t kMostKept = std::size_t{256} << 20;

thread_local ScratchLender* lender = nullptr;

/// Pinned memory that nobody uses now.
class KeptPinned {
public:
    /// One that is large enough and not much too large, with its size; null: none.
    std::pair<std::byte*, std::size_t> take(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        auto best = blocks_.end();
        for (auto b = blocks_.begin(); b != blocks_.end(); ++b) {
            if (b->second < bytes || b->second > 2 * bytes) continue;
            if (best == blocks_.end() || b->second < best->second) best = b;
        }
        if (best == blocks_.end()) return {};
        const auto found = *best;
        blocks_.erase(best);
        kept_ -= found.second;
        return found;
    }
    /// False: there is too much already.
    bool keep(std::byte* data, std::size_t bytes) noexcept try {
        const std::lock_guard lock(mutex_);
        if (kept_ + bytes > kMostKept) return false;
        blocks_.emplace_back(data, bytes);
        kept_ += bytes;
        return true;
    } catch (...) {
        return false;
    }

private:
    std::mutex mutex_;
    std::vector<std::pair<std::byte*, std::size_t>> blocks_;
    std::size_t kept_ = 0;
};

KeptPinned& kept_pinned() {
    static auto& kept = *new KeptPinned;  // never destroyed: the driver may be gone before it
    return kept;
}

}  // namespace

ScratchLender::ScratchLender(std::vector<DeviceMemory>& blocks)
    : blocks_(blocks), lent_(blocks.size(), false), before_(std::exchange(lender, this)) {}

ScratchLender::~ScratchLender() {
    lender = before_;
}

ScratchLender* ScratchLender::current() noexcept {
    return lender;
}

std::byte* ScratchLender::lend(std::size_t bytes) {
    if (bytes == 0) return nullptr;
    std::size_t best = blocks_.size();
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
        if (lent_[b] || blocks_[b].bytes() < bytes) continue;
        if (best == blocks_.size() || blocks_[b].bytes() < blocks_[best].bytes()) best = b;
    }
    if (best == blocks_.size()) {
        blocks_.push_back(DeviceMemory::lasting(bytes));
        lent_.push_back(false);
    }
    lent_[best] = true;
    lent_bytes_ += bytes;
    return blocks_[best].data();
}

DeviceMemory::DeviceMemory(DeviceMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      device_(std::exchange(other.device_, -1)) {}

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
    if (this != &other) {
        release();
        data_ = std::exchange(other.data_, nullptr);
        bytes_ = std::exchange(other.bytes_, 0);
        device_ = std::exchange(other.device_, -1);
    }
    return *this;
}

PinnedMemory::PinnedMemory(std::size_t bytes) : bytes_(bytes), pinned_(true) {
    if (bytes == 0) return;
    std::tie(data_, bytes_) = kept_pinned().take(bytes);
    if (data_) return;
    bytes_ = bytes;
    data_ = pin(bytes);
    if (data_) return;
    pinned_ = false;
    data_ = static_cast<std::byte*>(::operator new(bytes, kAlignment));
}

PinnedMemory::PinnedMemory(PinnedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      pinned_(std::exchange(other.pinned_, false)) {}

PinnedMemory& PinnedMemory::operator=(PinnedMemory&& other) noexcept {
    if (this != &other) {
        release();
        data_ = std::exchange(other.data_, nullptr);
        bytes_ = std::exchange(other.bytes_, 0);
        pinned_ = std::exchange(other.pinned_, false);
    }
    return *this;
}

void PinnedMemory::release() noexcept {
    if (!data_) return;
    if (!pinned_) {
        ::operator delete(data_, kAlignment);
    } else if (!kept_pinned().keep(data_, bytes_)) {
        unpin(data_);
    }
}

std::shared_ptr<std::byte[]> pinned_bytes(std::size_t bytes) {
    const auto memory = std::make_shared<PinnedMemory>(bytes);
    return {memory, memory->data()};
}

std::string complaint() {
    try {
        check_device();
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

}  // namespace revoxel::cuda
