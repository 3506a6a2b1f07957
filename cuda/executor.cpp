// The executor on a GPU: brings the input there, runs the plan, brings the output back.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "device_view.hpp"
#include "engine/cuda_backend.hpp"
#include "executors/views.hpp"
#include "revoxel/cuda.hpp"
#include "runtime/memory.hpp"

namespace revoxel::cuda {
namespace {

/// How a volume lies on the device: as on the host where that leaves no gaps, else with i fastest.
std::array<std::int64_t, 3> device_strides(const ConstVolumeView& view) {
    std::array<std::size_t, 3> order{0, 1, 2};
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return std::abs(view.stride[a]) < std::abs(view.stride[b]); });
    std::array<std::int64_t, 3> stride{};
    std::int64_t next = 1;
    for (const std::size_t a : order) {
        stride[a] = next;
        next *= view.extent[a];
    }
    return stride;
}

bool lies_as(const ConstVolumeView& view, const std::array<std::int64_t, 3>& stride) {
    for (std::size_t a = 0; a < 3; ++a) {
        if (view.extent[a] > 1 && view.stride[a] != stride[a]) return false;
    }
    return true;
}

std::size_t bytes_of(const ConstVolumeView& view) {
    return static_cast<std::size_t>(view.extent[0] * view.extent[1] * view.extent[2]) * size_of(view.dtype);
}

/// Copies voxels between two views of one dtype and extent.
void copy_host(const ConstVolumeView& from, const VolumeView& to) {
    dispatch(from.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t k = 0; k < from.extent[2]; ++k)
            for (std::int64_t j = 0; j < from.extent[1]; ++j) {
                const T* in = reinterpret_cast<const T*>(address(from, 0, j, k));
                T* out = reinterpret_cast<T*>(address(to, 0, j, k));
                for (std::int64_t i = 0; i < from.extent[0]; ++i) out[i * to.stride[0]] = in[i * from.stride[0]];
            }
    });
}

std::size_t bytes_of(const Grid& grid, DType dtype) {
    return static_cast<std::size_t>(grid.extent[0] * grid.extent[1] * grid.extent[2]) * size_of(dtype);
}

class CudaExecutor final : public Executor {
public:
    CudaExecutor(const Plan& plan, const ExecutorOptions& options)
        : options_(options),
          plan_(make_device_plan(plan)),
          input_(bytes_of(plan.input, plan.options.input_dtype)),
          output_(bytes_of(plan.output, plan.options.output_dtype)) {}

    void run(const ConstVolumeView& input, const VolumeView& output) override {
        check_views(plan_->plan(), input, output);
        const ConstVolumeView in = upload_input(input);
        const VolumeView out{output_.data(), output.dtype, output.extent, device_strides(output)};
        plan_->run(in, out, stream_.handle());
        download_output(out, output);
        if (options_.progress) options_.progress(1.0);
    }

    std::int64_t workspace_bytes() const noexcept override {
        return static_cast<std::int64_t>(input_.bytes() + output_.bytes()) + plan_->bytes();
    }
    std::string name() const override { return "cuda (" + device_name() + ")"; }

private:
    ConstVolumeView upload_input(const ConstVolumeView& input) {
        const VolumeView there{input_.data(), input.dtype, input.extent, device_strides(input)};
        if (lies_as(input, there.stride)) {
            upload(input_.data(), input.data, bytes_of(input), stream_.handle());
            return there;
        }
        staging_.resize(std::max(staging_.size(), bytes_of(input)));
        copy_host(input, {staging_.data(), input.dtype, input.extent, there.stride});
        upload(input_.data(), staging_.data(), bytes_of(input), stream_.handle());
        return there;
    }

    void download_output(const VolumeView& there, const VolumeView& output) {
        if (lies_as(output, there.stride)) {
            download(output.data, output_.data(), bytes_of(output), stream_.handle());
            stream_.wait();
            return;
        }
        staging_.resize(std::max(staging_.size(), bytes_of(output)));
        download(staging_.data(), output_.data(), bytes_of(output), stream_.handle());
        stream_.wait();
        copy_host({staging_.data(), output.dtype, output.extent, there.stride}, output);
    }

    ExecutorOptions options_;
    std::unique_ptr<DevicePlan> plan_;
    Stream stream_;
    DeviceMemory input_, output_;
    std::vector<std::byte> staging_;  ///< of volumes that have gaps or negative strides
};

}  // namespace

std::unique_ptr<Executor> make_executor(const Plan& plan, const ExecutorOptions& options) {
    return std::make_unique<CudaExecutor>(plan, options);
}

}  // namespace revoxel::cuda
