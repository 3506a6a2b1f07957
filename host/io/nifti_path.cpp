#include "io/nifti_path.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace revoxel::io {
namespace {

struct Ending {
    const char* text;
    NiftiPart part;
};
constexpr std::array<Ending, 3> kEndings{
    {{".nii", NiftiPart::single}, {".hdr", NiftiPart::header}, {".img", NiftiPart::image}}};

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

bool ends_with(const std::string& text, const std::string& ending) {
    return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

bool exists(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0;
}

}  // namespace

std::string NiftiName::with_part(NiftiPart other, bool gzipped) const {
    std::string ending;
    for (const Ending& candidate : kEndings) {
        if (candidate.part == other) ending = candidate.text;
    }
    if (gzipped) ending += ".gz";
    return stem + (upper ? io::upper(ending) : ending);
}

std::optional<NiftiName> parse_nifti_name(const std::string& path) {
    std::string rest = path;
    NiftiName name;
    if (ends_with(lower(rest), ".gz")) {
        name.gz = true;
        rest.resize(rest.size() - 3);
    }
    for (const Ending& candidate : kEndings) {
        const std::string ending = candidate.text;
        if (!ends_with(lower(rest), ending)) continue;
        name.stem = rest.substr(0, rest.size() - ending.size());
        if (name.stem.empty() || name.stem.back() == '/') return std::nullopt;
        name.part = candidate.part;
        name.upper = std::isupper(static_cast<unsigned char>(rest[rest.size() - 1])) != 0;
        return name;
    }
    return std::nullopt;
}

std::optional<std::string> find_companion(const std::string& path) {
    NiftiName name;
    if (const auto parsed = parse_nifti_name(path)) {
        name = *parsed;
    } else {
        name.stem = path;
    }
    const NiftiPart wanted = name.part == NiftiPart::image ? NiftiPart::header : NiftiPart::image;
    for (const bool as_written : {true, false}) {
        NiftiName candidate = name;
        if (!as_written) candidate.upper = !name.upper;
        for (const bool gz : {name.gz, !name.gz}) {
            const std::string found = candidate.with_part(wanted, gz);
            if (exists(found)) return found;
        }
    }
    return std::nullopt;
}

}  // namespace revoxel::io
