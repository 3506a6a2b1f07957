#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "revoxel/error.hpp"
#include "revoxel/grid.hpp"

namespace revoxel {
namespace {

Vec3 column(const Affine& a, int c) {
    return {a(0, c), a(1, c), a(2, c)};
}

double norm(const Vec3& v) {
    return std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

double dot(const Vec3& a, const Vec3& b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

bool is_finite(const Affine& a) {
    for (const auto& row : a.m) {
        for (double x : row) {
            if (!std::isfinite(x)) return false;
        }
    }
    return true;
}

/// Which world axis each index axis is nearest to: the assignment of all three with the largest sum of cosines, so that
/// no world axis is named twice.
std::array<int, 3> nearest_world_axes(const Affine& a) {
    std::array<int, 3> order{0, 1, 2};
    std::array<int, 3> best = order;
    double best_sum = -1.0;
    do {
        double sum = 0.0;
        for (int c = 0; c < 3; ++c) {
            const double length = norm(column(a, c));
            if (length > 0.0) sum += std::fabs(a(order[c], c)) / length;
        }
        if (sum > best_sum + 1e-12) {
            best_sum = sum;
            best = order;
        }
    } while (std::next_permutation(order.begin(), order.end()));
    return best;
}

}  // namespace

Affine operator*(const Affine& a, const Affine& b) {
    Affine product;
    for (int r = 0; r < 3; ++r) {
        for (int c = 0; c < 4; ++c) {
            product(r, c) = a(r, 0) * b(0, c) + a(r, 1) * b(1, c) + a(r, 2) * b(2, c) + (c == 3 ? a(r, 3) : 0.0);
        }
    }
    return product;
}

Vec3 operator*(const Affine& a, const Vec3& p) {
    Vec3 q;
    for (int r = 0; r < 3; ++r) q[r] = a(r, 0) * p[0] + a(r, 1) * p[1] + a(r, 2) * p[2] + a(r, 3);
    return q;
}

double determinant(const Affine& a) noexcept {
    return a(0, 0) * (a(1, 1) * a(2, 2) - a(1, 2) * a(2, 1)) - a(0, 1) * (a(1, 0) * a(2, 2) - a(1, 2) * a(2, 0)) +
           a(0, 2) * (a(1, 0) * a(2, 1) - a(1, 1) * a(2, 0));
}

Affine inverse(const Affine& a) {
    // Relative to the columns' lengths, so that a grid of nanometres is as invertible as one of metres.
    const double volume = norm(column(a, 0)) * norm(column(a, 1)) * norm(column(a, 2));
    const double det = determinant(a);
    if (!is_finite(a) || !(std::fabs(det) > 1e-9 * volume)) {
        throw Error(ErrorCode::input,
                    fmt::format("the voxel-to-world affine is {} (determinant {:g}); expected three independent axes",
                                is_finite(a) ? "singular" : "not finite", det));
    }
    Affine inv;
    for (int r = 0; r < 3; ++r) {
        for (int c = 0; c < 3; ++c) {
            const int r1 = (c + 1) % 3, r2 = (c + 2) % 3, c1 = (r + 1) % 3, c2 = (r + 2) % 3;
            inv(r, c) = (a(r1, c1) * a(r2, c2) - a(r1, c2) * a(r2, c1)) / det;
        }
    }
    for (int r = 0; r < 3; ++r) inv(r, 3) = -(inv(r, 0) * a(0, 3) + inv(r, 1) * a(1, 3) + inv(r, 2) * a(2, 3));
    return inv;
}

std::string orientation_code(const Affine& affine) {
    constexpr char kPositive[] = "RAS";
    constexpr char kNegative[] = "LPI";
    const std::array<int, 3> axes = nearest_world_axes(affine);
    std::string code(3, '?');
    for (int c = 0; c < 3; ++c) code[c] = affine(axes[c], c) < 0.0 ? kNegative[axes[c]] : kPositive[axes[c]];
    return code;
}

double obliquity_degrees(const Affine& affine) {
    const std::array<int, 3> axes = nearest_world_axes(affine);
    double largest = 0.0;
    for (int c = 0; c < 3; ++c) {
        // atan2 of the parts across and along: acos would turn rounding of 1e-16 into 1e-6 degrees.
        const Vec3 v = column(affine, c);
        const double along = std::fabs(v[axes[c]]);
        const double across = std::hypot(v[(axes[c] + 1) % 3], v[(axes[c] + 2) % 3]);
        largest = std::max(largest, std::atan2(across, along));
    }
    return largest * 180.0 / 3.14159265358979323846;
}

double shear(const Affine& affine) {
    double largest = 0.0;
    for (int c = 0; c < 3; ++c) {
        const Vec3 a = column(affine, c), b = column(affine, (c + 1) % 3);
        const double lengths = norm(a) * norm(b);
        if (lengths > 0.0) largest = std::max(largest, std::fabs(dot(a, b)) / lengths);
    }
    return largest;
}

double corner_distance(const Extent& extent, const Affine& a, const Affine& b) {
    double largest = 0.0;
    for (int corner = 0; corner < 8; ++corner) {
        Vec3 p;
        for (int d = 0; d < 3; ++d) p[d] = (corner >> d & 1) ? static_cast<double>(extent[d] - 1) : 0.0;
        const Vec3 qa = a * p, qb = b * p;
        largest = std::max(largest, norm({qa[0] - qb[0], qa[1] - qb[1], qa[2] - qb[2]}));
    }
    return largest;
}

Vec3 spacing(const Grid& grid) {
    return {norm(column(grid.affine, 0)), norm(column(grid.affine, 1)), norm(column(grid.affine, 2))};
}

Vec3 fov(const Grid& grid) {
    Vec3 size = spacing(grid);
    for (int d = 0; d < 3; ++d) size[d] *= static_cast<double>(grid.extent[d]);
    return size;
}

Affine out_to_in(const Grid& input, const Grid& output) {
    return inverse(input.affine) * output.affine;
}

}  // namespace revoxel
