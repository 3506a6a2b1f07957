#include "plan/taps.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "math/kernels.hpp"
#include "plan/boundary.hpp"
#include "revoxel/error.hpp"

namespace revoxel {
namespace {

void scale(Row& row, double factor) {
    for (double& w : row.weight) w *= factor;
    row.outside *= factor;
}

double sum_of(const Row& row) {
    return std::accumulate(row.weight.begin(), row.weight.end(), row.outside);
}

/// A window of a periodic axis: taps one period apart are one.
Row wrapped(std::int64_t first, const std::vector<double>& weight, std::int64_t n) {
    Row row{first, weight, 0.0};
    for (std::size_t t = static_cast<std::size_t>(n); t < weight.size(); ++t) {
        row.weight[t % static_cast<std::size_t>(n)] += weight[t];
    }
    if (weight.size() > static_cast<std::size_t>(n)) row.weight.resize(static_cast<std::size_t>(n));
    return row;
}

/// Weights at indices that may lie outside [0, n), folded on to the voxels that the boundary puts there.
Row folded(std::int64_t first, const std::vector<double>& weight, std::int64_t n, Boundary boundary) {
    if (boundary == Boundary::wrap) return wrapped(first, weight, n);
    std::int64_t lo = INT64_MAX, hi = -1;
    for (std::size_t t = 0; t < weight.size(); ++t) {
        const std::int64_t j = extended_index(boundary, first + static_cast<std::int64_t>(t), n);
        if (j < 0) continue;
        lo = std::min(lo, j);
        hi = std::max(hi, j);
    }
    Row row;
    if (hi >= 0) {
        row.first = lo;
        row.weight.assign(static_cast<std::size_t>(hi - lo + 1), 0.0);
    }
    for (std::size_t t = 0; t < weight.size(); ++t) {
        const std::int64_t j = extended_index(boundary, first + static_cast<std::int64_t>(t), n);
        if (j >= 0) {
            row.weight[static_cast<std::size_t>(j - lo)] += weight[t];
        } else if (boundary == Boundary::constant) {
            row.outside += weight[t];
        }
    }
    return row;
}

Row folded_to_one(std::int64_t first, const std::vector<double>& weight, std::int64_t n, Boundary boundary) {
    Row row = folded(first, weight, n, boundary);
    scale(row, 1.0 / sum_of(row));
    return row;
}

/// Moves the centre of gravity of weights around c to c: w becomes w + |w| (a + b d), d the distance from c, with the
/// sum kept. A widened kernel that is only divided by its sum moves a ramp by up to 0.09 voxel where the step is no
/// whole number. The two equations for a and b have a solution by the Cauchy-Schwarz inequality, also for kernels whose
/// second moment is 0.
void centre_on(double c, std::int64_t first, std::vector<double>& weight) {
    const auto distance = [&](std::size_t t) { return static_cast<double>(first + static_cast<std::int64_t>(t)) - c; };
    double moment = 0.0, size0 = 0.0, size1 = 0.0, size2 = 0.0;
    for (std::size_t t = 0; t < weight.size(); ++t) {
        const double d = distance(t), size = std::fabs(weight[t]);
        moment += weight[t] * d;
        size0 += size;
        size1 += size * d;
        size2 += size * d * d;
    }
    const double spread = size0 * size2 - size1 * size1;
    if (!(spread > 1e-12 * size0 * size2)) return;  // a single tap cannot be moved
    const double b = -moment * size0 / spread, a = -b * size1 / size0;
    for (std::size_t t = 0; t < weight.size(); ++t) weight[t] += std::fabs(weight[t]) * (a + b * distance(t));
}

/// Weights of voxels in reach of c, before the boundary.
struct Window {
    std::int64_t first = 0;
    std::vector<double> weight;
};

Window gaussian_window(const KernelShape& shape, double c, double stretch) {
    const double sigma = shape.sigma * stretch, reach = shape.alpha * sigma;
    Window window;
    window.first = static_cast<std::int64_t>(std::floor(c + 0.5 - reach + math::kTieTolerance));
    const auto end = static_cast<std::int64_t>(std::ceil(c + 0.5 + reach - math::kTieTolerance));
    for (std::int64_t j = window.first; j < end; ++j) {
        window.weight.push_back(math::voxel_gaussian(static_cast<double>(j) - c, sigma));
    }
    return window;
}

Window kernel_window(const KernelFunction& kernel, double c, double stretch) {
    const double reach = kernel.radius() * stretch;
    Window window;
    window.first = static_cast<std::int64_t>(std::ceil(c - reach));
    const auto last = static_cast<std::int64_t>(std::floor(c + reach));
    for (std::int64_t j = window.first; j <= last; ++j) {
        window.weight.push_back(kernel((static_cast<double>(j) - c) / stretch));
    }
    return window;
}

/// Whether weights are left as the kernel gives them: ITK's windowed sincs. Widened, they are divided by their sum.
bool is_unnormalised(const AxisFilter& filter, double stretch) {
    return is_windowed_sinc(filter.kernel) && filter.kernel >= Kernel::sinc_lanczos && !filter.shape.normalised &&
           stretch == 1.0;
}

/// The weights at position c, scaled to sum 1 unless is_unnormalised.
Window window_at(const AxisFilter& filter, const KernelFunction& kernel, double c, double stretch, bool centred) {
    if (filter.kernel == Kernel::nearest) {
        return {static_cast<std::int64_t>(std::floor(c + 0.5 + math::kTieTolerance)), {1.0}};
    }
    Window window = filter.kernel == Kernel::gaussian ? gaussian_window(filter.shape, c, stretch)
                                                      : kernel_window(kernel, c, stretch);
    if (stretch > 1.0 && centred) centre_on(c, window.first, window.weight);
    if (is_unnormalised(filter, stretch)) return window;
    const double sum = std::accumulate(window.weight.begin(), window.weight.end(), 0.0);
    for (double& w : window.weight) w /= sum;
    return window;
}

Row row_of(const Window& window, const AxisFilter& filter, double stretch, std::int64_t n) {
    return is_unnormalised(filter, stretch) ? folded(window.first, window.weight, n, filter.boundary)
                                            : folded_to_one(window.first, window.weight, n, filter.boundary);
}

/// Symmetric weights about each sample of an axis, half[0] at the sample.
Rows symmetric_rows(std::int64_t n, std::int64_t lo, std::int64_t hi, const std::vector<double>& half,
                    Boundary boundary) {
    std::vector<double> weight(half.rbegin(), half.rend());
    weight.insert(weight.end(), half.begin() + 1, half.end());
    const auto reach = static_cast<std::int64_t>(half.size()) - 1;
    Rows rows;
    for (std::int64_t j = lo; j < hi; ++j) rows.push_back(folded_to_one(j - reach, weight, n, boundary));
    return rows;
}

std::vector<double> sampled_gaussian(double sigma, std::int64_t reach) {
    std::vector<double> half;
    double sum = 0.0;
    for (std::int64_t d = 0; d <= reach; ++d) {
        const double x = static_cast<double>(d) / sigma;
        half.push_back(math::exp_minus(0.5 * x * x));
        sum += d == 0 ? half.back() : 2.0 * half.back();
    }
    for (double& w : half) w /= sum;
    return half;
}

double variance_of(const std::vector<double>& half) {
    double sum = 0.0;
    for (std::size_t d = 1; d < half.size(); ++d) sum += 2.0 * half[d] * static_cast<double>(d * d);
    return sum;
}

/// Below this variance (sigma 0.7 voxel) samples of a Gaussian are far from being one: what they lack of its spectrum
/// folds back.
constexpr double kNarrow = 0.49;

/// The seven taps that have all moments of a Gaussian up to the sixth: the means of the Lagrange polynomials on -3..3.
/// The outer ones are slightly negative, never below -0.0062.
std::vector<double> narrow_gaussian(double v) {
    const double v2 = v * v, v3 = v2 * v;
    return {1.0 - 49.0 / 36.0 * v + 7.0 / 6.0 * v2 - 5.0 / 12.0 * v3, (36.0 * v - 39.0 * v2 + 15.0 * v3) / 48.0,
            (-9.0 * v + 30.0 * v2 - 15.0 * v3) / 120.0, (4.0 * v - 15.0 * v2 + 15.0 * v3) / 720.0};
}

std::vector<double> exact_gaussian(double variance) {
    if (variance < kNarrow) return narrow_gaussian(variance);
    const auto reach = static_cast<std::int64_t>(std::ceil(5.0 * std::sqrt(variance) - math::kTieTolerance)) + 1;
    const auto gaussian = [reach](double s) { return sampled_gaussian(s, reach); };
    double lo = 0.1, hi = std::sqrt(variance) + 1.0;  // the variance grows with s
    for (int step = 0; step < 100; ++step) {
        const double middle = 0.5 * (lo + hi);
        (variance_of(gaussian(middle)) < variance ? lo : hi) = middle;
    }
    return gaussian(hi);
}

/// A row as integer multiples of the unit, summing to `whole`: floors, then one more unit for the largest remainders
/// (Hamilton's method). Ties go to the larger weight, then to the lower index.
std::vector<std::int64_t> apportioned(const std::vector<double>& weight, double whole) {
    const std::size_t n = weight.size();
    std::vector<std::int64_t> units(n);
    std::vector<double> remainder(n);
    std::int64_t missing = static_cast<std::int64_t>(whole);
    for (std::size_t t = 0; t < n; ++t) {
        const double exact = weight[t] * whole, low = std::floor(exact);
        units[t] = static_cast<std::int64_t>(low);
        remainder[t] = exact - low;
        missing -= units[t];
    }
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return remainder[a] != remainder[b] ? remainder[a] > remainder[b] : units[a] > units[b];
    });
    // The weights' own rounding can leave a few units more than there are taps, or take some back.
    for (std::size_t t = 0; missing > 0; t = (t + 1) % n, --missing) ++units[order[t]];
    for (std::size_t t = n; missing < 0; ++missing) --units[order[t = (t == 0 ? n : t) - 1]];
    return units;
}

