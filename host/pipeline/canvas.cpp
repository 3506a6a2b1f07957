#include "pipeline/canvas.hpp"

#include <algorithm>

#include "pipeline/font.hpp"

namespace revoxel::pipeline {
namespace {

constexpr int kDot = 2;  // pixels a dot of the font

}  // namespace

Canvas::Canvas(int width, int height, Colour background)
    : width_(width), height_(height), pixels_(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3) {
    fill(0, 0, width, height, background);
}

std::uint8_t* Canvas::at(int x, int y) {
    return pixels_.data() +
           3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x));
}

void Canvas::set(int x, int y, Colour colour) {
    fill(x, y, 1, 1, colour);
}

void Canvas::fill(int x, int y, int width, int height, Colour colour) {
    const int left = std::max(x, 0), right = std::min(x + width, width_);
    if (left >= right) return;
    for (int v = std::max(y, 0); v < std::min(y + height, height_); ++v) {
        std::uint8_t* pixel = at(left, v);
        for (int u = left; u < right; ++u) {
            *pixel++ = colour.r;
            *pixel++ = colour.g;
            *pixel++ = colour.b;
        }
    }
}

void Canvas::frame(int x, int y, int width, int height, Colour colour) {
    fill(x, y, width, 1, colour);
    fill(x, y + height - 1, width, 1, colour);
    fill(x, y, 1, height, colour);
    fill(x + width - 1, y, 1, height, colour);
}

void Canvas::text(int x, int y, const std::string& text, Colour colour) {
    for (const char letter : text) {
        const bool printable = letter >= ' ' && letter <= '~';
        const Glyph& glyph = kGlyphs[static_cast<std::size_t>((printable ? letter : '?') - ' ')];
        for (int column = 0; column < kGlyphWidth; ++column) {
            for (int row = 0; row < kGlyphRows; ++row) {
                if (glyph[static_cast<std::size_t>(column)] >> row & 1) {
                    fill(x + column * kDot, y + row * kDot, kDot, kDot, colour);
                }
            }
        }
        x += (kGlyphWidth + 1) * kDot;
    }
}

void Canvas::rimmed_text(int x, int y, const std::string& letters, Colour colour) {
    for (int dy = -1; dy <= 1; ++dy) {
        for (int dx = -1; dx <= 1; ++dx) text(x + dx, y + dy, letters, {0, 0, 0});
    }
    text(x, y, letters, colour);
}

int Canvas::text_width(const std::string& text) {
    return text.empty() ? 0 : (static_cast<int>(text.size()) * (kGlyphWidth + 1) - 1) * kDot;
}

int Canvas::text_height() {
    return kGlyphHeight * kDot;
}

}  // namespace revoxel::pipeline
