// Chooses the set of inner loops at run time.
#include <cstdlib>
#include <string_view>

#include "executors/cpu_kernels.hpp"

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

Isa best_isa() {
#ifdef REVOXEL_X86_ISAS
    const char* wanted = std::getenv("REVOXEL_ISA");
    const std::string_view limit = wanted ? wanted : "v4";
    if (limit == "portable") return Isa::portable;
    if (limit != "v3" && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
        return Isa::v4;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        return Isa::v3;
#endif
    return Isa::portable;
}

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
