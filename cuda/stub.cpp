// Stands in for the CUDA side where it is not compiled.
#include "engine/cuda_backend.hpp"

namespace revoxel::cuda {

bool compiled_in() noexcept {
    return false;
}

std::string description() {
    return "not compiled in";
}

}  // namespace revoxel::cuda
