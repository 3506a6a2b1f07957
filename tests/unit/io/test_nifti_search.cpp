#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "io/nifti_search.hpp"
#include "support/files.hpp"

namespace revoxel::io {
namespace {

using test::TempFolder;
using Paths = std::vector<std::string>;

void touch(const std::string& path) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    test::write_file(path, test::to_bytes("x"));
}

TEST(NiftiSearch, FindsWhatIsCalledNiftiInAFolderInOrder) {
    const TempFolder folder;
    const Paths expected{folder / "B.NII",           folder / "a/deep/er/x.nii.gz", folder / "a/pair.hdr",
                         folder / "a/zipped.hdr.gz", folder / "lonely.img",         folder / "z.nii"};
    for (const std::string& path : expected) touch(path);
    for (const char* other : {"a/pair.img", "a/zipped.img.gz", "notes.txt", "nii", "x.nii.bak", "x.gz", ".hidden.nii",
                              "._z.nii", ".git/annex/o.nii.gz"}) {
        touch(folder / other);
    }
    const FoundFiles found = find_nifti_files({folder.path()});
    EXPECT_EQ(found.files, expected);
    EXPECT_TRUE(found.unusable.empty());
}

TEST(NiftiSearch, TakesFilesAsTheyAreCalledAndEachOnce) {
    const TempFolder folder;
    touch(folder / "a.nii");
    touch(folder / "pair.hdr");
    touch(folder / "pair.img");
    const std::string odd = folder / "scan", absent = folder / "absent.nii";
    const FoundFiles found =
        find_nifti_files({odd, folder / "pair.img", folder / "./a.nii", absent, folder.path(), folder / "a.nii"});
    EXPECT_EQ(found.files, (Paths{odd, folder / "pair.hdr", folder / "./a.nii", absent}));
    EXPECT_TRUE(found.unusable.empty()) << "whether a file can be read is for its reader to say";
}

TEST(NiftiSearch, FollowsLinksToFilesAndNotToFolders) {
    const TempFolder folder, elsewhere;
    touch(elsewhere / "real.nii");
    std::filesystem::create_symlink(elsewhere / "real.nii", folder / "link.nii");
    std::filesystem::create_symlink(elsewhere / "gone.nii", folder / "nowhere.nii");
    std::filesystem::create_directory_symlink(folder.path(), folder / "loop");
    EXPECT_EQ(find_nifti_files({folder.path()}).files, (Paths{folder / "link.nii", folder / "nowhere.nii"}));
    std::filesystem::create_directory_symlink(elsewhere.path(), folder / "named");
    EXPECT_EQ(find_nifti_files({folder / "named"}).files, Paths{folder / "named/real.nii"}) << "but one that is named";
}

TEST(NiftiSearch, SaysWhichFoldersAreOfNoUse) {
    const TempFolder folder;
    std::filesystem::create_directory(folder / "empty");
    touch(folder / "good/a.nii");
    const FoundFiles found = find_nifti_files({folder / "empty", folder / "good"});
    EXPECT_EQ(found.files, Paths{folder / "good/a.nii"});
    ASSERT_EQ(found.unusable.size(), 1U);
    EXPECT_EQ(found.unusable[0].path, folder / "empty");
    EXPECT_NE(found.unusable[0].reason.find("no .nii"), std::string::npos);
    EXPECT_TRUE(find_nifti_files({folder.path()}).unusable.empty()) << "an empty subfolder is nobody's business";
}

TEST(NiftiSearch, GoesOnAfterAFolderThatIsClosed) {
    if (::geteuid() == 0) GTEST_SKIP() << "root reads every folder";
    const TempFolder folder;
    touch(folder / "good/a.nii");
    std::filesystem::create_directory(folder / "closed");
    std::filesystem::permissions(folder / "closed", std::filesystem::perms::none);
    const FoundFiles partly = find_nifti_files({folder.path()});
    std::filesystem::permissions(folder / "closed", std::filesystem::perms::all);
    EXPECT_EQ(partly.files, Paths{folder / "good/a.nii"});
    ASSERT_EQ(partly.unusable.size(), 1U);
    EXPECT_EQ(partly.unusable[0].path, folder / "closed");
}

}  // namespace
}  // namespace revoxel::io
