#include "fuzz/nifti_target.hpp"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <string>
#include <string_view>

#include "revoxel/error.hpp"
#include "revoxel/nifti.hpp"

namespace revoxel::test {
namespace {

// Larger volumes only cost time; that they are refused in time is what other tests look at.
constexpr std::int64_t kLargestVolumeBytes = std::int64_t{1} << 22;
// What single precision may move a corner by, in voxels; far-away offsets may move it by more.
constexpr double kFloatRounding = 1e-6;

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "try_nifti: %s\n", what.c_str());
    std::abort();
}

// A folder in memory where there is one, for the life of the process.
const std::string& folder() {
    static const std::string path = [] {
        struct stat info {};
        std::string pattern =
            ::stat("/dev/shm", &info) == 0 ? "/dev/shm/revoxel-fuzz-XXXXXX" : "/tmp/revoxel-fuzz-XXXXXX";
        if (mkdtemp(pattern.data()) == nullptr) fail("no temporary folder");
        static std::string kept = pattern;
        std::atexit([] {
            for (const char* name : {"/in.hdr", "/in.img", "/out.nii.gz"}) ::unlink((kept + name).c_str());
            ::rmdir(kept.c_str());
        });
        return pattern;
    }();
    return path;
}

void store(const std::string& path, std::string_view bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) fail("cannot write " + path);
}

void check_consistent(const io::NiftiImage& image) {
    const io::NiftiHeader& header = image.header;
    const Extent& extent = header.grid.extent;
    if (image.volume.size_bytes() != extent[0] * extent[1] * extent[2] * header.frames() * header.components *
                                         static_cast<std::int64_t>(size_of(header.dtype))) {
        fail("the volume has not the size that the header says");
    }
    inverse(header.grid.affine);
    for (const double mm : spacing(header.grid)) {
        if (!(mm > 0) || !std::isfinite(mm)) fail("a spacing is not positive");
    }
    if (!std::isfinite(header.slope()) || !std::isfinite(header.intercept()) || header.slope() == 0)
        fail("scaling is unusable");
    for (const std::string& line : header.warnings) {
        if (line.find('\n') != std::string::npos) fail("a warning has two lines");
    }
}

void check_survives(const io::NiftiImage& image) {
    const io::NiftiHeader header =
        io::resampled_header(image.header, image.header.grid, image.header.dtype, true, "fuzz");
    const std::string path = folder() + "/out.nii.gz";
    const bool by_qform = header.source == io::TransformSource::qform;
    io::NiftiImage copy;
    try {
        io::write_nifti(path, header, image.volume, {.overwrite = true});
        copy = io::read_nifti(path, {.prefer_qform = by_qform});
    } catch (const Error& error) {
        fail(std::string("what was read cannot be written and read again: ") + error.what());
    }
    check_consistent(copy);
    if (copy.volume.size_bytes() != image.volume.size_bytes() ||
        std::memcmp(copy.volume.data(), image.volume.data(), static_cast<std::size_t>(image.volume.size_bytes())) !=
            0) {
        fail("voxels changed on the way out and in");
    }
    const Vec3 mm = spacing(image.header.grid);
    const double moved = corner_distance(header.grid.extent, header.grid.affine, copy.header.grid.affine);
    double scale = 0;
    for (int row = 0; row < 3; ++row) {
        for (int column = 0; column < 4; ++column) {
            const double reach = column < 3 ? static_cast<double>(header.grid.extent[column]) : 1.0;
            scale = std::max(scale, std::abs(header.grid.affine(row, column)) * reach);
        }
    }
    // A qform may lose shear up to 1e-4, which the writer tolerates.
    const double tolerance = scale * (by_qform ? 3e-4 : kFloatRounding);
    const bool stayed = moved <= tolerance + kFloatRounding * *std::min_element(mm.begin(), mm.end());
    if (!stayed) fail("the grid moved on the way out and in");
}

}  // namespace

bool try_nifti(const std::uint8_t* data, std::size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    const auto cut = all.find(kPairSeparator);
    const std::string header_path = folder() + "/in.hdr", image_path = folder() + "/in.img";
    store(header_path, all.substr(0, cut));
    if (cut == std::string_view::npos) {
        ::unlink(image_path.c_str());
    } else {
        store(image_path, all.substr(cut + std::strlen(kPairSeparator)));
    }
    bool was_read = false;
    for (const bool prefer_qform : {false, true}) {
        try {
            const io::NiftiReadOptions options{.prefer_qform = prefer_qform};
            const io::NiftiHeader header = io::read_nifti_header(header_path, options);
            const std::int64_t voxels =
                header.grid.extent[0] * header.grid.extent[1] * header.grid.extent[2] * header.frames();
            if (voxels > kLargestVolumeBytes / 16) continue;
            const io::NiftiImage image = io::read_nifti(header_path, options);
            check_consistent(image);
            check_survives(image);
            was_read = true;
        } catch (const Error& error) {
            if (std::strchr(error.what(), '\n') != nullptr) fail("an error has two lines");
        } catch (const std::exception& error) {
            fail(std::string("an exception other than Error: ") + error.what());
        }
    }
    return was_read;
}

}  // namespace revoxel::test
