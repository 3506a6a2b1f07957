"""revoxel plan: what it recommends follows its rule, and what it says would happen is what resample does."""

import gzip
import json
import math
import os
import shutil

import nibabel as nib
import numpy as np
import pytest

from conftest import shared_data_folder, shipped_data_folder
from support import peak_bytes, spacing

SHIPPED = shipped_data_folder()
CT, EPI, TINY = SHIPPED / "ct_abdomen.nii.gz", SHIPPED / "epi_4d.nii.gz", SHIPPED / "tiny.nii.gz"
WIDTH = 100


def facts(revoxel, *arguments, code=0):
    done = revoxel("plan", *arguments, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def text(revoxel, *arguments, code=0):
    done = revoxel("plan", *arguments)
    assert done.returncode == code, done.stderr
    lines = done.stdout.splitlines()
    assert done.stdout.isascii()
    assert all(len(line) <= WIDTH and line == line.rstrip() for line in lines), max(lines, key=len)
    assert "\n\n\n" not in done.stdout
    return done.stdout


def scan(path, shape, mm, dtype=np.int16):
    affine = np.diag([*mm, *[1] * (4 - len(mm))])
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.zeros(shape, dtype), affine), path)
    return path


def count(extent, mm, target):
    """docs/conventions.md, "Grids": policy centre, rule ceil."""
    exact = extent * mm / target
    return max(1, math.ceil(exact - max(1e-4, 3e-7 * exact)))


def voxels(scan_facts, target):
    axes = range(scan_facts["axes"])
    return math.prod(count(scan_facts["extent"][d], scan_facts["spacing_mm"][d], target) for d in axes)


def assert_follows_the_rule(plan):
    recommended = plan["recommended"]
    t, budget = recommended["spacing_mm"], plan["budget_voxels"]
    finest = min(mm for s in plan["scans"] for mm in s["spacing_mm"][: s["axes"]])
    assert recommended["finest_mm"] == finest
    assert max(voxels(s, t) for s in plan["scans"]) <= budget
    assert t >= finest * (1 - 1e-5)
    if recommended["decided_by"] == "budget":
        exact = recommended["exact_mm"]
        assert exact <= t <= 1.01 * exact and t == float(f"{t:.3g}")
        assert max(voxels(s, 0.9998 * exact) for s in plan["scans"]) > budget, "a finer spacing would have fitted"
    else:
        assert t == float(f"{t:.6g}") == pytest.approx(finest, rel=1e-5)


@pytest.mark.parametrize("budget", ["1", "500", "20k", "300000", "1M", "50M", "5G"])
def test_the_rule_on_the_shipped_scans(revoxel, budget):
    plan = facts(revoxel, SHIPPED, "--budget", budget)
    assert plan["files"] == len(plan["scans"]) == len([*SHIPPED.glob("*.nii*")])
    assert_follows_the_rule(plan)


def assert_is_what_resample_does(revoxel, plan):
    command = plan["recommended"]["command"].split()
    assert command[:2] == ["revoxel", "resample"] and command[4] == "--spacing"
    for s in plan["scans"]:
        done = revoxel("resample", s["path"], "--dry-run", "--json", *command[4:])
        assert done.returncode == 0, done.stderr
        job = json.loads(done.stdout)
        assert s["output_extent"] == job["output"]["extent"], s["path"]
        assert s["output_bytes"] == job["output"]["bytes"]
        assert s["input_bytes"] == job["input"]["bytes"]
        assert s["downsampled"] == [axis["axis"] for axis in job["axes"] if axis["antialiased"]], s["path"]
        assert s["upsampled_more_than_2x"] == [axis["axis"] for axis in job["axes"] if axis["factor"] > 2]
        assert s["step"] == pytest.approx([axis["step"] for axis in job["axes"]])
    for key, name in (("downsampled", "downsampled"), ("upsampled_more_than_2x", "upsampled_more_than_2x")):
        assert plan[key]["files"] == sum(bool(s[name]) for s in plan["scans"])
        assert [plan[key][a] for a in "ijk"] == [sum(a in s[name] for s in plan["scans"]) for a in "ijk"]
    assert plan["output_bytes"] == sum(s["output_bytes"] for s in plan["scans"])
    assert plan["peak_memory_bytes"] == max(s["peak_memory_bytes"] for s in plan["scans"])
    assert plan["seconds"] == pytest.approx(sum(s["seconds"] for s in plan["scans"]))


