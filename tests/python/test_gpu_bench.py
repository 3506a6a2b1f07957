"""bench/gpu: what of it needs no GPU. bench_gpu runs on a device that the tests play, its peers on the CPU: torch and jax where
this Python or the system's has them, scipy in place of cupyx. What is timed here says nothing."""

import json
import os
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from conftest import REPOSITORY, shipped_data_folder

sys.path.insert(0, str(REPOSITORY / "bench"))
import gpu_files  # noqa: E402
import gpu_peer_calls  # noqa: E402
import gpu_peers  # noqa: E402
import gpu_report  # noqa: E402

SCALE = 16


def load_command():
    """bench/gpu has no suffix to import it by."""
    loader = SourceFileLoader("bench_gpu_command", str(REPOSITORY / "bench/gpu"))
    module = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


gpu = load_command()


@pytest.fixture(scope="module")
def bench_gpu(program):
    path = program.parent / "bench_gpu_host"
    if not path.exists():
        pytest.skip(f"bench_gpu_host is not in {program.parent}")
    return path


def facts_of(bench_gpu, *options, **environment):
    command = [str(word) for word in (bench_gpu, "--scale", SCALE, "--threads", 1, *options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def jobs_of(facts):
    return {one["name"]: one for one in facts if one["kind"] == "job"}


@pytest.fixture(scope="module")
def small(bench_gpu, tmp_path_factory):
    """Every job, compared, with its arrays and weights."""
    folder = tmp_path_factory.mktemp("small")
    code, facts, said = facts_of(bench_gpu, "--check-only", "--save", folder, "--weights", folder)
    assert code == 0, said
    return folder, jobs_of(facts)


def load(folder, name, file):
    return np.load(folder / name.replace(" ", "-") / file)


# bench_gpu


def test_all_jobs_are_listed_checked_and_named_once(bench_gpu, small):
    _, jobs = small
    names = subprocess.run([str(bench_gpu), "--list"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert names == list(jobs) and len(set(names)) == len(names)
    for job in jobs.values():
        assert job["check"]["different"] == 0 and job["check"]["voxels"] > 1000
        assert job["group"] in ("", *gpu_report.PEERS)
    sizes = {name: np.prod(job["input"]["extent"]) for name, job in jobs.items()}
    assert sizes["C linear f32"] > sizes["B linear f32"]


def test_times(bench_gpu):
    code, facts, _ = facts_of(bench_gpu, "--jobs", "B linear,small,logits,patches linear i16", "--seconds", 0.01)
    assert code == 0
    device, jobs = facts[0], jobs_of(facts)
    assert device["copy_gb_s"] == max(device["copy_by_driver_gb_s"], device["copy_by_kernel_gb_s"]) > 0
    job = jobs["B linear f32"]
    assert job["floor_bytes"] == 4 * (16**3 + 32**3)
    times = job["times"]
    assert 0 < times["least_ms"] <= times["low_ms"] <= times["median_ms"] <= times["high_ms"]
    assert times["sets"] * job["floor_bytes"] >= 2 * device["l2_bytes"]
    assert job["over_floor"] == pytest.approx(times["median_ms"] * device["copy_gb_s"] / job["floor_bytes"] * 1e6)
    assert job["check"]["different_after_timing"] == 0
    assert jobs["logits argmax f32"]["floor_bytes"] == 25 * 4 * 8**3 + 32 * 32 * 18
    patches = jobs["patches linear i16 f32"]
    assert patches["floor_bytes"] == 2 * 32 * 32 * 18 + 4 * 64**3 * patches["volumes"]
    assert [one["graph_different"] for one in facts if one["kind"] == "launch"] == [0]


def test_a_wrong_voxel_is_found(bench_gpu):
    some = ("--jobs", "A linear i16 i16,logits,batch,list,patches linear i16", "--seconds", 0.001)
    code, facts, _ = facts_of(bench_gpu, *some, REVOXEL_TEST_BREAK="outputs")
    assert code == 1
    jobs = jobs_of(facts)
    for name in ("A linear i16 i16", "logits argmax f32"):
        assert jobs[name]["check"]["different"] == jobs[name]["check"]["different_after_timing"] == 1
    for name in ("batch linear f32", "list linear f32", "patches linear i16 f32"):
        assert jobs[name]["check"]["different"] == jobs[name]["volumes"] > 1


def test_saved_arrays_are_those_of_the_job(small):
    folder, jobs = small
    for name, job in jobs.items():
        if job["plans"] > 1:
            continue
        voxels, result = load(folder, name, "in.npy"), load(folder, name, "out.npy")
        assert voxels.dtype == job["input"]["dtype"] and result.dtype == job["output"]["dtype"]
        assert result.shape[-3:] == gpu_peer_calls.shape_of(job["output"])
        assert voxels.shape == gpu_peers.input_shape(job)
        assert len(np.unique(voxels)) > 20


def test_weights_are_the_plan(small, resample, tmp_path):
    """Times the input they are the output; and the middle column of one is what the program makes of a delta."""
    folder, jobs = small
    tried = 0
    for name in {job for peer in gpu_peers.PEERS if peer.call is gpu_peer_calls.torch_matmul for job in peer.jobs}:
        weights = gpu_peers.arrays_of(folder, jobs[name])["weights"]
        values = load(folder, name, "in.npy").astype(np.float64)
        for axis, matrix in weights.items():
            values = np.moveaxis(np.tensordot(matrix.astype(np.float64), values, (1, 2 - axis)), 0, 2 - axis)
        np.testing.assert_allclose(values, load(folder, name, "out.npy"), atol=4096 * 1e-6)
        tried += len(weights)
    assert tried == 33

    job = jobs["A linear f32"]
    matrix = gpu_peers.arrays_of(folder, job)["weights"][0]
    n, m = job["input"]["extent"][0], job["output"]["extent"][0]
    line = np.zeros((n, 1, 1), np.float32)
    line[n // 2] = 1
    nib.save(nib.Nifti1Image(line, np.diag([0.8, 1, 1, 1])), tmp_path / "delta.nii")
    resample(tmp_path / "delta.nii", tmp_path / "out.nii", "--size", m, 1, 1)
    np.testing.assert_array_equal(nib.load(tmp_path / "out.nii").get_fdata()[:, 0, 0], matrix[:, n // 2])


def test_labels_are_those_of_the_largest_score(small):
    """By the job's weights in double: no score is above that of the label but by rounding."""
    folder, jobs = small
    job = jobs["logits argmax f32"]
    scores = load(folder, job["name"], "in.npy").astype(np.float64)
    assert len(scores) == job["channels"] == 25
    weights = gpu_peers.arrays_of(folder, job)["weights"]
    assert sorted(weights) == [0, 1, 2]
    for axis, matrix in weights.items():
        scores = np.moveaxis(np.tensordot(matrix.astype(np.float64), scores, (1, 3 - axis)), 0, 3 - axis)
    labels = load(folder, job["name"], "out.npy")
    chosen = np.take_along_axis(scores, labels[None].astype(np.int64), 0)[0]
    np.testing.assert_allclose(chosen, scores.max(0), rtol=0, atol=4096 * 1e-6)


# Peers


def test_peers_name_jobs_that_there_are(small):
    _, jobs = small
    for peer in gpu_peers.PEERS:
        assert set(peer.jobs) <= set(jobs), peer.name
        assert peer.library in gpu_peer_calls.LIBRARIES
    for group in gpu_report.PEERS:
        assert any(jobs[name]["group"] == group for peer in gpu_peers.PEERS for name in peer.jobs), group


def python_with(module):
    """A Python that has a library: this one, or the system's (Debian's torch)."""
    for python in (sys.executable, "/usr/bin/python3"):
        code = f"import numpy, {module}"
        if Path(python).exists() and subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0:
            return python
    pytest.skip(f"no Python here has {module}")
    return None


@pytest.mark.parametrize("library, module", [("torch", "torch"), ("cupyx", "scipy"), ("jax", "jax")])
def test_peers_agree_with_revoxel(small, tmp_path, library, module):
    """By the same code that compares them on a GPU."""
    folder, jobs = small
    found = gpu_peers.measure(
        [], list(jobs.values()), folder, folder, tmp_path, 1 << 16, device="cpu", libraries=[library], python=python_with(module)
    )
    assert [[row["peer"], row["job"]] for row in found] == [
        [peer.name, job] for peer in gpu_peers.PEERS if peer.library == library for job in peer.jobs
    ]
    for row in found:
        assert "failed" not in row, row
        assert row["agreement"]["agrees"], row


def test_a_peer_of_another_definition_does_not_agree(small):
    """The comparison sees half a voxel, a missing low-pass and another kernel."""
    pytest.importorskip("scipy")
    folder, jobs = small
    lib = gpu_peer_calls.Cupy("cpu")
    zoom = next(peer for peer in gpu_peers.PEERS if peer.name == "cupyx zoom order 1")
    for name in ("A linear f32", "A linear pillow f32", "B cubic f32", "oblique linear extended f32"):
        assert not gpu_peers.agreement(lib, zoom, jobs[name], folder)["agrees"], name
    affine = next(peer for peer in gpu_peers.PEERS if peer.name == "cupyx affine_transform order 1")
    job = jobs["oblique linear extended f32"]
    shifted = {**job, "out_to_in": (np.array(job["out_to_in"]) + [[0, 0, 0, 0.5], [0] * 4, [0] * 4]).tolist()}
    assert gpu_peers.agreement(lib, affine, job, folder)["agrees"]
    assert not gpu_peers.agreement(lib, affine, shifted, folder)["agrees"]


def test_compare():
    a = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    b = a.copy()
    b[0, 0, 0] = 0.59
    found = gpu_peers.compare(a, b, 0.01, False)
    assert found["agrees"] and found["share_of_range"] == pytest.approx(0.01)
    assert not gpu_peers.compare(a, b, 0.0099, False)["agrees"]
    b[0, 0, 0] = np.nan
    assert not gpu_peers.compare(a, b, 1e9, False)["agrees"]
    assert gpu_peers.compare(a, b, 1 / 60, True) == {"agrees": True, "share_different": 1 / 60}
    assert not gpu_peers.compare(a, b, 1 / 61, True)["agrees"]
    assert "(4, 4, 3)" in gpu_peers.compare(a, a[:, :, :4], 1, False)["why"]


def test_sets_are_more_than_the_cache():
    for size in (1, 10, 999, 1000, 1001, 15_999):
        sets = gpu_peers.set_count(size, 1000)
        assert sets >= 2 and (sets - 1) * size >= 2000
    assert gpu_peers.set_count(16_000, 1000) == 1


FAKE_LIBRARY = """
import json, os, sys, time
request = json.load(open(sys.argv[2]))
for n, job in request["rows"]:
    print(json.dumps({"begins": [n, job]}), flush=True)
    if job == "B linear f32":
        print("a fault", file=sys.stderr)
        os._exit(7)
    if job == "C linear plain f32":
        time.sleep(60)
    print(json.dumps({"peer": "p", "job": job, "agreement": {"agrees": True}}), flush=True)
"""


def test_a_peer_that_dies_or_hangs_costs_its_row(tmp_path, monkeypatch):
    script = tmp_path / "fake.py"
    script.write_text(FAKE_LIBRARY)
    monkeypatch.setattr(gpu_peers, "__file__", str(script))
    names = ("A linear plain f32", "B linear f32", "C linear plain f32", "small linear f32")
    todo = [[0, name] for name in names]
    run = lambda ends_at: gpu_peers.run_library(
        "torch", todo, {}, tmp_path / "request.json", 3, ends_at, sys.executable
    )
    found = run(time.monotonic() + 60)
    assert [row["job"] for row in found] == list(names)
    assert found[0]["agreement"]["agrees"] and found[3]["agreement"]["agrees"]
    assert "ended with 7" in found[1]["failed"] and "a fault" in found[1]["failed"]
    assert "more than 3 s" in found[2]["failed"]
    assert all("the time was up" in row["failed"] for row in run(time.monotonic() - 1))


# The command


def run_command(program, tmp_path, *options):
    words = ["--host", "--build", program.parent.parent, "--out", tmp_path / "out", "--folder", tmp_path / "folder"]
    words += ["--scale", SCALE, "--seconds", 0.002, *options]
    return gpu.main([str(word) for word in words])


def test_the_command_measures_and_writes(bench_gpu, tmp_path, capsys):
    jobs = "A linear plain f32,A bspline3 plain,small,logits"
    code = run_command(bench_gpu, tmp_path, "--jobs", jobs, "--peers", "cupyx", "--no-files", "--commit", "abc")
    assert code == 0
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name.split("-20")[0] for file in files] == ["gpu-test-device"] * 2
    found, page = json.loads(files[0].read_text()), files[1].read_text()
    assert found["commit"] == "abc" and found["device"]["name"] == "test device"
    names = ["A linear plain f32", "A bspline3 plain f32", "small linear f32", "logits argmax f32"]
    assert [job["name"] for job in found["jobs"]] == names
    assert {row["job"] for row in found["peers"]} == {job["name"] for job in found["jobs"]}
    assert all(row["times"]["median_ms"] > 0 for row in found["peers"])
    assert "a trial of the script, not a measurement" in page
    assert "| logits argmax f32 | 25 channels of 128^3 to 512x512x300" in page and "## Not there\n\nNothing." in page
    assert str(tmp_path) not in page
    assert "splines: each peer at least 10x" in capsys.readouterr().out
    files[1].unlink()
    assert gpu.main(["--from-json", str(files[0])]) == 0
    assert files[1].read_text() == page


def test_the_command_fails_where_a_result_is_wrong(bench_gpu, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REVOXEL_TEST_BREAK", "outputs")
    assert run_command(bench_gpu, tmp_path, "--jobs", "B linear", "--peers", "cupyx", "--no-files") == 1
    found = json.loads(next((tmp_path / "out").glob("*.json")).read_text())
    assert found["jobs"][0]["check"]["different"] == 1
    assert found["peers"] == []  # nothing is compared with what is wrong
    assert "WRONG: B linear f32: 2 voxels differ" in capsys.readouterr().out
    page = next((tmp_path / "out").glob("*.md")).read_text()
    assert "**2 DIFFER**" in page
    assert "at most 1.5x the time of their bytes | not measured |" in page


def test_without_a_gpu_nothing_is_written(bench_gpu, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REVOXEL_TEST_NO_DEVICE", "1")
    with pytest.raises(SystemExit) as ended:
        run_command(bench_gpu, tmp_path)
    assert ended.value.code == 5
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and "no GPU" in said[0]
    assert not (tmp_path / "out").exists()


def test_without_programs_it_says_which(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        gpu.main(["--build", str(tmp_path), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert "bench_gpu, revoxel, bench_codec not in" in capsys.readouterr().err


def test_nothing_is_built_where_there_is_no_gpu(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    monkeypatch.setattr(gpu, "driver_has_a_gpu", lambda: False)
    monkeypatch.setattr(gpu.shutil, "which", lambda name: name)
    with pytest.raises(SystemExit) as ended:
        gpu.main(["--build", str(tmp_path / "build/gpu"), "--out", str(tmp_path / "out")])
    assert ended.value.code == 5
    assert "no GPU" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


FAULTY = """#!{python}
import json, sys
words = sys.argv[1:]
say = lambda **facts: print(json.dumps(facts), flush=True)
jobs = words[words.index("--jobs") + 1] if "--jobs" in words else ""
if "--list" in words:
    print("one\\ntwo\\nthree\\nfour")
    sys.exit()
say(kind="device", name="test device")
if jobs in ("", "one"):
    say(kind="job", name="one")
if jobs == "":
    say(kind="failed", name="two", why="a fault")
    say(kind="failed", name="three", why="because of two")
    sys.exit(-6)
if jobs == "two":
    say(kind="failed", name="two", why="a fault again")
if jobs in ("three", "four"):
    say(kind="job", name=jobs)
"""


def test_a_fault_costs_one_job(tmp_path):
    """Those after it, failed or not reached, are measured in processes of their own."""
    script = tmp_path / "faulty"
    script.write_text(FAULTY.format(python=sys.executable))
    script.chmod(0o755)
    found = {}
    arguments = gpu.arguments_of([])
    gpu.measure_jobs(script, arguments, tmp_path, found, time.monotonic() + 60)
    assert [job["name"] for job in found["jobs"]] == ["one", "three", "four"]
    assert found["failed"] == [{"name": "two", "why": "a fault again"}]


# Files


def test_scans_are_read_and_written(tmp_path):
    path = shipped_data_folder() / "ct_abdomen.nii.gz"
    voxels = gpu_files.read_int16(path)
    np.testing.assert_array_equal(voxels, np.asanyarray(nib.load(path).dataobj.get_unscaled()).T)
    large = gpu_files.to_extent(voxels, (150, 40, 60))
    assert large.shape == (60, 40, 150)
    gpu_files.write_int16(tmp_path / "large.nii", large, (0.8, 0.7, 2.5))
    image = nib.load(tmp_path / "large.nii")
    np.testing.assert_array_equal(np.asanyarray(image.dataobj).T, large)
    np.testing.assert_allclose(image.affine, np.diag([0.8, 0.7, 2.5, 1]), rtol=1e-6)
    assert image.header.get_xyzt_units()[0] == "mm"
    with pytest.raises(SystemExit, match="not a little-endian int16"):
        gpu_files.read_int16(shipped_data_folder() / "big_endian.nii")


def test_files_are_timed(program, tmp_path):
    codec = program.parent / "bench_codec"
    if not codec.exists():
        pytest.skip(f"bench_codec is not in {program.parent}")
    found = gpu_files.measure(program, codec, tmp_path, shipped_data_folder() / "ct_abdomen.nii.gz", 8)
    assert found["extent"] == [64, 64, 37] and found["scan_extent"] == list(nib.load(shipped_data_folder() / found["scan"]).shape)
    assert set(found["jobs"]) == {"linear", "bspline3"}
    for job in found["jobs"].values():
        assert job["cpu"]["median_s"] > 0 and job["codec"]["decode_s"] > 0 and job["codec"]["encode_s"] > 0
        assert job["limit_s"] < job["cpu"]["median_s"]
        assert "median_s" in job["cuda"] or "cuda" in job["cuda"]["failed"]


def test_the_codecs_limit_counts_all_cores():
    assert gpu_files.limit_s({"decode_s": 4, "encode_s": 1, "threads": 16}) == 4
    assert gpu_files.limit_s({"decode_s": 4, "encode_s": 3.9, "threads": 16}) == pytest.approx(4.15)


# The page


def job_facts(name, group, median, *, fused=True, over=1.2, different=0, after=0):
    grid = lambda n: {"extent": [n, n, n], "dtype": "float32"}
    return {
        "kind": "job", "name": name, "what": "8^3 to 16^3", "group": group, "fused": fused, "volumes": 1, "plans": 1,
        "input": grid(8), "output": grid(16), "floor_bytes": 18432, "floor_ms": median / over, "over_floor": over,
        "check": {"voxels": 4096, "different": different, "different_after_timing": after},
        "times": {"median_ms": median, "low_ms": median, "high_ms": median, "least_ms": median, "repeats": 5, "sets": 2},
    }  # fmt: skip


def peer_facts(peer, job, median, agrees=True):
    times = {"median_ms": median, "low_ms": median, "high_ms": median, "repeats": 5, "sets": 2}
    agreement = {"agrees": agrees, "largest": 0.5, "share_of_range": 1e-4, "tolerance": 1e-3}
    return {"peer": peer, "library": "peer 1.0", "job": job, "remark": "", "agreement": agreement, "times": times}


@pytest.fixture
def found():
    """As a run would leave it, on a device that no one can take for a real one."""
    device = {
        "kind": "device", "name": "test device", "compute": "0.0", "multiprocessors": 1, "l2_bytes": 1 << 20,
        "memory_bytes": 1 << 30, "driver_cuda": 13000, "runtime_cuda": 12090, "revoxel": "0.0.0", "copy_gb_s": 100.0,
        "copy_by_driver_gb_s": 100.0, "copy_by_kernel_gb_s": 90.0,
    }  # fmt: skip
    files = {
        "scan": "scan.nii.gz", "scan_extent": [8, 8, 4], "extent": [8, 8, 8], "threads": 16,
        "jobs": {"linear": {
            "options": ["--spacing", "1"], "cuda": {"median_s": 1.0}, "cpu": {"median_s": 2.0}, "same": True,
            "codec": {"decode_s": 0.95, "encode_s": 0.5, "threads": 16}, "limit_s": 0.95,
        }},
    }  # fmt: skip
    launch = {
        "kind": "launch", "what": "one volume", "queue_us": 3, "queue_and_wait_us": 9, "device_us": 5, "graph_device_us": 4,
        "graph_different": 0,
    }  # fmt: skip
    return {
        "date": "2000-01-01", "commit": "abc", "cpu": "test CPU", "cores": 16, "scale": 1, "clocks_before": None,
        "clocks_after": None, "device": device, "launch": [launch], "failed": [], "files": files,
        "jobs": [job_facts("up", "linear", 1.0), job_facts("down", "antialiased", 2.0)],
        "peers": [peer_facts("quick", "up", 3.0), peer_facts("slow", "up", 50.0), peer_facts("quick", "down", 30.0)],
    }  # fmt: skip


def target_line(found, word):
    lines = [line for line in gpu_report.targets(found).splitlines() if word in line]
    assert len(lines) == 1
    return lines[0]


def test_targets_that_are_met(found):
    assert "| met | 2 of 2 |" in target_line(found, "fused")
    assert "| met | 2 of 2; least 3x |" in target_line(found, "| linear:")
    assert "| met | 1 of 1; least 15x |" in target_line(found, "anti-aliased")
    assert "| not measured |" in target_line(found, "splines")
    assert "| met | linear 95 % |" in target_line(found, ".nii.gz")
    assert gpu_report.wrong(found) == []
    page = gpu_report.page(found)
    assert "MISSED" not in page and "15x (5x: met)" in page and "CUDA 13.0" in page and "built with CUDA 12.9" in page


def test_targets_that_are_missed_are_named(found):
    found["jobs"][0]["over_floor"] = 1.51
    found["peers"][0]["times"]["median_ms"] = 1.99
    found["files"]["jobs"]["linear"]["cuda"]["median_s"] = 1.2
    assert "| **MISSED** | 1 of 2: up 1.51x |" in target_line(found, "fused")
    assert "| **MISSED** | 1 of 2; least 1.99x: quick on up 1.99x |" in target_line(found, "| linear:")
    assert "| **MISSED** | linear 79 % |" in target_line(found, ".nii.gz")
    assert gpu_report.wrong(found) == []  # slow is not wrong
    assert gpu_report.page(found).count("**MISSED**") == 5


def test_the_codecs_target_is_for_16_cores(found):
    found["files"]["threads"] = 2
    assert "| not measured: 2 cores | linear 95 % |" in target_line(found, ".nii.gz")


def test_times_of_wrong_results_do_not_count(found):
    found["jobs"][0]["check"]["different_after_timing"] = 1
    found["peers"][2]["agreement"]["agrees"] = False
    assert "| met | 1 of 1 |" in target_line(found, "fused")
    assert "| not measured |" in target_line(found, "| linear:")
    assert "| not measured |" in target_line(found, "anti-aliased")
    found["launch"][0]["graph_different"] = 3
    found["files"]["jobs"]["linear"]["same"] = False
    found["failed"] = [{"name": "other", "why": "out of memory"}]
    wrong = gpu_report.wrong(found)
    assert len(wrong) == 5
    page = gpu_report.page(found)
    assert all(f"- {line}" in page for line in wrong)
    assert "**1 DIFFER**" in page and "**DIFFERS**: at most 0.5" in page and "| other | **failed** | out of memory |" in page


def test_peers_that_could_not_are_rows(found):
    found["peers"].append({"peer": "gone", "job": "up", "remark": "", "failed": "ModuleNotFoundError: No module named 'gone'"})
    assert "| up | gone |  |  |  |  | not measured: ModuleNotFoundError: No module named 'gone' |" in gpu_report.page(found)
    assert gpu_report.wrong(found) == []


def test_no_results_of_a_device_that_is_none():
    """What is committed was measured on a GPU."""
    for file in (REPOSITORY / "bench/results").glob("gpu-*.json"):
        found = json.loads(file.read_text())
        assert found["device"]["multiprocessors"] > 1 and found["scale"] == 1 and found["clocks_before"], file
