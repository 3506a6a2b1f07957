#include "oracle/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace revoxel::oracle {
namespace {

double norm(double x, double y, double z) {
    return std::sqrt(x * x + y * y + z * z);
}

Vec3 difference(const Vec3& a, const Vec3& b) {
    return {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
}

double square(double x) {
    return x * x;
}

// The nearest value of 11 binary digits, of steps no finer than 2^-24; ties to even.
double half_value(double v) {
    if (v == 0.0 || !std::isfinite(v)) return v;
    const double step = std::ldexp(1.0, std::max(std::ilogb(v) - 10, -24));
    const double nearest = std::nearbyint(v / step) * step;
    return std::abs(nearest) > 65504.0 ? std::copysign(std::numeric_limits<double>::infinity(), v) : nearest;
}

}  // namespace

// By Cramer's rule; the plan uses a matrix inverse elsewhere.
Vec3 index_of_world(const Grid& grid, const Vec3& world) {
    const auto& m = grid.affine.m;
    const Vec3 d{world[0] - m[0][3], world[1] - m[1][3], world[2] - m[2][3]};
    std::array<Vec3, 3> column;
    for (int c = 0; c < 3; ++c) column[c] = {m[0][c], m[1][c], m[2][c]};
    const auto triple = [](const Vec3& a, const Vec3& b, const Vec3& c) {
        return a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) +
               a[2] * (b[0] * c[1] - b[1] * c[0]);
    };
    const double volume = triple(column[0], column[1], column[2]);
    return {triple(d, column[1], column[2]) / volume, triple(column[0], d, column[2]) / volume,
            triple(column[0], column[1], d) / volume};
}

Vec3 world_of_index(const Grid& grid, const Vec3& index) {
    const auto& m = grid.affine.m;
    Vec3 world;
    for (int r = 0; r < 3; ++r) world[r] = m[r][0] * index[0] + m[r][1] * index[1] + m[r][2] * index[2] + m[r][3];
    return world;
}

Oracle::Oracle(const Grid& input, const Grid& output, const PlanOptions& options, std::vector<double> samples)
    : input_(input), output_(output), options_(options), samples_(std::move(samples)) {
    find_route();
    if (options_.labels) return;

    filtered_ = samples_;
    if (options_.nan_aware) {
        for (double& v : filtered_) {
            share_.push_back(std::isfinite(v) ? 1.0 : 0.0);
            if (!std::isfinite(v)) v = 0.0;
        }
    }
    for (int axis = 0; axis < 3; ++axis) {
        for (const Taps& filter : grid_filters(axis)) {
            std::vector<Row> rows;
            for (std::int64_t i = 0; i < input_.extent[axis]; ++i) rows.push_back(make_row(axis, moved(filter, i)));
            run_on_grid(axis, rows, filtered_, options_.boundary_value);
            if (options_.nan_aware) run_on_grid(axis, rows, share_, 1.0);
            on_grid_[axis].push_back(std::move(rows));
        }
    }
}

void Oracle::find_route() {
    // The columns of the index-space affine, from images of points: position(e_a) - position(0).
    const Vec3 origin = unsnapped_position({0, 0, 0});
    std::array<Vec3, 3> column;
    for (int a = 0; a < 3; ++a) {
        Extent o{0, 0, 0};
        o[a] = 1;
        column[a] = difference(unsnapped_position(o), origin);
    }
    // Separable: input axis i is walked along output axis p[i], and over the whole output grid no other output axis
    // moves it by more than 1e-4 voxel. Grids of one voxel along an axis leave a choice: the largest term of the
    // determinant.
    separable_ = false;
    double largest = -1.0;
    std::array<int, 3> p{0, 1, 2};
    do {
        double term = 1.0;
        bool apart = true;
        for (int i = 0; i < 3; ++i) {
            double beside = 0.0;
            for (int a = 0; a < 3; ++a)
                if (a != p[i]) beside += std::abs(column[a][i]) * static_cast<double>(output_.extent[a] - 1);
            apart = apart && beside <= 1e-4;
            term *= std::abs(column[p[i]][i]);
        }
        if (!apart || term <= largest) continue;
        separable_ = true;
        largest = term;
        output_axis_ = p;
    } while (std::next_permutation(p.begin(), p.end()));
    for (int i = 0; i < 3; ++i) {
        step_[i] = separable_ ? std::abs(column[output_axis_[i]][i]) : norm(column[0][i], column[1][i], column[2][i]);
        // A step within 1e-9 of 1 is rounding of the affines, not down-sampling.
        if (step_[i] > 1.0 + kSame)
            low_pass_[i] = std::sqrt(std::max(1.0, 1.0 + (square(step_[i]) - square(options_.aperture[i]))));
    }
}

