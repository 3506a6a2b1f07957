// A progress bar on a terminal; nothing anywhere else.
#pragma once

#include <chrono>

#include "revoxel/resample.hpp"

namespace revoxel::cli {

/// Draws on standard error when that is a terminal, from the second second on, at most ten times a second. One call at
/// a time.
class Progress {
public:
    explicit Progress(bool wanted);
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void update(Phase phase, double share) noexcept;
    /// Takes the bar away, so that a line can be printed.
    void clear() noexcept;

private:
    using Clock = std::chrono::steady_clock;
    bool enabled_;
    bool drawn_ = false;
    Clock::time_point start_ = Clock::now(), last_{};
};

}  // namespace revoxel::cli
