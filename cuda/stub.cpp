// Stands in for the CUDA side where it is not compiled.
#include "engine/cuda_backend.hpp"
#include "revoxel/error.hpp"

namespace revoxel::cuda {

bool compiled_in() noexcept {
    return false;
}

std::string description() {
    return "not compiled in";
}

bool available() noexcept {
    return false;
}

std::unique_ptr<Executor> make_executor(const Plan&, const ExecutorOptions&) {
    throw Error(ErrorCode::unavailable,
                "backend cuda: this build has no CUDA; build with a CUDA toolkit, or choose auto, cpu or reference");
}

}  // namespace revoxel::cuda
