// Assertions about NIfTI headers and about errors.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "revoxel/error.hpp"
#include "revoxel/nifti.hpp"

namespace revoxel::test {

/// Calls f, which must throw Error(code) with one line that holds every one of `parts`.
template <typename F>
void expect_error(ErrorCode code, const std::vector<std::string>& parts, F&& f) {
    try {
        f();
        ADD_FAILURE() << "nothing was thrown; expected an error with \"" << (parts.empty() ? "" : parts.front()) << '"';
    } catch (const Error& error) {
        const std::string what = error.what();
        EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << what;
        EXPECT_EQ(what.find('\n'), std::string::npos) << what;
        for (const std::string& part : parts)
            EXPECT_NE(what.find(part), std::string::npos) << what << "\n  lacks: " << part;
    }
}

inline bool has_warning(const io::NiftiHeader& header, const std::string& part) {
    return std::any_of(header.warnings.begin(), header.warnings.end(),
                       [&part](const std::string& line) { return line.find(part) != std::string::npos; });
}

inline std::string all_warnings(const io::NiftiHeader& header) {
    std::string text;
    for (const std::string& line : header.warnings) text += line + "\n";
    return text.empty() ? "(no warnings)" : text;
}

#define EXPECT_WARNING(header, part) \
    EXPECT_TRUE(::revoxel::test::has_warning(header, part)) << ::revoxel::test::all_warnings(header)
#define EXPECT_NO_WARNINGS(header) EXPECT_TRUE((header).warnings.empty()) << ::revoxel::test::all_warnings(header)

inline void expect_near(const Affine& a, const Affine& b, double tolerance) {
    for (int row = 0; row < 3; ++row) {
        for (int column = 0; column < 4; ++column)
            EXPECT_NEAR(a(row, column), b(row, column), tolerance) << row << ',' << column;
    }
}

}  // namespace revoxel::test