/// The units of a row that is rounded weight by weight.
std::vector<std::int64_t> rounded_units(const std::vector<double>& weight, double whole) {
    std::vector<std::int64_t> units;
    for (double w : weight) units.push_back(static_cast<std::int64_t>(std::rint(w * whole)));
    return units;
}

std::vector<double> shares(const std::vector<std::int64_t>& units, double whole) {
    std::vector<double> weight;
    for (std::int64_t u : units) weight.push_back(static_cast<double>(u) / whole);
    return weight;
}

/// The type holds multiples of the unit below 2 only, so the unit grows where partial sums do: with coefficients of
/// splines.
double unit_scale(const std::vector<double>& weight) {
    double positive = 0.0, scale = 1.0;
    for (double w : weight) positive += std::max(w, 0.0);
    while (positive > 2.0 * scale) scale *= 2.0;
    return scale;
}

/// Rows of rounded weights, trimmed.
TapTable table_of(const Rows& rows, std::int64_t n_in, Boundary boundary) {
    TapTable table;
    table.n_in = n_in;
    table.n_out = static_cast<std::int64_t>(rows.size());
    std::vector<std::vector<double>> kept;
    for (const Row& row : rows) {
        std::vector<double> weight = row.weight;
        // Taps that round to nothing at the ends go: 0 x NaN is NaN.
        while (!weight.empty() && weight.back() == 0.0) weight.pop_back();
        const auto begin = std::find_if(weight.begin(), weight.end(), [](double w) { return w != 0.0; });
        const std::int64_t first = weight.empty() ? 0 : row.first + (begin - weight.begin());
        weight.erase(weight.begin(), begin);
        const auto count = static_cast<std::int64_t>(weight.size());
        table.first.push_back(first);
        table.count.push_back(static_cast<std::int32_t>(count));
        table.stride = std::max(table.stride, count);
        table.wraps = table.wraps || (boundary == Boundary::wrap && (first < 0 || first + count > n_in));
        kept.push_back(std::move(weight));
    }
    table.weight.assign(static_cast<std::size_t>(table.n_out * table.stride), 0.0);
    for (std::size_t o = 0; o < kept.size(); ++o) {
        std::copy(kept[o].begin(), kept[o].end(), table.weight.begin() + static_cast<std::int64_t>(o) * table.stride);
    }
    return table;
}

}  // namespace

