// Every voxel type in every kind of file, read and written again.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "revoxel/nifti.hpp"
#include "support/files.hpp"
#include "support/nifti_bytes.hpp"
#include "support/nifti_expect.hpp"

namespace revoxel::test {
namespace {

struct Type {
    int code, bits;
    DType dtype;
    int components;
};
constexpr Type kTypes[] = {{2, 8, DType::uint8, 1},        {4, 16, DType::int16, 1},    {8, 32, DType::int32, 1},
                           {16, 32, DType::float32, 1},    {32, 64, DType::float32, 2}, {64, 64, DType::float64, 1},
                           {128, 24, DType::uint8, 3},     {256, 8, DType::int8, 1},    {512, 16, DType::uint16, 1},
                           {768, 32, DType::uint32, 1},    {1024, 64, DType::int64, 1}, {1280, 64, DType::uint64, 1},
                           {1792, 128, DType::float64, 2}, {2304, 32, DType::uint8, 4}};
constexpr std::int64_t kVoxels = 3 * 5 * 2 * 2;

Bytes pattern(std::size_t count) {
    Bytes bytes(count);
    std::uint32_t state = 12345;
    for (std::byte& b : bytes) {
        state = state * 1664525 + 1013904223;
        b = static_cast<std::byte>(state >> 24);
    }
    return bytes;
}

Bytes with_byte_order(Bytes native, std::size_t scalar, bool big_endian) {
    for (std::size_t at = 0; big_endian && at < native.size(); at += scalar) {
        std::reverse(native.begin() + static_cast<std::ptrdiff_t>(at),
                     native.begin() + static_cast<std::ptrdiff_t>(at + scalar));
    }
    return native;
}

void expect_voxels(const io::NiftiImage& image, const Bytes& expected) {
    ASSERT_EQ(image.volume.size_bytes(), static_cast<std::int64_t>(expected.size()));
    EXPECT_EQ(std::memcmp(image.volume.data(), expected.data(), expected.size()), 0);
}

// The five ways to store one image: names of the files, and which part is gzip.
struct Form {
    const char* header;
    const char* image;  // nullptr: a single file
    bool header_gz, image_gz;
};
constexpr Form kForms[] = {{"a.nii", nullptr, false, false},   {"a.nii.gz", nullptr, true, true},
                           {"a.hdr", "a.img", false, false},   {"a.hdr.gz", "a.img.gz", true, true},
                           {"a.hdr", "a.img.gz", false, true}, {"a.hdr.gz", "a.img", true, false},
                           {"A.HDR", "A.IMG", false, false}};

Bytes maybe_gzip(const Bytes& bytes, bool gz) {
    return gz ? gzip(bytes) : bytes;
}

void store(const TempFolder& folder, const Form& form, RawNifti raw, const Bytes& voxels) {
    raw.pair = form.image != nullptr;
    if (!raw.pair) return write_file(folder / form.header, maybe_gzip(raw.file(voxels), form.header_gz));
    write_file(folder / form.header, maybe_gzip(raw.header(), form.header_gz));
    write_file(folder / form.image, maybe_gzip(voxels, form.image_gz));
}

class EveryType : public ::testing::TestWithParam<Type> {};
INSTANTIATE_TEST_SUITE_P(RoundTrip, EveryType, ::testing::ValuesIn(kTypes), [](const auto& type) {
    return std::string(name_of(type.param.dtype)) + "x" + std::to_string(type.param.components);
});

TEST_P(EveryType, IsReadFromEveryForm) {
    const Type& type = GetParam();
    const std::size_t scalar = size_of(type.dtype);
    const Bytes expected = pattern(static_cast<std::size_t>(kVoxels * type.bits / 8));
    for (const auto format : {RawNifti::Format::nifti1, RawNifti::Format::nifti2}) {
        for (const bool big_endian : {false, true}) {
            for (const Form& form : kForms) {
                SCOPED_TRACE(std::string(form.header) + (big_endian ? " big-endian" : "") +
                             (format == RawNifti::Format::nifti2 ? " NIfTI-2" : ""));
                TempFolder folder;
                RawNifti raw{.format = format, .big_endian = big_endian, .datatype = type.code, .bitpix = type.bits};
                raw.dim = {4, 3, 5, 2, 2, 0, 0, 0};
                store(folder, form, raw, with_byte_order(expected, scalar, big_endian));
                const io::NiftiImage image = io::read_nifti(folder / form.header);
                EXPECT_NO_WARNINGS(image.header);
                EXPECT_EQ(image.header.dtype, type.dtype);
                EXPECT_EQ(image.header.components, type.components);
                EXPECT_EQ(image.header.big_endian, big_endian);
                EXPECT_EQ(image.header.pair, form.image != nullptr);
                EXPECT_EQ(image.header.frames(), 2);
                EXPECT_EQ(image.volume.grid().extent, (Extent{3, 5, 2}));
                expect_voxels(image, expected);
                if (form.image) expect_voxels(io::read_nifti(folder / form.image), expected);
            }
        }
    }
}

TEST_P(EveryType, IsWrittenToEveryForm) {
    const Type& type = GetParam();
    const Bytes expected = pattern(static_cast<std::size_t>(kVoxels * type.bits / 8));
    Grid grid;
    grid.extent = {3, 5, 2};
    Volume volume(grid, type.dtype, 2, type.components);
    ASSERT_EQ(volume.size_bytes(), static_cast<std::int64_t>(expected.size()));
    std::memcpy(volume.data(), expected.data(), expected.size());
    for (const auto format : {io::NiftiFormat::nifti1, io::NiftiFormat::nifti2}) {
        for (const char* name : {"b.nii", "b.nii.gz", "b.hdr", "b.img.gz", "B.NII.GZ"}) {
            SCOPED_TRACE(name);
            TempFolder folder;
            io::NiftiHeader header = io::new_header(grid, type.dtype, 2, type.components);
            header.format = format;
            io::write_nifti(folder / name, header, volume);
            const io::NiftiImage image = io::read_nifti(folder / name);
            EXPECT_NO_WARNINGS(image.header);
            EXPECT_EQ(image.header.format, format);
            EXPECT_EQ(image.header.datatype, type.code);
            EXPECT_FALSE(image.header.big_endian);
            expect_voxels(image, expected);
        }
    }
}

TEST(RoundTrip, ValuesAtTheEdgesOfTheirTypesSurvive) {
    TempFolder folder;
    RawNifti raw{.big_endian = true, .datatype = 1024, .bitpix = 64};
    raw.dim = {1, 4, 0, 0, 0, 0, 0, 0};
    Bytes voxels;
    const std::int64_t values[] = {std::numeric_limits<std::int64_t>::min(), (std::int64_t{1} << 53) + 1, -1,
                                   std::numeric_limits<std::int64_t>::max()};
    for (const std::int64_t value : values) append(voxels, value, true);
    write_file(folder / "a.nii", raw.file(voxels));
    const io::NiftiImage image = io::read_nifti(folder / "a.nii");
    EXPECT_EQ(std::memcmp(image.volume.data(), values, sizeof values), 0);
}

TEST(RoundTrip, FloatsAreMovedBitForBit) {
    TempFolder folder;
    RawNifti raw{.big_endian = true, .datatype = 16, .bitpix = 32};
    raw.dim = {2, 3, 2, 1, 1, 1, 1, 1};
    const std::uint32_t bits[] = {0x7fc01234, 0xff800000, 0x00000001, 0x80000000, 0x7fa00001, 0x3f800000};
    Bytes voxels;
    for (const std::uint32_t value : bits) append(voxels, value, true);
    write_file(folder / "a.nii", raw.file(voxels));
    const io::NiftiImage image = io::read_nifti(folder / "a.nii");
    EXPECT_EQ(std::memcmp(image.volume.data(), bits, sizeof bits), 0);
    io::write_nifti(folder / "b.nii.gz", image.header, image.volume);
    EXPECT_EQ(std::memcmp(io::read_nifti(folder / "b.nii.gz").volume.data(), bits, sizeof bits), 0);
}

TEST(RoundTrip, EveryHeaderFieldIsReadAndWritten) {
    for (const auto format : {RawNifti::Format::nifti1, RawNifti::Format::nifti2}) {
        for (const bool big_endian : {false, true}) {
            RawNifti raw{.format = format, .big_endian = big_endian};
            raw.dim = {5, 4, 3, 2, 1, 1, 1, 1};
            raw.pixdim = {-1, 2, 3, 4, 5.5, 6.5, 0, 0};
            raw.scl_slope = 0.5, raw.scl_inter = -3, raw.cal_max = 100, raw.cal_min = -7;
            raw.slice_duration = 0.25, raw.toffset = 12.5, raw.slice_start = 0, raw.slice_end = 1;
            raw.slice_code = 3, raw.xyzt_units = 2 + 8, raw.dim_info = 1 + 2 * 4 + 3 * 16, raw.intent_code = 1007;
            raw.intent_p = {1, 2, 3};
            raw.intent_name = "sixteen letters!", raw.descrip = "a description", raw.aux_file = "other.txt";
            raw.qform_code = 1, raw.sform_code = 4;
            raw.quatern = {0, 0, 1}, raw.qoffset = {10, 20, 30};
            raw.srow = {{{-2, 0, 0, 10}, {0, -3, 0, 20}, {0, 0, -4, 30}}};
            raw.extender = 1;
            raw.extensions = raw.extension(32, 6, to_bytes("a comment, 24 bytes long"));
            TempFolder folder;
            write_file(folder / "a.nii", raw.small_file());
            const io::NiftiImage first = io::read_nifti(folder / "a.nii");
            EXPECT_NO_WARNINGS(first.header);
            io::write_nifti(folder / "b.nii", first.header, first.volume);
            raw.big_endian = false;
            raw.extensions = raw.extension(32, 6, to_bytes("a comment, 24 bytes long"));
            Bytes expected = raw.small_file();
            if (format == RawNifti::Format::nifti1) expected[38] = std::byte{'r'};  // "regular", of ANALYZE
            EXPECT_EQ(read_file(folder / "b.nii"), expected);
        }
    }
}

TEST(RoundTrip, ALongDimensionBecomesNifti2) {
    TempFolder folder;
    Grid grid;
    grid.extent = {40000, 1, 1};
    Volume volume(grid, DType::uint8);
    std::memset(volume.data(), 7, 40000);
    const io::NiftiHeader header = io::new_header(grid, DType::uint8);
    io::write_nifti(folder / "a.nii.gz", header, volume);
    const io::NiftiHeader read = io::read_nifti_header(folder / "a.nii.gz");
    EXPECT_EQ(read.format, io::NiftiFormat::nifti2);
    EXPECT_EQ(read.grid.extent, grid.extent);
}

TEST(RoundTrip, MoreThanOneStepOfVoxels) {
    TempFolder folder;
    Grid grid;
    grid.extent = {1500, 1201, 3};
    Volume volume(grid, DType::int16);
    auto* values = reinterpret_cast<std::int16_t*>(volume.data());
    const std::int64_t count = volume.size_bytes() / 2;
    for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<std::int16_t>(i * 7919 >> 5);
    for (const char* name : {"a.nii", "a.nii.gz"}) {
        double last = 0;
        int calls = 0;
        auto progress = [&](double share) {
            EXPECT_GT(share, last);
            last = share;
            ++calls;
        };
        io::write_nifti(folder / name, io::new_header(grid, DType::int16), volume, {.progress = progress});
        EXPECT_EQ(last, 1.0);
        EXPECT_GT(calls, 1);
        last = 0;
        const io::NiftiImage image = io::read_nifti(folder / name, {.progress = progress});
        EXPECT_EQ(last, 1.0);
        EXPECT_EQ(std::memcmp(image.volume.data(), volume.data(), static_cast<std::size_t>(volume.size_bytes())), 0);
    }
}

TEST(RoundTrip, ExtensionsOfAnySizeSurviveInEveryForm) {
    TempFolder folder;
    Grid grid;
    Volume volume(grid, DType::uint8);
    *volume.data() = std::byte{9};
    io::NiftiHeader header = io::new_header(grid, DType::uint8);
    header.extensions = {{4, to_bytes(std::string(24, 'x'))}, {6, to_bytes(std::string(5001, 'y'))}, {32, {}}};
    for (const char* name : {"a.nii", "b.nii.gz", "c.hdr", "d.hdr.gz"}) {
        SCOPED_TRACE(name);
        io::write_nifti(folder / name, header, volume);
        const io::NiftiImage image = io::read_nifti(folder / name);
        EXPECT_NO_WARNINGS(image.header);
        EXPECT_EQ(image.header.vox_offset % 16, 0);
        EXPECT_EQ(*image.volume.data(), std::byte{9});
        ASSERT_EQ(image.header.extensions.size(), 3u);
        EXPECT_EQ(image.header.extensions[0].code, 4);
        EXPECT_EQ(image.header.extensions[0].data, header.extensions[0].data);
        Bytes padded = header.extensions[1].data;
        padded.resize(5024 - 8);
        EXPECT_EQ(image.header.extensions[1].data, padded) << "padded with zeros to a multiple of 16";
        EXPECT_EQ(image.header.extensions[2].data.size(), 8u);
    }
}

TEST(RoundTrip, EqualDataGiveEqualBytes) {
    TempFolder folder;
    Grid grid;
    grid.extent = {64, 64, 4};
    Volume volume(grid, DType::float32);
    const Bytes voxels = pattern(static_cast<std::size_t>(volume.size_bytes()));
    std::memcpy(volume.data(), voxels.data(), voxels.size());
    for (const int level : {0, 1, 2, 3, 6, 9}) {
        io::write_nifti(folder / "a.nii.gz", io::new_header(grid, DType::float32), volume,
                        {.overwrite = true, .compression = level});
        io::write_nifti(folder / "b.nii.gz", io::new_header(grid, DType::float32), volume,
                        {.overwrite = true, .compression = level, .threads = 5});
        const Bytes a = read_file(folder / "a.nii.gz");
        EXPECT_EQ(a, read_file(folder / "b.nii.gz"));
        const Bytes time_stamp(a.begin() + 4, a.begin() + 8);
        EXPECT_EQ(time_stamp, Bytes(4));
        io::write_nifti(folder / "c.nii", io::new_header(grid, DType::float32), volume, {.overwrite = true});
        EXPECT_EQ(gunzip(a), read_file(folder / "c.nii")) << "one member that zlib reads";
    }
}

}  // namespace
}  // namespace revoxel::test
