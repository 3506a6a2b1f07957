// Separable passes: by the march where it can be, else pass by pass.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "device_view.hpp"
#include "march.hpp"
#include "math/values.hpp"
#include "revoxel/plan.hpp"
#include "runtime/memory.hpp"
#include "tables.hpp"

namespace revoxel::cuda {

/// The passes of one plan, ready to run. All memory is taken in the constructor.
template <typename C>
class Separable {
public:
    /// `input`: extent with its axes in the order of the output's. Voxels of the output outside `covered` are not
    /// written.
    Separable(const std::vector<const AxisPass*>& passes, const Extent& input, const Extent& output,
              const Box3& covered, StreamHandle stream);

    /// The march of these volumes; where marches().
    MarchJob<C> march_job(const Field& input, const Field& output, const Volumes& volumes,
                          const math::Storing& storing) const;
    int z_taps() const noexcept { return z_taps_; }
    /// Queues one volume, either way.
    void run(const Field& input, const Field& output, const math::Storing& storing, StreamHandle stream) const;
    bool marches() const noexcept { return marches_; }
    bool empty() const noexcept { return covered_.empty(); }
    std::size_t bytes() const noexcept { return tables_.bytes() + scratch_bytes(); }
    std::size_t scratch_bytes() const noexcept { return scratch_[0].bytes() + scratch_[1].bytes(); }

private:
    /// Output slices that are made together, pass by pass, and the input slices that they read.
    struct Slab {
        std::int64_t out_lo, out_hi, in_lo, in_hi;
    };

    const TapTable* table(int axis) const;
    bool plan_march();
    bool in_order(std::int32_t direction) const;
    bool plan_tiles();
    void plan_chunks();
    void plan_slabs();
    Slab slab(std::int64_t lo, std::int64_t hi) const;
    std::int64_t scratch_values(const Slab& slab, std::size_t pass) const;
    void run_slab(const Slab& slab, const Field& input, const Field& output, const math::Storing& storing,
                  StreamHandle stream) const;

    std::vector<const AxisPass*> passes_;
    Extent input_, output_;
    Box3 covered_;
    bool marches_ = false;
    Tables tables_;
    std::array<AxisPlaces, 3> axes_;
    // Of the march.
    int z_taps_ = 1;
    std::int32_t direction_ = 1, tile_width_ = kMarchWidth, columns_ = 0, most_x_taps_ = 1;
    std::vector<MarchTile> tiles_;
    std::vector<MarchChunk> chunks_;
    Tables::Place tile_place_, chunk_place_;
    // Of passes by themselves.
    std::vector<Slab> slabs_;
    DeviceMemory scratch_[2];
};

}  // namespace revoxel::cuda