double AxisGeometry::position(std::int64_t o) const {
    const double c = std::fma(step, static_cast<double>(o), offset), nearest = std::floor(c + 0.5);
    return std::fabs(c - nearest) < math::kIntegerSnap ? nearest : c;
}

Rows kernel_rows(const AxisGeometry& axis, const AxisFilter& filter, double stretch, bool centred) {
    const KernelFunction function(filter.kernel, filter.shape, filter.compute);
    Rows rows(static_cast<std::size_t>(axis.n_out));
    for (std::int64_t o = axis.lo; o < axis.hi; ++o) {
        const Window window = window_at(filter, function, axis.position(o), stretch, centred);
        rows[static_cast<std::size_t>(o)] = row_of(window, filter, stretch, axis.n_in);
    }
    return rows;
}

Rows area_rows(const AxisGeometry& axis, Boundary boundary, double width) {
    Rows rows(static_cast<std::size_t>(axis.n_out));
    for (std::int64_t o = axis.lo; o < axis.hi; ++o) {
        const double c = axis.position(o), begin = c - 0.5 * width, end = c + 0.5 * width;
        const auto first = static_cast<std::int64_t>(std::floor(begin + 0.5));
        const auto last = std::max(first, static_cast<std::int64_t>(std::ceil(end - 0.5)));
        std::vector<double> weight;
        for (std::int64_t j = first; j <= last; ++j) {
            const double x = static_cast<double>(j);
            weight.push_back(std::max(0.0, std::min(x + 0.5, end) - std::max(x - 0.5, begin)));
        }
        rows[static_cast<std::size_t>(o)] = folded_to_one(first, weight, axis.n_in, boundary);
    }
    return rows;
}

