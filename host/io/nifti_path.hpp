// What the name of a NIfTI file says, and which file goes with it.
#pragma once

#include <optional>
#include <string>

namespace revoxel::io {

enum class NiftiPart { single, header, image };

/// The name "stem.nii.gz" taken apart. Endings count in any case.
struct NiftiName {
    std::string stem;  ///< with its folders, without the ending
    NiftiPart part = NiftiPart::single;
    bool gz = false;
    bool upper = false;  ///< the ending is in capitals

    std::string with_part(NiftiPart other, bool gzipped) const;
};

/// Nothing when the name has none of the endings .nii .hdr .img, each with or without .gz.
std::optional<NiftiName> parse_nifti_name(const std::string& path);

/// The existing file that is the other half of the pair `path` belongs to (its header or its image), plain or gzipped,
/// in small letters or capitals; nothing when there is none. A name without a known ending counts as a header.
std::optional<std::string> find_companion(const std::string& path);

}  // namespace revoxel::io
