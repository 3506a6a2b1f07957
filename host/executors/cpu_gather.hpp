// The gather route: output voxels at any place of the input.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "executors/cpu_kernels.hpp"
#include "executors/cpu_march.hpp"
#include "executors/thread_pool.hpp"
#include "executors/views.hpp"

namespace revoxel {

/// Interpolates the output brick by brick. The part of the input that a brick reads is copied into a small dense array
/// in the compute type, with the boundary in it, so that the loops over points have neither bounds tests nor input
/// types. Bricks where that cannot be done, or does not pay, go point by point.
template <typename C>
class PointGather {
public:
    PointGather(const AffineGather& gather, const Extent& output, double fill, int threads);
    /// `source` is the array that `gather` reads. Every voxel of `output` is written.
    void run(const ConstVolumeView& source, const VolumeView& output, const math::Storing& storing, ThreadPool& pool,
             const std::function<void(double)>& progress);
    std::int64_t workspace_bytes() const noexcept;

private:
    /// Where the positions of a box of output voxels lie.
    struct Reach {
        std::array<double, 3> low, high;
        bool inside;   ///< all in the input
        bool outside;  ///< none
        bool folded;   ///< some are brought back into the input other than by clamping
        bool clamped;  ///< some are clamped
    };
    /// A box of output voxels and what it reads.
    struct Work {
        Box3 box;
        Reach reach{};
        Brick<C> brick{};
        BrickRows rows{};
        std::vector<std::int64_t> y_offset, z_offset;  ///< of `rows`
        std::int64_t fetched = 0;                      ///< slices of it that have been fetched ahead
    };
    struct Scratch {
        AlignedRows<C> brick;
        std::vector<PointRow> rows;  ///< of a slice of a brick's points
        AlignedRows<C> row;          ///< their values, or a whole output row
        Work now, next;
    };
    struct Views {
        const ConstVolumeView& source;
        const VolumeView& output;
        const math::Storing& storing;
        GatherSource<C> points;  ///< for what goes point by point
    };
    void choose_brick(int threads);
    Extent brick_extent(const Extent& points) const;
    Reach reach(const Box3& box) const;
    void run_brick(Scratch& s, const Views& v) const;
    void prepare(Work& work, const Box3& box, const C* brick, const Views& v) const;
    /// One of `steps` steps in which the slices of a brick are fetched.
    void fetch_ahead(Work& work, std::int64_t steps) const;
    void run_points(const Box3& box, Scratch& s, const Views& v) const;
    void fill_outside(const Box3& box, std::int64_t lo, std::int64_t hi, std::int64_t j, std::int64_t k,
                      const Views& v) const;

    const CpuKernels<C>& kernels_ = cpu_kernels<C>();
    AffineGather gather_;
    math::GatherFrame frame_;
    Extent output_;
    double fill_;
    std::array<math::PointKernel, 3> kernel_;
    std::array<std::vector<C>, 3> norm_;
    std::array<int, 3> taps_{};
    Extent points_{0, 0, 0};  ///< of a brick; 0: all goes point by point
    std::vector<Scratch> scratch_;
};

}  // namespace revoxel
