"""A ramp in world coordinates stays that ramp, on every scan: the one test that finds half-voxel shifts, wrong
headers, swapped axes and mirrored ones.

Each scan of the shared data is replaced by f(world) = a.x + b with its own header. a is such that each index axis
makes a third of the range, b such that the values are centred on zero; float32 then holds them to 3e-8 of the
range. The result is read through its own header. The project promises 1e-5 of the range; the test asks for 1e-6,
which a shift by 0.01 voxel of the largest scan exceeds.

Linear interpolation keeps a ramp exactly, and so does the anti-aliasing triangle, whose centre of gravity is made to lie at
the position, as long as no tap is clamped at a face of the volume; voxels with clamped taps are left out, and the test says
that they are few.
"""

import os

import nibabel as nib
import numpy as np
import pytest

from conftest import shared_data_folder, shipped_data_folder
from support import grid_about, inside, positions, save_reference, scans, spacing

TOLERANCE = 1e-6  # of the range of the ramp
POLICIES = ("centre", "edges", "first", "ends")
SHIPPED = ("ct_abdomen.nii.gz", "t1_head.nii.gz", "oblique.nii.gz", "epi_4d.nii.gz", "big_endian.nii")
SCANS = [shipped_data_folder() / name for name in SHIPPED]
if shared_data_folder().is_dir():
    SCANS += [shared_data_folder() / "nifti/anat" / name for name in scans(shared_data_folder() / "nifti/anat")]


class Ramp:
    """f(world) on the grid of a scan."""

    def __init__(self, image):
        self.shape = (image.shape + (1, 1, 1))[:3]
        self.frames = image.shape[3:]
        self.affine = image.affine
        gradient = np.array([1.0 / (n - 1) if n > 1 else 0.0 for n in self.shape]) * [1, -1, 1]
        self.range = np.abs(gradient * (np.array(self.shape) - 1)).sum()
        self.a = np.linalg.inv(self.affine[:3, :3]).T @ gradient
        centre = self.affine[:3, :3] @ ((np.array(self.shape) - 1) / 2) + self.affine[:3, 3]
        self.b = -self.a @ centre

    def on(self, affine, shape):
        """f at the voxel centres of a grid."""
        step = self.a @ affine[:3, :3]
        i, j, k = np.ogrid[tuple(slice(n) for n in shape)]
        return (step[0] * i + (self.a @ affine[:3, 3] + self.b)) + step[1] * j + step[2] * k

    def offset(self, frame):
        """Frames differ, so that one cannot pass for another."""
        return 0.02 * self.range * frame


def save_ramp(path, image, ramp):
    header = image.header.copy()
    header.set_data_dtype(np.float32)
    header.set_slope_inter(1, 0)
    values = ramp.on(ramp.affine, ramp.shape).astype(np.float32)
    if ramp.frames:
        count = int(np.prod(ramp.frames))
        values = np.stack([values + np.float32(ramp.offset(t)) for t in range(count)], axis=-1)
        values = values.reshape(ramp.shape + ramp.frames, order="F")
    nib.save(nib.Nifti1Image(values.reshape(image.shape), None, header), path)
    assert np.allclose(nib.load(path).affine, image.affine, atol=1e-6), "the ramp's header is not the scan's"


def check(ramp, path, policy_name, k_of, *, fill_outside=False):
    """k_of: stretch of each input axis in force. Returns how many covered voxels there are and how many were tested."""
    image = nib.load(path)
    data = np.asanyarray(image.dataobj)
    shape = (image.shape + (1, 1, 1))[:3]
    frames = data.reshape(shape + (-1,), order="F")
    assert frames.shape[3] == int(np.prod(ramp.frames, initial=1))
    c = positions(ramp.affine, image.affine, shape)
    separable = all(position.size == max(position.shape) for position in squeezed(c, ramp, image.affine))
    covered = np.broadcast_to(inside(c, ramp.shape), shape)
    interior = covered
    for axis, n in enumerate(ramp.shape):
        if n == 1:
            continue
        k = k_of[axis]
        # Separable: all taps within k of c. Oblique: the low-passed voxels on both sides have all theirs.
        low, high = (k - 1, n - k) if separable or k == 1 else (k, n - 1 - k)
        interior = interior & (c[axis] >= low - 1e-6) & (c[axis] <= high + 1e-6)
    expected = ramp.on(image.affine, shape)
    worst = 0.0
    for t in range(frames.shape[3]):
        error = np.abs(frames[..., t] - (expected + ramp.offset(t)))
        worst = max(worst, float(error[interior].max(initial=0.0)))
        if fill_outside:
            assert not frames[..., t][~covered].any(), "a voxel outside the input is not fill"
    assert worst <= TOLERANCE * ramp.range, f"{policy_name}: off by {worst / ramp.range:.2e} of the range"
    return int(covered.sum()), int(interior.sum())


