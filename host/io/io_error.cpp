#include "io/io_error.hpp"

#include <system_error>

#include "revoxel/error.hpp"

namespace revoxel::io {

void fail_input(const std::string& path, const std::string& what) {
    throw Error(ErrorCode::input, printable(path + ": " + what));
}

void fail_output(const std::string& path, const std::string& what) {
    throw Error(ErrorCode::output, printable(path + ": " + what));
}

std::string system_message(int error) {
    return std::generic_category().message(error);
}

std::string printable(std::string text) {
    for (char& c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) c = '?';
    }
    return text;
}

}  // namespace revoxel::io