Vec3 Oracle::unsnapped_position(const Extent& o) const {
    const Vec3 index{static_cast<double>(o[0]), static_cast<double>(o[1]), static_cast<double>(o[2])};
    return index_of_world(input_, world_of_index(output_, index));
}

Vec3 Oracle::position(const Extent& o) const {
    Vec3 c = unsnapped_position(o);
    for (double& x : c)
        if (std::abs(x - std::round(x)) < kSame) x = std::round(x);
    return c;
}

bool Oracle::inside(const Extent& o) const {
    if (options_.outside == Outside::extend) return true;
    const Vec3 c = position(o);
    for (int a = 0; a < 3; ++a) {
        const double n = static_cast<double>(input_.extent[a]);
        if (!(c[a] + kTie >= -0.5 && c[a] + kTie < n - 0.5)) return false;
    }
    return true;
}

// What is done about aliasing on an axis; none where there is nothing to do.
Antialias Oracle::antialias(int axis) const {
    const Kernel kernel = options_.kernel[axis];
    if (low_pass_[axis] <= 1.0 || kernel == Kernel::area) return Antialias::none;
    if (options_.antialias[axis] != Antialias::automatic) return options_.antialias[axis];
    if (kernel == Kernel::nearest) return Antialias::none;
    return options_.labels ? Antialias::pillow : Antialias::stretch;
}

// What runs on the input grid ahead of the interpolation: the weights around index 0.
std::vector<Taps> Oracle::grid_filters(int axis) const {
    std::vector<Taps> filters;
    if (options_.blur[axis] > 0.0) filters.push_back(exact_gaussian(square(options_.blur[axis])));
    const double k = low_pass_[axis];
    const Kernel kernel = options_.kernel[axis];
    switch (antialias(axis)) {
        case Antialias::gaussian:
            filters.push_back(sampled_gaussian(std::sqrt((square(k) - 1) / (8 * std::log(2.0)))));
            break;
        case Antialias::aperture: filters.push_back(exact_gaussian((square(k) - 1) / 12)); break;
        case Antialias::skimage: filters.push_back(sampled_gaussian((k - 1) / 2)); break;
        case Antialias::mirp: filters.push_back(sampled_gaussian(0.402 * k)); break;
        case Antialias::stretch:
        case Antialias::pillow:
            if (!separable_)
                filters.push_back(widened_taps(kernel, options_.shape, 0.0, k, antialias(axis) == Antialias::stretch));
            break;
        case Antialias::area:
            if (!separable_) filters.push_back(area_taps(0.0, k));
            break;
        case Antialias::supersample:
            if (!separable_) filters.push_back(supersampled_taps(kernel, options_.shape, 0.0, k));
            break;
        default: break;
    }
    return filters;
}

void Oracle::run_on_grid(int axis, const std::vector<Row>& rows, std::vector<double>& field, double outside) const {
    std::int64_t stride = 1;
    for (int a = 0; a < axis; ++a) stride *= input_.extent[a];
    const std::vector<double> before = field;
    for (std::int64_t v = 0; v < static_cast<std::int64_t>(field.size()); ++v) {
        const std::int64_t i = (v / stride) % input_.extent[axis];
        const Row& row = rows[static_cast<std::size_t>(i)];
        double sum = row.outside != 0.0 ? row.outside * outside : 0.0;
        for (std::size_t t = 0; t < row.weight.size(); ++t)
            if (row.weight[t] != 0.0)
                sum += row.weight[t] *
                       before[static_cast<std::size_t>(v + (row.first + static_cast<std::int64_t>(t) - i) * stride)];
        field[static_cast<std::size_t>(v)] = sum;
    }
}

// The weights of the last step, around position c.
Taps Oracle::taps_at(int axis, double c) const {
    const Kernel kernel = options_.kernel[axis];
    const KernelShape& shape = options_.shape;
    const double k = low_pass_[axis];
    if (kernel == Kernel::area) return area_taps(c, step_[axis]);
    if (separable_) {
        switch (antialias(axis)) {
            case Antialias::stretch: return widened_taps(kernel, shape, c, k, true);
            case Antialias::pillow: return widened_taps(kernel, shape, c, k, false);
            case Antialias::area: return area_taps(c, k);
            case Antialias::supersample: return supersampled_taps(kernel, shape, c, k);
            default: break;
        }
    }
    return kernel_taps(kernel, shape, c);
}

Row Oracle::make_row(int axis, const Taps& taps) const {
    Row row = folded(taps, options_.boundary, input_.extent[axis]);
    return options_.boundary == Boundary::renormalise ? renormalised(std::move(row)) : row;
}

