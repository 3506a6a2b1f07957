"""`--preset ibsi` on the CT phantom of the Image Biomarker Standardisation Initiative, against its reference values.

The phantom (CC BY-NC) and the table of consensus values (configurations C, D and E) are not shipped: without ../shared/data, or
REVOXEL_TEST_SHARED_DATA, these tests are skipped. DIGITS has the image's and the mask's diagnostic values, also of B, which
the table lacks.

Configurations: B 2 x 2 mm in plane, bilinear; C and D 2 mm, trilinear; E 2 mm, cubic spline. The mask is always linear and
in the region of interest (ROI) from 0.5. Re-segmentation: B and C [-1000, 400] HU, D 3 sigma, E [-1000, 400] HU, then 3 sigma.

Of the 275 rows of each configuration, 270 with a value, 85 follow from the resampled voxels alone, and are checked:
    img_*, vox_*, mean_int_*, min_int_*, max_int_*     the image before and after
    int_mask_*, morph_mask_*                           the ROI before, after, and after re-segmentation: dimensions,
                                                       bounding box, voxel count, mean, smallest and largest intensity
    stat_*                                             the 18 statistics of the ROI's intensities
    morph_vol_approx, morph_com, morph_pca_*           sums over the ROI's voxels: volume, shift of the centre of mass,
                                                       axes of its ellipsoid
The others need more than voxels, so that they would test another program: the other morph_* a surface mesh; loc_* a sphere
around each voxel; ih_*, ivh_* and the textures (cm_*, rlm_*, szm_*, dzm_*, ngt_*, ngl_*) a discretisation and matrices of it.
test_rows_are_as_said holds this list against the file.
"""

import csv

import nibabel as nib
import numpy as np
import pytest

CONFIGURATIONS = {
    "B": ([2, 2, 0], "linear"),
    "C": ([2, 2, 2], "linear"),
    "D": ([2, 2, 2], "linear"),
    "E": ([2, 2, 2], "bspline3"),
}
CONSENSUS = ["C", "D", "E"]
CHECKED = ("img_", "vox_", "mean_int_", "min_int_", "max_int_", "int_mask_", "morph_mask_", "stat_")
CHECKED += ("morph_vol_approx", "morph_pca_")
NOT_CHECKED = ("morph_", "loc_", "ih_", "ivh_", "cm_", "rlm_", "szm_", "dzm_", "ngt_", "ngl_")


def is_checked(tag):
    return tag.startswith(CHECKED) or tag == "morph_com"


@pytest.fixture(scope="module")
def ibsi(shared_data):
    folder = shared_data / "ibsi"
    if not (folder / "REFERENCE_VALUES.tsv").exists():
        pytest.skip(f"the IBSI phantom is not there: {folder}")
    return folder


@pytest.fixture(scope="module")
def phantom(ibsi):
    return ibsi / "ibsi_1_ct_radiomics_phantom_NC"


@pytest.fixture(scope="module")
def references(ibsi):
    """configuration: tag: (value, tolerance, half a unit of the last digit printed)."""
    result = {}
    lines = (line for line in (ibsi / "REFERENCE_VALUES.tsv").open() if not line.startswith("#"))
    for row in csv.DictReader(lines, delimiter="\t"):
        if row["reference"]:
            value = (float(row["reference"]), float(row["tolerance"]), half_digit(row["reference"]))
            result.setdefault(row["config"], {})[row["tag"]] = value
    return result


def half_digit(text):
    """Half a unit of the last digit printed. Zeros at the end of a whole number count as digits up to three."""
    whole, _, decimals = text.lstrip("-").partition(".")
    if decimals:
        return 0.5 * 10.0 ** -len(decimals)
    return 0.5 * 10.0 ** max(0, len(whole) - max(3, len(whole.rstrip("0"))))


@pytest.fixture(scope="module")
def resampled(phantom, resample, tmp_path_factory):
    """resampled(configuration): image and mask, as nibabel's."""
    folder = tmp_path_factory.mktemp("ibsi")
    made = {}

    def run(name):
        if name not in made:
            spacing, kernel = CONFIGURATIONS[name]
            grid = ["--preset", "ibsi", "--spacing", *spacing]
            # The phantom's whole HU are stored as float32; as integers the preset rounds them after resampling.
            options = [*grid, "--interp", kernel, "--dtype", "int16"]
            image = resample(phantom / "phantom.nii.gz", folder / f"{name}.nii", *options)
            mask = resample(phantom / "mask.nii.gz", folder / f"{name}-mask.nii", *grid, "--mask-threshold", 0.5)
            made[name] = nib.load(image), nib.load(mask)
        return made[name]

    return run


def box(mask):
    return [np.ptp(np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))) + 1 for axis in range(3)]


def resegmented(name, data, mask):
    result = mask.copy()
    if name in "BCE":
        result &= (data >= -1000) & (data <= 400)
    if name in "DE":
        inside = data[result].astype(float)
        result &= np.abs(data - inside.mean()) <= 3 * inside.std()
    return result


def of_image(state, image):
    data = np.asanyarray(image.dataobj).astype(float)
    features = {f"{what}_int_{state}_img": getattr(data, what)() for what in ("mean", "min", "max")}
    for axis, letter in enumerate("xyz"):
        features[f"img_dim_{letter}_{state}_img"] = image.shape[axis]
        features[f"vox_dim_{letter}_{state}_img"] = float(image.header.get_zooms()[axis])
    return features


def of_roi(state, data, intensity, morphological):
    features = {f"int_mask_{what}_int_{state}_roi": getattr(data[intensity], what)() for what in ("mean", "min", "max")}
    for kind, mask in (("int", intensity), ("morph", morphological)):
        features[f"{kind}_mask_vox_count_{state}_roi"] = mask.sum()
        for letter, extent, size in zip("xyz", box(mask), data.shape):
            features[f"{kind}_mask_bb_dim_{letter}_{state}_roi"] = extent
            features[f"{kind}_mask_dim_{letter}_{state}_roi"] = size
    return features


