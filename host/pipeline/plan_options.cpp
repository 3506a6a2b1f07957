#include "pipeline/plan_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "pipeline/argmax.hpp"
#include "pipeline/label_value.hpp"
#include "pipeline/stored_fill.hpp"
#include "revoxel/error.hpp"

namespace revoxel::pipeline {
namespace {

[[noreturn]] void refuse(const std::string& message) {
    throw Error(ErrorCode::usage, message);
}

bool makes_numbers(const LabelRequest& label) {
    return !label.labels && !label.argmax;
}

PerAxis<Kernel> choose_kernel(const ResampleRequest& request) {
    if (request.kernel) return *request.kernel;
    return request.resolution.target_fwhm_mm ? Kernel::bspline3 : Kernel::linear;
}

PerAxis<Antialias> choose_antialias(const ResampleRequest& request) {
    if (request.antialias) return *request.antialias;
    return request.resolution.target_fwhm_mm ? Antialias::none : Antialias::automatic;
}

/// Whether a voxel of the output can hold it as a label. Doubles beyond 2^53 skip whole numbers.
bool is_label(double stored, DType dtype) {
    return std::fabs(stored) < 0x1p53 && stored == std::rint(stored) &&
           can_hold(dtype, static_cast<std::int64_t>(stored));
}

/// What lies outside a label map is a label, too.
void check_label_fill(const ResampleRequest& request, const io::NiftiHeader& input, DType output) {
    if (!request.fill) return;
    const double stored = stored_fill(*request.fill, output, input.slope(), input.intercept()).stored;
    // A scaling may leave 2.9999999999999996 of a 3.
    const double rounding = input.scaled() ? 1e-6 : 0.0;
    if (std::fabs(stored - std::rint(stored)) <= rounding && is_label(std::rint(stored), output)) return;
    refuse(fmt::format("fill {:g} is no label that {}{} can hold; give a label map a fill that is one", *request.fill,
                       name_of(output), input.scaled() ? " with the file's scaling" : ""));
}

void check_labels(const ResampleRequest& request) {
    const LabelRequest& label = request.label;
    const int kinds = (label.labels ? 1 : 0) + (label.fraction ? 1 : 0) + (label.argmax ? 1 : 0);
    if (label.fraction && !std::isfinite(*label.fraction))
        refuse("a label is a number; expected one for the label fraction");
    if (kinds > 1) refuse("labels, label fraction and argmax exclude each other; give one of them");
    if (label.keep && !label.labels) refuse("keeping labels is for label maps; add labels or leave it out");
    if (label.softmax && !label.argmax) refuse("softmax comes before argmax; add argmax or leave it out");
    if (!label.table.empty() && !label.argmax) refuse("a table of channel labels is for argmax; leave it out");
    if (request.mask_threshold && !makes_numbers(label)) {
        refuse(
            "a mask threshold does not go with labels or argmax, whose result is a label map; ask for a label "
            "fraction");
    }
    if (label.fraction && std::fabs(*label.fraction) > 0x1p53) {
        refuse(
            "a label fraction beyond 2^53 cannot be told from its neighbours; expected a label up to 9007199254740992");
    }
    if (request.mask_threshold &&
        (request.fill_minimum || (request.fill && *request.fill != 0.0 && *request.fill != 1.0))) {
        refuse("a mask holds 0 and 1 only; expected a fill of 0 or 1");
    }
    if (label.argmax && request.fill_minimum) refuse("the smallest score is no label; give argmax a fill that is one");
    if ((label.labels || label.argmax) && request.resolution.slice_thickness_mm) {
        refuse("a slice thickness is for low-passes of numbers and does not go with labels; leave it out");
    }
    if (request.nan_fill && request.nan_aware) {
        refuse("a fill for NaN and NaN-aware weights are two answers to the same NaN; give one of the two");
    }
    if ((label.labels || label.argmax) && request.rounding) refuse("labels are not rounded; leave the rounding out");
    if (makes_numbers(label)) return;
    if (request.resolution.target_fwhm_mm && label.labels)
        refuse("labels cannot be blurred; leave the target resolution out");
    if (request.nan_fill) refuse("a fill for NaN does not go with labels; leave it out");
}

}  // namespace

void check_request(const ResampleRequest& request) {
    if (request.fill && request.fill_minimum) {
        refuse("a fill value and fill by the minimum were both asked for; give one of the two");
    }
    check_labels(request);
}

void check_request(const ResampleRequest& request, const io::NiftiHeader& input, DType output) {
    const LabelRequest& label = request.label;
    if (label.labels) check_label_fill(request, input, output);
    if (!label.argmax) return;
    const std::int64_t classes = input.frames();
    if (classes < 2) {
        refuse(fmt::format("{}: argmax needs a volume of scores for each class; found one volume, expected a 4-D file",
                           request.input));
    }
    std::string counts;
    int dimensions = 0;
    for (int d = 4; d < 8; ++d) {
        if (d > input.dim[0] || input.dim[d] < 2) continue;
        counts += fmt::format("{}{}", counts.empty() ? "" : " x ", input.dim[d]);
        ++dimensions;
    }
    if (dimensions > 1) {
        refuse(
            fmt::format("{}: argmax needs the scores along one dimension; found {} volumes, expected a 4-D file, or "
                        "5-D with one volume along the fourth",
                        request.input, counts));
    }
    if (label.softmax && is_integer(input.dtype)) {
        refuse(
            fmt::format("{}: softmax needs scores of a floating type; found {}", request.input, name_of(input.dtype)));
    }
    if (const std::string complaint = channel_labels_complaint(label.table, classes, output); !complaint.empty()) {
        refuse(fmt::format("{}: {}", request.input, complaint));
    }
    const double fill = request.fill.value_or(0.0);
    if (!is_label(fill, output)) {
        refuse(fmt::format("fill {:g} is no label that {} can hold; give argmax a fill that is one", fill,
                           name_of(output)));
    }
}

DType choose_dtype(const ResampleRequest& request, const io::NiftiHeader& input) {
    const LabelRequest& label = request.label;
    if (request.dtype == DType::float16) {
        refuse("dtype float16: NIfTI has no such voxels; choose float32, which holds all its values");
    }
    const bool colour = input.components >= 3, complex = input.components == 2;
    const char* single = label.labels             ? "a label map"
                         : label.fraction         ? "a label fraction"
                         : label.argmax           ? "argmax"
                         : request.mask_threshold ? "a mask threshold"
                                                  : nullptr;
    if (single != nullptr && (colour || complex)) {
        refuse(fmt::format("{}: {} needs one number in each voxel; found {} voxels", request.input, single,
                           colour ? "colour" : "complex"));
    }
    if (label.argmax) {
        if (request.dtype) {
            if (!is_integer(*request.dtype)) refuse("labels are whole numbers; expected an integer dtype for argmax");
            return *request.dtype;
        }
        std::int64_t least = 0, most = input.frames() - 1;
        if (!label.table.empty()) {
            least = *std::min_element(label.table.begin(), label.table.end());
            most = *std::max_element(label.table.begin(), label.table.end());
        }
        for (DType dtype : {DType::uint8, DType::uint16, DType::int16, DType::int32}) {
            if (static_cast<double>(least) >= lowest_value(dtype) &&
                static_cast<double>(most) <= highest_value(dtype)) {
                return dtype;
            }
        }
        return DType::int64;
    }
    if (request.mask_threshold) return request.dtype.value_or(DType::uint8);
    const DType dtype = request.dtype.value_or(label.fraction ? DType::float32 : input.dtype);
    if (label.fraction && is_integer(dtype)) {
        refuse(
            fmt::format("a label fraction is a number from 0 to 1, which {} cannot hold; expected float32 or float64",
                        name_of(dtype)));
    }
    if ((colour && dtype != DType::uint8) || (complex && is_integer(dtype))) {
        refuse(fmt::format("dtype {} is not possible for {} voxels; expected {}", name_of(dtype),
                           colour ? "colour" : "complex", colour ? "uint8" : "float32 or float64"));
    }
    return dtype;
}

bool keeps_scaling(const ResampleRequest& request, const io::NiftiHeader& input, DType output) {
    if (request.label.fraction || request.label.argmax || request.mask_threshold) return false;
    // A kernel whose weights do not sum to 1 does not commute with an offset.
    const bool unit_sum = !request.shape || request.shape->normalised;
    if (!unit_sum && input.intercept() != 0.0) return false;
    if (request.label.labels) return true;
    return output == input.dtype || (is_integer(output) && is_integer(input.dtype));
}

PlanOptions plan_options(const ResampleRequest& request, const ResolutionPlan& resolution, const io::NiftiHeader& input,
                         DType output) {
    PlanOptions options;
    options.kernel = choose_kernel(request);
    options.shape = request.shape.value_or(KernelShape{});
    options.antialias = choose_antialias(request);
    options.boundary = request.boundary.value_or(Boundary::edge);
    options.outside = request.outside.value_or(Outside::fill);
    options.blur = resolution.blur;
    options.aperture = resolution.aperture;
    options.labels = request.label.labels;
    options.clip = request.clip.value_or(Clip::none);
    options.nan_aware = request.nan_aware;
    options.rounding = request.rounding.value_or(Rounding::even);
    options.threshold = request.mask_threshold;
    options.input_dtype = request.label.fraction ? DType::uint8 : input.dtype;
    options.output_dtype = request.label.argmax && !is_integer(input.dtype) ? input.dtype
                           : request.label.argmax                           ? DType::float32
                                                                            : output;
    const double fill = request.fill.value_or(0.0);
    if (request.label.fraction || request.label.argmax) {
        options.fill = fill;
        options.boundary_value = request.label.fraction ? fill : 0.0;  // a fill label is no score
        // The largest score is the largest scaled one, also where the slope is negative. Softmax has scaled them.
        if (request.label.argmax && !request.label.softmax) options.output_slope = input.slope();
        return options;
    }
    options.boundary_value = (fill - input.intercept()) / input.slope();
    if (keeps_scaling(request, input, output)) {
        options.fill = stored_fill(fill, output, input.slope(), input.intercept()).stored;
    } else {
        options.fill = fill;
        options.output_slope = input.slope();
        options.output_intercept = input.intercept();
    }
    return options;
}

}  // namespace revoxel::pipeline
