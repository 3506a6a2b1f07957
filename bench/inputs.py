"""The volumes that the benchmarks resample, made from a real scan: a CT of 512x512x41 voxels, stacked back and forth."""
import argparse
import os
import pathlib

import nibabel
import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCANS = pathlib.Path(os.environ.get("REVOXEL_TEST_SHARED_DATA", ROOT.parent / "shared/data"))
SCAN = SCANS / "nifti/anat/CRLM-CT-1004_CT_0p8x0p8x5.nii.gz"
LABELS = 104
CHANNELS = 25


def stacked(scan, slices):
    """The scan's slices 0, 1, ..., n-1, n-2, ..., 0, 1, ... until there are enough."""
    there_and_back = list(range(scan.shape[2])) + list(range(scan.shape[2] - 2, 0, -1))
    return scan[:, :, [there_and_back[k % len(there_and_back)] for k in range(slices)]]


def blobs(shape, labels, seed):
    """A label map: in an ellipsoid, each voxel has the label of the nearest of as many seeds; 0 outside."""
    random = numpy.random.default_rng(seed)
    seeds = random.uniform(-0.7, 0.7, (labels, 3)).astype(numpy.float32)
    axes = [numpy.linspace(-1, 1, n, dtype=numpy.float32) for n in shape]
    nearest = numpy.full(shape, 4.0, numpy.float32)
    result = numpy.zeros(shape, numpy.uint8)
    for label, seed_at in enumerate(seeds, start=1):
        parts = [(axis - at) ** 2 for axis, at in zip(axes, seed_at)]
        distance = parts[0][:, None, None] + parts[1][None, :, None] + parts[2][None, None, :]
        closer = distance < nearest
        nearest[closer] = distance[closer]
        result[closer] = label
    radius = axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2
    result[radius > 0.8] = 0
    return result


def save(path, voxels, spacing, affine=None):
    image = nibabel.Nifti1Image(voxels, numpy.diag([*spacing, 1.0]) if affine is None else affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def oblique_affine(shape, spacing, out_shape, degrees):
    """A 1 mm grid, turned about the first and then the third axis, its centre on the volume's centre."""
    angle = numpy.deg2rad(degrees)
    c, s = numpy.cos(angle), numpy.sin(angle)
    turn = numpy.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ numpy.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    affine = numpy.eye(4)
    affine[:3, :3] = turn
    centre = (numpy.array(shape) - 1) / 2 * numpy.array(spacing)
    affine[:3, 3] = centre - turn @ ((numpy.array(out_shape) - 1) / 2)
    return affine


def extent(full, scale):
    """A full extent divided by `scale`, with enough voxels left for every kernel."""
    return max(8, full // scale)


def middle(volume, n):
    """The middle n x n voxels of each slice: the corners of a CT are air."""
    i, j = ((size - n) // 2 for size in volume.shape[:2])
    return volume[i : i + n, j : j + n]


def make(folder, scale=1, names=None):
    """These inputs (all, where none is named), each extent divided by `scale`. Files that are there are kept."""
    if not SCAN.exists():
        raise SystemExit(f"the scan is not there: {SCAN} (set REVOXEL_TEST_SHARED_DATA to the folder of scans)")
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scan = numpy.asarray(nibabel.load(SCAN).dataobj).astype(numpy.int16)
    n = lambda full: extent(full, scale)
    crop = lambda k: numpy.ascontiguousarray(middle(stacked(scan, k), n(512)))
    spacing = (0.8, 0.8, 2.5)

    def once(name, content):
        path = folder / name
        if not path.exists() and (names is None or name in names):
            save(path, *content())

    once("ct.nii", lambda: (crop(n(300)), spacing))
    once("ct.nii.gz", lambda: (crop(n(300)), spacing))
    once("cube512.nii", lambda: (crop(n(512)), (1.0, 1.0, 1.0)))
    once("cube256.nii", lambda: (middle(crop(n(256)), n(256)).astype(numpy.float32), (1.0, 1.0, 1.0)))
    once("labels.nii", lambda: (blobs((n(512), n(512), n(300)), LABELS, 1), spacing))
    random = numpy.random.default_rng(2)
    once("logits.nii", lambda: (random.normal(size=(n(128),) * 3 + (CHANNELS,)).astype(numpy.float32), (3.2, 3.2, 5.9)))
    shape, out = (n(512), n(512), n(300)), (n(410), n(410), n(750))
    once("oblique.nii", lambda: (numpy.zeros(out, numpy.uint8), None, oblique_affine(shape, spacing, out, 15.0)))
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--scale", type=int, default=1, help="divide each extent by this (default: 1)")
    arguments = parser.parse_args()
    make(arguments.folder, arguments.scale)