def statistics(x):
    """IBSI's 18; percentiles are numpy's, variances those of a population."""
    mean, median = x.mean(), np.median(x)
    p10, p25, p75, p90 = np.percentile(x, [10, 25, 75, 90])
    middle = x[(x >= p10) & (x <= p90)]
    found = {
        "mean": mean,
        "var": x.var(),
        "skew": ((x - mean) ** 3).mean() / x.std() ** 3,
        "kurt": ((x - mean) ** 4).mean() / x.var() ** 2 - 3,
        "median": median,
        "min": x.min(),
        "p10": p10,
        "p90": p90,
        "max": x.max(),
        "iqr": p75 - p25,
        "range": np.ptp(x),
        "mad": np.abs(x - mean).mean(),
        "rmad": np.abs(middle - middle.mean()).mean(),
        "medad": np.abs(x - median).mean(),
        "cov": x.std() / mean,
        "qcod": (p75 - p25) / (p75 + p25),
        "energy": (x**2).sum(),
        "rms": np.sqrt((x**2).mean()),
    }
    return {f"stat_{name}": value for name, value in found.items()}


def morphology(data, intensity, morphological, spacing):
    points = np.argwhere(morphological) * spacing
    weights = data[intensity]
    centre = (np.argwhere(intensity) * spacing * weights[:, None]).sum(axis=0) / weights.sum()
    least, minor, major = np.sqrt(np.linalg.eigvalsh(np.cov(points.T, bias=True)))
    return {
        "morph_vol_approx": morphological.sum() * np.prod(spacing),
        "morph_com": np.linalg.norm(points.mean(axis=0) - centre),
        "morph_pca_maj_axis": 4 * major,
        "morph_pca_min_axis": 4 * minor,
        "morph_pca_least_axis": 4 * least,
        "morph_pca_elongation": minor / major,
        "morph_pca_flatness": least / major,
    }


def features(name, phantom, resampled):
    before = nib.load(phantom / "phantom.nii.gz")
    mask_before = np.asanyarray(nib.load(phantom / "mask.nii.gz").dataobj) == 1
    image, mask = resampled(name)
    data = np.asanyarray(image.dataobj).astype(float)
    roi = np.asanyarray(mask.dataobj) == 1
    final = resegmented(name, data, roi)
    spacing = np.array(image.header.get_zooms(), float)
    return {
        **of_image("init", before),
        **of_image("interp", image),
        **of_roi("init", np.asanyarray(before.dataobj), mask_before, mask_before),
        **of_roi("interp", data, roi, roi),
        **of_roi("reseg", data, final, roi),
        **statistics(data[final]),
        **morphology(data, final, roi, spacing),
    }


@pytest.mark.parametrize("name", CONSENSUS)
def test_rows_are_as_said(name, references):
    """Every row is either checked or of a family that the docstring leaves out."""
    checked = [tag for tag in references[name] if is_checked(tag)]
    assert len(checked) == 85
    assert len(references[name]) == 270
    left_out = [tag for tag in references[name] if tag not in checked]
    assert all(tag.startswith(NOT_CHECKED) for tag in left_out)


@pytest.mark.parametrize("name", CONSENSUS)
def test_consensus(name, references, phantom, resampled):
    """Every checked value to its last printed digit, not only within the consensus' tolerance."""
    found = features(name, phantom, resampled)
    wrong = []
    for tag, (value, tolerance, digit) in references[name].items():
        if is_checked(tag) and not abs(found[tag] - value) <= digit * 1.0001:
            wrong.append(f"{tag}: {found[tag]:.6g}, the reference is {value:g} +- {tolerance:g}")
    assert not wrong, "\n".join(wrong)


# name: voxels, image mean, min, max; ROI voxels, mean, min, max, box
DIGITS = {
    "B": ((100, 99, 60), -270, -1000, 2257, 29842, -47, -956, 525, (49, 49, 26)),
    "C": ((100, 99, 90), -270, -1000, 1854, 45985, -48.9, -939, 521, (49, 49, 40)),
    "D": ((100, 99, 90), -270, -1000, 1854, 45985, -48.9, -939, 521, (49, 49, 40)),
    "E": ((100, 99, 90), -270, -1111, 2637, 45985, -48.3, -966, 627, (49, 49, 40)),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_resampled(name, resampled):
    image, mask = resampled(name)
    shape, mean, low, high, count, roi_mean, roi_low, roi_high, extent = DIGITS[name]
    data, roi = np.asanyarray(image.dataobj), np.asanyarray(mask.dataobj)
    assert data.dtype == np.int16
    assert roi.dtype == np.uint8
    assert set(np.unique(roi)) == {0, 1}
    assert data.shape == roi.shape == shape
    assert np.array_equal(image.affine, mask.affine)
    assert (round(data.mean()), data.min(), data.max()) == (mean, low, high)
    inside = data[roi == 1]
    decimals = 1 if roi_mean % 1 else 0
    assert (inside.size, round(inside.mean(), decimals)) == (count, roi_mean)
    assert (inside.min(), inside.max()) == (roi_low, roi_high)
    assert tuple(box(roi == 1)) == extent


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_centres_of_the_grids_coincide(name, phantom, resampled):
    before, after = nib.load(phantom / "phantom.nii.gz"), resampled(name)[0]
    centres = [image.affine[:3, :3] @ (np.array(image.shape) - 1) / 2 + image.affine[:3, 3] for image in (before, after)]
    assert np.abs(centres[0] - centres[1]).max() < 1e-4
