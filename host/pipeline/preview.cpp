#include "pipeline/preview.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "io/atomic_file.hpp"
#include "io/png.hpp"
#include "pipeline/statistics.hpp"

namespace revoxel::pipeline {
namespace {

constexpr Colour kPage{22, 23, 26}, kOutside{40, 42, 48}, kRim{70, 74, 82}, kText{226, 228, 232}, kQuiet{150, 154, 162},
    kAccent{255, 196, 87};
constexpr int kMargin = 24, kGap = 14, kWidest = 1560, kNarrowest = 800, kTallestPanel = 520, kSmallestPanel = 20;

Vec3 scaled_by(const Vec3& v, double f) {
    return {v[0] * f, v[1] * f, v[2] * f};
}
Vec3 plus(const Vec3& a, const Vec3& b) {
    return {a[0] + b[0], a[1] + b[1], a[2] + b[2]};
}
double dot(const Vec3& a, const Vec3& b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/// An affine without its translation, for differences of positions.
Vec3 direction(const Affine& a, const Vec3& v) {
    Vec3 d;
    for (int r = 0; r < 3; ++r) d[r] = a(r, 0) * v[0] + a(r, 1) * v[1] + a(r, 2) * v[2];
    return d;
}

/// What one panel shows: the plane through the view's centre along `right` and `up`, both in view-frame axes.
struct PanelKind {
    const char* name;
    int right, up;        // axes of the view frame; `right` is shown reversed, towards the patient's left or back
    const char* letters;  // at the left, right, top and bottom rim
};

constexpr std::array<PanelKind, 3> kPanels{
    {{"axial", 0, 1, "RLAP"}, {"coronal", 0, 2, "RLSI"}, {"sagittal", 1, 2, "APSI"}}};

/// Field of view along the axes of a frame, in mm from a centre.
struct Bounds {
    std::array<double, 3> lo, hi;
    double size(int axis) const { return hi[axis] - lo[axis]; }
};

Bounds bounds_of(const std::array<const Grid*, 2>& grids, const ViewFrame& frame, const Vec3& centre) {
    Bounds b;
    b.lo.fill(std::numeric_limits<double>::infinity());
    b.hi.fill(-std::numeric_limits<double>::infinity());
    for (const Grid* grid : grids) {
        for (int corner = 0; corner < 8; ++corner) {
            Vec3 p;
            for (int d = 0; d < 3; ++d) p[d] = (corner >> d & 1) ? static_cast<double>(grid->extent[d]) - 0.5 : -0.5;
            const Vec3 world = plus(grid->affine * p, scaled_by(centre, -1.0));
            for (int a = 0; a < 3; ++a) {
                b.lo[a] = std::min(b.lo[a], dot(world, frame.axis[a]));
                b.hi[a] = std::max(b.hi[a], dot(world, frame.axis[a]));
            }
        }
    }
    return b;
}

/// Reads colours of voxels.
class Painter {
public:
    Painter(const ScaledVolume& values, const Window& window, bool labels)
        : values_(values), window_(window), labels_(labels), to_index_(inverse(values.volume->grid().affine)) {}

    const Affine& to_index() const { return to_index_; }

    /// The colour at a continuous index; kOutside beyond the field of view.
    Colour at(const Vec3& index) const {
        const Volume& volume = *values_.volume;
        Extent voxel;
        for (int d = 0; d < 3; ++d) {
            // The nudge keeps planes that run exactly between two voxels from flickering with rounding.
            const double nearest = std::floor(index[d] + 0.5 + 1e-6);
            if (!(nearest >= 0.0) || nearest >= static_cast<double>(volume.grid().extent[d])) return kOutside;
            voxel[d] = static_cast<std::int64_t>(nearest);
        }
        if (volume.components() >= 3) return {byte(value(voxel, 0)), byte(value(voxel, 1)), byte(value(voxel, 2))};
        double x = values_.scaled(value(voxel, 0));
        if (volume.components() == 2) x = std::hypot(value(voxel, 0), value(voxel, 1));
        if (labels_) return label_colour(x);
        const std::uint8_t grey = byte(255.0 * (x - window_.lo) / (window_.hi - window_.lo));
        return {grey, grey, grey};
    }

private:
    double value(const Extent& voxel, int component) const {
        const ConstVolumeView view = values_.volume->view(0, component);
        const std::int64_t offset = voxel[0] * view.stride[0] + voxel[1] * view.stride[1] + voxel[2] * view.stride[2];
        return dispatch(view.dtype, [&](auto zero) {
            return static_cast<double>(static_cast<const decltype(zero)*>(view.data)[offset]);
        });
    }

    static std::uint8_t byte(double x) {
        return static_cast<std::uint8_t>(x > 0.0 ? std::min(255.0, std::floor(x + 0.5)) : 0.0);
    }

    /// Neighbouring labels get hues far apart: multiples of the golden ratio.
    static Colour label_colour(double label) {
        if (!std::isfinite(label) || label == 0.0) return {0, 0, 0};
        const double hue = 6.0 * std::fabs(std::fmod(label * 0.6180339887498949 + 0.1, 1.0));
        const auto channel = [hue](double shift) {
            const double k = std::fmod(hue + shift, 6.0);
            return byte(245.0 - 160.0 * std::clamp(std::min(k, 4.0 - k), 0.0, 1.0));
        };
        return {channel(5.0), channel(3.0), channel(1.0)};
    }

    ScaledVolume values_;
    Window window_;
    bool labels_;
    Affine to_index_;
};

struct Layout {
    double pixels_per_mm = 1.0;
    std::array<int, 3> left{}, width{}, height{};
    int row_height = 0, page_width = 0, page_height = 0;
    std::array<int, 2> header{}, top{};
    int footer = 0;
};

Layout arrange(const Bounds& bounds) {
    Layout layout;
    double across = 0.0, tallest = 0.0;
    for (const PanelKind& panel : kPanels) {
        across += bounds.size(panel.right);
        tallest = std::max(tallest, bounds.size(panel.up));
    }
    layout.pixels_per_mm = std::min((kWidest - 2 * kMargin - 2 * kGap) / across, kTallestPanel / tallest);
    int used = 2 * kGap;
    for (std::size_t p = 0; p < 3; ++p) {
        const auto pixels = [&](int axis) {
            return std::max(kSmallestPanel, static_cast<int>(std::lround(bounds.size(axis) * layout.pixels_per_mm)));
        };
        layout.width[p] = pixels(kPanels[p].right);
        layout.height[p] = pixels(kPanels[p].up);
        used += layout.width[p];
        layout.row_height = std::max(layout.row_height, layout.height[p]);
    }
    layout.page_width = std::max(kNarrowest, used + 2 * kMargin);
    int x = (layout.page_width - used) / 2;
    for (std::size_t p = 0; p < 3; ++p) {
        layout.left[p] = x;
        x += layout.width[p] + kGap;
    }
    const int line = Canvas::text_height();
    int y = kMargin + line + 2 * kGap;
    for (std::size_t row = 0; row < 2; ++row) {
        layout.header[row] = y;
        layout.top[row] = y + line + 10;
        y = layout.top[row] + layout.row_height + 2 * kGap;
    }
    layout.footer = y;
    layout.page_height = y + line + kMargin;
    return layout;
}

void draw_letters(Canvas& canvas, const PanelKind& panel, int x, int y, int width, int height) {
    const int w = Canvas::text_width("R"), h = Canvas::text_height(), pad = 6;
    if (width < 90 || height < 70) return;
    const auto letter = [&](int at) { return std::string(1, panel.letters[at]); };
    canvas.rimmed_text(x + pad, y + (height - h) / 2, letter(0), kAccent);
    canvas.rimmed_text(x + width - w - pad, y + (height - h) / 2, letter(1), kAccent);
    canvas.rimmed_text(x + (width - w) / 2, y + pad, letter(2), kAccent);
    canvas.rimmed_text(x + (width - w) / 2, y + height - h - pad, letter(3), kAccent);
}

struct Scene {
    ViewFrame frame;
    Vec3 centre;
    Bounds bounds;
    Layout layout;
};

void draw_panel(Canvas& canvas, const Scene& scene, const Painter& painter, std::size_t p, std::size_t row) {
    const PanelKind& panel = kPanels[p];
    const Layout& layout = scene.layout;
    const int x0 = layout.left[p], width = layout.width[p], height = layout.height[p];
    const int y0 = layout.top[row] + (layout.row_height - height) / 2;
    const double mm = 1.0 / layout.pixels_per_mm;
    const double mid_x = 0.5 * (scene.bounds.lo[panel.right] + scene.bounds.hi[panel.right]);
    const double mid_y = 0.5 * (scene.bounds.lo[panel.up] + scene.bounds.hi[panel.up]);
    // Index of the top left pixel's centre, and how it moves with one pixel to the right and one down.
    const Vec3 right = scaled_by(scene.frame.axis[panel.right], -mm), down = scaled_by(scene.frame.axis[panel.up], -mm);
    const Vec3 corner =
        plus(scene.centre, plus(scaled_by(scene.frame.axis[panel.right], mid_x + 0.5 * (width - 1) * mm),
                                scaled_by(scene.frame.axis[panel.up], mid_y + 0.5 * (height - 1) * mm)));
    const Vec3 start = painter.to_index() * corner;
    const Vec3 per_column = direction(painter.to_index(), right), per_row = direction(painter.to_index(), down);
    for (int v = 0; v < height; ++v) {
        const Vec3 row_start = plus(start, scaled_by(per_row, v));
        for (int u = 0; u < width; ++u) {
            canvas.set(x0 + u, y0 + v, painter.at(plus(row_start, scaled_by(per_column, u))));
        }
    }
    canvas.frame(x0 - 1, y0 - 1, width + 2, height + 2, kRim);
    draw_letters(canvas, panel, x0, y0, width, height);
    const bool roomy = width >= Canvas::text_width(panel.name) + 40 && height >= 3 * Canvas::text_height();
    if (roomy) canvas.rimmed_text(x0 + 8, y0 + 8, panel.name, kText);
}

/// A round length that takes about an eighth of the page.
double bar_length_mm(const Layout& layout) {
    const double wanted = layout.page_width / 8.0 / layout.pixels_per_mm;
    const double decade = std::pow(10.0, std::floor(std::log10(wanted)));
    return decade * (wanted / decade >= 5.0 ? 5.0 : wanted / decade >= 2.0 ? 2.0 : 1.0);
}

void draw_footer(Canvas& canvas, const Layout& layout, const std::string& note) {
    const double mm = bar_length_mm(layout);
    const int length = static_cast<int>(std::lround(mm * layout.pixels_per_mm));
    const int y = layout.footer, mid = y + Canvas::text_height() / 2, right = layout.page_width - kMargin;
    canvas.text(kMargin, y, note, kQuiet);
    const std::string label = fmt::format("{:g} mm", mm);
    canvas.text(right - Canvas::text_width(label), y, label, kText);
    const int end = right - Canvas::text_width(label) - 12;
    canvas.fill(end - length, mid - 1, length, 3, kText);
    canvas.fill(end - length, mid - 5, 2, 11, kText);
    canvas.fill(end - 2, mid - 5, 2, 11, kText);
}

std::string grid_text(const Volume& volume) {
    const Vec3 s = spacing(volume.grid());
    const Extent n = volume.grid().extent;
    std::string text = fmt::format("{:.2f} x {:.2f} x {:.2f} mm   {} x {} x {}", s[0], s[1], s[2], n[0], n[1], n[2]);
    if (volume.frames() > 1) text += fmt::format("   volume 1 of {}", volume.frames());
    return text;
}

std::string fitting(const std::string& text, int width) {
    if (Canvas::text_width(text) <= width) return text;
    std::size_t keep = text.size();
    while (keep > 0 && Canvas::text_width(text.substr(0, keep) + "...") > width) --keep;
    return text.substr(0, keep) + "...";
}

/// What the brightness or colour of a row means.
std::string key_text(const Window& window, bool labels) {
    if (labels) return "a colour for each label";
    return fmt::format("{} {:.4g} to {:.4g}", window.soft_tissue ? "soft tissue" : "window", window.lo, window.hi);
}

/// The volume through whose labels the slices are to go: the one before, but where what comes after was made of one
/// label or of numbers. None where no labels are shown.
const Volume* labels_shown(const ScaledVolume& before, const ScaledVolume& after, const PreviewOptions& options) {
    if (options.window_after || (options.labels_after && !options.labels_before)) return after.volume;
    return options.labels_before ? before.volume : nullptr;
}

/// The grid along whose axes both are shown: the one with fewer slices across its thinnest direction, so that a single
/// oblique slice is seen as a slice.
const Grid& leading_grid(const Grid& before, const Grid& after) {
    const auto fewest = [](const Grid& g) { return *std::min_element(g.extent.begin(), g.extent.end()); };
    return fewest(after) == 1 && fewest(before) > 1 ? after : before;
}

}  // namespace

ViewFrame view_frame(const Grid& grid) {
    const std::string code = orientation_code(grid.affine);
    ViewFrame frame;
    std::array<Vec3, 3> found;
    for (int d = 0; d < 3; ++d) {
        Vec3 v{grid.affine(0, d), grid.affine(1, d), grid.affine(2, d)};
        for (int before = 0; before < d; ++before) v = plus(v, scaled_by(found[before], -dot(v, found[before])));
        found[d] = scaled_by(v, 1.0 / std::sqrt(dot(v, v)));
        const std::size_t letter = std::string("RASLPI").find(code[static_cast<std::size_t>(d)]);
        frame.axis[letter % 3] = scaled_by(found[d], letter < 3 ? 1.0 : -1.0);
    }
    return frame;
}

Vec3 view_centre(const Grid& input, const Grid& output, const Extent& covered_lo, const Extent& covered_hi) {
    Vec3 middle;
    for (int d = 0; d < 3; ++d) middle[d] = 0.5 * static_cast<double>(covered_lo[d] + covered_hi[d] - 1);
    Vec3 index = out_to_in(input, output) * middle;
    for (int d = 0; d < 3; ++d) {
        index[d] = std::clamp(std::floor(index[d] + 0.5), 0.0, static_cast<double>(input.extent[d] - 1));
    }
    return input.affine * index;
}

std::optional<Vec3> label_centre(const Volume& volume) {
    const Extent n = volume.grid().extent;
    Vec3 sum{0.0, 0.0, 0.0};
    double count = 0.0;
    const ConstVolumeView view = volume.view(0, 0);
    dispatch(view.dtype, [&](auto zero) {
        const auto* voxels = static_cast<const decltype(zero)*>(view.data);
        for (std::int64_t k = 0; k < n[2]; ++k) {
            for (std::int64_t j = 0; j < n[1]; ++j) {
                for (std::int64_t i = 0; i < n[0]; ++i) {
                    if (!(*(voxels + i * view.stride[0] + j * view.stride[1] + k * view.stride[2]) > 0)) continue;
                    sum = plus(sum, {static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)});
                    count += 1.0;
                }
            }
        }
    });
    if (count == 0.0) return std::nullopt;
    const Vec3 mean = scaled_by(sum, 1.0 / count);
    return volume.grid().affine * Vec3{std::floor(mean[0] + 0.5), std::floor(mean[1] + 0.5), std::floor(mean[2] + 0.5)};
}

Window choose_window(const ScaledVolume& values) {
    const std::vector<double> ends = percentiles(values, CommonField(values.volume->grid()), {0.5, 99.5});
    if (ends[0] <= -700.0 && ends[1] >= 150.0) return {-160.0, 240.0, true};
    Window window{ends[0], ends[1], false};
    if (!(window.hi > window.lo)) {
        const ValueRange range = scaled_range(values);
        window = {range.min, range.max, false};
    }
    if (!(window.hi > window.lo)) {
        const double only = std::isfinite(window.lo) ? window.lo : 0.0;
        window = {only - 1.0, only + 1.0, false};
    }
    return window;
}

Canvas draw_preview(const ScaledVolume& before, const ScaledVolume& after, const PreviewOptions& options) {
    const Grid &input = before.volume->grid(), &output = after.volume->grid();
    Scene scene;
    scene.frame = view_frame(leading_grid(input, output));
    scene.centre = view_centre(input, output, options.covered_lo, options.covered_hi);
    if (const Volume* labelled = labels_shown(before, after, options)) {
        scene.centre = label_centre(*labelled).value_or(scene.centre);
    }
    scene.bounds = bounds_of({&input, &output}, scene.frame, scene.centre);
    scene.layout = arrange(scene.bounds);
    const Layout& layout = scene.layout;
    const std::array<bool, 2> labels{options.labels_before, options.labels_after};
    const bool colours = before.volume->components() >= 3;
    const Window window = colours || labels[0] ? Window{} : choose_window(before);
    const std::array<Window, 2> windows{window, options.window_after.value_or(window)};

    Canvas canvas(layout.page_width, layout.page_height, kPage);
    canvas.text(kMargin, kMargin, fitting(options.title, layout.page_width - 2 * kMargin), kText);
    const std::array<std::string, 2> names{"before", "after"};
    const std::array<const ScaledVolume*, 2> sides{&before, &after};
    for (std::size_t row = 0; row < 2; ++row) {
        canvas.text(kMargin, layout.header[row], names[row], kAccent);
        std::string header = grid_text(*sides[row]->volume);
        if (!colours) header += "   " + key_text(windows[row], labels[row]);
        canvas.text(kMargin + 100, layout.header[row], fitting(header, layout.page_width - 2 * kMargin - 100), kText);
        const Painter painter(*sides[row], windows[row], labels[row]);
        for (std::size_t p = 0; p < 3; ++p) draw_panel(canvas, scene, painter, p, row);
    }
    draw_footer(canvas, layout, "radiological: R is on the left");
    return canvas;
}

void check_picture_path(const std::string& path, bool overwrite) {
    io::check_target(path, overwrite);
}

void write_png(const std::string& path, const Canvas& canvas, bool overwrite) {
    io::write_png(path, canvas.width(), canvas.height(), 3, canvas.pixels(), overwrite);
}

}  // namespace revoxel::pipeline
