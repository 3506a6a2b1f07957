// libFuzzer entry: tests/fuzz/README.md says how to run it.
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "fuzz/nifti_target.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    revoxel::test::try_nifti(data, size);
    return 0;
}

namespace {

constexpr std::size_t kLargestPlain = std::size_t{1} << 16;

// The data of the gzip member that begins at `data`; empty when there is none.
std::vector<std::uint8_t> unpacked(const std::uint8_t* data, std::size_t size) {
    std::vector<std::uint8_t> plain(kLargestPlain);
    z_stream stream{};
    if (inflateInit2(&stream, 15 + 16) != Z_OK) return {};
    stream.next_in = const_cast<Bytef*>(data);
    stream.avail_in = static_cast<uInt>(size);
    stream.next_out = plain.data();
    stream.avail_out = static_cast<uInt>(plain.size());
    inflate(&stream, Z_FINISH);
    plain.resize(stream.total_out);
    inflateEnd(&stream);
    return plain;
}

std::size_t pack(const std::vector<std::uint8_t>& plain, std::uint8_t* to, std::size_t max_size) {
    z_stream stream{};
    if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return 0;
    stream.next_in = const_cast<Bytef*>(plain.data());
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = to;
    stream.avail_out = static_cast<uInt>(max_size);
    const bool fits = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    const std::size_t size = stream.total_out;
    deflateEnd(&stream);
    return fits ? size : 0;
}

}  // namespace

// A flipped bit in a gzip stream is nearly always just a wrong checksum. Half of the time the mutation goes into what
// the stream holds, so that headers behind gzip are reached too.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
    const bool gzip = size > 18 && data[0] == 0x1f && data[1] == 0x8b;
    if (gzip && seed % 2 == 0) {
        std::vector<std::uint8_t> plain = unpacked(data, size);
        const std::size_t length = plain.size();
        if (length > 0) {
            plain.resize(kLargestPlain);
            plain.resize(LLVMFuzzerMutate(plain.data(), length, kLargestPlain));
            if (const std::size_t packed = pack(plain, data, max_size)) return packed;
        }
    }
    return LLVMFuzzerMutate(data, size, max_size);
}
