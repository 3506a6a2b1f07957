"""Runs the tools that are too heavy for ./test on small crops of the shipped scans and keeps what they make of them.

    /usr/bin/python3 tests/python/presets/make_references.py

on Debian 12 with the packages mrtrix3, python3-torch and python3-venv. The first run makes build/references-venv: Debian's
torch and, from PyPI, the pinned tools of requirements-heavy.txt (without torch and its gigabytes). To check another version
of a tool, change that file and run this again; `git diff --stat` then says whether the tool changed.

Written into data/:
    NAME.nii.gz       the inputs: crops with their own affine (NAME: ct, mr, oblique, labels, even_labels, turned_labels),
                      and a constant
    CASE.nii.gz       what a tool made of an input, float32, with the affine of `cases.json`
    cases.json        for each case: tool, variant, input, spacing asked for, data type and affine the tool returned
    versions.json     what was run

An affine that is null in cases.json means that the tool has no affines; the file then says where the samples were taken.
"""

import json
import os
import platform
import subprocess
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
SCANS = REPOSITORY / "tests/data"
DATA = HERE / "data"
VENV = REPOSITORY / "build/references-venv"


def enter_environment():
    """Goes on in VENV, which is made when it is not there or not from the present list of packages."""
    requirements = HERE / "requirements-heavy.txt"
    stamp = VENV / "installed.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", "--system-site-packages", VENV], check=True)
        pip = [VENV / "bin/pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--only-binary=:all:", "-r", requirements], check=True)
        stamp.write_text(requirements.read_text())
    if Path(sys.prefix) != VENV:
        os.execv(VENV / "bin/python", [str(VENV / "bin/python"), __file__])


# An odd number of voxels along each axis and spacings without common divisors: no sample of any grid policy lies exactly
# half-way between two voxels, where a tool's nearest neighbour depends on its rounding errors.
# Only even_labels and turned_labels have such samples, for the rules by which nnU-Net settles ties between labels and MRtrix
# picks one of two voxels. turned_labels has axes that run to the left, to the top and to the front.
ODD, EVEN = (25, 23, 13), (24, 22, 12)
INPUTS = {
    "ct": ("ct_abdomen.nii.gz", (55, 40, 8), ODD, None),
    "mr": ("t1_head.nii.gz", (50, 60, 20), ODD, None),
    "oblique": ("oblique.nii.gz", (14, 16, 6), ODD, "float32"),
    "labels": ("ct_abdomen_labels.nii.gz", (55, 40, 8), ODD, None),
    "even_labels": ("ct_abdomen_labels.nii.gz", (55, 40, 8), EVEN, None),
    "turned_labels": ("t1_head_labels.nii.gz", (50, 60, 20), EVEN, None),
}
# mixed: both directions; coarse: all axes down; thick: an output 3 times as coarse along z as in plane, for nnU-Net;
# tied, doubled: samples half-way between voxels; faces: samples of an anti-aliasing outside the input.
REQUESTS = {
    "ct": {"mixed": (2.317, 4.129, 1.931), "coarse": (6.43, 5.17, 7.71)},
    "mr": {"mixed": (1.531, 2.717, 2.239), "coarse": (4.37, 5.83, 6.79), "thick": (1.913, 2.113, 6.71)},
    "oblique": {"mixed": (3.07, 5.39, 3.83), "coarse": (9.13, 8.37, 7.79)},
    "labels": {
        "mixed": (2.317, 4.129, 1.931),
        "coarse": (6.43, 5.17, 7.71),
        "thick": (2.717, 3.313, 10.37),
    },
    "even_labels": {"tied": (2.0, 2.0, 2.0)},
    "turned_labels": {"doubled": (4.0, 4.0, 6.0)},
    "constant": {"faces": (9.3, 9.3, 9.3)},
}
ONLY = {"tied": "nnunet", "doubled": "mrtrix", "faces": "mrtrix"}


def make_inputs(nib, np):
    """Writes the crops; returns them as the files say them, by name."""
    images = {}
    for name, (scan, start, shape, dtype) in INPUTS.items():
        whole = nib.load(SCANS / scan)
        part = tuple(slice(a, a + n) for a, n in zip(start, shape))
        data = np.asanyarray(whole.dataobj)[part].astype(dtype or whole.get_data_dtype())
        affine = whole.affine.copy()
        affine[:3, 3] = whole.affine[:3, :3] @ start + whole.affine[:3, 3]
        image = nib.Nifti1Image(np.ascontiguousarray(data), affine)
        image.header.set_sform(affine, 1)
        image.header.set_qform(affine, 1)
        nib.save(image, DATA / f"{name}.nii.gz")
        images[name] = nib.load(DATA / f"{name}.nii.gz")
    nib.save(nib.Nifti1Image(np.full((24, 24, 24), 1000, np.int16), np.diag([3.0, 3, 3, 1])), DATA / "constant.nii.gz")
    images["constant"] = nib.load(DATA / "constant.nii.gz")
    return images


def spacing_of(image):
    return [float(s) for s in image.header.get_zooms()[:3]]


def sampled(image, start, step):
    """The affine of samples at `start + o step` (input voxels), for tools that know no affines."""
    import numpy as np

    change = np.diag([*step, 1.0])
    change[:3, 3] = start
    return image.affine @ change


