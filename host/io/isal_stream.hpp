// Memory for ISA-L's compressor.
#pragma once

#include <memory>

struct isal_zstream;  // ISA-L

namespace revoxel::io {

struct IsalStreamDelete {
    void operator()(isal_zstream* stream) const noexcept;
};
using IsalStream = std::unique_ptr<isal_zstream, IsalStreamDelete>;

/// A stream, all zero, at an address that does not change what it makes. ISA-L 2.30 (Debian 12's) on x86-64 enters the
/// third byte of a stream into its table of earlier bytes at a place that it takes from bits 16 to 47 of the stream's
/// own address (`.write_first_byte` of igzip_icf_body_h1_gr_bt.asm hashes rcx, where the address still is). In one
/// process out of 2700 that place counts, and the same data are compressed to other bytes. This one lies where the
/// place is always the same. Where the system grants no such address (ulimit -v) it lies anywhere.
IsalStream new_isal_stream();

}  // namespace revoxel::io