Rows supersample_rows(const AxisGeometry& axis, const AxisFilter& filter, double width) {
    const KernelFunction function(filter.kernel, filter.shape, filter.compute);
    const int parts = static_cast<int>(std::ceil(width - 1e-6));
    Rows rows(static_cast<std::size_t>(axis.n_out));
    for (std::int64_t o = axis.lo; o < axis.hi; ++o) {
        std::vector<Window> samples;
        std::int64_t lo = INT64_MAX, hi = INT64_MIN;
        for (int s = 0; s < parts; ++s) {
            const double offset = ((s + 0.5) / parts - 0.5) * width;
            samples.push_back(window_at(filter, function, axis.position(o) + offset, 1.0, false));
            lo = std::min(lo, samples.back().first);
            hi = std::max(hi, samples.back().first + static_cast<std::int64_t>(samples.back().weight.size()));
        }
        Window mean{lo, std::vector<double>(static_cast<std::size_t>(hi - lo), 0.0)};
        for (const Window& sample : samples) {
            for (std::size_t t = 0; t < sample.weight.size(); ++t) {
                mean.weight[static_cast<std::size_t>(sample.first - lo) + t] += sample.weight[t] / parts;
            }
        }
        rows[static_cast<std::size_t>(o)] = row_of(mean, filter, 1.0, axis.n_in);
    }
    return rows;
}

Rows sampled_gaussian_rows(std::int64_t n, Boundary boundary, double sigma) {
    const auto reach = static_cast<std::int64_t>(std::floor(4.0 * sigma + 0.5 + math::kTieTolerance));
    return symmetric_rows(n, 0, n, sampled_gaussian(sigma, reach), boundary);
}

Rows exact_gaussian_rows(std::int64_t n, Boundary boundary, double variance) {
    return symmetric_rows(n, 0, n, exact_gaussian(variance), boundary);
}

Rows coefficient_rows(std::int64_t n, std::int64_t lo, std::int64_t hi, int degree, Boundary boundary,
                      ComputeType compute) {
    const std::vector<double> half = cardinal_coefficients(degree, compute);
    if (boundary != Boundary::renormalise) return symmetric_rows(n, lo, hi, half, boundary);
    // What lies outside counts nothing here; the gather divides by the sum over what lies inside.
    std::vector<double> weight(half.rbegin(), half.rend());
    weight.insert(weight.end(), half.begin() + 1, half.end());
    const auto reach = static_cast<std::int64_t>(half.size()) - 1;
    Rows rows;
    for (std::int64_t j = lo; j < hi; ++j) rows.push_back(folded(j - reach, weight, n, boundary));
    return rows;
}

Rows extension_rows(std::int64_t n, std::int64_t lo, std::int64_t hi, Boundary boundary) {
    Rows rows;
    for (std::int64_t j = lo; j < hi; ++j) rows.push_back(folded(j, {1.0}, n, boundary));
    return rows;
}

