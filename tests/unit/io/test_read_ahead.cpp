// Blocks come in order and to the last byte, errors come after what was read before them.
#include "io/read_ahead.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

#include "io/input_file.hpp"
#include "support/files.hpp"
#include "support/nifti_expect.hpp"

namespace revoxel::test {
namespace {

Bytes counting(std::size_t count) {
    Bytes bytes(count);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * i >> 3);
    return bytes;
}

// Delivers the bytes, then says that it has ended, once.
io::ReadAhead::Source source_of(const Bytes& bytes) {
    return [&bytes, at = std::size_t{0}, ended = false](std::span<std::byte> out) mutable {
        EXPECT_FALSE(ended) << "called again after the end";
        const std::size_t step = std::min(out.size(), bytes.size() - at);
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), step, out.begin());
        at += step;
        ended = step < out.size();
        return step;
    };
}

TEST(ReadAhead, DeliversEveryByteInOrder) {
    for (const std::size_t size : {0, 1, 999, 1000, 1001, 50'000}) {
        const Bytes bytes = counting(size);
        for (const int blocks : {1, 2, 4, 100}) {
            io::ReadAhead ahead(source_of(bytes), 1000, blocks);
            Bytes all;
            for (auto block = ahead.next(); !block.empty(); block = ahead.next()) {
                all.insert(all.end(), block.begin(), block.end());
                std::fill(block.begin(), block.end(), std::byte{0});  // it is the consumer's
            }
            EXPECT_TRUE(all == bytes) << size << ' ' << blocks;
            EXPECT_TRUE(ahead.next().empty()) << "the end stays the end";
        }
    }
}

TEST(ReadAhead, ErrorsComeAfterTheBlocksBefore) {
    for (const int blocks : {1, 2, 4}) {
        for (int good : {0, 1, 5}) {
            int calls = 0;
            io::ReadAhead ahead(
                [&](std::span<std::byte> out) {
                    if (calls++ == good) throw Error(ErrorCode::input, "scan.nii.gz: damaged");
                    return out.size();
                },
                100, blocks);
            for (int n = 0; n < good; ++n) EXPECT_EQ(ahead.next().size(), 100u);
            for (int again = 0; again < 2; ++again) {
                expect_error(ErrorCode::input, {"scan.nii.gz: damaged"}, [&] { ahead.next(); });
            }
            EXPECT_EQ(calls, good + 1);
        }
    }
}

TEST(ReadAhead, StopsWhenTheConsumerHasEnough) {
    for (const int blocks : {1, 2, 4}) {
        for (int wanted = 0; wanted < 4; ++wanted) {
            std::atomic<int> calls{0};
            {
                io::ReadAhead ahead(
                    [&](std::span<std::byte> out) {
                        ++calls;
                        return out.size();
                    },
                    100, blocks);
                for (int n = 0; n < wanted; ++n) EXPECT_EQ(ahead.next().size(), 100u);
            }
            EXPECT_LE(calls, wanted + blocks);
        }
    }
}

TEST(ReadAhead, IsNeverFurtherAheadThanItsBlocks) {
    for (const int blocks : {1, 2, 4}) {
        std::atomic<int> consumed{0};
        int calls = 0, most = 0;
        io::ReadAhead ahead(
            [&](std::span<std::byte> out) {
                most = std::max(most, ++calls - consumed);
                return calls < 60 ? out.size() : 0;
            },
            10, blocks);
        for (auto block = ahead.next(); !block.empty(); block = ahead.next()) {
            std::this_thread::sleep_for(std::chrono::microseconds(100));
            ++consumed;
        }
        EXPECT_EQ(consumed, 59);
        EXPECT_LE(most, blocks);
    }
}

TEST(ReadAhead, ReadsAFileThatIsFinishedAfterwards) {
    TempFolder folder;
    const Bytes bytes = counting(300'000);
    Bytes raw = gzip(bytes);
    for (const bool damaged : {false, true}) {
        if (damaged) raw[raw.size() - 6] ^= std::byte{1};
        write_file(folder / "a.gz", raw);
        io::InputFile file(folder / "a.gz");
        io::ReadAhead ahead([&](std::span<std::byte> out) { return file.read(out); }, 4096, 4);
        Bytes all;
        auto read_all = [&] {
            for (auto block = ahead.next(); !block.empty(); block = ahead.next()) {
                all.insert(all.end(), block.begin(), block.end());
            }
            std::vector<std::string> warnings;
            file.finish(warnings);
            EXPECT_TRUE(warnings.empty());
        };
        if (damaged) {
            expect_error(ErrorCode::input, {"a.gz: the checksum"}, read_all);
        } else {
            read_all();
            EXPECT_TRUE(all == bytes);
        }
    }
}

}  // namespace
}  // namespace revoxel::test
