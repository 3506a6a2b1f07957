#include "executors/reference.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "executors/ballot.hpp"
#include "executors/views.hpp"
#include "math/votes.hpp"
#include "plan/boundary.hpp"
#include "plan/kernels.hpp"

namespace revoxel {
namespace {

/// A dense array of computed values, i fastest.
template <typename C>
struct Field {
    Extent extent{0, 0, 0};
    std::vector<C> values;

    void reshape(const Extent& n) {
        extent = n;
        values.resize(static_cast<std::size_t>(n[0] * n[1] * n[2]));
    }
    C& at(std::int64_t i, std::int64_t j, std::int64_t k) {
        return values[static_cast<std::size_t>((k * extent[1] + j) * extent[0] + i)];
    }
    const C& at(std::int64_t i, std::int64_t j, std::int64_t k) const { return const_cast<Field*>(this)->at(i, j, k); }
};

template <typename F>
void for_each_index(const Box3& box, F&& f) {
    for (std::int64_t k = box.lo[2]; k < box.hi[2]; ++k)
        for (std::int64_t j = box.lo[1]; j < box.hi[1]; ++j)
            for (std::int64_t i = box.lo[0]; i < box.hi[0]; ++i) f(i, j, k);
}

template <typename C>
void load(const ConstVolumeView& view, Field<C>& field) {
    field.reshape(view.extent);
    dispatch(view.dtype, [&](auto zero) {
        using T = decltype(zero);
        for_each_index({{0, 0, 0}, view.extent}, [&](std::int64_t i, std::int64_t j, std::int64_t k) {
            field.at(i, j, k) = static_cast<C>(*reinterpret_cast<const T*>(address(view, i, j, k)));
        });
    });
}

template <typename C>
void run_pass(const AxisPass& pass, const Field<C>& in, Field<C>& out) {
    const TapTable& taps = pass.taps;
    Extent extent = in.extent;
    extent[pass.axis] = taps.n_out;
    out.reshape(extent);
    for_each_index({{0, 0, 0}, extent}, [&](std::int64_t i, std::int64_t j, std::int64_t k) {
        Extent at{i, j, k};
        const auto o = static_cast<std::size_t>(at[pass.axis]);
        C sum = 0;
        for (std::int32_t t = 0; t < taps.count[o]; ++t) {
            at[pass.axis] = wrapped_index(taps.first[o] + t, taps.n_in);
            const C weight = static_cast<C>(taps.weight[o * static_cast<std::size_t>(taps.stride) + t]);
            const C value = in.at(at[0], at[1], at[2]);
            // The first product is not added to zero: -0 stays -0.
            sum = t == 0 ? weight * value : std::fma(weight, value, sum);
        }
        if (!taps.bias.empty()) sum += static_cast<C>(taps.bias[o] * taps.outside_value);
        out.at(i, j, k) = sum;
    });
}

/// Sums x, then y, then z; rows of weights as math::gather_taps trims them.
template <typename C>
C gathered(const AffineGather& gather, const Field<C>& in, const double (&c)[3]) {
    math::GatherTaps<C> taps[3];
    for (int d = 0; d < 3; ++d) math::gather_taps(point_kernel(gather.kernel[d], gather.shape), c[d], taps[d]);
    const auto index = [&](int d, int t) {
        return std::clamp<std::int64_t>(taps[d].first + t - gather.origin[d], 0, gather.extent[d] - 1);
    };
    C volume = 0;
    for (int z = taps[2].begin; z < taps[2].end; ++z) {
        C plane = 0;
        for (int y = taps[1].begin; y < taps[1].end; ++y) {
            C line = 0;
            for (int x = taps[0].begin; x < taps[0].end; ++x) {
                const C value = in.at(index(0, x), index(1, y), index(2, z));
                line = x == taps[0].begin ? taps[0].weight[x] * value : std::fma(taps[0].weight[x], value, line);
            }
            plane = y == taps[1].begin ? taps[1].weight[y] * line : std::fma(taps[1].weight[y], line, plane);
        }
        volume = z == taps[2].begin ? taps[2].weight[z] * plane : std::fma(taps[2].weight[z], plane, volume);
    }
    for (int d = 0; d < 3; ++d) {
        if (gather.norm[d].empty()) continue;
        C sum = 0;
        for (int t = taps[d].begin; t < taps[d].end; ++t) {
            const auto norm = static_cast<C>(gather.norm[d][static_cast<std::size_t>(index(d, t))]);
            sum = t == taps[d].begin ? taps[d].weight[t] * norm : std::fma(taps[d].weight[t], norm, sum);
        }
        volume /= sum;
    }
    return volume;
}

/// A plan that computes nothing: each output voxel is one input voxel, converted.
void copy_voxels(const Plan& plan, const ConstVolumeView& input, const VolumeView& output) {
    const ConstVolumeView view = permuted(input, plan.input_axis);
    dispatch(input.dtype, [&](auto from) {
        dispatch(output.dtype, [&](auto to) {
            using From = decltype(from);
            using To = decltype(to);
            for_each_index(plan.covered, [&](std::int64_t i, std::int64_t j, std::int64_t k) {
                Extent at{i, j, k};
                for (auto stage = plan.stages.rbegin(); stage != plan.stages.rend(); ++stage) {
                    if (const auto* pass = std::get_if<AxisPass>(&*stage)) {
                        at[pass->axis] = pass->taps.first[static_cast<std::size_t>(at[pass->axis])];
                        continue;
                    }
                    const auto& gather = std::get<AffineGather>(*stage);
                    double c[3];
                    if (!math::locate(frame_of(gather), i, j, k, c)) return;
                    for (int d = 0; d < 3; ++d) {
                        const std::int64_t nearest = math::floor_index(c[d] + 0.5 + math::kTieTolerance);
                        at[d] = std::clamp<std::int64_t>(nearest, 0, gather.inside[d] - 1) - gather.origin[d];
                    }
                }
                const From value = *reinterpret_cast<const From*>(address(view, at[0], at[1], at[2]));
                *reinterpret_cast<To*>(address(output, i, j, k)) = math::convert<To>(value);
            });
        });
    });
}

/// The value with the most votes; ties go to the smallest, and NaN comes last.
template <typename T>
T winner(const ConstVolumeView& view, const std::array<Ballot, 3>& ballot) {
    const auto less = [](T a, T b) { return a < b || (a == a && b != b); };
    std::map<T, std::int64_t, decltype(less)> votes(less);
    for (std::size_t z = 0; z < ballot[2].index.size(); ++z) {
        for (std::size_t y = 0; y < ballot[1].index.size(); ++y) {
            for (std::size_t x = 0; x < ballot[0].index.size(); ++x) {
                const std::int64_t i = ballot[0].index[x], j = ballot[1].index[y], k = ballot[2].index[z];
                if (i < 0 || j < 0 || k < 0) continue;
                votes[*reinterpret_cast<const T*>(address(view, i, j, k))] +=
                    ballot[0].weight[x] * ballot[1].weight[y] * ballot[2].weight[z];
            }
        }
    }
    const auto best =
        std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    return best->first;
}

/// A label plan: each output voxel by itself.
void vote(const Plan& plan, const ConstVolumeView& input, const VolumeView& output) {
    const ConstVolumeView view = permuted(input, plan.input_axis);
    const Ballots ballots(plan);
    std::array<Ballot, 3> ballot;
    dispatch(input.dtype, [&](auto from) {
        dispatch(output.dtype, [&](auto to) {
            using From = decltype(from);
            using To = decltype(to);
            for_each_index(plan.covered, [&](std::int64_t i, std::int64_t j, std::int64_t k) {
                if (!ballots.at(i, j, k, ballot)) return;
                *reinterpret_cast<To*>(address(output, i, j, k)) =
                    math::convert<To>(math::label_of_value(winner<From>(view, ballot)));
            });
        });
    });
}

template <typename C>
class ReferenceExecutor final : public Executor {
public:
    explicit ReferenceExecutor(const Plan& plan, const ExecutorOptions& options) : plan_(plan), options_(options) {
        if (plan_.is_copy() || plan_.options.labels) return;
        // Grow both fields to the largest array they will hold, so that run() takes no memory.
        Extent extent = permuted({nullptr, DType::float32, plan_.input.extent, {0, 0, 0}}, plan_.input_axis).extent;
        fields_[0].reshape(extent);
        int target = 1;
        for (const Stage& stage : plan_.stages) {
            if (const auto* pass = std::get_if<AxisPass>(&stage)) {
                extent[pass->axis] = pass->taps.n_out;
                fields_[target].values.reserve(static_cast<std::size_t>(extent[0] * extent[1] * extent[2]));
                fields_[target].reshape(extent);
                target = 1 - target;
            }
        }
    }