def squeezed(c, ramp, affine):
    """The positions with axes left out along which they do not change by 1e-4 voxel."""
    m = np.linalg.inv(ramp.affine) @ affine
    result = []
    for axis, position in enumerate(c):
        index = tuple(
            slice(None) if abs(m[axis, a]) * position.shape[a] > 1e-4 else slice(1) for a in range(position.ndim)
        )
        result.append(position[index])
    return result


def spacing_arguments(ramp, factors):
    """New spacings; axes of one voxel keep theirs, because there is no ramp along them."""
    s = spacing(ramp.affine)
    return [f"{s[a] * (factors[a] if ramp.shape[a] > 1 else 1):.9g}" for a in range(3)]


def step_of(ramp, factors, policy):
    """Input voxels per output voxel: the factor asked for, or what the voxel count makes of it."""
    steps = []
    for n, f in zip(ramp.shape, factors):
        m = int(np.ceil(n / f - 1e-4))
        kept = {"edges": n / m, "ends": (n - 1) / max(m - 1, 1)}.get(policy, f)
        steps.append(max(1, kept) if n > 1 else 1)
    return steps


@pytest.mark.parametrize("scan", SCANS, ids=lambda path: path.name)
def test_ramp(scan, resample, tmp_path):
    image = nib.load(scan)
    ramp = Ramp(image)
    source, target = tmp_path / "ramp.nii", tmp_path / "out.nii"
    save_ramp(source, image, ramp)
    covered_total = tested_total = 0

    def run(name, k_of, options, **more):
        nonlocal covered_total, tested_total
        resample(source, target, "--interp", "linear", *options)
        covered, tested = check(ramp, target, name, k_of, **more)
        covered_total, tested_total = covered_total + covered, tested_total + tested
        assert tested > 0.25 * covered, f"{name}: {tested} of {covered} covered voxels tested"
        os.unlink(target)

    ones = (1, 1, 1)
    up, down = (0.83, 0.77, 0.71), (1.63, 1.37, 1.21)
    for policy in POLICIES:
        run(f"up {policy}", ones, ["--spacing", *spacing_arguments(ramp, up), "--grid-policy", policy])
        run(
            f"down {policy}",
            ones,
            ["--spacing", *spacing_arguments(ramp, down), "--grid-policy", policy, "--antialias", "none"],
        )
    for policy in POLICIES:  # the default: low-passed where an axis is down-sampled
        arguments = ["--spacing", *spacing_arguments(ramp, down), "--grid-policy", policy]
        run(f"antialiased {policy}", step_of(ramp, down, policy), arguments)

    # Oblique references: turned, turned with axes permuted and flipped, and sheared; coarser and finer, of other
    # extents that reach beyond the scan.
    n, s = np.array(ramp.shape), spacing(ramp.affine)
    reference = tmp_path / "reference.nii"
    span = np.maximum(n * s, s)
    shapes = [
        np.maximum(1, np.round(0.8 * span / s / 1.1)),
        np.round(0.7 * span[[2, 0, 1]] / s[[2, 0, 1]] / 0.9) + 3,
        n // 2 + 5,
    ]
    grids = [
        grid_about(ramp.affine, n, shapes[0], 1.1 * s, (3, -5, 8)),
        grid_about(ramp.affine, n, shapes[1], 0.9 * s[[2, 0, 1]], (-4, 6, 11), (2, 0, 1), (1, -1, -1)),
        grid_about(ramp.affine, n, shapes[2], 1.9 * s, (0, 0, 0)) @ sheared(0.2),
    ]
    for name, grid, shape in zip(("turned", "permuted and flipped", "sheared"), grids, shapes):
        shape = [int(x) for x in shape]
        affine = save_reference(reference, grid, shape)
        m = np.linalg.inv(ramp.affine) @ affine
        k = np.maximum(1, np.linalg.norm(m[:3, :3], axis=1))
        run(f"like {name}", k, ["--like", reference], fill_outside=True)
    assert tested_total > 0.75 * covered_total, "most covered voxels must be tested"


def sheared(amount):
    m = np.eye(4)
    m[0, 1], m[1, 2] = amount, -amount
    return m
