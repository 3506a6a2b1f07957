"""`--preset NAME` against what the tool itself makes of the same file: the light tools are run, the results of the others,
and of MRtrix, which no package index has, are in data/. Nearest neighbour and labels must be equal, other values within 1e-5 of the input's range, on the same grid.

Where a tool has a defect that docs/presets.md says we do not copy, the test shows both: that the definition with the
defect is what the tool gives, and that the definition without it is what we give. FreeSurfer, FLIRT and 3dresample cannot
be run; their presets are held against the formulas of docs/presets.md.
"""

import itertools
import json
from pathlib import Path

import definition
import nibabel as nib
import numpy as np
import pytest
import tools
from conftest import shipped_data_folder
from records import (
    SCANS,
    cases,
    check_affine,
    check_values,
    grid,
    interpolated,
    is_labels,
    kernels_of,
    load,
    needs_mrtrix,
    nnunet_across,
    nnunet_in_plane,
    path_of,
    recorded,
    requests,
    span_of,
    thick_axis,
)
from support import grid_about, save_reference

TOLERANCE = 1e-5  # of the input's range
PRESETS = "ibsi simpleitk scipy skimage torch torchio monai nnunet mrtrix freesurfer fsl afni ants".split()
every_preset = pytest.mark.parametrize("name", PRESETS)


@pytest.fixture
def preset(resample, tmp_path):
    """preset(name, scan, spacing, option...): our result, an image; label maps with --labels."""

    number = itertools.count()

    def run(name, scan, spacing, *options):
        source = scan if isinstance(scan, Path) else path_of(scan)
        labels = ["--labels"] if is_labels(source.name.removesuffix(".nii.gz")) else []
        options = ["--preset", name, "--spacing", *spacing, *labels, *options]
        return nib.load(resample(source, tmp_path / f"{name}-{next(number)}.nii", *options))

    return run


def values(image):
    return np.asanyarray(image.dataobj)


def check(ours, theirs, affine, image):
    """Same values on the same grid; label maps, whose values are not computed, exactly."""
    check_values(values(ours), theirs, image, 0 if values(image).dtype == np.uint8 else TOLERANCE)
    check_affine(ours.affine, affine)


def check_truncated(ours, theirs, exact):
    """Equal integers, but for voxels whose exact value is a whole number: there rounding errors decide."""
    assert values(ours).dtype == theirs.dtype
    decided = np.abs(exact - np.rint(exact)) > 1e-4
    assert decided.mean() > 0.4
    assert np.array_equal(values(ours)[decided], theirs[decided])


def check_sampled(ours, image, positions, step):
    """The header says where the samples were taken."""
    check_affine(ours.affine, definition.affine_of(image.affine, positions, step))


def differ(found, expected, image):
    return np.abs(np.asarray(found, float) - expected) > TOLERANCE * span_of(image)


@cases("torch", variant="size")
def test_torch(name, case, preset):
    ours = preset("torch", case["input"], case["spacing"])
    assert values(ours).dtype == np.float32
    check(ours, recorded(name), load(name).affine, load(case["input"]))


@cases("torch", variant="scale_factor")
def test_torch_scale_factor_is_not_copied(name, case, preset):
    """scale_factor keeps the first face and not the field of view."""
    image = load(case["input"])
    theirs = interpolated(image, grid(image, case["spacing"], "face", "floor", minimum=1)[2], "linear")
    check_values(recorded(name), theirs, image, TOLERANCE)
    _, size, positions = grid(image, case["spacing"], "edges", "floor", minimum=1)
    ours = preset("torch", case["input"], case["spacing"])
    check_values(values(ours), interpolated(image, positions, "linear"), image, TOLERANCE)
    check_sampled(ours, image, positions, np.array(image.shape) / size)
    assert differ(values(ours), recorded(name), image).mean() > 0.9


@cases("torch", variant="nearest-exact")
def test_torch_labels(name, case, preset):
    check(preset("torch", case["input"], case["spacing"]), recorded(name), load(name).affine, load(case["input"]))


