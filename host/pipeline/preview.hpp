// A picture of a volume before and after: middle axial, coronal and sagittal slices in world proportions.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "pipeline/canvas.hpp"
#include "pipeline/rows.hpp"

namespace revoxel::pipeline {

/// Directions for looking at a grid: unit vectors in world space, at right angles, towards the patient's right,
/// anterior and superior as nearly as the grid's axes go (oblique grids are shown along their own axes). A sheared
/// grid's third axis is replaced by the normal of the first two.
struct ViewFrame {
    std::array<Vec3, 3> axis;
};

ViewFrame view_frame(const Grid& grid);

/// Where three slices cut: the world position of the input voxel nearest to the middle of what the grids share.
/// `covered` is the box of output voxels inside the input.
Vec3 view_centre(const Grid& input, const Grid& output, const Extent& covered_lo, const Extent& covered_hi);

/// World position of the voxel nearest to the centroid of the labelled (positive) voxels: the middle of a label map's
/// field of view is often empty. Nothing when no voxel is labelled.
std::optional<Vec3> label_centre(const Volume& volume);

/// Values from lo (black) to hi (white).
struct Window {
    double lo = 0.0, hi = 1.0;
    bool soft_tissue = false;
};

/// -160 to 240 HU for what looks like CT (0.5 % of the values at or below -700 and 0.5 % at or above 150), else the 0.5
/// and 99.5 percentiles. Never empty.
Window choose_window(const ScaledVolume& values);

struct PreviewOptions {
    std::string title;
    bool labels_before = false, labels_after = false;  ///< a colour for each value, black for 0
    /// The values after are of another kind and have this window. Else both have that of the values before.
    std::optional<Window> window_after;
    Extent covered_lo{0, 0, 0}, covered_hi{0, 0, 0};  ///< Plan::covered
};

/// The first volume of each, nearest voxel, one scale (pixels per mm) for all panels. Radiological:
/// the patient's right is on the left of axial and coronal panels, anterior on the left of the sagittal ones. 800 to
/// 1600 pixels wide.
Canvas draw_preview(const ScaledVolume& before, const ScaledVolume& after, const PreviewOptions& options);

/// Throws Error(output) if write_png to this path would be refused before any work.
void check_picture_path(const std::string& path, bool overwrite);

/// Throws Error(output), also when the file exists and `overwrite` is false.
void write_png(const std::string& path, const Canvas& canvas, bool overwrite);

}  // namespace revoxel::pipeline
