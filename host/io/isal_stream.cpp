#include "io/isal_stream.hpp"

#include <isa-l/igzip_lib.h>
#include <sys/mman.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace revoxel::io {
namespace {

constexpr std::uintptr_t kStep = std::uintptr_t{1} << 16;  // bits below do not count
constexpr std::uintptr_t kSteps = std::uintptr_t{1} << 15;
constexpr std::uint32_t kPlaces = 0x7fff;  // ISA-L's hash_mask of its largest table; the others' are parts of it
constexpr std::uintptr_t kMapped = (sizeof(isal_zstream) + kStep - 1) / kStep * kStep;

/// What ISA-L hashes with: the instruction crc32 of 4 bytes, from 0. Linear: crc(a ^ b) = crc(a) ^ crc(b).
constexpr std::uint32_t crc32c(std::uint32_t value) {
    for (int bit = 0; bit < 32; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0U);
    return value;
}

/// The one address of those from `begin` on, a multiple of kStep * kSteps, whose place is 0: the lowest 15 of the bits
/// that count take the place through all its values. Gray code, so that one bit changes at a time.
std::uintptr_t address_with_place_0(std::uintptr_t begin) {
    std::uint32_t place = crc32c(static_cast<std::uint32_t>(begin >> 16));
    std::uintptr_t at = begin;
    for (std::uint32_t n = 1; (place & kPlaces) != 0 && n <= kPlaces; ++n) {
        const int bit = std::countr_zero(n);
        place ^= crc32c(1U << bit);
        at ^= kStep << bit;
    }
    return at;
}

void* mapped_with_place_0() {
    if constexpr (sizeof(void*) < 8) return nullptr;
    constexpr std::uintptr_t kRange = kStep * kSteps, kReserved = 2 * kRange + kMapped;
    // Addresses only; all but one stream's are given back at once.
    void* reserved = ::mmap(nullptr, kReserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) return nullptr;
    const auto first = reinterpret_cast<std::uintptr_t>(reserved);
    const std::uintptr_t at = address_with_place_0((first + kRange - 1) / kRange * kRange);
    void* const stream = reinterpret_cast<void*>(at);
    if (at > first) ::munmap(reserved, at - first);
    ::munmap(reinterpret_cast<void*>(at + kMapped), first + kReserved - at - kMapped);
    if (::mprotect(stream, kMapped, PROT_READ | PROT_WRITE) == 0) return stream;
    ::munmap(stream, kMapped);
    return nullptr;
}

}  // namespace

IsalStream new_isal_stream() {
    void* memory = mapped_with_place_0();
    if (memory == nullptr) {
        memory = ::mmap(nullptr, kMapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
    }
    return IsalStream(new (memory) isal_zstream{});
}

void IsalStreamDelete::operator()(isal_zstream* stream) const noexcept {
    ::munmap(stream, kMapped);
}

}  // namespace revoxel::io
