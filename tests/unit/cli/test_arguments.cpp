#include <gtest/gtest.h>

#include "cli/arguments.hpp"
#include "cli/command_line.hpp"
#include "cli/text.hpp"
#include "revoxel/error.hpp"

namespace revoxel::cli {
namespace {

using Words = std::vector<std::string>;

TEST(JoinNumbers, GathersNumbersAndLeavesNames) {
    EXPECT_EQ(join_numbers({"--spacing", "1", "in.nii", "out.nii"}), (Words{"--spacing=1", "in.nii", "out.nii"}));
    EXPECT_EQ(join_numbers({"--spacing", "1", "1", "3", "in.nii"}), (Words{"--spacing=1,1,3", "in.nii"}));
    EXPECT_EQ(join_numbers({"in", "out", "--size", "2", "3", "4"}), (Words{"in", "out", "--size=2,3,4"}));
    EXPECT_EQ(join_numbers({"--xyz-spacing", "1,1,3", "in"}), (Words{"--xyz-spacing=1,1,3", "in"}));
    EXPECT_EQ(join_numbers({"--spacing=1", "2", "3", "in"}), (Words{"--spacing=1,2,3", "in"}));
    EXPECT_EQ(join_numbers({"--spacing", "-1", "--force"}), (Words{"--spacing=-1", "--force"}));
    EXPECT_EQ(join_numbers({"--spacing", "in"}), (Words{"--spacing", "in"}));
    EXPECT_EQ(join_numbers({"--spacing", "1", "./1"}), (Words{"--spacing=1", "./1"}));
    EXPECT_EQ(join_numbers({"--spacing", "1", "inf"}), (Words{"--spacing=1", "inf"}));
    EXPECT_EQ(join_numbers({"--", "--spacing", "1"}), (Words{"--", "--spacing", "1"}));
    EXPECT_EQ(join_numbers({"--fill", "1", "2"}), (Words{"--fill", "1", "2"})) << "one number, then a name";
}

TEST(ParseNumbers, AcceptsWhatPeopleWrite) {
    EXPECT_EQ(parse_spacing("--spacing", "1.5"), (Vec3{1.5, 1.5, 1.5}));
    EXPECT_EQ(parse_spacing("--spacing", "1,+2,3e0"), (Vec3{1, 2, 3}));
    EXPECT_EQ(parse_spacing("--spacing", "0,0,2"), (Vec3{0, 0, 2}));
    EXPECT_EQ(parse_extent("--size", "0,5,6"), (Extent{0, 5, 6}));
    EXPECT_EQ(parse_budget("--budget", "50M"), 50'000'000);
    EXPECT_EQ(parse_budget("--budget", "0.5G"), 500'000'000);
    EXPECT_EQ(parse_budget("--budget", "1e6"), 1'000'000);
    EXPECT_EQ(parse_budget("--budget", "20k"), 20'000);
    for (const char* word : {"", "x", "1,2", "1,2,3,4", "-1", "0", "1,1,-1", "inf", "1,,2", "1mm", "0x10"}) {
        EXPECT_THROW(parse_spacing("--spacing", word), Error) << word;
    }
    for (const char* word : {"", "1", "1,2", "1,2,3.5", "1,2,-3", "1,2,99999999999"}) {
        EXPECT_THROW(parse_extent("--size", word), Error) << word;
    }
    for (const char* word : {"", "M", "0", "-5", "nan", "1e30", "5T"})
        EXPECT_THROW(parse_budget("--budget", word), Error) << word;
}

TEST(CommandLineOptions, EachHasATextAndEachValueAKind) {
    const std::unique_ptr<CommandLine> line = make_command_line();
    for (const CLI::App* command : commands_of(line->app)) {
        EXPECT_FALSE(command->get_description().empty());
        for (const CLI::Option* o : options_of(*command)) {
            EXPECT_FALSE(o->get_description().empty()) << names_of(*o);
            EXPECT_TRUE(!takes_value(*o) || !o->get_type_name().empty()) << names_of(*o);
        }
    }
}

TEST(Text, NumbersReadWell) {
    EXPECT_EQ(number(0.796875), "0.79688");
    EXPECT_EQ(number(-0.0), "0");
    EXPECT_EQ(number(1024), "1024");
    EXPECT_EQ(number(123456), "123456");
    EXPECT_EQ(bytes(999), "999 bytes");
    EXPECT_EQ(bytes(21'495'808), "21.5 MB");
    EXPECT_EQ(bytes(999'999), "1.0 MB");
    EXPECT_EQ(grouped(1234567), "1 234 567");
    EXPECT_EQ(grouped(-123), "-123");
    EXPECT_EQ(printable("a\nb\x7f\xc3\xa9"), "a?b?\xc3\xa9");
    EXPECT_EQ(wrapped("one two three", 7), (Words{"one two", "three"}));
    EXPECT_EQ(table({{"a", "b"}, {"ccc", ""}}), "a    b\nccc\n");
}

}  // namespace
}  // namespace revoxel::cli
