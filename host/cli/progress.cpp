#include "cli/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
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

Progress::Progress(bool wanted) : enabled_(wanted), terminal_(::isatty(STDERR_FILENO) == 1) {}

void Progress::update(Phase phase, double share) noexcept {
    if (!enabled_) return;
    const Clock::time_point now = Clock::now();
    const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000);
    const bool news = !terminal_ && told_ != phase;
    if (now - start_ < std::chrono::seconds(1) || (!news && now - last_ < pause)) return;
    last_ = now;
    told_ = phase;
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    const double done = std::clamp(share, 0.0, 1.0);
    if (terminal_) {
        draw(phase, done, elapsed);
    } else {
        std::fprintf(stderr, "revoxel: %s, %.0f %% done, %.1f s\n", name_of(phase), 100.0 * done, elapsed);
    }
}

void Progress::draw(Phase phase, double done, double elapsed) noexcept {
    char bar[kWidth + 1];
    for (int c = 0; c < kWidth; ++c) bar[c] = c < static_cast<int>(done * kWidth) ? '#' : '-';
    bar[kWidth] = '\0';
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
