#include "backends/harness.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <iterator>
#include <limits>
#include <map>
#include <random>
#include <sstream>
#include <type_traits>

#include "engine/cuda_backend.hpp"
#include "oracle/oracle.hpp"
#include "revoxel/error.hpp"

namespace revoxel::harness {
namespace {

constexpr std::size_t kGuardBytes = 256;  // on each side; strides in the tests never reach farther by accident

struct Placement {
    std::array<std::int64_t, 3> stride;
    std::int64_t first;  ///< scalar offset of index (0, 0, 0)
    std::int64_t count;  ///< scalars between the guards
};

Placement place(const Extent& n, Layout layout) {
    switch (layout) {
        case Layout::packed: return {{1, n[0], n[0] * n[1]}, 0, n[0] * n[1] * n[2]};
        case Layout::interleaved: return {{3, 3 * n[0], 3 * n[0] * n[1]}, 1, 3 * n[0] * n[1] * n[2]};
        case Layout::padded: {
            const std::int64_t row = n[0] + 5, slice = row * n[1] + 3;
            return {{1, row, slice}, 2, slice * n[2] + 2};
        }
        case Layout::reversed: {
            const std::int64_t row = n[0] + 1, slice = row * n[1];
            return {{-1, -row, -slice}, (n[0] - 1) + row * (n[1] - 1) + slice * (n[2] - 1), slice * n[2]};
        }
        case Layout::permuted: break;
    }
    return {{n[2], n[2] * n[0], 1}, 0, n[0] * n[1] * n[2]};
}

template <typename F>
void for_each_index(const Extent& n, F&& f) {
    for (std::int64_t k = 0; k < n[2]; ++k)
        for (std::int64_t j = 0; j < n[1]; ++j)
            for (std::int64_t i = 0; i < n[0]; ++i) f(i, j, k);
}

// The largest observed error as a share of the bound and in units of eps * max|f|, per kernel and compute type, printed
// at the end: a bound that is never approached tests nothing.
struct Observed {
    double share = 0.0;
    double eps = 0.0;
    std::int64_t voxels = 0;
};
std::map<std::string, Observed>& observed() {
    static std::map<std::string, Observed> all;
    return all;
}

class PrintObserved final : public testing::Environment {
public:
    void TearDown() override {
        for (const auto& [name, o] : observed()) {
            std::printf("[  ORACLE  ] %-24s %9lld voxels, largest error %7.2f eps of max|f|, %5.1f %% of the bound\n",
                        name.c_str(), static_cast<long long>(o.voxels), o.eps, 100 * o.share);
        }
    }
};
// Sets an environment variable while it lives; a null value leaves it alone.
class ScopedVariable {
public:
    ScopedVariable(const char* name, const char* value) : name_(value ? name : nullptr) {
        if (name_) setenv(name_, value, 1);
    }
    ~ScopedVariable() {
        if (name_) unsetenv(name_);
    }
    ScopedVariable(const ScopedVariable&) = delete;
    ScopedVariable& operator=(const ScopedVariable&) = delete;

private:
    const char* name_;
};

// Whether stored voxels are what the oracle says, within rounding.
struct Judge {
    const Plan& plan;
    const oracle::Oracle& oracle;
    oracle::Precision precision;
    double scale = 0.0;  ///< largest magnitude of the input

    /// What is wrong with voxel `at` holding `got`; empty: nothing.
    std::string complaint(const Extent& at, double got, Observed& o) const {
        const double expected = oracle.stored(at);
        if (!oracle.inside(at)) return same(got, expected) ? "" : says(got, "fill", expected);
        ++o.voxels;
        if (plan.options.labels) return same(got, expected) || tied(at, got) ? "" : says(got, "label", expected);
        return value_complaint(at, got, expected, o);
    }

private:
    static bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

    static std::string says(double got, const char* what, double expected) {
        std::ostringstream text;
        text << std::setprecision(9) << " is " << got << ", the oracle says " << what << " " << expected;
        return text.str();
    }

    // A label that misses the most votes by no more than rounding may decide about.
    bool tied(const Extent& at, double got) const {
        const auto votes = oracle.votes(at);
        std::int64_t most = 0;
        for (const auto& [label, vote] : votes) most = std::max(most, vote);
        const std::int64_t slack = oracle.label_slack(at, precision);
        return std::any_of(votes.begin(), votes.end(), [&](const auto& label) {
            return most - label.second <= slack &&
                   same(got, oracle::stored_scaled(plan.options, plan.options.output_slope * label.first +
                                                                     plan.options.output_intercept));
        });
    }

