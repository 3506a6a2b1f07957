// How the files of this folder say what went wrong.
#pragma once

#include <string>

namespace revoxel::io {

/// Throws Error(input) with "path: what", control characters replaced so that it stays one line.
[[noreturn]] void fail_input(const std::string& path, const std::string& what);

/// Throws Error(output) with "path: what", control characters replaced so that it stays one line.
[[noreturn]] void fail_output(const std::string& path, const std::string& what);

/// The text of an errno value. Unlike strerror, thread-safe.
std::string system_message(int error);

/// `text` with every control character replaced by '?': file contents and names end up in messages.
std::string printable(std::string text);

}  // namespace revoxel::io
