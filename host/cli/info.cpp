// revoxel info
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "cli/facts.hpp"
#include "cli/report.hpp"
#include "cli/text.hpp"
#include "pipeline/memory.hpp"
#include "revoxel/error.hpp"

namespace revoxel::cli {
namespace {

struct Shown {
    std::string path;
    io::NiftiHeader header;
};

std::string matrix_rows(const Affine& m) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& row : m.m) rows.push_back({"", number(row[0]), number(row[1]), number(row[2]), number(row[3])});
    return table(rows, 12, true);
}

std::string form_text(const char* name, int code, const Affine& affine) {
    constexpr const char* kCodes[] = {"not set",   "scanner", "aligned to another scan",
                                      "Talairach", "MNI 152", "template"};
    const char* meaning = code >= 0 && code <= 5 ? kCodes[code] : "unknown code";
    std::string text = fmt::format("{:<13}code {} ({})\n", name, code, meaning);
    return code > 0 ? text + matrix_rows(affine) : text;
}

std::string dims_text(const io::NiftiHeader& h) {
    std::string text = triple(h.grid.extent);
    for (std::size_t d = 4; d <= 7 && static_cast<std::int64_t>(d) <= h.dim[0]; ++d)
        text += fmt::format(" x {}", h.dim[d]);
    return text;
}

std::string unit_text(const io::NiftiHeader& h) {
    const char* space[] = {"unknown (taken as mm)", "m", "mm", "um"};
    const int time = h.xyzt_units & 0x38;
    const char* times = time == 8 ? "s" : time == 16 ? "ms" : time == 24 ? "us" : time == 0 ? "unknown" : "other";
    return fmt::format("{}, time {}", space[std::min(h.xyzt_units & 7, 3)], times);
}

std::string detail(const Shown& file) {
    const io::NiftiHeader& h = file.header;
    const Vec3 s = spacing(h.grid);
    std::vector<std::vector<std::string>> rows{
        {"format",
         fmt::format("{}{}, {}-endian", name_of(h.format), h.pair ? " pair" : "", h.big_endian ? "big" : "little")},
        {"extent", dims_text(h) + " voxels"},
        {"spacing (mm)", spacing_text(s)},
        {"spacing (um)", fmt::format("{:.6g} x {:.6g} x {:.6g}", s[0] * 1e3, s[1] * 1e3, s[2] * 1e3)},
        {"size (mm)", triple(fov(h.grid))},
        {"orientation", orientation_text(h.grid.affine)},
        {"data type", fmt::format("{} (NIfTI code {})", voxel_text(h), h.datatype)},
        {"scaling", scaling_text(h)},
        {"memory", bytes(pipeline::volume_bytes(h))},
        {"units", unit_text(h)},
    };
    if (h.frames() > 1) rows.push_back({"step (4th)", number(h.pixdim[4])});
    if (h.intent_code != 0 || !h.intent_name.empty()) {
        rows.push_back({"intent", printable(fmt::format("{} {}", h.intent_code, h.intent_name))});
    }
    if (h.cal_min != 0.0 || h.cal_max != 0.0) {
        rows.push_back({"display", fmt::format("{} to {}", number(h.cal_min), number(h.cal_max))});
    }
    if (!h.descrip.empty()) rows.push_back({"description", printable(h.descrip)});
    for (const io::NiftiExtension& e : h.extensions) {
        rows.push_back({"extension", fmt::format("code {}, {} bytes", e.code, e.data.size())});
    }
    rows.push_back({"transform", transform_text(h)});
    if (const std::string other = disagreement_text(h); !other.empty()) rows.push_back({"", other});
    std::string text = printable(file.path) + "\n" + table(rows);
    text += form_text("sform", h.sform_code, h.sform) + form_text("qform", h.qform_code, h.qform);
    if (h.source == io::TransformSource::pixdim) text += "from pixdim\n" + matrix_rows(h.grid.affine);
    return text;
}

std::string summary(const std::vector<Shown>& files) {
    std::vector<std::vector<std::string>> rows{{"extent", "spacing (mm)", "axes", "type", "memory", "file"}};
    for (const Shown& file : files) {
        const io::NiftiHeader& h = file.header;
        rows.push_back({dims_text(h), spacing_text(spacing(h.grid)), orientation_code(h.grid.affine), voxel_text(h),
                        bytes(pipeline::volume_bytes(h)), printable(file.path)});
    }
    return table(rows);
}

}  // namespace

int run_info_command(const InfoArguments& arguments) {
    if (arguments.prefer && *arguments.prefer != "qform" && *arguments.prefer != "sform") {
        throw Error(ErrorCode::usage,
                    fmt::format("--prefer '{}' is not possible; expected sform or qform", *arguments.prefer));
    }
    io::NiftiReadOptions options;
    options.prefer_qform = arguments.prefer && *arguments.prefer == "qform";
    std::vector<Shown> files;
    int code = 0;
    for (const std::string& path : arguments.files) {
        try {
            files.push_back({path, io::read_nifti_header(path, options)});
            for (const std::string& warning : files.back().header.warnings) print_warning(path + ": " + warning);
        } catch (const Error& error) {
            print_error(error.what());
            code = std::max(code, exit_code(error.code()));
        }
    }
    if (arguments.json) {
        Json all = Json::array();
        for (const Shown& file : files) {
            all.push_back(header_facts(file.header, file.path));
            all.back()["warnings"] = file.header.warnings;
        }
        print(dump(all));
    } else if (arguments.files.size() == 1 && !files.empty()) {
        print(detail(files[0]));
    } else if (!files.empty()) {
        print(summary(files));
    }
    return code;
}

}  // namespace revoxel::cli
