#include "limits.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <variant>
#include <vector>

#include "executors/cpu_kernels.hpp"
#include "executors/thread_pool.hpp"
#include "plan/kernels.hpp"
#include "revoxel/volume.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace revoxel::bench {
namespace {

template <typename Work>
double fastest_seconds(int repeat, const Work& work) {
    double best = 1e9;
    for (int r = 0; r <= repeat; ++r) {
        const auto start = std::chrono::steady_clock::now();
        work();
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
}

// Chains that do not wait for each other: more than a CPU has in flight.
constexpr int kChains = 12;
constexpr std::int64_t kRounds = 1'000'000;

/// kRounds times kChains fused multiply-adds of a vector each; returns its lanes.
#if defined(__x86_64__)
__attribute__((target("avx512f"))) int chains_512(float* sink) {
    __m512 sum[kChains];
    for (int c = 0; c < kChains; ++c) sum[c] = _mm512_set1_ps(static_cast<float>(c));
    const __m512 factor = _mm512_set1_ps(0.999F), step = _mm512_set1_ps(1e-3F);
    for (std::int64_t i = 0; i < kRounds; ++i) {
#pragma GCC unroll 12
        for (int c = 0; c < kChains; ++c) sum[c] = _mm512_fmadd_ps(sum[c], factor, step);
    }
    for (int c = 1; c < kChains; ++c) sum[0] = _mm512_add_ps(sum[0], sum[c]);
    *sink = _mm512_cvtss_f32(sum[0]);
    return 16;
}
__attribute__((target("avx2,fma"))) int chains_256(float* sink) {
    __m256 sum[kChains];
    for (int c = 0; c < kChains; ++c) sum[c] = _mm256_set1_ps(static_cast<float>(c));
    const __m256 factor = _mm256_set1_ps(0.999F), step = _mm256_set1_ps(1e-3F);
    for (std::int64_t i = 0; i < kRounds; ++i) {
#pragma GCC unroll 12
        for (int c = 0; c < kChains; ++c) sum[c] = _mm256_fmadd_ps(sum[c], factor, step);
    }
    for (int c = 1; c < kChains; ++c) sum[0] = _mm256_add_ps(sum[0], sum[c]);
    *sink = _mm256_cvtss_f32(sum[0]);
    return 8;
}
int chains(float* sink) {
    if (__builtin_cpu_supports("avx512f")) return chains_512(sink);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return chains_256(sink);
    return 0;
}
#else
int chains(float*) {
    return 0;
}
#endif

double products(const AxisPass& pass, Extent& extent) {
    double taps = 0.0;
    for (const std::int32_t count : pass.taps.count) taps += count;
    extent[pass.axis] = 1;
    const double lines =
        static_cast<double>(extent[0]) * static_cast<double>(extent[1]) * static_cast<double>(extent[2]);
    extent[pass.axis] = pass.taps.n_out;
    return lines * taps;
}

}  // namespace

double copy_seconds(std::int64_t bytes, int threads, int repeat) {
    constexpr std::int64_t kPiece = std::int64_t{1} << 20;
    Grid half;
    half.extent = {std::max<std::int64_t>(1, bytes / 2), 1, 1};
    Volume from(half, DType::uint8), to(half, DType::uint8);  // as volumes are allocated: in large pages
    std::memset(from.data(), 1, static_cast<std::size_t>(half.extent[0]));
    std::memset(to.data(), 2, static_cast<std::size_t>(half.extent[0]));
    const auto stream = cpu_kernels<float>().stream;
    ThreadPool pool(threads);
    return fastest_seconds(repeat, [&] {
        pool.for_each((half.extent[0] + kPiece - 1) / kPiece, [&](std::int64_t p, int) {
            const std::int64_t begin = p * kPiece;
            stream(to.data() + begin, from.data() + begin, std::min(kPiece, half.extent[0] - begin), true);
        });
    });
}

double multiply_adds(const Plan& plan) {
    if (plan.options.labels || plan.is_copy()) return 0.0;
    double sum = 0.0;
    Extent extent = plan.input.extent;
    for (int a = 0; a < 3 && plan.separable; ++a) {
        extent[a] = plan.input.extent[static_cast<std::size_t>(plan.input_axis[a])];
    }
    for (const Stage& stage : plan.stages) {
        if (const auto* pass = std::get_if<AxisPass>(&stage)) {
            sum += products(*pass, extent);
            continue;
        }
        const auto& gather = std::get<AffineGather>(stage);
        double along[3];
        for (int d = 0; d < 3; ++d) along[d] = most_taps(point_kernel(gather.kernel[d], gather.shape));
        const double points = static_cast<double>(voxel_count(plan.output));
        sum += points * along[2] * (1.0 + along[1] * (1.0 + along[0]));
    }
    return sum;
}

double multiply_add_rate(int threads) {
    ThreadPool pool(threads);
    std::vector<float> sink(static_cast<std::size_t>(pool.size()));
    int lanes = 0;
    const double seconds = fastest_seconds(20, [&] {
        pool.for_each(pool.size(), [&](std::int64_t item, int) {
            const int found = chains(&sink[static_cast<std::size_t>(item)]);
            if (item == 0) lanes = found;
        });
    });
    return static_cast<double>(kRounds) * kChains * lanes * pool.size() / seconds;
}

}  // namespace revoxel::bench
