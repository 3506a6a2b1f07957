#include "argmax.hpp"

#include <limits>

#include "runtime/device.hpp"
#include "voxel_types.hpp"

namespace revoxel::cuda {
namespace {

constexpr unsigned kThreads = 256;

std::int64_t voxels_of_job(const ArgmaxJob& job) {
    return job.labels.extent[0] * job.labels.extent[1] * job.labels.extent[2];
}

template <typename C>
__global__ void __launch_bounds__(kThreads) argmax_kernel(const __grid_constant__ JobList<ArgmaxJob> list) {
    unsigned block = 0;
    const ArgmaxJob& job = job_of_block(list, block);
    const Field& labels = job.labels;
    const std::int64_t n = std::int64_t{block} * kThreads + threadIdx.x;
    if (n >= labels.extent[0] * labels.extent[1] * labels.extent[2]) return;
    const C* score = reinterpret_cast<const C*>(job.scores) + n;
    C* kept = job.best ? reinterpret_cast<C*>(job.best) + n : nullptr;
    C best = job.first ? std::numeric_limits<C>::quiet_NaN() : *kept;
    int winner = -1;
    for (int channel = 0; channel < job.channels; ++channel) {
        const C s = score[channel * job.score_step];
        if (s == s && !(s <= best)) {
            best = s;
            winner = channel;
        }
    }
    if (kept) *kept = best;
    if (winner < 0 && !job.first) return;
    const std::int64_t row = n / labels.extent[0];
    const std::int64_t target = labels.offset(n % labels.extent[0], row % labels.extent[1], row / labels.extent[1]);
    if (winner >= 0) {
        store_wide(job.table[winner], labels, target);
    } else {
        store_wide(job.fill, labels, target);
    }
}

}  // namespace

template <typename C>
void argmax(const ArgmaxJob& job, StreamHandle stream) {
    const auto blocks = [](const ArgmaxJob& one) { return blocks_of(voxels_of_job(one), kThreads); };
    launch_jobs(argmax_kernel<C>, &job, 1, blocks, kThreads, 0, stream);
}

template void argmax<float>(const ArgmaxJob&, StreamHandle);
template void argmax<double>(const ArgmaxJob&, StreamHandle);

}  // namespace revoxel::cuda
