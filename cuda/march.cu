// The fused march. A block of 64 x 4 threads owns a tile of up to 64 columns and 4 x kRows rows of the output and walks
// through the input slices of a chunk of output slices. Of each input slice it
//
//   0. asks the second-level cache for the slice after the next one;
//   1. makes the y sums of its rows, for the input columns that the tile reads, into shared memory: a warp takes a row,
//      its lanes stand beside each other in memory;
//   2. meets at the one barrier of the slice: the rows are double-buffered, so that the next slice may be written while
//      the last is still being read;
//   3. makes the x sums, each thread those of one column and kRows rows, and keeps them in a ring of registers;
//   4. makes the z sums of the output slices whose last tap this slice is, rounds and stores them.
//
// The order of every sum is the plan's: y, x, z, each by ascending index, one fused multiply-add a tap.
#include "march.hpp"

#include <algorithm>

#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

constexpr int kThreads = 256, kWarp = 32, kGroups = kThreads / kMarchWidth;

/// The ring takes at most 48 registers of 32 bits, or one row where a row takes more.
template <typename C>
constexpr int rows_of(int taps) {
    constexpr int kRing = 48;
    const int row = taps * static_cast<int>(sizeof(C) / 4);
    return row * 4 <= kRing ? 4 : row * 2 <= kRing ? 2 : 1;
}

/// Columns that a lane sums at a time, as far as the ring leaves registers for them.
template <typename C>
constexpr int side_of(int taps) {
    return sizeof(C) == 4 && rows_of<C>(taps) * taps <= 32 ? 4 : 2;
}

struct Tile {
    std::int32_t x0, y0;       ///< its first output column and row
    std::int32_t width, rows;  ///< output voxels that are there to be made
    std::int32_t volume;
    MarchTile reads;
};

/// One row of y sums, all columns of the tile. `slice` points at input column 0, row 0. A lane sums kSide columns at a
/// time, so that many loads are under way.
template <int kSide, typename C, typename T>
__device__ void sum_y(const MarchJob<C>& job, const Tile& tile, const T* slice, std::int32_t row, int lane, C* sums) {
    const auto stride = static_cast<std::int32_t>(job.input.stride[0]);  // MarchJob::input
    const AxisTaps<C>& y = job.taps[1];
    const std::int32_t o = tile.y0 + row, first = y.first[o], count = y.count[o];
    const C* weight = y.weight + static_cast<std::int64_t>(o) * y.stride;
    const C bias = y.bias ? y.bias[o] : C(0);
    for (std::int32_t x = lane; x < tile.reads.columns; x += kSide * kWarp) {
        std::int32_t column[kSide];
        C sum[kSide];
#pragma unroll
        for (int s = 0; s < kSide; ++s) {
            const std::int32_t mine = min(x + s * kWarp, tile.reads.columns - 1);  // beyond: the last again
            column[s] = job.taps[0].index(tile.reads.first_column + mine);
            sum[s] = C(0);
        }
#pragma unroll 2
        for (std::int32_t t = 0; t < count; ++t) {
            const T* voxels = slice + y.index(first + t) * job.input.stride[1];
            const C w = weight[t];
#pragma unroll
            for (int s = 0; s < kSide; ++s) {
                const C value = static_cast<C>(voxels[std::int64_t{column[s]} * stride]);
                sum[s] = t == 0 ? w * value : std::fma(w, value, sum[s]);
            }
        }
#pragma unroll
        for (int s = 0; s < kSide; ++s) {
            if (x + s * kWarp < tile.reads.columns) sums[x + s * kWarp] = y.bias ? sum[s] + bias : sum[s];
        }
    }
}

/// The y sums of a slice of the input.
template <int kSide, typename C>
__device__ void fill_rows(const MarchJob<C>& job, const Tile& tile, std::int64_t slice, int thread, C* rows) {
    with_type_of<C>(job.input.dtype, [&](auto typed) {
        using T = typename decltype(typed)::type;
        const T* first = voxels_of<T>(job.input, job.volumes.input_step, tile.volume) + slice * job.input.stride[2];
        for (std::int32_t row = thread / kWarp; row < tile.rows; row += kThreads / kWarp) {
            sum_y<kSide>(job, tile, first, row, thread % kWarp, rows + row * job.columns);
        }
    });
}

