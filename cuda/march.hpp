// Separable plans in one pass over the volume.
#pragma once

#include <cstdint>

#include "axis_taps.hpp"
#include "device_view.hpp"
#include "math/values.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {

/// A run of output slices that a block makes one after the other.
struct MarchChunk {
    std::int32_t from;   ///< the first that it makes
    std::int32_t count;  ///< how many, from there on in MarchJob::direction
};

/// What the columns of a tile read.
struct MarchTile {
    std::int32_t first_column, columns;
};

/// What lies outside `covered` is not written.
template <typename C>
struct MarchJob {
    Field input;  ///< its strides along x fit 32 bits
    Field output;
    Volumes volumes;
    Box covered;
    AxisTaps<C> taps[3];
    math::Storing storing;
    /// Along it the last slices that outputs read never fall: +1, or -1 on a flipped axis.
    std::int32_t direction;
    const MarchChunk* chunks;
    std::int32_t chunk_count;
    const MarchTile* tiles;  ///< along x
    std::int32_t tile_count;
    std::int32_t voxel_bytes;  ///< of the input
    std::int32_t tile_width;   ///< output columns of a tile, at most kMarchWidth
    std::int32_t columns;      ///< the most of any tile
    std::int32_t most_x_taps;
};

/// The most columns that a tile has: the threads of a block beside each other.
inline constexpr int kMarchWidth = 64;
/// z taps beyond these are not for the march.
inline constexpr int kMostMarchTaps = 32;

/// Rows of a tile for so many z taps.
template <typename C>
int march_rows(int z_taps);
/// Shared memory of a block.
template <typename C>
std::size_t march_shared_bytes(int z_taps, int columns, int most_x_taps);

/// Queues jobs. `z_taps` are the most of any output slice of any job, at most kMostMarchTaps.
template <typename C>
void march(const MarchJob<C>* jobs, std::size_t count, int z_taps, StreamHandle stream);
/// The taps of the kernel that march() chooses: jobs of one kernel can be queued together.
int march_kernel_taps(int z_taps);

}  // namespace revoxel::cuda
