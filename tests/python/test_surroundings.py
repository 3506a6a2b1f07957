"""What the surroundings may do to a run: no standard error, a run that is stopped, files of many kinds."""

import subprocess

import nibabel as nib
import numpy as np
import pytest

from conftest import shipped_data_folder

CT = shipped_data_folder() / "ct_abdomen.nii.gz"


def shell(script, *words):
    return subprocess.run(["bash", "-c", script, "bash", *map(str, words)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("nowhere", ["2>&-", "2>/dev/full"])
def test_warnings_that_nobody_can_read_end_no_run(program, tmp_path, nowhere):
    out = tmp_path / "o.nii"
    words = [program, "resample", CT, out, "--z-spacing", "0.5"]  # warns: more than 4x
    done = shell(f'"$@" {nowhere}', *words)
    assert done.returncode == 0 and out.exists()
    assert shell(f'"$@" {nowhere}', program, "info", tmp_path / "missing.nii").returncode == 3


def test_a_picture_that_cannot_be_written_leaves_no_volume(revoxel, tmp_path):
    (tmp_path / "p.png").mkdir()
    done = revoxel("resample", CT, tmp_path / "o.nii", "--spacing", "5", "--preview", tmp_path / "p.png")
    assert done.returncode == 4
    assert not (tmp_path / "o.nii").exists()


def test_the_printed_spacing_can_be_typed(revoxel, tmp_path):
    source, out = tmp_path / "s.nii", tmp_path / "o.nii"
    values = np.arange(300 * 8 * 4, dtype=np.int16).reshape(300, 8, 4)
    image = nib.Nifti1Image(values, np.diag([0.48242188, 0.7, 2.3708093, 1]))
    nib.save(image, source)
    shown = revoxel("info", source).stdout
    line = next(line for line in shown.splitlines() if line.startswith("spacing (mm)"))
    typed = [word for word in line.split() if word[0].isdigit()]
    assert revoxel("resample", source, out, "--spacing", *typed).returncode == 0
    assert np.array_equal(np.asanyarray(nib.load(out).dataobj), image.dataobj)


def test_a_spacing_that_is_almost_the_same_is_a_warning(revoxel, tmp_path):
    source = tmp_path / "s.nii"
    nib.save(nib.Nifti1Image(np.zeros((300, 8, 4), np.int16), np.diag([0.48242188, 0.7, 2, 1])), source)
    done = revoxel("resample", source, tmp_path / "o.nii", "--spacing", "0.4824", "0.7", "2")
    assert "almost the input's" in done.stderr


def test_values_that_an_integer_cannot_hold_are_a_warning(revoxel, tmp_path):
    values = np.full((6, 6, 6), 100.0, np.float32)
    values[2, 2, 2], values[4, 4, 4] = np.nan, np.inf
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "s.nii")
    done = revoxel("resample", tmp_path / "s.nii", tmp_path / "o.nii", "--spacing", "2", "--dtype", "int16")
    assert "NaN becomes 0" in done.stderr
