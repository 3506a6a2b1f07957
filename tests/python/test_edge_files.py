"""Every odd file of the collection: it is resampled rightly, or refused in one line with exit code 3 and no output
file.
"""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from conftest import shared_data_folder

RIGHT, REFUSED, WITH_ITS_PAIR = "resampled", "refused", "the other half of a pair"
TABLE = {
    "5D_small.nii": RIGHT,
    "air.hdr.gz": RIGHT,
    "air.img.gz": WITH_ITS_PAIR,
    "analyze.hdr": REFUSED,  # no .img
    "big.nii.gz": RIGHT,
    "complex_image.nii.gz": RIGHT,
    "crash-1.nii": REFUSED,  # made by a fuzzer
    "ct_perfusion.nii.gz": RIGHT,
    "dtype27/float32.nii": RIGHT,
    "dtype27/float64.nii": RIGHT,
    "dtype27/int16.nii": RIGHT,
    "dtype27/int32.nii": RIGHT,
    "dtype27/int8.nii": RIGHT,
    "dtype27/uint16.nii": RIGHT,
    "dtype27/uint8.nii": RIGHT,
    "empty.nii.gz": REFUSED,
    "inf_mtr.nii.gz": RIGHT,
    "low_res.nii.gz": RIGHT,
    "minimal.hdr": RIGHT,
    "minimal.img": WITH_ITS_PAIR,
    "minimal.nii": RIGHT,
    "minimal.nii.gz": RIGHT,
    "minimal_extended_hdr.nii": RIGHT,
    "nan_acosUnary.nii.gz": RIGHT,
    "nifti1.hdr": REFUSED,  # no .img
    "not-nifti.nii": REFUSED,
    "pval.LH.nii.gz": RIGHT,
    "ras.hdr": RIGHT,
    "ras.img": WITH_ITS_PAIR,
    "rgb24_3x3x3.nii": RIGHT,
    "with_extension.nii.gz": RIGHT,
}


@pytest.fixture(scope="module")
def edge(shared_data):
    return shared_data / "nifti/edge"


def test_the_table_is_complete(edge):
    assert sorted(str(p.relative_to(edge)) for p in edge.rglob("*") if p.is_file()) == sorted(TABLE)


def raw_volume(path):
    """(values as [i, j, k, frame, component], affine, header): by hand, because nibabel reshapes FreeSurfer's overlays.
    A header without forms has no origin and no direction; here its volume is centred on 0, axes positive."""
    image = nib.load(path)
    header = image.header
    dim = np.asarray(header["dim"], np.int64)
    shape = [max(1, int(n)) for n in dim[1 : 1 + dim[0]]]
    shape += [1] * (3 - len(shape))
    data_file = image.file_map["image"].filename
    with (gzip.open if data_file.endswith(".gz") else open)(data_file, "rb") as file:
        body = file.read()
    dtype = header.get_data_dtype()
    data = np.frombuffer(body, dtype, int(np.prod(shape)), image.dataobj.offset).reshape(shape, order="F")
    data = data.reshape(tuple(shape[:3]) + (-1,), order="F")
    if dtype.names:
        data = np.stack([data[name] for name in dtype.names], axis=-1)
    elif dtype.kind == "c":
        data = np.stack([data.real, data.imag], axis=-1)
    else:
        data = data[..., None]
    affine = image.affine
    if header["qform_code"] == 0 and header["sform_code"] == 0:
        affine = np.diag([*np.abs(np.asarray(header["pixdim"][1:4], float)), 1.0])
        affine[:3, 3] = -0.5 * (np.array(shape[:3]) - 1) * np.diag(affine)[:3]
    return data, affine, header


def linear(volume, c):
    """Linear interpolation on the edge-extended volume by scipy: the position is clamped: the same for linear."""
    clamped = [np.clip(position, 0, n - 1) for position, n in zip(c, volume.shape)]
    with np.errstate(invalid="ignore"):
        return ndimage.map_coordinates(volume.astype(np.float64), clamped, order=1, mode="nearest")


RIGHT_ONES = [name for name, what in TABLE.items() if what == RIGHT]


