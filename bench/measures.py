"""Drives the program from its command line and measures what comes out. docs/quality.md gives the formulas.

Positions and widths are in input voxels, frequencies in cycles per input voxel.
"""

import itertools
import subprocess
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from scipy.integrate import trapezoid

COUNT = 96  # voxels of the axis whose weights are read
CENTRE = 47  # first voxel of the interval in which output voxels lie
PARTS = 12  # of the interval between two voxels; at steps of 2, 2.5 and 3 no kernel has a corner inside one
NODES = 2  # positions in each part, those of Gauss's quadrature
LOWEST = 1 / 500  # where the spectrum 1/f begins
PLATE = 360  # voxels of the zone plate's sides
MARGIN = 24  # voxels around it, which no measure looks at
# First output voxel along x and y: each place on each axis, and each pair of distances to the nearest voxel.
PLATE_PHASES = ((1 / 8, 7 / 8), (3 / 8, 1 / 8), (5 / 8, 3 / 8), (7 / 8, 5 / 8))


class Program:
    """The program under test, and a folder for its files."""

    def __init__(self, path, folder):
        self.path = path
        self.folder = folder
        self.numbers = itertools.count()
        write(folder / "deltas.nii", np.eye(COUNT)[:, :, None], np.eye(4))

    def file(self):
        return self.folder / f"{next(self.numbers)}.nii"

    def resample(self, source, *options):
        """The path of the result; the caller removes it."""
        target = self.file()
        command = [self.path, "resample", source, target, "--threads", "1", "--quiet", *options]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stderr}")
        return target


def write(path, data, affine):
    image = nib.Nifti1Image(data, affine)
    image.header.set_sform(affine, 1)
    nib.save(image, path)
    return path


def values_of(path):
    return np.asarray(nib.load(path, mmap=False).dataobj)


def read(path):
    """Values of a file, which is removed."""
    values = values_of(path)
    path.unlink()
    return values


@dataclass
class Weights:
    """rows[p, j]: weight of input voxel j in an output voxel at position[p], which has share[p] in an average."""

    position: np.ndarray
    share: np.ndarray
    rows: np.ndarray
    step: float

    def response(self, f):
        """H[p, f] = sum_j w[p, j] exp(2 pi i f (j - position[p]))."""
        distance = np.arange(self.rows.shape[1]) - self.position[:, None]
        used = np.abs(self.rows).max(axis=0) > 0
        waves = np.exp(2j * np.pi * distance[:, used, None] * f)
        return np.einsum("pj,pjf->pf", self.rows[:, used], waves)

    def mean(self, values):
        """Over all positions between two voxels."""
        return self.share @ values

    def mean_response(self, f):
        """What is out of phase cancels; the kernels are even, so no imaginary part is left."""
        return self.mean(self.response(f)).real

    def power(self, f):
        return self.mean(np.abs(self.response(f)) ** 2)


def phases():
    """Positions between two voxels and the share of each in the mean over the interval."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    position = (np.arange(PARTS)[:, None] + (nodes + 1) / 2) / PARTS
    return position.ravel(), np.tile(weights / (2 * PARTS), PARTS)


def weights(program, kernel, antialias, step, at=None):
    """Deltas at all voxels of an axis, read in float64 at positions between two of them, or at `at`, equally often."""
    deltas = program.folder / "deltas.nii"
    position, share = phases() if at is None else (np.array(at, float), np.full(len(at), 1 / len(at)))
    # A step of 2.5 or 0.5 gives the position half a voxel farther on as well.
    count = 2 if step % 1 == 0.5 and at is None else 1
    rows = []
    for first in position[: len(position) // count]:
        affine = np.diag([float(step), 1, 1, 1])
        affine[0, 3] = CENTRE + first
        grid = write(program.file(), np.zeros((count, COUNT, 1), np.uint8), affine)
        # The axis that counts the deltas stays as it is: kernel gaussian would blur it.
        options = ["--interp", f"{kernel},nearest,nearest", "--antialias", f"{antialias},none,none"]
        rows.append(read(program.resample(deltas, "--like", grid, *options))[:, :, 0])
        grid.unlink()
    rows = np.stack(rows)  # [call, output voxel, input voxel]
    position = CENTRE + position[: len(rows), None] + step * np.arange(count)
    return Weights(position.T.ravel(), share, rows.swapaxes(0, 1).reshape(-1, COUNT), step)


def frequencies(step):
    """Two runs of frequencies: up to the new Nyquist, and beyond."""
    middle = min(0.5, 0.5 / step)
    return np.geomspace(LOWEST, middle, 400), np.geomspace(middle, 0.5, 200)


def integral(power, f):
    """Of power over f under the spectrum 1/f^2, amplitude 1/f."""
    return float(trapezoid(power / f**2, f))


def decibel(ratio):
    return float(10 * np.log10(ratio)) if ratio > 0 else -np.inf


def half_frequency(w):
    """Lowest f at which the response is 1/2, in new Nyquists; none: NaN."""
    f = np.linspace(LOWEST, 0.5, 1000)
    h = w.mean_response(f)
    below = np.nonzero(h < 0.5)[0]
    if len(below) == 0:
        return np.nan
    i = below[0]
    crossing = f[i - 1] + (h[i - 1] - 0.5) / (h[i - 1] - h[i]) * (f[i] - f[i - 1])
    return float(crossing * 2 * w.step)


def alias(w):
    """dB: what lies above the new Nyquist and comes through, relative to all of the input."""
    low, high = frequencies(w.step)
    total = integral(1.0, low) + integral(1.0, high)
    return decibel(integral(w.power(high), high) / total)


def error(w):
    """dB: all that differs from the ideal low-pass at the new Nyquist, relative to all of the input."""
    low, high = frequencies(w.step)
    total = integral(1.0, low) + integral(1.0, high)
    lost = integral(w.mean(np.abs(w.response(low) - 1) ** 2), low)
    return decibel((lost + integral(w.power(high), high)) / total)


def images(w):
    """dB: up-sampling's images, which is what depends on the position between voxels, relative to all of the input."""
    f, _ = frequencies(w.step)
    h = w.response(f)
    return decibel(integral(w.mean(np.abs(h - w.mean(h)) ** 2), f) / integral(1.0, f))


