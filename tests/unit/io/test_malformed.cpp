// Files that are wrong: one clear line each, and nothing allocated for what a file cannot hold.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <functional>
#include <limits>

#include "revoxel/nifti.hpp"
#include "support/files.hpp"
#include "support/nifti_bytes.hpp"
#include "support/nifti_expect.hpp"

namespace revoxel::test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

class Malformed : public ::testing::Test {
protected:
    io::NiftiImage read(const Bytes& bytes, const std::string& name = "a.nii") {
        write_file(folder_ / name, bytes);
        return io::read_nifti(folder_ / name);
    }
    /// Both reading everything and reading the header alone must fail like this, plain and gzipped, both byte orders.
    void expect_refused(const RawNifti& raw, const std::vector<std::string>& parts) {
        for (const bool big_endian : {false, true}) {
            RawNifti now = raw;
            now.big_endian = big_endian;
            const Bytes file = now.small_file();
            for (const char* name : {"a.nii", "a.nii.gz"}) {
                write_file(folder_ / name, std::string(name) == "a.nii" ? file : gzip(file));
                auto all = parts;
                all.push_back(folder_ / name + ": ");
                expect_error(ErrorCode::input, all, [&] { io::read_nifti(folder_ / name); });
                expect_error(ErrorCode::input, all, [&] { io::read_nifti_header(folder_ / name); });
            }
        }
    }
    /// As expect_refused(), for NIfTI-1 and NIfTI-2.
    void expect_both_refused(const std::function<void(RawNifti&)>& change, const std::vector<std::string>& parts) {
        for (const auto format : {RawNifti::Format::nifti1, RawNifti::Format::nifti2}) {
            RawNifti raw{.format = format};
            change(raw);
            expect_refused(raw, parts);
        }
    }
    TempFolder folder_;
};

TEST_F(Malformed, NoSuchFile) {
    expect_error(ErrorCode::input, {"nowhere.nii: there is no such file"},
                 [&] { io::read_nifti(folder_ / "nowhere.nii"); });
    expect_error(ErrorCode::input, {"no such file"}, [&] { io::read_nifti(folder_ / "no/folder.nii"); });
    expect_error(ErrorCode::input, {"no such file"}, [&] { io::read_nifti(folder_ / "a.img"); });
    expect_error(ErrorCode::input, {""}, [&] { io::read_nifti(""); });
}

TEST_F(Malformed, AFolder) {
    expect_error(ErrorCode::input, {"directory", "expected a NIfTI file"}, [&] { io::read_nifti(folder_.path()); });
}

TEST_F(Malformed, AFifoDoesNotMakeUsWait) {
    ASSERT_EQ(mkfifo((folder_ / "a.nii").c_str(), 0600), 0);
    expect_error(ErrorCode::input, {"not a regular file"}, [&] { io::read_nifti(folder_ / "a.nii"); });
}

TEST_F(Malformed, AnEmptyFile) {
    for (const char* name : {"a.nii", "a.nii.gz", "a.hdr", "a.img"}) {
        expect_error(ErrorCode::input, {"empty (0 bytes)"}, [&] { read({}, name); });
    }
}

