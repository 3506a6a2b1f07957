// Which backend runs a job, and what happens when a GPU fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "revoxel/error.hpp"
#include "revoxel/executor.hpp"

namespace revoxel {

// What Backend::automatic reckons with. The CPU's figures are from bench/results (two cores, int16, linear); a GPU's
// have not been measured: start-up and bus are what such machines usually have, the rest is a fifth of an H200's
// bandwidth.
inline constexpr double kCpuValuesPerSecond = 400e6;      ///< of one thread, input and output voxels, up to kCheapTaps
inline constexpr double kCpuPointsPerSecond = 100e6;      ///< of one thread, oblique output voxels, up to kCheapTaps
inline constexpr double kCheapTaps = 8;                   ///< more take longer in proportion
inline constexpr double kGpuStartSeconds = 0.3;           ///< the first use of a GPU by a process
inline constexpr double kGpuCopyBytesPerSecond = 12e9;    ///< to the GPU or from it
inline constexpr double kGpuKernelBytesPerSecond = 1e12;  ///< read and written by kernels, up to kCheapTaps

/// What is known of the machine. A GPU is asked for only where it could pay: asking alone takes time.
struct Machine {
    int threads = 1;
    bool gpu_in_build = false;
    bool gpu_started = false;                    ///< this process has used it
    std::function<std::string()> gpu_name;       ///< empty: there is none that can be used
    std::function<std::string()> gpu_complaint;  ///< then: why
};
Machine this_machine(int threads);

struct BackendChoice {
    Backend backend = Backend::cpu;  ///< not automatic
    bool falls_back = false;         ///< to the CPU when it fails
    std::string reason;              ///< of Backend::automatic, where the build has a choice
};

/// For `fields` scalar fields with this plan.
BackendChoice choose_backend(Backend asked, const Plan& plan, std::int64_t fields, const Machine& machine);

/// Seconds that a run is expected to take, without files.
double expected_cpu_seconds(const Plan& plan, std::int64_t fields, int threads);
double expected_gpu_seconds(const Plan& plan, std::int64_t fields, bool started);

/// Whether a GPU, not the request, is to blame.
inline bool may_be_mended_by_cpu(const Error& error) {
    return error.code() == ErrorCode::unavailable || error.code() == ErrorCode::device_memory;
}

/// Makes the executors of one job on what was chosen for it. After a GPU that automatic chose has failed, all run on
/// the CPU. Copies share that knowledge. One thread at a time.
class BackendSelection {
public:
    explicit BackendSelection(BackendChoice choice);

    /// Throws as make_executor of revoxel/executor.hpp.
    std::unique_ptr<Executor> make(const Plan& plan, const ExecutorOptions& options) const;
    /// run(backend), which does a whole job and can do it again; on the CPU where a GPU that automatic chose fails.
    template <typename Run>
    auto run_or_fall_back(const Run& run, const ExecutorOptions& options) const {
        if (!choice_->falls_back) return run(choice_->backend);
        try {
            return run(choice_->backend);
        } catch (const Error& error) {
            if (!may_be_mended_by_cpu(error)) throw;
            fall_back(error.what(), options);
        }
        return run(choice_->backend);
    }
    const BackendChoice& choice() const noexcept { return *choice_; }
    /// One line for ExecutorOptions::warn. From now on it is the CPU.
    void fall_back(const std::string& failure, const ExecutorOptions& options) const;

private:
    std::shared_ptr<BackendChoice> choice_;
};

/// Bytes on the host, not initialised, from where this backend copies fastest. Throws std::bad_alloc.
std::shared_ptr<std::byte[]> allocate_host(std::size_t bytes, Backend backend);

}  // namespace revoxel
