// Resampling volumes that are on an NVIDIA GPU already, on a stream of the caller's. Needs no CUDA header.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "revoxel/executor.hpp"
#include "revoxel/plan.hpp"
#include "revoxel/volume.hpp"

struct CUstream_st;

namespace revoxel::cuda {

/// A cudaStream_t. Null: the default stream of the plan's device.
using StreamHandle = CUstream_st*;

/// A GPU that the driver offers.
struct Device {
    int index = 0;     ///< as for cudaSetDevice
    std::string name;  ///< "NVIDIA H200"
    int compute_major = 0, compute_minor = 0;
    int multiprocessors = 0;
    std::int64_t memory_bytes = 0;
};

/// In the driver's order. Empty without CUDA in this build, a driver or a device, or with a driver older than the
/// build.
std::vector<Device> devices();

using revoxel::Precision;

/// What a precision costs, in one line: "exact" and why fast is not.
std::string describe(Precision precision);

struct DeviceOptions {
    int device = -1;  ///< its index; -1: the calling thread's current device
    Precision precision = Precision::exact;
    /// Oblique grids read a copy of the volume in the layout of textures, made anew for each run, where strides and
    /// extents allow it. The same bits. Costs a read and a write of the volume, memory for it, and batches (scratch).
    bool textures = false;
};

/// A plan with its tables on a device. All memory is taken when it is made. Not for plans that clip locally or leave
/// out NaN.
class DevicePlan {
public:
    virtual ~DevicePlan() = default;
    DevicePlan(const DevicePlan&) = delete;
    DevicePlan& operator=(const DevicePlan&) = delete;

    /// Queues the resampling of one scalar field and returns; does not wait for the stream, takes no memory, and can be
    /// captured into a CUDA graph. The views have the plan's extents and dtypes (else Error(usage)), any strides, and
    /// data on the plan's device; they do not overlap. The result is the reference executor's, bit for bit (but see
    /// Precision::fast). Throws Error(unavailable) when a kernel cannot be launched; what goes wrong in it is
    /// told by whoever waits for the stream.
    /// Several runs of one plan may be queued, but on one stream at a time where scratch_bytes() is not 0. One call at
    /// a time per plan.
    virtual void run(const ConstVolumeView& input, const VolumeView& output, StreamHandle stream) = 0;

    /// Bytes on the device: tables, and what is between the steps of the plan.
    virtual std::int64_t bytes() const noexcept = 0;
    /// Of them, what a run writes.
    virtual std::int64_t scratch_bytes() const noexcept = 0;
    virtual const Plan& plan() const noexcept = 0;
    virtual int device() const noexcept = 0;

protected:
    DevicePlan() = default;
};

/// Throws Error(unavailable) where this build or this machine cannot run it, or the device has too little memory.
std::unique_ptr<DevicePlan> make_device_plan(const Plan& plan, const DeviceOptions& options = {});

/// Volumes for one plan.
struct DeviceJob {
    DevicePlan* plan = nullptr;
    ConstVolumeView input;  ///< the first; data on the device
    VolumeView output;      ///< the first
    std::int64_t count = 1;
    std::int64_t input_step = 0;   ///< scalars from a volume's first voxel to the next one's; 0: all read the same
    std::int64_t output_step = 0;  ///< the same of the outputs
    /// Of plans by make_patch_plan (plan.hpp): on the device, count x 3 x 4 doubles, row after row: output index (i, j,
    /// k, 1) to continuous input index. Null: that of the plan.
    const double* affines = nullptr;
};

/// Queues many volumes at once, with few launches: as DevicePlan::run for each of them, in any order. Plans may differ;
/// all are on one device. Volumes of plans with scratch_bytes() run one after the other.
void run(const std::vector<DeviceJob>& jobs, StreamHandle stream);

/// Scores of classes, one field for each channel, to labels. All memory is taken when it is made.
class ArgmaxPlan {
public:
    virtual ~ArgmaxPlan() = default;
    ArgmaxPlan(const ArgmaxPlan&) = delete;
    ArgmaxPlan& operator=(const ArgmaxPlan&) = delete;

    /// Queues it all and returns. Writes, in each output voxel, the label of the channel whose resampled score is
    /// largest: the first of equals, and NaN is less than any score. Voxels without a score (outside the input, or NaN
    /// in all channels) hold the plan's fill. Bit for bit that of resampling each channel whole, into the plan's
    /// compute type. `scores` is the first channel, of the plan's input dtype; the next one begins `step` scalars on.
    /// Labels have any dtype, saturated into it. Otherwise as DevicePlan::run; on one stream at a time.
    virtual void run(const ConstVolumeView& scores, std::int64_t step, const VolumeView& labels,
                     StreamHandle stream) = 0;

    /// Bytes on the device.
    virtual std::int64_t bytes() const noexcept = 0;
    virtual const Plan& plan() const noexcept = 0;
    virtual int device() const noexcept = 0;

protected:
    ArgmaxPlan() = default;
};

/// `plan` resamples one channel; its output dtype plays no part. `labels` has one for each channel. Resampled scores of
/// all channels are held for parts of the output that need at most `scratch_bytes` (at least a row); of plans with
/// DevicePlan::scratch_bytes(), such as B-splines on oblique grids, those of one channel are held whole, twice.
/// Throws as make_device_plan, and Error(usage) without labels.
std::unique_ptr<ArgmaxPlan> make_argmax_plan(const Plan& plan, const std::vector<std::int64_t>& labels,
                                             const DeviceOptions& options = {},
                                             std::int64_t scratch_bytes = std::int64_t{64} << 20);

}  // namespace revoxel::cuda
