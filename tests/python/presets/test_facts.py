"""What docs/presets.md says of each tool, held against the tool: the light ones are run, the others' results are in data/
(make_references.py). The program is not in these tests; definition.py evaluates the page's formulas."""

import definition
import nibabel as nib
import numpy as np
import tools
from records import (
    ROUNDING,
    SCANS,
    cases,
    check_affine,
    check_values,
    grid,
    interpolated,
    kernels_of,
    load,
    needs_mrtrix,
    nnunet_across,
    nnunet_in_plane,
    path_of,
    recorded,
    requests,
    thick_axis,
)


def check_grid(found, image, positions, step):
    check_affine(found, definition.affine_of(image.affine, positions, step))


@cases("torch", variant="size")
def test_torch_size(name, case):
    image = load(case["input"])
    _, _, positions = grid(image, case["spacing"], "edges", "floor", minimum=1)
    check_values(recorded(name), interpolated(image, positions, "linear"), image)


@cases("torch", variant="scale_factor")
def test_torch_scale_factor_keeps_a_face(name, case):
    image = load(case["input"])
    _, _, positions = grid(image, case["spacing"], "face", "floor", minimum=1)
    check_values(recorded(name), interpolated(image, positions, "linear"), image)


@cases("torch", variant="nearest-exact")
def test_torch_nearest_exact(name, case):
    image = load(case["input"])
    _, _, positions = grid(image, case["spacing"], "edges", "floor", minimum=1)
    assert np.array_equal(recorded(name), interpolated(image, positions, "nearest"))


@cases("torch", variant="nearest")
def test_torch_nearest_reads_towards_the_start(name, case):
    """mode="nearest" takes voxel floor(o n/m), half a step before the voxel that is nearest."""
    image = load(case["input"])
    _, size, positions = grid(image, case["spacing"], "edges", "floor", minimum=1)
    index = np.ix_(*[np.floor(np.arange(m) * n / m).astype(int) for n, m in zip(image.shape, size)])
    assert np.array_equal(recorded(name), np.asanyarray(image.dataobj)[index])
    assert not np.array_equal(recorded(name), interpolated(image, positions, "nearest"))


@cases("torchio", variant="default")
def test_torchio(name, case):
    image = load(case["input"])
    assert case["dtype"] == image.get_data_dtype().name
    step, _, positions = grid(image, case["spacing"], "centre", "floor")
    check_grid(case["affine"], image, positions, step)
    found = recorded(name)
    if case["input"].endswith("labels"):
        assert np.array_equal(found, interpolated(image, positions, "nearest"))
        return
    expected = interpolated(image, positions, "linear")
    if case["dtype"] == "float32":
        check_values(found, expected, image)
        return
    whole = np.abs(expected - np.rint(expected)) < 1e-6  # there rounding errors decide what truncation makes
    assert whole.mean() < 0.5
    assert np.array_equal(found[~whole], np.trunc(expected)[~whole])


@cases("torchio", variant="antialias")
def test_torchio_antialias_is_cardosos_gaussian(name, case):
    """ITK's recursive Gaussian: within 1 % of the range of the sampled one of the same sigma."""
    image = load(case["input"])
    step, _, positions = grid(image, case["spacing"], "centre", "floor")
    matrices = []
    for n, k, c in zip(image.shape, step, positions):
        matrix = definition.interpolation(c, n, "linear", "edge")
        sigma = np.sqrt(max(k * k - 1, 0) / (8 * np.log(2)))
        matrices.append(matrix @ definition.gaussian(n, sigma, "edge", truncate=8) if k > 1 else matrix)
    check_values(recorded(name), definition.apply(np.asanyarray(image.dataobj), matrices), image, 0.01)


@cases("monai")
def test_monai(name, case):
    """MONAI looks for the corner of which all others are on the positive side, to within 1e-8. Of a tilted scan, whose
    header is float32, it may find none, as here; then index n/2 stays in place instead of the first voxel."""
    image = load(case["input"])
    policy = "half" if case["input"] == "oblique" else "first"
    step, size, positions = grid(image, case["spacing"], policy, "first to last")
    check_grid(case["affine"], image, positions, step)
    clamped = [np.clip(c, 0, n - 1) for c, n in zip(positions, image.shape)]
    if case["input"].endswith("labels"):
        assert np.array_equal(recorded(name), interpolated(image, clamped, "nearest"))
    else:
        check_values(recorded(name), interpolated(image, clamped, "linear"), image)


