"""What is stored: rounding, saturation, scl_slope and scl_inter, fill, dtypes, components, frames, wide integers."""

import gzip
import struct

import nibabel as nib
import numpy as np
import pytest

from support import save, scaled, stored

DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def line(path, values, dtype, **more):
    """A volume of one row."""
    data = np.asarray(values, dtype).reshape(-1, 1, 1)
    return save(path, data, np.eye(4), **more)


def half_way(path, values, dtype, resample, tmp_path, *options, **more):
    """Linear values exactly between neighbours and on them: spacing 1/2, first."""
    source = line(tmp_path / "in.nii", values, dtype, **more)
    resample(source, path, "--x-spacing", 0.5, "--grid-policy", "first", *options)
    return path


@pytest.mark.parametrize("dtype", [d for d in DTYPES if "int" in d])
def test_rounds_to_nearest_even(dtype, resample, tmp_path):
    out = half_way(tmp_path / "out.nii", [0, 1, 2, 3, 4, 7], dtype, resample, tmp_path)
    # 0.5, 1.5, 2.5, 3.5, 5.5 between them; the last position lies on the face, which is outside: fill
    assert stored(out)[:, 0, 0].tolist() == [0, 0, 1, 2, 2, 2, 3, 4, 4, 6, 7, 0]
    assert stored(out).dtype == dtype


def test_rounds_negative_halves_to_even(resample, tmp_path):
    out = half_way(tmp_path / "out.nii", [0, -1, -2, -3, -4], "int16", resample, tmp_path)
    assert stored(out)[:, 0, 0].tolist() == [0, 0, -1, -2, -2, -2, -3, -4, -4, 0]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
def test_saturates_overshoot(dtype, resample, tmp_path):
    """Lanczos overshoots beside a step between the limits of the type; what wraps would land at the other limit."""
    info = np.iinfo(dtype)
    source = line(tmp_path / "in.nii", [info.min] * 5 + [info.max] * 5 + [info.min] * 5, dtype)
    options = ["--size", 47, 1, 1, "--interp", "lanczos3"]
    exact = stored(resample(source, tmp_path / "exact.nii", *options, "--dtype", "float64"))
    result = stored(resample(source, tmp_path / "out.nii", *options))
    span = float(info.max) - info.min
    assert exact.max() > info.max + 0.02 * span and exact.min() < info.min - 0.02 * span
    expected = np.clip(np.rint(exact), info.min, info.max)
    # 8 and 16 bits are computed in float32: six taps of up to 65535 can miss by 0.05, which may cross a half.
    slack = 0 if info.bits == 32 else np.where(np.abs(np.abs(exact - np.trunc(exact)) - 0.5) < 0.05, 1, 0)
    assert (np.abs(result - expected) <= slack).all()


@pytest.mark.parametrize("to", DTYPES)
def test_dtype_option(to, resample, tmp_path):
    values = [-3e9, -200.5, -1, 0, 1.5, 2.5, 199.75, 40000, 5e9, 1e12]
    out = line(tmp_path / "in.nii", values, "float64")
    out = resample(out, tmp_path / "out.nii", "--size", 10, 1, 1, "--dtype", to)
    result = stored(out)[:, 0, 0]
    assert result.dtype == to
    if "int" in to:
        info = np.iinfo(to)
        expected = [int(min(max(v, info.min), info.max)) for v in np.rint(values)]
        assert result.tolist() == expected
    else:
        assert np.array_equal(result, np.asarray(values, to))


def test_nan_becomes_zero_in_integers(resample, tmp_path):
    source = line(tmp_path / "in.nii", [1, np.nan, np.inf, -np.inf, 5], "float32")
    out = resample(source, tmp_path / "out.nii", "--size", 5, 1, 1, "--dtype", "int16")
    assert stored(out)[:, 0, 0].tolist() == [1, 0, 32767, -32768, 5]


