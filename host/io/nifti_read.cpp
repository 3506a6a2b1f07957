#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "io/input_file.hpp"
#include "io/io_error.hpp"
#include "io/nifti_header.hpp"
#include "io/nifti_path.hpp"
#include "io/nifti_raw.hpp"
#include "io/nifti_stream.hpp"
#include "io/read_ahead.hpp"
#include "revoxel/error.hpp"
#include "revoxel/nifti.hpp"

namespace revoxel::io {
namespace {

// Voxels are read, and swapped while they are in the cache, in steps of this; a multiple of every scalar's size.
constexpr std::int64_t kStepBytes = std::int64_t{4} << 20;
constexpr std::size_t kAheadBlockBytes = std::size_t{1} << 20;
constexpr std::int64_t kExtensionHeadBytes = 8;
constexpr std::int64_t kExtensionAlignment = 16;

struct OpenImage {
    NiftiHeader header;
    std::unique_ptr<InputFile> voxels;  // nothing before vox_offset is of interest any more
};

void warn_of_wrong_ending(const InputFile& file, NiftiHeader& header) {
    const auto name = parse_nifti_name(file.path());
    if (!name || name->gz == file.gzipped()) return;
    header.warnings.push_back(file.gzipped() ? "the name does not end in .gz, but the file is gzip; it is read as gzip"
                                             : "the name ends in .gz, but the file is not gzip; it is read as it is");
}

NiftiHeader read_fixed_part(InputFile& file, bool prefer_qform) {
    std::vector<std::byte> bytes(kNifti1HeaderBytes);
    auto fill = [&](std::size_t from) {
        const std::size_t got = file.read(std::span(bytes).subspan(from));
        if (got == bytes.size() - from) return;
        fail_input(file.path(),
                   fmt::format("the {} after {} bytes; expected a header of at least {}; the file is truncated or "
                               "not NIfTI",
                               file.gzipped() ? "gzip stream ends" : "file ends", from + got, bytes.size()));
    };
    fill(0);
    if (header_bytes(file.path(), bytes) == kNifti2HeaderBytes) {
        bytes.resize(kNifti2HeaderBytes);
        fill(kNifti1HeaderBytes);
    }
    const auto name = parse_nifti_name(file.path());
    const bool may_be_analyze = name && name->part == NiftiPart::header;
    NiftiHeader header = check_header(file.path(), decode_header(file.path(), bytes, may_be_analyze), prefer_qform);
    warn_of_wrong_ending(file, header);
    return header;
}

std::int32_t load_int32(const std::byte* bytes, bool big_endian) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    return static_cast<std::int32_t>(big_endian ? __builtin_bswap32(word) : word);
}

// `left`: bytes from the extension's first byte to where the voxels begin, or to the end of a separate header file.
void check_extension_size(const InputFile& file, std::size_t number, std::int64_t size, std::int64_t left,
                          NiftiHeader& header) {
    if (size < kExtensionHeadBytes || size > left) {
        fail_input(file.path(),
                   fmt::format("header extension {} claims a size of {} bytes; expected 16 to {}, what is left before "
                               "the {}; the header is damaged",
                               number, size, left, header.pair ? "end of the file" : "voxels"));
    }
    if (size % kExtensionAlignment != 0) {
        header.warnings.push_back(
            fmt::format("header extension {} has {} bytes, which is not a multiple of 16", number, size));
    }
}

void read_extensions(InputFile& file, NiftiHeader& header) {
    std::byte head[kExtensionHeadBytes] = {};
    if (file.read(std::span(head).first(kExtenderBytes)) < kExtenderBytes || head[0] == std::byte{0}) return;
    const std::int64_t end = header.pair ? file.capacity() : header.vox_offset;
    while (end - file.position() >= kExtensionHeadBytes) {
        const std::int64_t left = end - file.position();
        const std::size_t number = header.extensions.size() + 1;
        const std::size_t got = file.read(head);
        if (got == 0 && header.pair) break;
        const std::int64_t size = got < sizeof head ? 0 : load_int32(head, header.big_endian);
        const int code = load_int32(head + 4, header.big_endian);
        if (size == 0 && code == 0 && number > 1) {
            header.warnings.push_back("what follows the last header extension is taken as padding");
            break;
        }
        check_extension_size(file, number, size, left, header);
        NiftiExtension extension{code, std::vector<std::byte>(static_cast<std::size_t>(size - kExtensionHeadBytes))};
        if (file.read(extension.data) < extension.data.size()) {
            fail_input(file.path(),
                       fmt::format("the file ends inside header extension {}; the file is truncated; copy it again "
                                   "from its source",
                                   number));
        }
        header.extensions.push_back(std::move(extension));
    }
}

void check_fits(const InputFile& file, const NiftiHeader& header) {
    const std::int64_t need = voxel_bytes(header);
    const std::int64_t capacity = file.capacity();
    if (header.vox_offset > capacity) {
        fail_input(file.path(),
                   fmt::format("vox_offset, where the voxels begin, is {}, but the file {} {} bytes; the header is "
                               "damaged or the file truncated",
                               header.vox_offset, file.gzipped() ? "can hold at most" : "has", capacity));
    }
    if (need <= capacity - header.vox_offset) return;
    if (file.gzipped()) {
        fail_input(file.path(),
                   fmt::format("the header asks for {} ({} bytes), but {} bytes of gzip cannot hold more than {}; the "
                               "header is damaged or the file truncated",
                               describe_voxels(header), need, file.disk_bytes(), capacity));
    }
    fail_input(file.path(),
               fmt::format("the header asks for {} ({} bytes from byte {}), but the file ends at byte {}; the file is "
                           "truncated or the header wrong; copy it again from its source",
                           describe_voxels(header), need, header.vox_offset, capacity));
}

std::string find_image(const std::string& path, const std::string& header_path) {
    if (path != header_path) return path;
    if (const auto image = find_companion(header_path)) return *image;
    const auto name = parse_nifti_name(header_path);
    const std::string stem = name ? name->stem : header_path;
    fail_input(header_path,
               fmt::format("its voxels are in a file of their own, but neither {}.img nor {}.img.gz exists; put it "
                           "beside the header",
                           stem, stem));
}

std::string find_header(const std::string& path) {
    const auto name = parse_nifti_name(path);
    if (!name || name->part != NiftiPart::image) return path;
    const InputFile must_be_readable(path);
    if (const auto header = find_companion(path)) return *header;
    fail_input(path,
               fmt::format("this holds voxels only, and neither {}.hdr nor {}.hdr.gz exists; put it beside the voxels",
                           name->stem, name->stem));
}

// Everything up to the first voxel.
OpenImage open_image(const std::string& path, const NiftiReadOptions& options) {
    const std::string header_path = find_header(path);
    auto file = std::make_unique<InputFile>(header_path);
    OpenImage image;
    NiftiHeader& header = image.header = read_fixed_part(*file, options.prefer_qform);
    if (header.pair) {
        if (header.format != NiftiFormat::analyze75) read_extensions(*file, header);
        file->finish(header.warnings);
        file = std::make_unique<InputFile>(find_image(path, header_path));
        warn_of_wrong_ending(*file, header);
        check_fits(*file, header);
    } else {
        check_fits(*file, header);
        read_extensions(*file, header);
    }
    image.voxels = std::move(file);
    return image;
}

template <typename Word>
void swap_words(std::span<std::byte> bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(Word)) {
        Word word;
        std::memcpy(&word, bytes.data() + at, sizeof word);
        if constexpr (sizeof(Word) == 2) word = __builtin_bswap16(word);
        if constexpr (sizeof(Word) == 4) word = __builtin_bswap32(word);
        if constexpr (sizeof(Word) == 8) word = __builtin_bswap64(word);
        std::memcpy(bytes.data() + at, &word, sizeof word);
    }
}

