// gzip as it is found: several members, bytes after the end, cut off, damaged, or not gzip at all.
#include "io/gzip.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "revoxel/nifti.hpp"
#include "support/files.hpp"
#include "support/nifti_bytes.hpp"
#include "support/nifti_expect.hpp"

namespace revoxel::test {
namespace {

Bytes noisy(std::size_t count) {
    Bytes bytes(count);
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < count; ++i) {
        state = state * 1664525 + 1013904223;
        bytes[i] = static_cast<std::byte>((i / 100) ^ (state >> 30));
    }
    return bytes;
}

// Reads everything in pieces of `out_step`, fed in pieces of `in_step`.
Bytes read_all(const Bytes& raw, std::size_t in_step, std::size_t out_step, io::GzipReader** reader_out = nullptr) {
    static std::unique_ptr<io::GzipReader> reader;
    auto at = std::make_shared<std::size_t>(0);
    reader = std::make_unique<io::GzipReader>("x.gz", [&raw, at, in_step](std::byte* to, std::size_t count) {
        const std::size_t step = std::min({count, in_step, raw.size() - *at});
        std::memcpy(to, raw.data() + *at, step);
        *at += step;
        return step;
    });
    Bytes all;
    for (std::size_t got = out_step; got == out_step;) {
        Bytes part(out_step);
        got = reader->read(part);
        all.insert(all.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    }
    if (reader_out) *reader_out = reader.get();
    return all;
}

TEST(GzipReader, AnyStepsGiveTheSameBytes) {
    const Bytes data = noisy(100'000);
    for (int level : {0, 1, 9}) {
        const Bytes raw = gzip(data, level);
        for (std::size_t in_step : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, raw.size()}) {
            for (std::size_t out_step :
                 {std::size_t{1}, std::size_t{13}, std::size_t{65536}, data.size(), data.size() + 1}) {
                if (in_step == 1 && out_step == 1) continue;  // slow and nothing new
                EXPECT_EQ(read_all(raw, in_step, out_step), data) << level << ' ' << in_step << ' ' << out_step;
            }
        }
    }
}

TEST(GzipReader, MembersFollowEachOther) {
    const Bytes a = noisy(1000), b = noisy(70'000);
    const Bytes raw = gzip(a) + gzip({}) + gzip(b, 0) + gzip(to_bytes("x"));
    for (std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{1000}, raw.size()}) {
        io::GzipReader* reader = nullptr;
        EXPECT_EQ(read_all(raw, step, 777, &reader), a + b + to_bytes("x")) << step;
        EXPECT_FALSE(reader->truncated());
        EXPECT_EQ(reader->trailing_bytes(), 0);
    }
}

TEST(GzipReader, AHeaderTakesLittleOfALargeFile) {
    const Bytes data = noisy(1'000'000), raw = gzip(data);
    ASSERT_GT(raw.size(), 100'000U);
    std::size_t taken = 0;
    io::GzipReader reader("x.gz", [&](std::byte* to, std::size_t count) {
        const std::size_t step = std::min(count, raw.size() - taken);
        std::memcpy(to, raw.data() + taken, step);
        taken += step;
        return step;
    });
    Bytes head(352);
    EXPECT_EQ(reader.read(head), head.size());
    EXPECT_LE(taken, 8192U);
    EXPECT_TRUE(std::equal(head.begin(), head.end(), data.begin()));
}

TEST(GzipReader, BytesAfterTheLastMemberAreCounted) {
    const Bytes data = noisy(5000);
    for (const std::size_t count :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{512}, std::size_t{600'000}}) {
        const Bytes raw = gzip(data) + Bytes(count);
        io::GzipReader* reader = nullptr;
        EXPECT_EQ(read_all(raw, 4096, 5001, &reader), data);
        EXPECT_EQ(reader->trailing_bytes(), static_cast<std::int64_t>(count));
        EXPECT_FALSE(reader->truncated());
    }
}

TEST(GzipReader, EveryTruncationIsNoticed) {
    const Bytes data = noisy(3000);
    for (const int level : {0, 6}) {
        const Bytes raw = gzip(data, level);
        for (std::size_t size = 3; size < raw.size(); ++size) {
            io::GzipReader* reader = nullptr;
            const Bytes got =
                read_all({raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(size)}, 100, 5000, &reader);
            ASSERT_TRUE(reader->truncated()) << size;
            ASSERT_LE(got.size(), data.size());
            ASSERT_TRUE(std::equal(got.begin(), got.end(), data.begin())) << size;
        }
    }
}

TEST(GzipReader, AWrongChecksumOrLengthIsAnError) {
    const Bytes raw = gzip(noisy(3000));
    for (std::size_t from_end = 1; from_end <= 8; ++from_end) {
        Bytes bad = raw;
        bad[bad.size() - from_end] ^= std::byte{1};
        expect_error(ErrorCode::input, {"x.gz: ", "checksum", "copy it again"}, [&] { read_all(bad, 1000, 5000); });
    }
}

TEST(GzipReader, NoSingleWrongBitGoesUnnoticed) {
    const Bytes data = noisy(2000);
    const Bytes raw = gzip(data);
    int errors = 0, truncations = 0;
    for (std::size_t bit = 0; bit < raw.size() * 8; ++bit) {
        Bytes bad = raw;
        bad[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        io::GzipReader* reader = nullptr;
        try {
            const Bytes got = read_all(bad, 300, 3000, &reader);
            if (reader->truncated()) {
                ++truncations;
            } else {
                // A time stamp, or a match that is found at another distance as well.
                EXPECT_EQ(got, data);
            }
        } catch (const Error&) {
            ++errors;
        }
    }
    EXPECT_GT(errors, 1000);
    EXPECT_GT(truncations, 0);
}

TEST(GzipReader, HeadersWithNameCommentAndExtraField) {
    const Bytes data = noisy(500);
    const Bytes plain = gzip(data);
    Bytes raw(plain.begin(), plain.begin() + 10);
    raw[3] = std::byte{4 + 8 + 16};
    raw = raw + Bytes{std::byte{3}, std::byte{0}} + to_bytes("abc") + to_bytes(std::string("name.nii\0", 9)) +
          to_bytes(std::string("comment\0", 8)) + Bytes(plain.begin() + 10, plain.end());
    for (const std::size_t step : {std::size_t{1}, std::size_t{5}, raw.size()})
        EXPECT_EQ(read_all(raw, step, 1000), data);
    // A header longer than the reader's buffer.
    Bytes longer(plain.begin(), plain.begin() + 10);
    longer[3] = std::byte{8 + 16};
    longer = longer + to_bytes(std::string("name.nii\0", 9)) + to_bytes(std::string(300'000, 'c') + '\0') +
             Bytes(plain.begin() + 10, plain.end());
    EXPECT_EQ(read_all(longer, longer.size(), 1000), data);
}

TEST(Gzip, CapacityIsAnUpperBoundAndDoesNotOverflow) {
    const Bytes zeros(10'000'000);
    EXPECT_GE(io::gzip_capacity(static_cast<std::int64_t>(gzip(zeros, 9).size())), 10'000'000);
    EXPECT_EQ(io::gzip_capacity(INT64_MAX / 2), INT64_MAX);
}

class GzipNifti : public ::testing::Test {
protected:
    io::NiftiImage read(const std::string& name, const Bytes& bytes) {
        write_file(folder_ / name, bytes);
        return io::read_nifti(folder_ / name);
    }
    TempFolder folder_;
    RawNifti raw_;
};

TEST_F(GzipNifti, SeveralMembersAreOneFile) {
    const Bytes file = raw_.small_file();
    for (const std::ptrdiff_t cut : {1, 347, 348, 352, 360, 399}) {
        const auto image =
            read("a.nii.gz", gzip({file.begin(), file.begin() + cut}) + gzip({file.begin() + cut, file.end()}));
        EXPECT_NO_WARNINGS(image.header);
        EXPECT_EQ(image.volume.data()[46], std::byte{23});
    }
}

TEST_F(GzipNifti, BytesAfterTheStreamAreAWarning) {
    const auto image = read("a.nii.gz", gzip(raw_.small_file()) + Bytes(512));
    EXPECT_WARNING(image.header, "512 bytes after the end of the gzip stream are ignored");
}

TEST_F(GzipNifti, MoreDataThanTheHeaderAsksForAreAWarning) {
    EXPECT_WARNING(read("a.nii.gz", gzip(raw_.small_file() + Bytes(100))).header, "100 more bytes");
    EXPECT_WARNING(read("a.nii", raw_.small_file() + Bytes(100)).header, "100 more bytes");
}

TEST_F(GzipNifti, ATruncatedStreamSaysHowFarItGot) {
    raw_.dim = {3, 100, 100, 10, 1, 1, 1, 1};
    const Bytes raw = gzip(raw_.file(noisy(200'000)), 0);
    const Bytes half(raw.begin(), raw.begin() + 100'000);
    expect_error(ErrorCode::input,
                 {"a.nii.gz: the gzip stream ends after ", " of 200000 bytes of voxels", "truncated", "copy it again"},
                 [&] { read("a.nii.gz", half); });
    const Bytes no_trailer(raw.begin(), raw.end() - 8);
    expect_error(ErrorCode::input, {"a.nii.gz: ", "truncated"}, [&] { read("a.nii.gz", no_trailer); });
    const Bytes no_voxel(raw.begin(), raw.begin() + 200);
    expect_error(ErrorCode::input, {"a.nii.gz: "}, [&] { read("a.nii.gz", no_voxel); });
}

TEST_F(GzipNifti, AWrongChecksumIsAnErrorThoughAllVoxelsAreThere) {
    for (const std::size_t from_end : {1u, 5u}) {
        Bytes raw = gzip(raw_.small_file());
        raw[raw.size() - from_end] ^= std::byte{0x10};
        expect_error(ErrorCode::input, {"a.nii.gz: the checksum"}, [&] { read("a.nii.gz", raw); });
    }
}

TEST_F(GzipNifti, FewerVoxelsThanTheHeaderAsksFor) {
    Bytes file = raw_.small_file();
    file.resize(file.size() - 10);
    expect_error(ErrorCode::input, {"a.nii.gz: ", "38 of 48 bytes"}, [&] { read("a.nii.gz", gzip(file)); });
}

TEST_F(GzipNifti, TheNameDoesNotDecideWhetherAFileIsGzip) {
    const auto zipped = read("a.nii", gzip(raw_.small_file()));
    EXPECT_WARNING(zipped.header, "does not end in .gz, but the file is gzip");
    EXPECT_EQ(zipped.volume.data()[46], std::byte{23});
    const auto plain = read("b.nii.gz", raw_.small_file());
    EXPECT_WARNING(plain.header, "ends in .gz, but the file is not gzip");
    EXPECT_EQ(plain.volume.data()[46], std::byte{23});
    const auto odd = read("c.dat", gzip(raw_.small_file()));
    EXPECT_NO_WARNINGS(odd.header);
}

TEST_F(GzipNifti, ABombIsRefusedBeforeAnythingIsAllocated) {
    raw_.dim = {3, 30000, 30000, 30000, 1, 1, 1, 1};
    expect_error(ErrorCode::input, {"a.nii.gz: ", "30000 x 30000 x 30000", "cannot hold more than"},
                 [&] { read("a.nii.gz", gzip(raw_.file(Bytes(1000)))); });
}

TEST_F(GzipNifti, ABombBehindTheVoxelsIsNotReadToItsEnd) {
    const Bytes zeros = gzip(Bytes(100'000'000), 9);
    const auto image = read("a.nii.gz", gzip(raw_.small_file()) + zeros + zeros + zeros);
    EXPECT_WARNING(image.header, "more than 64 MiB after the voxels");
}

TEST_F(GzipNifti, AnEmptyStreamIsTooShortForAHeader) {
    expect_error(ErrorCode::input, {"a.nii.gz: the gzip stream ends after 0 bytes", "348"},
                 [&] { read("a.nii.gz", gzip({})); });
}

TEST_F(GzipNifti, ThePartsOfAPairAreCheckedToo) {
    raw_.pair = true;
    write_file(folder_ / "a.img", raw_.ramp<std::int16_t>(24));
    Bytes header = gzip(raw_.header());
    header[header.size() - 6] ^= std::byte{1};
    expect_error(ErrorCode::input, {"a.hdr.gz: the checksum"}, [&] { read("a.hdr.gz", header); });
}

}  // namespace
}  // namespace revoxel::test
