// One spacing for a cohort: what its headers say, and what bringing every file to that spacing would mean. No voxel is
// looked at. Definitions: docs/planning.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "revoxel/nifti.hpp"

namespace revoxel::pipeline {

/// Voxels of one volume: 100 MB of int16. A 512 x 512 x 600 CT of 0.7 mm comes to about 1 mm.
inline constexpr std::int64_t kDefaultBudget = 50'000'000;

/// More than this is worth a word: a voxel that is seen is then mostly interpolated.
inline constexpr double kMuchUpsampled = 2.0;

// What the time estimate rests on: the fastest of a few runs of `revoxel resample` on an int16 CT with two cores.
// Bytes are of voxels in memory.
inline constexpr double kGunzipBytesPerSecond = 300e6;
inline constexpr double kReadBytesPerSecond = 2000e6;  ///< not compressed, from the page cache
inline constexpr double kVoxelsPerSecond = 800e6;      ///< input and output voxels, linear
inline constexpr double kGzipBytesPerSecond = 350e6;   ///< level 1

// A scan is a statistical outlier where it is off the cohort's median by more than kOutlierMads median absolute
// deviations of the logarithm, and by more than kOutlierFactor either way, in a cohort of at least
// kFewestForStatistics.
inline constexpr double kOutlierMads = 5.0;
inline constexpr double kOutlierFactor = 1.2;
inline constexpr std::int64_t kFewestForStatistics = 4;

struct CohortScan {
    std::string path;
    io::NiftiHeader header;
};

enum class Oddity {
    spacing,          ///< of an axis, mm
    anisotropy,       ///< coarsest over finest spacing
    field_of_view,    ///< along an axis, mm
    volumes,          ///< their number (4-D), where most of the cohort has another one
    two_dimensional,  ///< one slice, whose thickness nobody resamples
    single_voxel,     ///< along an axis of a 3-D file
    no_transform,     ///< neither sform nor qform: spacing from pixdim, orientation unknown
    forms_disagree,   ///< sform and qform, voxels at the worst corner
    shear,            ///< cosine between two axes
};

const char* name_of(Oddity oddity) noexcept;  ///< "spacing", "field_of_view", ...

/// One reason why a scan is an outlier.
struct Finding {
    Oddity oddity = Oddity::spacing;
    int axis = -1;       ///< -1: of the whole scan
    double value = 0.0;  ///< of the scan
    double usual = 0.0;  ///< the cohort's median or most frequent number; 0 where there is nothing to compare with
};

struct PlannedScan {
    CohortScan scan;
    int axes = 3;  ///< that count: 2 in a two-dimensional file
    Vec3 spacing_mm{}, fov_mm{};
    double anisotropy = 1.0;
    std::vector<Finding> findings;  ///< an outlier where there is any

    // At the recommended spacing.
    Extent extent{};
    Vec3 step{1, 1, 1};       ///< input voxels per output voxel; exactly 1 for an axis that is kept as it is
    std::int64_t voxels = 0;  ///< of one volume
    std::int64_t input_bytes = 0, output_bytes = 0;  ///< of the voxels of all volumes, not compressed
    std::int64_t peak_bytes = 0;                     ///< estimate: what a run takes on this machine
    double seconds = 0.0;                            ///< estimate, written as .gz

    bool downsampled(int axis) const { return step[axis] > 1.0; }
    bool much_upsampled(int axis) const { return step[axis] * kMuchUpsampled < 1.0; }
};

struct Recommendation {
    double spacing_mm = 0.0;    ///< rounded, as it is to be typed
    double exact_mm = 0.0;      ///< before rounding
    bool budget_binds = false;  ///< else the finest input axis decides
    std::size_t decided_by = 0;
    double finest_mm = 0.0;  ///< of all axes of all scans
    std::size_t finest_scan = 0;
    int finest_axis = 0;
};

inline constexpr std::array<int, 7> kCohortPercentiles{0, 5, 25, 50, 75, 95, 100};

struct Distribution {
    std::int64_t count = 0;
    /// Nearest rank: the value at position floor(p/100 (count - 1) + 1/2) in order. Always one that occurs.
    std::array<double, kCohortPercentiles.size()> percentiles{};

    double median() const { return percentiles[kCohortPercentiles.size() / 2]; }
};

Distribution distribution_of(std::vector<double> values);

/// How many scans change one way, and how many of them along each axis.
struct AxisChange {
    std::int64_t scans = 0;
    std::array<std::int64_t, 3> axes{};
    double largest = 1.0;  ///< factor
};

struct CohortPlan {
    std::int64_t budget = kDefaultBudget;
    std::vector<PlannedScan> scans;
    Recommendation recommended;
    std::optional<Recommendation> without_outliers;  ///< where there are some and it is another spacing
    std::array<Distribution, 3> spacing_mm, extent, fov_mm;
    Distribution anisotropy;
    std::int64_t outliers = 0;
    /// What more than half of the scans share is no reason to single one out: what, and how many.
    std::vector<std::pair<Oddity, std::int64_t>> shared;
    AxisChange downsampled, much_upsampled;
    std::int64_t input_bytes = 0, output_bytes = 0;
    std::size_t largest_output = 0, largest_peak = 0;
    double seconds = 0.0;  ///< one file after another
};

/// The recommendation is the finest isotropic spacing at which no scan's output has more than `budget` voxels (a
/// volume, as resample --budget counts), never finer than the finest axis of any scan. A finest axis keeps six digits,
/// so that axes of that spacing are copied; else it is rounded up to three. Throws Error(usage) without a scan and for
/// a budget below 1.
CohortPlan plan_cohort(std::vector<CohortScan> scans, std::int64_t budget = kDefaultBudget);

}  // namespace revoxel::pipeline
