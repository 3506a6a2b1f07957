"""The light tools, called as their users call them. Each function takes the path of a NIfTI file, the spacing asked for in
mm along the axes of the file and a kernel ("nearest", "linear", "bspline"; "cubic" for MRtrix), and returns a Result.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple, Optional

import nibabel as nib
import numpy as np


class Result(NamedTuple):
    data: np.ndarray
    affine: Optional[np.ndarray]  # None: the tool knows no affines
    version: str


def header_spacing(image):
    return np.asarray(image.header.get_zooms()[:3], float)


def run_simpleitk(path, spacing, kernel="linear", pixel=None):
    """The recipe of the forums: ResampleImageFilter, round(n s/t) voxels, the origin kept."""
    import SimpleITK as sitk

    image = sitk.ReadImage(str(path))
    old = image.GetSpacing()
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(round(n * s / t)) for n, s, t in zip(image.GetSize(), old, spacing)])
    resampler.SetOutputSpacing([float(t) for t in spacing])
    resampler.SetOutputOrigin(image.GetOrigin())
    resampler.SetOutputDirection(image.GetDirection())
    interpolators = {"nearest": sitk.sitkNearestNeighbor, "linear": sitk.sitkLinear, "bspline": sitk.sitkBSpline}
    resampler.SetInterpolator(interpolators[kernel])
    if pixel is not None:
        resampler.SetOutputPixelType(pixel)
    result = resampler.Execute(image)
    # ITK's world is LPS, its matrices act on index columns as NIfTI's do.
    columns = np.array(result.GetDirection()).reshape(3, 3) * result.GetSpacing()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ nib.affines.from_matvec(columns, result.GetOrigin())
    return Result(sitk.GetArrayFromImage(result).T, affine, sitk.Version_VersionString())


ORDERS = {"nearest": 0, "linear": 1, "bspline": 3}


def run_scipy(path, spacing, kernel="bspline", keep_dtype=False):
    """The common script: zoom by s/t; the affine's columns scaled to the spacing asked for, its origin kept."""
    import scipy
    from scipy import ndimage

    image = nib.load(path)
    data = np.asanyarray(image.dataobj) if keep_dtype else image.get_fdata()
    factors = header_spacing(image) / np.asarray(spacing)
    affine = image.affine @ np.diag([*(1 / factors), 1.0])
    return Result(ndimage.zoom(data, factors, order=ORDERS[kernel]), affine, scipy.__version__)


def run_skimage(path, spacing, kernel="linear"):
    """transform.resize to round(n s/t) voxels with anti-aliasing; values kept (preserve_range)."""
    import skimage
    from skimage import transform

    image = nib.load(path)
    factors = header_spacing(image) / np.asarray(spacing)
    shape = [int(round(n * f)) for n, f in zip(image.shape, factors)]
    if kernel == "nearest":
        data = transform.resize(np.asanyarray(image.dataobj), shape, order=0, anti_aliasing=False, preserve_range=True)
    else:
        data = transform.resize(image.get_fdata(), shape, order=ORDERS[kernel], anti_aliasing=True, preserve_range=True)
    return Result(data, None, skimage.__version__)


def run_nibabel(path, spacing, kernel="bspline"):
    """processing.resample_to_output: a grid along the world's axes, whatever the input's orientation."""
    from nibabel import processing

    image = nib.load(path)
    world = [int(np.argmax(np.abs(image.affine[row, :3] / header_spacing(image)))) for row in range(3)]
    result = processing.resample_to_output(image, [spacing[axis] for axis in world], order=ORDERS[kernel])
    return Result(np.asanyarray(result.dataobj), result.affine, nib.__version__)


def has_mrtrix():
    return shutil.which("mrgrid") is not None


def mrtrix_version():
    said = subprocess.run(["mrgrid", "-version"], capture_output=True, text=True, check=True).stdout
    return said.split()[2]


def run_mrtrix(path, spacing, kernel="cubic"):
    """mrgrid regrid -voxel. It takes the spacing along its own axes, which are the file's in the order of the world's;
    the result is returned along the file's axes."""
    image = nib.load(path)
    world = [int(np.argmax(np.abs(image.affine[row, :3] / header_spacing(image)))) for row in range(3)]
    voxel = ",".join(repr(float(spacing[axis])) for axis in world)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.nii"
        command = ["mrgrid", str(path), "regrid", "-quiet", "-voxel", voxel, "-interp", kernel, str(out)]
        subprocess.run(command, check=True)
        result = nib.load(out)
        back = nib.orientations.ornt_transform(nib.io_orientation(result.affine), nib.io_orientation(image.affine))
        result = result.as_reoriented(back)
        data = np.asanyarray(result.dataobj).copy()
    return Result(data, result.affine, mrtrix_version())
