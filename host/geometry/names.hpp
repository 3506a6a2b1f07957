// Names of enumerators, both ways, from one table each.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "revoxel/error.hpp"

namespace revoxel {

template <typename Enum, std::size_t N>
const char* enum_name(const std::pair<Enum, const char*> (&table)[N], Enum value) noexcept {
    for (const auto& [candidate, name] : table) {
        if (candidate == value) return name;
    }
    return "?";
}

/// Throws Error(usage) that says `what` was expected and lists the names. Later entries of the table may be aliases.
template <typename Enum, std::size_t N>
Enum enum_from_name(const std::pair<Enum, const char*> (&table)[N], const std::string& name, const char* what) {
    std::string known;
    for (const auto& [value, candidate] : table) {
        if (name == candidate) return value;
        known += known.empty() ? "" : ", ";
        known += candidate;
    }
    throw Error(ErrorCode::usage, fmt::format("unknown {} '{}'; choose one of {}", what, name, known));
}

}  // namespace revoxel