Oracle::Rows Oracle::rows_at(const Extent& o) const {
    const Vec3 c = position(o);
    Rows rows;
    for (int axis = 0; axis < 3; ++axis) {
        auto found = rows_[axis].find(c[axis]);
        if (found == rows_[axis].end())
            found = rows_[axis].emplace(c[axis], make_row(axis, taps_at(axis, c[axis]))).first;
        rows[axis] = &found->second;
    }
    return rows;
}

// `outside` is the value wherever an index is outside on any axis.
double Oracle::weighted(const Rows& rows, const std::vector<double>& field, double outside) const {
    const Row &x = *rows[0], &y = *rows[1], &z = *rows[2];
    // Sums of sums: one long sum over all voxels would lose ten times as many bits.
    double volume = 0.0;
    for (std::size_t k = 0; k < z.weight.size(); ++k) {
        double plane = 0.0;
        for (std::size_t j = 0; j < y.weight.size(); ++j) {
            const std::int64_t at =
                ((z.first + static_cast<std::int64_t>(k)) * input_.extent[1] + y.first + static_cast<std::int64_t>(j)) *
                    input_.extent[0] +
                x.first;
            double line = 0.0;
            for (std::size_t i = 0; i < x.weight.size(); ++i)
                if (x.weight[i] != 0.0) line += x.weight[i] * field[static_cast<std::size_t>(at) + i];
            if (y.weight[j] != 0.0) plane += y.weight[j] * line;
        }
        if (z.weight[k] != 0.0) volume += z.weight[k] * plane;
    }
    if (x.outside == 0.0 && y.outside == 0.0 && z.outside == 0.0) return volume;
    double all = 1.0, within = 1.0;
    for (const Row* row : rows) {
        all *= row->inside() + row->outside;
        within *= row->inside();
    }
    return volume + (all - within) * outside;
}

double Oracle::finite_share(const Extent& o) const {
    return weighted(rows_at(o), share_, 1.0);
}

double Oracle::value(const Extent& o) const {
    double v = weighted(rows_at(o), filtered_, options_.boundary_value);
    if (options_.nan_aware) {
        const double share = finite_share(o);
        v = share >= kLeastShare ? v / share : std::numeric_limits<double>::quiet_NaN();
    }
    return clipped(o, v);
}

double Oracle::clipped(const Extent& o, double v) const {
    if (options_.clip == Clip::none) return v;
    double low = std::numeric_limits<double>::infinity(), high = -low;
    const auto widen = [&](double sample) {
        low = std::min(low, sample);
        high = std::max(high, sample);
    };
    if (options_.clip == Clip::global) {
        for (double sample : samples_)
            if (std::isfinite(sample)) widen(sample);
    } else {
        const Vec3 c = position(o);
        const auto near = [&](int axis, std::int64_t j) {
            return std::abs(static_cast<double>(j) - c[axis]) < std::max(1.0, step_[axis]) - kSame;
        };
        const Extent& n = input_.extent;
        for (std::int64_t k = 0; k < n[2]; ++k) {
            if (!near(2, k)) continue;
            for (std::int64_t j = 0; j < n[1]; ++j) {
                if (!near(1, j)) continue;
                for (std::int64_t i = 0; i < n[0]; ++i) {
                    const double sample = samples_[static_cast<std::size_t>((k * n[1] + j) * n[0] + i)];
                    const bool there = options_.nan_aware ? std::isfinite(sample) : !std::isnan(sample);
                    if (near(0, i) && there) widen(sample);
                }
            }
        }
    }
    // No clamp on NaN, whose comparisons are all false, nor where there is no sample.
    return low > high ? v : v < low ? low : v > high ? high : v;
}

double Oracle::stored(const Extent& o) const {
    if (!inside(o)) return stored_value(options_.output_dtype, options_.fill, options_.rounding);
    const double v = options_.labels ? label(o) : value(o);
    return stored_scaled(options_, options_.output_slope * v + options_.output_intercept);
}

double stored_value(DType dtype, double v, Rounding rounding) {
    if (dtype == DType::float64) return v;
    if (dtype == DType::float32) return static_cast<double>(static_cast<float>(v));
    if (dtype == DType::float16) return half_value(v);
    if (std::isnan(v)) return 0.0;
    // nearbyint rounds to nearest even in the default environment.
    const double whole = rounding == Rounding::even   ? std::nearbyint(v)
                         : rounding == Rounding::away ? std::round(v)
                                                      : std::trunc(v);
    return std::clamp(whole, lowest_value(dtype), highest_value(dtype));
}

double stored_scaled(const PlanOptions& options, double v) {
    if (options.threshold) return std::rint(v * 1e6) / 1e6 >= *options.threshold ? 1.0 : 0.0;
    return stored_value(options.output_dtype, v, options.rounding);
}

}  // namespace revoxel::oracle
