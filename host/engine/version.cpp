#include "revoxel/version.hpp"

#include <fmt/format.h>

#include "build_info.hpp"
#include "engine/cuda_backend.hpp"
#include "executors/cpu_kernels.hpp"
#include "executors/thread_pool.hpp"

namespace revoxel {

const char* version() noexcept {
    return REVOXEL_VERSION;
}

std::vector<std::string> build_facts() {
    return {
        fmt::format("compiler: {}, {}", REVOXEL_COMPILER, REVOXEL_BUILD_TYPE),
        fmt::format("CPU:      inner loops {}, {} threads", cpu_kernels<float>().description, available_threads()),
        fmt::format("CUDA:     {}", cuda::description()),
    };
}

}  // namespace revoxel
