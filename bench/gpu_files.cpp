#include "gpu_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <variant>
#include <vector>

#include "revoxel/error.hpp"

namespace revoxel::bench {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const std::string& folder, const GpuJob& job) {
    std::string name = job.name;
    std::replace(name.begin(), name.end(), ' ', '-');
    const fs::path path = fs::path(folder) / name;
    fs::create_directories(path);
    return path;
}

const char* numpy_type(DType dtype) {
    switch (dtype) {
        case DType::uint8: return "|u1";
        case DType::int16: return "<i2";
        case DType::float32: return "<f4";
        case DType::float64: return "<f8";
        default: throw Error(ErrorCode::usage, fmt::format("no job has arrays of {}", name_of(dtype)));
    }
}

/// Version 1.0 of the format: magic, length of the header, the header as a Python dictionary padded to 64 bytes.
void save_npy(const fs::path& path, DType dtype, const std::vector<std::int64_t>& shape, const void* data) {
    auto bytes = static_cast<std::streamsize>(size_of(dtype));
    for (const std::int64_t n : shape) bytes *= n;
    std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({},), }}", numpy_type(dtype),
                                     fmt::join(shape, ", "));
    constexpr std::size_t kPrefix = 10, kAlign = 64;
    header.append(kAlign - 1 - (kPrefix + header.size()) % kAlign, ' ');
    header += '\n';
    std::ofstream file(path, std::ios::binary);
    file << "\x93NUMPY" << '\x01' << '\0' << static_cast<char>(header.size() % 256)
         << static_cast<char>(header.size() / 256) << header;
    file.write(static_cast<const char*>(data), bytes);
    if (!file.flush()) throw Error(ErrorCode::output, fmt::format("{}: cannot be written", path.string()));
}

std::vector<std::int64_t> shape_of(const Grid& grid, std::int64_t volumes) {
    std::vector<std::int64_t> shape{grid.extent[2], grid.extent[1], grid.extent[0]};
    if (volumes > 1) shape.insert(shape.begin(), volumes);
    return shape;
}

std::vector<float> matrix_of(const TapTable& taps) {
    std::vector<float> matrix(static_cast<std::size_t>(taps.n_out * taps.n_in));
    for (std::int64_t o = 0; o < taps.n_out; ++o) {
        const auto row = static_cast<std::size_t>(o);
        for (std::int64_t t = 0; t < taps.count[row]; ++t) {
            const std::int64_t input = taps.first[row] + t;
            matrix[static_cast<std::size_t>(o * taps.n_in + input)] +=
                static_cast<float>(taps.weight[static_cast<std::size_t>(o * taps.stride + t)]);
        }
    }
    return matrix;
}

}  // namespace

void save_arrays(const std::string& folder, const GpuJob& job, const std::byte* input, const std::byte* output) {
    if (job.parts.size() > 1) return;
    const GpuPart& part = job.parts[0];
    const PlanOptions& options = part.plan.options;
    const fs::path path = folder_of(folder, job);
    save_npy(path / "in.npy", options.input_dtype, shape_of(part.plan.input, job.input_volumes(part)), input);
    save_npy(path / "out.npy", options.output_dtype, shape_of(part.plan.output, part.count), output);
}

void save_weights(const std::string& folder, const GpuJob& job) {
    const Plan& plan = job.parts[0].plan;
    if (!job.affines.empty()) {
        save_npy(folder_of(folder, job) / "affines.npy", DType::float64, {job.parts[0].count, 3, 4},
                 job.affines.data());
    }
    if (!job.single() || !plan.separable || plan.options.labels) return;
    const fs::path path = folder_of(folder, job);
    for (const Stage& stage : plan.stages) {
        const auto& pass = std::get<AxisPass>(stage);
        save_npy(path / fmt::format("w{}.npy", pass.axis), DType::float32, {pass.taps.n_out, pass.taps.n_in},
                 matrix_of(pass.taps).data());
    }
}

}  // namespace revoxel::bench
