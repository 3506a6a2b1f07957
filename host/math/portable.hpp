// Marks what runs on host and device alike.
#pragma once

#if defined(__CUDACC__)
#define REVOXEL_HD __host__ __device__
#else
// Always inlined: these functions are compiled for several instruction sets, and the linker must not merge the copies.
#define REVOXEL_HD __attribute__((always_inline))
#endif