@cases("torch", variant="nearest")
def test_torch_nearest_is_not_copied(name, case, preset):
    """mode="nearest" reads voxel floor(o n/m), half a step before the nearest."""
    image = load(case["input"])
    _, size, positions = grid(image, case["spacing"], "edges", "floor", minimum=1)
    index = np.ix_(*[np.floor(np.arange(m) * n / m).astype(int) for n, m in zip(image.shape, size)])
    assert np.array_equal(recorded(name), values(image)[index])
    ours = values(preset("torch", case["input"], case["spacing"]))
    assert np.array_equal(ours, interpolated(image, positions, "nearest"))
    assert (ours != recorded(name)).mean() > 0.1


@cases("torchio", variant="default")
def test_torchio(name, case, preset):
    image = load(case["input"])
    ours = preset("torchio", case["input"], case["spacing"])
    assert values(ours).dtype == case["dtype"]
    if values(ours).dtype != np.int16:
        check(ours, recorded(name), case["affine"], image)
        return
    check_affine(ours.affine, case["affine"])
    exact = values(preset("torchio", case["input"], case["spacing"], "--dtype", "float64"))
    check_truncated(ours, recorded(name).astype(np.int16), exact)


@cases("torchio", variant="antialias")
def test_torchio_antialias(name, case, preset):
    """antialias=True is Cardoso's Gaussian; ITK's recursive one is within 1 % of the range of ours."""
    ours = preset("torchio", case["input"], case["spacing"], "--antialias", "gaussian", "--dtype", "float32")
    check_affine(ours.affine, case["affine"])
    check_values(values(ours), recorded(name), load(case["input"]), 0.01)


@cases("monai")
def test_monai(name, case, preset):
    """Of tilted scans MONAI's corner search may fail; then index n/2 stays in place, here --grid-policy half. We do not
    copy that: the preset keeps the first voxel, as MONAI means to."""
    image = load(case["input"])
    failed = case["input"] == "oblique"
    ours = preset("monai", case["input"], case["spacing"], *(["--grid-policy", "half"] if failed else []))
    check(ours, recorded(name), case["affine"], image)
    if failed:
        ours = preset("monai", case["input"], case["spacing"])
        step, _, positions = grid(image, case["spacing"], "first", "first to last")
        check_sampled(ours, image, positions, step)
        clamped = [np.clip(c, 0, n - 1) for c, n in zip(positions, image.shape)]
        check_values(values(ours), interpolated(image, clamped, "linear"), image, TOLERANCE)


def nnunet_cases(word):
    return [pytest.param(*p, id=p[0]) for p in cases("nnunet").args[1] if word in p[0]]


@cases("nnunet")
def test_nnunet(name, case, preset):
    image = load(case["input"])
    data = values(image)
    ours = preset("nnunet", case["input"], case["spacing"])
    check_affine(ours.affine, load(name).affine)
    thick = thick_axis(image, case["spacing"])
    if name.endswith("tied"):
        return  # test_nnunet_ties
    if is_labels(case["input"]) or thick is None:
        check(ours, recorded(name), load(name).affine, image)
        return
    # With a thick axis nnU-Net clips each slice to its own range, which is not copied: we clip to the volume's.
    _, _, positions = grid(image, case["spacing"], "edges", "even")
    spline = nnunet_in_plane(image, data, positions, thick, "bspline3")
    in_plane = tuple(axis for axis in range(3) if axis != thick)
    slices = np.clip(spline, data.min(axis=in_plane, keepdims=True), data.max(axis=in_plane, keepdims=True))
    check_values(recorded(name), nnunet_across(image, slices, positions, thick), image, TOLERANCE)
    volume = np.clip(nnunet_across(image, spline, positions, thick), data.min(), data.max())
    check_values(values(ours), volume, image, TOLERANCE)
    assert 0 < differ(values(ours), recorded(name), image).mean() < 0.01