class TestScaling:
    slope, inter = 0.244202, -500.0

    def source(self, tmp_path):
        values = np.arange(7 * 5 * 3, dtype=np.int16).reshape(7, 5, 3) * 37 - 1500
        return save(tmp_path / "in.nii", values, np.diag([2, 2, 3, 1.0]), slope=self.slope, inter=self.inter)

    def test_kept_in_integers(self, resample, tmp_path):
        source = self.source(tmp_path)
        assert nib.load(source).dataobj.slope == pytest.approx(self.slope, rel=1e-6)
        out = resample(source, tmp_path / "out.nii", "--spacing", 1.1)
        image = nib.load(out)
        assert image.dataobj.slope == nib.load(source).dataobj.slope
        assert image.dataobj.inter == nib.load(source).dataobj.inter
        assert stored(out).dtype == np.int16
        # The stored values are those of the same file without scaling.
        plain = save(tmp_path / "plain.nii", stored(source), nib.load(source).affine)
        assert np.array_equal(stored(out), stored(resample(plain, tmp_path / "p.nii", "--spacing", 1.1)))

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_applied_in_floats(self, dtype, resample, tmp_path):
        source = self.source(tmp_path)
        out = resample(source, tmp_path / "out.nii", "--spacing", 1.1, "--dtype", dtype)
        image = nib.load(out)
        assert (image.dataobj.slope, image.dataobj.inter) == (1, 0)
        plain = save(tmp_path / "plain.nii", stored(source), nib.load(source).affine)
        unscaled = stored(resample(plain, tmp_path / "p.nii", "--spacing", 1.1, "--dtype", "float64"))
        slope, inter = nib.load(source).dataobj.slope, nib.load(source).dataobj.inter
        expected = unscaled * float(slope) + float(inter)
        # float32 sums of values up to 2400: 2^-24 of that a tap, scaled by the slope; then stored as float32.
        assert np.abs(stored(out) - expected).max() <= (2e-4 if dtype == "float32" else 1e-10)

    def test_copy_applies_it_too(self, resample, tmp_path):
        source = self.source(tmp_path)
        out = resample(source, tmp_path / "out.nii", "--size", 7, 5, 3, "--dtype", "float64")
        slope, inter = nib.load(source).dataobj.slope, nib.load(source).dataobj.inter
        assert np.abs(stored(out) - (stored(source) * float(slope) + float(inter))).max() <= 1e-12

    def test_useless_slopes_mean_none(self, resample, tmp_path):
        for slope, inter in ((0.0, 7.0), (np.nan, 0.0), (np.inf, 0.0), (2.0, np.nan)):
            values = np.arange(24, dtype=np.int16).reshape(4, 3, 2)
            source = save(tmp_path / "in.nii", values, np.eye(4), slope=slope, inter=inter)
            out = resample(source, tmp_path / "out.nii", "--size", 4, 3, 2, "--dtype", "float32")
            assert np.array_equal(stored(out), values), (slope, inter)


class TestFill:
    affine = np.eye(4)

    def reference(self, tmp_path):
        """Reaches two voxels beyond the input on each side of i."""
        affine = np.eye(4)
        affine[0, 3] = -2
        return save(tmp_path / "like.nii", np.zeros((8, 3, 2), np.uint8), affine)

    def run(self, resample, tmp_path, source, *options):
        return resample(source, tmp_path / "out.nii", "--like", self.reference(tmp_path), *options)

    def test_default_and_value(self, resample, tmp_path):
        values = np.full((4, 3, 2), 9, np.int16)
        source = save(tmp_path / "in.nii", values, self.affine)
        result = stored(self.run(resample, tmp_path, source))
        assert (result[2:6] == 9).all() and (result[:2] == 0).all() and (result[6:] == 0).all()
        result = stored(self.run(resample, tmp_path, source, "--fill", -1000))
        assert (result[2:6] == 9).all() and (result[:2] == -1000).all() and (result[6:] == -1000).all()

    def test_in_scaled_units(self, resample, tmp_path):
        """CT of intercept -1024: a fill of -1000 HU is stored as 24, whatever the output's type."""
        values = np.full((4, 3, 2), 1064, np.int16)
        source = save(tmp_path / "in.nii", values, self.affine, slope=1.0, inter=-1024.0)
        out = self.run(resample, tmp_path, source, "--fill", -1000)
        assert (stored(out)[:2] == 24).all() and (scaled(out)[:2] == -1000).all() and (scaled(out)[2:6] == 40).all()
        out = self.run(resample, tmp_path, source, "--fill", -1000, "--dtype", "float32")
        assert (scaled(out)[:2] == -1000).all() and (scaled(out)[2:6] == 40).all()
        # The default is 0 HU as well.
        assert (scaled(self.run(resample, tmp_path, source))[:2] == 0).all()

    def test_minimum(self, resample, tmp_path):
        values = np.arange(24, dtype=np.float32).reshape(4, 3, 2) - 11
        values[1, 1, 1] = np.nan
        values[2, 1, 1] = -np.inf
        source = save(tmp_path / "in.nii", values, self.affine)
        assert (stored(self.run(resample, tmp_path, source, "--fill", "min"))[:2] == -11).all()
        source = save(tmp_path / "in.nii", np.full((4, 3, 2), 7, np.int16), self.affine, slope=-2.0, inter=3.0)
        assert (scaled(self.run(resample, tmp_path, source, "--fill", "min"))[:2] == -11).all()


