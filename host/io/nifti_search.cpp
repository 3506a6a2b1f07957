#include "io/nifti_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <unordered_set>
#include <utility>

#include "io/nifti_path.hpp"

namespace revoxel::io {
namespace {

namespace fs = std::filesystem;

void search(const fs::path& folder, std::vector<std::string>& files, std::vector<UnusablePath>& unusable) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        const fs::path& path = entry->path();
        if (path.filename().string().starts_with('.')) continue;
        std::error_code unknown;  // a link to nowhere is no folder; reading it says what is wrong
        if (!entry->is_directory(unknown)) {
            if (parse_nifti_name(path.string())) files.push_back(path.string());
        } else if (!entry->is_symlink(unknown)) {
            search(path, files, unusable);
        }
    }
    if (error) unusable.push_back({folder.string(), fmt::format("the folder cannot be read ({})", error.message())});
}

std::string header_of_pair(const std::string& path) {
    const auto name = parse_nifti_name(path);
    if (!name || name->part != NiftiPart::image) return path;
    return find_companion(path).value_or(path);
}

/// The same for every spelling of a path; links are not followed.
std::string key_of(const std::string& path) {
    std::error_code error;
    const fs::path absolute = fs::absolute(path, error);
    return (error ? fs::path(path) : absolute).lexically_normal().string();
}

}  // namespace

FoundFiles find_nifti_files(const std::vector<std::string>& paths) {
    FoundFiles found;
    std::unordered_set<std::string> known;
    for (const std::string& path : paths) {
        std::vector<std::string> files{path};
        std::error_code error;
        if (fs::is_directory(path, error)) {
            files.clear();
            const std::size_t before = found.unusable.size();
            search(path, files, found.unusable);
            std::sort(files.begin(), files.end());
            if (files.empty() && found.unusable.size() == before) {
                found.unusable.push_back({path, "the folder holds no .nii, .nii.gz or .hdr file"});
            }
        }
        for (const std::string& file : files) {
            std::string header = header_of_pair(file);
            if (known.insert(key_of(header)).second) found.files.push_back(std::move(header));
        }
    }
    return found;
}

}  // namespace revoxel::io
