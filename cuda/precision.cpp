// What a precision costs, in words. Linked with and without CUDA.
#include "revoxel/cuda.hpp"

namespace revoxel::cuda {

std::string describe(Precision precision) {
    if (precision == Precision::exact) return "exact: the bits of the reference executor";
    // Each weight is off by half of 1/256 at most; on three axes the value by three times that of the local range.
    return "fast: weights of 8 bits, off by up to 0.59 % of the local range (24 HU on 4096); oblique linear grids only";
}

}  // namespace revoxel::cuda
