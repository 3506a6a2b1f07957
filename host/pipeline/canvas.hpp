// An RGB picture to draw on. All coordinates are pixels from the top left corner.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace revoxel::pipeline {

struct Colour {
    std::uint8_t r = 0, g = 0, b = 0;
};

class Canvas {
public:
    Canvas(int width, int height, Colour background);

    int width() const noexcept { return width_; }
    int height() const noexcept { return height_; }
    /// Rows from top to bottom, three bytes a pixel.
    const std::vector<std::uint8_t>& pixels() const noexcept { return pixels_; }

    /// Pixels outside the canvas are ignored.
    void set(int x, int y, Colour colour);
    void fill(int x, int y, int width, int height, Colour colour);
    void frame(int x, int y, int width, int height, Colour colour);
    /// Characters outside printable ASCII show as '?'. (x, y) is the top left corner.
    void text(int x, int y, const std::string& text, Colour colour);
    /// The same with a dark rim, legible on any background.
    void rimmed_text(int x, int y, const std::string& text, Colour colour);

    static int text_width(const std::string& text);
    static int text_height();

private:
    std::uint8_t* at(int x, int y);

    int width_, height_;
    std::vector<std::uint8_t> pixels_;
};

}  // namespace revoxel::pipeline
