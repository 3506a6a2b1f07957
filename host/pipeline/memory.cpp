#include "pipeline/memory.hpp"

#include <fmt/format.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "executors/thread_pool.hpp"
#include "executors/two_step.hpp"
#include "io/nifti_path.hpp"
#include "pipeline/argmax.hpp"
#include "revoxel/error.hpp"

namespace revoxel::pipeline {

std::int64_t volume_bytes(const io::NiftiHeader& header) {
    std::int64_t bytes = voxel_count(header.grid);
    const std::int64_t voxel = header.components * static_cast<std::int64_t>(size_of(header.dtype));
    if (__builtin_mul_overflow(bytes, header.frames(), &bytes) || __builtin_mul_overflow(bytes, voxel, &bytes)) {
        throw Error(ErrorCode::input,
                    fmt::format("{} x {} x {} voxels x {} volumes cannot be addressed", header.grid.extent[0],
                                header.grid.extent[1], header.grid.extent[2], header.frames()));
    }
    return bytes;
}

namespace {

/// The array that a gather reads, where passes make one, and what clipping and leaving out hold; all other scratch is
/// small.
double workspace_bytes(const ResampleJob& job) {
    const Plan& plan = job.plan;
    if (job.request.label.argmax) return static_cast<double>(kArgmaxScratchBytes);
    if (needs_two_steps(plan)) return static_cast<double>(two_step_scratch_bytes(plan));
    if (plan.stages.size() < 2) return 0.0;
    const auto* gather = std::get_if<AffineGather>(&plan.stages.back());
    if (gather == nullptr) return 0.0;
    const Extent& n = gather->extent;
    return static_cast<double>(n[0]) * static_cast<double>(n[1]) * static_cast<double>(n[2]) *
           (plan.compute == ComputeType::f32 ? 4.0 : 8.0);
}

/// RAM and swap, or what a container is limited to.
double available_bytes() {
    double have = std::numeric_limits<double>::infinity();
    struct sysinfo info {};
    if (::sysinfo(&info) == 0) {
        have = (static_cast<double>(info.totalram) + static_cast<double>(info.totalswap)) * info.mem_unit;
    }
    for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
        double limit = 0.0;
        if (std::ifstream(path) >> limit && limit > 0.0) have = std::min(have, limit);  // "max" is no number
    }
    return have;
}

/// Of a compressed input, decompressed and waiting.
constexpr std::int64_t kLeastAhead = std::int64_t{4} << 20, kMostAhead = std::int64_t{12} << 20;

/// Of the program itself, its buffers for files (kLeastAhead among them), and the executors' small scratch. What a
/// GPU's driver takes is not counted.
std::int64_t overhead_bytes(const ResampleJob& job) {
    constexpr std::int64_t kProgram = std::int64_t{16} << 20;
    constexpr std::int64_t kThread = std::int64_t{6} << 20;
    constexpr std::int64_t kPinned = std::int64_t{24} << 20;  // of the copies to and from a GPU; cuda/transfer.cpp
    const std::int64_t threads = job.request.threads > 0 ? job.request.threads : available_threads();
    return kProgram + threads * kThread + (job.request.backend == Backend::cuda ? kPinned : 0);
}

std::int64_t slice_bytes(const io::NiftiHeader& header) {
    return header.grid.extent[0] * header.grid.extent[1] * header.components *
           static_cast<std::int64_t>(size_of(header.dtype));
}

/// Why a job needs whole volumes.
std::string reason_for_whole(const ResampleJob& job, bool inspected) {
    const ResampleRequest& request = job.request;
    if (inspected) return "a comparison, a picture or a label report looks at both volumes";
    if (request.label.argmax) return "--argmax reads all channels of a voxel together";
    if (request.label.keep) return "--keep-labels looks for labels in the whole result";
    if (request.fill_minimum) return "--fill min needs the smallest value before the first voxel is computed";
    if (request.clip && *request.clip == Clip::global) return "--clip global needs the range of all values first";
    return {};
}

/// As much as a slab needs waits decompressed, so that it need not wait.
std::int64_t ahead_bytes(const ResampleJob& job, std::int64_t window_bytes) {
    const auto name = io::parse_nifti_name(job.request.input);
    // Only a file with the wrong name uses it then.
    if (name && !name->gz) return kLeastAhead;
    return std::clamp(window_bytes, kLeastAhead, kMostAhead);
}

/// With slabs of so many output slices.
MemoryPlan streamed(const ResampleJob& job, std::int64_t slab) {
    const Plan& plan = job.plan;
    const std::int64_t slices = plan.output.extent[2];
    MemoryPlan memory;
    memory.slab = slab;
    memory.window = widest_window(plan, slab);
    // The middle slab stands for all.
    const std::int64_t from = std::min(slices / 2 / slab * slab, slices - 1);
    Box3 box{{0, 0, from}, plan.output.extent};
    box.hi[2] = std::min(from + slab, slices);
    const Plan part = plan.part(box);
    std::int64_t work = 0;
    if (needs_two_steps(part)) {
        work = two_step_scratch_bytes(part);
    } else if (part.stages.size() > 1 && std::holds_alternative<AffineGather>(part.stages.back())) {
        const Extent& n = std::get<AffineGather>(part.stages.back()).extent;
        work = n[0] * n[1] * n[2] * (plan.compute == ComputeType::f32 ? 4 : 8);
    }
    const std::int64_t in = job.request.label.fraction
                                ? slice_bytes(job.input) + job.input.grid.extent[0] * job.input.grid.extent[1]
                                : slice_bytes(job.input);
    const std::int64_t slabs = writes_behind(job) && slab < slices ? 2 : 1;
    memory.ahead = ahead_bytes(job, memory.window * slice_bytes(job.input));
    memory.bytes = overhead_bytes(job) + (memory.ahead - kLeastAhead) + memory.window * in +
                   slabs * slab * slice_bytes(job.output) + work;
    return memory;
}

/// An output index along axis `a` with taps. Beyond the input a constant boundary leaves none.
std::int64_t row_that_reads(const Plan& plan, int a) {
    const std::int64_t lo = plan.covered.lo[a], hi = plan.covered.hi[a];
    for (const Stage& stage : plan.stages) {
        const auto* pass = std::get_if<AxisPass>(&stage);
        if (pass == nullptr || pass->axis != a) continue;
        for (std::int64_t o = lo; o < hi; ++o) {
            if (pass->taps.count[static_cast<std::size_t>(o)] > 0) return o;
        }
    }
    return lo;
}

/// Input slices that are read again or held while the next slab is made, as a share of the window.
double repeated_share(const ResampleJob& job, std::int64_t slab, std::int64_t window) {
    const double fresh = static_cast<double>(job.plan.input.extent[2]) * static_cast<double>(slab) /
                         static_cast<double>(job.plan.output.extent[2]);
    return window > 0 ? std::max(0.0, 1.0 - fresh / static_cast<double>(window)) : 0.0;
}

}  // namespace

