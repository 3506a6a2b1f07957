// One harness for any executor: what it is given, what it must not touch, and what its result is compared with.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "revoxel/executor.hpp"
#include "revoxel/plan.hpp"
#include "revoxel/volume.hpp"

namespace revoxel::harness {

/// Whether the executor under test runs in the SIMT layer (tests/simt), a thousand times slower than on a device.
#if defined(REVOXEL_TEST_SIMT)
inline constexpr bool kEmulated = true;
#else
inline constexpr bool kEmulated = false;
#endif

/// How a field lies in memory. All but `packed` leave gaps that nobody may write to, and that hold NaN when read.
enum class Layout {
    packed,
    interleaved,  ///< component 1 of 3
    padded,       ///< rows and slices longer than the extent
    reversed,     ///< all strides negative, so data points behind most of its voxels
    permuted,     ///< k fastest, then i, then j
};
inline constexpr Layout kLayouts[] = {Layout::packed, Layout::interleaved, Layout::padded, Layout::reversed,
                                      Layout::permuted};
const char* name_of(Layout layout);

/// The memory of one strided scalar field, with guard bands on both sides.
class Field {
public:
    /// Every byte is `poison` (0xff makes NaN of both floating types).
    Field(const Extent& extent, DType dtype, Layout layout, unsigned char poison = 0xff);
    Field(const Field&) = delete;  // the view would stay with the other's memory
    Field& operator=(const Field&) = delete;
    Field(Field&&) = default;
    Field& operator=(Field&&) = default;
    ~Field() = default;

    ConstVolumeView view() const { return view_; }
    VolumeView view() { return view_; }

    double get(std::int64_t i, std::int64_t j, std::int64_t k) const;
    void set(std::int64_t i, std::int64_t j, std::int64_t k, double value);  ///< rounded and saturated
    std::byte* address(std::int64_t i, std::int64_t j, std::int64_t k) const;
    void fill(const std::function<double(std::int64_t, std::int64_t, std::int64_t)>& f);

    /// The voxels' bytes, i fastest, without gaps.
    std::vector<std::byte> packed() const;
    /// The voxels as double, i fastest. 64-bit integers above 2^53 are rounded.
    std::vector<double> values() const;
    /// Whether every byte that belongs to no voxel still is what it was.
    bool gaps_untouched() const;

private:
    std::vector<unsigned char> bytes_;
    unsigned char poison_;
    VolumeView view_;
};

/// Reproducible noise in a range that suits the dtype: all of it for 8 and 16 bits, +-2^30, 2^31 or 2^51 for the wider
/// integers (so that doubles hold them), +-1000 for floats.
void fill_random(Field& field, std::uint64_t seed);
/// The same as labels. In the SIMT layer five values: the CUDA executor counts label by label, and where every voxel
/// has its own, each of the layer's threads, which run one after the other, would walk hundreds of times.
void fill_labels(Field& field, std::uint64_t seed);

/// Grids for tests.
Grid axis_grid(const Extent& extent, const Vec3& spacing_mm, const Vec3& origin_mm = {0, 0, 0});
/// `grid` with its axes permuted (output axis a is axis p[a]) and flipped (bit a of `flips`), the same world points.
Grid reoriented(const Grid& grid, const std::array<int, 3>& p, int flips);
/// A grid of `extent` at `spacing_mm`, turned by three angles in degrees about the centre of `around`.
Grid turned_grid(const Grid& around, const Extent& extent, const Vec3& spacing_mm, const Vec3& degrees);

/// One job: what is resampled and how it lies in memory.
struct Case {
    Grid input, output;
    PlanOptions options;
    Layout input_layout = Layout::packed;
    Layout output_layout = Layout::packed;
    std::uint64_t seed = 1;
};
std::string describe(const Case& c);

/// An executor under test.
struct Subject {
    Backend backend;
    int threads;
    const char* isa = nullptr;  ///< instruction set to stay within; null: the best of this machine
    /// Of the SIMT layer's threads (tests/simt/simt.hpp), in the first and in the second run.
    std::array<const char*, 2> simt_orders{};
};

/// The executors that must agree with the reference executor bit for bit: those of the CPU; built with
/// REVOXEL_TEST_SIMT the CUDA executor in the SIMT layer, where two of three orders of threads take turns from call to
/// call (tests/simt/test_orders.cpp takes all three); with REVOXEL_TEST_GPU the CUDA executor on a device.
std::vector<Subject> subjects();
/// The reference executor's backend and those of subjects(), once each.
std::vector<Backend> backends();

/// Runs a plan on `input` and returns the packed output bytes. Expects that nothing but voxels was written, that every
/// voxel was written (the result must not depend on what was there), and that a second run gives the same bytes.
std::vector<std::byte> run_checked(const Plan& plan, const Subject& subject, const Field& input, Layout output_layout);

/// The whole check of one case: executors against the reference bit for bit, and the reference against the oracle
/// within float rounding. Returns the reference's output as double.
std::vector<double> check_case(const Case& c);
/// Only the executors against the reference, on given data.
std::vector<std::byte> check_backends(const Plan& plan, const Field& input, Layout output_layout,
                                      const std::vector<Subject>& tested = subjects());
/// Only the oracle: every voxel within the error bound, then stored (so that where the bound straddles a rounding of
/// integers, both are right); labels exactly, but where rounding of weights decides a vote; fill exactly. Not for the
/// CUDA executor: that the reference is right, the same tests on the CPU have shown.
void check_oracle(const Plan& plan, const Field& input, const std::vector<std::byte>& output);

/// Reads voxel `index` (packed order) of `bytes` as double.
double value_at(const std::vector<std::byte>& bytes, DType dtype, std::size_t index);

}  // namespace revoxel::harness
