// Numbers and tables as people read them. Plain ASCII.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "revoxel/grid.hpp"

namespace revoxel::cli {

/// Five significant digits, no exponent for everyday sizes: "0.79688", "1", "-1024", "1.5e+06".
std::string number(double x);
/// "512 x 512 x 41"
std::string triple(const Extent& extent);
std::string triple(const Vec3& values);
/// mm with six digits: what with_spacing() takes for the same spacing, so that it can be typed as a --spacing.
std::string spacing_text(const Vec3& mm);
/// "21.5 MB": powers of ten.
std::string bytes(std::int64_t count);
/// "1 234 567"
std::string grouped(std::int64_t count);
/// "0.214 s", "12.3 s"
std::string seconds(double s);

/// One line, whatever a file name or a header holds: control characters become '?'.
std::string printable(std::string text);

/// `text` broken at spaces into lines of at most `width` columns.
std::vector<std::string> wrapped(const std::string& text, std::size_t width);

/// Rows of cells, columns as wide as their widest cell, two spaces apart, `indent` in front; the last column is not
/// padded. Column 0 is left-aligned, the others too unless `right_aligned`.
std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t indent = 0,
                  bool right_aligned = false);

/// Writes to standard output. Throws Error(output) when that fails (a full disk behind a redirection).
void print(const std::string& text);
/// One line on standard error, after a progress bar was cleared.
void print_error(const std::string& line);
void print_warning(const std::string& line);

}  // namespace revoxel::cli
