// Progress: a bar on a terminal, now and then a plain line anywhere else.
#pragma once

#include <chrono>
#include <optional>

#include "revoxel/resample.hpp"

namespace revoxel::cli {

/// Tells on standard error what goes on, from the second second on: on a terminal by a bar, at most ten times a second;
/// elsewhere by a line for each phase and every ten seconds. One call at a time.
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
    void draw(Phase phase, double share, double elapsed) noexcept;

    bool enabled_, terminal_;
    bool drawn_ = false;
    std::optional<Phase> told_;  ///< the phase of the last plain line
    Clock::time_point start_ = Clock::now(), last_{};
};

}  // namespace revoxel::cli
