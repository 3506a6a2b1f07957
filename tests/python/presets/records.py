"""The recorded inputs, requests and results (data/), and what test_facts.py and test_presets.py ask of a result."""

import json
from pathlib import Path

import definition
import nibabel as nib
import numpy as np
import pytest
import tools

DATA = Path(__file__).resolve().parent / "data"
CASES = json.loads((DATA / "cases.json").read_text())

# Results are float32 or computed in float32; relative to the range of the input.
ROUNDING = 1e-6


def path_of(name):
    return DATA / f"{name}.nii.gz"


def load(name):
    return nib.load(path_of(name))


def recorded(name):
    return np.asanyarray(load(name).dataobj)


SCANS = ("ct", "mr", "oblique", "labels")


def cases(tool, **fixed):
    """The recorded cases of a tool, as parameters named like their files; of tuples any value."""
    wanted = {key: value if isinstance(value, tuple) else (value,) for key, value in fixed.items()}
    chosen = {n: c for n, c in CASES.items() if c["tool"] == tool and all(c[k] in v for k, v in wanted.items())}
    assert chosen, f"no recorded case of {tool} {fixed}"
    return pytest.mark.parametrize("name, case", chosen.items(), ids=chosen)


# Every scan with every spacing but that for ties.
REQUESTS = [
    (case["input"], tuple(case["spacing"]))
    for case in CASES.values()
    if case["tool"] == "ants" and case["variant"] in ("linear", "nearest")
]
requests = pytest.mark.parametrize("scan, spacing", REQUESTS, ids=lambda value: str(value))
needs_mrtrix = pytest.mark.skipif(not tools.has_mrtrix(), reason="mrgrid is not on the PATH")


def is_labels(scan):
    return scan.endswith("labels")


def kernels_of(scan, *smooth):  # of label maps only nearest
    return ["nearest"] if is_labels(scan) else smooth


def grid(image, spacing, policy, count, minimum=0):
    """Steps, voxel counts and positions along the three axes."""
    step = np.asarray(spacing) / tools.header_spacing(image)
    size = [max(minimum, definition.COUNTS[count](n, k)) for n, k in zip(image.shape, step)]
    return step, size, [definition.POLICIES[policy](n, m, k) for n, m, k in zip(image.shape, size, step)]


def interpolated(image, positions, kernel, boundary="edge"):
    matrices = [definition.interpolation(c, n, kernel, boundary) for c, n in zip(positions, image.shape)]
    return definition.apply(np.asanyarray(image.dataobj), matrices)


def span_of(image):
    return np.ptp(np.asanyarray(image.dataobj).astype(float))


def check_values(found, expected, image, tolerance=ROUNDING):
    """Within the tolerance, which is relative to the range of the input."""
    assert found.shape == expected.shape
    assert np.abs(np.asarray(found, float) - expected).max() <= tolerance * span_of(image)


def check_affine(found, expected):
    assert np.abs(np.asarray(found) - expected).max() <= 1e-4  # mm: headers are float32


def thick_axis(image, spacing):
    """The axis that nnU-Net treats apart: the coarsest of the input, else of the output, when 3 times the finest."""
    for candidate in (tools.header_spacing(image), np.asarray(spacing)):
        if candidate.max() / candidate.min() > 3:
            axes = np.flatnonzero(candidate == candidate.max())
            return axes[0] if len(axes) == 1 else None
    return None


def nnunet_in_plane(image, data, positions, thick, kernel):
    matrices = [definition.interpolation(c, n, kernel, "edge") for c, n in zip(positions, image.shape)]
    if thick is not None:
        matrices[thick] = None
    return definition.apply(data, matrices)


def nnunet_across(image, data, positions, thick):
    if thick is None:
        return data
    matrices = [None] * 3
    matrices[thick] = definition.interpolation(positions[thick], image.shape[thick], "nearest", "edge")
    return definition.apply(data, matrices)