void to_native(std::span<std::byte> bytes, DType dtype, bool big_endian) {
    if (!big_endian) return;
    switch (size_of(dtype)) {
        case 2: swap_words<std::uint16_t>(bytes); break;
        case 4: swap_words<std::uint32_t>(bytes); break;
        case 8: swap_words<std::uint64_t>(bytes); break;
        default: break;
    }
}

[[noreturn]] void fail_short(const InputFile& file, std::int64_t got, std::int64_t expected) {
    const char* what = file.truncated() ? "the gzip stream ends"
                       : file.gzipped() ? "the data in the gzip stream end"
                                        : "the file ends";
    const char* cause =
        file.gzipped() && !file.truncated() ? "the file is cut off or its header wrong" : "the file is truncated";
    fail_input(file.path(), fmt::format("{} after {} of {} bytes of voxels; {}; copy it again from its source", what,
                                        got, expected, cause));
}

template <typename Work>
auto with_memory_errors(const std::string& path, Work&& work) {
    try {
        return work();
    } catch (const std::bad_alloc&) {
        throw Error(ErrorCode::unavailable, printable(path + ": not enough memory to read this file"));
    }
}

}  // namespace

NiftiHeader read_nifti_header(const std::string& path, const NiftiReadOptions& options) {
    return with_memory_errors(path, [&] { return open_image(path, options).header; });
}

