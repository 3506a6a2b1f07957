#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "cli/label_text.hpp"

namespace revoxel::cli {
namespace {

using pipeline::LabelFacts;
using pipeline::LabelReport;

LabelFacts facts(std::int64_t value, std::int64_t voxels, std::int64_t components = 1, std::int64_t euler = 1) {
    return {value, voxels, 0.5 * static_cast<double>(voxels), components, euler};
}

/// Labels 1 to `count` of 1000 voxels each; label l loses l voxels.
LabelReport shrinking(std::int64_t count) {
    LabelReport report;
    for (std::int64_t l = 1; l <= count; ++l) report.labels.push_back({facts(l, 1000), facts(l, 1000 - l)});
    return report;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

/// The first word of the lines that begin like a row of the table.
std::vector<std::string> labels_shown(const std::string& text) {
    std::vector<std::string> labels;
    for (const std::string& line : lines_of(text)) {
        if (line.rfind("  ", 0) == 0 && line.rfind("  label", 0) != 0)
            labels.push_back(line.substr(2, line.find(' ', 2) - 2));
    }
    return labels;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(LabelTable, SaysWhatBecameOfEachLabel) {
    LabelReport report;
    report.labels = {{facts(-3, 2000), facts(-3, 2000)},
                     {facts(7, 4000, 1, 0), facts(7, 4001, 3, 2)},
                     {facts(3'000'000'000, 8), facts(3'000'000'000, 0, 0, 0)}};
    EXPECT_EQ(label_table(report),
              "labels: 3 before, 1 vanished\n"
              "  label       mm3 before  mm3 after     change  components   Euler\n"
              "  -3                1000       1000        0 %      1 -> 1  1 -> 1\n"
              "  7                 2000     2000.5    +0.03 %      1 -> 3  0 -> 2\n"
              "  3000000000           4          0  -100.00 %      1 -> 0  1 -> 0  vanished\n");
}

TEST(LabelTable, InventedLabelsAreCalledThat) {
    LabelReport report = shrinking(2);
    report.invented = {facts(99, 6, 2, 2)};
    report.not_labels_after = 12'345;
    const std::string text = label_table(report);
    EXPECT_TRUE(has(text, "labels: 2 before, 0 vanished, 1 INVENTED\n")) << text;
    EXPECT_TRUE(has(text, "INVENTED\n")) << text;
    EXPECT_EQ(labels_shown(text), (std::vector<std::string>{"1", "2", "99"}));
    EXPECT_TRUE(has(text, "0 voxels before and 12 345 after hold no whole number")) << text;
}

TEST(LabelTable, TheFillIsCalledThat) {
    LabelReport report = shrinking(104);
    report.fill = facts(200, 6);
    const std::string text = label_table(report);
    EXPECT_TRUE(has(text, "labels: 104 before, 0 vanished\n")) << text;
    EXPECT_FALSE(has(text, "INVENTED")) << text;
    EXPECT_TRUE(has(text, "the fill\n")) << text;
    EXPECT_EQ(labels_shown(text).size(), kLabelRows);
    EXPECT_EQ(labels_shown(text).back(), "200");
    EXPECT_EQ(label_facts(report)["fill"]["label"], 200);
    EXPECT_TRUE(label_facts({})["fill"].is_null());
}

TEST(LabelTable, ShowsAllUpToItsLength) {
    const auto count = static_cast<std::int64_t>(kLabelRows);
    EXPECT_EQ(labels_shown(label_table(shrinking(count))).size(), kLabelRows);
    EXPECT_FALSE(has(label_table(shrinking(count)), "not shown"));
    EXPECT_TRUE(has(label_table(shrinking(count + 1)),
                    "not shown (see --json): 1 more, their volumes changed by 0.10 % at most\n"));
}

TEST(LabelTable, OfManyLabelsShowsThoseThatChangedMost) {
    LabelReport report = shrinking(104);
    report.labels[4].after = facts(5, 0, 0, 0);
    report.labels[50].after = facts(51, 90'000);
    report.invented = {facts(200, 1)};
    const std::string text = label_table(report);
    const std::vector<std::string> shown = labels_shown(text);
    ASSERT_EQ(shown.size(), kLabelRows);
    EXPECT_EQ(shown[0], "5");
    EXPECT_EQ(shown[1], "51");
    EXPECT_EQ(shown[2], "78");
    EXPECT_EQ(shown[28], "104");
    EXPECT_EQ(shown[29], "200");
    EXPECT_TRUE(has(text, "not shown (see --json): 75 more, their volumes changed by 7.70 % at most\n")) << text;
}

TEST(LabelTable, StaysShortWhenEverythingVanished) {
    LabelReport report = shrinking(1000);
    for (auto& label : report.labels) label.after = facts(label.before.value, 0, 0, 0);
    const std::string text = label_table(report);
    EXPECT_EQ(labels_shown(text).size(), kLabelRows);
    EXPECT_TRUE(has(text, "labels: 1000 before, 1000 vanished\n")) << text;
    EXPECT_TRUE(has(text, "not shown (see --json): 970 more, 970 of them vanished\n")) << text;
    report = {};
    for (int l = 0; l < 100; ++l) report.invented.push_back(facts(l, 1));
    EXPECT_EQ(labels_shown(label_table(report)).size(), kLabelRows);
    EXPECT_TRUE(has(label_table(report), "not shown (see --json): 70 more INVENTED\n"));
}

TEST(LabelTable, FitsEightyColumns) {
    LabelReport report;
    report.labels = {{facts(2'147'483'648, 1'999'999'998, 123, -45), facts(2'147'483'648, 0, 0, 0)}};
    for (const std::string& line : lines_of(label_table(report))) EXPECT_LE(line.size(), 80) << line;
}

TEST(LabelTable, OfNothing) {
    EXPECT_EQ(label_table({}), "labels: 0 before, 0 vanished\n");
}

TEST(LabelFactsJson, HoldEveryLabelExactly) {
    LabelReport report = shrinking(200);
    report.labels.push_back({facts(INT64_MAX, 8, 2, 3), facts(INT64_MAX, 0, 0, 0)});
    report.invented = {facts(INT64_MIN, 6, 2, -1)};
    report.not_labels_before = 17;
    const Json json = Json::parse(dump(label_facts(report)));
    ASSERT_EQ(json["labels"].size(), 201);
    EXPECT_EQ(json["labels"][9]["label"], 10);
    EXPECT_EQ(json["labels"][9]["before"]["voxels"], 1000);
    EXPECT_EQ(json["labels"][9]["after"]["voxels"], 990);
    EXPECT_EQ(json["labels"][9]["after"]["volume_mm3"], 495.0);
    EXPECT_DOUBLE_EQ(json["labels"][9]["change_percent"].get<double>(), -1.0);
    EXPECT_EQ(json["labels"][9]["vanished"], false);
    EXPECT_EQ(json["labels"][200]["label"].get<std::int64_t>(), INT64_MAX);
    EXPECT_EQ(json["labels"][200]["before"]["components"], 2);
    EXPECT_EQ(json["labels"][200]["before"]["euler"], 3);
    EXPECT_EQ(json["labels"][200]["vanished"], true);
    EXPECT_EQ(json["vanished"], Json::array({INT64_MAX}));
    EXPECT_EQ(json["invented"][0]["label"].get<std::int64_t>(), INT64_MIN);
    EXPECT_EQ(json["invented"][0]["after"]["euler"], -1);
    EXPECT_EQ(json["voxels_without_label"]["before"], 17);
    EXPECT_EQ(json["voxels_without_label"]["after"], 0);
}

TEST(LabelFactsJson, EmptyListsAreLists) {
    const Json json = label_facts({});
    for (const char* key : {"labels", "vanished", "invented"}) EXPECT_TRUE(json[key].is_array()) << key;
}

}  // namespace
}  // namespace revoxel::cli
