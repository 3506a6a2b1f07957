// Writing: all or nothing, never over what is there, and honest when the disk is full.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <png.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <functional>

#include "io/atomic_file.hpp"
#include "io/png.hpp"
#include "revoxel/nifti.hpp"
#include "support/files.hpp"
#include "support/nifti_expect.hpp"

namespace revoxel::test {
namespace {

using Names = std::vector<std::string>;

struct Image {
    explicit Image(const Extent& extent, std::byte value = std::byte{1}) : volume({extent, {}}, DType::uint8) {
        header = io::new_header(volume.grid(), DType::uint8);
        std::memset(volume.data(), static_cast<int>(value), static_cast<std::size_t>(volume.size_bytes()));
        for (std::int64_t i = 0; i < volume.size_bytes(); ++i) volume.data()[i] ^= static_cast<std::byte>(i * i >> 7);
    }
    io::NiftiHeader header;
    Volume volume;
};

// Runs f in a child process, which limits and mounts may then ruin. "" when f returned, else what it threw.
std::string in_child(const std::function<void()>& f) {
    int ends[2];
    if (pipe(ends) != 0) return "no pipe";
    const pid_t child = fork();
    if (child == 0) {
        std::string said;
        try {
            f();
        } catch (const std::exception& error) {
            said = error.what();
        }
        const bool told = write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
        _exit(told ? 0 : 1);
    }
    close(ends[1]);
    std::string said(4096, '\0');
    const ssize_t got = read(ends[0], said.data(), said.size());
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    said.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? said : "the child died";
}

class Write : public ::testing::Test {
protected:
    TempFolder folder_;
    Image image_{{40, 50, 30}};
};

TEST_F(Write, LeavesTheFileAndNothingElse) {
    for (const char* name : {"a.nii", "b.nii.gz"}) {
        TempFolder folder;
        io::write_nifti(folder / name, image_.header, image_.volume);
        EXPECT_EQ(folder.names(), Names{name});
    }
    io::write_nifti(folder_ / "c.img", image_.header, image_.volume);
    EXPECT_EQ(folder_.names(), (Names{"c.hdr", "c.img"}));
}

TEST_F(Write, TheFileHasTheModeOfAnyNewFile) {
    const mode_t mask = umask(027);
    io::write_nifti(folder_ / "a.nii", image_.header, image_.volume);
    umask(mask);
    struct stat info {};
    ASSERT_EQ(stat((folder_ / "a.nii").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0640u);
}

TEST_F(Write, AReplacedFileKeepsItsPermissions) {
    const std::string path = folder_ / "a.nii";
    io::write_nifti(path, image_.header, image_.volume);
    ASSERT_EQ(chmod(path.c_str(), 0600), 0);
    io::NiftiWriteOptions options;
    options.overwrite = true;
    io::write_nifti(path, image_.header, image_.volume, options);
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(Write, DoesNotReplaceUnlessTold) {
    const Bytes old = to_bytes("precious");
    for (const char* name : {"a.nii", "b.hdr", "b.img"}) {
        write_file(folder_ / name, old);
        expect_error(ErrorCode::output, {"exists already", "--force"},
                     [&] { io::write_nifti(folder_ / name, image_.header, image_.volume); });
        expect_error(ErrorCode::output, {"exists already"}, [&] { io::check_output_path(folder_ / name, false); });
        EXPECT_EQ(read_file(folder_ / name), old);
        io::check_output_path(folder_ / name, true);
    }
    io::write_nifti(folder_ / "a.nii", image_.header, image_.volume, {.overwrite = true});
    EXPECT_EQ(io::read_nifti(folder_ / "a.nii").volume.size_bytes(), image_.volume.size_bytes());
    EXPECT_EQ(folder_.names().size(), 3u);
}

TEST_F(Write, AFileThatAppearsMeanwhileIsNotReplaced) {
    const Bytes other = to_bytes("somebody else's");
    auto appear = [&](double) { write_file(folder_ / "a.nii", other); };
    expect_error(ErrorCode::output, {"exists already"},
                 [&] { io::write_nifti(folder_ / "a.nii", image_.header, image_.volume, {.progress = appear}); });
    EXPECT_EQ(read_file(folder_ / "a.nii"), other);
    EXPECT_EQ(folder_.names(), Names{"a.nii"});
}

TEST_F(Write, APairIsWrittenWholeOrNotAtAll) {
    const Bytes other = to_bytes("somebody else's");
    auto appear = [&](double) { write_file(folder_ / "a.hdr", other); };
    expect_error(ErrorCode::output, {"a.hdr: the file exists already"},
                 [&] { io::write_nifti(folder_ / "a.img", image_.header, image_.volume, {.progress = appear}); });
    EXPECT_EQ(read_file(folder_ / "a.hdr"), other);
    EXPECT_EQ(folder_.names(), Names{"a.hdr"}) << "the image was published first and taken back";
}

TEST_F(Write, AFailedReplacementOfAPairKeepsTheOldOne) {
    io::write_nifti(folder_ / "a.hdr", image_.header, image_.volume);
    const Bytes header = read_file(folder_ / "a.hdr"), voxels = read_file(folder_ / "a.img");
    Image other{{10, 10, 10}};
    auto obstruct = [&](double) {
        std::filesystem::remove(folder_ / "a.hdr");
        std::filesystem::create_directory(folder_ / "a.hdr");
    };
    expect_error(ErrorCode::output, {"a.hdr: this is a directory"}, [&] {
        io::write_nifti(folder_ / "a.hdr", other.header, other.volume, {.overwrite = true, .progress = obstruct});
    });
    EXPECT_EQ(read_file(folder_ / "a.img"), voxels);
    EXPECT_EQ(folder_.names().size(), 2u);
    std::filesystem::remove(folder_ / "a.hdr");
    write_file(folder_ / "a.hdr", header);
    io::write_nifti(folder_ / "a.hdr", other.header, other.volume, {.overwrite = true});
    EXPECT_EQ(io::read_nifti(folder_ / "a.hdr").header.grid.extent, (Extent{10, 10, 10}));
    EXPECT_EQ(folder_.names().size(), 2u);
}

TEST_F(Write, AnExceptionFromOutsideLeavesNothing) {
    struct Stop {};
    for (const char* name : {"a.nii", "a.nii.gz", "a.hdr.gz"}) {
        EXPECT_THROW(
            io::write_nifti(folder_ / name, image_.header, image_.volume, {.progress = [](double) { throw Stop{}; }}),
            Stop);
        EXPECT_EQ(folder_.names(), Names{});
    }
}

TEST_F(Write, RefusesNamesAndFoldersBeforeAnyWork) {
    for (const char* name : {"a.txt", "a", "a.nii.bz2", "a.gz", ".nii", "nii"}) {
        for (const bool write : {false, true}) {
            expect_error(ErrorCode::output, {"must end in .nii, .nii.gz"}, [&] {
                write ? io::write_nifti(folder_ / name, image_.header, image_.volume)
                      : io::check_output_path(folder_ / name, true);
            });
        }
    }
    expect_error(ErrorCode::output, {"the folder", "nowhere does not exist"},
                 [&] { io::check_output_path(folder_ / "nowhere/a.nii", false); });
    write_file(folder_ / "file", {});
    expect_error(ErrorCode::output, {"is not a folder"}, [&] { io::check_output_path(folder_ / "file/a.nii", false); });
    std::filesystem::create_directory(folder_ / "d.nii");
    expect_error(ErrorCode::output, {"is a directory"}, [&] { io::check_output_path(folder_ / "d.nii", true); });
    ASSERT_EQ(mkfifo((folder_ / "p.nii").c_str(), 0600), 0);
    expect_error(ErrorCode::output, {"not a regular file"}, [&] { io::check_output_path(folder_ / "p.nii", true); });
    io::check_output_path(folder_ / "fine.NII.GZ", false);
}

TEST_F(Write, AFolderThatMayNotBeWritten) {
    ASSERT_EQ(chmod(folder_.path().c_str(), 0555), 0);
    const std::string said = in_child([&] {
        if (geteuid() == 0 && setuid(65534) != 0) return;
        io::check_output_path(folder_ / "a.nii", false);
    });
    EXPECT_NE(said.find("not writable (Permission denied)"), std::string::npos) << said;
    ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
}

TEST_F(Write, ARelativeNameWithoutFolder) {
    const std::string said = in_child([&] {
        std::filesystem::current_path(folder_.path());
        io::write_nifti("a.nii", image_.header, image_.volume);
    });
    EXPECT_EQ(said, "");
    EXPECT_EQ(folder_.names(), Names{"a.nii"});
}

TEST_F(Write, ALinkIsReplacedAndItsTargetLeftAlone) {
    const Bytes old = to_bytes("precious");
    write_file(folder_ / "target", old);
    std::filesystem::create_symlink("target", folder_ / "a.nii");
    expect_error(ErrorCode::output, {"exists already"},
                 [&] { io::write_nifti(folder_ / "a.nii", image_.header, image_.volume); });
    io::write_nifti(folder_ / "a.nii", image_.header, image_.volume, {.overwrite = true});
    EXPECT_EQ(read_file(folder_ / "target"), old);
    EXPECT_FALSE(std::filesystem::is_symlink(folder_ / "a.nii"));
    std::filesystem::create_symlink("nothing", folder_ / "b.nii");
    expect_error(ErrorCode::output, {"exists already"},
                 [&] { io::write_nifti(folder_ / "b.nii", image_.header, image_.volume); });
}

TEST_F(Write, AFileThatGrowsTooLargeForTheDiskLeavesNothing) {
    for (const char* name : {"a.nii", "a.nii.gz", "a.hdr"}) {
        const std::string said = in_child([&] {
            signal(SIGXFSZ, SIG_IGN);
            const rlimit limit{4096, 4096};
            if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return;
            Image large({100, 100, 100});
            io::write_nifti(folder_ / name, large.header, large.volume);
        });
        EXPECT_NE(said.find(": writing failed after "), std::string::npos) << said;
        EXPECT_NE(said.find("File too large"), std::string::npos) << said;
        EXPECT_EQ(folder_.names(), Names{});
    }
}

TEST_F(Write, AFullDiskLeavesNothing) {
    for (const char* name : {"a.nii", "a.nii.gz", "a.hdr"}) {
        const std::string said = in_child([&] {
            // A file system of 64 KB that only this child sees.
            if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
                mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                mount("none", folder_.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
                throw std::runtime_error("cannot mount");
            }
            Image large({200, 100, 100});
            try {
                io::write_nifti(folder_ / name, large.header, large.volume);
            } catch (const Error& error) {
                std::string left;
                for (const auto& found : folder_.names()) left += " left: " + found;
                throw std::runtime_error(error.what() + left);
            }
        });
        if (said == "cannot mount") GTEST_SKIP() << "this system lets no test mount a small file system";
        // What a compressed file will take is not known before.
        const bool compressed = std::string(name).ends_with(".gz");
        const char* what = compressed ? "No space left on device" : "the file needs 2 MB, but its disk has 0.06";
        EXPECT_NE(said.find(what), std::string::npos) << said;
        EXPECT_NE(said.find("free some space"), std::string::npos) << said;
        EXPECT_EQ(said.find("left: "), std::string::npos) << said;
    }
}

TEST_F(Write, AFileThatCannotBeNamedIsCopied) {
    for (const bool stop : {false, true}) {
        const std::string said = in_child([&] {
            // Without /proc an unnamed file could never be named.
            if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
                mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                mount("none", "/proc", "tmpfs", 0, nullptr) != 0) {
                throw std::runtime_error("cannot mount");
            }
            auto look = [&](double) {
                if (!folder_.names().empty()) throw std::runtime_error("a file before its time");
                if (stop) throw std::runtime_error("stopped");
            };
            io::write_nifti(folder_ / "a.nii", image_.header, image_.volume, {.overwrite = true, .progress = look});
        });
        if (said == "cannot mount") GTEST_SKIP() << "this system lets no test hide /proc";
        EXPECT_EQ(said, stop ? "stopped" : "");
        EXPECT_EQ(folder_.names(), stop ? Names{} : Names{"a.nii"});
        std::filesystem::remove(folder_ / "a.nii");
    }
}

TEST_F(Write, AProcessThatIsKilledLeavesNothing) {
    in_child([&] {
        io::write_nifti(folder_ / "a.nii.gz", image_.header, image_.volume,
                        {.progress = [](double) { kill(getpid(), SIGKILL); }});
    });
    const auto names = folder_.names();
    if (names.size() == 1 && names[0].rfind(".revoxel-", 0) == 0) {
        GTEST_SKIP() << "the file system of the temporary folder has no unnamed files";
    }
    EXPECT_EQ(names, Names{});
}

TEST_F(Write, HeaderAndVolumeMustBelongTogether) {
    auto expect_mismatch = [&](const io::NiftiHeader& header) {
        expect_error(ErrorCode::output, {"the header describes", "but the volume has 40 x 50 x 30 voxels"},
                     [&] { io::write_nifti(folder_ / "a.nii", header, image_.volume); });
        EXPECT_EQ(folder_.names(), Names{});
    };
    expect_mismatch(io::new_header({{40, 50, 31}, {}}, DType::uint8));
    expect_mismatch(io::new_header({{40, 50, 30}, {}}, DType::int8));
    expect_mismatch(io::new_header({{40, 50, 30}, {}}, DType::uint8, 2));
    expect_mismatch(io::new_header({{40, 50, 30}, {}}, DType::uint8, 1, 3));
}

TEST_F(Write, NiftiHasNoHalfPrecision) {
    const Grid grid{{4, 3, 2}, {}};
    expect_error(ErrorCode::usage, {"no voxels of float16", "choose float32"},
                 [&] { io::new_header(grid, DType::float16); });
    const Volume volume(grid, DType::float16);
    expect_error(ErrorCode::output, {"of float16"},
                 [&] { io::write_nifti(folder_ / "a.nii", io::new_header(grid, DType::float32), volume); });
    EXPECT_EQ(folder_.names(), Names{});
}

TEST_F(Write, TheInputMayBeTheOutputWhenItMayBeReplaced) {
    io::write_nifti(folder_ / "a.nii.gz", image_.header, image_.volume);
    const auto image = io::read_nifti(folder_ / "a.nii.gz");
    const Bytes before = read_file(folder_ / "a.nii.gz");
    io::write_nifti(folder_ / "a.nii.gz", image.header, image.volume, {.overwrite = true});
    EXPECT_EQ(read_file(folder_ / "a.nii.gz"), before);
}

TEST(AtomicFile, SeveralGetTheirNamesOrNone) {
    TempFolder folder;
    for (const bool taken : {true, false}) {
        write_file(folder / "old", to_bytes("old"));
        io::AtomicFile replacing(folder / "old", true), fresh(folder / "new", false), last(folder / "last", false);
        replacing.write(to_bytes("replaced"));
        fresh.write(to_bytes("fresh"));
        if (taken) {
            write_file(folder / "last", to_bytes("another's"));  // while they were written
            expect_error(ErrorCode::output, {"last", "exists already"}, [&] {
                io::AtomicFile::commit({&replacing, &fresh, &last});
            });
            EXPECT_EQ(folder.names(), (Names{"last", "old"}));
            EXPECT_EQ(read_file(folder / "old"), to_bytes("old"));
            EXPECT_EQ(read_file(folder / "last"), to_bytes("another's"));
            std::filesystem::remove(folder / "last");
        } else {
            io::AtomicFile::commit({&replacing, &fresh, &last});
            EXPECT_EQ(folder.names(), (Names{"last", "new", "old"}));
            EXPECT_EQ(read_file(folder / "old"), to_bytes("replaced"));
            EXPECT_EQ(read_file(folder / "new"), to_bytes("fresh"));
        }
    }
    EXPECT_EQ(folder.names(), (Names{"last", "new", "old"}));
}

TEST(AtomicFile, ReservedSpaceDoesNotMakeAFileLonger) {
    TempFolder folder;
    io::AtomicFile file(folder / "a", false);
    file.reserve(1 << 20);
    file.write(to_bytes("short"));
    file.commit();
    EXPECT_EQ(read_file(folder / "a"), to_bytes("short"));
}

TEST(AtomicFile, SpaceThatCannotBeHadIsAnErrorBeforeAnythingIsWritten) {
    TempFolder folder;
    const int fd = ::open((folder / "probe").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    const bool can_reserve = ::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096) == 0;
    ::close(fd);
    std::filesystem::remove(folder / "probe");
    if (!can_reserve) GTEST_SKIP() << "the file system of the temporary folder cannot reserve space";
    {
        io::AtomicFile file(folder / "a", false);
        expect_error(ErrorCode::output, {"/a: ", "no room for its 4611686018427387904 bytes"},
                     [&] { file.reserve(std::int64_t{1} << 62); });
    }
    EXPECT_EQ(folder.names(), Names{});
}

std::vector<std::uint8_t> decode_png(const std::string& path, std::uint32_t format, std::int64_t& width,
                                     std::int64_t& height) {
    png_image image;
    std::memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    EXPECT_NE(png_image_begin_read_from_file(&image, path.c_str()), 0) << image.message;
    EXPECT_EQ(image.format, format);
    width = image.width, height = image.height;
    std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(image));
    EXPECT_NE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr), 0) << image.message;
    return pixels;
}