@cases("nnunet", input="even_labels")
def test_nnunet_ties(name, case, preset):
    """Of several labels with the same, largest share batchgenerators prefers the nearest voxel's; we take the smallest."""
    image = load(case["input"])
    data = values(image)
    _, _, positions = grid(image, case["spacing"], "edges", "even")
    linear = lambda part: interpolated_of(image, part, positions)  # noqa: E731
    _, tied = definition.argmax_of_indicators(data, linear, interpolated(image, positions, "nearest"))
    ours = values(preset("nnunet", case["input"], case["spacing"]))
    assert np.array_equal(ours[~tied], recorded(name)[~tied])
    labels = np.unique(data)
    shares = np.stack([linear((data == label).astype(float)) for label in labels])
    smallest = labels[np.argmax(shares > shares.max(axis=0) - 1e-12, axis=0)]
    assert np.array_equal(ours[tied], smallest[tied])
    assert (ours[tied] != recorded(name)[tied]).any()


def interpolated_of(image, data, positions):
    return nnunet_in_plane(image, data, positions, None, "linear")


ANTS_OPTIONS = {"nearest": [], "linear": [], "bspline": ["--interp", "bspline3"]}


@cases("ants")
def test_ants(name, case, preset):
    ours = preset("ants", case["input"], case["spacing"], *ANTS_OPTIONS[case["variant"]])
    check(ours, recorded(name), case["affine"], load(case["input"]))


SMOOTH = {"nearest": [], "linear": ["--interp", "linear"], "bspline": ["--interp", "bspline3"]}


@requests
def test_simpleitk(scan, spacing, preset):
    import SimpleITK as sitk

    image = load(scan)
    for kernel in kernels_of(scan, "linear", "bspline"):
        options = [] if kernel == "linear" else SMOOTH[kernel]
        theirs = tools.run_simpleitk(path_of(scan), spacing, kernel, sitk.sitkFloat64)
        stored = tools.run_simpleitk(path_of(scan), spacing, kernel).data
        ours = preset("simpleitk", scan, spacing, *options)
        if kernel == "nearest" or stored.dtype.kind == "f":
            check(ours, stored, theirs.affine, image)
            continue
        exact = preset("simpleitk", scan, spacing, "--dtype", "float64", *options)
        check(exact, theirs.data, theirs.affine, image)
        check_truncated(preset("simpleitk", scan, spacing, *options), stored, theirs.data)


@requests
def test_scipy(scan, spacing, preset):
    """The values are scipy's. The affine is that of the samples, which the common script's is not."""
    image = load(scan)
    step, size, positions = grid(image, spacing, "ends", "even")
    sampled = definition.affine_of(image.affine, positions, [c[1] - c[0] for c in positions])
    for kernel in kernels_of(scan, "linear", "bspline"):
        options = [] if kernel == "bspline" else SMOOTH[kernel]
        theirs = tools.run_scipy(path_of(scan), spacing, kernel)
        ours = preset("scipy", scan, spacing, *options)
        check(ours, theirs.data, sampled, image)
        assert np.abs(theirs.affine - sampled).max() > 0.01
        assert values(ours).dtype == (np.uint8 if is_labels(scan) else np.float64)
        if image.get_data_dtype() != np.int16:
            continue
        stored = tools.run_scipy(path_of(scan), spacing, kernel, keep_dtype=True).data
        halves = np.abs(theirs.data - np.floor(theirs.data) - 0.5) < 1e-4
        ours = values(preset("scipy", scan, spacing, "--dtype", "int16", *options))
        assert ours.dtype == stored.dtype == np.int16
        assert np.array_equal(ours[~halves], stored[~halves])


@requests
def test_skimage(scan, spacing, preset):
    image = load(scan)
    _, size, positions = grid(image, spacing, "edges", "even")
    for kernel in kernels_of(scan, "linear", "bspline"):
        theirs = tools.run_skimage(path_of(scan), spacing, kernel).data
        ours = preset("skimage", scan, spacing, *([] if kernel == "linear" else SMOOTH[kernel]))
        sampled = definition.affine_of(image.affine, positions, np.array(image.shape) / size)
        check(ours, theirs, sampled, image)
        assert values(ours).dtype == (np.uint8 if is_labels(scan) else np.float64)


