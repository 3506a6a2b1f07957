#include "plan/kernels.hpp"

#include <cmath>

#include "geometry/names.hpp"
#include "math/kernels.hpp"

namespace revoxel {
namespace {

constexpr std::pair<Kernel, const char*> kKernelNames[] = {
    {Kernel::nearest, "nearest"},
    {Kernel::linear, "linear"},
    {Kernel::cubic, "cubic"},
    {Kernel::area, "area"},
    {Kernel::gaussian, "gaussian"},
    {Kernel::lanczos2, "lanczos2"},
    {Kernel::lanczos3, "lanczos3"},
    {Kernel::lanczos4, "lanczos4"},
    {Kernel::sinc_lanczos, "sinc-lanczos"},
    {Kernel::sinc_hamming, "sinc-hamming"},
    {Kernel::sinc_cosine, "sinc-cosine"},
    {Kernel::sinc_welch, "sinc-welch"},
    {Kernel::sinc_blackman, "sinc-blackman"},
    {Kernel::bspline2, "bspline2"},
    {Kernel::bspline3, "bspline3"},
    {Kernel::bspline4, "bspline4"},
    {Kernel::bspline5, "bspline5"},
    {Kernel::bspline2, "quadratic"},
};

constexpr std::pair<Boundary, const char*> kBoundaryNames[] = {
    {Boundary::edge, "edge"}, {Boundary::mirror, "mirror"},     {Boundary::reflect, "reflect"},
    {Boundary::wrap, "wrap"}, {Boundary::constant, "constant"}, {Boundary::renormalise, "renormalise"},
};

constexpr std::pair<Outside, const char*> kOutsideNames[] = {{Outside::fill, "fill"}, {Outside::extend, "extend"}};

constexpr std::pair<Antialias, const char*> kAntialiasNames[] = {
    {Antialias::automatic, "auto"},    {Antialias::none, "none"},
    {Antialias::stretch, "stretch"},   {Antialias::pillow, "pillow"},
    {Antialias::gaussian, "gaussian"}, {Antialias::aperture, "aperture"},
    {Antialias::area, "area"},         {Antialias::skimage, "skimage"},
    {Antialias::mirp, "mirp"},         {Antialias::supersample, "supersample"},
};

constexpr std::pair<Clip, const char*> kClipNames[] = {
    {Clip::none, "none"}, {Clip::local, "local"}, {Clip::global, "global"}};

constexpr std::pair<Rounding, const char*> kRoundingNames[] = {
    {Rounding::even, "even"}, {Rounding::away, "away"}, {Rounding::truncate, "truncate"}};

constexpr std::pair<ComputeType, const char*> kComputeNames[] = {{ComputeType::f32, "f32"}, {ComputeType::f64, "f64"}};

math::Window window_of(Kernel kernel) {
    switch (kernel) {
        case Kernel::sinc_hamming: return math::Window::hamming;
        case Kernel::sinc_cosine: return math::Window::cosine;
        case Kernel::sinc_welch: return math::Window::welch;
        case Kernel::sinc_blackman: return math::Window::blackman;
        default: return math::Window::lanczos;
    }
}

int sinc_radius(Kernel kernel, const KernelShape& shape) {
    switch (kernel) {
        case Kernel::lanczos2: return 2;
        case Kernel::lanczos3: return 3;
        case Kernel::lanczos4: return 4;
        default: return shape.radius;
    }
}

/// The root of z + 1/z = y, y < -2, that lies inside the unit circle. Nothing cancels: Unser's closed forms for degrees
/// 4 and 5 (1999, table 1) lose five bits, 8e-15 on a pole.
double inner_root(double y) {
    return -2.0 / (std::sqrt(y * y - 4.0) - y);
}

/// The poles inside the unit circle, largest modulus first. The sampled B-spline is palindromic, so it is a polynomial
/// in y = z + 1/z: y + 6, y + 4, y^2 + 76 y + 228, y^2 + 26 y + 64. Square roots only: correctly rounded on every
/// machine.
std::vector<double> poles(int degree) {
    switch (degree) {
        case 2: return {inner_root(-6.0)};
        case 3: return {inner_root(-4.0)};
        case 4: {
            const double y = -38.0 - std::sqrt(1216.0);
            return {inner_root(228.0 / y), inner_root(y)};
        }
        default: {
            const double y = -13.0 - std::sqrt(105.0);
            return {inner_root(64.0 / y), inner_root(y)};
        }
    }
}

/// The two-sided exponential z^|j| scaled to sum 1, j = 0..K.
std::vector<double> exponential(double z, int last) {
    std::vector<double> e(static_cast<std::size_t>(last) + 1);
    e[0] = (1.0 - z) / (1.0 + z);
    for (std::size_t j = 1; j < e.size(); ++j) e[j] = e[j - 1] * z;
    return e;
}

/// The convolution of two such exponentials by partial fractions: weights A z1^|j| + B z2^|j|.
std::vector<double> convolved(double z1, double z2, int last) {
    const double gain = (1.0 - z1) * (1.0 - z1) * (1.0 - z2) * (1.0 - z2) / ((z1 - z2) * (1.0 - z1 * z2));
    double a = gain * z1 / ((1.0 - z1 * z1));
    double b = gain * z2 / ((1.0 - z2 * z2));
    std::vector<double> c(static_cast<std::size_t>(last) + 1);
    for (double& value : c) {
        value = a - b;
        a *= z1;
        b *= z2;
    }
    return c;
}

}  // namespace

const char* name_of(Kernel kernel) noexcept {
    return enum_name(kKernelNames, kernel);
}
const char* name_of(Boundary boundary) noexcept {
    return enum_name(kBoundaryNames, boundary);
}
const char* name_of(Outside outside) noexcept {
    return enum_name(kOutsideNames, outside);
}
const char* name_of(Antialias antialias) noexcept {
    return enum_name(kAntialiasNames, antialias);
}
const char* name_of(Clip clip) noexcept {
    return enum_name(kClipNames, clip);
}
const char* name_of(Rounding rounding) noexcept {
    return enum_name(kRoundingNames, rounding);
}
const char* name_of(ComputeType type) noexcept {
    return enum_name(kComputeNames, type);
}
Kernel kernel_from_name(const std::string& name) {
    return enum_from_name(kKernelNames, name, "kernel");
}
Boundary boundary_from_name(const std::string& name) {
    return enum_from_name(kBoundaryNames, name, "boundary");
}
Outside outside_from_name(const std::string& name) {
    return enum_from_name(kOutsideNames, name, "rule for outside");
}
Antialias antialias_from_name(const std::string& name) {
    return enum_from_name(kAntialiasNames, name, "antialias");
}
Clip clip_from_name(const std::string& name) {
    return enum_from_name(kClipNames, name, "clip");
}
Rounding rounding_from_name(const std::string& name) {
    return enum_from_name(kRoundingNames, name, "rounding of values");
}

int bspline_degree(Kernel kernel) noexcept {
    switch (kernel) {
        case Kernel::bspline2: return 2;
        case Kernel::bspline3: return 3;
        case Kernel::bspline4: return 4;
        case Kernel::bspline5: return 5;
        default: return 0;
    }
}

bool is_windowed_sinc(Kernel kernel) noexcept {
    return kernel >= Kernel::lanczos2 && kernel <= Kernel::sinc_blackman;
}

math::PointKernel point_kernel(Kernel kernel, const KernelShape& shape, double stretch) {
    using Form = math::PointKernel::Form;
    math::PointKernel point;
    if (const int degree = bspline_degree(kernel)) {
        point.form = Form::bspline;
        point.degree = degree;
        point.radius = degree / 2 + 1;
    } else if (is_windowed_sinc(kernel)) {
        point.form = Form::windowed_sinc;
        point.window = window_of(kernel);
        point.radius = sinc_radius(kernel, shape);
        point.normalised = shape.normalised || kernel < Kernel::sinc_lanczos;
    } else if (kernel == Kernel::gaussian) {
        point.form = Form::gaussian;
        point.sigma = shape.sigma * stretch;
        point.reach = shape.alpha * point.sigma;
        point.radius = static_cast<int>(std::ceil(point.reach + 0.5));
    } else {
        point.form = kernel == Kernel::nearest ? Form::nearest : kernel == Kernel::linear ? Form::linear : Form::cubic;
        point.radius = kernel == Kernel::cubic ? 2 : 1;
    }
    return point;
}

int most_taps(const math::PointKernel& kernel) noexcept {
    using Form = math::PointKernel::Form;
    switch (kernel.form) {
        case Form::nearest: return 1;
        case Form::linear: return 2;
        case Form::cubic: return 4;
        case Form::bspline: return kernel.degree + 1;
        default: return std::min(2 * kernel.radius, math::kGatherTaps);
    }
}

std::vector<double> cardinal_coefficients(int degree, ComputeType compute) {
    const std::vector<double> z = poles(degree);
    const double tolerance = compute == ComputeType::f32 ? 0x1p-26 : 0x1p-54;
    int last = 0;
    for (double power = 1.0; power > tolerance; power *= std::fabs(z[0])) ++last;
    return z.size() == 1 ? exponential(z[0], last) : convolved(z[0], z[1], last);
}

KernelFunction::KernelFunction(Kernel kernel, const KernelShape& shape, ComputeType compute)
    : kernel_(kernel), window_(window_of(kernel)), degree_(bspline_degree(kernel)) {
    if (degree_ > 0) {
        coefficients_ = cardinal_coefficients(degree_, compute);
        radius_ = static_cast<double>(coefficients_.size()) - 1.0 + 0.5 * (degree_ + 1);
    } else if (is_windowed_sinc(kernel)) {
        radius_ = sinc_radius(kernel, shape);
    } else {
        radius_ = kernel == Kernel::linear ? 1.0 : 2.0;
    }
}

double KernelFunction::operator()(double x) const {
    x = std::fabs(x);
    if (x >= radius_) return 0.0;
    if (kernel_ == Kernel::linear) return math::linear(x);
    if (kernel_ == Kernel::cubic) return math::cubic(x);
    if (degree_ == 0) return math::windowed_sinc(window_, radius_, x);
    const int last = static_cast<int>(coefficients_.size()) - 1;
    const double half = 0.5 * (degree_ + 1);
    const int lo = std::max(-last, static_cast<int>(std::ceil(x - half)));
    const int hi = std::min(last, static_cast<int>(std::floor(x + half)));
    double sum = 0.0;
    for (int j = lo; j <= hi; ++j)
        sum += coefficients_[static_cast<std::size_t>(std::abs(j))] * math::bspline(degree_, x - j);
    return sum;
}

}  // namespace revoxel
