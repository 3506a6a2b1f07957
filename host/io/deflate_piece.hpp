// One piece of data as deflate blocks that can stand behind those of any other piece.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "io/isal_stream.hpp"

struct libdeflate_compressor;
struct z_stream_s;  // zlib

namespace revoxel::io {

/// Compresses pieces, each on its own. The result ends at a byte and has no final block, so pieces in any number make
/// one deflate stream when a final block follows them. It depends on the piece and the level alone. Not thread-safe;
/// different objects are independent.
///
/// | level | |
/// |---|---|
/// | 0 | stored |
/// | 1, 2 | ISA-L 1, 2. Its level 3 is slower, hardly smaller, and differs between AVX2 and AVX-512 |
/// | 3, 4, 5, 6, 7, 8, 9 | libdeflate 1, 2, 4, 6, 8, 10, 12 |
class PieceDeflater {
public:
    static constexpr int kLargestLevel = 9;

    explicit PieceDeflater(int level);
    ~PieceDeflater();
    PieceDeflater(const PieceDeflater&) = delete;
    PieceDeflater& operator=(const PieceDeflater&) = delete;

    /// The most that deflate() makes of this many bytes.
    static std::size_t bound(std::size_t bytes) noexcept;
    /// Returns how many bytes of `out`, which has at least bound() of them, are the result. Throws Error(output) when a
    /// library fails.
    std::size_t deflate(std::span<const std::byte> piece, std::span<std::byte> out);

private:
    std::size_t with_isal(std::span<const std::byte> piece, std::span<std::byte> out);
    std::size_t with_libdeflate(std::span<const std::byte> piece, std::span<std::byte> out);
    std::size_t open_end(std::size_t piece_bytes, std::span<std::byte> out, std::size_t used);

    int level_;
    IsalStream isal_;
    std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> libdeflate_;
    std::unique_ptr<z_stream_s, void (*)(z_stream_s*)> inflater_;
    std::vector<std::byte> scratch_;  // ISA-L's level buffer, or what the inflater makes
};

}  // namespace revoxel::io
