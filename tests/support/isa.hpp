// The inner loops of each instruction set.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <initializer_list>

#include "executors/cpu_kernels.hpp"

namespace revoxel {

/// The variable is read by each call of cpu_kernels().
template <typename C, typename F>
void for_each_isa(F&& f) {
    for (const char* isa : {"portable", "v3", "v4"}) {
        setenv("REVOXEL_ISA", isa, 1);
        const CpuKernels<C>& kernels = cpu_kernels<C>();
        unsetenv("REVOXEL_ISA");
        SCOPED_TRACE(kernels.isa);
        f(kernels);
    }
}

}  // namespace revoxel
