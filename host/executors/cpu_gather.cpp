#include "executors/cpu_gather.hpp"

#include <algorithm>
#include <cmath>

#include "plan/kernels.hpp"

namespace revoxel {
namespace {

constexpr std::int64_t kBrickValues = 60'000;       // of the input: what fits the caches next to the cores
constexpr std::int64_t kMostBrickValues = 400'000;  // beyond it, copying costs more than it saves
constexpr std::int64_t kBricksPerThread = 8;        // rows of bricks: threads end at about the same time
// Positions of a box are computed from its corners; rounding moves them by less than this, in voxels.
constexpr double kSlack = 1e-3;

}  // namespace

template <typename C>
PointGather<C>::PointGather(const AffineGather& gather, const Extent& output, double fill, int threads)
    : gather_(gather), frame_(frame_of(gather)), output_(output), fill_(fill) {
    bool dense = true;
    for (int d = 0; d < 3; ++d) {
        const auto a = static_cast<std::size_t>(d);
        kernel_[a] = point_kernel(gather.kernel[d], gather.shape);
        taps_[a] = most_taps(kernel_[a]);
        norm_[a].assign(gather.norm[a].begin(), gather.norm[a].end());
        dense = dense && norm_[a].empty();
    }
    if (dense) choose_brick(threads);
    std::int64_t brick = 0;
    std::size_t rows = 0;
    if (points_[0] > 0) {
        const Extent extent = brick_extent(points_);
        brick = extent[0] * extent[1] * extent[2] + kPointBlock;
        rows = static_cast<std::size_t>(std::max(extent[1], extent[2]));
    }
    scratch_.resize(static_cast<std::size_t>(threads));
    for (Scratch& s : scratch_) {
        s.brick.resize(brick);
        for (Work* work : {&s.now, &s.next}) {
            work->y_offset.reserve(rows);
            work->z_offset.reserve(rows);
        }
        s.rows.resize(static_cast<std::size_t>(points_[1]));
        s.row.resize(std::max(output_[0], points_[0] * points_[1]) + kPointBlock);
    }
}

/// The extent of the input that a brick of output points reads, with room for rounding and for whole vectors.
template <typename C>
Extent PointGather<C>::brick_extent(const Extent& points) const {
    Extent extent;
    for (int d = 0; d < 3; ++d) {
        double width = 0.0;
        for (int a = 0; a < 3; ++a) width += std::abs(gather_.out_to_in(d, a)) * static_cast<double>(points[a] - 1);
        extent[d] = static_cast<std::int64_t>(std::ceil(width + 4.0 * kSlack)) + taps_[static_cast<std::size_t>(d)] + 3;
    }
    extent[0] = (extent[0] + 3) / 4 * 4 + 4;
    return extent;
}

template <typename C>
void PointGather<C>::choose_brick(int threads) {
    Extent points{2 * kPointBlock, 32, 32};
    const auto values = [this](const Extent& p) {
        double product = 1.0;
        const Extent extent = brick_extent(p);
        for (int d = 0; d < 3; ++d) product *= static_cast<double>(extent[d]);
        return product;
    };
    const auto count = [this](const Extent& p) {
        return ((output_[1] + p[1] - 1) / p[1]) * ((output_[2] + p[2] - 1) / p[2]);
    };
    while (true) {
        int longest = points[1] > points[2] ? 1 : 2;
        const bool few = count(points) < kBricksPerThread * threads && points[longest] > 8;
        const bool large = values(points) > static_cast<double>(kBrickValues) &&
                           (points[1] > 4 || points[2] > 4 || points[0] > kPointBlock);
        if (!few && !large) break;
        if (points[longest] <= 8 && points[0] > kPointBlock) longest = 0;
        points[longest] /= 2;
    }
    if (values(points) <= static_cast<double>(kMostBrickValues)) points_ = points;
}

template <typename C>
typename PointGather<C>::Reach PointGather<C>::reach(const Box3& box) const {
    Reach r{{}, {}, true, false, false, false};
    for (int d = 0; d < 3; ++d) {
        const auto a = static_cast<std::size_t>(d);
        double low = frame_.out_to_in[d][3], high = low;
        for (int c = 0; c < 3; ++c) {
            const double step = frame_.out_to_in[d][c];
            const double first = step * static_cast<double>(box.lo[c] + frame_.first_output[c]);
            const double last = step * static_cast<double>(box.hi[c] - 1 + frame_.first_output[c]);
            low += std::min(first, last);
            high += std::max(first, last);
        }
        low -= kSlack;
        high += kSlack;
        const double end = static_cast<double>(frame_.inside[d]) - 0.5;
        if (frame_.extend) {
            const bool beyond = low < -0.5 || high >= end;
            const double margin = frame_.margin[d];
            if (frame_.fold == math::Fold::clamp) {
                r.clamped = r.clamped || low < -margin || high > end - 0.5 + margin;
                low = std::clamp(low, -margin, end - 0.5 + margin);
                high = std::clamp(high, -margin, end - 0.5 + margin);
            } else {
                r.folded = r.folded || beyond;
            }
        } else {
            r.inside = r.inside && low > -0.5 + kSlack && high < end - kSlack;
            r.outside = r.outside || high < -0.5 - kSlack || low > end + kSlack;
            low = std::clamp(low, -0.5 - kSlack, end + kSlack);
            high = std::clamp(high, -0.5 - kSlack, end + kSlack);
        }
        r.low[a] = low;
        r.high[a] = high;
    }
    return r;
}

template <typename C>
void PointGather<C>::prepare(Work& w, const Box3& box, const C* data, const Views& v) const {
    w.box = box;
    w.reach = reach(box);
    w.fetched = 0;
    w.rows = {};
    if (w.reach.outside || w.reach.folded) return;
    Brick<C>& brick = w.brick;
    brick.clamped = w.reach.clamped;
    Extent extent;
    for (int d = 0; d < 3; ++d) {
        const auto a = static_cast<std::size_t>(d);
        const std::int64_t left = std::max(1, taps_[a] / 2);
        brick.lo[d] = static_cast<std::int64_t>(std::floor(w.reach.low[a])) - left;
        extent[d] = static_cast<std::int64_t>(std::floor(w.reach.high[a])) + taps_[a] - left + 2 - brick.lo[d];
        brick.low[d] = w.reach.low[a];
        brick.high[d] = w.reach.high[a];
        brick.step[d] = frame_.out_to_in[d][0];
        brick.kernel[d] = kernel_[a];
        brick.taps[d] = taps_[a];
    }
    brick.pitch[0] = 1;
    brick.pitch[1] = (extent[0] + 3) / 4 * 4 + 4;
    brick.pitch[2] = brick.pitch[1] * extent[1];
    brick.data = data;
    const ConstVolumeView& in = v.source;
    const auto sample = [this](int d, std::int64_t i) {
        return std::clamp<std::int64_t>(i - gather_.origin[d], 0, gather_.extent[d] - 1);
    };
    const auto offsets = [&](std::vector<std::int64_t>& offset, int d) {
        const std::int64_t step = in.stride[d] * static_cast<std::int64_t>(size_of(in.dtype));
        offset.clear();
        for (std::int64_t i = 0; i < extent[d]; ++i) offset.push_back(sample(d, brick.lo[d] + i) * step);
    };
    offsets(w.y_offset, 1);
    offsets(w.z_offset, 2);
    // The stretch of a row that lies in the array; before and after it its ends are repeated.
    const std::int64_t begin = sample(0, brick.lo[0]), end = sample(0, brick.lo[0] + extent[0] - 1) + 1;
    const std::int64_t before = std::clamp<std::int64_t>(gather_.origin[0] - brick.lo[0], 0, extent[0] - (end - begin));
    w.rows = {address(in, begin, 0, 0),
              w.y_offset.data(),
              w.z_offset.data(),
              extent[1],
              extent[2],
              end - begin,
              in.stride[0],
              before,
              extent[0] - before - (end - begin),
              brick.pitch[1],
              brick.pitch[2],
              static_cast<std::int64_t>(size_of(in.dtype))};
}

template <typename C>
void PointGather<C>::fetch_ahead(Work& w, std::int64_t steps) const {
    const BrickRows& rows = w.rows;
    if (rows.stride != 1) return;
    const std::int64_t end = std::min(w.fetched + rows.nz / steps + 1, rows.nz);
    for (; w.fetched < end; ++w.fetched) {
        const std::byte* slice = rows.data + rows.z_offset[w.fetched];
        for (std::int64_t y = 0; y < rows.ny; ++y) prefetch(slice + rows.y_offset[y], rows.count * rows.voxel_bytes);
    }
}

template <typename C>
void PointGather<C>::fill_outside(const Box3& box, std::int64_t lo, std::int64_t hi, std::int64_t j, std::int64_t k,
                                  const Views& v) const {
    const VolumeView& out = v.output;
    fill_row(address(out, box.lo[0], j, k), out.dtype, out.stride[0], lo - box.lo[0], fill_);
    fill_row(address(out, hi, j, k), out.dtype, out.stride[0], box.hi[0] - hi, fill_);
}

template <typename C>
void PointGather<C>::run_points(const Box3& box, Scratch& s, const Views& v) const {
    const VolumeView& out = v.output;
    const auto gather = kernels_.gather[static_cast<int>(v.source.dtype)];
    const auto store = kernels_.store[static_cast<int>(out.dtype)];
    for (std::int64_t k = box.lo[2]; k < box.hi[2]; ++k) {
        for (std::int64_t j = box.lo[1]; j < box.hi[1]; ++j) {
            const IndexRange inside = gather(s.row.data(), v.points, box.lo[0], box.hi[0], j, k);
            fill_outside(box, inside.lo, inside.hi, j, k, v);
            store(address(out, inside.lo, j, k), out.stride[0], s.row.data() + (inside.lo - box.lo[0]),
                  inside.hi - inside.lo, v.storing);
        }
    }
}

template <typename C>
void PointGather<C>::run_brick(Scratch& s, const Views& v) const {
    const VolumeView& out = v.output;
    const Box3& box = s.now.box;
    if (s.now.reach.outside) {
        for (std::int64_t k = box.lo[2]; k < box.hi[2]; ++k) {
            for (std::int64_t j = box.lo[1]; j < box.hi[1]; ++j) fill_outside(box, box.hi[0], box.hi[0], j, k, v);
        }
        return;
    }
    if (s.now.reach.folded) {
        run_points(box, s, v);
        return;
    }
    kernels_.load_brick[static_cast<int>(v.source.dtype)](s.brick.data(), s.now.rows);
    const auto store = kernels_.store[static_cast<int>(out.dtype)];
    const bool all = s.now.reach.inside || frame_.extend;
    const std::int64_t count = box.hi[1] - box.lo[1], pitch = points_[0];
    for (std::int64_t k = box.lo[2]; k < box.hi[2]; ++k) {
        fetch_ahead(s.next, box.hi[2] - box.lo[2]);
        kernels_.point_rows(s.rows.data(), count, frame_, {box.lo[0], box.hi[0]}, box.lo[1], k, all);
        kernels_.points(s.row.data(), pitch, s.now.brick, s.rows.data(), count);
        for (std::int64_t r = 0; r < count; ++r) {
            const IndexRange range = s.rows[static_cast<std::size_t>(r)].range;
            const std::int64_t lo = range.lo - frame_.first_output[0], hi = range.hi - frame_.first_output[0];
            if (hi - lo < box.hi[0] - box.lo[0]) fill_outside(box, lo, hi, box.lo[1] + r, k, v);
            store(address(out, lo, box.lo[1] + r, k), out.stride[0], s.row.data() + r * pitch, hi - lo, v.storing);
        }
    }
}

template <typename C>
void PointGather<C>::run(const ConstVolumeView& source, const VolumeView& output, const math::Storing& storing,
                         ThreadPool& pool, const std::function<void(double)>& progress) {
    Views v{source, output, storing, {}};
    v.points.data = source.data;
    v.points.frame = frame_;
    for (int d = 0; d < 3; ++d) {
        const auto a = static_cast<std::size_t>(d);
        v.points.kernel[d] = kernel_[a];
        v.points.extent[d] = gather_.extent[d];
        v.points.stride[d] = source.stride[d];
        v.points.origin[d] = gather_.origin[d];
        v.points.norm[d] = norm_[a].empty() ? nullptr : norm_[a].data();
    }
    const Extent step = points_[0] > 0 ? points_ : Extent{output_[0], 16, 4};
    const std::int64_t across = (output_[1] + step[1] - 1) / step[1], deep = (output_[2] + step[2] - 1) / step[2];
    pool.for_each(
        across * deep,
        [&](std::int64_t item, int thread) {
            Scratch& s = scratch_[static_cast<std::size_t>(thread)];
            const std::int64_t j = item % across * step[1], k = item / across * step[2];
            const auto box = [&](std::int64_t i) {
                return Box3{{i, j, k},
                            {std::min(i + step[0], output_[0]), std::min(j + step[1], output_[1]),
                             std::min(k + step[2], output_[2])}};
            };
            if (points_[0] == 0) {
                run_points(box(0), s, v);
                return;
            }
            prepare(s.next, box(0), s.brick.data(), v);
            for (std::int64_t i = 0; i < output_[0]; i += step[0]) {
                std::swap(s.now, s.next);
                s.next.rows = {};
                if (i + step[0] < output_[0]) prepare(s.next, box(i + step[0]), s.brick.data(), v);
                run_brick(s, v);
            }
        },
        progress);
}

template <typename C>
std::int64_t PointGather<C>::workspace_bytes() const noexcept {
    std::int64_t bytes = 0;
    for (const Scratch& s : scratch_) bytes += s.brick.bytes() + s.row.bytes();
    return bytes;
}

template class PointGather<float>;
template class PointGather<double>;

}  // namespace revoxel
