// File to file: what `revoxel resample` does, as two calls.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "revoxel/executor.hpp"
#include "revoxel/grid.hpp"
#include "revoxel/nifti.hpp"
#include "revoxel/plan.hpp"

namespace revoxel {

/// One way to say the output grid. Exactly one of the members is set (policy and rule qualify it).
struct GridRequest {
    std::optional<Vec3> spacing_mm;      ///< 0 keeps an axis
    std::optional<Extent> extent;        ///< voxels
    std::optional<std::string> iso;      ///< "min", "max", "geomean" or a spacing in mm
    std::optional<std::int64_t> budget;  ///< voxels
    std::optional<std::string> like;     ///< path of a reference NIfTI
    std::optional<GridPolicy> policy;    ///< default: centre; edges for extent. Not with like
    std::optional<CountRule> rule;       ///< default: ceil. Not with like or extent
};

/// What a scan resolves and what the result is to resolve: full widths at half maximum of a Gaussian, in mm, one for
/// each input axis.
struct ResolutionRequest {
    std::optional<Vec3> source_fwhm_mm;  ///< of the scan as its voxels show it; needed for a target
    std::optional<Vec3> target_fwhm_mm;  ///< of the result; not below the source's
    std::optional<double>
        slice_thickness_mm;  ///< what a voxel is the mean of along the slice axis; default: the spacing
};

/// How a label map, or one label of it, is made.
struct LabelRequest {
    bool labels = false;             ///< the input is a label map, and so is the output: votes
    std::optional<double> fraction;  ///< the share of this label in each output voxel instead, 0 to 1
    bool keep = false;               ///< a label that would vanish keeps the voxel where its share is largest
    bool argmax = false;             ///< volumes are the scores of classes; the output is the class of the largest
    bool softmax = false;            ///< argmax: scores become probabilities, voxel by voxel, before they are resampled
    std::vector<std::int64_t> table;  ///< argmax: the label of each volume; default 0, 1, 2, ...
};

/// Where a member is not set, the preset decides, and without one the default that is given here.
struct ResampleRequest {
    std::string input, output;          ///< an empty output plans only: plan_resample then checks no output path
    std::optional<std::string> preset;  ///< the conventions of another program: preset_names()
    GridRequest grid;
    std::optional<PerAxis<Kernel>> kernel;  ///< linear; bspline3 with a target resolution
    std::optional<KernelShape> shape;
    std::optional<PerAxis<Antialias>> antialias;  ///< automatic; none with a target resolution
    std::optional<Boundary> boundary;             ///< edge; constant holds the fill
    std::optional<Outside> outside;               ///< fill
    std::optional<Clip> clip;                     ///< none
    std::optional<Rounding> rounding;             ///< even
    std::optional<double> nan_fill;  ///< NaN of the input becomes this, in scaled units; default: NaN stays
    bool nan_aware =
        false;  ///< NaN and infinities are left out, the weights of the rest renormalised; not with nan_fill
    std::optional<double> mask_threshold;  ///< the output is 1 where the scaled value, to 6 decimals, is at least this
    ResolutionRequest resolution;
    LabelRequest label;
    std::optional<double> fill;  ///< in the units of the scaled values (HU, say); default 0
    bool fill_minimum = false;   ///< fill with the smallest finite value of the input instead
    std::optional<DType>
        dtype;  ///< the input's; float32 for fractions, uint8 for masks, what the table needs for argmax
    bool prefer_qform = false;
    Backend backend = Backend::automatic;
    std::vector<int> devices;     ///< GPUs that share the work; empty: the first
    std::int64_t gpu_memory = 0;  ///< bytes to take on each; 0: most of what is free
    Precision precision = Precision::exact;
    int threads = 0;
    std::int64_t memory = 0;  ///< bytes that the run may take; 0: as it needs, streamed where that is possible
    bool overwrite = false;
    int compression = io::kFastCompression;  ///< effort for .gz, 0 (stored) to 9 (smallest)
};

/// What a volume resolves along each input axis, in mm: full width at half maximum of sigma_sys^2 + a^2/12, with
/// sigma_sys the blur of the system and of all filters, and a the width that a voxel is the mean of.
struct EffectiveResolution {
    Vec3 before_mm{}, after_mm{};
    Vec3 kernel_fwhm_mm{};          ///< of the Gaussian that takes the source to the target; 0 where there is none
    std::optional<int> slice_axis;  ///< the input axis of ResolutionRequest::slice_thickness_mm
};

/// The names that ResampleRequest::preset can have.
std::vector<std::string> preset_names();

/// What will be done: everything that is known before a voxel is read.
struct ResampleJob {
    ResampleRequest request;
    io::NiftiHeader input;
    io::NiftiHeader output;
    std::optional<io::NiftiHeader> reference;  ///< with GridRequest::like
    Plan plan;                                 ///< fill_minimum: the fill is set when the voxels have been read
    std::optional<GridPolicy> policy;          ///< in force; none with like
    std::optional<CountRule> rule;
    bool scaling_applied = false;                   ///< the output holds scaled values and has no scl_slope
    std::optional<EffectiveResolution> resolution;  ///< where ResolutionRequest has anything
    std::vector<std::string> warnings;
};

/// The phases of a run, in order.
enum class Phase { read, prepare, resample, write };

/// Callbacks of a run; each may be empty and must not throw unless it says so.
struct ResampleObserver {
    /// Called now and then, one call at a time, with the share of the phase that is done, 0 to 1.
    std::function<void(Phase, double)> progress;
    /// Called once between resampling and writing, with stored values and their headers. May throw: the run then ends
    /// with that exception and nothing is written. Where it is set both volumes are held in memory; where it is not,
    /// most jobs are streamed in slabs.
    std::function<void(const io::NiftiImage& input, const io::NiftiHeader& output_header, const Volume& output)>
        inspect;
};

/// Smallest and largest finite value, scaled; NaN when there is none.
struct ValueRange {
    double min, max;
};

/// A label that was lost and has got an output voxel back.
struct KeptLabel {
    std::int64_t value = 0;  ///< as stored
    std::int64_t frame = 0;
    Extent index{0, 0, 0};  ///< of the output voxel
    double fraction = 0.0;  ///< of the votes there, 0 to 1
};

struct ResampleResult {
    double read_s = 0, prepare_s = 0, resample_s = 0, write_s = 0;  ///< wall-clock seconds; streamed: waiting for files
    std::int64_t slab = 0;                                          ///< output slices of a slab; 0: not streamed
    double check_s = 0;          ///< seconds for the value ranges and for what the warnings below rest on
    std::string backend;         ///< name() of the executor
    std::string backend_reason;  ///< why Backend::automatic took it; empty where there was nothing to choose
    std::int64_t workspace_bytes = 0;
    std::vector<KeptLabel> kept_labels;  ///< LabelRequest::keep; frame by frame, ascending
    ValueRange input_range{}, output_range{};
    std::int64_t output_file_bytes = 0;
    std::vector<std::string> warnings;  ///< found while running; those of the job are not repeated
};

/// Reads headers, decides the grid, plans. Reads no voxel and writes nothing: the dry run.
/// Throws Error (usage, input, output) for everything that can be known now.
ResampleJob plan_resample(const ResampleRequest& request);

/// Runs a planned job. Throws Error (input, output, unavailable); the output file then does not exist or is what it
/// was.
ResampleResult run_resample(const ResampleJob& job, const ResampleObserver& observer = {});

}  // namespace revoxel