/// Asks for what a later slice will be read for, as far as it lies in rows.
template <typename C>
__device__ void prefetch_rows(const MarchJob<C>& job, const Tile& tile, std::int32_t slice, int thread) {
    constexpr int kLineBytes = 128, kLanes = 8;
    const AxisTaps<C>&x = job.taps[0], &y = job.taps[1], &z = job.taps[2];
    if (job.input.stride[0] != 1 || x.wraps || y.wraps || z.wraps || slice >= z.n_in) return;
    const std::int32_t a = y.first[tile.y0], last = tile.y0 + tile.rows - 1, b = y.first[last];
    const std::int32_t begin = min(a, b), end = max(a + y.count[tile.y0], b + y.count[last]);
    const std::int64_t corner =
        tile.volume * job.volumes.input_step + slice * job.input.stride[2] + tile.reads.first_column;
    const std::int32_t bytes = tile.reads.columns * job.voxel_bytes;
    for (std::int32_t row = begin + thread / kLanes; row < end; row += kThreads / kLanes) {
        const std::byte* line = job.input.data + (corner + row * job.input.stride[1]) * job.voxel_bytes;
        for (std::int32_t at = thread % kLanes * kLineBytes; at < bytes; at += kLanes * kLineBytes) prefetch(line + at);
    }
}

template <typename C, int kRows>
__device__ void store(const MarchJob<C>& job, const Tile& tile, const C (&sums)[kRows], std::int32_t ox,
                      std::int32_t oy, std::int32_t oz, std::int32_t rows) {
    with_type_of<C>(job.output.dtype, [&](auto typed) {
        using T = typename decltype(typed)::type;
        T* at = voxels_of<T>(job.output, job.volumes.output_step, tile.volume) + job.output.offset(ox, oy, oz);
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
            if (r < rows) at[r * kGroups * job.output.stride[1]] = math::store_value<T>(sums[r], job.storing);
        }
    });
}

template <typename C, int kTaps>
__host__ __device__ std::int32_t row_tiles(const MarchJob<C>& job) {
    constexpr int kTileRows = kGroups * rows_of<C>(kTaps);
    return static_cast<std::int32_t>((job.covered.hi[1] - job.covered.lo[1] + kTileRows - 1) / kTileRows);
}

/// Blocks that a multiprocessor is to have room for: the large rings take its registers.
template <typename C>
constexpr int blocks_at_once(int taps) {
    return taps * static_cast<int>(sizeof(C)) > 192 ? 1 : 2;
}

template <typename C, int kTaps>
__global__ void __launch_bounds__(kThreads, blocks_at_once<C>(kTaps))
    march_kernel(const __grid_constant__ JobList<MarchJob<C>> list) {
    constexpr int kRows = rows_of<C>(kTaps);
    const int thread = static_cast<int>(threadIdx.x);
    const int column = thread % kMarchWidth, group = thread / kMarchWidth;
    unsigned block = 0;
    const MarchJob<C>& job = job_of_block(list, block);
    const AxisTaps<C>&x = job.taps[0], &z = job.taps[2];

    // Tiles beside each other first: they read the same rows at about the same time.
    const auto tile_x = static_cast<std::int32_t>(block % job.tile_count);
    block /= job.tile_count;
    const auto tile_y = static_cast<std::int32_t>(block % row_tiles<C, kTaps>(job));
    block /= row_tiles<C, kTaps>(job);
    Tile tile;
    tile.volume = static_cast<std::int32_t>(block / job.chunk_count);
    tile.x0 = static_cast<std::int32_t>(job.covered.lo[0]) + tile_x * job.tile_width;
    tile.y0 = static_cast<std::int32_t>(job.covered.lo[1]) + tile_y * kGroups * kRows;
    tile.width = min(job.tile_width, static_cast<std::int32_t>(job.covered.hi[0]) - tile.x0);
    tile.rows = min(kGroups * kRows, static_cast<std::int32_t>(job.covered.hi[1]) - tile.y0);
    tile.reads = job.tiles[tile_x];
    const MarchChunk chunk = job.chunks[block % job.chunk_count];

    // Shared: x weights of the tile, a row for each tap; then the rows of y sums, twice.
    C* const x_weight = reinterpret_cast<C*>(shared_memory());
    C* const rows = x_weight + job.most_x_taps * kMarchWidth;
    const std::int32_t buffer = kGroups * kRows * job.columns;
    const bool works = column < tile.width;
    const std::int32_t ox = tile.x0 + column;
    const std::int32_t x_first = works ? x.first[ox] - tile.reads.first_column : 0, x_count = works ? x.count[ox] : 0;
    const C x_bias = works && x.bias ? x.bias[ox] : C(0);
    for (std::int32_t t = group; t < x_count; t += kGroups) {
        x_weight[t * kMarchWidth + column] = x.weight[static_cast<std::int64_t>(ox) * x.stride + t];
    }
    const std::int32_t my_rows = (tile.rows - group + kGroups - 1) / kGroups;  // rows group, group + kGroups, ...

    C ring[kTaps][kRows];
#pragma unroll
    for (int t = 0; t < kTaps; ++t) {
#pragma unroll
        for (int r = 0; r < kRows; ++r) ring[t][r] = C(0);
    }
    std::int32_t oz = chunk.from, left = chunk.count, slice = z.first[oz];
    // Shared rows alternate with the slices that are visited, not with their numbers.
    for (int visit = 0; left > 0; ++visit) {
        C* const sums = rows + (visit & 1) * buffer;
        prefetch_rows(job, tile, slice + 2, thread);
        fill_rows<side_of<C>(kTaps)>(job, tile, z.index(slice), thread, sums);
        __syncthreads();
#pragma unroll
        for (int t = 0; t + 1 < kTaps; ++t) {
#pragma unroll
            for (int r = 0; r < kRows; ++r) ring[t][r] = ring[t + 1][r];
        }
        const C* from = sums + group * job.columns + x_first;
        const C first_weight = x_count > 0 ? x_weight[column] : C(0);
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
            const bool reads = x_count > 0 && r < my_rows;
            ring[kTaps - 1][r] = reads ? first_weight * from[r * kGroups * job.columns] : C(0);
        }
        for (std::int32_t t = 1; t < x_count; ++t) {
            const C weight = x_weight[t * kMarchWidth + column];
#pragma unroll
            for (int r = 0; r < kRows; ++r) {
                if (r >= my_rows) continue;
                ring[kTaps - 1][r] = std::fma(weight, from[r * kGroups * job.columns + t], ring[kTaps - 1][r]);
            }
        }
        if (x.bias) {
#pragma unroll
            for (int r = 0; r < kRows; ++r) ring[kTaps - 1][r] += x_bias;
        }
        while (left > 0 && z.first[oz] + z.count[oz] - 1 == slice) {
            const std::int32_t begin = kTaps - z.count[oz];
            const C* weight = z.weight + static_cast<std::int64_t>(oz) * z.stride;
            C result[kRows] = {};
#pragma unroll
            for (int t = 0; t < kTaps; ++t) {
                if (t < begin) continue;
                const C w = weight[t - begin];
#pragma unroll
                for (int r = 0; r < kRows; ++r) {
                    result[r] = t == begin ? w * ring[t][r] : std::fma(w, ring[t][r], result[r]);
                }
            }
            if (z.bias) {
                const C bias = z.bias[oz];
#pragma unroll
                for (int r = 0; r < kRows; ++r) result[r] += bias;
            }
            if (works) store(job, tile, result, ox, tile.y0 + group, oz, my_rows);
            oz += job.direction;
            --left;
        }
        if (left > 0) slice = max(slice + 1, z.first[oz]);
    }
}

