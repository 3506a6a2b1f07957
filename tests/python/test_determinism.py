"""Equal bytes of the output file, whatever computes it: any number of threads, either backend."""

import hashlib

import nibabel as nib
import numpy as np
import pytest

from support import grid_about, save_reference

JOBS = {
    "up linear": ("example_ct_sm.nii.gz", ["--spacing", 2, "--fill", -1024]),
    "down bspline3": ("example_ct_sm.nii.gz", ["--spacing", 4.7, 3.1, 7, "--interp", "bspline3"]),
    "mixed lanczos3 float": (
        "stroke/FLAIR.nii.gz",
        ["--spacing", 0.9, 1.4, 2, "--interp", "lanczos3", "--dtype", "float32"],
    ),
    "labels": ("sct_t2/labels.nii.gz", ["--spacing", 0.6, "--labels"]),
    "4-D oblique": ("example4d.nii.gz", ["--like", "REFERENCE"]),
    "4-D oblique bspline3": ("example4d.nii.gz", ["--like", "REFERENCE", "--interp", "bspline3"]),
    "scaled uint8": ("someones_anatomy.nii.gz", ["--size", 70, 60, 50, "--interp", "cubic"]),
}


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("job", JOBS)
def test_same_bytes(job, ending, shared_data, resample, tmp_path):
    name, options = JOBS[job]
    source = shared_data / "nifti/anat" / name
    image = nib.load(source)
    reference = tmp_path / "reference.nii"
    save_reference(reference, grid_about(image.affine, image.shape, (70, 60, 40), (2, 3, 2), (8, -9, 10)), (70, 60, 40))
    options = [reference if o == "REFERENCE" else o for o in options]
    digests = {}
    runs = [("cpu", 1), ("cpu", 2), ("cpu", 5), ("reference", 1)] if ending == ".nii" else [("cpu", 1), ("cpu", 5)]
    for backend, threads in runs:
        target = tmp_path / f"out{ending}"
        resample(source, target, *options, "--backend", backend, "--threads", threads)
        digests[backend, threads] = hashlib.sha256(target.read_bytes()).hexdigest()
        assert nib.load(target).get_fdata().any()
    assert len(set(digests.values())) == 1, digests


def test_frames_do_not_mix(shared_data, resample, tmp_path):
    """The same 4-D file twice in one folder, in either order of threads: scratch memory leaves nothing behind."""
    source = shared_data / "nifti/anat/mpld_asl.nii.gz"
    first = resample(source, tmp_path / "a.nii", "--spacing", 3, "--threads", 1).read_bytes()
    again = resample(source, tmp_path / "b.nii", "--spacing", 3, "--threads", 5).read_bytes()
    assert first == again
    assert np.asanyarray(nib.load(tmp_path / "a.nii").dataobj).shape[3] == 25
