"""Every level of --compression gives one gzip member that other programs read, the same bytes for any number of threads."""

import gzip
import subprocess
import zlib

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from conftest import shipped_data_folder

T1 = shipped_data_folder() / "t1_head.nii.gz"  # 1.5 mm: 8 MB, more than a dozen pieces
SPACING = ("--spacing", 1.5)
LEVELS = ["fast", *map(str, range(10))]
GZIP_WINDOW = 31


@pytest.fixture(scope="module")
def plain(resample, tmp_path_factory):
    return resample(T1, tmp_path_factory.mktemp("plain") / "t1.nii", *SPACING)


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_is_read_by_others(level, resample, plain, tmp_path):
    file = resample(T1, tmp_path / "t1.nii.gz", *SPACING, "--compression", level)
    raw, expected = file.read_bytes(), plain.read_bytes()
    one_member = zlib.decompressobj(GZIP_WINDOW)
    assert one_member.decompress(raw) == expected
    assert one_member.eof and one_member.unused_data == b""
    with gzip.open(file) as stream:
        assert stream.read() == expected
    subprocess.run(["gzip", "-t", file], check=True)
    voxels = np.asanyarray(nib.load(plain).dataobj)
    assert np.array_equal(np.asanyarray(nib.load(file).dataobj), voxels)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(file))), voxels.T)


@pytest.mark.parametrize("level", ["fast", "2", "6"])
def test_threads_do_not_change_a_byte(level, resample, tmp_path):
    one, *others = (
        resample(T1, tmp_path / f"{threads}.nii.gz", *SPACING, "--compression", level, "--threads", threads).read_bytes()
        for threads in (1, 2, 5)
    )
    assert all(other == one for other in others)


def test_what_the_levels_promise(resample, plain, tmp_path):
    """0 stores; fast is the default and within a tenth of zlib's level 6; 9 is the smallest."""
    size = {
        level: resample(T1, tmp_path / "t1.nii.gz", *SPACING, "--compression", level).stat().st_size
        for level in ("fast", "0", "9")
    }
    assert resample(T1, tmp_path / "default.nii.gz", *SPACING).stat().st_size == size["fast"]
    zlib6 = len(zlib.compress(plain.read_bytes(), 6))
    assert plain.stat().st_size < size["0"] < plain.stat().st_size * 1.001
    assert size["fast"] < 1.1 * zlib6
    assert size["9"] < zlib6


def test_what_was_written_is_read_again(revoxel, resample, plain, tmp_path):
    for level in ("0", "fast", "4", "8"):
        file = resample(T1, tmp_path / "t1.nii.gz", *SPACING, "--compression", level)
        assert revoxel("compare", file, plain).returncode == 0
