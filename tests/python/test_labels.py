"""Label maps: votes, fractions, thresholds, lost labels, the report, argmax of scores. The oracle is numpy."""

import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from conftest import shipped_data_folder
from support import grid_about, inside, positions, save, save_reference, scaled, stored

DATA = shipped_data_folder()
CT_LABELS, T1_LABELS = DATA / "ct_abdomen_labels.nii.gz", DATA / "t1_head_labels.nii.gz"
MAPS = pytest.mark.parametrize("source", [CT_LABELS, T1_LABELS], ids=["ct", "t1"])

# The program rounds its weights to 2^-20; votes closer than this may fall either way.
MARGIN = 1e-5
MIB = 1 << 20


def turned(path, source, shape, factor, degrees=(11, -17, 23)):
    """A file with a grid about that of `source`, turned; its spacing is `factor` times that of the source."""
    image = nib.load(source)
    spacing = np.sqrt((image.affine[:3, :3] ** 2).sum(axis=0)) * factor
    save_reference(path, grid_about(image.affine, image.shape, shape, spacing, degrees), shape)
    return path


def geometry(source, out):
    """Continuous input indices of the output voxels, as full arrays, and which of them lie inside."""
    before, after = nib.load(source), nib.load(out)
    c = positions(before.affine, after.affine, after.shape)
    c = [np.broadcast_to(x, after.shape[:3]) for x in c]
    return c, inside(c, before.shape)


def corners(labels, c):
    """Labels and linear weights of the eight voxels around each position, continued beyond the faces by the edge."""
    low = [np.floor(x).astype(int) for x in c]
    part = [x - i for x, i in zip(c, low)]
    values, weights = [], []
    for corner in np.ndindex(2, 2, 2):
        index = [np.clip(i + d, 0, n - 1) for i, d, n in zip(low, corner, labels.shape)]
        values.append(labels[tuple(index)])
        weights.append(np.prod([t if d else 1 - t for t, d in zip(part, corner)], axis=0))
    return np.stack(values), np.stack(weights)


def linear_vote(labels, c):
    """The label with the largest linear weight, ties to the smallest; and by how much it leads."""
    values, weights = corners(labels, c)
    votes = np.stack([(weights * (values == value)).sum(axis=0) for value in values])
    most = votes.max(axis=0)
    leads = votes > most - 1e-12
    largest = values.max()
    winner = np.where(leads, values, largest).min(axis=0)
    second = np.where(values == winner, 0, votes).max(axis=0)
    return winner, most - second


def assert_is_linear_vote(source, out):
    labels, result = stored(source), stored(out)
    assert result.dtype == labels.dtype
    c, covered = geometry(source, out)
    expected, lead = linear_vote(labels, c)
    clear = covered & (lead > MARGIN)
    assert clear.sum() > 0.9 * covered.sum()
    assert (expected[clear] != labels.flat[0]).any()
    assert np.array_equal(result[clear], expected[clear])
    assert not result[~covered].any()


def assert_from_neighbours(source, out):
    """Where linear votes: every label stands among the voxels with a weight there."""
    labels, result = stored(source), stored(out)
    c, covered = geometry(source, out)
    values, weights = corners(labels, c)
    there = ((values == result) & (weights > 0)).any(axis=0)
    assert there[covered].all()
    assert set(np.unique(result)) <= set(np.unique(labels)) | {0}


def assert_from_support(source, out):
    """Down-sampled: every label stands within the widened kernel's support."""
    before, after = nib.load(source), nib.load(out)
    labels, result = stored(source), stored(out)
    c, covered = geometry(source, out)
    steps = np.linalg.inv(before.affine)[:3, :3] @ after.affine[:3, :3]
    reach = np.maximum(1, np.sqrt((steps**2).sum(axis=1)))
    assert reach.max() > 1
    for index in zip(*np.nonzero(covered)):
        box = tuple(
            slice(max(0, int(np.ceil(x[index] - r - 1e-6))), int(np.floor(x[index] + r + 1e-6)) + 1)
            for x, r in zip(c, reach)
        )
        assert (labels[box] == result[index]).any(), (index, result[index])
    assert set(np.unique(result)) <= set(np.unique(labels)) | {0}


