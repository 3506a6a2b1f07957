"""The 48 orientations of one head give one head: the same values at the same world points, whatever the order and
direction of the axes in the file.
"""

import nibabel as nib
import numpy as np
import pytest

from support import grid_about, save_reference, scans


@pytest.fixture(scope="module")
def heads(shared_data, tmp_path_factory):
    """Paths of all 48 by orientation code: 24 are shipped, the others are those with one axis flipped."""
    folder = shared_data / "nifti/space48"
    paths = {str(name)[:3]: folder / name for name in scans(folder)}
    made = tmp_path_factory.mktemp("space48")
    for code, path in sorted(paths.items()):
        image = nib.load(path)
        raw = np.asanyarray(image.dataobj.get_unscaled())
        for axis in range(3):
            flip = np.eye(4)
            flip[axis, axis], flip[axis, 3] = -1, image.shape[axis] - 1
            affine = image.affine @ flip
            flipped_code = "".join(nib.aff2axcodes(affine))
            if flipped_code in paths:
                continue
            header = image.header.copy()
            header.set_sform(affine, int(image.header["sform_code"]))
            target = made / f"{flipped_code}.nii"
            flipped = nib.Nifti1Image(np.flip(raw, axis).copy(), None, header)
            flipped.header.set_slope_inter(1, 0)
            nib.save(flipped, target)
            set_scaling(target, image)
            paths[flipped_code] = target
    assert len(paths) == 48
    for code, path in paths.items():
        assert "".join(nib.aff2axcodes(nib.load(path).affine)) == code
    return paths


def set_scaling(path, image):
    """Gives an uncompressed file the slope and inter of another: bytes 112 to 119 of the header."""
    raw = np.array([image.dataobj.slope, image.dataobj.inter], image.header.endianness + "f4")
    with open(path, "r+b") as file:
        file.seek(112)
        file.write(raw.tobytes())


def test_same_grid_is_a_copy(heads, resample, tmp_path):
    reference = heads["RAI"]
    expected = np.asanyarray(nib.load(reference).dataobj.get_unscaled())
    for code, path in heads.items():
        out = nib.load(resample(path, tmp_path / "out.nii", "--like", reference))
        assert np.array_equal(np.asanyarray(out.dataobj.get_unscaled()), expected), code
        assert np.allclose(out.affine, nib.load(reference).affine, atol=1e-5), code


@pytest.mark.parametrize("degrees", [(0, 0, 0), (9, -14, 21)], ids=["straight", "oblique"])
@pytest.mark.parametrize("kernel", ["linear", "bspline3"])
def test_same_reference(heads, resample, tmp_path, degrees, kernel):
    first = nib.load(heads["RAI"])
    shape = (50, 61, 43)
    # Offsets so that no position is a tie, where nearest could go either way.
    affine = grid_about(first.affine, first.shape, shape, (1.7, 2.9, 2.1), degrees)
    affine[:3, 3] += (0.31, 0.17, -0.23)
    reference = tmp_path / "reference.nii"
    save_reference(reference, affine, shape)
    expected = None
    for code, path in heads.items():
        out = resample(path, tmp_path / "out.nii", "--like", reference, "--interp", kernel, "--dtype", "float32")
        values = nib.load(out).get_fdata()
        if expected is None:
            expected = values
            assert expected.std() > 1
        # Positions: 24 of the affines went through float32 on their own, 1e-7 of 150 mm; values: float32 sums in
        # another order. Both are below 2e-5 of the range.
        assert np.abs(values - expected).max() <= 2e-5 * np.ptp(expected), code


def test_two_millimetres(heads, resample, tmp_path):
    """Each on a grid of its own: centre is symmetric, so they are the same grid up to the order of the axes."""
    expected = None
    for code, path in heads.items():
        out = nib.load(resample(path, tmp_path / "out.nii", "--spacing", 2, "--dtype", "float32"))
        assert "".join(nib.aff2axcodes(out.affine)) == code
        canonical = nib.as_closest_canonical(out)
        values = canonical.get_fdata()
        if expected is None:
            expected, affine = values, canonical.affine
        assert values.shape == expected.shape, code
        assert np.allclose(canonical.affine, affine, atol=1e-4), code
        assert np.abs(values - expected).max() <= 2e-5 * np.ptp(expected), code
