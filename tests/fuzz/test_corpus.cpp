// Everything the fuzzer ever found worth keeping, replayed in the ordinary build.
#include <gtest/gtest.h>

#include <filesystem>

#include "fuzz/nifti_target.hpp"
#include "support/files.hpp"

namespace revoxel::test {
namespace {

TEST(FuzzCorpus, EveryFileIsReadOrRefused) {
    int count = 0, readable = 0;
    for (const auto& entry : std::filesystem::directory_iterator(REVOXEL_FUZZ_CORPUS)) {
        if (entry.path().extension() == ".md") continue;
        SCOPED_TRACE(entry.path());
        const Bytes bytes = read_file(entry.path());
        readable += try_nifti(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
        ++count;
    }
    EXPECT_GT(count, 100);
    EXPECT_GT(readable, 30) << "there is something to write and read again";
}

}  // namespace
}  // namespace revoxel::test