@cases("nnunet")
def test_nnunet(name, case):
    image = load(case["input"])
    data = np.asanyarray(image.dataobj)
    _, _, positions = grid(image, case["spacing"], "edges", "even")
    thick = thick_axis(image, case["spacing"])
    assert (thick is not None) == name.endswith("thick")
    if case["input"].endswith("labels"):
        linear = lambda part: nnunet_in_plane(image, part, positions, thick, "linear")  # noqa: E731
        nearest = nnunet_in_plane(image, data, positions, thick, "nearest")
        chosen, several = definition.argmax_of_indicators(data, linear, nearest)
        same = recorded(name) == nnunet_across(image, chosen, positions, thick)
        tied = nnunet_across(image, several, positions, thick) == 1
        assert same[~tied].all()
        if name.endswith("tied"):  # exact in binary for most, so that the rule decides, not rounding
            assert tied.sum() > 500 and same[tied].mean() > 0.95
        return
    spline = nnunet_in_plane(image, data, positions, thick, "bspline3")
    # skimage clips what it makes to the range of what it got: the volume, or each slice across the thick axis.
    within = tuple(range(3)) if thick is None else tuple(a for a in range(3) if a != thick)
    clipped = np.clip(spline, data.min(axis=within, keepdims=True), data.max(axis=within, keepdims=True))
    check_values(recorded(name), nnunet_across(image, clipped, positions, thick), image)


ITK_KERNELS = {"nearest": ("nearest", "edge"), "linear": ("linear", "edge"), "bspline": ("bspline3", "mirror")}


@cases("ants")
def test_ants(name, case):
    image = load(case["input"])
    step, _, positions = grid(image, case["spacing"], "first", "up")
    check_grid(case["affine"], image, positions, step)
    kernel, boundary = ITK_KERNELS[case["variant"]]
    expected = interpolated(image, positions, kernel, boundary)
    expected = definition.fill(expected, positions, image.shape, 0)
    check_values(recorded(name), expected, image, 0 if kernel == "nearest" else ROUNDING)


@requests
def test_simpleitk(scan, spacing):
    import SimpleITK as sitk

    image = load(scan)
    step, _, positions = grid(image, spacing, "first", "even")
    for kernel in kernels_of(scan, "linear", "bspline"):
        result = tools.run_simpleitk(image.get_filename(), spacing, kernel, sitk.sitkFloat64)
        check_grid(result.affine, image, positions, step)
        ours, boundary = ITK_KERNELS[kernel]
        expected = definition.fill(interpolated(image, positions, ours, boundary), positions, image.shape, 0)
        check_values(result.data, expected, image, 0 if kernel == "nearest" else ROUNDING)
        stored = tools.run_simpleitk(image.get_filename(), spacing, kernel).data
        assert stored.dtype == image.get_data_dtype()
        if stored.dtype.kind in "iu":
            limits = np.iinfo(stored.dtype)
            whole = np.abs(expected - np.rint(expected)) < 1e-6
            cast = np.trunc(np.clip(expected, limits.min, limits.max))
            assert np.array_equal(stored[~whole], cast[~whole])


@requests
def test_scipy(scan, spacing):
    """Samples end to end. The affine of the common script says something else: its last centre is off by the difference
    of (m - 1) t and (n - 1) s."""
    image = load(scan)
    step, size, positions = grid(image, spacing, "ends", "even")
    for kernel in kernels_of(scan, "linear", "bspline"):
        result = tools.run_scipy(image.get_filename(), spacing, kernel)
        assert result.data.dtype == np.float64
        ours = {"nearest": "nearest", "linear": "linear", "bspline": "bspline3"}[kernel]
        check_values(result.data, interpolated(image, positions, ours, "mirror"), image)
        stored = tools.run_scipy(image.get_filename(), spacing, kernel, keep_dtype=True).data
        assert stored.dtype == image.get_data_dtype()
        if stored.dtype.kind in "iu":  # half away from zero, saturated
            limits = np.iinfo(stored.dtype)
            away = np.trunc(result.data + np.copysign(0.5, result.data))
            assert np.array_equal(stored, np.clip(away, limits.min, limits.max))
    last = [c[-1] for c in positions]
    claimed = np.linalg.solve(image.affine, result.affine @ [*(m - 1 for m in size), 1])[:3]
    expected = [(m - 1) * k - (n - 1) for m, n, k in zip(size, image.shape, step)]
    assert np.allclose(claimed - last, expected, atol=1e-4)
    assert np.abs(claimed - last).max() > 0.1