Rows compose(const Rows& outer, const Rows& inner, std::int64_t n, Boundary boundary) {
    const auto size = static_cast<std::int64_t>(inner.size());
    Rows rows(outer.size());
    for (std::size_t o = 0; o < outer.size(); ++o) {
        Row& row = rows[o];
        row.outside = outer[o].outside;
        const std::int64_t begin = outer[o].first, end = begin + static_cast<std::int64_t>(outer[o].weight.size());
        // An outer index beyond a periodic axis reads the inner row one period away.
        const auto inner_of = [&](std::int64_t j) -> const Row& {
            return inner[static_cast<std::size_t>(boundary == Boundary::wrap ? wrapped_index(j, size) : j)];
        };
        const auto first_of = [&](std::int64_t j) {
            return inner_of(j).first + (boundary == Boundary::wrap ? j - wrapped_index(j, size) : 0);
        };
        std::int64_t lo = INT64_MAX, hi = INT64_MIN;
        for (std::int64_t j = begin; j < end; ++j) {
            if (inner_of(j).weight.empty()) continue;
            lo = std::min(lo, first_of(j));
            hi = std::max(hi, first_of(j) + static_cast<std::int64_t>(inner_of(j).weight.size()));
        }
        std::vector<double> weight(hi > lo ? static_cast<std::size_t>(hi - lo) : 0, 0.0);
        for (std::int64_t j = begin; j < end; ++j) {
            const double w = outer[o].weight[static_cast<std::size_t>(j - begin)];
            const Row& in = inner_of(j);
            row.outside += w * in.outside;
            for (std::size_t t = 0; t < in.weight.size(); ++t) {
                weight[static_cast<std::size_t>(first_of(j) - lo) + t] += w * in.weight[t];
            }
        }
        if (weight.empty()) continue;
        const double outside = row.outside;
        row = boundary == Boundary::wrap ? wrapped(lo, weight, n) : Row{lo, std::move(weight), 0.0};
        row.outside = outside;
    }
    return rows;
}

TapTable make_table(const Rows& rows, std::int64_t n_in, ComputeType compute, Boundary boundary, double boundary_value,
                    bool unit_sum) {
    Rows rounded(rows.size());
    std::vector<double> bias(rows.size(), 0.0);
    bool biased = false;
    for (std::size_t o = 0; o < rows.size(); ++o) {
        if (rows[o].empty()) continue;
        if (!std::isfinite(sum_of(rows[o]))) {
            throw Error(ErrorCode::usage, "the weights of this kernel and low-pass have no finite sum; choose others");
        }
        std::vector<double> weight = rows[o].weight;
        const bool shared = rows[o].outside != 0.0;
        if (shared) weight.push_back(rows[o].outside);
        const double whole = (compute == ComputeType::f32 ? 0x1p23 : 0x1p52) / unit_scale(weight);
        weight = shares(unit_sum ? apportioned(weight, whole) : rounded_units(weight, whole), whole);
        if (shared) {
            bias[o] = weight.back();
            biased = biased || bias[o] != 0.0;
            weight.pop_back();
        }
        rounded[o] = {rows[o].first, std::move(weight), 0.0};
    }
    TapTable table = table_of(rounded, n_in, boundary);
    if (biased) {
        table.bias = std::move(bias);
        table.outside_value = boundary_value;
    }
    return table;
}

TapTable make_label_table(const Rows& rows, std::int64_t n_in, Boundary boundary) {
    Rows rounded;
    for (const Row& row : rows) rounded.push_back({row.first, shares(rounded_units(row.weight, 0x1p20), 0x1p20), 0.0});
    return table_of(rounded, n_in, boundary);
}

TapTable sliced(const TapTable& table, std::int64_t lo, std::int64_t hi) {
    const auto rows = [&](const auto& all, std::int64_t width) {
        return std::decay_t<decltype(all)>(all.begin() + lo * width, all.begin() + hi * width);
    };
    TapTable slice = table;
    slice.n_out = hi - lo;
    slice.first = rows(table.first, 1);
    slice.count = rows(table.count, 1);
    slice.weight = rows(table.weight, table.stride);
    if (!table.bias.empty()) slice.bias = rows(table.bias, 1);
    return slice;
}

TapTable identity_table(std::int64_t n, std::int64_t lo, std::int64_t hi) {
    TapTable table;
    table.n_in = n;
    table.n_out = hi - lo;
    table.stride = 1;
    for (std::int64_t o = lo; o < hi; ++o) table.first.push_back(o);
    table.count.assign(table.first.size(), 1);
    table.weight.assign(table.first.size(), 1.0);
    return table;
}

bool TapTable::is_copy() const {
    if (wraps || !bias.empty()) return false;
    for (std::size_t o = 0; o < count.size(); ++o) {
        if (count[o] > 1 || (count[o] == 1 && weight[o * static_cast<std::size_t>(stride)] != 1.0)) return false;
    }
    return true;
}

bool TapTable::is_identity() const {
    if (n_in != n_out || !is_copy()) return false;
    for (std::int64_t o = 0; o < n_out; ++o) {
        const auto i = static_cast<std::size_t>(o);
        if (count[i] != 1 || first[i] != o) return false;
    }
    return true;
}

}  // namespace revoxel
