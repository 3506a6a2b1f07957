"""One peer doing one job, in a process of its own, so that its peak memory is its own. peers.py starts it.

    python3 peer_calls.py memory REQUEST.json     times a call on arrays in memory; prints JSON
    python3 peer_calls.py file SCRIPT REQUEST.json   runs once what a user's script would do, from file to file

Needs numpy and the peer; exit code 3 says which module is not there. Arrays are indexed k, j, i and contiguous, the
order of the files and of every peer here. A call is timed from the input's type to the output's: where a peer knows
only floats, the conversion and the rounding belong to it.
"""

import importlib
import json
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np

ABSENT = 3


@dataclass
class Prepared:
    """What is timed, what its result is as an array, and who did it."""

    run: Callable
    to_array: Callable
    version: str


def as_is(result):
    return result


def version_of(module):
    return f"{module} {importlib.import_module(module).__version__}"


def stored(values, dtype):
    """Rounded and saturated where the type is an integer."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        return values.astype(dtype, copy=False)
    info = np.iinfo(dtype)
    return np.clip(np.rint(values, out=values), info.min, info.max, out=values).astype(dtype)


def zoom_factors(request, voxels):
    return [m / n for m, n in zip(request["size"][::-1], voxels.shape[-3:])]


# SimpleITK


def itk_geometry(image, affine):
    columns = np.asarray(affine)[:3, :3]
    spacing = np.sqrt((columns**2).sum(axis=0))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin([row[3] for row in affine[:3]])
    image.SetDirection((columns / spacing).ravel().tolist())


def itk_filter(sitk, request, image):
    columns = np.asarray(request["affine"])[:3, :3]
    spacing = np.sqrt((columns**2).sum(axis=0))
    resample = sitk.ResampleImageFilter()
    resample.SetSize(request["size"])
    resample.SetOutputSpacing(spacing.tolist())
    resample.SetOutputOrigin([row[3] for row in request["affine"][:3]])
    resample.SetOutputDirection((columns / spacing).ravel().tolist())
    resample.SetInterpolator(getattr(sitk, request["interpolator"]))
    resample.SetOutputPixelType(image.GetPixelID())
    return resample


def simpleitk(request, voxels):
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(request["threads"])
    image = sitk.GetImageFromArray(voxels)
    itk_geometry(image, request["input_affine"])
    resample = itk_filter(sitk, request, image)
    version = f"SimpleITK {sitk.Version.VersionString()} (ITK {sitk.Version.ITKVersionString()})"
    return Prepared(lambda: resample.Execute(image), sitk.GetArrayFromImage, version)


# scipy and scikit-image: one thread, whatever is asked for


def scipy_zoom(request, voxels):
    from scipy import ndimage

    def run():
        factors = zoom_factors(request, voxels)
        return ndimage.zoom(voxels, factors, order=request["order"], mode="nearest", grid_mode=True)

    return Prepared(run, as_is, version_of("scipy"))


def scipy_affine(request, voxels):
    from scipy import ndimage

    to_input = np.linalg.inv(np.asarray(request["input_affine"])) @ np.asarray(request["affine"])
    matrix, offset = to_input[:3, :3][::-1, ::-1], to_input[:3, 3][::-1]

    def run():
        shape = request["size"][::-1]
        return ndimage.affine_transform(
            voxels, matrix, offset, output_shape=shape, order=request["order"], mode="nearest"
        )

    return Prepared(run, as_is, version_of("scipy"))


def scipy_one_hot(request, voxels):
    """Each label as a volume of 0 and 1, and at each voxel the label whose volume is largest; ties to the smallest."""
    from scipy import ndimage

    def run():
        factors = zoom_factors(request, voxels)
        best = None
        for label in np.unique(voxels):
            share = ndimage.zoom((voxels == label).astype(np.float32), factors, order=1, mode="nearest", grid_mode=True)
            if best is None:
                best, result = share, np.full(share.shape, label, voxels.dtype)
                continue
            larger = share > best
            best[larger] = share[larger]
            result[larger] = label
        return result

    return Prepared(run, as_is, version_of("scipy"))


def scipy_channels(request, voxels):
    """Every channel at full size, then argmax over them: what the export of a segmentation does."""
    from scipy import ndimage

    def run():
        factors = zoom_factors(request, voxels)
        full = np.empty((len(voxels), *request["size"][::-1]), np.float32)
        for channel, values in enumerate(voxels):
            ndimage.zoom(values, factors, output=full[channel], order=1, mode="nearest", grid_mode=True)
        return full.argmax(axis=0).astype(np.uint8)

    return Prepared(run, as_is, version_of("scipy"))


def running_argmax(channels):
    """The argmax of channels that come one by one and are never held together."""
    best = result = None
    for channel, values in enumerate(channels):
        if best is None:
            best, result = values, np.zeros(values.shape, np.uint8)
            continue
        result[values > best] = channel
        np.maximum(best, values, out=best)
    return result


def scipy_channels_running(request, voxels):
    from scipy import ndimage

    def run():
        factors = zoom_factors(request, voxels)
        zoom = lambda values: ndimage.zoom(values, factors, order=1, mode="nearest", grid_mode=True)
        return running_argmax(zoom(values) for values in voxels)

    return Prepared(run, as_is, version_of("scipy"))


def skimage_resize(request, voxels):
    from skimage import transform

    def run():
        shape = request["size"][::-1]
        values = transform.resize(
            voxels, shape, order=request["order"], preserve_range=True, anti_aliasing=request["anti_aliasing"]
        )
        return stored(values, voxels.dtype)

    return Prepared(run, as_is, version_of("skimage").replace("skimage", "scikit-image"))


# torch on the CPU


def torch_interpolate(request, voxels):
    import torch
    import torch.nn.functional as functional

    torch.set_num_threads(request["threads"])
    tensor = torch.from_numpy(voxels)[None, None]
    dtype = tensor.dtype

    def run():
        shape = request["size"][::-1]
        values = functional.interpolate(tensor.float(), size=shape, mode="trilinear", align_corners=False)
        return values if dtype.is_floating_point else values.round_().to(dtype)

    return Prepared(run, lambda result: result[0, 0].numpy(), version_of("torch"))


def torch_grid_sample(request, voxels):
    """The grid is built before the clock starts."""
    import torch
    import torch.nn.functional as functional

    torch.set_num_threads(request["threads"])
    tensor = torch.from_numpy(voxels)[None, None]
    dtype = tensor.dtype
    to_input = np.linalg.inv(np.asarray(request["input_affine"])) @ np.asarray(request["affine"])
    indices = np.ogrid[tuple(slice(n) for n in request["size"][::-1])][::-1]
    grid = np.empty((*request["size"][::-1], 3), np.float32)
    for axis, n in enumerate(voxels.shape[::-1]):
        at = sum(to_input[axis, a] * indices[a] for a in range(3)) + to_input[axis, 3]
        grid[..., axis] = 2 * at / (n - 1) - 1
    grid = torch.from_numpy(grid)[None]

    def run():
        values = functional.grid_sample(tensor.float(), grid, padding_mode="border", align_corners=True)
        return values if dtype.is_floating_point else values.round_().to(dtype)

    return Prepared(run, lambda result: result[0, 0].numpy(), version_of("torch"))


def torch_channels_running(request, voxels):
    import torch
    import torch.nn.functional as functional

    torch.set_num_threads(request["threads"])
    tensor = torch.from_numpy(voxels)

    def run():
        shape, best, result = request["size"][::-1], None, None
        for channel in range(len(tensor)):
            values = functional.interpolate(tensor[channel][None, None], size=shape, mode="trilinear")
            if best is None:
                best, result = values, torch.zeros(values.shape, dtype=torch.uint8)
                continue
            result.masked_fill_(values > best, channel)
            torch.maximum(best, values, out=best)
        return result

    return Prepared(run, lambda result: result[0, 0].numpy(), version_of("torch"))


# VTK


def vtk_interpolator(vtk, kernel):
    if kernel == "lanczos3":
        sinc = vtk.vtkImageSincInterpolator()
        sinc.SetWindowFunctionToLanczos()
        sinc.SetWindowHalfWidth(3)
        sinc.AntialiasingOn()
        return sinc
    if kernel == "bspline3":
        spline = vtk.vtkImageBSplineInterpolator()
        spline.SetSplineDegree(3)
        spline.SetBorderModeToMirror()
        return spline
    simple = vtk.vtkImageInterpolator()
    getattr(simple, {"linear": "SetInterpolationModeToLinear", "cubic": "SetInterpolationModeToCubic"}[kernel])()
    return simple


def vtk_resize(request, voxels):
    import vtk
    from vtk.util import numpy_support

    vtk.vtkMultiThreader.SetGlobalMaximumNumberOfThreads(request["threads"])
    vtk.vtkSMPTools.Initialize(request["threads"])
    image = vtk.vtkImageData()
    image.SetDimensions(voxels.shape[::-1])
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(voxels.reshape(-1)))
    resize = vtk.vtkImageResize()
    resize.SetNumberOfThreads(request["threads"])
    resize.SetOutputDimensions(request["size"])
    resize.BorderOn()  # the field of view is that of the voxels, not of their centres
    resize.SetInterpolator(vtk_interpolator(vtk, request["kernel"]))
    if request["kernel"] == "bspline3":
        coefficients = vtk.vtkImageBSplineCoefficients()
        coefficients.SetSplineDegree(3)
        coefficients.SetBorderModeToMirror()
        coefficients.SetNumberOfThreads(request["threads"])
        coefficients.SetInputData(image)
        resize.SetInputConnection(coefficients.GetOutputPort())
    else:
        resize.SetInputData(image)

    def run():
        image.Modified()
        resize.Update()
        result = resize.GetOutput()
        values = numpy_support.vtk_to_numpy(result.GetPointData().GetScalars()).reshape(request["size"][::-1])
        return values if values.dtype == voxels.dtype else stored(values, voxels.dtype)

    return Prepared(run, as_is, f"VTK {vtk.vtkVersion.GetVTKVersion()}")


CALLS = {
    call.__name__: call
    for call in (
        simpleitk, scipy_zoom, scipy_affine, scipy_one_hot, scipy_channels, scipy_channels_running, skimage_resize,
        torch_interpolate, torch_grid_sample, torch_channels_running, vtk_resize,
    )
}  # fmt: skip


# From file to file, as a script would


def file_simpleitk(request):
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(request["threads"])
    image = sitk.ReadImage(request["input"])
    spacing = request["spacing"]
    size = [int(round(n * s / t)) for n, s, t in zip(image.GetSize(), image.GetSpacing(), spacing)]
    resample = sitk.ResampleImageFilter()
    resample.SetSize(size)
    resample.SetOutputSpacing(spacing)
    resample.SetOutputOrigin(image.GetOrigin())
    resample.SetOutputDirection(image.GetDirection())
    resample.SetInterpolator(getattr(sitk, request["interpolator"]))
    sitk.WriteImage(resample.Execute(image), request["output"])


def file_scipy(request):
    """nibabel and scipy, as it stands in many repositories: float64, and a header whose columns are scaled."""
    import nibabel
    from scipy import ndimage

    image = nibabel.load(request["input"])
    factors = [s / t for s, t in zip(image.header.get_zooms(), request["spacing"])]
    values = ndimage.zoom(image.get_fdata(), factors, order=request["order"])
    affine = image.affine @ np.diag([1 / f for f in factors] + [1])
    nibabel.save(nibabel.Nifti1Image(values, affine), request["output"])


SCRIPTS = {"simpleitk": file_simpleitk, "scipy": file_scipy}


# The clock


def peak_bytes():
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(found.group(1)) if found else None


def repeated(run, repeat, budget_s):
    """Calls run(), which returns seconds: a warm-up and `repeat` times, fewer where that would take longer than the
    budget; a run that takes half of it is its own warm-up. Returns the seconds, and whether there was a warm-up."""
    seconds, start = [], time.perf_counter()
    while len(seconds) < repeat + 1:
        seconds.append(run())
        if time.perf_counter() - start + min(seconds) > budget_s:
            break
    warmed_up = len(seconds) > 1
    return seconds[1:] if warmed_up else seconds, warmed_up


def in_memory(request):
    voxels = np.load(request["voxels"])
    fraction = request["fraction"]
    if fraction > 1:
        if len(voxels) % fraction or request["size"][2] % fraction:
            raise SystemExit(f"{len(voxels)} and {request['size'][2]} slices have no part of 1/{fraction}")
        voxels = np.ascontiguousarray(voxels[: len(voxels) // fraction])
        request["size"][2] //= fraction
    prepared = CALLS[request["call"]](request, voxels)
    result = None

    def run():
        nonlocal result
        result = None  # the memory of one result, not of two
        start = time.perf_counter()
        result = prepared.run()
        return time.perf_counter() - start

    runs, warmed_up = repeated(run, request["repeat"], request["budget_s"])
    peak = peak_bytes()
    np.save(request["result"], prepared.to_array(result))
    return {"runs_s": runs, "warmed_up": warmed_up, "peak_bytes": peak, "version": prepared.version}


def main():
    if sys.argv[1] == "memory":
        print(json.dumps(in_memory(json.loads(Path(sys.argv[2]).read_text()))))
    else:
        SCRIPTS[sys.argv[2]](json.loads(Path(sys.argv[3]).read_text()))


if __name__ == "__main__":
    try:
        main()
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(ABSENT)
