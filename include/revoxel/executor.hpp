// Running plans.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "revoxel/plan.hpp"
#include "revoxel/volume.hpp"

namespace revoxel {

enum class Backend {
    automatic,  ///< the fastest that this build and this machine have
    reference,  ///< obvious loops, one thread, slow: the definition of the right bits
    cpu,        ///< threads and SIMD
    cuda,       ///< an NVIDIA GPU
};

const char* name_of(Backend backend) noexcept;
Backend backend_from_name(const std::string& name);  ///< Error(usage) lists the names

struct ExecutorOptions {
    int threads = 0;  ///< 0: one per core that this process may use. The result does not depend on it
    /// Called now and then from one of the working threads, one call at a time, with the share of the run that is done,
    /// 0 to 1. Must not throw.
    std::function<void(double)> progress;
};

/// Runs one plan, again and again. All memory is taken in the constructor (but for the later parts of large plans that
/// clip locally or leave out NaN). One run() at a time per executor; different
/// executors are independent.
class Executor {
public:
    virtual ~Executor() = default;
    /// Resamples one scalar field. The views must have the plan's extents and dtypes (else Error(usage)), must not
    /// overlap, and may have any strides. Every voxel of `output` is written.
    virtual void run(const ConstVolumeView& input, const VolumeView& output) = 0;
    /// Bytes of scratch memory that the executor holds.
    virtual std::int64_t workspace_bytes() const noexcept = 0;
    virtual std::string name() const = 0;
};

/// Throws Error(unavailable) when the backend is not in this build or not on this machine, or memory is not to be had.
std::unique_ptr<Executor> make_executor(const Plan& plan, Backend backend = Backend::automatic,
                                        const ExecutorOptions& options = {});

}  // namespace revoxel
