#include "plan/kernels.hpp"

#include <cmath>

#include "geometry/names.hpp"
#include "math/kernels.hpp"

namespace revoxel {
namespace {

constexpr std::pair<Kernel, const char*> kKernelNames[] = {
    {Kernel::nearest, "nearest"},   {Kernel::linear, "linear"},     {Kernel::cubic, "cubic"},
    {Kernel::lanczos3, "lanczos3"}, {Kernel::bspline2, "bspline2"}, {Kernel::bspline3, "bspline3"},
    {Kernel::bspline4, "bspline4"}, {Kernel::bspline5, "bspline5"}, {Kernel::bspline2, "quadratic"},
};

constexpr std::pair<Antialias, const char*> kAntialiasNames[] = {
    {Antialias::automatic, "auto"},
    {Antialias::none, "none"},
    {Antialias::stretch, "stretch"},
};

constexpr std::pair<ComputeType, const char*> kComputeNames[] = {{ComputeType::f32, "f32"}, {ComputeType::f64, "f64"}};

int bspline_degree(Kernel kernel) {
    switch (kernel) {
        case Kernel::bspline2: return 2;
        case Kernel::bspline3: return 3;
        case Kernel::bspline4: return 4;
        case Kernel::bspline5: return 5;
        default: return 0;
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
const char* name_of(Antialias antialias) noexcept {
    return enum_name(kAntialiasNames, antialias);
}
const char* name_of(ComputeType type) noexcept {
    return enum_name(kComputeNames, type);
}
Kernel kernel_from_name(const std::string& name) {
    return enum_from_name(kKernelNames, name, "kernel");
}
Antialias antialias_from_name(const std::string& name) {
    return enum_from_name(kAntialiasNames, name, "antialias");
}

std::vector<double> cardinal_coefficients(int degree, ComputeType compute) {
    const std::vector<double> z = poles(degree);
    const double tolerance = compute == ComputeType::f32 ? 0x1p-26 : 0x1p-54;
    int last = 0;
    for (double power = 1.0; power > tolerance; power *= std::fabs(z[0])) ++last;
    return z.size() == 1 ? exponential(z[0], last) : convolved(z[0], z[1], last);
}

KernelFunction::KernelFunction(Kernel kernel, ComputeType compute) : kernel_(kernel), degree_(bspline_degree(kernel)) {
    switch (kernel) {
        case Kernel::nearest: radius_ = 0.5; break;
        case Kernel::linear: radius_ = 1.0; break;
        case Kernel::cubic: radius_ = 2.0; break;
        case Kernel::lanczos3: radius_ = 3.0; break;
        default:
            coefficients_ = cardinal_coefficients(degree_, compute);
            radius_ = static_cast<double>(coefficients_.size()) - 1.0 + 0.5 * (degree_ + 1);
            break;
    }
}

double KernelFunction::operator()(double x) const {
    x = std::fabs(x);
    if (x >= radius_) return 0.0;
    switch (kernel_) {
        case Kernel::linear: return math::linear(x);
        case Kernel::cubic: return math::cubic(x);
        case Kernel::lanczos3: return math::lanczos3(x);
        default: break;
    }
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
