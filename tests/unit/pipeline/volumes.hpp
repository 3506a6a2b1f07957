// Small volumes for the tests of this folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/rows.hpp"
#include "revoxel/nifti.hpp"
#include "revoxel/volume.hpp"

namespace revoxel::test {

/// Axis-aligned RAS, first centre at the world's origin.
inline Grid grid_of(const Extent& extent, const Vec3& spacing_mm = {1, 1, 1}) {
    Grid grid;
    grid.extent = extent;
    for (int d = 0; d < 3; ++d) grid.affine(d, d) = spacing_mm[d];
    return grid;
}

/// value(i, j, k) in every voxel of every frame and component.
template <typename T, typename F>
Volume volume_of(const Grid& grid, DType dtype, F value, std::int64_t frames = 1, int components = 1) {
    Volume volume(grid, dtype, frames, components);
    T* at = reinterpret_cast<T*>(volume.data());
    for (std::int64_t f = 0; f < frames; ++f) {
        for (std::int64_t k = 0; k < grid.extent[2]; ++k) {
            for (std::int64_t j = 0; j < grid.extent[1]; ++j) {
                for (std::int64_t i = 0; i < grid.extent[0]; ++i) {
                    for (int c = 0; c < components; ++c) *at++ = static_cast<T>(value(i, j, k));
                }
            }
        }
    }
    return volume;
}

/// The values in memory order.
template <typename T>
std::vector<T> values_of(const Volume& volume) {
    const T* first = reinterpret_cast<const T*>(volume.data());
    return {first, first + volume.size_bytes() / static_cast<std::int64_t>(sizeof(T))};
}

template <typename T>
Volume row_of(const std::vector<T>& values, DType dtype) {
    return volume_of<T>(
        grid_of({static_cast<std::int64_t>(values.size()), 1, 1}), dtype,
        [&](std::int64_t i, std::int64_t, std::int64_t) { return values[static_cast<std::size_t>(i)]; });
}

/// A reproducible number in [0, 1) for a voxel.
inline double noise(std::int64_t i, std::int64_t j, std::int64_t k) {
    auto h = static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15ULL ^
             static_cast<std::uint64_t>(j) * 0xbf58476d1ce4e5b9ULL ^
             static_cast<std::uint64_t>(k) * 0x94d049bb133111ebULL;
    h ^= h >> 31;
    h *= 0xd6e8feb86659fd93ULL;
    h ^= h >> 32;
    return static_cast<double>(h >> 11) * 0x1p-53;
}

inline std::string shipped(const std::string& name) {
    return std::string(REVOXEL_TEST_DATA) + "/" + name;
}

/// A scan of the shared folder; empty where the folder is missing.
inline std::string shared_scan(const std::string& name) {
    const std::string path = std::string(REVOXEL_TEST_SHARED_DATA) + "/nifti/" + name;
    return std::filesystem::exists(path) ? path : std::string();
}

}  // namespace revoxel::test