struct NiftiReader::State {
    OpenImage open;
    std::int64_t total = 0, done = 0;  // bytes of voxels
    std::int64_t fetched = 0;          // by the thread that reads ahead
    std::span<std::byte> rest;         // of the block that it delivered last
    std::unique_ptr<ReadAhead> ahead;  // ends before what it reads

    std::size_t fetch(std::span<std::byte> block) {
        const auto left = static_cast<std::size_t>(std::min<std::int64_t>(total - fetched, std::ssize(block)));
        const std::size_t got = open.voxels->read(block.first(left));
        fetched += static_cast<std::int64_t>(got);
        return got;
    }

    std::size_t take(std::span<std::byte> bytes) {
        if (!ahead) return open.voxels->read(bytes);
        std::size_t taken = 0;
        while (taken < bytes.size()) {
            if (rest.empty()) rest = ahead->next();
            if (rest.empty()) break;
            const std::size_t n = std::min(rest.size(), bytes.size() - taken);
            std::memcpy(bytes.data() + taken, rest.data(), n);
            rest = rest.subspan(n);
            taken += n;
        }
        return taken;
    }
};

NiftiReader::NiftiReader(const std::string& path, const NiftiReadOptions& options, std::int64_t ahead_bytes)
    : state_(std::make_unique<State>()) {
    with_memory_errors(path, [&] {
        State& s = *state_;
        s.open = open_image(path, options);
        const NiftiHeader& header = s.open.header;
        s.total = voxel_bytes(header);
        InputFile& file = *s.open.voxels;
        const std::int64_t gap = header.vox_offset - file.position();
        if (file.skip(gap) < gap) fail_short(file, 0, s.total);
        if (ahead_bytes <= 0 || !file.gzipped()) return;
        const auto blocks = static_cast<std::size_t>(ahead_bytes) / kAheadBlockBytes;
        s.ahead = std::make_unique<ReadAhead>([&s](std::span<std::byte> block) { return s.fetch(block); },
                                              kAheadBlockBytes, static_cast<int>(blocks));
    });
}

NiftiReader::~NiftiReader() = default;

const NiftiHeader& NiftiReader::header() const {
    return state_->open.header;
}

void NiftiReader::read(std::span<std::byte> bytes) {
    State& s = *state_;
    while (!bytes.empty()) {
        // Swapped while it is in the cache.
        const auto step = bytes.first(std::min(bytes.size(), static_cast<std::size_t>(kStepBytes)));
        const std::size_t got = s.take(step);
        s.done += static_cast<std::int64_t>(got);
        if (got < step.size()) fail_short(*s.open.voxels, s.done, s.total);
        to_native(step, s.open.header.dtype, s.open.header.big_endian);
        bytes = bytes.subspan(step.size());
    }
}

void NiftiReader::finish() {
    State& s = *state_;
    if (s.ahead) {
        while (!s.ahead->next().empty()) {
        }
        s.ahead.reset();
    }
    s.open.voxels->finish(s.open.header.warnings);
}

NiftiImage read_nifti(const std::string& path, const NiftiReadOptions& options) {
    return with_memory_errors(path, [&] {
        NiftiReader reader(path, options, 0);
        NiftiImage image;
        const NiftiHeader& header = reader.header();
        try {
            image.volume = Volume(header.grid, header.dtype, header.frames(), header.components);
        } catch (const Error& error) {
            throw Error(error.code(), printable(path + ": ") + error.what());
        }
        const std::int64_t total = image.volume.size_bytes();
        for (std::int64_t done = 0; done < total;) {
            const std::int64_t step = std::min(kStepBytes, total - done);
            reader.read({image.volume.data() + done, static_cast<std::size_t>(step)});
            done += step;
            if (options.progress) options.progress(static_cast<double>(done) / static_cast<double>(total));
        }
        reader.finish();
        image.header = header;
        return image;
    });
}

}  // namespace revoxel::io
