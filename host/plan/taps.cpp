#include "plan/taps.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "math/kernels.hpp"

namespace revoxel {
namespace {

/// Weights at indices that may lie outside [0, n), folded on to the edge voxels and scaled to sum 1.
Row folded(std::int64_t first, const std::vector<double>& weight, std::int64_t n) {
    const auto clamp = [n](std::int64_t j) { return std::clamp<std::int64_t>(j, 0, n - 1); };
    const std::int64_t last = first + static_cast<std::int64_t>(weight.size()) - 1;
    Row row{clamp(first), std::vector<double>(static_cast<std::size_t>(clamp(last) - clamp(first) + 1), 0.0)};
    for (std::size_t t = 0; t < weight.size(); ++t) {
        row.weight[static_cast<std::size_t>(clamp(first + static_cast<std::int64_t>(t)) - row.first)] += weight[t];
    }
    const double sum = std::accumulate(row.weight.begin(), row.weight.end(), 0.0);
    for (double& w : row.weight) w /= sum;
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
    const double b = -moment * size0 / (size0 * size2 - size1 * size1), a = -b * size1 / size0;
    for (std::size_t t = 0; t < weight.size(); ++t) weight[t] += std::fabs(weight[t]) * (a + b * distance(t));
}

double snapped(double c) {
    const double nearest = std::floor(c + 0.5);
    return std::fabs(c - nearest) < math::kIntegerSnap ? nearest : c;
}

Row kernel_row(const KernelFunction& kernel, double c, double stretch, std::int64_t n) {
    const double reach = kernel.radius() * stretch;
    const auto first = static_cast<std::int64_t>(std::ceil(c - reach));
    const auto last = static_cast<std::int64_t>(std::floor(c + reach));
    std::vector<double> weight;
    weight.reserve(static_cast<std::size_t>(last - first + 1));
    for (std::int64_t j = first; j <= last; ++j) weight.push_back(kernel((static_cast<double>(j) - c) / stretch));
    if (stretch > 1.0) centre_on(c, first, weight);
    return folded(first, weight, n);
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

}  // namespace

std::vector<Row> resample_rows(const AxisGeometry& axis, Kernel kernel, double stretch, ComputeType compute) {
    const KernelFunction function(kernel, compute);
    std::vector<Row> rows(static_cast<std::size_t>(axis.n_out));
    for (std::int64_t o = axis.lo; o < axis.hi; ++o) {
        const double c = snapped(std::fma(axis.step, static_cast<double>(o), axis.offset));
        Row& row = rows[static_cast<std::size_t>(o)];
        if (kernel == Kernel::nearest) {
            const auto j = static_cast<std::int64_t>(std::floor(c + 0.5 + math::kTieTolerance));
            row = {std::clamp<std::int64_t>(j, 0, axis.n_in - 1), {1.0}};
        } else {
            row = kernel_row(function, c, stretch, axis.n_in);
        }
    }
    return rows;
}

std::vector<Row> coefficient_rows(std::int64_t n, std::int64_t pad, int degree, ComputeType compute) {
    const std::vector<double> half = cardinal_coefficients(degree, compute);
    std::vector<double> weight(half.rbegin(), half.rend());
    weight.insert(weight.end(), half.begin() + 1, half.end());
    const auto reach = static_cast<std::int64_t>(half.size()) - 1;
    std::vector<Row> rows;
    for (std::int64_t j = -pad; j < n + pad; ++j) rows.push_back(folded(j - reach, weight, n));
    return rows;
}

std::vector<Row> compose(const std::vector<Row>& outer, const std::vector<Row>& inner) {
    std::vector<Row> rows(outer.size());
    for (std::size_t o = 0; o < outer.size(); ++o) {
        if (outer[o].weight.empty()) continue;
        const auto begin = static_cast<std::size_t>(outer[o].first), end = begin + outer[o].weight.size();
        std::int64_t lo = INT64_MAX, hi = 0;
        for (std::size_t j = begin; j < end; ++j) {
            lo = std::min(lo, inner[j].first);
            hi = std::max(hi, inner[j].first + static_cast<std::int64_t>(inner[j].weight.size()));
        }
        rows[o] = {lo, std::vector<double>(static_cast<std::size_t>(hi - lo), 0.0)};
        for (std::size_t j = begin; j < end; ++j) {
            const double w = outer[o].weight[j - begin];
            const auto shift = static_cast<std::size_t>(inner[j].first - lo);
            for (std::size_t t = 0; t < inner[j].weight.size(); ++t)
                rows[o].weight[shift + t] += w * inner[j].weight[t];
        }
    }
    return rows;
}

TapTable make_table(const std::vector<Row>& rows, std::int64_t n_in, ComputeType compute) {
    const double whole = compute == ComputeType::f32 ? 0x1p23 : 0x1p52;
    TapTable table;
    table.n_in = n_in;
    table.n_out = static_cast<std::int64_t>(rows.size());
    std::vector<std::vector<std::int64_t>> kept(rows.size());
    for (std::size_t o = 0; o < rows.size(); ++o) {
        std::int64_t first = rows[o].first;
        if (!rows[o].weight.empty()) {
            std::vector<std::int64_t>& units = kept[o] = apportioned(rows[o].weight, whole);
            // Taps that round to nothing at the ends go: 0 x NaN is NaN.
            while (units.back() == 0) units.pop_back();
            const auto begin = std::find_if(units.begin(), units.end(), [](std::int64_t u) { return u != 0; });
            first += begin - units.begin();
            units.erase(units.begin(), begin);
        }
        table.first.push_back(first);
        table.count.push_back(static_cast<std::int32_t>(kept[o].size()));
        table.stride = std::max(table.stride, static_cast<std::int64_t>(kept[o].size()));
    }
    table.weight.assign(static_cast<std::size_t>(table.n_out * table.stride), 0.0);
    for (std::size_t o = 0; o < rows.size(); ++o) {
        for (std::size_t t = 0; t < kept[o].size(); ++t) {
            table.weight[o * static_cast<std::size_t>(table.stride) + t] = static_cast<double>(kept[o][t]) / whole;
        }
    }
    return table;
}

bool TapTable::is_copy() const {
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