TEST_F(Malformed, AFileThatMayNotBeRead) {
    write_file(folder_ / "a.nii", RawNifti{}.small_file());
    ASSERT_EQ(chmod((folder_ / "a.nii").c_str(), 0), 0);
    ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
    const pid_t child = fork();
    if (child == 0) {  // root may read everything, so somebody else tries
        if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
        try {
            io::read_nifti(folder_ / "a.nii");
        } catch (const Error& error) {
            const std::string what = error.what();
            _exit(error.code() == ErrorCode::input && what.find("Permission denied") != std::string::npos ? 0 : 1);
        }
        _exit(3);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Malformed, AFileShorterThanAHeader) {
    const Bytes file = RawNifti{}.small_file();
    for (std::ptrdiff_t size : {1, 3, 4, 100, 347}) {
        expect_error(ErrorCode::input, {"the file ends after " + std::to_string(size) + " bytes", "348"}, [&] {
            read({file.begin(), file.begin() + size});
        });
    }
    const Bytes file2 = RawNifti{.format = RawNifti::Format::nifti2}.small_file();
    expect_error(ErrorCode::input, {"ends after 400 bytes", "540"}, [&] {
        read({file2.begin(), file2.begin() + 400});
    });
}

TEST_F(Malformed, EveryTruncationOfAPlainFile) {
    for (const auto format : {RawNifti::Format::nifti1, RawNifti::Format::nifti2}) {
        RawNifti raw{.format = format, .extender = 1};
        raw.extensions = raw.extension(16, 6, Bytes(8));
        const Bytes file = raw.small_file();
        write_file(folder_ / "a.nii", file);
        for (std::size_t size = file.size(); size-- > 0;) {
            std::filesystem::resize_file(folder_ / "a.nii", size);
            expect_error(ErrorCode::input, {"a.nii: "}, [&] { io::read_nifti(folder_ / "a.nii"); });
        }
    }
}

TEST_F(Malformed, DataShorterThanTheHeaderSays) {
    Bytes file = RawNifti{}.small_file();
    file.pop_back();
    expect_error(ErrorCode::input,
                 {"4 x 3 x 2 voxels of int16 (48 bytes from byte 352)", "ends at byte 399", "copy it again"},
                 [&] { read(file); });
}

TEST_F(Malformed, NotNifti) {
    expect_error(ErrorCode::input, {"not a NIfTI file", "348", "540"}, [&] { read(to_bytes(std::string(2000, 'x'))); });
    Bytes dicom(1000);
    const Bytes magic = to_bytes("DICM");
    std::copy(magic.begin(), magic.end(), dicom.begin() + 128);
    expect_error(ErrorCode::input, {"DICOM", "convert"}, [&] { read(dicom); });
}

TEST_F(Malformed, WrongSizeOfHeader) {
    for (const int size : {0, 347, 349, 544, -348}) {
        expect_both_refused([&](RawNifti& raw) { raw.sizeof_hdr = size == 0 ? 1 : size; },
                            {"sizeof_hdr is ", "348", "540"});
    }
}

TEST_F(Malformed, WrongMagic) {
    for (const char* magic : {"n+3", "ni3", "nii", "n+1x", "\1\2\3"}) {
        expect_refused({.magic = magic}, {"the magic at byte 344 is \"", "\"n+1\" or \"ni1\""});
    }
    expect_refused({.format = RawNifti::Format::nifti2, .magic = "n+1"},
                   {"the magic is \"n+1\"", "\"n+2\" or \"ni2\""});
    const std::string as_text("n+2\0\n\032\n\0", 8);
    expect_refused({.format = RawNifti::Format::nifti2, .magic = as_text}, {"transferred as text", "binary"});
    RawNifti pair{.pair = true, .magic = "nix"};
    expect_error(ErrorCode::input, {"the magic at byte 344"}, [&] { read(pair.header(), "a.hdr"); });
    RawNifti none{.format = RawNifti::Format::analyze75};
    expect_error(ErrorCode::input, {"the magic at byte 344"}, [&] { read(none.file(Bytes(48))); });
}

TEST_F(Malformed, ByteSwappedInPart) {
    for (const auto format : {RawNifti::Format::nifti1, RawNifti::Format::nifti2}) {
        RawNifti raw{.format = format};
        raw.sizeof_hdr = __builtin_bswap32(format == RawNifti::Format::nifti2 ? 540 : 348);
        expect_refused(raw, {"byte-swapped in part"});
    }
}

TEST_F(Malformed, NumberOfDimensions) {
    for (const std::int64_t rank : {0, -1, 8, 16, 1000}) {
        expect_both_refused([&](RawNifti& raw) { raw.dim[0] = rank; },
                            {"dim[0], the number of dimensions, is " + std::to_string(rank), "1 to 7"});
    }
}

TEST_F(Malformed, ZeroAndNegativeDimensions) {
    for (std::size_t axis = 1; axis <= 3; ++axis) {
        for (const std::int64_t count : {0, -1, -32768}) {
            expect_both_refused([&](RawNifti& raw) { raw.dim[axis] = count; },
                                {"dim[" + std::to_string(axis) + "] is " + std::to_string(count), "at least 1"});
        }
    }
    expect_both_refused([](RawNifti& raw) { raw.dim = {5, 4, 3, 2, 1, 0, 1, 1}; }, {"dim[5] is 0"});
}

TEST_F(Malformed, ProductOfDimensionsOverflows) {
    RawNifti raw;
    raw.dim = {7, 32767, 32767, 32767, 32767, 32767, 32767, 32767};
    expect_refused(raw, {"product", "2^63"});
    raw.format = RawNifti::Format::nifti2;
    raw.dim = {2, std::int64_t{1} << 32, std::int64_t{1} << 31, 1, 1, 1, 1, 1};
    expect_refused(raw, {"product", "2^63"});
    raw.dim = {1, INT64_MAX / 2, 1, 1, 1, 1, 1, 1};  // fits, but not with the offset added
    expect_refused(raw, {"asks for"});
}

TEST_F(Malformed, DimensionsFarBeyondTheFileAllocateNothing) {
    const pid_t child = fork();
    if (child == 0) {
        // The header claims 8 GB; 1 GB of address space more than now is enough to refuse it.
        const rlimit limit{rlim_t{4} << 30, rlim_t{4} << 30};
        if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(2);
        try {
            RawNifti raw;
            raw.dim = {4, 32767, 32767, 4, 1, 1, 1, 1};
            read(raw.small_file());
        } catch (const Error& error) {
            _exit(error.code() == ErrorCode::input ? 0 : 1);
        }
        _exit(3);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(Malformed, BitpixAgainstDatatype) {
    expect_both_refused([](RawNifti& raw) { raw.bitpix = 32; }, {"bitpix is 32", "datatype 4 has 16 bits"});
    expect_both_refused([](RawNifti& raw) { raw.bitpix = 0; }, {"bitpix is 0"});
    expect_both_refused([](RawNifti& raw) { raw.datatype = 128; }, {"bitpix is 16", "datatype 128 has 24 bits"});
}

TEST_F(Malformed, DatatypesThatAreNotSupported) {
    const std::pair<int, const char*> kCases[] = {{0, "unknown (0)"},
                                                  {1, "binary (1)"},
                                                  {1536, "float128 (1536)"},
                                                  {2048, "complex256 (2048)"},
                                                  {3, "3, which NIfTI does not define"},
                                                  {-9510, "-9510"}};
    for (const auto& [code, text] : kCases) {
        expect_both_refused([code = code](RawNifti& raw) { raw.datatype = code; },
                            {std::string("the datatype is ") + text, "expected"});
    }
}

TEST_F(Malformed, VoxOffset) {
    for (const double offset : {-1.0, 16.0, 348.0, 351.0, -352.0}) {
        expect_both_refused([&](RawNifti& raw) { raw.vox_offset = offset; }, {"vox_offset", "at least"});
    }
    for (const double offset : {kNaN, kInf, 352.5, 1e30}) {
        expect_refused({.vox_offset = offset}, {"vox_offset", "whole number of at least 352"});
    }
    expect_refused({.format = RawNifti::Format::nifti2, .vox_offset = 352}, {"vox_offset", "at least 544"});
    expect_both_refused([](RawNifti& raw) { raw.vox_offset = 9e17; }, {"vox_offset", "9"});
    RawNifti beyond{.vox_offset = 100000};
    expect_error(ErrorCode::input, {"vox_offset", "is 100000, but the file has 400 bytes"},
                 [&] { read(beyond.small_file()); });
}

TEST_F(Malformed, VoxOffsetZeroOfOldWriters) {
    const auto image = read(RawNifti{.vox_offset = 0}.small_file());
    EXPECT_WARNING(image.header, "vox_offset is 0; 352 is taken");
    EXPECT_EQ(image.volume.data()[46], std::byte{23});
}

TEST_F(Malformed, VoxOffsetNeedNotBeAligned) {
    RawNifti raw;
    raw.extensions = Bytes(5);
    const auto image = read(raw.small_file());
    EXPECT_EQ(image.header.vox_offset, 357);
    EXPECT_EQ(image.volume.data()[46], std::byte{23});
    EXPECT_NO_WARNINGS(image.header);
}

TEST_F(Malformed, ExtensionSizes) {
    for (const int size : {0, -1, 7, INT32_MIN, 64, 33, INT32_MAX}) {
        expect_both_refused(
            [&](RawNifti& raw) {
                raw.extender = 1;
                raw.extensions = raw.extension(size, 4, Bytes(24));
                if (raw.big_endian) return;
            },
            {"header extension 1 claims a size of "});
    }
    for (const auto format : {RawNifti::Format::nifti1, RawNifti::Format::nifti2}) {
        RawNifti raw{.format = format, .extender = 1};
        raw.extensions = raw.extension(16, 4, Bytes(8)) + raw.extension(1000, 4, Bytes(8));
        expect_error(ErrorCode::input,
                     {"header extension 2 claims a size of 1000 bytes; expected 16 to 16", "before the voxels"},
                     [&] { read(raw.small_file()); });
    }
}

TEST_F(Malformed, ExtensionSizesOfAPair) {
    RawNifti raw{.pair = true, .extender = 1};
    write_file(folder_ / "a.img", raw.ramp<std::int16_t>(24));
    for (const int size : {0, -16, 5, 1000}) {
        raw.extensions = raw.extension(size, 4, Bytes(24));
        expect_error(ErrorCode::input, {"a.hdr: header extension 1 claims a size of " + std::to_string(size)},
                     [&] { read(raw.header(), "a.hdr"); });
    }
    raw.extensions = raw.extension(32, 4, Bytes(20));
    expect_error(ErrorCode::input, {"a.hdr.gz: the file ends inside header extension 1"},
                 [&] { read(gzip(raw.header()), "a.hdr.gz"); });
}

TEST_F(Malformed, OddButUsableExtensions) {
    RawNifti raw{.extender = 1};
    raw.extensions = raw.extension(20, 6, to_bytes("twelve bytes")) + Bytes(28);
    const auto image = read(raw.small_file());
    EXPECT_WARNING(image.header, "extension 1 has 20 bytes, which is not a multiple of 16");
    EXPECT_WARNING(image.header, "taken as padding");
    ASSERT_EQ(image.header.extensions.size(), 1u);
    EXPECT_EQ(image.header.extensions[0].data, to_bytes("twelve bytes"));
    EXPECT_EQ(image.volume.data()[46], std::byte{23});
}

TEST_F(Malformed, APairWithoutItsOtherHalf) {
    const RawNifti raw{.pair = true};
    expect_error(ErrorCode::input, {"a.hdr: its voxels are in a file of their own", "a.img nor ", "a.img.gz exists"},
                 [&] { read(raw.header(), "a.hdr"); });
    expect_error(ErrorCode::input, {"b.img: this holds voxels only", "b.hdr nor ", "b.hdr.gz exists"},
                 [&] { read(Bytes(48), "b.img"); });
    write_file(folder_ / "a.img", Bytes(47));
    expect_error(ErrorCode::input, {"a.img: the header asks for", "ends at byte 47"},
                 [&] { io::read_nifti(folder_ / "a.hdr"); });
    expect_error(ErrorCode::input, {"a.img: ", "ends at byte 47"}, [&] { io::read_nifti_header(folder_ / "a.img"); });
}

TEST_F(Malformed, UnusableFormsInUse) {
    const Bytes ignored;
    RawNifti raw;
    raw.srow[1] = {0, 0, 0, 0};
    expect_refused(raw, {"the sform (code 1) is in use, but it is singular", "repair the header"});
    raw.srow = {{{1, 2, 0, 0}, {2, 4, 0, 0}, {0, 0, 1, 0}}};
    expect_refused(raw, {"the sform (code 1) is in use, but it is singular (its axes lie in one plane)"});
    raw.srow = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, kNaN}}};
    expect_refused(raw, {"sform", "not finite"});
    raw.srow[2] = {0, 0, 1, kInf};
    expect_refused(raw, {"sform", "not finite"});
    raw.srow[2] = {0, 0, 1e30, 0};
    expect_refused(raw, {"sform", "1e+30 mm apart"});
    raw.qform_code = 1;
    expect_refused(raw, {"use --prefer qform"});

    RawNifti q{.qform_code = 1, .sform_code = 0};
    q.quatern = {kNaN, 0, 0};
    expect_refused(q, {"the qform (code 1) is in use, but its quaternion is not finite"});
    q.quatern = {0, 0, 0};
    q.qoffset = {0, kInf, 0};
    expect_refused(q, {"the qform (code 1) is in use, but it has a number that is not finite"});
    q.qoffset = {0, 0, 0};
    for (const double mm : {0.0, kNaN, kInf}) {
        q.pixdim[2] = mm;
        expect_refused(q, {"the qform (code 1) is in use, but pixdim[2] is "});
        RawNifti none = q;
        none.qform_code = 0;
        expect_refused(none, {"pixdim[2] is ", "voxel size above 0"});
    }
}

TEST_F(Malformed, NamesAndContentsCannotBreakTheLine) {
    const std::string name = "two\nlines.nii";
    expect_error(ErrorCode::input, {"two?lines.nii"}, [&] { read(RawNifti{.magic = "\n\n\n"}.small_file(), name); });
}

}  // namespace
}  // namespace revoxel::test