@cases("mrtrix", input=SCANS)
def test_mrtrix(name, case, preset):
    """The samples of MRtrix's anti-aliasing that lie outside the input count as 0, which we do not copy: they take the
    edge's value. Voxels without such samples are equal."""
    image, kernel = load(case["input"]), case["variant"]
    step, _, positions = grid(image, case["spacing"], "centre", "mrtrix")
    ours = preset("mrtrix", case["input"], case["spacing"], *([] if kernel != "linear" else SMOOTH[kernel]))
    check_affine(ours.affine, case["affine"])
    assert values(ours).dtype == case["dtype"]
    if kernel == "nearest":
        assert np.array_equal(values(ours), recorded(name))
        return
    zeros, edges = (
        definition.apply(
            values(image),
            [
                definition.supersampling(c, n, k, kernel, outside_is_zero)
                for c, n, k in zip(positions, image.shape, step)
            ],
        )
        for outside_is_zero in (True, False)
    )
    check_values(recorded(name), zeros, image, TOLERANCE)
    check_values(values(ours), edges, image, TOLERANCE)
    darker = differ(zeros, edges, image)
    assert max(step) > 2 or not darker.any()
    assert not differ(values(ours), recorded(name), image)[~darker].any()


def half_away(x):
    return np.trunc(x + np.copysign(0.5, x))


BY_FORMULA = {
    # count, policy, kernel, boundary, integers; options for what the preset does not share with the tool
    "freesurfer": (lambda n, k: int(np.ceil(n / k)), "half", "linear", "constant", half_away, []),
    "afni": (lambda n, k: int(n / k + 0.499), "centre", "nearest", "edge", np.rint, []),
    "fsl": (lambda n, k: max(1, int(n / k)), "first", "linear", "edge", np.trunc, ["--antialias", "none"]),
}


@requests
@pytest.mark.parametrize("name", BY_FORMULA)
def test_tools_that_cannot_be_run(name, scan, spacing, preset):
    """The formulas of docs/presets.md. Of FLIRT's blur before down-sampling the preset has another (-noresampblur: none)."""
    count, policy, kernel, boundary, integers, options = BY_FORMULA[name]
    image = load(scan)
    step = np.asarray(spacing) / tools.header_spacing(image)
    size = [count(n, k) for n, k in zip(image.shape, step)]
    positions = [definition.POLICIES[policy](n, m, k) for n, m, k in zip(image.shape, size, step)]
    if name == "fsl" and np.linalg.det(image.affine) > 0:  # FSL's own x axis then runs against the file's
        positions[0] += image.shape[0] - 1 - positions[0][-1]
    ours = preset(name, scan, spacing, *options, *([] if is_labels(scan) else ["--dtype", "float64"]))
    check_sampled(ours, image, positions, step)
    if is_labels(scan):
        kernel = "nearest"
    inside = [np.clip(c, 0, n - 1) for c, n in zip(positions, image.shape)] if boundary == "edge" else positions
    expected = interpolated(image, inside, kernel, boundary)
    check(ours, expected, ours.affine, image)
    stored = values(preset(name, scan, spacing, *options))
    assert stored.dtype == image.get_data_dtype()
    if stored.dtype == np.int16:
        decided = integers(expected - 1e-4) == integers(expected + 1e-4)
        decided |= kernel == "nearest"
        assert decided.mean() > 0.4
        assert np.array_equal(stored[decided], integers(expected)[decided])


LIGHT = {
    # how the tool is run, its usual kernel, grid policy and count
    "simpleitk": (tools.run_simpleitk, "linear", "first", "even"),
    "scipy": (tools.run_scipy, "bspline", "ends", "even"),
    "skimage": (tools.run_skimage, "linear", "edges", "even"),
    "mrtrix": (tools.run_mrtrix, "cubic", "centre", "mrtrix"),
}
WHOLE = [
    ("t1_head", (1.5, 1.5, 1.5)),
    ("ct_abdomen", (5, 5, 5)),
    ("oblique", (2, 2, 2)),
    ("ct_abdomen_labels", (1.5, 1.5, 1.5)),
    ("ct_abdomen_labels", (4.5, 4.5, 4.5)),
    ("t1_head_labels", (2.6, 4, 6)),
]