def overshoot(w):
    """Percent of a step from 0 to 1 between two voxels, the worst of all places of the step and of the output voxel."""
    after = np.cumsum(w.rows[:, ::-1], axis=1)
    return float(100 * max(after.max() - 1, -after.min(), 0))


def noise(w):
    """Standard deviation of white noise after the pass, relative to before; for one axis."""
    return float(np.sqrt(w.mean((w.rows**2).sum(axis=1))))


def zone_plate():
    """1/2 + 1/2 cos(pi r^2 / PLATE): at x from the centre the frequency is x / PLATE, the Nyquist at x = PLATE / 2."""
    x = np.arange(PLATE + 2 * MARGIN) - (PLATE + 2 * MARGIN - 1) / 2
    plate = 0.5 + 0.5 * np.cos(np.pi / PLATE * (x[:, None] ** 2 + x**2))
    return plate.astype(np.float32)[:, :, None]


def inner(volume):
    """Without the margin."""
    return volume[MARGIN:-MARGIN, MARGIN:-MARGIN]


def plate_positions(step, phase):
    return np.arange(MARGIN + phase, PLATE + MARGIN - 1, step)


def resampled_plates(program, plate, kernel, antialias, step):
    """The plate on the grids whose output voxels begin at PLATE_PHASES."""
    results = []
    for pair in PLATE_PHASES:
        affine = np.diag([float(step), step, 1, 1])
        affine[:2, 3] = [MARGIN + phase for phase in pair]
        counts = [len(plate_positions(step, phase)) for phase in pair]
        grid = write(program.file(), np.zeros((*counts, 1), np.uint8), affine)
        result = program.resample(plate, "--like", grid, "--interp", kernel, "--antialias", antialias)
        results.append(read(result)[:, :, 0].astype(float))
        grid.unlink()
    return results


def beyond_nyquist(step, pair):
    """(where the plate is above the new Nyquist on an axis, local frequency on both axes)"""
    fx, fy = (np.abs(plate_positions(step, phase) - MARGIN - (PLATE - 1) / 2) / PLATE for phase in pair)
    return np.maximum(fx[:, None], fy) > 0.5 / step, fx, fy


def plate_alias(results, step):
    """dB: energy where the true frequency is above the new Nyquist on an axis, relative to the energy it has there."""
    energy = []
    for result, pair in zip(results, PLATE_PHASES):
        beyond, _, _ = beyond_nyquist(step, pair)
        energy.append(np.mean((result[beyond] - 0.5) ** 2))
    return decibel(8 * np.mean(energy))  # 1/8 is the variance of 1/2 cos


def plate_alias_expected(w):
    """The same from the weights: |H|^2 on both axes at the local frequencies."""
    energy = []
    for pair in PLATE_PHASES:
        beyond, *local = beyond_nyquist(w.step, pair)
        px, py = [w.power(f) for f in local]
        energy.append(np.mean((px[:, None] * py)[beyond]))
    return decibel(np.mean(energy))


def psnr(values, reference):
    """dB relative to the range of the reference."""
    reference = reference.astype(float)
    return decibel(np.ptp(reference) ** 2 / np.mean((values - reference) ** 2))


def down_and_up(program, source, kernel, antialias):
    """Every axis with more than one voxel at half the voxels, and back on to the grid of the source, as float32."""
    image = nib.load(source)
    spacing = [2 * s if n > 1 else 0 for s, n in zip(image.header.get_zooms()[:3], image.shape)]
    options = ["--interp", kernel, "--dtype", "float32"]
    small = program.resample(source, "--spacing", *spacing, "--antialias", antialias, *options)
    back = read(program.resample(small, "--like", source, *options))
    small.unlink()
    return back


def brick_wall(values):
    """Frequencies from half the Nyquist up removed on every axis, by Fourier transform of the periodic volume."""
    spectrum = np.fft.fftn(values.astype(float), axes=(0, 1, 2))
    for axis in range(3):
        if values.shape[axis] > 1:
            f = np.abs(np.fft.fftfreq(values.shape[axis]))
            spectrum *= np.expand_dims(f < 0.25, tuple({0, 1, 2} - {axis}))
    return np.fft.ifftn(spectrum, axes=(0, 1, 2)).real
