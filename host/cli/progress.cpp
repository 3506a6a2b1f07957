#include "cli/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace revoxel::cli {
namespace {

constexpr int kWidth = 40;

const char* name_of(Phase phase) {
    switch (phase) {
        case Phase::read: return "reading";
        case Phase::prepare: return "preparing";
        case Phase::resample: return "resampling";
        case Phase::write: break;
    }
    return "writing";
}

}  // namespace

Progress::Progress(bool wanted) : enabled_(wanted && ::isatty(STDERR_FILENO) == 1) {}

void Progress::update(Phase phase, double share) noexcept {
    if (!enabled_) return;
    const Clock::time_point now = Clock::now();
    if (now - start_ < std::chrono::seconds(1) || now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    const double done = std::clamp(share, 0.0, 1.0);
    char bar[kWidth + 1];
    for (int c = 0; c < kWidth; ++c) bar[c] = c < static_cast<int>(done * kWidth) ? '#' : '-';
    bar[kWidth] = '\0';
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    std::fprintf(stderr, "\r%-10s [%s] %3.0f %%  %5.1f s\033[K", name_of(phase), bar, 100.0 * done, elapsed);
    std::fflush(stderr);
    drawn_ = true;
}

void Progress::clear() noexcept {
    if (!drawn_) return;
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    drawn_ = false;
}

}  // namespace revoxel::cli
