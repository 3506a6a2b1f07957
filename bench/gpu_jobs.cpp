#include "gpu_jobs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>
#include <variant>

#include "math/values.hpp"

namespace revoxel::bench {
namespace {

constexpr std::int64_t kPatches = 10'000;
constexpr Extent kPatch{64, 64, 64};
constexpr std::int64_t kDifferentPlans = 64;
constexpr int kLabels = 105;  // with the background
constexpr std::int64_t kChannels = 25;

// Random numbers by index, so that threads need no order.

std::uint64_t mixed(std::uint64_t x) {  // splitmix64
    x += 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}

/// [0, 1), a multiple of 2^-24
double uniform(std::uint64_t index) {
    return static_cast<double>(mixed(index) >> 40) * 0x1p-24;
}

double uniform(std::uint64_t index, double low, double high) {
    return low + (high - low) * uniform(index);
}

// Grids

enum class Shape { a, b, c, oblique, small };

std::int64_t scaled(std::int64_t full, int scale) {
    return std::max<std::int64_t>(8, full / scale);
}

Grid grid_of(const Extent& extent, const Vec3& spacing_mm, int scale) {
    Grid grid;
    for (std::size_t a = 0; a < 3; ++a) {
        grid.extent[a] = scaled(extent[a], scale);
        grid.affine.m[a][a] = spacing_mm[a];
    }
    return grid;
}

/// 1 mm, turned by 15 degrees about the first and then the third axis, its centre on that of `input`.
Grid turned(const Grid& input, const Extent& extent) {
    const double c = std::cos(std::numbers::pi / 12), s = std::sin(std::numbers::pi / 12);
    const double turn[3][3] = {{c, -s, 0}, {c * s, c * c, -s}, {s * s, s * c, c}};
    Grid grid;
    grid.extent = extent;
    for (int row = 0; row < 3; ++row) {
        const auto r = static_cast<std::size_t>(row);
        double shift = 0.5 * static_cast<double>(input.extent[r] - 1) * input.affine(row, row);
        for (int column = 0; column < 3; ++column) {
            grid.affine(row, column) = turn[row][column];
            shift -= 0.5 * static_cast<double>(extent[static_cast<std::size_t>(column)] - 1) * turn[row][column];
        }
        grid.affine(row, 3) = shift;
    }
    return grid;
}

struct Grids {
    Grid input, output;
};

/// Too small to be divided.
Grids small_grids() {
    const Grid input = grid_of({64, 64, 64}, {1, 1, 1}, 1);
    return {input, with_extent(input, {96, 96, 96})};
}

/// The output covers the field of view of the input (policy edges), which all peers know; but for the oblique one.
Grids grids_of(Shape shape, int scale) {
    const auto onto = [&](const Grid& input, const Extent& extent) {
        const Extent out{scaled(extent[0], scale), scaled(extent[1], scale), scaled(extent[2], scale)};
        return shape == Shape::oblique ? Grids{input, turned(input, out)} : Grids{input, with_extent(input, out)};
    };
    switch (shape) {
        case Shape::b: return onto(grid_of({256, 256, 256}, {1, 1, 1}, scale), {512, 512, 512});
        case Shape::c: return onto(grid_of({1024, 1024, 1024}, {0.5, 0.5, 0.5}, scale), {512, 512, 512});
        case Shape::small: return small_grids();
        case Shape::a:
        case Shape::oblique: break;
    }
    return onto(grid_of({512, 512, 300}, {0.8, 0.8, 2.5}, scale), {410, 410, 750});
}

const char* text_of(Shape shape) {
    switch (shape) {
        case Shape::a: return "512x512x300 of 0.8x0.8x2.5 mm to 410x410x750 of 1 mm";
        case Shape::b: return "256^3 to 512^3";
        case Shape::c: return "1024^3 to 512^3";
        case Shape::oblique:
            return "512x512x300 of 0.8x0.8x2.5 mm to 410x410x750 of 1 mm, turned by 15 degrees about two axes";
        case Shape::small: break;
    }
    return "one volume, 64^3 to 96^3";
}

// The jobs of one volume

constexpr auto kU8 = DType::uint8;
constexpr auto kI16 = DType::int16;
constexpr auto kF32 = DType::float32;
constexpr auto kAuto = Antialias::automatic;
constexpr auto kNone = Antialias::none;
constexpr auto kPillow = Antialias::pillow;

/// A name says what differs from the program's defaults: plain is without a low-pass; pillow and renormalised mean
/// weights divided by their sum alone, over the voxels inside, as JAX and torch have them; extended: no fill.
struct Row {
    const char* name;
    const char* group;
    Shape shape;
    DType from, to;
    Kernel kernel;
    Antialias antialias = kAuto;
    Boundary boundary = Boundary::edge;
    Outside outside = Outside::fill;
    bool labels = false;
    GpuData data = GpuData::noise;
};

constexpr auto kEdge = Boundary::edge;
constexpr auto kSum = Boundary::renormalise;
constexpr auto kFill = Outside::fill;
constexpr auto kExtend = Outside::extend;
constexpr auto kBlocks = GpuData::blocks;

const Row kRows[] = {
    {"A linear i16 f32", "antialiased", Shape::a, kI16, kF32, Kernel::linear},
    {"A linear i16 i16", "antialiased", Shape::a, kI16, kI16, Kernel::linear},
    {"A linear f32", "antialiased", Shape::a, kF32, kF32, Kernel::linear},
    {"A linear pillow f32", "antialiased", Shape::a, kF32, kF32, Kernel::linear, kPillow, kSum},
    {"A linear plain i16 f32", "linear", Shape::a, kI16, kF32, Kernel::linear, kNone},
    {"A linear plain i16 i16", "linear", Shape::a, kI16, kI16, Kernel::linear, kNone},
    {"A linear plain f32", "linear", Shape::a, kF32, kF32, Kernel::linear, kNone},
    {"A nearest u8", "labels", Shape::a, kU8, kU8, Kernel::nearest, kAuto, kEdge, kFill, true, kBlocks},
    {"A votes u8", "labels", Shape::a, kU8, kU8, Kernel::linear, kAuto, kEdge, kFill, true, kBlocks},
    {"A votes u8 noise", "labels", Shape::a, kU8, kU8, Kernel::linear, kAuto, kEdge, kFill, true},
    {"A votes plain u8", "labels", Shape::a, kU8, kU8, Kernel::linear, kNone, kEdge, kFill, true, kBlocks},
    {"A bspline3 i16 f32", "spline", Shape::a, kI16, kF32, Kernel::bspline3},
    {"A bspline3 i16 i16", "spline", Shape::a, kI16, kI16, Kernel::bspline3},
    {"A bspline3 plain f32", "spline", Shape::a, kF32, kF32, Kernel::bspline3, kNone},
    {"A lanczos3 i16 f32", "antialiased", Shape::a, kI16, kF32, Kernel::lanczos3},
    {"A lanczos3 i16 i16", "antialiased", Shape::a, kI16, kI16, Kernel::lanczos3},
    {"A lanczos3 pillow f32", "antialiased", Shape::a, kF32, kF32, Kernel::lanczos3, kPillow, kSum},
    {"B linear f32", "linear", Shape::b, kF32, kF32, Kernel::linear},
    {"B cubic f32", "", Shape::b, kF32, kF32, Kernel::cubic},
    {"B bspline3 f32", "spline", Shape::b, kF32, kF32, Kernel::bspline3},
    {"B lanczos3 f32", "", Shape::b, kF32, kF32, Kernel::lanczos3},
    {"B lanczos3 renormalised f32", "", Shape::b, kF32, kF32, Kernel::lanczos3, kAuto, kSum},
    {"C linear f32", "antialiased", Shape::c, kF32, kF32, Kernel::linear},
    {"C linear i16 f32", "antialiased", Shape::c, kI16, kF32, Kernel::linear},
    {"C linear pillow f32", "antialiased", Shape::c, kF32, kF32, Kernel::linear, kPillow, kSum},
    {"C linear plain f32", "linear", Shape::c, kF32, kF32, Kernel::linear, kNone},
    {"C bspline3 f32", "spline", Shape::c, kF32, kF32, Kernel::bspline3},
    {"C bspline3 plain f32", "spline", Shape::c, kF32, kF32, Kernel::bspline3, kNone},
    {"C lanczos3 f32", "antialiased", Shape::c, kF32, kF32, Kernel::lanczos3},
    {"C lanczos3 i16 f32", "antialiased", Shape::c, kI16, kF32, Kernel::lanczos3},
    {"C lanczos3 pillow f32", "antialiased", Shape::c, kF32, kF32, Kernel::lanczos3, kPillow, kSum},
    {"oblique linear i16 f32", "antialiased", Shape::oblique, kI16, kF32, Kernel::linear},
    {"oblique linear plain i16 f32", "linear", Shape::oblique, kI16, kF32, Kernel::linear, kNone},
    {"oblique linear extended f32", "linear", Shape::oblique, kF32, kF32, Kernel::linear, kNone, kEdge, kExtend},
    {"oblique cubic plain i16 f32", "", Shape::oblique, kI16, kF32, Kernel::cubic, kNone},
    {"oblique bspline3 extended f32", "spline", Shape::oblique, kF32, kF32, Kernel::bspline3, kNone, kEdge, kExtend},
    {"small linear f32", "linear", Shape::small, kF32, kF32, Kernel::linear},
};

GpuJob job_of(const Row& row, int scale) {
    PlanOptions options;
    options.kernel = row.kernel;
    options.antialias = row.antialias;
    options.boundary = row.boundary;
    options.outside = row.outside;
    options.labels = row.labels;
    options.input_dtype = row.from;
    options.output_dtype = row.to;
    const Grids grids = grids_of(row.shape, scale);
    GpuJob job;
    job.name = row.name;
    job.what = text_of(row.shape);
    job.group = row.group;
    job.data = row.data;
    job.parts.push_back({make_plan(grids.input, grids.output, options)});
    const Plan& plan = job.parts[0].plan;
    // The small one waits for its launches.
    job.fused = plan.separable && (!options.labels || plan.is_copy()) && row.shape != Shape::small;
    return job;
}

/// Finer on every axis: nothing is low-passed.
GpuJob logits(int scale) {
    const Grid input = grid_of({128, 128, 128}, {3.2, 3.2, 5.9}, scale);
    const Extent extent{scaled(512, scale), scaled(512, scale), scaled(300, scale)};
    PlanOptions options;
    options.kernel = Kernel::linear;
    options.input_dtype = kF32;
    options.output_dtype = kU8;
    GpuJob job;
    job.name = "logits argmax f32";
    job.what = fmt::format("{} channels of 128^3 to 512x512x300, the label of the largest", kChannels);
    job.group = "labels";
    job.parts.push_back({make_plan(input, with_extent(input, extent), options)});
    job.channel_labels.resize(static_cast<std::size_t>(kChannels));
    std::iota(job.channel_labels.begin(), job.channel_labels.end(), std::int64_t{0});
    return job;
}

// Many volumes

PlanOptions linear_options(DType from, DType to) {
    PlanOptions options;
    options.kernel = Kernel::linear;
    options.input_dtype = from;
    options.output_dtype = to;
    return options;
}

std::int64_t patches_at(int scale) {
    return std::max<std::int64_t>(8, kPatches / scale / scale / scale);
}

GpuJob batch(int scale) {
    const Grid input = grid_of({48, 48, 48}, {1, 1, 1}, 1);
    GpuJob job;
    job.name = "batch linear f32";
    job.what = fmt::format("{} volumes of 48^3 to 64^3, one plan", patches_at(scale));
    job.group = "linear";
    job.fused = true;
    job.parts.push_back({make_plan(input, with_extent(input, kPatch), linear_options(kF32, kF32)), patches_at(scale)});
    return job;
}

GpuJob list(int scale) {
    GpuJob job;
    job.name = "list linear f32";
    const std::int64_t plans = std::min(kDifferentPlans, patches_at(scale));
    job.what = fmt::format("{} volumes of 44^3 to 53^3 to 64^3, {} plans", patches_at(scale), plans);
    job.fused = true;
    for (std::int64_t p = 0; p < plans; ++p) {
        Grid input = grid_of({48, 48, 48}, {1, 1, 1}, 1);
        for (std::size_t a = 0; a < 3; ++a) input.extent[a] += (p >> (2 * a)) % 4 * 3 - 4;
        const std::int64_t count = patches_at(scale) * (p + 1) / plans - patches_at(scale) * p / plans;
        job.parts.push_back({make_plan(input, with_extent(input, kPatch), linear_options(kF32, kF32)), count});
    }
    return job;
}

/// Turned by up to 15 degrees about each axis and zoomed by 0.9 to 1.1, centred somewhere in the middle half of the
/// volume: output index to continuous input index.
Affine random_affine(std::uint64_t n, const Extent& input, const Vec3& step) {
    const auto draw = [&](std::uint64_t which, double low, double high) { return uniform(16 * n + which, low, high); };
    Affine turn;
    for (int axis = 0; axis < 3; ++axis) {
        const double angle = draw(static_cast<std::uint64_t>(axis), -std::numbers::pi / 12, std::numbers::pi / 12);
        const int u = (axis + 1) % 3, v = (axis + 2) % 3;
        Affine one;
        one(u, u) = one(v, v) = std::cos(angle);
        one(u, v) = -std::sin(angle);
        one(v, u) = std::sin(angle);
        turn = one * turn;
    }
    const double zoom = draw(3, 0.9, 1.1);
    Affine result;
    for (int row = 0; row < 3; ++row) {
        const auto r = static_cast<std::size_t>(row);
        double shift = static_cast<double>(input[r] - 1) * draw(static_cast<std::uint64_t>(4 + row), 0.25, 0.75);
        for (int column = 0; column < 3; ++column) {
            result(row, column) = zoom * step[r] * turn(row, column);
            shift -= result(row, column) * 0.5 * static_cast<double>(kPatch[static_cast<std::size_t>(column)] - 1);
        }
        result(row, 3) = shift;
    }
    return result;
}

GpuJob patches(const char* name, const char* group, DType from, Outside outside, int scale) {
    const Grid volume = grid_of({512, 512, 300}, {0.8, 0.8, 2.5}, scale);
    PlanOptions options = linear_options(from, kF32);
    options.antialias = kNone;
    options.outside = outside;
    GpuJob job;
    job.name = name;
    job.what =
        fmt::format("{} patches of 64^3 of 1 mm from one volume of 512x512x300, an affine each", patches_at(scale));
    job.group = group;
    job.parts.push_back({make_patch_plan(volume.extent, kPatch, options), patches_at(scale)});
    for (std::int64_t p = 0; p < patches_at(scale); ++p) {
        const Affine affine = random_affine(static_cast<std::uint64_t>(p), volume.extent, {1 / 0.8, 1 / 0.8, 1 / 2.5});
        for (const auto& row : affine.m) job.affines.insert(job.affines.end(), row.begin(), row.end());
    }
    return job;
}

std::int64_t bytes_of(const Grid& grid, DType dtype) {
    return voxel_count(grid) * static_cast<std::int64_t>(size_of(dtype));
}

double noise(DType dtype, std::uint64_t index) {
    if (dtype == DType::uint8) return std::floor(uniform(index, 0, kLabels));
    return uniform(index, -1024, 3072);
}

/// Edges of blocks lie where no output voxel is midway between two of them: peers break such ties by rounding.
double block(const Extent& extent, std::int64_t index) {
    const std::int64_t i = (index % extent[0] + 5) / 16, j = (index / extent[0] % extent[1] + 5) / 16;
    const std::int64_t k = index / (extent[0] * extent[1]) / 8;
    return std::floor(uniform(static_cast<std::uint64_t>((k * 4096 + j) * 4096 + i), 0, kLabels));
}

}  // namespace

std::int64_t GpuJob::input_bytes() const {
    std::int64_t sum = 0;
    for (const GpuPart& part : parts) {
        sum += input_volumes(part) * bytes_of(part.plan.input, part.plan.options.input_dtype);
    }
    return sum;
}

std::int64_t GpuJob::output_bytes() const {
    std::int64_t sum = 0;
    for (const GpuPart& part : parts) sum += part.count * bytes_of(part.plan.output, part.plan.options.output_dtype);
    return sum;
}

std::vector<GpuJob> gpu_jobs(int scale) {
    std::vector<GpuJob> jobs;
    for (const Row& row : kRows) jobs.push_back(job_of(row, scale));
    jobs.push_back(logits(scale));
    jobs.push_back(batch(scale));
    jobs.push_back(list(scale));
    jobs.push_back(patches("patches linear i16 f32", "", kI16, Outside::fill, scale));
    jobs.push_back(patches("patches linear extended f32", "linear", kF32, Outside::extend, scale));
    return jobs;
}

Plan patch_plan(const GpuJob& job, std::int64_t n) {
    Plan plan = job.parts.at(0).plan;
    Affine& affine = std::get<AffineGather>(plan.stages.back()).out_to_in;
    for (int row = 0; row < 3; ++row) {
        for (int column = 0; column < 4; ++column) {
            affine(row, column) = job.affines.at(static_cast<std::size_t>(12 * n + 4 * row + column));
        }
    }
    return plan;
}

void fill_input(const GpuJob& job, std::byte* to, ThreadPool& pool) {
    constexpr std::int64_t kPiece = std::int64_t{1} << 18;
    std::uint64_t first = 0;  // volumes of a batch are all different
    for (const GpuPart& part : job.parts) {
        const Extent& extent = part.plan.input.extent;
        const std::int64_t volume = voxel_count(part.plan.input), count = job.input_volumes(part) * volume;
        dispatch(part.plan.options.input_dtype, [&](auto zero) {
            using T = decltype(zero);
            const auto write = [&](std::int64_t piece, int) {
                for (std::int64_t n = piece * kPiece; n < std::min(count, (piece + 1) * kPiece); ++n) {
                    const double value = job.data == GpuData::blocks ? block(extent, n % volume)
                                                                     : noise(part.plan.options.input_dtype,
                                                                             first + static_cast<std::uint64_t>(n));
                    const T stored = math::saturate_round<T>(value);
                    std::memcpy(to + n * static_cast<std::int64_t>(sizeof(T)), &stored, sizeof(T));
                }
            };
            pool.for_each((count + kPiece - 1) / kPiece, write);
            to += count * static_cast<std::int64_t>(sizeof(T));
        });
        first += static_cast<std::uint64_t>(count);
    }
}

}  // namespace revoxel::bench