def is_half(c):
    return np.abs(c - np.floor(c) - 0.5) < 1e-6


def anywhere(positions, condition):
    """The voxels of which the position along some axis is as said."""
    result = False
    for axis, c in enumerate(positions):
        result = result | condition(axis, c).reshape([-1 if a == axis else 1 for a in range(3)])
    return result


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs_mrtrix if n == "mrtrix" else ()) for n in LIGHT])
@pytest.mark.parametrize("scan, spacing", WHOLE, ids=str)
def test_whole_scans_to_round_spacings(name, scan, spacing, preset):
    """Even sizes and round spacings: samples half-way between voxels and on the outer faces, which the crops do not have.
    The preset goes up there, and so do the tools, but for a few planes of which rounding errors decide: ITK and scipy
    compute positions along the world's axes or from the ends."""
    run, kernel, policy, count = LIGHT[name]
    path = shipped_data_folder() / f"{scan}.nii.gz"
    image = nib.load(path)
    options = [] if is_labels(scan) or image.get_data_dtype().kind == "f" else ["--dtype", "float64"]
    if name == "simpleitk" and not is_labels(scan):
        import SimpleITK as sitk

        theirs = tools.run_simpleitk(path, spacing, kernel, sitk.sitkFloat64)
    else:
        theirs = run(path, spacing, "nearest" if is_labels(scan) else kernel)
    ours = values(preset(name, path, spacing, *options))
    _, _, positions = grid(image, spacing, policy, count)
    assert ours.shape == theirs.data.shape
    if is_labels(scan):
        unsure = anywhere(positions, lambda axis, c: is_half(c))
    else:
        unsure = anywhere(positions, lambda axis, c: np.abs(c - (image.shape[axis] - 0.5)) < 1e-6)
    wrong = np.abs(ours - theirs.data.astype(float)) > (0 if is_labels(scan) else TOLERANCE) * span_of(image)
    assert not wrong[~unsure].any()
    assert wrong.mean() < 0.01


@cases("mrtrix", input="turned_labels")
def test_mrtrix_ties(name, case, preset):
    """MRtrix goes half up along its own axes, which run to the right, front and top; we along the file's. So on an axis that
    runs to the left it reads the other of two voxels, which is not copied."""
    image = load(case["input"])
    assert nib.aff2axcodes(image.affine) == ("L", "S", "A")
    _, _, positions = grid(image, case["spacing"], "centre", "mrtrix")
    assert all(is_half(c).all() for c in positions)
    low, high = [np.floor(c).astype(int) for c in positions], [np.ceil(c).astype(int) for c in positions]
    assert np.array_equal(recorded(name), values(image)[np.ix_(low[0], high[1], high[2])])
    assert np.array_equal(values(preset("mrtrix", case["input"], case["spacing"])), values(image)[np.ix_(*high)])


def constant(path, shape, spacing, value=1000):
    nib.save(nib.Nifti1Image(np.full(shape, value, np.float32), np.diag([*spacing, 1.0])), path)
    return path


@cases("mrtrix", input="constant", variant="linear")
def test_mrtrix_faces_are_not_darker(name, case, preset):
    ours = values(preset("mrtrix", case["input"], case["spacing"]))
    assert ours.shape == recorded(name).shape
    assert np.isclose(recorded(name).min(), 1000 * 0.75**3)
    assert np.allclose(ours, 1000, rtol=1e-6, atol=0)


def test_scipy_last_plane_is_not_lost(preset, tmp_path):
    scan = constant(tmp_path / "constant.nii", (110, 4, 4), (51.0, 1.0, 1.0))
    theirs = tools.run_scipy(scan, (110.0, 1.0, 1.0), "linear").data
    ours = values(preset("scipy", scan, (110.0, 1.0, 1.0), "--interp", "linear"))
    assert ours.shape == theirs.shape
    assert (theirs[-1] == 0).all()
    assert (ours == 1000).all()