# Votes.


@MAPS
class TestVotes:
    def test_up(self, source, resample, tmp_path):
        size = [int(n * f) for n, f in zip(stored(source).shape, (1.3, 1.21, 1.47))]
        out = resample(source, tmp_path / "out.nii", "--size", *size, "--labels")
        assert_is_linear_vote(source, out)
        assert_from_neighbours(source, out)

    def test_up_oblique(self, source, resample, tmp_path):
        grid = turned(tmp_path / "grid.nii", source, (90, 80, 70), 0.4)
        out = resample(source, tmp_path / "out.nii", "--like", grid, "--labels")
        assert_is_linear_vote(source, out)
        assert_from_neighbours(source, out)

    def test_outside_is_fill(self, source, resample, tmp_path):
        grid = turned(tmp_path / "grid.nii", source, (80, 80, 80), (0.7, 0.8, 0.9))
        out = resample(source, tmp_path / "out.nii", "--like", grid, "--labels")
        assert not geometry(source, out)[1].all()
        assert_is_linear_vote(source, out)
        # The same with a fill that is no label of the map.
        other = stored(resample(source, tmp_path / "other.nii", "--like", grid, "--labels", "--fill", 200))
        covered = geometry(source, out)[1]
        assert np.array_equal(other, np.where(covered, stored(out), 200))

    def test_down(self, source, resample, tmp_path):
        size = [n // 3 for n in stored(source).shape]
        assert_from_support(source, resample(source, tmp_path / "out.nii", "--size", *size, "--labels"))

    def test_down_oblique(self, source, resample, tmp_path):
        grid = turned(tmp_path / "grid.nii", source, (30, 30, 20), 2.6)
        assert_from_support(source, resample(source, tmp_path / "out.nii", "--like", grid, "--labels"))

    @pytest.mark.parametrize("size", [0.6, 1.4])
    def test_gaussian_gives_known_labels(self, source, size, resample, tmp_path):
        size = [int(n * size) for n in stored(source).shape]
        options = ["--size", *size, "--labels"]
        out = stored(resample(source, tmp_path / "out.nii", *options, "--interp", "label-gaussian"))
        assert set(np.unique(out)) <= set(np.unique(stored(source)))
        linear = stored(resample(source, tmp_path / "linear.nii", *options))
        assert 0.8 < (out == linear).mean() < 1

    def test_nearest(self, source, resample, tmp_path):
        labels = stored(source)
        for name, size in (("up", 1.37), ("down", 0.43)):
            size = [int(n * size) for n in labels.shape]
            out = resample(source, tmp_path / f"{name}.nii", "--size", *size, "--labels", "--interp", "nearest")
            # The outer edges stay in place; not from the file, whose float32 affine says no exact ties.
            index = [np.floor((np.arange(m) + 0.5) * n / m + 1e-6).astype(int) for m, n in zip(size, labels.shape)]
            assert np.array_equal(stored(out), labels[np.ix_(*index)])

    def test_nearest_oblique(self, source, resample, tmp_path):
        grid = turned(tmp_path / "grid.nii", source, (60, 50, 40), 0.9)
        out = resample(source, tmp_path / "out.nii", "--like", grid, "--labels", "--interp", "nearest")
        labels = stored(source)
        c, covered = geometry(source, out)
        clear = covered & np.all([abs(x - np.floor(x) - 0.5) > 1e-5 for x in c], axis=0)
        index = [np.clip(np.rint(x).astype(int), 0, n - 1) for x, n in zip(c, labels.shape)]
        assert clear.sum() > 0.99 * covered.sum()
        assert np.array_equal(stored(out)[clear], labels[tuple(index)][clear])
        assert not stored(out)[~covered].any()


def test_area_is_majority_of_blocks(resample, tmp_path):
    """Halved, the output voxel holds 2 x 2 x 2 input voxels; ties to the smallest."""
    labels = stored(T1_LABELS)
    half = [n // 2 for n in labels.shape]
    assert [2 * n for n in half] == list(labels.shape)
    out = stored(resample(T1_LABELS, tmp_path / "out.nii", "--size", *half, "--labels", "--interp", "area"))
    counts = []
    for value in range(labels.max() + 1):
        is_value = (labels == value).reshape(half[0], 2, half[1], 2, half[2], 2)
        counts.append(is_value.sum(axis=(1, 3, 5)))
    counts = np.sort(counts, axis=0), np.argmax(counts, axis=0)
    assert (counts[0][-1] == counts[0][-2]).sum() > 1000  # ties
    assert np.array_equal(out, counts[1])


def test_ties_go_to_the_smallest(resample, tmp_path):
    labels = np.array([3, 1, 2, 2, -5, 7, 7, 0], np.int16).reshape(-1, 1, 1)
    source = save(tmp_path / "in.nii", labels, np.eye(4))
    out = resample(source, tmp_path / "out.nii", "--x-spacing", 0.5, "--grid-policy", "first", "--labels")
    assert stored(out)[:-1, 0, 0].tolist() == [3, 1, 1, 1, 2, 2, 2, -5, -5, -5, 7, 7, 7, 0, 0]


# Labels of every kind.

KINDS = {
    "int64": ("int64", [0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**40, 2**40 + 1, 2**53, 2**53 + 1]),
    "uint32": ("uint32", [0, 5, 2**31, 2**32 - 2, 2**32 - 1]),
    "float32": ("float32", [0, 1, 2, 300, 65537, 2**24 - 1, 2**24]),
    "float64": ("float64", [0, 1, 2**31, 2**53 - 1]),
    "negative int16": ("int16", [-32768, -1000, -2, -1, 0, 1, 32767]),
    "negative int64": ("int64", [-(2**40) - 1, -(2**40), -1, 0, 1]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_labels(kind, resample, tmp_path):
    dtype, values = KINDS[kind]
    blocks = np.random.default_rng(1).integers(0, len(values), (7, 6, 5)).repeat(2, 0).repeat(3, 1)
    labels = np.array(values, dtype)[blocks]
    assert len(np.unique(labels)) == len(values)
    source = save(tmp_path / "in.nii", labels, np.diag([1, 1.5, 2, 1]))
    up = resample(source, tmp_path / "up.nii", "--spacing", 0.7, "--grid-policy", "edges", "--labels")
    down = resample(source, tmp_path / "down.nii", "--size", 6, 7, 4, "--labels")
    grid = turned(tmp_path / "grid.nii", source, (15, 14, 13), 0.5)
    oblique = resample(source, tmp_path / "oblique.nii", "--like", grid, "--labels")
    for out in (up, oblique):
        assert_is_linear_vote(source, out)
        assert_from_neighbours(source, out)
    assert stored(down).dtype == dtype
    assert_from_support(source, down)


# Memory.


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


def test_memory_does_not_grow_with_labels(program, tmp_path):
    peaks = {}
    for count in (3, 104, 1000):
        blocks = np.random.default_rng(2).integers(0, count, (20, 20, 20))
        assert len(np.unique(blocks)) == count
        labels = blocks.astype(np.uint16).repeat(10, 0).repeat(10, 1).repeat(10, 2)
        source = save(tmp_path / f"{count}.nii", labels, np.eye(4))
        options = ["--labels", "--threads", 2, "--quiet"]
        up = ["resample", source, tmp_path / f"{count}_up.nii", "--spacing", 0.9]
        down = ["resample", source, tmp_path / f"{count}_down.nii", "--spacing", 2.5]
        peaks[count] = [
            peak_bytes(program, *up, *options),
            peak_bytes(program, *down, *options, "--keep-labels"),
        ]
        # The measure sees the voxels at least.
        assert peaks[count][0] > (tmp_path / f"{count}_up.nii").stat().st_size
    few, some, many = (np.array(peaks[count]) for count in (3, 104, 1000))
    assert (abs(some - few) < 4 * MIB).all() and (abs(many - few) < 4 * MIB).all(), peaks


# Numbers from labels.


def grid_options(kind, source, tmp_path):
    shape = stored(source).shape[:3]
    if kind == "oblique":
        return ["--like", turned(tmp_path / "grid.nii", source, (40, 44, 36), 0.8)]
    if kind == "oblique down":
        return ["--like", turned(tmp_path / "grid.nii", source, (20, 22, 16), 2.3)]
    return ["--size", *(int(n * {"up": 1.3, "down": 0.37}[kind]) for n in shape)]


GRIDS = pytest.mark.parametrize("grid", ["up", "down", "oblique", "oblique down"])


@GRIDS
@pytest.mark.parametrize("source, label", [(CT_LABELS, 52), (CT_LABELS, 63), (T1_LABELS, 2)])
def test_fraction_is_resampled_indicator(source, label, grid, resample, tmp_path):
    image = nib.load(source)
    indicator = save(tmp_path / "is.nii", (stored(source) == label).astype(np.float32), image.affine)
    options = grid_options(grid, indicator, tmp_path)
    plain = stored(resample(indicator, tmp_path / "plain.nii", *options))
    share = stored(resample(source, tmp_path / "share.nii", *options, "--label-fraction", label))
    assert share.dtype == np.float32
    assert share.tobytes() == plain.tobytes()
    assert share.min() == 0 and 0.9 < share.max() <= 1
    assert ((share > 0) & (share < 1)).any()


def test_fraction_of_wide_label(resample, tmp_path):
    """Two labels that are one number as double, or as float32, are still two."""
    for dtype, labels in (("int64", [2**40, 2**40 + 1]), ("uint32", [2**31, 2**31 + 1]), ("int16", [-2, -1])):
        source = save(tmp_path / "in.nii", np.array(labels * 2, dtype).reshape(4, 1, 1), np.eye(4))
        out = resample(source, tmp_path / "out.nii", "--size", 4, 1, 1, f"--label-fraction={labels[1]}")
        assert stored(out)[:, 0, 0].tolist() == [0, 1, 0, 1]


def test_fraction_of_scaled_label(resample, tmp_path):
    """A label is what the header's scaling makes of the stored value; the share is not scaled."""
    labels = np.array([0, 1, 2, 2], np.int16).reshape(4, 1, 1)
    source = save(tmp_path / "in.nii", labels, np.eye(4), slope=2.0, inter=1.0)
    for label, expected in ((5, [0, 0, 1, 1]), (2, [0, 0, 0, 0])):
        out = resample(source, tmp_path / "out.nii", "--size", 4, 1, 1, "--label-fraction", label)
        assert scaled(out)[:, 0, 0].tolist() == expected


def test_fraction_of_label_that_is_not_there(resample, tmp_path):
    out = resample(CT_LABELS, tmp_path / "out.nii", "--spacing", 4, "--label-fraction", 250)
    assert not stored(out).any()


def test_threshold_rounds_to_six_decimals(resample, tmp_path):
    values = np.array([0.4999998, 0.49999, 0.5, 0.4999993, 0.6, 0, -1, np.nan, 1], np.float32).reshape(-1, 1, 1)
    source = save(tmp_path / "in.nii", values, np.eye(4))
    out = stored(resample(source, tmp_path / "out.nii", "--size", 9, 1, 1, "--mask-threshold", 0.5))
    assert out.dtype == np.uint8
    assert out[:, 0, 0].tolist() == [1, 0, 1, 0, 1, 0, 0, 0, 1]
    # Half way between 0 and 0.9999996 is 0.4999998; between 0 and 0.99998 it is 0.49999.
    for top, expected in ((0.9999996, 1), (0.99998, 0)):
        source = save(tmp_path / "in.nii", np.array([0, top], np.float32).reshape(-1, 1, 1), np.eye(4))
        options = ["--x-spacing", 0.5, "--grid-policy", "first", "--mask-threshold", 0.5]
        assert stored(resample(source, tmp_path / "out.nii", *options))[:3, 0, 0].tolist() == [0, expected, 1]


@GRIDS
def test_threshold_of_fraction(grid, resample, tmp_path):
    options = [*grid_options(grid, CT_LABELS, tmp_path), "--label-fraction", 5]
    share = stored(resample(CT_LABELS, tmp_path / "share.nii", *options)).astype(float)
    mask = stored(resample(CT_LABELS, tmp_path / "mask.nii", *options, "--mask-threshold", 0.5))
    assert mask.dtype == np.uint8 and 0 < mask.mean() < 1
    # Where six decimals of float32 and of double may differ, at 0.4999995, nothing is asked.
    clear = abs(share - 0.4999995) > 1e-7
    assert clear.sum() > 0.99 * clear.size
    assert np.array_equal(mask[clear], (share >= 0.4999995)[clear])


# What becomes of each label.


def run_json(revoxel, *arguments):
    done = revoxel("resample", *arguments, "--json", "--force")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lesion(path):
    """An organ, and in the background one voxel of label 9."""
    labels = np.zeros((32, 28, 24), np.uint8)
    labels[4:20, 4:20, 4:20] = 2
    labels[25, 22, 13] = 9
    return save(path, labels, np.diag([1, 1.25, 2, 1]))


def test_keep_labels(revoxel, tmp_path):
    source, out = lesion(tmp_path / "in.nii"), tmp_path / "out.nii"
    without = run_json(revoxel, source, out, "--size", 8, 7, 6, "--labels")
    lost = stored(out)
    assert without["result"]["kept_labels"] == [] and set(np.unique(lost)) == {0, 2}
    kept = run_json(revoxel, source, out, "--size", 8, 7, 6, "--labels", "--keep-labels")
    # Steps of 4: where the voxel is, its weights are 3/16 or 5/16 of the triangle along each axis.
    said = kept["result"]["kept_labels"]
    assert [{**label, "fraction": None} for label in said] == [
        {"label": 9, "volume": 0, "index": [25 // 4, 22 // 4, 13 // 4], "fraction": None}
    ]
    share = np.prod([(1 - abs(x - (4 * (x // 4) + 1.5)) / 4) / 4 for x in (25, 22, 13)])
    assert said[0]["fraction"] == pytest.approx(share, abs=1e-5)
    # Where its share is largest: in the output voxel that holds it. Nothing else changes.
    assert np.argwhere(stored(out) == 9).tolist() == [[25 // 4, 22 // 4, 13 // 4]]
    assert np.array_equal(np.where(stored(out) == 9, 0, stored(out)), lost)


def test_keep_labels_of_a_scan(revoxel, tmp_path):
    out = tmp_path / "out.nii"
    options = [CT_LABELS, out, "--size", 16, 13, 4, "--labels"]
    run_json(revoxel, *options)
    before, lost = set(np.unique(stored(CT_LABELS))), set(np.unique(stored(out)))
    assert lost < before
    kept = run_json(revoxel, *options, "--keep-labels")
    said = kept["result"]["kept_labels"]
    assert {label["label"] for label in said} == before - lost
    for label in said:
        assert stored(out)[tuple(label["index"])] == label["label"] and 0 < label["fraction"] < 1
    assert set(np.unique(stored(out))) == before
    again = run_json(revoxel, CT_LABELS, out, "--spacing", 1.7, "--labels", "--keep-labels")
    assert again["result"]["kept_labels"] == []


def test_kept_labels_are_shown(revoxel, tmp_path):
    source, out = lesion(tmp_path / "in.nii"), tmp_path / "out.nii"
    shown = revoxel("resample", source, out, "--size", 8, 7, 6, "--labels", "--keep-labels").stdout
    lines = shown[shown.index("1 label would have vanished and got a voxel back\n") :].splitlines()
    assert lines[2].split()[:4] == ["9", "6", "5", "3"]
    many = revoxel("resample", CT_LABELS, out, "--size", 16, 13, 4, "--labels", "--keep-labels", "--force").stdout
    assert "labels would have vanished" in many and "more (--json)" in many
    assert max(len(line) for line in many[many.index("labels would") :].splitlines()) <= 80


@pytest.mark.parametrize("source", [CT_LABELS, T1_LABELS, "lesion"], ids=["ct", "t1", "lesion"])
@pytest.mark.parametrize("grid", ["up", "down", "oblique down"])
def test_label_report(source, grid, revoxel, tmp_path):
    source = lesion(tmp_path / "in.nii") if source == "lesion" else source
    out = tmp_path / "out.nii"
    report = run_json(revoxel, source, out, *grid_options(grid, source, tmp_path), "--labels", "--label-report")
    report = report["label_report"]
    before, after = stored(source), stored(out)
    values = [int(v) for v in np.unique(before) if v != 0]
    assert [row["label"] for row in report["labels"]] == values
    for row in report["labels"]:
        for labels, path, said in ((before, source, row["before"]), (after, out, row["after"])):
            is_label = labels == row["label"]
            voxel_mm3 = abs(np.linalg.det(nib.load(path).affine[:3, :3]))
            assert said["voxels"] == is_label.sum()
            # An affine in the file is float32.
            assert said["volume_mm3"] == pytest.approx(is_label.sum() * voxel_mm3, rel=1e-5)
            assert said["components"] == ndimage.label(is_label, np.ones((3, 3, 3)))[1]
    vanished = [v for v in values if not (after == v).any()]
    assert report["vanished"] == vanished
    assert [row["label"] for row in report["labels"] if row["vanished"]] == vanished
    assert report["invented"] == []


def test_label_report_lists_what_vanished(revoxel, tmp_path):
    source, out = lesion(tmp_path / "in.nii"), tmp_path / "out.nii"
    options = [source, out, "--size", 8, 7, 6, "--labels", "--label-report"]
    assert run_json(revoxel, *options)["label_report"]["vanished"] == [9]
    assert run_json(revoxel, *options, "--keep-labels")["label_report"]["vanished"] == []
    done = revoxel("resample", *options, "--force")
    assert done.returncode == 0
    assert "labels: 2 before, 1 vanished\n" in done.stdout
    table = done.stdout[done.stdout.index("labels: ") :].splitlines()
    assert table[1].split()[0] == "label"
    assert [row.split()[0] for row in table[2:4]] == ["2", "9"]
    # One voxel of 1 x 1.25 x 2 mm; then none.
    assert table[3].split()[1:4] == ["2.5", "0", "-100.00"] and table[3].endswith("vanished")


def test_the_fill_is_not_called_invented(revoxel, tmp_path):
    options = [CT_LABELS, tmp_path / "out.nii", "--spacing", 2, "--grid-policy", "first", "--labels", "--label-report"]
    report = run_json(revoxel, *options, "--fill", 200)["label_report"]
    assert report["invented"] == [] and report["fill"]["label"] == 200
    assert report["fill"]["after"]["voxels"] == (stored(tmp_path / "out.nii") == 200).sum() > 0
    shown = revoxel("resample", *options, "--fill", 200, "--force").stdout
    assert "INVENTED" not in shown and [line for line in shown.splitlines() if line.endswith("the fill")]
    # A label of the map, and the background, are what they were.
    for fill in (5, 0):
        report = run_json(revoxel, *options, "--fill", fill)["label_report"]
        assert report["fill"] is None and report["invented"] == []


def test_an_absent_label_is_named(revoxel, tmp_path):
    report = run_json(revoxel, CT_LABELS, tmp_path / "out.nii", "--spacing", 4, "--label-fraction", 9999)
    assert len(report["warnings"]) == 1 and "9999" in report["warnings"][0]


@pytest.mark.parametrize("spacing", [2, 5])
@pytest.mark.parametrize(
    "options",
    [["--labels"], ["--labels", "--compare"], ["--label-fraction", 5], ["--label-fraction", 5, "--mask-threshold", 0.5]],
    ids=["labels", "compare", "fraction", "mask"],
)
def test_labels_do_not_warn(options, spacing, revoxel, tmp_path):
    report = run_json(revoxel, CT_LABELS, tmp_path / "out.nii", "--spacing", spacing, *options)
    assert report["warnings"] == []


@pytest.mark.parametrize("fill", ["3.5", "300", "-1", "nan", "inf", "1e300", "255.0000001"])
def test_a_fill_that_is_no_label_is_refused(fill, revoxel, tmp_path):
    done = revoxel("resample", CT_LABELS, tmp_path / "out.nii", "--spacing", 2, "--labels", f"--fill={fill}")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"fill {float(fill):g} is no label that uint8 can hold" in done.stderr
    assert not (tmp_path / "out.nii").exists()


def test_a_fill_of_a_scaled_label_map_is_a_scaled_label(revoxel, tmp_path):
    """Stored 0 to 7 stand for 0.5 to 2.6; outside is stored 6, which stands for 2.3."""
    labels = np.arange(8, dtype=np.uint8).reshape(8, 1, 1)
    source = save(tmp_path / "in.nii", labels, np.eye(4), slope=0.3, inter=0.5)
    options = [tmp_path / "out.nii", "--x-spacing", 0.4, "--grid-policy", "first", "--labels", "--force"]
    for fill, code in (("2.3", 0), ("2.4", 2), ("0", 2), ("100", 2)):
        done = revoxel("resample", source, *options, "--fill", fill)
        assert done.returncode == code, done.stderr
        assert code == 0 or "scaling" in done.stderr
    assert stored(tmp_path / "out.nii")[-1, 0, 0] == 6
    assert revoxel("resample", source, *options).returncode == 0, "the default need not be a label"


def test_labels_that_do_not_fit_the_type_are_refused(revoxel, tmp_path):
    labels = np.zeros((8, 8, 8), np.int32)
    labels[2:5, 2:5, 2:5] = 300
    source = save(tmp_path / "in.nii", labels, np.eye(4))
    out = tmp_path / "out.nii"
    done = revoxel("resample", source, out, "--spacing", 0.7, "--labels", "--dtype", "uint8", "--quiet")
    assert done.returncode == 2 and "300 do not fit uint8" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize("grid", ["down", "oblique down"])
def test_votes_are_no_antialias_in_the_facts(grid, revoxel, tmp_path):
    options = [CT_LABELS, *grid_options(grid, CT_LABELS, tmp_path), "--dry-run"]
    axes = run_json(revoxel, *options, "--labels")["axes"]
    assert all(axis["antialias"] == "votes" and not axis["antialiased"] for axis in axes)
    axes = run_json(revoxel, *options, "--labels", "--interp", "nearest")["axes"]
    assert all(axis["antialias"] == "none" and not axis["antialiased"] for axis in axes)
    axes = run_json(revoxel, *options)["axes"]
    assert all(axis["antialias"] == "stretch" and axis["antialiased"] for axis in axes)


# The words: labels are voted on, nothing is low-passed.


@pytest.mark.parametrize("grid", ["up", "down", "oblique down"])
@pytest.mark.parametrize("options", [[], ["--antialias", "none"]], ids=["auto", "none"])
def test_labels_are_not_said_to_be_low_passed(grid, options, revoxel, tmp_path):
    where = grid_options(grid, CT_LABELS, tmp_path)
    done = revoxel("resample", CT_LABELS, tmp_path / "out.nii", *where, "--labels", *options, "--dry-run", "--explain")
    assert done.returncode == 0, done.stderr
    for word in ("antialiased", "low-pass", "stretched"):
        assert word not in done.stdout, done.stdout
    covers = grid != "up" and "none" not in options
    assert ("voted over the output voxel" in done.stdout) == covers
    assert ("voted over the step" in done.stdout) == covers
    assert ("the vote skips voxels" in done.stdout) == (grid != "up" and "none" in options)
