// The one exception type that crosses the public API.
#pragma once

#include <stdexcept>
#include <string>

namespace revoxel {

/// What went wrong, by who can mend it. The values are the exit codes of the command line, but see exit_code().
enum class ErrorCode {
    usage = 2,          ///< the request contradicts itself or asks for what does not exist
    input = 3,          ///< a file or a volume given to revoxel is unusable
    output = 4,         ///< the result could not be stored
    unavailable = 5,    ///< this machine or this build cannot do it: memory, device, backend
    device_memory = 6,  ///< the GPU has too little memory, or was allowed too little
};

/// What the command line ends with. To whoever called it a GPU's memory is one more thing that is not to be had.
constexpr int exit_code(ErrorCode code) noexcept {
    return static_cast<int>(code == ErrorCode::device_memory ? ErrorCode::unavailable : code);
}

/// Every failure that leaves the public API. what() is one line: the file or the argument, what was found, what was
/// expected, and what to do.
class Error : public std::runtime_error {
public:
    Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
    ErrorCode code() const noexcept { return code_; }

private:
    ErrorCode code_;
};

}  // namespace revoxel