def test_simpleitk_recipe_ends_in_fill_as_the_tool(preset, revoxel, tmp_path):
    """24 voxels of 3 mm to 1.5 mm: the last sample is outside. The report says how many voxels were filled."""
    scan = constant(tmp_path / "constant.nii", (24, 24, 24), (3.0, 3.0, 3.0))
    theirs = tools.run_simpleitk(scan, (1.5, 1.5, 1.5)).data
    assert np.array_equal(values(preset("simpleitk", scan, (1.5, 1.5, 1.5))), theirs)
    said = revoxel("resample", scan, "--dry-run", "--spacing", 1.5, "--preset", "simpleitk").stderr
    assert f"({(theirs == 0).sum()}) lie outside" in said


@pytest.mark.parametrize("name", ["scipy", "freesurfer"])
def test_halves_go_away_from_zero(name, preset, tmp_path):
    """Samples half-way between whole numbers of both signs: round to even would give other integers."""
    data = np.zeros((9, 4, 4), np.int16)
    data[:] = np.arange(-4, 5)[:, None, None]
    scan = tmp_path / "halves.nii"
    nib.save(nib.Nifti1Image(data, np.diag([17.0, 1, 1, 1])), scan)
    spacing = (9.0, 1.0, 1.0) if name == "scipy" else (8.5, 1.0, 1.0)
    ours = values(preset(name, scan, spacing, "--interp", "linear", "--dtype", "int16"))[:17, 1, 1]
    assert np.array_equal(ours, half_away(np.arange(-4, 4.5, 0.5)))
    if name == "scipy":
        assert np.array_equal(ours, tools.run_scipy(scan, spacing, "linear", keep_dtype=True).data[:, 1, 1])


@pytest.mark.parametrize(
    "name, n, s, t, theirs, ours",
    [
        ("torchio", 5, 0.7, 0.07, int(np.floor(5 * 0.7 / 0.07)), 50),
        ("freesurfer", 7, 0.7, 0.35, int(np.ceil(np.float32(np.float32(0.7) * 7) / np.float32(0.35))), 14),
        ("ibsi", 512, 0.7, 1.5, 239, 239),
    ],
)
def test_counts_do_not_hang_on_rounding(name, n, s, t, theirs, ours, preset, tmp_path):
    """Where the tool rounds n s/t without a tolerance, its arithmetic gives one voxel more or less."""
    scan = constant(tmp_path / "constant.nii", (n, 4, 4), (s, 1.0, 1.0))
    assert preset(name, scan, (t, 0, 0)).shape[0] == ours
    assert (theirs != ours) == (name != "ibsi")


def test_the_presets_are_these(revoxel):
    done = revoxel("resample", path_of("ct"), "--dry-run", "--spacing", 2, "--preset", "unknown")
    assert done.returncode != 0
    assert done.stderr.strip().split("choose one of ")[1].split(", ") == PRESETS


