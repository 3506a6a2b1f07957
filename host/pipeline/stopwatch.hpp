#pragma once

#include <chrono>
#include <utility>

namespace revoxel::pipeline {

class Stopwatch {
public:
    /// Seconds since the last lap.
    double lap() {
        const auto now = std::chrono::steady_clock::now();
        return std::chrono::duration<double>(now - std::exchange(start_, now)).count();
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace revoxel::pipeline
