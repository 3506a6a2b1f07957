#include "pipeline/argmax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>

#include "executors/parts.hpp"
#include "executors/thread_pool.hpp"
#include "executors/views.hpp"
#include "math/kernels.hpp"
#include "math/values.hpp"
#include "pipeline/label_value.hpp"
#include "revoxel/error.hpp"

namespace revoxel::pipeline {
namespace {

/// The plan of a channel: scores as computed, NaN where there is none.
Plan plan_of_scores(const Plan& plan) {
    Plan scores = plan;
    scores.options.output_dtype = plan.compute == ComputeType::f32 ? DType::float32 : DType::float64;
    scores.options.fill = std::numeric_limits<double>::quiet_NaN();
    return scores;
}

/// A row of so many voxels.
Grid row_grid(std::int64_t voxels) {
    Grid grid;
    grid.extent[0] = voxels;
    return grid;
}

/// The first voxels of `row` as a field.
VolumeView shaped(Volume& row, const Extent& n) {
    return {row.data(), row.dtype(), n, {1, n[0], n[0] * n[1]}};
}

/// Anything is larger than NaN. No branch: a vector loop.
template <typename C, typename Label>
void take_larger_row(const C* __restrict score, C* __restrict best, Label* __restrict labels, Label label,
                     std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
        const bool larger = (score[i] == score[i]) & !(score[i] <= best[i]);
        best[i] = larger ? score[i] : best[i];
        labels[i] = larger ? label : labels[i];
    }
}

/// Runs all channels on one part of the output after the other.
class PartByPart {
public:
    PartByPart(const Plan& plan, const std::vector<Box3>& parts, Backend backend, const ExecutorOptions& options)
        : plan_(plan),
          parts_(parts),
          backend_(backend),
          options_(options),
          pool_(options.threads),
          best_(row_grid(largest_of(parts)), plan.options.output_dtype),
          score_(row_grid(largest_of(parts)), plan.options.output_dtype) {}

    ArgmaxRun run(const Volume& scores, const std::vector<std::int64_t>& table, const VolumeView& output,
                  double fill_label) {
        ArgmaxRun ran;
        for (std::size_t p = 0; p < parts_.size(); ++p) {
            const Box3& box = parts_[p];
            const Plan part = plan_.cropped(box);
            VolumeView labels = output;
            labels.data = address(output, box.lo[0], box.lo[1], box.lo[2]);
            labels.extent = part.output.extent;
            fill(labels, fill_label);
            ExecutorOptions inner = options_;
            inner.progress = {};
            const std::unique_ptr<Executor> executor = make_executor(part, backend_, inner);
            ran.backend = executor->name();
            ran.scratch_bytes =
                std::max(ran.scratch_bytes, best_.size_bytes() + score_.size_bytes() + executor->workspace_bytes());
            run_part(*executor, part, scores, table, labels);
        }
        return ran;
    }

private:
    void run_part(Executor& executor, const Plan& part, const Volume& scores, const std::vector<std::int64_t>& table,
                  const VolumeView& labels) {
        const VolumeView best = shaped(best_, part.output.extent), score = shaped(score_, part.output.extent);
        fill(best, std::numeric_limits<double>::quiet_NaN());
        for (std::int64_t channel = 0; channel < scores.frames(); ++channel) {
            if (!part.covered.empty()) {
                executor.run(scores.view(channel), score);
                take_larger(score, best, labels, table[static_cast<std::size_t>(channel)]);
            }
            done_ += voxel_count(part.output);
            if (!options_.progress) continue;
            const double all = static_cast<double>(voxel_count(plan_.output)) * static_cast<double>(scores.frames());
            options_.progress(static_cast<double>(done_) / all);
        }
    }

    void fill(const VolumeView& view, double value) {
        pool_.for_each(view.extent[2], [&](std::int64_t k, int) {
            for (std::int64_t j = 0; j < view.extent[1]; ++j) {
                fill_row(address(view, 0, j, k), view.dtype, view.stride[0], view.extent[0], value);
            }
        });
    }

    void take_larger(const ConstVolumeView& score, const VolumeView& best, const VolumeView& labels,
                     std::int64_t label) {
        pool_.for_each(score.extent[2], [&](std::int64_t k, int) {
            dispatch(labels.dtype, [&](auto zero) {
                using Label = decltype(zero);
                const auto stored = math::convert<Label>(label);
                if (score.dtype == DType::float32) {
                    take_larger_slice<float>(score, best, labels, stored, k);
                } else {
                    take_larger_slice<double>(score, best, labels, stored, k);
                }
            });
        });
    }

