#include "cli/arguments.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "cli/command_line.hpp"
#include "revoxel/error.hpp"

namespace revoxel::cli {
namespace {

[[noreturn]] void refuse(const std::string& message) {
    throw Error(ErrorCode::usage, message);
}

template <typename T>
bool read_all(const std::string& word, T& value) {
    const char* first = word.data();
    const char* last = first + word.size();
    if (first != last && *first == '+') ++first;
    const auto [end, error] = std::from_chars(first, last, value);
    return error == std::errc{} && end == last && first != last;
}

std::vector<std::string> split(const std::string& word) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at <= word.size();) {
        const std::size_t end = std::min(word.find(',', at), word.size());
        parts.push_back(word.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

/// "1", "-2.5", "1,1,3": what may stand after an option of several numbers.
bool is_numbers(const std::string& word) {
    for (const std::string& part : split(word)) {
        double ignored;
        const bool named = part.find_first_of("0123456789") == std::string::npos;  // "inf" and "nan" may be file names
        if (named || !read_all(part, ignored)) return false;
    }
    return true;
}

bool takes_numbers(const std::string& option) {
    return option == "--spacing" || option == "--xyz-spacing" || option == "--size" || option == "--source-fwhm" ||
           option == "--target-fwhm";
}

/// Where an option is given more than once or contradicts another, by the names that the user typed.
void check_grid_ways(const ResampleArguments& a) {
    std::vector<const char*> ways;
    if (a.spacing) ways.push_back("--spacing");
    if (a.x_spacing || a.y_spacing || a.z_spacing) {
        ways.push_back(a.x_spacing ? "--x-spacing" : a.y_spacing ? "--y-spacing" : "--z-spacing");
    }
    if (a.size) ways.push_back("--size");
    if (a.iso) ways.push_back("--iso");
    if (a.budget) ways.push_back("--budget");
    if (a.like) ways.push_back("--like");
    if (ways.empty() && !a.target_fwhm) {
        refuse(
            "no output grid; give one of --spacing, --x-spacing (y, z), --size, --iso, --budget or --like, for example "
            "--spacing 1");
    }
    if (ways.size() > 1) refuse(fmt::format("{} and {} both set the output grid; give one of them", ways[0], ways[1]));
    if (a.like && (a.grid_policy || a.round)) {
        refuse(fmt::format("{} does not go with --like, which sets the grid completely; leave it out",
                           a.grid_policy ? "--grid-policy" : "--round"));
    }
    if (a.size && a.round) refuse("--round does not go with --size, which sets the voxel counts; leave it out");
}

GridRequest grid_from(const ResampleArguments& a) {
    check_grid_ways(a);
    GridRequest grid;
    if (a.spacing) grid.spacing_mm = parse_spacing("--spacing", *a.spacing);
    if (a.x_spacing || a.y_spacing || a.z_spacing) {
        const auto axis = [](const char* option, const Word& word) {
            if (!word) return 0.0;
            const double mm = parse_number(option, *word);
            if (!(mm > 0.0)) refuse(fmt::format("{} {} is not possible; expected mm above 0", option, *word));
            return mm;
        };
        grid.spacing_mm =
            Vec3{axis("--x-spacing", a.x_spacing), axis("--y-spacing", a.y_spacing), axis("--z-spacing", a.z_spacing)};
    }
    if (a.size) grid.extent = parse_extent("--size", *a.size);
    grid.iso = a.iso;
    if (a.budget) grid.budget = parse_budget("--budget", *a.budget);
    grid.like = a.like;
    const bool asked = grid.spacing_mm || grid.extent || grid.iso || grid.budget || grid.like;
    if (!asked) grid.spacing_mm = Vec3{0.0, 0.0, 0.0};  // a blur to a target resolution
    if (a.grid_policy) grid.policy = grid_policy_from_name(*a.grid_policy);
    if (a.round) grid.rule = count_rule_from_name(*a.round);
    return grid;
}

/// One name for all axes, or three.
template <typename T, typename FromName>
PerAxis<T> parse_per_axis(const char* option, const std::string& word, FromName&& from_name) {
    const std::vector<std::string> parts = split(word);
    if (parts.size() != 1 && parts.size() != 3) {
        refuse(fmt::format("{} takes one name, or three for the axes of the input, not {}", option, parts.size()));
    }
    PerAxis<T> values(from_name(parts[0]));
    for (int axis = 1; axis < 3 && parts.size() == 3; ++axis) {
        values[axis] = from_name(parts[static_cast<std::size_t>(axis)]);
    }
    return values;
}

constexpr const char* kLabelGaussian = "label-gaussian";

std::optional<PerAxis<Kernel>> kernel_from(const ResampleArguments& a) {
    if (a.interp && a.order) refuse("--interp and --order both set the kernel; give one of them");
    if (a.interp == kLabelGaussian) return Kernel::gaussian;
    if (a.interp) return parse_per_axis<Kernel>("--interp", *a.interp, kernel_from_name);
    if (!a.order) return std::nullopt;
    constexpr Kernel kByOrder[] = {Kernel::nearest, Kernel::linear, Kernel::bspline2, Kernel::bspline3};
    return kByOrder[parse_integer("--order", *a.order, 0, 3)];
}

std::optional<KernelShape> shape_from(const ResampleArguments& a) {
    const bool label_gaussian = a.interp == kLabelGaussian;
    if (!a.radius && !a.sigma && !a.cut && !a.unnormalised && !label_gaussian) return std::nullopt;
    KernelShape shape;
    if (label_gaussian) shape.sigma = shape.alpha = 1.0;
    if (a.radius) shape.radius = static_cast<int>(parse_integer("--radius", *a.radius, 2, 8));
    if (a.sigma) shape.sigma = parse_number("--sigma", *a.sigma);
    if (a.cut) shape.alpha = parse_number("--cut", *a.cut);
    shape.normalised = !a.unnormalised;
    return shape;
}

int compression_from(const std::string& word) {
    if (word == "fast") return io::kFastCompression;
    if (word.size() == 1 && word[0] >= '0' && word[0] <= '9') return word[0] - '0';
    refuse(fmt::format("--compression '{}' is not possible; expected fast or a whole number from 0 to 9", word));
}

void set_resolution(const ResampleArguments& a, ResolutionRequest& resolution) {
    if (a.source_fwhm) resolution.source_fwhm_mm = parse_spacing("--source-fwhm", *a.source_fwhm);
    if (a.target_fwhm) resolution.target_fwhm_mm = parse_spacing("--target-fwhm", *a.target_fwhm);
    if (a.slice_thickness) resolution.slice_thickness_mm = parse_number("--slice-thickness", *a.slice_thickness);
}

void set_labels(const ResampleArguments& a, LabelRequest& label) {
    if (a.interp == kLabelGaussian && !a.labels) refuse("--interp label-gaussian is for label maps; add --labels");
    if (a.label_report && !a.labels) refuse("--label-report is for label maps; add --labels");
    if (a.compare && (a.label_fraction || a.argmax || a.mask_threshold)) {
        refuse(
            fmt::format("--compare does not go with {}: its values are of another kind than the input's; leave it out",
                        a.argmax           ? "--argmax"
                        : a.label_fraction ? "--label-fraction"
                                           : "--mask-threshold"));
    }
    label.labels = a.labels;
    label.keep = a.keep_labels;
    label.argmax = a.argmax;
    label.softmax = a.softmax;
    if (a.label_fraction) label.fraction = parse_number("--label-fraction", *a.label_fraction);
    if (!a.channel_labels) return;
    for (const std::string& part : split(*a.channel_labels)) {
        label.table.push_back(parse_integer("--channel-labels", part, INT64_MIN, INT64_MAX));
    }
}

void set_gpu(const ResampleArguments& a, ResampleRequest& request) {
    if (a.device && a.devices) refuse("--device and --devices both say which GPU computes; give one of them");
    const char* option = a.device ? "--device" : "--devices";
    constexpr std::int64_t kHighest = 1023;
    if (a.device) request.devices = {static_cast<int>(parse_integer(option, *a.device, 0, kHighest))};
    if (a.devices) {
        for (const std::string& part : split(*a.devices)) {
            request.devices.push_back(static_cast<int>(parse_integer(option, part, 0, kHighest)));
        }
    }
    if (a.gpu_memory) request.gpu_memory = parse_bytes("--gpu-memory", *a.gpu_memory);
    if (a.precision) request.precision = precision_from_name(*a.precision);
}

void set_values(const ResampleArguments& a, ResampleRequest& request) {
    request.preset = a.preset;
    request.kernel = kernel_from(a);
    request.shape = shape_from(a);
    if (a.antialias) {
        request.antialias = parse_per_axis<Antialias>("--antialias", *a.antialias, antialias_from_name);
    }
    if (a.boundary) request.boundary = boundary_from_name(*a.boundary);
    if (a.outside) request.outside = outside_from_name(*a.outside);
    if (a.clip) request.clip = clip_from_name(*a.clip);
    if (a.integers) request.rounding = rounding_from_name(*a.integers);
    if (a.nan_fill) request.nan_fill = parse_number("--nan-fill", *a.nan_fill);
    request.nan_aware = a.nan_aware;
    if (a.mask_threshold) request.mask_threshold = parse_number("--mask-threshold", *a.mask_threshold);
    if (!a.fill) return;
    request.fill_minimum = *a.fill == "min";
    if (request.fill_minimum) return;
    double value = 0.0;
    if (!read_all(*a.fill, value)) refuse(fmt::format("--fill '{}' is neither a number nor min", *a.fill));
    request.fill = value;
}

}  // namespace

std::vector<std::string> join_numbers(const std::vector<std::string>& words) {
    std::vector<std::string> joined;
    for (std::size_t at = 0; at < words.size(); ++at) {
        const std::string& word = words[at];
        if (word == "--") {
            joined.insert(joined.end(), words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
            break;
        }
        const std::size_t equals = word.find('=');
        std::string numbers = equals == std::string::npos ? "" : word.substr(equals + 1);
        if (!takes_numbers(word.substr(0, equals)) || (!numbers.empty() && !is_numbers(numbers))) {
            joined.push_back(word);
            continue;
        }
        while (at + 1 < words.size() && is_numbers(words[at + 1])) {
            numbers += (numbers.empty() ? "" : ",") + words[++at];
        }
        joined.push_back(numbers.empty() ? word : word.substr(0, equals) + "=" + numbers);
    }
    return joined;
}

double parse_number(const std::string& option, const std::string& word) {
    double value = 0.0;
    if (!read_all(word, value)) refuse(fmt::format("{} '{}' is not a number", option, word));
    return value;
}

std::int64_t parse_integer(const std::string& option, const std::string& word, std::int64_t lowest,
                           std::int64_t highest) {
    std::int64_t value = 0;
    if (!read_all(word, value) || value < lowest || value > highest) {
        refuse(fmt::format("{} '{}' is not possible; expected a whole number from {} to {}", option, word, lowest,
                           highest));
    }
    return value;
}

Vec3 parse_spacing(const std::string& option, const std::string& word) {
    const std::vector<std::string> parts = split(word);
    if (parts.size() != 1 && parts.size() != 3) {
        refuse(fmt::format("{} takes one number or three, in mm ({} 1 or {} 1 1 3), not {}", option, option, option,
                           parts.size()));
    }
    Vec3 mm;
    for (std::size_t d = 0; d < 3; ++d) {
        const std::string& part = parts[parts.size() == 1 ? 0 : d];
        mm[d] = parse_number(option, part);
        const bool kept = mm[d] == 0.0 && parts.size() == 3;
        if (!std::isfinite(mm[d]) || !(mm[d] > 0.0 || kept)) {
            refuse(fmt::format("{} {} is not possible; expected mm above 0", option, part));
        }
    }
    return mm;
}

Extent parse_extent(const std::string& option, const std::string& word) {
    const std::vector<std::string> parts = split(word);
    if (parts.size() != 3) {
        refuse(fmt::format("{} takes three voxel counts ({} 256 256 128; 0 keeps an axis), not {}", option, option,
                           parts.size()));
    }
    Extent extent;
    for (std::size_t d = 0; d < 3; ++d) extent[d] = parse_integer(option, parts[d], 0, std::int64_t{1} << 24);
    return extent;
}

namespace {

/// A number, perhaps with k, M or G (thousands) behind it.
std::optional<std::int64_t> parse_count(const std::string& word) {
    double factor = 1.0;
    std::string digits = word;
    const char last = word.empty() ? '\0' : word.back();
    if (last == 'k' || last == 'K') factor = 1e3;
    if (last == 'm' || last == 'M') factor = 1e6;
    if (last == 'g' || last == 'G') factor = 1e9;
    if (factor > 1.0) digits.pop_back();
    double value = 0.0;
    if (!read_all(digits, value) || !(value * factor >= 1.0) || !(value * factor <= 9e18)) return std::nullopt;
    return static_cast<std::int64_t>(value * factor);
}

}  // namespace

std::int64_t parse_budget(const std::string& option, const std::string& word) {
    if (const auto voxels = parse_count(word)) return *voxels;
    refuse(fmt::format("{} '{}' is not a number of voxels; expected for example 50000000, 50M or 0.5G", option, word));
}

std::int64_t parse_bytes(const std::string& option, const std::string& word) {
    if (const auto bytes = parse_count(word)) return *bytes;
    refuse(fmt::format("{} '{}' is not a number of bytes; expected for example 300M or 2G", option, word));
}

ResampleRequest request_from(const ResampleArguments& a) {
    ResampleRequest request;
    request.input = a.input;
    request.output = a.output;
    if (a.output.empty() && !a.dry_run) refuse("no OUTPUT; name the file to write, or add --dry-run to write nothing");
    if (a.quiet && a.json) refuse("--quiet and --json contradict each other; give one of them");
    request.grid = grid_from(a);
    set_values(a, request);
    set_resolution(a, request.resolution);
    set_labels(a, request.label);
    if (a.dtype) request.dtype = dtype_from_name(*a.dtype);
    if (a.prefer && *a.prefer != "qform" && *a.prefer != "sform") {
        refuse(fmt::format("--prefer '{}' is not possible; expected sform or qform", *a.prefer));
    }
    request.prefer_qform = a.prefer && *a.prefer == "qform";
    if (a.backend) request.backend = backend_from_name(*a.backend);
    set_gpu(a, request);
    if (a.memory) request.memory = parse_bytes("--memory", *a.memory);
    if (a.threads) request.threads = static_cast<int>(parse_integer("--threads", *a.threads, 0, 4096));
    if (a.compression) request.compression = compression_from(*a.compression);
    request.overwrite = a.force;
    if (a.preview && !(a.preview->size() > 4 && (a.preview->ends_with(".png") || a.preview->ends_with(".PNG")))) {
        refuse(fmt::format("--preview '{}' does not end in .png, which is what will be written", *a.preview));
    }
    return request;
}

}  // namespace revoxel::cli
