"""The GPU's place in the command line: which backend runs, what is said when there is no GPU or it fails, and that limits
and several devices change no bit. The program is the one of tests/simt, whose device is emulated and can be told to fail."""

import json
import os
import subprocess

import nibabel as nib
import numpy as np
import pytest

from conftest import shipped_data_folder
from support import grid_about, save_reference

DATA = shipped_data_folder()
T1, EPI, RGB = (
    DATA / name for name in ("t1_head.nii.gz", "epi_4d.nii.gz", "rgb24.nii")
)

FAULTS = {
    "no-driver": "no NVIDIA driver is installed",
    "no-device": "there is no NVIDIA GPU",
    "old-driver": "the NVIDIA driver serves CUDA 11.8, this build needs 13.0",
    "out-of-memory": "MB of memory left",
    "out-of-memory:3": "MB of memory left",
    "kernel": "an illegal memory access",
}


@pytest.fixture(scope="session")
def simt(program):
    """simt(argument..., fault=None, **environment) runs the program with the emulated device."""
    path = program.parent / "revoxel_simt"
    if not path.exists():
        pytest.skip(f"the program with the emulated device is not built: {path}")

    def run(*arguments, fault=None, **environment):
        env = {**os.environ, "REVOXEL_SIMT_STARTED": "1", **{k: str(v) for k, v in environment.items()}}
        if fault:
            env["REVOXEL_SIMT_FAULT"] = fault
        command = [str(path), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=env)

    return run


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A piece of a real head, and a grid that is oblique to it."""
    folder = tmp_path_factory.mktemp("small")
    image = nib.load(T1)
    piece = image.slicer[20:68, 30:77, 20:51]
    nib.save(piece, folder / "head.nii")
    turned = grid_about(piece.affine, piece.shape, (40, 41, 42), (1.1, 1.2, 1.3), (10, 20, 30))
    save_reference(folder / "turned.nii", turned, (40, 41, 42))
    return folder


def jobs(small):
    head = small / "head.nii"
    return {
        "linear": (head, "--spacing", "1.1"),
        "whole volumes": (head, "--spacing", "1.3", "--interp", "cubic", "--clip", "global"),
        "oblique": (head, "--like", small / "turned.nii", "--interp", "bspline3"),
        "clip local": (head, "--spacing", "1.2", "--interp", "lanczos3", "--clip", "local"),
        "labels": (head, "--spacing", "1.7", "--labels"),
        "several volumes": (EPI, "--spacing", "6"),
        "colours": (RGB, "--spacing", "3"),
    }


JOBS = ["linear", "whole volumes", "oblique", "clip local", "labels", "several volumes", "colours"]


@pytest.mark.parametrize("job", JOBS)
def test_the_gpu_gives_the_cpus_file(simt, small, tmp_path, job):
    source, *options = jobs(small)[job]
    cpu, gpu = tmp_path / "cpu.nii", tmp_path / "gpu.nii"
    assert simt("resample", source, cpu, *options, "--backend", "cpu").returncode == 0
    done = simt("resample", source, gpu, *options, "--backend", "cuda", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["backend"] == "cuda (SIMT layer)"
    assert cpu.read_bytes() == gpu.read_bytes()


@pytest.mark.parametrize("options", [["--gpu-memory", "600k"], ["--devices", "0,0"], ["--devices", "1,0,1"], ["--device", "1"],
                                     ["--devices", "0,1", "--gpu-memory", "1M"], ["--memory", "64M", "--threads", "1"]])
@pytest.mark.parametrize("job", ["linear", "whole volumes", "oblique"])
def test_limits_and_devices_change_no_bit(simt, small, tmp_path, job, options):
    source, *asked = jobs(small)[job]
    cpu, gpu = tmp_path / "cpu.nii", tmp_path / "gpu.nii"
    assert simt("resample", source, cpu, *asked, "--backend", "cpu").returncode == 0
    done = simt("resample", source, gpu, *asked, "--backend", "cuda", *options, REVOXEL_SIMT_DEVICES=2)
    assert done.returncode == 0, done.stderr
    assert cpu.read_bytes() == gpu.read_bytes()


@pytest.mark.parametrize("job", ["linear", "whole volumes"])
@pytest.mark.parametrize("fault", FAULTS)
def test_by_name_a_fault_is_one_line_and_no_file(simt, small, tmp_path, fault, job):
    source, *options = jobs(small)[job]
    done = simt("resample", source, tmp_path / "o.nii", *options, "--backend", "cuda", "--quiet", fault=fault)
    assert done.returncode == 5
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and FAULTS[fault] in lines[0] and "backend cuda: " in lines[0], done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("job", ["linear", "whole volumes", "clip local", "oblique"])
@pytest.mark.parametrize("fault", FAULTS)
def test_auto_falls_back_to_the_cpu(simt, small, tmp_path, fault, job):
    source, *options = jobs(small)[job]
    cpu, auto = tmp_path / "cpu.nii", tmp_path / "auto.nii"
    assert simt("resample", source, cpu, *options, "--backend", "cpu").returncode == 0
    done = simt("resample", source, auto, *options, "--json", "--threads", "1", fault=fault)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["result"]["backend"].startswith("cpu")
    told = [warning for warning in facts["warnings"] if FAULTS[fault] in warning]
    if fault in ("no-driver", "no-device", "old-driver"):  # known before the GPU is tried
        assert FAULTS[fault] in facts["result"]["backend_reason"] and not told
    else:
        assert len(told) == 1 and told[0].endswith("the CPU does the work instead"), facts["warnings"]
    assert cpu.read_bytes() == auto.read_bytes()


def test_auto_takes_the_gpu_where_it_pays_and_says_so(simt, small, tmp_path):
    head = small / "head.nii"
    done = simt("resample", head, tmp_path / "o.nii", "--spacing", "1", "--threads", "1")
    assert done.returncode == 0
    assert "the GPU (SIMT layer), about" in done.stdout
    assert not [line for line in done.stdout.splitlines() if len(line) > 80 and str(tmp_path) not in line]
    assert "cuda (SIMT layer)" in done.stdout
    done = simt("resample", head, tmp_path / "c.nii", "--spacing", "1", "--backend", "cpu")
    assert "backend  " not in done.stdout, "nothing was chosen"


def test_argmax_falls_back(simt, tmp_path):
    scores = np.random.default_rng(1).normal(size=(20, 18, 16, 3)).astype(np.float32)
    nib.save(nib.Nifti1Image(scores, np.diag([1, 1, 2, 1])), tmp_path / "scores.nii")
    words = ("resample", tmp_path / "scores.nii", tmp_path / "o.nii", "--spacing", "0.8", "--argmax", "--force")
    results = []
    for backend, fault in (("cpu", None), ("cuda", None), ("auto", "kernel"), ("auto", None)):
        done = simt(*words, "--backend", backend, "--threads", "1", fault=fault)
        assert done.returncode == 0, done.stderr
        results.append((tmp_path / "o.nii").read_bytes())
    assert results.count(results[0]) == len(results)


@pytest.mark.parametrize("options, word", [
    (["--device", "0", "--devices", "0,1"], "--device and --devices"),
    (["--device", "-1"], "--device"),
    (["--devices", "0,x"], "--devices"),
    (["--gpu-memory", "much"], "--gpu-memory"),
    (["--precision", "double"], "precision"),
    (["--device", "7", "--backend", "cuda"], "GPU 7"),
])
def test_what_is_refused(simt, small, tmp_path, options, word):
    done = simt("resample", small / "head.nii", tmp_path / "o.nii", "--spacing", "1", "--quiet", *options)
    assert done.returncode == 2 and word in done.stderr, done.stderr
    assert not (tmp_path / "o.nii").exists()


def test_a_limit_that_nothing_fits(simt, small, tmp_path):
    words = ("resample", small / "head.nii", tmp_path / "o.nii", "--spacing", "1", "--gpu-memory", "10k", "--threads", "1")
    done = simt(*words, "--backend", "cuda", "--quiet")
    assert done.returncode == 5 and "--gpu-memory allows 0.01 MB" in done.stderr, done.stderr
    assert not (tmp_path / "o.nii").exists()
    assert simt(*words).returncode == 0


@pytest.mark.parametrize("options", [["--device", "0"], ["--devices", "0,0"], ["--gpu-memory", "1G"], ["--precision", "fast"]])
def test_options_of_gpus_are_idle_on_the_cpu(revoxel, small, tmp_path, options):
    done = revoxel("resample", small / "head.nii", tmp_path / "o.nii", "--spacing", "1", "--backend", "cpu", *options)
    assert done.returncode == 0
    assert f"{options[0]}" in done.stderr and "changes nothing: --backend cpu uses no GPU" in done.stderr


@pytest.mark.parametrize("options, why", [
    (["--spacing", "1"], "not oblique"),
    (["--like", "turned.nii", "--interp", "cubic"], "the kernel is not linear"),
    (["--like", "turned.nii", "--labels"], "votes are exact"),
])
def test_fast_where_no_texture_interpolates(simt, small, tmp_path, options, why):
    options = [small / "turned.nii" if option == "turned.nii" else option for option in options]
    done = simt("resample", small / "head.nii", tmp_path / "o.nii", *options, "--precision", "fast", "--backend", "cuda")
    assert done.returncode == 0
    assert "--precision fast changes nothing" in done.stderr and why in done.stderr


def test_the_real_program_with_a_device_or_without(revoxel, small, tmp_path):
    """By name it is the GPU or one line that says why not, whatever this build and this machine have."""
    cpu, gpu = tmp_path / "cpu.nii", tmp_path / "gpu.nii"
    words = ("--spacing", "1.1", "--quiet")
    assert revoxel("resample", small / "head.nii", cpu, *words, "--backend", "cpu").returncode == 0
    done = revoxel("resample", small / "head.nii", gpu, *words, "--backend", "cuda")
    if done.returncode == 0:
        assert cpu.read_bytes() == gpu.read_bytes()
        return
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1 and "backend cuda: " in done.stderr
    assert not gpu.exists()


def test_fast_within_a_limit(simt, small, tmp_path):
    """Textures of many slabs may not fit; then it is exact, and never an error."""
    words = ("resample", small / "head.nii", tmp_path / "o.nii", "--like", small / "turned.nii", "--backend", "cuda", "--force")
    assert simt(*words).returncode == 0
    exact = nib.load(tmp_path / "o.nii").get_fdata()
    for limit in ("700k", "500k", "1G"):
        done = simt(*words, "--precision", "fast", "--gpu-memory", limit)
        assert done.returncode == 0, done.stderr
        fast = nib.load(tmp_path / "o.nii").get_fdata()
        assert abs(fast - exact).max() <= 0.006 * (exact.max() - exact.min()) + 1