@requests
def test_skimage(scan, spacing):
    image = load(scan)
    data = np.asanyarray(image.dataobj)
    _, size, positions = grid(image, spacing, "edges", "even")
    for kernel in kernels_of(scan, "linear", "bspline"):
        result = tools.run_skimage(image.get_filename(), spacing, kernel)
        if kernel == "nearest":
            assert np.array_equal(result.data, interpolated(image, positions, "nearest"))
            continue
        matrices = []
        for n, m, c in zip(image.shape, size, positions):
            matrix = definition.interpolation(c, n, {"linear": "linear", "bspline": "bspline3"}[kernel], "mirror")
            sigma = max(0, (n / m - 1) / 2)
            matrices.append(matrix @ definition.gaussian(n, sigma, "mirror") if sigma > 0 else matrix)
        check_values(result.data, np.clip(definition.apply(data, matrices), data.min(), data.max()), image)


@cases("mrtrix", input=SCANS)
def test_mrtrix(name, case):
    image, kernel = load(case["input"]), case["variant"]
    step, _, positions = grid(image, case["spacing"], "centre", "mrtrix")
    check_grid(case["affine"], image, positions, step)
    if kernel == "nearest":
        assert np.array_equal(recorded(name), interpolated(image, positions, "nearest"))
        assert case["dtype"] == image.get_data_dtype()
        return
    assert case["dtype"] == "float32"
    matrices = [
        definition.supersampling(c, n, k, kernel, outside_is_zero=True)
        for c, n, k in zip(positions, image.shape, step)
    ]
    check_values(recorded(name), definition.apply(np.asanyarray(image.dataobj), matrices), image)


@cases("mrtrix", input="constant", variant="linear")
def test_mrtrix_darkens_faces(name, case):
    """24 voxels of 3 mm to 9.3 mm: the outermost of 4 samples lie outside and count as 0."""
    result = recorded(name)
    assert result.shape == (8, 8, 8)
    assert np.allclose(result[:, 4, 4], [750, *[1000] * 6, 750])
    assert np.isclose(result[0, 0, 0], 1000 * 0.75**3)


@needs_mrtrix
@cases("mrtrix")
def test_mrtrix_that_is_installed(name, case):
    """The mrgrid of this machine does what the recorded one did."""
    path = path_of(case["input"])
    result = tools.run_mrtrix(path, case["spacing"], case["variant"])
    check_affine(result.affine, case["affine"])
    assert result.data.dtype == case["dtype"]
    assert np.allclose(result.data, recorded(name), rtol=0, atol=ROUNDING * np.abs(recorded(name)).max())


def test_scipy_can_lose_the_last_plane(tmp_path):
    """110 to 51 voxels: (m - 1) ((n - 1)/(m - 1)) is more than n - 1 in double, so the plane is outside: 0."""
    nib.save(nib.Nifti1Image(np.ones((110, 4, 4)), np.diag([51.0, 1, 1, 1])), tmp_path / "ones.nii")
    result = tools.run_scipy(tmp_path / "ones.nii", (110.0, 1.0, 1.0), "linear")
    assert result.data.shape == (51, 4, 4)
    assert (result.data[:-1] > 0.999).all()
    assert (result.data[-1] == 0).all()


def test_simpleitk_recipe_can_end_in_fill(tmp_path):
    """24 voxels of 3 mm to 1.5 mm: the 48th sample is at 23.5, which is outside, in every direction."""
    nib.save(nib.Nifti1Image(np.ones((24, 24, 24), np.float32), np.diag([3.0, 3, 3, 1])), tmp_path / "ones.nii")
    result = tools.run_simpleitk(tmp_path / "ones.nii", (1.5, 1.5, 1.5))
    assert result.data.shape == (48, 48, 48)
    assert (result.data[-1] == 0).all()
    assert (result.data[:-1, :-1, :-1] == 1).all()


def test_nibabel_stays_along_the_world(tmp_path):
    """resample_to_output leaves the input's axes: a tilted scan comes out upright and larger."""
    image = load("oblique")
    result = tools.run_nibabel(image.get_filename(), (4.0, 4.0, 5.0), "linear")
    assert np.array_equal(result.affine[:3, :3], np.diag([4.0, 4.0, 5.0]))
    assert np.prod(result.data.shape) > 1.5 * np.prod(image.shape)
