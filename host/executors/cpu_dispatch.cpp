// Chooses the set of inner loops at run time.
#include <cstdlib>
#include <string>
#include <string_view>

#include "executors/cpu_kernels.hpp"
#include "revoxel/error.hpp"

namespace revoxel {

#define REVOXEL_DECLARE_ISA(isa)             \
    namespace isa {                          \
    const CpuKernels<float>& kernels_f32();  \
    const CpuKernels<double>& kernels_f64(); \
    }
REVOXEL_DECLARE_ISA(portable)
#ifdef REVOXEL_X86_ISAS
REVOXEL_DECLARE_ISA(v3)
REVOXEL_DECLARE_ISA(v4)
#endif

namespace {

enum class Isa { portable, v3, v4 };

#ifdef REVOXEL_X86_ISAS
/// Every feature of the level, not only those that the loops ask for: the compiler may use them all.
bool runs_v3() {
    const bool loops = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
#ifdef __clang__  // clang 14 does not know the names of the others
    return loops;
#else
    return loops && __builtin_cpu_supports("f16c") && __builtin_cpu_supports("lzcnt") &&
           __builtin_cpu_supports("movbe");
#endif
}

bool runs_v4() {
    return runs_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

Isa best_isa() {
    const char* variable = std::getenv("REVOXEL_ISA");
    const std::string_view cap = variable ? variable : "";
    if (cap != "" && cap != "portable" && cap != "v3" && cap != "v4") {
        throw Error(ErrorCode::usage,
                    "the environment variable REVOXEL_ISA is '" + std::string(cap) + "'; expected portable, v3 or v4");
    }
    if (cap == "portable" || !runs_v3()) return Isa::portable;
    if (cap == "v3" || !runs_v4()) return Isa::v3;
    return Isa::v4;
}
#else
Isa best_isa() {
    return Isa::portable;
}
#endif

}  // namespace

template <>
const CpuKernels<float>& cpu_kernels<float>() {
    switch (best_isa()) {
#ifdef REVOXEL_X86_ISAS
        case Isa::v4: return v4::kernels_f32();
        case Isa::v3: return v3::kernels_f32();
#endif
        default: return portable::kernels_f32();
    }
}

template <>
const CpuKernels<double>& cpu_kernels<double>() {
    switch (best_isa()) {
#ifdef REVOXEL_X86_ISAS
        case Isa::v4: return v4::kernels_f64();
        case Isa::v3: return v3::kernels_f64();
#endif
        default: return portable::kernels_f64();
    }
}

}  // namespace revoxel
