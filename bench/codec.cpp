// Speed and size of every compression level on real scans, and of those scans at 1 mm, beside zlib and plain ISA-L.
//
//     cmake --build build/release --target bench_codec && build/release/bin/bench_codec NAME THREADS FILE...
//
// prints a table in Markdown: docs/performance.md has those of CT, MR and label maps (NAME "labels" resamples as such).
// Sizes are of all files together, MB those of the data before compression, times the median of five runs, or one where
// a run takes more than a second. One core: seconds of processor time, which other programs disturb little. Several
// threads: seconds by the clock, so on a quiet machine please.
//
//     bench_codec --files THREADS INPUT.nii.gz RESULT.nii.gz
//
// prints JSON: seconds by the clock for decoding the one and for encoding the other at the default level, in memory,
// and no resampling: what a run from file to file cannot be faster than.
#include <fmt/format.h>
#include <isa-l/igzip_lib.h>
#include <time.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "io/gzip.hpp"
#include "io/gzip_writer.hpp"
#include "io/input_file.hpp"
#include "revoxel/error.hpp"
#include "revoxel/resample.hpp"

namespace revoxel {
namespace {

using Bytes = std::vector<std::byte>;
constexpr int kRuns = 5;
constexpr double kLongSeconds = 1.0;  // what takes longer is run once
constexpr double kMega = 1e6;

Bytes read_all(const std::string& path) {
    io::InputFile file(path);
    Bytes bytes;
    std::size_t got = 0;
    do {
        constexpr std::size_t kStep = std::size_t{4} << 20;
        bytes.resize(bytes.size() + kStep);
        got = file.read(std::span(bytes).last(kStep));
        bytes.resize(bytes.size() - kStep + got);
    } while (got > 0);
    return bytes;
}

// The file as it is, not compressed, and resampled to 1 mm.
std::vector<Bytes> both_of(const std::string& path, bool labels) {
    std::string folder = (std::filesystem::temp_directory_path() / "revoxel-bench-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) throw Error(ErrorCode::output, "no temporary folder");
    ResampleRequest request;
    request.input = path;
    request.output = folder + "/1mm.nii";
    request.grid.spacing_mm = {1.0, 1.0, 1.0};
    request.label.labels = labels;
    run_resample(plan_resample(request));
    std::vector<Bytes> both{read_all(path), read_all(request.output)};
    std::filesystem::remove_all(folder);
    return both;
}

double seconds(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double median_seconds(clockid_t clock, const std::function<void()>& work) {
    std::vector<double> runs;
    for (int run = 0; run < kRuns; ++run) {
        const double start = seconds(clock);
        work();
        runs.push_back(seconds(clock) - start);
        if (runs.back() > kLongSeconds) break;
    }
    std::sort(runs.begin(), runs.end());
    return runs[runs.size() / 2];
}

Bytes compress(const Bytes& data, int level, int threads) {
    Bytes gz;
    gz.reserve(data.size() + data.size() / 100 + 1000);
    io::GzipWriter writer([&](std::span<const std::byte> part) { gz.insert(gz.end(), part.begin(), part.end()); },
                          level, threads);
    writer.write(data);
    writer.finish();
    return gz;
}

// In blocks that are used once, as streaming does.
void decompress(const Bytes& gz) {
    std::size_t at = 0;
    io::GzipReader reader("memory", [&](std::byte* to, std::size_t count) {
        const std::size_t step = std::min(count, gz.size() - at);
        std::memcpy(to, gz.data() + at, step);
        at += step;
        return step;
    });
    Bytes block(std::size_t{1} << 20);
    while (reader.read(block) == block.size()) {
    }
}

std::uint8_t* raw(const Bytes& bytes) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

void check(bool good, const char* library) {
    if (!good) throw Error(ErrorCode::unavailable, fmt::format("{} failed", library));
}

Bytes compress_zlib(const Bytes& data, int level) {
    constexpr int kGzip = 15 + 16;
    z_stream stream{};
    check(deflateInit2(&stream, level, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
    Bytes gz(deflateBound(&stream, static_cast<uLong>(data.size())));
    stream.next_in = raw(data);
    stream.avail_in = static_cast<uInt>(data.size());
    stream.next_out = raw(gz);
    stream.avail_out = static_cast<uInt>(gz.size());
    check(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib");
    gz.resize(stream.total_out);
    deflateEnd(&stream);
    return gz;
}

void decompress_zlib(const Bytes& gz, Bytes& data) {
    constexpr int kGzip = 15 + 16;
    z_stream stream{};
    check(inflateInit2(&stream, kGzip) == Z_OK, "zlib");
    stream.next_in = raw(gz);
    stream.avail_in = static_cast<uInt>(gz.size());
    stream.next_out = raw(data);
    stream.avail_out = static_cast<uInt>(data.size());
    check(inflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib");
    inflateEnd(&stream);
}

// One call for the whole, as its own benchmarks do.
Bytes compress_isal(const Bytes& data) {
    static isal_zstream stream;
    static Bytes level_buffer(ISAL_DEF_LVL1_DEFAULT);
    Bytes gz(data.size() + data.size() / 100 + 1000);
    isal_deflate_init(&stream);
    stream.level = 1;
    stream.level_buf = raw(level_buffer);
    stream.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
    stream.gzip_flag = IGZIP_GZIP;
    stream.end_of_stream = 1;
    stream.next_in = raw(data);
    stream.avail_in = static_cast<std::uint32_t>(data.size());
    stream.next_out = raw(gz);
    stream.avail_out = static_cast<std::uint32_t>(gz.size());
    check(isal_deflate(&stream) == COMP_OK && stream.avail_in == 0, "ISA-L");
    gz.resize(gz.size() - stream.avail_out);
    return gz;
}

void decompress_isal(const Bytes& gz, Bytes& data) {
    static inflate_state state;
    isal_inflate_init(&state);
    state.crc_flag = ISAL_GZIP;
    state.next_in = raw(gz);
    state.avail_in = static_cast<std::uint32_t>(gz.size());
    state.next_out = raw(data);
    state.avail_out = static_cast<std::uint32_t>(data.size());
    check(isal_inflate(&state) == ISAL_DECOMP_OK && state.avail_out == 0, "ISA-L");
}

Bytes file_bytes(const std::string& path) {
    Bytes bytes(std::filesystem::file_size(path));
    std::ifstream file(path, std::ios::binary);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file) throw Error(ErrorCode::input, fmt::format("{}: cannot be read", path));
    return bytes;
}

void print_limits(int threads, const std::string& input, const std::string& result) {
    const Bytes gz = file_bytes(input), data = read_all(result);
    const double decode = median_seconds(CLOCK_MONOTONIC, [&] { decompress(gz); });
    const double encode = median_seconds(CLOCK_MONOTONIC, [&] { compress(data, io::kFastCompression, threads); });
    fmt::print("{{\"decode_s\": {}, \"encode_s\": {}, \"threads\": {}}}\n", decode, encode, threads);
}

struct Row {
    std::string name;
    std::function<Bytes(const Bytes&, int threads)> encode;
    std::function<void(const Bytes&, Bytes&)> decode;
    bool threaded = false;
};

std::vector<Row> all_rows() {
    std::vector<Row> rows;
    for (const int level : {6, 1}) {
        rows.push_back({fmt::format("zlib {}", level), [level](const Bytes& d, int) { return compress_zlib(d, level); },
                        decompress_zlib});
    }
    rows.push_back({"ISA-L 1, in one call", [](const Bytes& d, int) { return compress_isal(d); }, decompress_isal});
    for (int level = 0; level <= 9; ++level) {
        rows.push_back({level == io::kFastCompression ? fmt::format("**{}, `fast`**", level) : std::to_string(level),
                        [level](const Bytes& d, int threads) { return compress(d, level, threads); },
                        [](const Bytes& gz, Bytes&) { decompress(gz); }, true});
    }
    return rows;
}

// The first row is what sizes are compared with.
void print_table(const std::vector<Bytes>& files, int threads) {
    fmt::print(
        "| level | size of zlib's 6 | of the data | encode, one core | encode, {} threads | decode, one core |\n"
        "|---|---|---|---|---|---|\n",
        threads);
    double first_size = 0;
    for (const Row& row : all_rows()) {
        double bytes = 0, size = 0, encode = 0, encode_threads = 0, decode = 0;
        for (const Bytes& data : files) {
            Bytes gz, out(data.size());
            encode += median_seconds(CLOCK_PROCESS_CPUTIME_ID, [&] { gz = row.encode(data, 1); });
            if (row.threaded) {
                encode_threads += median_seconds(CLOCK_MONOTONIC, [&] { row.encode(data, threads); });
            }
            decode += median_seconds(CLOCK_PROCESS_CPUTIME_ID, [&] { row.decode(gz, out); });
            bytes += static_cast<double>(data.size());
            size += static_cast<double>(gz.size());
        }
        if (first_size == 0) first_size = size;
        const auto speed = [&](double s) { return s > 0 ? fmt::format("{:.0f} MB/s", bytes / s / kMega) : "-"; };
        fmt::print("| {} | {:.3f} | {:.3f} | {} | {} | {} |\n", row.name, size / first_size, size / bytes,
                   speed(encode), speed(encode_threads), speed(decode));
        std::fflush(stdout);
    }
}

}  // namespace
}  // namespace revoxel

int main(int argc, char** argv) {
    using namespace revoxel;
    if (argc < 4) {
        fmt::print(stderr, "usage: {} NAME THREADS FILE...\n       {} --files THREADS INPUT RESULT\n", argv[0],
                   argv[0]);
        return 2;
    }
    try {
        if (std::string(argv[1]) == "--files" && argc == 5) {
            print_limits(std::atoi(argv[2]), argv[3], argv[4]);
            return 0;
        }
        std::vector<Bytes> files;
        double bytes = 0;
        for (int n = 3; n < argc; ++n) {
            for (Bytes& data : both_of(argv[n], std::string(argv[1]) == "labels")) {
                bytes += static_cast<double>(data.size());
                files.push_back(std::move(data));
            }
        }
        fmt::print("{}: {} scans, as they are and at 1 mm, {:.0f} MB\n\n", argv[1], argc - 3, bytes / kMega);
        print_table(files, std::atoi(argv[2]));
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
    return 0;
}
