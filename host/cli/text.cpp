#include "cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "revoxel/error.hpp"

namespace revoxel::cli {

std::string number(double x) {
    if (x == 0.0) return "0";  // not "-0"
    const std::string shortest = fmt::format("{:.5g}", x);
    if (shortest.find('e') == std::string::npos || std::fabs(x) < 1.0 || std::fabs(x) >= 1e7) return shortest;
    return fmt::format("{:.0f}", x);
}

std::string triple(const Extent& extent) {
    return fmt::format("{} x {} x {}", extent[0], extent[1], extent[2]);
}

std::string spacing_text(const Vec3& mm) {
    return fmt::format("{:.6g} x {:.6g} x {:.6g}", mm[0], mm[1], mm[2]);
}

std::string triple(const Vec3& values) {
    return fmt::format("{} x {} x {}", number(values[0]), number(values[1]), number(values[2]));
}

std::string bytes(std::int64_t count) {
    constexpr const char* kUnits[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
    double value = static_cast<double>(count);
    int unit = 0;
    while (value >= 999.5 && unit < 5) {
        value /= 1000.0;
        ++unit;
    }
    if (unit == 0) return fmt::format("{} bytes", count);
    return fmt::format("{:.{}f} {}", value, value < 99.95 ? 1 : 0, kUnits[unit]);
}

std::string grouped(std::int64_t count) {
    std::string digits = std::to_string(count);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (count < 0 ? 1 : 0); at -= 3) {
        digits.insert(static_cast<std::size_t>(at), 1, ' ');
    }
    return digits;
}

std::string seconds(double s) {
    return fmt::format("{:.{}f} s", s, s < 9.9995 ? 3 : 1);
}

std::string printable(std::string text) {
    for (char& letter : text) {
        if ((letter >= 0 && letter < ' ') || letter == 127) letter = '?';
    }
    return text;
}

std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
    std::vector<std::string> lines;
    std::string line;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        const std::string word = text.substr(at, end - at);
        at = end + 1;
        if (!line.empty() && line.size() + 1 + word.size() > width) {
            lines.push_back(line);
            line.clear();
        }
        line += (line.empty() ? "" : " ") + word;
    }
    if (!line.empty()) lines.push_back(line);
    return lines;
}

std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t indent, bool right_aligned) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        if (row.size() > widths.size()) widths.resize(row.size(), 0);
        for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line(indent, ' ');
        for (std::size_t c = 0; c < row.size(); ++c) {
            const bool right = right_aligned && c > 0;
            line += right ? fmt::format("{:>{}}", row[c], widths[c]) : fmt::format("{:<{}}", row[c], widths[c]);
            if (c + 1 < row.size()) line += "  ";
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

void print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
        throw Error(ErrorCode::output, "standard output cannot be written; the disk behind it may be full");
    }
}

// A standard error that is closed or full must not end a run that does its work.
void print_error(const std::string& line) {
    std::fputs(("revoxel: error: " + printable(line) + "\n").c_str(), stderr);
}

void print_warning(const std::string& line) {
    std::fputs(("revoxel: warning: " + printable(line) + "\n").c_str(), stderr);
}

}  // namespace revoxel::cli
