// Whether a volume is a label map, by its values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "revoxel/nifti.hpp"
#include "revoxel/volume.hpp"

namespace revoxel::pipeline {

/// Facts of a label map, from a sample of at most about two million voxels of the first volume that is not blank.
struct LabelEvidence {
    bool whole_numbers = false;  ///< of the scaled values
    int distinct = 0;            ///< different values; counting stops beyond kMostLabels
    double equal_mean = 0.0;     ///< share of neighbours that are equal, of the pairs that are not both background (the
    double equal_least = 0.0;    ///< most frequent value): mean and least over the axes that have such pairs
};

inline constexpr int kMostLabels = 1024;

/// The values are slope * stored + intercept: an image of few levels that stand for 0.37 and 0.74 is no label map.
LabelEvidence label_evidence(const Volume& volume, double slope = 1.0, double intercept = 0.0);

/// The same from the slices of the first volume as they come by. Keeps the sampled ones and their neighbours.
class LabelSample {
public:
    explicit LabelSample(const io::NiftiHeader& header);
    /// Slice k in stored values; each slice once, in order.
    void add(const std::byte* slice, std::int64_t k);
    LabelEvidence evidence() const;

private:
    const io::NiftiHeader& header_;
    Extent n_;
    std::int64_t skip_, slices_ = 0;
    std::vector<std::byte> bytes_;
};

/// True for what is most likely a label map: whole numbers, and either very few values, or regions of equal value.
///
/// Bounds: on the label maps that these were set with the mean share of equal neighbours is 0.47 to 0.96 (lesions of
/// few voxels are low, but have few values too), on scans up to 0.33 (templates of 8 bits with smooth air). A ramp that
/// is constant along two axes has mean 0.67 but least 0.
bool looks_like_labels(const LabelEvidence& evidence);

}  // namespace revoxel::pipeline
