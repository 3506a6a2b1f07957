// What the tests of the oracle share: lines of samples, read one voxel at a time.
#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "oracle/oracle.hpp"

namespace revoxel::oracle {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr Kernel kSmooth[] = {
    Kernel::linear,       Kernel::cubic,        Kernel::lanczos2,    Kernel::lanczos3,   Kernel::lanczos4,
    Kernel::sinc_lanczos, Kernel::sinc_hamming, Kernel::sinc_cosine, Kernel::sinc_welch, Kernel::sinc_blackman,
    Kernel::bspline2,     Kernel::bspline3,     Kernel::bspline4,    Kernel::bspline5,   Kernel::gaussian};
inline constexpr Boundary kBoundaries[] = {Boundary::edge, Boundary::mirror,   Boundary::reflect,
                                           Boundary::wrap, Boundary::constant, Boundary::renormalise};
inline constexpr Antialias kAntialiases[] = {Antialias::none,     Antialias::stretch,  Antialias::pillow,
                                             Antialias::gaussian, Antialias::aperture, Antialias::area,
                                             Antialias::skimage,  Antialias::mirp,     Antialias::supersample};

inline Grid line_grid(std::int64_t n, double step, double start) {
    Grid grid{{n, 1, 1}, {}};
    grid.affine(0, 0) = step;
    grid.affine(0, 3) = start;
    return grid;
}

inline PlanOptions options_of(Kernel kernel, Antialias antialias = Antialias::none,
                              Boundary boundary = Boundary::edge) {
    PlanOptions options;
    options.kernel = kernel;
    options.antialias = antialias;
    options.boundary = boundary;
    return options;
}

/// The oracle of one voxel at c, in steps of k, on a line of samples.
inline Oracle on_line(const std::vector<double>& samples, const PlanOptions& options, double c, double k = 1.0) {
    return Oracle(line_grid(static_cast<std::int64_t>(samples.size()), 1, 0), line_grid(1, k, c), options, samples);
}

inline double value_on_line(const std::vector<double>& samples, const PlanOptions& options, double c, double k = 1.0) {
    return on_line(samples, options, c, k).value({0, 0, 0});
}

inline std::vector<double> sampled(std::int64_t n, const std::function<double(double)>& f) {
    std::vector<double> v;
    for (std::int64_t i = 0; i < n; ++i) v.push_back(f(static_cast<double>(i)));
    return v;
}

/// The weight of each of n samples at c, from their responses one by one.
inline std::vector<double> weights_on_line(std::int64_t n, const PlanOptions& options, double c, double k) {
    std::vector<double> weights;
    for (std::int64_t i = 0; i < n; ++i) {
        std::vector<double> delta(static_cast<std::size_t>(n), 0.0);
        delta[static_cast<std::size_t>(i)] = 1.0;
        weights.push_back(value_on_line(delta, options, c, k));
    }
    return weights;
}

/// The weights of a blur of sigma 0.1 voxel at distances 0 to 3, by hand: the moments of a Gaussian of variance 0.01.
inline constexpr double kSlightBlur[4] = {1 - 0.49 / 36 + 0.0007 / 6 - 0.000005 / 12, (0.36 - 0.0039 + 0.000015) / 48,
                                          (-0.09 + 0.003 - 0.000015) / 120, (0.04 - 0.0015 + 0.000015) / 720};

inline double variance_about(const std::vector<double>& weights, double c) {
    double sum = 0.0;
    for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * std::pow(static_cast<double>(i) - c, 2);
    return sum;
}

inline const std::vector<double> kSamples{3, -1, 4, 1, -5, 9, 2};

}  // namespace revoxel::oracle