TEST(Png, RoundTrips) {
    TempFolder folder;
    for (const int channels : {1, 3}) {
        std::vector<std::uint8_t> pixels(static_cast<std::size_t>(17 * 5 * channels));
        for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 37);
        io::write_png(folder / "a.png", 17, 5, channels, pixels, true);
        const Bytes first = read_file(folder / "a.png");
        std::int64_t width = 0, height = 0;
        EXPECT_EQ(decode_png(folder / "a.png", channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB, width, height),
                  pixels);
        EXPECT_EQ(width, 17);
        EXPECT_EQ(height, 5);
        io::write_png(folder / "a.png", 17, 5, channels, pixels, true);
        EXPECT_EQ(read_file(folder / "a.png"), first);
    }
    EXPECT_EQ(folder.names(), Names{"a.png"});
}

TEST(Png, RefusesWhatDoesNotFit) {
    TempFolder folder;
    const std::vector<std::uint8_t> pixels(12);
    for (const auto& [width, height, channels] :
         {std::array<int, 3>{4, 4, 1}, {0, 12, 1}, {-4, -3, 1}, {4, 3, 2}, {70000, 1, 1}}) {
        expect_error(ErrorCode::usage, {"do not fit"}, [&, w = width, h = height, c = channels] {
            io::write_png(folder / "a.png", w, h, c, pixels, false);
        });
    }
    io::write_png(folder / "a.png", 4, 3, 1, pixels, false);
    expect_error(ErrorCode::output, {"exists already"},
                 [&] { io::write_png(folder / "a.png", 4, 3, 1, pixels, false); });
    expect_error(ErrorCode::output, {"does not exist"},
                 [&] { io::write_png(folder / "no/a.png", 4, 3, 1, pixels, false); });
}

}  // namespace
}  // namespace revoxel::test
