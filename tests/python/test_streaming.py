"""Runs that stream: memory, volumes of more than 2^31 voxels, and what stands on the disk when a run ends early."""

import random
import signal
import subprocess
import time

import nibabel as nib
import numpy as np
import pytest

from conftest import shipped_data_folder
from support import peak_bytes

CT = shipped_data_folder() / "ct_abdomen.nii.gz"
MIB = 1 << 20


def tall(path, slices):
    """A scan-like volume of 256 x 256 x slices."""
    noise = np.random.default_rng(1).integers(-1000, 2000, (256, 256, 16), np.int16)
    voxels = np.concatenate([noise] * (slices // 16), axis=2)
    nib.save(nib.Nifti1Image(voxels, np.diag([0.8, 0.8, 2.5, 1])), path)
    return path


@pytest.mark.parametrize("options", [[], ["--interp", "bspline3"], ["--interp", "nearest"]])
def test_memory_does_not_grow_with_the_volume(program, tmp_path, options):
    peaks = []
    for slices in (128, 1024):
        source = tall(tmp_path / f"{slices}.nii", slices)
        peaks.append(peak_bytes(program, "resample", source, tmp_path / "o.nii.gz", "--spacing", "1", "--force",
                                "--quiet", "--threads", "2", *options))
    assert peaks[1] < peaks[0] + 8 * MIB, [peak / MIB for peak in peaks]


@pytest.mark.parametrize("allowed", ["40M", "50M", "60M", "200M"])
@pytest.mark.parametrize("options", [["--spacing", "1"], ["--spacing", "0.5"], ["--spacing", "1", "--interp", "bspline5"],
                                     ["--spacing", "1", "--labels"], ["--like", "turned.nii", "--interp", "bspline3"]])
def test_the_memory_that_is_allowed_is_kept(program, tmp_path, allowed, options):
    source = tall(tmp_path / "s.nii.gz", 128)
    c, s = np.cos(0.3), np.sin(0.3)
    turned = np.array([[c, -s, 0, 0], [s, c, 0.3, 0], [0, -0.3, 1.4, 0], [0, 0, 0, 1.0]])
    nib.save(nib.Nifti1Image(np.zeros((220, 220, 250), np.uint8), turned), tmp_path / "turned.nii")
    options = [tmp_path / "turned.nii" if option == "turned.nii" else option for option in options]
    words = [program, "resample", source, tmp_path / "o.nii.gz", "--threads", "2", "--memory", allowed, *options]
    done = subprocess.run([str(word) for word in words + ["--dry-run", "--json"]], capture_output=True, text=True)
    if "--memory allows" in done.stdout + done.stderr:
        refused = subprocess.run([str(word) for word in words], capture_output=True, text=True)
        assert refused.returncode == 5 and "--memory allows" in refused.stderr
        assert not (tmp_path / "o.nii.gz").exists()
        return
    assert peak_bytes(*words, "--quiet") <= int(allowed[:-1]) * 1_000_000
    whole = tmp_path / "whole.nii.gz"
    assert subprocess.run([str(program), "resample", str(source), str(whole), "--quiet", *map(str, options)]).returncode == 0
    assert whole.read_bytes() == (tmp_path / "o.nii.gz").read_bytes()


def test_more_than_2_to_the_31_voxels(program, tmp_path):
    """A sparse file of 1300^3 voxels, of which a few are not 0, far beyond voxel 2^31."""
    n, source, out = 1300, tmp_path / "large.nii", tmp_path / "o.nii"
    header = nib.Nifti1Image(np.zeros((1, 1, 1), np.uint8), np.eye(4)).header
    header.set_data_shape((n, n, n))
    header["vox_offset"] = 352
    with open(source, "wb") as file:
        file.write(header.binaryblock + b"\0\0\0\0")
        file.truncate(352 + n ** 3)
        for k in range(1280, 1290):
            for j in range(640, 660):
                file.seek(352 + (k * n + j) * n + 640)
                file.write(b"\x64" * 20)
    peak = peak_bytes(program, "resample", source, out, "--spacing", "10", "--quiet")
    values = np.asanyarray(nib.load(out).dataobj)
    assert values.shape == (130, 130, 130)
    assert values[64:66, 64:66, 128].min() > 50 and values.max() <= 100
    assert values[:, :, :127].max() == 0
    assert peak < 150 * MIB


def hear_interrupts():
    """What a shell starts in the background ignores SIGINT, and so does what that starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("name", ["o.nii.gz", "o.nii", "o.hdr.gz"])
@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_leaves_everything_or_nothing(program, tmp_path, name, replaced, stop):
    source = tall(tmp_path / "s.nii", 64)
    folder = tmp_path / "out"
    folder.mkdir()

    def files():
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    words = [str(program), "resample", str(source), str(folder / name), "--force", "--quiet"]
    assert subprocess.run([*words, "--spacing", "3"]).returncode == 0
    before = files() if replaced else {}
    start = time.monotonic()
    assert subprocess.run([*words, "--spacing", "0.9"]).returncode == 0
    latest = 1.1 * (time.monotonic() - start)
    complete = files()
    assert before == {} or before.keys() == complete.keys()
    moments = random.Random(7)
    ended = between = 0
    for _ in range(50):
        for path in folder.iterdir():
            path.unlink()
        for path, content in before.items():
            (folder / path).write_bytes(content)
        process = subprocess.Popen([*words, "--spacing", "0.9"], preexec_fn=hear_interrupts)
        time.sleep(moments.uniform(0.0, latest))
        process.send_signal(stop)
        code = process.wait(timeout=60)
        found = files()
        if code == 0 or found == complete:  # stopped after its work was done
            assert found == complete
            ended += 1
            latest *= 0.95  # however long the first run took: most are stopped before their end
        elif found == before:
            assert code == -stop
        else:  # docs/files.md, "Writing": the moment when files get their names
            assert stop == signal.SIGKILL and (replaced or name == "o.hdr.gz"), found.keys()
            between += 1
            found = {path: content for path, content in found.items() if not path.startswith(".revoxel-")}
            assert found in (before, complete, {**before, "o.img.gz": complete.get("o.img.gz")}), found.keys()
    assert ended < 50 and between <= 1


@pytest.mark.parametrize("replaced", [False, True])
def test_a_system_that_cannot_name_unnamed_files_gets_a_copy(program, tmp_path, replaced):
    source, folder = tall(tmp_path / "s.nii", 32), tmp_path / "out"
    folder.mkdir()
    out, usual = folder / "o.nii.gz", tmp_path / "usual.nii.gz"
    words = [str(program), "resample", str(source), str(out), "--spacing", "1", "--quiet", "--force"]
    if replaced:
        out.write_bytes(b"old")
        out.chmod(0o640)
    script = 'mount -t tmpfs none /proc && "$@"'  # where their links are
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", *words], capture_output=True, text=True
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine lets nobody hide /proc: " + done.stderr.strip())
    assert done.returncode == 0, done.stderr
    words[3] = str(usual)
    assert subprocess.run(words).returncode == 0
    assert list(folder.iterdir()) == [out] and out.read_bytes() == usual.read_bytes()
    assert out.stat().st_mode & 0o777 == (0o640 if replaced else usual.stat().st_mode & 0o777)


def test_a_full_disk_is_named_and_leaves_nothing(program, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    source = tall(tmp_path / "s.nii", 32)
    for name in ("o.nii", "o.nii.gz"):
        script = f'mount -t tmpfs -o size=2m none "{disk}" && "{program}" resample "{source}" "{disk}/{name}" --spacing 1 ' \
                 f'--quiet; code=$?; ls -A "{disk}"; exit $code'
        done = subprocess.run(["unshare", "--map-root-user", "--mount", "sh", "-c", script], capture_output=True, text=True)
        if "unshare" in done.stderr or "mount:" in done.stderr:
            pytest.skip("this machine lets nobody mount a small disk: " + done.stderr.strip())
        assert done.returncode == 4, done.stderr
        assert name in done.stderr and ("space" in done.stderr)
        assert done.stdout == ""


def test_a_write_that_fails_midway_is_named_and_leaves_nothing(program, tmp_path):
    """The space is there, so that the run begins; what fails is a slab that is written while the next one is made."""
    source, folder = tall(tmp_path / "s.nii", 128), tmp_path / "out"
    folder.mkdir()
    for name, threads in (("o.nii", 1), ("o.nii", 2), ("o.nii.gz", 2)):
        script = 'ulimit -f 20000 && exec "$@"'  # KiB
        words = [program, "resample", source, folder / name, "--spacing", "1", "--quiet", "--threads", threads]
        done = subprocess.run(["bash", "-c", script, "bash", *map(str, words)], capture_output=True, text=True)
        assert done.returncode == 4, done.stderr
        assert name in done.stderr and "ulimit -f" in done.stderr
        assert list(folder.iterdir()) == []


def test_a_file_that_ends_midway_is_named_and_leaves_nothing(revoxel, tmp_path):
    source = tall(tmp_path / "s.nii.gz", 64)
    whole = source.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    folder = tmp_path / "out"
    folder.mkdir()
    for content in (whole[: len(whole) // 2], bytes(damaged), whole[:-8] + b"\0" * 4 + whole[-4:]):
        source.write_bytes(content)
        done = revoxel("resample", source, folder / "o.nii.gz", "--spacing", "1")
        assert done.returncode == 3 and str(source) in done.stderr
        assert list(folder.iterdir()) == []


def test_real_scans_stream_to_the_same_bytes(revoxel, tmp_path):
    for options in (["--spacing", "1"], ["--iso", "2", "--interp", "bspline3"]):
        streamed, whole = tmp_path / "s.nii.gz", tmp_path / "w.nii.gz"
        assert revoxel("resample", CT, streamed, *options, "--force").returncode == 0
        assert revoxel("resample", CT, whole, *options, "--compare", "--force").returncode == 0
        assert streamed.read_bytes() == whole.read_bytes()
