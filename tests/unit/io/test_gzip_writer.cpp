// gzip in pieces on several threads: one member, the same bytes always, errors that reach the caller.
#include "io/gzip_writer.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <random>
#include <set>
#include <thread>

#include "io/deflate_piece.hpp"
#include "io/gzip.hpp"
#include "support/files.hpp"
#include "support/nifti_expect.hpp"

namespace revoxel::test {
namespace {

constexpr std::size_t kPiece = io::GzipWriter::kPieceBytes;

enum class Kind { zeros, runs, scan, noise, mixed };
constexpr Kind kKinds[] = {Kind::zeros, Kind::runs, Kind::scan, Kind::noise, Kind::mixed};

Bytes make_data(Kind kind, std::size_t count) {
    Bytes bytes(count);
    std::mt19937 random(1);
    std::int32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        switch (kind) {
            case Kind::zeros: break;
            case Kind::runs: bytes[i] = static_cast<std::byte>(i / 1000 % 7); break;
            case Kind::scan:  // int16 that wander
                if (i % 2 == 0) value = std::clamp<std::int32_t>(value + static_cast<int>(random() % 31) - 15, 0, 4095);
                bytes[i] = static_cast<std::byte>(i % 2 == 0 ? value : value >> 8);
                break;
            case Kind::noise: bytes[i] = static_cast<std::byte>(random()); break;
            case Kind::mixed: bytes[i] = static_cast<std::byte>(i / 50'000 % 2 == 0 ? random() : i % 5); break;
        }
    }
    return bytes;
}

void write_in_steps(io::GzipWriter& writer, const Bytes& data, std::size_t step) {
    for (std::size_t at = 0; at < data.size(); at += step) {
        writer.write(std::span(data).subspan(at, std::min(step, data.size() - at)));
    }
}

Bytes written(const Bytes& data, int level, int threads = 1, std::size_t step = 1 << 20) {
    Bytes raw;
    io::GzipWriter writer(
        [&raw](std::span<const std::byte> bytes) { raw.insert(raw.end(), bytes.begin(), bytes.end()); }, level,
        threads);
    write_in_steps(writer, data, step);
    writer.finish();
    return raw;
}

TEST(GzipWriter, MakesOneMemberThatZlibReadsAtEveryLevel) {
    for (const Kind kind : kKinds) {
        const Bytes data = make_data(kind, 2 * kPiece + 7);
        for (int level = 0; level <= 9; ++level) {
            const Bytes raw = written(data, level, 2);
            EXPECT_TRUE(gunzip(raw) == data) << level << ' ' << static_cast<int>(kind);
            EXPECT_LE(raw.size(), data.size() + 200) << "what cannot be made smaller is stored";
        }
    }
}

TEST(GzipWriter, TakesAnyNumberOfBytes) {
    const Bytes all = make_data(Kind::scan, 9 * kPiece + 5);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{65535},
                                   std::size_t{65536}, kPiece - 1, kPiece, kPiece + 1, all.size()}) {
        const Bytes data(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size));
        for (const int level : {0, 1, 2, 3, 6}) {
            for (const int threads : {1, 3}) {
                EXPECT_TRUE(gunzip(written(data, level, threads)) == data) << level << ' ' << size << ' ' << threads;
            }
        }
    }
}

TEST(GzipWriter, BytesDependNeitherOnThreadsNorOnSteps) {
    const Bytes data = make_data(Kind::mixed, 9 * kPiece + 100);
    for (const int level : {0, 1, 2, 4}) {
        const Bytes raw = written(data, level);
        for (const int threads : {1, 2, 5}) {
            for (const std::size_t step : {std::size_t{1000}, kPiece, kPiece + 1, data.size()}) {
                EXPECT_TRUE(written(data, level, threads, step) == raw) << level << ' ' << threads << ' ' << step;
            }
        }
    }
}

