// Running plans.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

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

/// How a GPU interpolates on oblique grids. Nothing else changes.
enum class Precision {
    exact,  ///< the bits of the reference executor
    /// Linear interpolation by the texture hardware, whose weights have 8 bits: off by up to 3/512 (0.59 %) of the
    /// range of the eight voxels around a position, 1/512 (0.2 %) for each axis along which it lies between voxels; NaN
    /// spreads to the position's neighbours, and -32768 of int16 (-128 of int8) reads as the value above it. For kernel
    /// linear with ComputeType::f32 and input of up to 16 bits or float32 whose strides are those of rows and slices (i
    /// fastest, no gaps between voxels); other kernels, types, strides, boundary renormalise and extents beyond the
    /// device's textures stay exact, and so does a volume in slabs whose textures leave no room.
    fast,
};

const char* name_of(Precision precision) noexcept;
Precision precision_from_name(const std::string& name);  ///< Error(usage) lists the names

struct ExecutorOptions {
    int threads = 0;  ///< 0: one per core that this process may use. The result does not depend on it
    // Of GPUs. Of them only the precision changes a result.
    std::vector<int> devices;        ///< that share the work; empty: the calling thread's. Named twice: two shares
    std::int64_t device_memory = 0;  ///< bytes to take on each; 0: most of what is free
    Precision precision = Precision::exact;
    /// Called with one line when a GPU that Backend::automatic chose has failed and the CPU does the work again.
    std::function<void(const std::string&)> warn;
    /// Called now and then from one of the working threads, one call at a time, with the share of the run that is done,
    /// 0 to 1. Must not throw.
    std::function<void(double)> progress;
};

/// Runs one plan, again and again. All memory is taken in the constructor (but for the later parts of large plans that
/// clip locally or leave out NaN, and for pieces of pinned memory that the first run on a GPU needs). One run() at a
/// time per executor; different executors are independent.
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

/// Throws Error(unavailable) when the backend is not in this build or not on this machine, or memory is not to be had;
/// Error(device_memory) when it is the GPU's. Backend::automatic takes the CPU then.
std::unique_ptr<Executor> make_executor(const Plan& plan, Backend backend = Backend::automatic,
                                        const ExecutorOptions& options = {});

}  // namespace revoxel