bool writes_behind(const ResampleJob& job) {
    const int threads = job.request.threads > 0 ? job.request.threads : available_threads();
    const auto name = io::parse_nifti_name(job.request.output);
    return threads > 1 && !(name && name->gz);
}

MemoryPlan plan_memory(const ResampleJob& job, bool inspected) {
    MemoryPlan memory;
    memory.whole = reason_for_whole(job, inspected);
    const std::int64_t volumes = volume_bytes(job.input) + volume_bytes(job.output);  // throws where they are too large
    if (!memory.whole.empty()) {
        memory.bytes = overhead_bytes(job) + volumes + static_cast<std::int64_t>(std::min(workspace_bytes(job), 1e18));
        return memory;
    }
    // Slabs of this size keep threads and codec busy. Thinner ones where memory is short; thicker ones where too much
    // of the input would be filtered twice.
    constexpr std::int64_t kSlabBytes = std::int64_t{16} << 20, kComfortable = std::int64_t{64} << 20;
    constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;
    constexpr double kMostRepeated = 0.4;
    const std::int64_t slices = std::max<std::int64_t>(1, job.plan.output.extent[2]);
    const std::int64_t limit = job.request.memory > 0 ? job.request.memory : kMostBytes;
    memory = streamed(
        job, std::clamp<std::int64_t>(kSlabBytes / std::max<std::int64_t>(1, slice_bytes(job.output)), 1, slices));
    const auto repeated = [&](const MemoryPlan& m) { return repeated_share(job, m.slab, m.window) > kMostRepeated; };
    while (memory.slab > 1 && memory.bytes > std::min(limit, overhead_bytes(job) + kComfortable)) {
        const MemoryPlan thinner = streamed(job, (memory.slab + 1) / 2);
        if (memory.bytes <= limit && repeated(thinner)) break;
        memory = thinner;
    }
    if (memory.bytes > limit) {
        memory.bytes -= memory.ahead - kLeastAhead;
        memory.ahead = kLeastAhead;
    }
    while (!job.plan.separable && memory.slab < slices && repeated(memory)) {
        const MemoryPlan thicker = streamed(job, std::min(2 * memory.slab, slices));
        if (thicker.bytes > limit) break;
        memory = thicker;
    }
    return memory;
}