    template <typename C, typename Label>
    static void take_larger_slice(const ConstVolumeView& score, const VolumeView& best, const VolumeView& labels,
                                  Label label, std::int64_t k) {
        for (std::int64_t j = 0; j < score.extent[1]; ++j) {
            take_larger_row(reinterpret_cast<const C*>(address(score, 0, j, k)),
                            reinterpret_cast<C*>(address(best, 0, j, k)),
                            reinterpret_cast<Label*>(address(labels, 0, j, k)), label, score.extent[0]);
        }
    }

    const Plan& plan_;
    const std::vector<Box3>& parts_;
    Backend backend_;
    const ExecutorOptions& options_;
    ThreadPool pool_;
    Volume best_, score_;    ///< taken once: parts that take and free them leave holes in the heap
    std::int64_t done_ = 0;  ///< output voxels times channels
};

/// Softmax of a run of voxels, channel after channel in `values` (in and out), as far apart as they are many.
void softmax(double* values, std::int64_t voxels, std::int64_t channels) {
    for (std::int64_t v = 0; v < voxels; ++v) {
        double* x = values + v;
        double most = -std::numeric_limits<double>::infinity();
        for (std::int64_t c = 0; c < channels; ++c) most = std::max(most, x[c * voxels]);  // NaN is not taken
        double sum = 0.0;
        for (std::int64_t c = 0; c < channels; ++c) {
            double& e = x[c * voxels];
            if (e != e) continue;
            e = e == most ? 1.0 : math::exp_minus(most - e);
            sum += e;
        }
        for (std::int64_t c = 0; c < channels; ++c) x[c * voxels] /= sum;
    }
}

}  // namespace

std::string channel_labels_complaint(const std::vector<std::int64_t>& table, std::int64_t channels, DType output) {
    if (table.empty() && !can_hold(output, channels - 1)) {
        return fmt::format("{} classes do not fit {}; choose a wider dtype", channels, name_of(output));
    }
    if (!table.empty() && std::ssize(table) != channels) {
        return fmt::format("{} channel labels for {} volumes; expected one for each", table.size(), channels);
    }
    for (std::int64_t label : table) {
        if (can_hold(output, label)) continue;
        return fmt::format("channel label {} does not fit {}; choose a wider dtype", label, name_of(output));
    }
    return {};
}

ArgmaxRun argmax_channels(const Plan& plan, Backend backend, const ExecutorOptions& options, const Volume& scores,
                          std::vector<std::int64_t> table, Volume& output, std::int64_t scratch_bytes) {
    if (scores.components() != 1) {
        throw Error(ErrorCode::usage,
                    fmt::format("scores stand in volumes of one component; these voxels have {}", scores.components()));
    }
    if (const std::string complaint = channel_labels_complaint(table, scores.frames(), output.dtype());
        !complaint.empty()) {
        throw Error(ErrorCode::usage, complaint);
    }
    if (table.empty()) {
        table.resize(static_cast<std::size_t>(scores.frames()));
        std::iota(table.begin(), table.end(), std::int64_t{0});
    }
    const Plan channel = plan_of_scores(plan);
    const std::vector<Box3> parts = parts_of(channel, 2, scratch_bytes);
    return PartByPart(channel, parts, backend, options).run(scores, table, output.view(), plan.options.fill);
}

void softmax_in_place(Volume& scores, int threads) {
    if (is_integer(scores.dtype())) {
        throw Error(ErrorCode::usage, fmt::format("softmax on integers: these scores are {}; expected a "
                                                  "floating type, or leave softmax out",
                                                  name_of(scores.dtype())));
    }
    const std::int64_t channels = scores.frames();
    const std::int64_t voxels = voxel_count(scores.grid()) * scores.components();
    // About 256 KiB for a thread, and a cache line of each channel at least.
    const std::int64_t run = std::clamp<std::int64_t>((std::int64_t{1} << 15) / channels, 16, 1024);
    ThreadPool pool(threads);
    std::vector<std::vector<double>> scratch(static_cast<std::size_t>(pool.size()));
    for (std::vector<double>& values : scratch) values.resize(static_cast<std::size_t>(run * channels));
    dispatch(scores.dtype(), [&](auto zero) {
        using T = decltype(zero);
        if constexpr (!std::numeric_limits<T>::is_integer) {
            pool.for_each((voxels + run - 1) / run, [&](std::int64_t item, int thread) {
                T* first = reinterpret_cast<T*>(scores.data()) + item * run;
                const std::int64_t n = std::min(run, voxels - item * run);
                double* values = scratch[static_cast<std::size_t>(thread)].data();
                for (std::int64_t c = 0; c < channels; ++c) {
                    std::copy(first + c * voxels, first + c * voxels + n, values + c * n);
                }
                softmax(values, n, channels);
                for (std::int64_t c = 0; c < channels; ++c) {
                    for (std::int64_t v = 0; v < n; ++v) first[c * voxels + v] = static_cast<T>(values[c * n + v]);
                }
            });
        }
    });
}

}  // namespace revoxel::pipeline