// ISA-L takes a hash from the address of its own memory; see isal_stream.hpp. Each compressor finds the place of the
// one before it taken.
TEST(GzipWriter, BytesDoNotDependOnWhereTheCompressorLies) {
    constexpr std::size_t kTaken = std::size_t{128} << 10;
    Bytes data = make_data(Kind::noise, 400);
    data.insert(data.end(), data.begin(), data.begin() + 300);  // its first bytes are looked for
    for (int level : {1, 2}) {
        std::vector<void*> taken;
        Bytes expected, found;
        for (int i = 0; i < 6000; ++i) {
            found.resize(io::PieceDeflater::bound(data.size()));
            found.resize(io::PieceDeflater(level).deflate(data, found));
            if (i == 0) expected = found;
            EXPECT_TRUE(found == expected) << "level " << level << ", compressor " << i;
            taken.push_back(::mmap(nullptr, kTaken, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        }
        for (void* p : taken) ::munmap(p, kTaken);
    }
}

TEST(GzipWriter, HigherLevelsAreSmaller) {
    const Bytes data = make_data(Kind::scan, kPiece);
    std::vector<std::size_t> sizes;
    for (int level = 0; level <= 9; ++level) sizes.push_back(written(data, level).size());
    EXPECT_GT(sizes[0], data.size());
    EXPECT_LT(sizes[1], data.size() * 8 / 10);
    EXPECT_LT(sizes[9], sizes[1]);
}

TEST(GzipWriter, RefusesLevelsThatDoNotExist) {
    for (const int level : {-1, 10}) {
        expect_error(ErrorCode::usage, {std::to_string(level), "0 to 9"},
                     [&] { io::GzipWriter writer([](auto) {}, level); });
    }
}

TEST(GzipWriter, WhatTheSinkThrowsReachesTheCaller) {
    const Bytes data = make_data(Kind::scan, 20 * kPiece);
    for (const int threads : {1, 2, 5}) {
        for (int last : {0, 1, 2, 7, 20, 21}) {  // the header, pieces, the last piece, the end
            std::atomic<int> calls{0};
            auto sink = [&](std::span<const std::byte>) {
                if (calls++ == last) throw Error(ErrorCode::output, "the disk is full");
            };
            io::GzipWriter writer(sink, 1, threads);
            expect_error(ErrorCode::output, {"the disk is full"}, [&] {
                write_in_steps(writer, data, kPiece / 2);
                writer.finish();
            });
            EXPECT_EQ(calls, last + 1) << "nothing follows what failed";
        }
    }
}

TEST(GzipWriter, MayBeGivenUpAtAnyTime) {
    const Bytes data = make_data(Kind::scan, 12 * kPiece);
    for (const int threads : {1, 2, 5}) {
        for (const std::size_t size : {std::size_t{0}, kPiece / 2, kPiece, 5 * kPiece, data.size()}) {
            Bytes raw;
            {
                io::GzipWriter writer(
                    [&raw](std::span<const std::byte> bytes) { raw.insert(raw.end(), bytes.begin(), bytes.end()); }, 1,
                    threads);
                writer.write(std::span(data).first(size));
            }
            const Bytes all = written(data, 1);
            ASSERT_LE(raw.size(), all.size());
            EXPECT_TRUE(std::equal(raw.begin(), raw.end(), all.begin()));
        }
    }
}

TEST(GzipWriter, HoldsTwoPiecesForEachThread) {
    const Bytes data = make_data(Kind::runs, kPiece);
    for (const int threads : {1, 2, 5}) {
        std::atomic<std::int64_t> accepted{0};
        std::int64_t delivered = 0, most = 0;
        auto slow_sink = [&](std::span<const std::byte>) {
            most = std::max(most, accepted - delivered++);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        };
        io::GzipWriter writer(slow_sink, 0, threads);
        for (int n = 0; n < 50; ++n, ++accepted) writer.write(data);
        writer.finish();
        EXPECT_EQ(delivered, 52) << "the header, the pieces, the end";
        EXPECT_LE(most, threads == 1 ? 1 : 2 * threads);
    }
}

TEST(GzipWriter, WorksWithNoMoreThreadsThanItWasGiven) {
    const Bytes data = make_data(Kind::runs, 20 * kPiece);
    for (const int threads : {1, 2, 5}) {
        std::set<std::thread::id> seen;  // the sink is called one call at a time
        io::GzipWriter writer([&](std::span<const std::byte>) { seen.insert(std::this_thread::get_id()); }, 1, threads);
        writer.write(data);
        writer.finish();
        EXPECT_LE(seen.size(), static_cast<std::size_t>(threads));
        if (threads == 1) {
            EXPECT_EQ(seen, std::set{std::this_thread::get_id()});
        }
    }
}

// More than ISIZE can tell. What is read is not kept.
TEST(Large, GzipBeyondFourGiB) {
    const Bytes block = make_data(Kind::runs, 64 * kPiece);
    constexpr std::uint64_t kBytes = (std::uint64_t{1} << 32) + 1'000'003;
    Bytes raw;
    io::GzipWriter writer(
        [&raw](std::span<const std::byte> bytes) { raw.insert(raw.end(), bytes.begin(), bytes.end()); }, 1, 2);
    for (std::uint64_t left = kBytes; left > 0;) {
        const auto part = std::span(block).first(std::min<std::uint64_t>(left, block.size()));
        writer.write(part);
        left -= part.size();
    }
    writer.finish();
    std::uint32_t isize = 0;
    std::memcpy(&isize, raw.data() + raw.size() - sizeof isize, sizeof isize);
    EXPECT_EQ(isize, 1'000'003u);

    std::size_t at = 0;
    io::GzipReader reader("x.gz", [&](std::byte* to, std::size_t count) {
        const std::size_t step = std::min(count, raw.size() - at);
        std::memcpy(to, raw.data() + at, step);
        at += step;
        return step;
    });
    Bytes part(block.size());
    std::uint64_t total = 0;
    for (std::size_t got = part.size(); got == part.size();) {
        got = reader.read(part);
        total += got;
        ASSERT_TRUE(std::equal(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got), block.begin()));
    }
    EXPECT_EQ(total, kBytes);
    EXPECT_FALSE(reader.truncated()) << "and its checksum and length are right, else it would have thrown";
}

}  // namespace
}  // namespace revoxel::test