std::int64_t widest_window(const Plan& plan, std::int64_t slab) {
    std::int64_t widest = 0;
    for (const Box3& need : slab_inputs(plan, slab)) widest = std::max(widest, need.hi[2] - need.lo[2]);
    return widest;
}

std::vector<Box3> slab_inputs(const Plan& plan, std::int64_t slab) {
    Box3 box{{0, 0, 0}, plan.output.extent};
    for (int a = 0; a < 2 && plan.separable && !plan.covered.empty(); ++a) {
        // On straight grids one row tells about all: any that reads something.
        if (plan.input_axis[a] == 2) continue;
        box.lo[a] = row_that_reads(plan, a);
        box.hi[a] = box.lo[a] + 1;
    }
    std::vector<Box3> needs;
    for (std::int64_t k = 0; k < plan.output.extent[2]; k += slab) {
        box.lo[2] = k;
        box.hi[2] = std::min(k + slab, plan.output.extent[2]);
        needs.push_back(plan.input_box(box));
    }
    // What a later slab still needs is kept.
    std::int64_t kept = plan.input.extent[2];
    for (auto need = needs.rbegin(); need != needs.rend(); ++need) {
        if (!need->empty()) kept = std::min(kept, need->lo[2]);
        need->lo[2] = kept;
    }
    std::int64_t reached = 0;
    for (Box3& need : needs) {
        reached = std::max(reached, need.hi[2]);
        need.hi[2] = std::max(reached, need.lo[2]);
    }
    return needs;
}

std::string memory_shortage(const ResampleJob& job, const MemoryPlan& memory) {
    const double have = available_bytes(), need = static_cast<double>(memory.bytes);
    const double asked = static_cast<double>(job.request.memory);
    if (job.request.memory > 0 && need > asked) {
        return fmt::format(
            "this needs about {:.4g} MB of memory, --memory allows {:.4g} MB; {}", need / 1e6, asked / 1e6,
            memory.whole.empty()
                ? "that is with the thinnest slabs; allow more, take fewer --threads, or ask for a coarser grid"
                : memory.whole + ": allow more, or leave it out");
    }
    if (need <= have) return {};
    return fmt::format("this needs {:.4g} GB of memory, there are {:.4g} GB; ask for a coarser grid{}", need / 1e9,
                       have / 1e9, memory.whole.empty() ? "" : " (" + memory.whole + ")");
}

}  // namespace revoxel::pipeline