@pytest.mark.parametrize("name", RIGHT_ONES)
def test_resampled_rightly(name, edge, resample, tmp_path):
    data, affine, header = raw_volume(edge / name)
    n = data.shape[:3]
    # Finer by about a third on each axis that has more than one voxel; surface overlays are long enough as they are.
    size = [max(1, round(1.3 * x)) if x < 1000 else x + 100 for x in n]
    out = resample(edge / name, tmp_path / "out.nii", "--size", *size)
    result, out_affine, out_header = raw_volume(out)
    assert result.shape[:3] == tuple(size)
    assert result.shape[3:] == data.shape[3:]
    for code in ("qform_code", "sform_code"):
        assert out_header[code] == header[code]
    assert out_header.get_data_dtype().newbyteorder("=") == header.get_data_dtype().newbyteorder("=")
    # Edges in index space, and the header must say the same: both faces of the field of view stay where they were.
    ratio = [a / b for a, b in zip(n, size)]
    for corner in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)):
        before = affine[:3, :3] @ (np.array(corner) * n - 0.5) + affine[:3, 3]
        after = out_affine[:3, :3] @ (np.array(corner) * size - 0.5) + out_affine[:3, 3]
        assert np.allclose(before, after, atol=1e-3), f"corner {corner}: {before} became {after}"
    axes = [(np.arange(m) + 0.5) * r - 0.5 for m, r in zip(size, ratio)]
    c = np.meshgrid(*axes, indexing="ij")
    for frame in range(data.shape[3]):
        for component in range(data.shape[4]):
            volume, got = data[..., frame, component], result[..., frame, component].astype(np.float64)
            expected = linear(volume, c)
            finite = np.isfinite(expected)
            # scipy multiplies NaN by 0, revoxel does not: its NaN are a subset.
            assert np.isfinite(got[finite]).all()
            scale = np.abs(volume[np.isfinite(volume)].astype(np.float64)).max(initial=0)
            tolerance = 0.5 + 1e-5 * scale if volume.dtype.kind in "iu" else 1e-6 * scale
            assert np.abs(got[finite] - expected[finite]).max(initial=0) <= tolerance
    if name not in ("nan_acosUnary.nii.gz", "inf_mtr.nii.gz"):
        assert finite.all()


@pytest.mark.parametrize("name", [name for name, what in TABLE.items() if what == WITH_ITS_PAIR])
def test_either_half_names_the_pair(name, edge, resample, tmp_path):
    other = name.replace(".img", ".hdr")
    a = resample(edge / name, tmp_path / "a.nii", "--spacing", 3.3).read_bytes()
    b = resample(edge / other, tmp_path / "b.nii", "--spacing", 3.3).read_bytes()
    assert a == b


@pytest.mark.parametrize("name", [name for name, what in TABLE.items() if what == REFUSED])
@pytest.mark.parametrize("dry", [False, True], ids=["run", "dry-run"])
def test_refused(name, dry, edge, revoxel, tmp_path):
    out = tmp_path / "out.nii"
    done = revoxel("resample", edge / name, out, "--spacing", 1, *(["--dry-run"] if dry else []))
    if dry and done.returncode == 0:
        pytest.skip("only the voxels are missing, and a dry run reads none")
    assert done.returncode == 3, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert Path(name).name.split(".")[0] in lines[0], "the line names the file"
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_nan_stay_where_they_are(edge, resample, tmp_path):
    """A copy on the same grid keeps each NaN and infinity; a finer grid makes none from padding."""
    for name in ("nan_acosUnary.nii.gz", "inf_mtr.nii.gz"):
        data, _, _ = raw_volume(edge / name)
        same, _, _ = raw_volume(resample(edge / name, tmp_path / "out.nii", "--size", *data.shape[:3]))
        assert np.array_equal(same, data, equal_nan=True)
        n = data.shape[:3]
        half = [0.5 * s for s in steps(edge / name)]
        finer, _, _ = raw_volume(
            resample(edge / name, tmp_path / "out.nii", "--spacing", *half, "--grid-policy", "first")
        )
        for frame in range(data.shape[3]):
            on_voxels = finer[::2, ::2, ::2, frame, 0][tuple(slice(x) for x in n)]
            assert np.array_equal(
                on_voxels, data[..., frame, 0], equal_nan=True
            ), "a neighbour of weight zero was touched"


def steps(path):
    return np.sqrt((nib.load(path).affine[:3, :3] ** 2).sum(axis=0))


def test_no_file_of_the_folder_was_changed(edge):
    """The scans are read-only for a reason; revoxel never writes beside its input either."""
    assert shared_data_folder().is_dir()
    assert not [p for p in edge.rglob("*") if p.is_file() and str(p.relative_to(edge)) not in TABLE]
