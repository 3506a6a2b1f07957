#include "cli/label_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "cli/text.hpp"

namespace revoxel::cli {
namespace {

using pipeline::LabelChange;
using pipeline::LabelFacts;
using pipeline::LabelReport;

std::string percent_text(double percent) {
    return percent == 0.0 ? "0 %" : fmt::format("{:+.2f} %", percent);
}

std::string pair_text(std::int64_t before, std::int64_t after) {
    return fmt::format("{} -> {}", before, after);
}

std::vector<std::string> row_of(const LabelChange& label) {
    return {std::to_string(label.before.value),
            number(label.before.volume_mm3),
            number(label.after.volume_mm3),
            percent_text(label.volume_percent()),
            pair_text(label.before.components, label.after.components),
            pair_text(label.before.euler, label.after.euler),
            label.vanished() ? "vanished" : ""};
}

std::vector<std::string> row_of(const LabelFacts& added, const char* what) {
    return {std::to_string(added.value), "0", number(added.volume_mm3), "", pair_text(0, added.components),
            pair_text(0, added.euler),   what};
}

/// By change of volume, most changed first; a label that vanished changed more than any that grew.
std::vector<LabelChange> by_change(std::vector<LabelChange> labels) {
    const auto rank = [](const LabelChange& label) {
        return std::pair(label.vanished(), std::fabs(label.volume_percent()));
    };
    std::stable_sort(labels.begin(), labels.end(), [&](const auto& a, const auto& b) { return rank(a) > rank(b); });
    return labels;
}

std::string left_out_text(std::span<const LabelChange> hidden) {
    if (hidden.empty()) return {};
    const auto vanished =
        std::count_if(hidden.begin(), hidden.end(), [](const auto& label) { return label.vanished(); });
    if (vanished > 0)
        return fmt::format("not shown (see --json): {} more, {} of them vanished\n", hidden.size(), vanished);
    return fmt::format("not shown (see --json): {} more, their volumes changed by {:.2f} % at most\n", hidden.size(),
                       std::fabs(hidden.front().volume_percent()));
}

Json facts_of(const LabelFacts& label) {
    return {{"voxels", label.voxels},
            {"volume_mm3", label.volume_mm3},
            {"components", label.components},
            {"euler", label.euler}};
}

}  // namespace

std::string label_table(const LabelReport& report) {
    const std::size_t fill = report.fill ? 1 : 0, invented = std::min(report.invented.size(), kLabelRows - fill);
    std::vector<LabelChange> shown = by_change(report.labels);
    const std::size_t count = std::min(shown.size(), kLabelRows - fill - invented);
    const std::vector<LabelChange> hidden(shown.begin() + static_cast<std::ptrdiff_t>(count), shown.end());
    shown.resize(count);
    std::sort(shown.begin(), shown.end(), [](const auto& a, const auto& b) { return a.before.value < b.before.value; });

    std::vector<std::vector<std::string>> rows{
        {"label", "mm3 before", "mm3 after", "change", "components", "Euler", ""}};
    for (const LabelChange& label : shown) rows.push_back(row_of(label));
    if (report.fill) rows.push_back(row_of(*report.fill, "the fill"));
    for (std::size_t l = 0; l < invented; ++l) rows.push_back(row_of(report.invented[l], "INVENTED"));

    std::string text = fmt::format("labels: {} before, {} vanished", report.labels.size(), report.vanished());
    if (!report.invented.empty()) text += fmt::format(", {} INVENTED", report.invented.size());
    text += "\n";
    if (rows.size() > 1) text += table(rows, 2, true);
    text += left_out_text(hidden);
    if (report.invented.size() > invented) {
        text += fmt::format("not shown (see --json): {} more INVENTED\n", report.invented.size() - invented);
    }
    if (report.not_labels_before + report.not_labels_after > 0) {
        text += fmt::format("{} voxels before and {} after hold no whole number and belong to no label\n",
                            grouped(report.not_labels_before), grouped(report.not_labels_after));
    }
    return text;
}

Json label_facts(const LabelReport& report) {
    Json labels = Json::array(), vanished = Json::array(), invented = Json::array();
    for (const LabelChange& label : report.labels) {
        labels.push_back({{"label", label.before.value},
                          {"before", facts_of(label.before)},
                          {"after", facts_of(label.after)},
                          {"change_percent", label.volume_percent()},
                          {"vanished", label.vanished()}});
        if (label.vanished()) vanished.push_back(label.before.value);
    }
    for (const LabelFacts& label : report.invented) {
        invented.push_back({{"label", label.value}, {"after", facts_of(label)}});
    }
    Json fill;
    if (report.fill) fill = {{"label", report.fill->value}, {"after", facts_of(*report.fill)}};
    return {{"labels", labels},
            {"vanished", vanished},
            {"fill", fill},
            {"invented", invented},
            {"voxels_without_label", {{"before", report.not_labels_before}, {"after", report.not_labels_after}}}};
}

}  // namespace revoxel::cli