@pytest.fixture
def two_cores():
    """What threads take is part of the estimate."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:2])
    yield
    os.sched_setaffinity(0, cores)


@pytest.mark.usefixtures("two_cores")
def test_it_foretells_the_memory(revoxel, program, tmp_path):
    """Neither a large volume nor many of them are held as a whole, and the estimate knows it."""
    rng = np.random.default_rng(3)
    for name, shape in (("large.nii", (240, 240, 240)), ("many.nii", (64, 64, 24, 200))):
        nib.save(nib.Nifti1Image(rng.integers(0, 4000, shape, np.int16), np.diag([1.5, 1.5, 3, 1])), tmp_path / name)
    plan = facts(revoxel, tmp_path, "--budget", "30M")
    onto = plan["recommended"]["command"].split()[4:]
    for s in plan["scans"]:
        done = peak_bytes(program, "resample", s["path"], tmp_path / "out.nii", *onto, "--quiet", "--force")
        assert 0.3 * s["peak_memory_bytes"] < done < s["peak_memory_bytes"] + 8 * 2**20, s["path"]
        assert done < 0.8 * (s["input_bytes"] + s["output_bytes"]), s["path"]


@pytest.mark.parametrize("budget", ["20k", "400k", "50M"])
def test_it_foretells_what_resample_does(revoxel, budget):
    assert_is_what_resample_does(revoxel, facts(revoxel, SHIPPED, "--budget", budget))


@pytest.mark.parametrize("folder", ["nifti/anat", "nifti/edge", "nifti/space48"])
def test_the_shared_scans(revoxel, shared_data, folder):
    code = 3 if folder == "nifti/edge" else 0
    plan = facts(revoxel, shared_data / folder, "--budget", "5M", code=code)
    assert_follows_the_rule(plan)
    assert_is_what_resample_does(revoxel, plan)
    text(revoxel, shared_data / folder, code=code)
    text(revoxel, shared_data / folder, "--all", code=code)


def test_every_shared_file_is_planned_or_listed_once(revoxel, shared_data):
    folder = shared_data_folder() / "nifti"
    names = {str(p) for p in folder.rglob("*") if p.name.endswith((".nii", ".nii.gz", ".hdr", ".hdr.gz"))}
    plan = facts(revoxel, folder, code=3)
    assert sorted([s["path"] for s in plan["scans"]] + [u["path"] for u in plan["unreadable"]]) == sorted(names)
    assert {u["path"].rsplit("/", 1)[1] for u in plan["unreadable"]} == {
        "analyze.hdr", "nifti1.hdr", "crash-1.nii", "empty.nii.gz", "not-nifti.nii",
    }


def test_headers_are_what_nibabel_reads(revoxel):
    for s in facts(revoxel, SHIPPED)["scans"]:
        image = nib.load(s["path"])
        if s["transform"] == "pixdim":
            continue  # nibabel then turns x round
        assert s["spacing_mm"] == pytest.approx(spacing(image.affine), rel=1e-6)
        assert s["extent"] == list(image.shape[:3])
        assert s["orientation"] == "".join(nib.aff2axcodes(image.affine))
        assert s["anisotropy"] == pytest.approx(max(s["spacing_mm"]) / min(s["spacing_mm"]))
        assert s["size_mm"] == pytest.approx(np.multiply(s["extent"], s["spacing_mm"]))


def test_the_answer_can_be_typed(revoxel, tmp_path):
    for name, mm in (("a.nii", (0.48242188, 0.7, 2)), ("b.nii.gz", (0.48242188, 0.48242188, 5))):
        scan(tmp_path / name, (30, 20, 10), mm)
    shown = text(revoxel, tmp_path)
    command = next(line for line in shown.splitlines() if line.strip().startswith("revoxel resample")).split()
    out = tmp_path / "out.nii"
    assert revoxel("resample", tmp_path / "a.nii", out, *command[4:]).returncode == 0
    assert nib.load(out).shape == (30, count(20, 0.7, 0.48242188), count(10, 2, 0.48242188))


def test_one_file(revoxel):
    plan = facts(revoxel, CT)
    assert plan["budget_voxels"] == 50_000_000 and "[default: 50M]" in revoxel("plan", "--help").stdout
    assert plan["files"] == 1 and plan["recommended"]["spacing_mm"] == pytest.approx(3)
    assert plan["median_spacing_mm"] == pytest.approx([3, 3, 3])
    shown = text(revoxel, CT)
    assert "1 file" in shown and "too few files" in shown and "recommended: 3 mm" in shown


def test_flat_and_four_dimensional_files(revoxel, tmp_path):
    scan(tmp_path / "flat.nii", (64, 48), (1, 1))
    scan(tmp_path / "fmri.nii.gz", (20, 20, 20, 9), (3, 3, 4, 2), np.float32)
    for n in range(3):
        scan(tmp_path / f"{n}.nii", (20, 20, 20), (3, 3, 4))
    plan = facts(revoxel, tmp_path, "--budget", "50k")
    assert_follows_the_rule(plan)
    assert_is_what_resample_does(revoxel, plan)
    flat, fmri = (next(s for s in plan["scans"] if s["path"].endswith(n)) for n in ("flat.nii", "fmri.nii.gz"))
    assert flat["axes"] == 2 and flat["output_extent"][2] == 1
    assert {"what": "two_dimensional"} in flat["outlier"]
    assert fmri["volumes"] == 9 and fmri["output_bytes"] == 4 * 9 * fmri["output_voxels"]
    assert fmri["outlier"] == [{"what": "volumes", "value": 9, "usual": 1}]
    assert "9 volumes, most files have 1" in text(revoxel, tmp_path)


def test_an_outlier_is_named_with_its_reason(revoxel, tmp_path):
    for n in range(5):
        scan(tmp_path / f"{n}.nii", (20, 20, 20), (1, 1, 1.5))
    scan(tmp_path / "thick.nii", (20, 20, 3), (1, 1, 10))
    plan = facts(revoxel, tmp_path)
    assert plan["outliers"] == 1
    assert plan["scans"][-1]["outlier"][0] == {"what": "spacing", "axis": "k", "value": 10, "usual": 1.5}
    assert "spacing k 10 mm, cohort median 1.5 mm" in text(revoxel, tmp_path)


def test_what_cannot_be_read_is_listed_and_left_out(revoxel, tmp_path):
    good = scan(tmp_path / "good.nii", (5, 5, 5), (1, 1, 1))
    (tmp_path / "broken.nii.gz").write_bytes(b"rubbish" * 100)
    absent = tmp_path / "absent.nii"
    done = revoxel("plan", tmp_path, absent)
    assert done.returncode == 3
    assert done.stderr == "revoxel: error: 2 of 3 files could not be read; the plan is of the other 1\n"
    assert "not a NIfTI file" in done.stdout and "no such file" in done.stdout and "recommended: 1 mm" in done.stdout
    plan = facts(revoxel, tmp_path, absent, code=3)
    assert [s["path"] for s in plan["scans"]] == [str(good)]
    assert [u["path"] for u in plan["unreadable"]] == [str(tmp_path / "broken.nii.gz"), str(absent)]
    assert all(u["reason"] and "\n" not in u["reason"] for u in plan["unreadable"])


def test_nothing_readable_is_an_error(revoxel, tmp_path):
    (tmp_path / "broken.nii").write_bytes(b"rubbish" * 100)
    (tmp_path / "empty").mkdir()
    for arguments, says in (
        ([tmp_path / "broken.nii"], "broken.nii: this is not a NIfTI file"),
        ([tmp_path / "empty"], "empty: the folder holds no .nii"),
        ([tmp_path, tmp_path / "absent.nii"], "none of 2 files can be read; the first"),
    ):
        done = revoxel("plan", *arguments)
        assert done.returncode == 3 and done.stdout == ""
        assert says in done.stderr and done.stderr.count("\n") == 1


def test_a_pair_counts_once(revoxel, tmp_path):
    nib.save(nib.Nifti1Pair(np.zeros((4, 4, 4), np.int16), np.eye(4)), tmp_path / "pair.img")
    for arguments in ([tmp_path], [tmp_path / "pair.img", tmp_path / "pair.hdr"], [tmp_path / "pair.hdr", tmp_path]):
        assert [s["path"] for s in facts(revoxel, *arguments)["scans"]] == [str(tmp_path / "pair.hdr")]


def test_only_headers_are_read(revoxel, tmp_path):
    rng = np.random.default_rng(1)
    image = nib.Nifti1Image(rng.integers(0, 4000, (64, 64, 64), np.int16), np.diag([1, 1, 2, 1]))
    nib.save(image, tmp_path / "whole.nii.gz")
    packed = (tmp_path / "whole.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "damaged.nii.gz").write_bytes(packed[:9000] + b"\xff" * 9000 + packed[18000:])
    with pytest.raises((EOFError, gzip.BadGzipFile, OSError)):
        np.asanyarray(nib.load(tmp_path / "cut.nii.gz").dataobj)
    assert facts(revoxel, tmp_path)["files"] == 3


def test_many_files_are_summed_up(revoxel, tmp_path):
    for n in range(45):
        shutil.copy(TINY, tmp_path / f"{n:02}.nii.gz")
    scan(tmp_path / "odd.nii", (5, 5, 5), (1, 1, 9))
    shown = text(revoxel, tmp_path)
    assert "odd.nii" in shown and "07.nii.gz" not in shown and "46 files" in shown and "--all" in shown
    every = text(revoxel, tmp_path, "--all")
    assert all(f"{n:02}.nii.gz" in every for n in range(45))
    assert len(facts(revoxel, tmp_path)["scans"]) == 46


def test_long_and_strange_names_fit(revoxel, tmp_path):
    for name in ("n" * 200 + ".nii", "\u00e9" * 100 + ".nii", "a\nb.nii"):
        shutil.copy(SHIPPED / "big_endian.nii", tmp_path / name)
    done = revoxel("plan", tmp_path)
    assert done.returncode == 0
    assert all(len(line.encode()) <= WIDTH + len(str(tmp_path)) for line in done.stdout.splitlines())
    assert "a?b.nii" in done.stdout


@pytest.mark.parametrize(
    "arguments, says",
    [
        ([], "FILES-or-FOLDER is required"),
        ([CT, "--budget", "lots"], "--budget"),
        ([CT, "--budget", "0"], "--budget"),
        ([CT, "--json", "--all"], "--all does not go with --json"),
        ([CT, "--spacing", "1"], "there is no option"),
    ],
)
def test_usage_errors(revoxel, arguments, says):
    done = revoxel("plan", *arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert says in done.stderr and done.stderr.count("\n") == 1


def test_label_maps_are_not_said_to_be_low_passed(revoxel):
    shown = text(revoxel, SHIPPED, "--budget", "20k")
    lines = [line for line in shown.splitlines() if "low-passed" in line]
    assert len(lines) == 2 and all("labels: voted" in line for line in lines), lines