def report(revoxel, *arguments):
    done = revoxel("resample", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# Of each flag two values, so that none can be the preset's own, and where the report says them.
FLAGS = {
    "--interp": (("cubic", "lanczos3"), "kernel"),
    "--grid-policy": (("edges", "half"), "grid_policy"),
    "--round": (("floor", "span"), "count_rule"),
    "--boundary": (("wrap", "reflect"), "boundary"),
    "--outside": (("fill", "extend"), "outside"),
    "--antialias": (("pillow", "aperture"), "antialias"),
    "--integers": (("even", "away"), "integers"),
    "--clip": (("local", "global"), "clip"),
    "--dtype": (("int32", "float64"), "dtype"),
}


@every_preset
def test_flags_override(name, revoxel):
    for flag, (given, key) in FLAGS.items():
        for value in given:
            options = ["--preset", name, flag, value]
            if flag == "--antialias":  # of nearest, 3dresample's kernel, there is none
                options += ["--interp", "linear"]
            said = report(revoxel, path_of("ct"), "--dry-run", "--spacing", 4.7, 1.9, 3, *options)
            assert said["preset"] == name
            assert (said["output"] if key == "dtype" else said)[key] == value, f"{name} {flag} {value}"


@every_preset
def test_all_flags_leave_nothing_of_a_preset(name, preset, resample, tmp_path):
    for choice in range(2):
        given = [word for flag, (value, _) in FLAGS.items() for word in (flag, value[choice])]
        ours = preset(name, "ct", (4.7, 1.9, 3), *given)
        plain = nib.load(resample(path_of("ct"), tmp_path / "plain.nii", "--spacing", 4.7, 1.9, 3, *given))
        assert np.array_equal(ours.affine, plain.affine)
        assert np.array_equal(values(ours), values(plain))
        assert values(ours).dtype == values(plain).dtype


def test_a_flag_changes_only_its_own(preset):
    """--interp nearest beside scikit-image's preset keeps its grid, and needs no anti-aliasing."""
    spacing = (6.43, 5.17, 7.71)
    ours = preset("skimage", "ct", spacing, "--interp", "nearest")
    theirs = tools.run_skimage(path_of("ct"), spacing, "nearest").data
    assert np.array_equal(values(ours), theirs)
    assert np.array_equal(ours.affine, preset("skimage", "ct", spacing).affine)


@pytest.fixture(scope="module")
def odd_files(tmp_path_factory):
    """Files that are not a volume of plain numbers, by name: path and options."""
    folder = tmp_path_factory.mktemp("odd")
    flat = folder / "flat.nii"
    nib.save(nib.Nifti1Image(np.arange(35, dtype=np.int16).reshape(7, 5), np.diag([2.0, 3.0, 1.0, 1.0])), flat)
    assert nib.load(flat).shape == (7, 5)
    shipped = shipped_data_folder()
    mr = load("mr")
    turned = folder / "turned.nii"
    save_reference(turned, grid_about(mr.affine, mr.shape, (17, 13, 11), (2.5, 3.1, 1.7), (10, -20, 30)), (17, 13, 11))
    return {
        "2-D": (flat, ["--spacing", 1.5, 1.5, 0]),
        "4-D": (shipped / "epi_4d.nii.gz", ["--spacing", 5.5]),
        "like": (path_of("ct"), ["--like", path_of("labels")]),
        "like another": (path_of("ct"), ["--like", shipped / "ct_abdomen.nii.gz"]),
        "like oblique": (path_of("mr"), ["--like", turned]),
        "size": (path_of("ct"), ["--size", 30, 17, 13]),
        "iso": (path_of("mr"), ["--iso", "min"]),
        "labels": (path_of("labels"), ["--spacing", 2.2, "--labels"]),
        "labels like": (path_of("labels"), ["--like", shipped / "ct_abdomen.nii.gz", "--labels"]),
        "fraction": (path_of("labels"), ["--spacing", 4.4, "--label-fraction", 5]),
        "mask": (path_of("labels"), ["--spacing", 4.4, "--mask-threshold", 0.5]),
        "complex": (shipped / "complex64.nii.gz", ["--spacing", 1.3]),
        "colour": (shipped / "rgb24.nii", ["--spacing", 0.7]),
        "tiny": (shipped / "tiny.nii.gz", ["--spacing", 0.9]),
    }


@every_preset
def test_other_files_and_grids(name, odd_files, revoxel, tmp_path):
    for what, (scan, options) in odd_files.items():
        out = tmp_path / "out.nii"
        said = report(revoxel, scan, out, "--preset", name, "--force", *options)
        image = nib.load(out)
        assert said["preset"] == name, what
        assert f"preset {name}" in image.header["descrip"].tobytes().decode(), what
        assert len(image.shape) == len(nib.load(scan).shape), what
        assert image.shape[3:] == nib.load(scan).shape[3:], what
        assert list(image.shape[:2]) == said["output"]["extent"][:2], what
        if "--like" in options:
            like = nib.load(options[1])
            assert image.shape == like.shape, what
            check_affine(image.affine, like.affine)
        if "--size" in options:
            assert list(image.shape) == options[1:], what
        if "--labels" in options:
            assert set(np.unique(values(image))) <= {0, *np.unique(values(nib.load(scan)))}, what
        if values(image).dtype.kind == "f":
            assert np.isfinite(values(image)).all(), what
