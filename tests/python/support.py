"""Geometry and data for the tests, from numpy and nibabel alone: nothing of the program's own code."""

import gzip
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np


def scans(folder):
    """All NIfTI files of a folder, as paths relative to it."""
    folder = Path(folder)
    return sorted(p.relative_to(folder) for p in folder.rglob("*") if p.suffix in (".nii", ".gz", ".hdr"))


def save(path, data, affine, *, slope=None, inter=0.0, code=1):
    """Writes stored values `data` with both transforms; with a slope, a header that says slope and inter."""
    image = nib.Nifti1Image(data, affine, dtype=data.dtype)
    image.header.set_sform(affine, code)
    image.header.set_qform(affine, code, strip_shears=True)
    if slope is None:
        nib.save(image, path)
    else:
        write_raw(path, image.header, data, slope, inter)
    return path


def write_raw(path, header, data, slope, inter):
    """A single-file NIfTI from a header and stored values. nibabel would divide the values by the slope."""
    header = header.copy()
    header.set_data_dtype(data.dtype)
    header.set_data_shape(data.shape)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    raw = header.structarr.copy()
    raw["scl_slope"] = slope
    raw["scl_inter"] = inter
    body = raw.tobytes() + b"\0\0\0\0" + np.asarray(data).tobytes(order="F")
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "wb") as file:
        file.write(body)


def stored(path):
    """The values as they lie in the file, without slope and inter."""
    return np.asanyarray(nib.load(path).dataobj.get_unscaled())


def scaled(path):
    return np.asanyarray(nib.load(path).dataobj)


def spacing(affine):
    return np.sqrt((affine[:3, :3] ** 2).sum(axis=0))


def rotation(degrees):
    """About x, then y, then z."""
    result = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[u, u] = turn[v, v] = np.cos(angle)
        turn[u, v], turn[v, u] = -np.sin(angle), np.sin(angle)
        result = turn @ result
    return result


def grid_about(affine, shape, new_shape, new_spacing, degrees, order=(0, 1, 2), signs=(1, 1, 1)):
    """A grid with the same centre, turned against `affine`'s directions, its axes permuted and flipped."""
    directions = affine[:3, :3] / spacing(affine)
    columns = (rotation(degrees) @ directions)[:, list(order)] * np.asarray(signs) * np.asarray(new_spacing)
    centre = affine[:3, :3] @ ((np.asarray(shape[:3]) - 1) / 2) + affine[:3, 3]
    result = np.eye(4)
    result[:3, :3] = columns
    result[:3, 3] = centre - columns @ ((np.asarray(new_shape) - 1) / 2)
    return result


def save_reference(path, affine, shape):
    """A file that says a grid and nothing else. The affine as float32 will hold it is returned."""
    image = nib.Nifti1Image(np.zeros(shape, np.uint8), affine)
    image.header.set_sform(affine, 1)
    image.header.set_qform(None, 0)
    nib.save(image, path)
    return nib.load(path).affine


def positions(affine_in, affine_out, shape_out):
    """Continuous input indices of all output voxels: three arrays that broadcast to shape_out."""
    m = np.linalg.inv(affine_in) @ affine_out
    axes = np.ogrid[tuple(slice(n) for n in shape_out[:3])]
    return [m[i, 0] * axes[0] + m[i, 1] * axes[1] + m[i, 2] * axes[2] + m[i, 3] for i in range(3)]


def inside(c, shape_in):
    """Where an output voxel takes its value from the input: docs/conventions.md, "Positions"."""
    result = True
    for position, n in zip(c, shape_in):
        result = result & (position + 1e-6 >= -0.5) & (position + 1e-6 < n - 0.5)
    return result


def peak_bytes(program, *arguments):
    """Most memory that the program held. A small process starts it: the peak includes that of who starts it."""
    start = (
        "import os, subprocess, sys; p = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL);"
        "_, status, usage = os.wait4(p.pid, 0); print(usage.ru_maxrss);"
        "os._exit(os.waitstatus_to_exitcode(status)) if status else None"
    )
    command = [sys.executable, "-I", "-S", "-c", start, str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024
