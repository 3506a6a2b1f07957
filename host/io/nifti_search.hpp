// Which NIfTI files are meant by a list of files and folders.
#pragma once

#include <string>
#include <vector>

namespace revoxel::io {

struct UnusablePath {
    std::string path, reason;  ///< the reason is one line without the path
};

struct FoundFiles {
    std::vector<std::string> files;
    std::vector<UnusablePath> unusable;  ///< folders that cannot be read, and named folders without a NIfTI file
};

/// The files named by `paths`, in that order, each once. Files are taken whatever they are called. A folder stands for
/// the .nii, .hdr and .img files in it and in its subfolders, each also with .gz, in the order of their paths. Of a
/// pair the header stands for both. Inside a folder, names that begin with a dot (.git, macOS's ._scan.nii) and links
/// to folders are left out.
FoundFiles find_nifti_files(const std::vector<std::string>& paths);

}  // namespace revoxel::io
