// The only place that knows every executor.
#include <fmt/format.h>

#include <new>

#include "engine/cuda_backend.hpp"
#include "executors/cpu.hpp"
#include "executors/reference.hpp"
#include "executors/two_step.hpp"
#include "geometry/names.hpp"
#include "revoxel/error.hpp"
#include "revoxel/executor.hpp"

namespace revoxel {
namespace {

constexpr std::pair<Backend, const char*> kNames[] = {
    {Backend::automatic, "auto"},
    {Backend::reference, "reference"},
    {Backend::cpu, "cpu"},
    {Backend::cuda, "cuda"},
};

constexpr std::pair<Precision, const char*> kPrecisionNames[] = {
    {Precision::exact, "exact"},
    {Precision::fast, "fast"},
};

}  // namespace

const char* name_of(Precision precision) noexcept {
    return enum_name(kPrecisionNames, precision);
}
Precision precision_from_name(const std::string& name) {
    return enum_from_name(kPrecisionNames, name, "precision");
}
const char* name_of(Backend backend) noexcept {
    return enum_name(kNames, backend);
}
Backend backend_from_name(const std::string& name) {
    return enum_from_name(kNames, name, "backend");
}

std::unique_ptr<Executor> make_executor(const Plan& plan, Backend backend, const ExecutorOptions& options) {
    try {
        if (needs_two_steps(plan)) {
            return make_two_step_executor(plan, options, [backend](const Plan& sums, const ExecutorOptions& inner) {
                return make_executor(sums, backend, inner);
            });
        }
        switch (backend) {
            case Backend::reference: return make_reference_executor(plan, options);
            case Backend::cuda: return cuda::make_executor(plan, options);
            default: return make_cpu_executor(plan, options);
        }
    } catch (const std::bad_alloc&) {
        throw Error(
            ErrorCode::unavailable,
            "the memory for the executor's workspace was refused; close other programs or ask for a coarser grid");
    }
}

}  // namespace revoxel
