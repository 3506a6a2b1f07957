#include "engine/selection.hpp"
#include "geometry/names.hpp"
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
    return BackendSelection(choose_backend(backend, plan, 1, this_machine(options.threads))).make(plan, options);
}

}  // namespace revoxel
