#include "separable.hpp"

#include <algorithm>
#include <iterator>

#include "axis_pass.hpp"
#include "plan/boundary.hpp"

namespace revoxel::cuda {
namespace {

/// Enough blocks for the largest devices; shorter chunks would make the first slices of their rings twice.
constexpr std::int64_t kBlocks = 1024, kLeastSlices = 4;
/// Of what is between two passes: about the second-level cache of a large device.
constexpr std::int64_t kSlabBytes = std::int64_t{32} << 20;

}  // namespace

template <typename C>
Separable<C>::Separable(const std::vector<const AxisPass*>& passes, const Extent& input, const Extent& output,
                        const Box3& covered, StreamHandle stream)
    : passes_(passes), input_(input), output_(output), covered_(covered) {
    if (covered_.empty()) return;
    for (int a = 0; a < 3; ++a) {
        axes_[static_cast<std::size_t>(a)] = add_axis<C>(tables_, table(a), output_[static_cast<std::size_t>(a)]);
    }
    marches_ = plan_march();
    if (marches_) {
        tile_place_ = tables_.add(tiles_);
        chunk_place_ = tables_.add(chunks_);
    } else {
        plan_slabs();
    }
    tables_.upload(stream);
}

template <typename C>
const TapTable* Separable<C>::table(int axis) const {
    for (const AxisPass* pass : passes_) {
        if (pass->axis == axis) return &pass->taps;
    }
    return nullptr;
}

template <typename C>
bool Separable<C>::plan_march() {
    if (!in_order(1)) {
        if (!in_order(-1)) return false;
        direction_ = -1;
    }
    if (!plan_tiles()) return false;
    plan_chunks();
    return true;
}

/// Whether the slices that output slices read come by once, front to back.
template <typename C>
bool Separable<C>::in_order(std::int32_t direction) const {
    const TapTable* z = table(2);
    if (z == nullptr) return direction == 1;
    std::int64_t first = 0, last = 0;
    for (std::int64_t n = covered_.lo[2]; n < covered_.hi[2]; ++n) {
        const auto o = static_cast<std::size_t>(direction == 1 ? n : covered_.hi[2] - 1 - (n - covered_.lo[2]));
        const std::int64_t end = z->first[o] + z->count[o] - 1;
        if (z->count[o] < 1 || z->count[o] > kMostMarchTaps) return false;
        if (n > covered_.lo[2] && (z->first[o] < first || end < last)) return false;
        first = z->first[o];
        last = end;
    }
    return true;
}

/// Tiles as wide as the shared memory has room for.
template <typename C>
bool Separable<C>::plan_tiles() {
    const TapTable *x = table(0), *z = table(2);
    for (std::int64_t o = covered_.lo[2]; z && o < covered_.hi[2]; ++o) {
        z_taps_ = std::max(z_taps_, z->count[static_cast<std::size_t>(o)]);
    }
    for (std::int64_t o = covered_.lo[0]; x && o < covered_.hi[0]; ++o) {
        most_x_taps_ = std::max(most_x_taps_, x->count[static_cast<std::size_t>(o)]);
    }
    for (tile_width_ = kMarchWidth; tile_width_ >= 8; tile_width_ /= 2) {
        tiles_.clear();
        columns_ = 0;
        for (std::int64_t from = covered_.lo[0]; from < covered_.hi[0]; from += tile_width_) {
            std::int64_t lo = from, hi = std::min<std::int64_t>(from + tile_width_, covered_.hi[0]);
            if (x) {
                const auto begin = static_cast<std::size_t>(lo), end = static_cast<std::size_t>(hi);
                lo = x->first[begin];
                hi = lo + x->count[begin];
                for (std::size_t o = begin; o < end; ++o) {
                    if (x->count[o] == 0) continue;
                    lo = std::min(lo, x->first[o]);
                    hi = std::max(hi, x->first[o] + x->count[o]);
                }
            }
            tiles_.push_back({narrow(lo), narrow(hi - lo)});
            columns_ = std::max(columns_, tiles_.back().columns);
        }
        if (march_shared_bytes<C>(z_taps_, columns_, most_x_taps_) <= most_shared_bytes()) return true;
    }
    return false;
}

template <typename C>
void Separable<C>::plan_chunks() {
    const std::int64_t rows = march_rows<C>(z_taps_), slices = covered_.hi[2] - covered_.lo[2];
    const std::int64_t tiles = std::ssize(tiles_) * ((covered_.hi[1] - covered_.lo[1] + rows - 1) / rows);
    const std::int64_t wanted = std::clamp<std::int64_t>((kBlocks + tiles - 1) / tiles, 1, 65535);
    const std::int64_t thick = std::max(kLeastSlices, (slices + wanted - 1) / wanted);
    for (std::int64_t done = 0; done < slices; done += thick) {
        const std::int64_t from = direction_ == 1 ? covered_.lo[2] + done : covered_.hi[2] - 1 - done;
        chunks_.push_back({narrow(from), narrow(std::min(thick, slices - done))});
    }
}

template <typename C>
typename Separable<C>::Slab Separable<C>::slab(std::int64_t lo, std::int64_t hi) const {
    const TapTable* z = table(2);
    Slab slab{lo, hi, lo, hi};
    if (z == nullptr) return slab;
    slab.in_lo = z->n_in;
    slab.in_hi = 0;
    for (std::int64_t o = lo; o < hi; ++o) {
        const auto row = static_cast<std::size_t>(o);
        for (std::int32_t t = 0; t < z->count[row]; ++t) {
            const std::int64_t k = z->wraps ? wrapped_index(z->first[row] + t, z->n_in) : z->first[row] + t;
            slab.in_lo = std::min(slab.in_lo, k);
            slab.in_hi = std::max(slab.in_hi, k + 1);
        }
    }
    // A constant boundary alone.
    if (slab.in_lo >= slab.in_hi) slab.in_lo = 0, slab.in_hi = 1;
    return slab;
}

/// What pass number `pass` makes of a slab; none for the last, which writes the output.
template <typename C>
std::int64_t Separable<C>::scratch_values(const Slab& slab, std::size_t pass) const {
    Extent n = input_;
    n[2] = slab.in_hi - slab.in_lo;
    for (std::size_t p = 0; p <= pass; ++p) {
        const auto axis = static_cast<std::size_t>(passes_[p]->axis);
        n[axis] = output_[axis];
    }
    return n[0] * n[1] * n[2];
}

template <typename C>
void Separable<C>::plan_slabs() {
    const std::size_t between = passes_.empty() ? 0 : passes_.size() - 1;
    std::int64_t thick = covered_.hi[2] - covered_.lo[2];
    const auto largest = [&](const Slab& s) {
        std::int64_t most = 0;
        for (std::size_t p = 0; p < between; ++p) most = std::max(most, scratch_values(s, p));
        return most;
    };
    const auto cut = [&] {
        slabs_.clear();
        std::int64_t most = 0;
        for (std::int64_t lo = covered_.lo[2]; lo < covered_.hi[2]; lo += thick) {
            slabs_.push_back(slab(lo, std::min(lo + thick, covered_.hi[2])));
            most = std::max(most, largest(slabs_.back()));
        }
        return most;
    };
    std::int64_t values = cut();
    while (thick > 1 && values * static_cast<std::int64_t>(sizeof(C)) > kSlabBytes) {
        thick = (thick + 1) / 2;
        values = cut();
    }
    for (std::size_t p = 0; p < std::min<std::size_t>(between, 2); ++p) {
        scratch_[p] = DeviceMemory(static_cast<std::size_t>(values) * sizeof(C));
    }
}

template <typename C>
void Separable<C>::run(const Field& input, const Field& output, const math::Storing& storing,
                       StreamHandle stream) const {
    if (covered_.empty()) return;
    if (marches_) {
        const MarchJob<C> job = march_job(input, output, {}, storing);
        return march(&job, 1, z_taps_, stream);
    }
    for (const Slab& slab : slabs_) run_slab(slab, input, output, storing, stream);
}

template <typename C>
MarchJob<C> Separable<C>::march_job(const Field& input, const Field& output, const Volumes& volumes,
                                    const math::Storing& storing) const {
    MarchJob<C> job{};
    narrow(input.stride[0]);
    job.input = input;
    job.output = output;
    job.volumes = volumes;
    job.covered = box_of(covered_);
    for (std::size_t a = 0; a < 3; ++a) job.taps[a] = taps_at<C>(tables_, axes_[a]);
    job.storing = storing;
    job.direction = direction_;
    job.chunks = tables_.at<MarchChunk>(chunk_place_);
    job.chunk_count = static_cast<std::int32_t>(chunks_.size());
    job.tiles = tables_.at<MarchTile>(tile_place_);
    job.tile_count = static_cast<std::int32_t>(tiles_.size());
    job.voxel_bytes = static_cast<std::int32_t>(size_of(input.dtype));
    job.tile_width = tile_width_;
    job.columns = columns_;
    job.most_x_taps = most_x_taps_;
    return job;
}

template <typename C>
void Separable<C>::run_slab(const Slab& slab, const Field& input, const Field& output, const math::Storing& storing,
                            StreamHandle stream) const {
    Field from = input;
    std::int64_t from_base = 0;  // the slice that index 0 of `from` holds
    for (std::size_t p = 0; p < passes_.size(); ++p) {
        const auto axis = static_cast<std::size_t>(passes_[p]->axis);
        const bool last = p + 1 == passes_.size();
        AxisPassJob<C> job{};
        job.input = from;
        job.axis = passes_[p]->axis;
        job.taps = taps_at<C>(tables_, axes_[axis]);
        std::int64_t to_base = 0;
        if (last) {
            job.output = output;
            job.box = box_of(covered_);
            job.box.lo[2] = slab.out_lo;
            job.box.hi[2] = slab.out_hi;
            job.storing = storing;
        } else {
            to_base = slab.in_lo;
            Field& to = job.output;
            to.data = scratch_[p % 2].data();
            to.dtype = sizeof(C) == 4 ? DType::float32 : DType::float64;
            for (std::size_t a = 0; a < 3; ++a) to.extent[a] = from.extent[a];
            to.extent[axis] = output_[axis];
            to.extent[2] = slab.in_hi - slab.in_lo;
            to.stride[0] = 1;
            to.stride[1] = to.extent[0];
            to.stride[2] = to.extent[0] * to.extent[1];
            job.box = {{0, 0, 0}, {to.extent[0], to.extent[1], to.extent[2]}};
            // Nothing reads what is not there: the y pass comes first, and columns are whole until the x pass.
            for (std::size_t a = 0; a < 2; ++a) {
                if (a == 0 && axis != 0 && table(0)) continue;
                job.box.lo[a] = covered_.lo[a];
                job.box.hi[a] = covered_.hi[a];
            }
        }
        job.shift[2] = job.axis == 2 ? -from_base : to_base - from_base;
        axis_pass(job, stream);
        from = job.output;
        from_base = to_base;
    }
}

template class Separable<float>;
template class Separable<double>;

}  // namespace revoxel::cuda
