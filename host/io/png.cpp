#include "io/png.hpp"

#include <fmt/format.h>
#include <png.h>

#include <cstring>
#include <vector>

#include "io/atomic_file.hpp"
#include "io/io_error.hpp"
#include "revoxel/error.hpp"

namespace revoxel::io {
namespace {

constexpr std::int64_t kLargestSide = 1 << 16;

// libpng's simplified interface: its errors come back as a status, no longjmp over our frames.
std::vector<std::byte> encode(const std::string& path, png_image& image, std::span<const std::uint8_t> pixels) {
    std::vector<std::byte> bytes(PNG_IMAGE_PNG_SIZE_MAX(image));
    png_alloc_size_t size = bytes.size();
    if (png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr) == 0) {
        const std::string reason = image.message;
        png_image_free(&image);
        fail_output(path, fmt::format("the picture could not be encoded ({})", reason));
    }
    bytes.resize(size);
    return bytes;
}

}  // namespace

void write_png(const std::string& path, std::int64_t width, std::int64_t height, int channels,
               std::span<const std::uint8_t> pixels, bool overwrite) {
    const bool sides_fit = width >= 1 && height >= 1 && width <= kLargestSide && height <= kLargestSide;
    if (!sides_fit || (channels != 1 && channels != 3) ||
        static_cast<std::uint64_t>(width * height * channels) != pixels.size()) {
        throw Error(ErrorCode::usage,
                    fmt::format("PNG of {} x {} pixels with {} channels from {} bytes: the sizes do not fit", width,
                                height, channels, pixels.size()));
    }
    png_image image;
    std::memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = static_cast<png_uint_32>(width);
    image.height = static_cast<png_uint_32>(height);
    image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    AtomicFile file(path, overwrite);
    file.write(encode(path, image, pixels));
    file.commit();
}

}  // namespace revoxel::io