def test_saturated_fill(resample, tmp_path):
    affine = np.eye(4)
    affine[0, 3] = -3
    like = save(tmp_path / "like.nii", np.zeros((8, 1, 1), np.uint8), affine)
    source = line(tmp_path / "in.nii", [5, 5], "uint8")
    assert stored(resample(source, tmp_path / "a.nii", "--like", like, "--fill", -7))[0, 0, 0] == 0
    assert stored(resample(source, tmp_path / "b.nii", "--like", like, "--fill", 1e6))[0, 0, 0] == 255


OPTIONS = ["--spacing", 0.7, 1.3, 0.9]


def components(data):
    """A structured or complex array as a list of scalar arrays."""
    if data.dtype.names:
        return [np.ascontiguousarray(data[name]) for name in data.dtype.names]
    return [np.ascontiguousarray(data.real), np.ascontiguousarray(data.imag)]


@pytest.mark.parametrize("kind", ["RGB", "RGBA", "complex64", "complex128"])
@pytest.mark.parametrize("kernel", ["linear", "cubic"])
def test_components_are_resampled_one_by_one(kind, kernel, resample, tmp_path):
    random = np.random.default_rng(3)
    shape = (6, 5, 4)
    if kind.startswith("RGB"):
        data = np.zeros(shape, np.dtype([(name, "u1") for name in kind]))
        for name in data.dtype.names:
            data[name] = random.integers(0, 256, shape)
    else:
        data = (random.normal(size=shape) + 1j * random.normal(size=shape)).astype(kind)
    source = save(tmp_path / "in.nii", data, np.eye(4))
    result = stored(resample(source, tmp_path / "out.nii", *OPTIONS, "--interp", kernel))
    assert result.dtype == data.dtype
    for part, whole in zip(components(data), components(result)):
        alone = save(tmp_path / "part.nii", part, np.eye(4))
        expected = stored(resample(alone, tmp_path / "p.nii", *OPTIONS, "--interp", kernel))
        assert np.array_equal(whole, expected)


def test_real_colour_and_complex_scans(shared_data, resample, tmp_path):
    for name in ("ct_perfusion.nii.gz", "complex_image.nii.gz", "rgb24_3x3x3.nii"):
        source = shared_data / "nifti/edge" / name
        image = nib.load(source)
        out = resample(source, tmp_path / "out.nii", "--size", *[n + 3 for n in image.shape])
        whole = nib.load(out)
        for part, got in zip(components(np.asanyarray(image.dataobj)), components(np.asanyarray(whole.dataobj))):
            alone = save(tmp_path / "part.nii", part, image.affine)
            expected = stored(resample(alone, tmp_path / "p.nii", "--size", *[n + 3 for n in image.shape]))
            assert np.array_equal(got, expected), name


@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (6, 5, 4, 2, 3), (6, 5, 1, 4)], ids=str)
def test_frames_are_resampled_one_by_one(shape, resample, tmp_path):
    data = np.random.default_rng(4).integers(-3000, 3000, shape).astype(np.int16)
    source = save(tmp_path / "in.nii", data, np.eye(4))
    out = resample(source, tmp_path / "out.nii", *OPTIONS)
    result = stored(out)
    assert result.shape[3:] == shape[3:]
    flat, flat_result = data.reshape(shape[:3] + (-1,)), result.reshape(result.shape[:3] + (-1,))
    for t in range(flat.shape[3]):
        alone = save(tmp_path / "frame.nii", np.ascontiguousarray(flat[..., t]), np.eye(4))
        assert np.array_equal(flat_result[..., t], stored(resample(alone, tmp_path / "f.nii", *OPTIONS)))