    std::string value_complaint(const Extent& at, double got, double expected, Observed& o) const {
        const PlanOptions& options = plan.options;
        // Where rounding decides whether enough is left that is finite, both answers are right.
        if (options.nan_aware &&
            std::abs(oracle.finite_share(at) - oracle::kLeastShare) <= oracle.share_error(precision, at))
            return "";
        const double exact = options.output_slope * oracle.value(at) + options.output_intercept;
        if (!std::isfinite(exact)) return same(got, expected) ? "" : says(got, "value", exact);
        // A plan that only moves voxels makes no error at all; conversion to another dtype is stored_scaled's.
        const double computed = plan.is_copy() ? 0.0 : oracle.error_bound(precision, at);
        const bool scaled = options.output_slope != 1.0 || options.output_intercept != 0.0;
        // The scaling is one fma in double on one side and two roundings here.
        const double bound = std::abs(options.output_slope) * computed +
                             (scaled ? 0x1p-51 * (std::abs(exact) + std::abs(options.output_intercept)) : 0.0);
        const double low = oracle::stored_scaled(options, exact - bound),
                     high = oracle::stored_scaled(options, exact + bound);
        // Rounding to integers and halves hides the error: only wider outputs say how large it is.
        const bool wide = options.output_dtype == DType::float64;
        const bool narrow = is_integer(options.output_dtype) || options.output_dtype == DType::float16;
        if (!narrow && computed > 0.0 && !scaled && !options.threshold && wide == (plan.compute == ComputeType::f64)) {
            const double error = std::abs(got - exact);
            o.share = std::max(o.share, error / computed);
            o.eps = std::max(o.eps, error / (scale * precision.quantum));
        }
        if (low <= got && got <= high) return "";
        std::ostringstream text;
        text << std::setprecision(9) << ", off by " << std::abs(got - exact) / bound << " times the bound " << bound;
        return says(got, "value", exact) + text.str();
    }
};

#if defined(REVOXEL_TEST_GPU)
/// Why there is no device to test; empty: there is one.
std::string missing_device() {
    if (cuda::available()) return "";
    const Grid grid = axis_grid({1, 1, 1}, {1, 1, 1});
    try {
        make_executor(make_plan(grid, grid, {}), Backend::cuda);
    } catch (const Error& error) {
        return error.what();
    }
    return cuda::description();
}

// Ends each test before it begins where there is no device. From an Environment no test would be skipped by name.
class RequireDevice final : public testing::EmptyTestEventListener {
    void OnTestStart(const testing::TestInfo&) override {
        static const std::string missing = missing_device();
        if (missing.empty()) return;
        const char* required = std::getenv("REVOXEL_REQUIRE_GPU");
        if (required && std::string(required) == "1") FAIL() << missing << " (REVOXEL_REQUIRE_GPU=1)";
        GTEST_SKIP() << missing;
    }
};

const bool kRequireDevice = [] {
    testing::UnitTest::GetInstance()->listeners().Append(new RequireDevice);
    return true;
}();
#endif

const auto* const kPrintObserved = testing::AddGlobalTestEnvironment(new PrintObserved);

}  // namespace

const char* name_of(Layout layout) {
    switch (layout) {
        case Layout::packed: return "packed";
        case Layout::interleaved: return "interleaved";
        case Layout::padded: return "padded";
        case Layout::reversed: return "reversed";
        case Layout::permuted: break;
    }
    return "permuted";
}

Field::Field(const Extent& extent, DType dtype, Layout layout, unsigned char poison) : poison_(poison) {
    const Placement p = place(extent, layout);
    const std::size_t scalar = size_of(dtype);
    bytes_.assign(static_cast<std::size_t>(p.count) * scalar + 2 * kGuardBytes, poison);
    view_ = {bytes_.data() + kGuardBytes + static_cast<std::size_t>(p.first) * scalar, dtype, extent, p.stride};
}

std::byte* Field::address(std::int64_t i, std::int64_t j, std::int64_t k) const {
    const std::int64_t offset = i * view_.stride[0] + j * view_.stride[1] + k * view_.stride[2];
    return static_cast<std::byte*>(view_.data) + offset * static_cast<std::int64_t>(size_of(view_.dtype));
}

double Field::get(std::int64_t i, std::int64_t j, std::int64_t k) const {
    return dispatch(view_.dtype, [&](auto value) {
        std::memcpy(&value, address(i, j, k), sizeof value);
        return static_cast<double>(value);
    });
}

void Field::set(std::int64_t i, std::int64_t j, std::int64_t k, double value) {
    dispatch(view_.dtype, [&](auto zero) {
        using T = decltype(zero);
        T stored;
        if constexpr (!std::numeric_limits<T>::is_integer) {
            stored = static_cast<T>(value);
        } else {
            const double r = std::nearbyint(value);
            stored = r >= static_cast<double>(std::numeric_limits<T>::max())   ? std::numeric_limits<T>::max()
                     : r <= static_cast<double>(std::numeric_limits<T>::min()) ? std::numeric_limits<T>::min()
                                                                               : static_cast<T>(r);
        }
        std::memcpy(address(i, j, k), &stored, sizeof stored);
    });
}

void Field::fill(const std::function<double(std::int64_t, std::int64_t, std::int64_t)>& f) {
    for_each_index(view_.extent, [&](auto i, auto j, auto k) { set(i, j, k, f(i, j, k)); });
}

std::vector<std::byte> Field::packed() const {
    std::vector<std::byte> out;
    const std::size_t scalar = size_of(view_.dtype);
    for_each_index(view_.extent, [&](auto i, auto j, auto k) {
        const std::byte* p = address(i, j, k);
        out.insert(out.end(), p, p + scalar);
    });
    return out;
}

std::vector<double> Field::values() const {
    std::vector<double> out;
    for_each_index(view_.extent, [&](auto i, auto j, auto k) { out.push_back(get(i, j, k)); });
    return out;
}

bool Field::gaps_untouched() const {
    std::vector<unsigned char> voxel(bytes_.size(), 0);
    const std::size_t scalar = size_of(view_.dtype);
    for_each_index(view_.extent, [&](auto i, auto j, auto k) {
        const auto at = address(i, j, k) - reinterpret_cast<const std::byte*>(bytes_.data());
        std::fill_n(voxel.begin() + at, scalar, static_cast<unsigned char>(1));
    });
    for (std::size_t b = 0; b < bytes_.size(); ++b)
        if (!voxel[b] && bytes_[b] != poison_) return false;
    return true;
}

void fill_random(Field& field, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const DType dtype = field.view().dtype;
    double lo = -1000, hi = 1000;
    if (is_integer(dtype)) {
        const double limit = dtype == DType::int32 ? 0x1p30 : dtype == DType::uint32 ? 0x1p31 : 0x1p51;
        lo = std::max(lowest_value(dtype), -limit);
        hi = std::min(highest_value(dtype), limit);
    }
    // Own mapping to the range: std::uniform_real_distribution differs between standard libraries.
    field.fill([&](auto, auto, auto) { return lo + (hi - lo) * (static_cast<double>(random() >> 11) * 0x1p-53); });
}

void fill_labels(Field& field, std::uint64_t seed) {
    fill_random(field, seed);
    if (!kEmulated) return;
    field.fill([&](auto i, auto j, auto k) { return std::fmod(std::abs(std::floor(field.get(i, j, k))), 5.0); });
}

Grid axis_grid(const Extent& extent, const Vec3& spacing_mm, const Vec3& origin_mm) {
    Grid grid{extent, {}};
    for (int d = 0; d < 3; ++d) {
        grid.affine(d, d) = spacing_mm[d];
        grid.affine(d, 3) = origin_mm[d];
    }
    return grid;
}

Grid reoriented(const Grid& grid, const std::array<int, 3>& p, int flips) {
    Grid out{{}, {}};
    Vec3 first{0, 0, 0};
    for (int a = 0; a < 3; ++a) {
        const bool flip = flips >> a & 1;
        out.extent[a] = grid.extent[p[a]];
        for (int r = 0; r < 3; ++r) out.affine(r, a) = grid.affine(r, p[a]) * (flip ? -1.0 : 1.0);
        if (flip) first[p[a]] = static_cast<double>(grid.extent[p[a]] - 1);
    }
    const Vec3 world = oracle::world_of_index(grid, first);
    for (int r = 0; r < 3; ++r) out.affine(r, 3) = world[r];
    return out;
}

Grid turned_grid(const Grid& around, const Extent& extent, const Vec3& spacing_mm, const Vec3& degrees) {
    Grid grid{extent, {}};
    std::array<std::array<double, 3>, 3> m{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
    for (int axis = 0; axis < 3; ++axis) {
        const double a = degrees[axis] * 3.14159265358979323846 / 180;
        const int u = (axis + 1) % 3, v = (axis + 2) % 3;
        for (auto& row : m) {
            const double x = row[u], y = row[v];
            row[u] = x * std::cos(a) + y * std::sin(a);
            row[v] = -x * std::sin(a) + y * std::cos(a);
        }
    }
    Vec3 middle;
    for (int d = 0; d < 3; ++d) middle[d] = 0.5 * static_cast<double>(around.extent[d] - 1);
    const Vec3 centre = oracle::world_of_index(around, middle);
    for (int r = 0; r < 3; ++r) {
        grid.affine(r, 3) = centre[r];
        for (int c = 0; c < 3; ++c) {
            grid.affine(r, c) = m[r][c] * spacing_mm[c];
            grid.affine(r, 3) -= grid.affine(r, c) * 0.5 * static_cast<double>(extent[c] - 1);
        }
    }
    return grid;
}

std::string describe(const Case& c) {
    const PlanOptions& options = c.options;
    const PlanOptions usual;
    std::ostringstream text;
    const auto extent = [&](const Extent& n) { text << n[0] << "x" << n[1] << "x" << n[2]; };
    const auto numbers = [&](const char* what, const Vec3& v) { text << what << v[0] << " " << v[1] << " " << v[2]; };
    const auto names = [](const auto& of) {
        std::string all = revoxel::name_of(of[0]);
        for (int a = 1; a < 3 && !of.uniform(); ++a) all += std::string("/") + revoxel::name_of(of[a]);
        return all;
    };
    extent(c.input.extent);
    text << " " << revoxel::name_of(options.input_dtype) << " " << name_of(c.input_layout) << " -> ";
    extent(c.output.extent);
    text << " " << revoxel::name_of(options.output_dtype) << " " << name_of(c.output_layout) << ", "
         << (options.labels ? "labels, " : "") << names(options.kernel) << ", antialias " << names(options.antialias)
         << ", boundary " << revoxel::name_of(options.boundary);
    if (options.boundary == Boundary::constant) text << " " << options.boundary_value;
    if (!options.shape.normalised) text << ", not normalised";
    if (options.outside == Outside::extend) text << ", extend";
    if (options.blur != usual.blur) numbers(", blur ", options.blur);
    if (options.aperture != usual.aperture) numbers(", aperture ", options.aperture);
    if (options.clip != Clip::none) text << ", clip " << revoxel::name_of(options.clip);
    if (options.nan_aware) text << ", nan aware";
    if (options.rounding != Rounding::even) text << ", rounding " << revoxel::name_of(options.rounding);
    if (options.threshold) text << ", threshold " << *options.threshold;
    text << ", seed " << c.seed;
    return text.str();
}

std::vector<Subject> subjects() {
#if defined(REVOXEL_TEST_SIMT)
    constexpr const char* kOrders[] = {"forward", "reverse", "shuffled"};
    static std::mt19937 random;  // a plain turn could keep step with the loops of a test
    const std::size_t first = random() % 3;
    return {{Backend::cuda, 1, nullptr, {kOrders[first], kOrders[(first + 1) % 3]}}};
#elif defined(REVOXEL_TEST_GPU)
    return {{Backend::cuda, 1}};
#else
    return {{Backend::cpu, 1}, {Backend::cpu, 2},       {Backend::cpu, 3},
            {Backend::cpu, 5}, {Backend::cpu, 2, "v3"}, {Backend::cpu, 2, "portable"}};
#endif
}

std::vector<Backend> backends() {
    std::vector<Backend> all{Backend::reference};
    for (const Subject& subject : subjects()) {
        if (std::find(all.begin(), all.end(), subject.backend) == all.end()) all.push_back(subject.backend);
    }
    return all;
}

double value_at(const std::vector<std::byte>& bytes, DType dtype, std::size_t index) {
    return dispatch(dtype, [&](auto value) {
        std::memcpy(&value, bytes.data() + index * sizeof value, sizeof value);
        return static_cast<double>(value);
    });
}

std::vector<std::byte> run_checked(const Plan& plan, const Subject& subject, const Field& input, Layout output_layout) {
    ExecutorOptions options;
    options.threads = subject.threads;
    const ScopedVariable isa("REVOXEL_ISA", subject.isa);
    const auto executor = make_executor(plan, subject.backend, options);
    EXPECT_FALSE(executor->name().empty());
    const std::vector<std::byte> before = input.packed();
    std::vector<std::byte> result;
    constexpr unsigned char kPoison[] = {0xff, 0x5a};
    for (std::size_t run = 0; run < std::size(kPoison); ++run) {
        const unsigned char poison = kPoison[run];
        const ScopedVariable order("REVOXEL_SIMT_ORDER", subject.simt_orders[run]);
        Field output(plan.output.extent, plan.options.output_dtype, output_layout, poison);
        executor->run(input.view(), output.view());
        EXPECT_TRUE(output.gaps_untouched()) << executor->name() << " wrote outside the output's voxels";
        const std::vector<std::byte> bytes = output.packed();
        if (result.empty()) {
            result = bytes;
        } else {
            EXPECT_TRUE(result == bytes) << executor->name()
                                         << ": a second run gave other bytes, or a voxel was not written";
        }
    }
    EXPECT_TRUE(input.packed() == before && input.gaps_untouched()) << executor->name() << " wrote to the input";
    return result;
}

std::vector<std::byte> check_backends(const Plan& plan, const Field& input, Layout output_layout,
                                      const std::vector<Subject>& tested) {
    const std::vector<std::byte> expected = run_checked(plan, {Backend::reference, 1}, input, output_layout);
    const std::string reference_name = make_executor(plan, Backend::reference)->name();
    for (const Subject& subject : tested) {
        const std::string name = make_executor(plan, subject.backend)->name();
        EXPECT_NE(name, reference_name) << "two executors are compared that are one";
        const std::vector<std::byte> bytes = run_checked(plan, subject, input, output_layout);
        if (bytes == expected) continue;
        const std::size_t scalar = size_of(plan.options.output_dtype);
        const auto differs = static_cast<std::size_t>(
                                 std::mismatch(bytes.begin(), bytes.end(), expected.begin()).first - bytes.begin()) /
                             scalar;
        const auto n0 = static_cast<std::size_t>(plan.output.extent[0]),
                   n1 = static_cast<std::size_t>(plan.output.extent[1]);
        ADD_FAILURE() << name << " with " << subject.threads << " threads, instruction set "
                      << (subject.isa ? subject.isa : "best") << ", order of threads "
                      << (subject.simt_orders[0] ? subject.simt_orders[0] : "any") << ", differs from "
                      << reference_name << ", first at voxel " << differs % n0 << " " << differs / n0 % n1 << " "
                      << differs / n0 / n1 << ": " << value_at(bytes, plan.options.output_dtype, differs)
                      << " instead of " << value_at(expected, plan.options.output_dtype, differs);
    }
    return expected;
}

void check_oracle(const Plan& plan, const Field& input, const std::vector<std::byte>& output) {
    if (subjects().front().backend == Backend::cuda) return;
    const PlanOptions& options = plan.options;
    const oracle::Oracle oracle(plan.input, plan.output, options, input.values());
    ASSERT_EQ(plan.separable, oracle.separable()) << "the plan took another route than the definition";
    Judge judge{plan, oracle, plan.compute == ComputeType::f32 ? oracle::kFloat : oracle::kDouble};
    for (double v : input.values())
        if (std::isfinite(v)) judge.scale = std::max(judge.scale, std::abs(v));
    const bool uniform = options.kernel.uniform();
    Observed& o = observed()[std::string(uniform ? revoxel::name_of(options.kernel[0]) : "several kernels") +
                             (plan.compute == ComputeType::f32 ? " f32" : " f64") + (options.labels ? " labels" : "") +
                             (plan.separable ? "" : " gather")];
    std::size_t at = 0, wrong = 0;
    for_each_index(plan.output.extent, [&](auto i, auto j, auto k) {
        const std::string complaint = judge.complaint({i, j, k}, value_at(output, options.output_dtype, at++), o);
        if (!complaint.empty() && ++wrong <= 5) ADD_FAILURE() << "voxel " << i << " " << j << " " << k << complaint;
    });
    EXPECT_EQ(wrong, 0u) << "voxels off the oracle";
}

std::vector<double> check_case(const Case& c) {
    SCOPED_TRACE(describe(c));
    Field input(c.input.extent, c.options.input_dtype, c.input_layout);
    (c.options.labels ? fill_labels : fill_random)(input, c.seed);
    const Plan plan = make_plan(c.input, c.output, c.options);
    const std::vector<std::byte> bytes = check_backends(plan, input, c.output_layout);
    check_oracle(plan, input, bytes);
    std::vector<double> values;
    for (std::size_t v = 0; v < bytes.size() / size_of(c.options.output_dtype); ++v)
        values.push_back(value_at(bytes, c.options.output_dtype, v));
    return values;
}

}  // namespace revoxel::harness