template <typename C, int kTaps>
void launch_march(const MarchJob<C>* jobs, std::size_t count, StreamHandle stream) {
    std::size_t shared = 0;
    for (std::size_t n = 0; n < count; ++n) {
        shared = std::max(shared, march_shared_bytes<C>(kTaps, jobs[n].columns, jobs[n].most_x_taps));
    }
    const auto blocks = [](const MarchJob<C>& job) {
        return std::int64_t{job.tile_count} * row_tiles<C, kTaps>(job) * job.chunk_count * job.volumes.count;
    };
    launch_jobs(march_kernel<C, kTaps>, jobs, count, blocks, kThreads, shared, stream);
}

}  // namespace

int march_kernel_taps(int z_taps) {
    for (const int there : {1, 2, 4, 6, 8, 12, 16, 24}) {
        if (z_taps <= there) return there;
    }
    return kMostMarchTaps;
}

template <typename C>
int march_rows(int z_taps) {
    return kGroups * rows_of<C>(march_kernel_taps(z_taps));
}

template <typename C>
std::size_t march_shared_bytes(int z_taps, int columns, int most_x_taps) {
    return sizeof(C) * (static_cast<std::size_t>(most_x_taps) * kMarchWidth +
                        2 * static_cast<std::size_t>(march_rows<C>(z_taps)) * static_cast<std::size_t>(columns));
}

template <typename C>
void march(const MarchJob<C>* jobs, std::size_t count, int z_taps, StreamHandle stream) {
    switch (march_kernel_taps(z_taps)) {
        case 1: return launch_march<C, 1>(jobs, count, stream);
        case 2: return launch_march<C, 2>(jobs, count, stream);
        case 4: return launch_march<C, 4>(jobs, count, stream);
        case 6: return launch_march<C, 6>(jobs, count, stream);
        case 8: return launch_march<C, 8>(jobs, count, stream);
        case 12: return launch_march<C, 12>(jobs, count, stream);
        case 16: return launch_march<C, 16>(jobs, count, stream);
        case 24: return launch_march<C, 24>(jobs, count, stream);
        default: return launch_march<C, kMostMarchTaps>(jobs, count, stream);
    }
}

template int march_rows<float>(int);
template int march_rows<double>(int);
template std::size_t march_shared_bytes<float>(int, int, int);
template std::size_t march_shared_bytes<double>(int, int, int);
template void march(const MarchJob<float>*, std::size_t, int, StreamHandle);
template void march(const MarchJob<double>*, std::size_t, int, StreamHandle);

}  // namespace revoxel::cuda