    void run(const ConstVolumeView& input, const VolumeView& output) override {
        check_views(plan_, input, output);
        for (std::int64_t k = 0; k < output.extent[2]; ++k) {
            for (std::int64_t j = 0; j < output.extent[1]; ++j) {
                fill_row(address(output, 0, j, k), output.dtype, output.stride[0], output.extent[0],
                         plan_.options.fill);
            }
        }
        if (plan_.is_copy()) {
            copy_voxels(plan_, input, output);
        } else if (plan_.options.labels) {
            vote(plan_, input, output);
        } else {
            compute(input, output);
        }
        if (options_.progress) options_.progress(1.0);
    }

    std::int64_t workspace_bytes() const noexcept override {
        return static_cast<std::int64_t>((fields_[0].values.capacity() + fields_[1].values.capacity()) * sizeof(C));
    }
    std::string name() const override { return "reference"; }

private:
    void compute(const ConstVolumeView& input, const VolumeView& output) {
        int current = 0;
        load(permuted(input, plan_.input_axis), fields_[0]);
        const AffineGather* gather = nullptr;
        for (const Stage& stage : plan_.stages) {
            if (const auto* pass = std::get_if<AxisPass>(&stage)) {
                run_pass(*pass, fields_[current], fields_[1 - current]);
                current = 1 - current;
            } else {
                gather = &std::get<AffineGather>(stage);
            }
        }
        const Field<C>& field = fields_[current];
        const math::Storing storing = storing_of(plan_, finite_range(input, {{0, 0, 0}, input.extent}));
        dispatch(output.dtype, [&](auto zero) {
            using T = decltype(zero);
            for_each_index(plan_.covered, [&](std::int64_t i, std::int64_t j, std::int64_t k) {
                C value;
                if (gather) {
                    double c[3];
                    if (!math::locate(frame_of(*gather), i, j, k, c)) return;
                    value = gathered(*gather, field, c);
                } else {
                    value = field.at(i, j, k);
                }
                *reinterpret_cast<T*>(address(output, i, j, k)) = math::store_value<T>(value, storing);
            });
        });
    }

    Plan plan_;
    ExecutorOptions options_;
    Field<C> fields_[2];
};

}  // namespace

std::unique_ptr<Executor> make_reference_executor(const Plan& plan, const ExecutorOptions& options) {
    if (plan.compute == ComputeType::f32) return std::make_unique<ReferenceExecutor<float>>(plan, options);
    return std::make_unique<ReferenceExecutor<double>>(plan, options);
}

}  // namespace revoxel
