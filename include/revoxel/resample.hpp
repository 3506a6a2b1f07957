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

struct ResampleRequest {
    std::string input, output;  ///< an empty output plans only: plan_resample then checks no output path
    GridRequest grid;
    std::optional<Kernel> kernel;  ///< default: linear, nearest for labels
    Antialias antialias = Antialias::automatic;
    bool labels = false;
    std::optional<double> fill;  ///< in the units of the scaled values (HU, say); default 0
    bool fill_minimum = false;   ///< fill with the smallest finite value of the input instead
    std::optional<DType> dtype;  ///< default: the input's
    bool prefer_qform = false;
    Backend backend = Backend::automatic;
    int threads = 0;
    bool overwrite = false;
    int compression = 1;
};

/// What will be done: everything that is known before a voxel is read.
struct ResampleJob {
    ResampleRequest request;
    io::NiftiHeader input;
    io::NiftiHeader output;
    std::optional<io::NiftiHeader> reference;  ///< with GridRequest::like
    Plan plan;                                 ///< fill_minimum: the fill is set when the voxels have been read
    std::optional<GridPolicy> policy;          ///< in force; none with like
    std::optional<CountRule> rule;
    bool scaling_applied = false;  ///< the output holds scaled values and has no scl_slope
    std::vector<std::string> warnings;
};

/// The phases of a run, in order.
enum class Phase { read, prepare, resample, write };

/// Callbacks of a run; each may be empty and must not throw unless it says so.
struct ResampleObserver {
    /// Called now and then, one call at a time, with the share of the phase that is done, 0 to 1.
    std::function<void(Phase, double)> progress;
    /// Called once between resampling and writing, with stored values and their headers. May throw: the run then ends
    /// with that exception and nothing is written.
    std::function<void(const io::NiftiImage& input, const io::NiftiHeader& output_header, const Volume& output)>
        inspect;
};

/// Smallest and largest finite value, scaled; NaN when there is none.
struct ValueRange {
    double min, max;
};

struct ResampleResult {
    double read_s = 0, prepare_s = 0, resample_s = 0, write_s = 0;  ///< wall-clock seconds
    double check_s = 0;   ///< seconds for the value ranges and for what the warnings below rest on
    std::string backend;  ///< name() of the executor
    std::int64_t workspace_bytes = 0;
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