def run_torch(image, spacing, labels):
    """torch.nn.functional.interpolate, the two ways in which a spacing is asked of it."""
    import numpy as np
    import torch

    data = np.asanyarray(image.dataobj).astype(np.float32)
    tensor = torch.from_numpy(data)[None, None]
    factors = [s / t for s, t in zip(spacing_of(image), spacing)]
    size = [max(1, int(n * f)) for n, f in zip(data.shape, factors)]
    step = [n / m for n, m in zip(data.shape, size)]
    edges = sampled(image, [k / 2 - 0.5 for k in step], step)
    interpolate = torch.nn.functional.interpolate
    if labels:
        yield "nearest", interpolate(tensor, size=size, mode="nearest")[0, 0].numpy(), None, edges
        yield "nearest-exact", interpolate(tensor, size=size, mode="nearest-exact")[0, 0].numpy(), None, edges
        return
    linear = {"mode": "trilinear", "align_corners": False}
    yield "size", interpolate(tensor, size=size, **linear)[0, 0].numpy(), None, edges
    inverse = [1 / f for f in factors]
    start = sampled(image, [k / 2 - 0.5 for k in inverse], inverse)
    yield "scale_factor", interpolate(tensor, scale_factor=factors, **linear)[0, 0].numpy(), None, start


def run_torchio(image, spacing, labels):
    import torchio

    kind = torchio.LabelMap if labels else torchio.ScalarImage
    for variant, antialias in [("default", False)] if labels else [("default", False), ("antialias", True)]:
        result = torchio.Resample(spacing, antialias=antialias)(kind(image.get_filename()))
        yield variant, result.numpy()[0], result.affine, None


def run_monai(image, spacing, labels):
    from monai.transforms import LoadImage, Spacing

    loaded = LoadImage(image_only=True, ensure_channel_first=True)(image.get_filename())
    result = Spacing(pixdim=spacing, mode="nearest" if labels else "bilinear")(loaded)
    yield "default", result.numpy()[0], result.affine.numpy(), None


def run_nnunet(image, spacing, labels):
    """resample_data_or_seg_to_shape as nnU-Net's default plans call it."""
    import numpy as np
    from nnunetv2.preprocessing.resampling import default_resampling

    data = np.asanyarray(image.dataobj)
    old = spacing_of(image)
    shape = default_resampling.compute_new_shape(data.shape, old, spacing)
    options = {"is_seg": True, "order": 1} if labels else {"is_seg": False, "order": 3}
    result = default_resampling.resample_data_or_seg_to_shape(
        data[None].astype(np.int16 if labels else np.float32),
        shape,
        np.array(old),
        np.array(spacing),
        order_z=0,
        force_separate_z=None,
        **options,
    )
    step = [n / m for n, m in zip(data.shape, shape)]
    yield "default", result[0], None, sampled(image, [k / 2 - 0.5 for k in step], step)


def run_ants(image, spacing, labels):
    """ANTs ResampleImage, through ANTsPy; interpolations by their number there."""
    import ants
    import nibabel as nib

    loaded = ants.image_read(str(image.get_filename()))
    for variant, number in [("nearest", 1)] if labels else [("linear", 0), ("bspline", 4)]:
        result = ants.resample_image(loaded, spacing, False, number)
        written = VENV / "ants.nii.gz"
        ants.image_write(result, str(written))
        yield variant, result.numpy(), nib.load(written).affine, None


def run_mrtrix(image, spacing, labels):
    """mrgrid; light, but no package index has it."""
    import tools

    for kernel in ["nearest"] if labels else ["linear", "cubic"]:
        result = tools.run_mrtrix(image.get_filename(), spacing, kernel)
        yield kernel, result.data, result.affine, None


TOOLS = {
    "torch": run_torch,
    "torchio": run_torchio,
    "monai": run_monai,
    "nnunet": run_nnunet,
    "ants": run_ants,
    "mrtrix": run_mrtrix,
}


def versions():
    from importlib.metadata import version

    import tools
    import torch

    names = "numpy scipy scikit-image nibabel SimpleITK torchio monai nnunetv2 batchgenerators antspyx".split()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "mrtrix3": tools.mrtrix_version(),
        **{name: version(name) for name in names},
    }


def write_json(name, content):
    (DATA / name).write_text(json.dumps(content, indent=1) + "\n")


def main():
    enter_environment()
    warnings.simplefilter("ignore")
    import nibabel as nib
    import numpy as np
    import torch

    # MONAI's networks are declared with this; torch 1.13 cannot parse their annotations, and nothing here uses them.
    torch.jit.interface = lambda declared: declared
    DATA.mkdir(exist_ok=True)
    for old in DATA.glob("*.nii.gz"):
        old.unlink()
    cases = {}
    for name, image in make_inputs(nib, np).items():
        for request, spacing in REQUESTS[name].items():
            for tool, run in TOOLS.items():
                if tool != ONLY.get(request, tool):
                    continue
                for variant, data, affine, where in run(image, spacing, name.endswith("labels")):
                    case = f"{tool}-{variant}-{name}-{request}"
                    told = where if affine is None else affine
                    cases[case] = {
                        "tool": tool,
                        "variant": variant,
                        "input": name,
                        "spacing": spacing,
                        "dtype": data.dtype.name,
                        "affine": None if affine is None else np.asarray(affine, float).tolist(),
                    }
                    nib.save(nib.Nifti1Image(data.astype(np.float32), told), DATA / f"{case}.nii.gz")
    write_json("cases.json", cases)
    write_json("versions.json", versions())
    print(f"{len(cases)} cases, {sum(p.stat().st_size for p in DATA.iterdir()) / 1e6:.2f} MB in {DATA}")


if __name__ == "__main__":
    main()