def test_real_4d_scan(shared_data, resample, tmp_path):
    source = shared_data / "nifti/anat/example4d.nii.gz"
    image = nib.load(source)
    out = nib.load(resample(source, tmp_path / "out.nii", "--spacing", 3))
    assert out.header["pixdim"][4] == image.header["pixdim"][4]
    for t in range(image.shape[3]):
        header = image.header.copy()
        header.extensions.clear()
        alone = nib.Nifti1Image(np.asanyarray(image.dataobj)[..., t], None, header)
        nib.save(alone, tmp_path / "frame.nii")
        expected = stored(resample(tmp_path / "frame.nii", tmp_path / "f.nii", "--spacing", 3))
        assert np.array_equal(np.asanyarray(out.dataobj)[..., t], expected)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_wide_integers_survive_copies(dtype, resample, tmp_path):
    info = np.iinfo(dtype)
    values = np.random.default_rng(5).integers(info.min, info.max, (5, 4, 3), dtype=dtype, endpoint=True)
    values[0, 0, 0], values[1, 0, 0], values[2, 0, 0] = info.min, info.max, 2**53 + 1
    source = save(tmp_path / "in.nii", values, np.eye(4))
    flipped = np.array([[0, 0, -1, 4], [-1, 0, 0, 3], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    like = save(tmp_path / "like.nii", np.zeros((4, 3, 5), np.uint8), flipped)
    # Output i is input j backwards, j is k, k is input i backwards.
    result = stored(resample(source, tmp_path / "out.nii", "--like", like))
    assert np.array_equal(result, values.transpose(1, 2, 0)[::-1, :, ::-1])
    nearest = stored(resample(source, tmp_path / "n.nii", "--spacing", 0.5, "--interp", "nearest"))
    assert np.array_equal(nearest[::2, ::2, ::2], values)
    assert np.array_equal(nearest[1::2, 1::2, 1::2], values)


def test_negative_zero_and_nan_survive_copies(resample, tmp_path):
    values = np.array([-0.0, 0.0, np.nan, 1e-40, -1e-45, np.inf], np.float32)
    source = line(tmp_path / "in.nii", values, "float32")
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = 5
    like = save(tmp_path / "like.nii", np.zeros((6, 1, 1), np.uint8), flip)
    result = stored(resample(source, tmp_path / "out.nii", "--like", like))[:, 0, 0]
    assert result.tobytes() == values[::-1].tobytes()


def test_big_endian_equals_little_endian(shared_data, resample, tmp_path):
    source = shared_data / "nifti/anat/anatomical.nii"
    image = nib.load(source)
    assert image.header.endianness == ">"
    swapped = tmp_path / "swapped.nii"
    little = nib.Nifti1Image(np.asanyarray(image.dataobj).astype("<i2"), None, image.header.as_byteswapped("<"))
    nib.save(little, swapped)
    assert np.array_equal(
        stored(resample(source, tmp_path / "a.nii", "--spacing", 1.3)),
        stored(resample(swapped, tmp_path / "b.nii", "--spacing", 1.3)),
    )


def test_gzip_changes_nothing(shared_data, resample, tmp_path):
    source = shared_data / "nifti/anat/example_ct_sm.nii.gz"
    plain = resample(source, tmp_path / "out.nii", "--spacing", 2).read_bytes()
    assert gzip.decompress(resample(source, tmp_path / "out.nii.gz", "--spacing", 2).read_bytes()) == plain
    assert struct.unpack("<i", plain[:4]) == (348,)


def test_constant_boundary_holds_the_smallest_value_as_fill(resample, tmp_path):
    """--fill min is known only when the voxels have been read, and belongs to the boundary as well."""
    data = np.random.default_rng(4).normal(100, 10, (9, 8, 7)).astype(np.float32)
    data[4, 4, 4] = -500
    source = save(tmp_path / "in.nii", data, np.eye(4))
    options = ["--spacing", 0.7, "--grid-policy", "first", "--outside", "extend", "--boundary", "constant", "--fill"]
    smallest = stored(resample(source, tmp_path / "min.nii", *options, "min"))
    given = stored(resample(source, tmp_path / "given.nii", *options, -500))
    assert np.array_equal(smallest, given)
