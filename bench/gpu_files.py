"""From .nii.gz to .nii.gz on the GPU, on the CPU, and the codec alone. bench/gpu drives it; numpy is all it needs.

The input is a real CT, its slices there and back, cut or mirrored to 512 x 512 x 300 voxels of 0.8 x 0.8 x 2.5 mm: the scan
named, else CRLM-CT-1004 of the folder REVOXEL_TEST_SHARED_DATA, else the small one of tests/data, whose mirror images compress
better than a scan does.
"""

import gzip
import json
import os
import statistics
import struct
import subprocess
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
LARGE_SCAN = "nifti/anat/CRLM-CT-1004_CT_0p8x0p8x5.nii.gz"
SMALL_SCAN = ROOT / "tests/data/ct_abdomen.nii.gz"
EXTENT, SPACING = (512, 512, 300), (0.8, 0.8, 2.5)
REPEAT = 5
JOBS = (("linear", ("--spacing", "1")), ("bspline3", ("--spacing", "1", "--interp", "bspline3")))


def scan_path(named):
    if named:
        return Path(named)
    large = Path(os.environ.get("REVOXEL_TEST_SHARED_DATA", ROOT.parent / "shared/data")) / LARGE_SCAN
    return large if large.exists() else SMALL_SCAN


def read_int16(path):
    """Voxels of a little-endian int16 NIfTI-1, indexed k, j, i."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    size, dimensions, datatype = struct.unpack_from("<i", data)[0], struct.unpack_from("<8h", data, 40), data[70]
    if size != 348 or datatype != 4 or dimensions[0] < 3:
        raise SystemExit(f"{path}: not a little-endian int16 NIfTI-1 volume; name another --scan")
    shape = dimensions[3:0:-1]
    offset = int(struct.unpack_from("<f", data, 108)[0])
    return np.frombuffer(data, "<i2", int(np.prod(shape)), offset).reshape(shape)


def write_int16(path, voxels, spacing):
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *voxels.shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, *spacing, 0, 0, 0, 0)
    struct.pack_into("<f", header, 108, 352)
    header[123] = 2  # mm
    struct.pack_into("<h", header, 254, 1)
    for row in range(3):
        struct.pack_into("<f", header, 280 + 16 * row + 4 * row, spacing[row])
    header[344:348] = b"n+1\0"
    path.write_bytes(bytes(header) + np.ascontiguousarray(voxels, "<i2").tobytes())


def to_extent(voxels, extent):
    shape = extent[::-1]
    cut = voxels[tuple(slice((max(0, n - m)) // 2, (max(0, n - m)) // 2 + m) for n, m in zip(voxels.shape, shape))]
    return np.pad(cut, [(0, m - n) for n, m in zip(cut.shape, shape)], mode="symmetric")


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        raise RuntimeError(f"exit {done.returncode}: {said}")
    return done.stdout


def timed(command):
    times = []
    for _ in range(REPEAT + 1):
        start = time.perf_counter()
        run(command)
        times.append(time.perf_counter() - start)
    return {"first_s": times[0], "runs_s": times[1:], "median_s": statistics.median(times[1:])}


def limit_s(codec):
    """Decoding runs on one core while the others encode: the slower of the two, all cores' work counted."""
    return max(codec["decode_s"], codec["encode_s"] + codec["decode_s"] / codec["threads"])


def one_job(revoxel, codec, source, folder, options, threads):
    facts = {"options": list(options)}
    outputs = {}
    for backend in ("cpu", "cuda"):
        outputs[backend] = folder / f"{backend}.nii.gz"
        command = [revoxel, "resample", source, outputs[backend], *options, "--backend", backend]
        command += ["--threads", threads, "--quiet", "--force"]
        try:
            facts[backend] = timed(command)
        except RuntimeError as error:
            facts[backend] = {"failed": str(error)}
    if "failed" in facts["cpu"]:
        return facts
    if "failed" not in facts["cuda"]:
        same = subprocess.run(
            [str(revoxel), "compare", str(outputs["cpu"]), str(outputs["cuda"])], capture_output=True, check=False
        )
        facts["same"] = same.returncode == 0
    facts["codec"] = json.loads(run([codec, "--files", threads, source, outputs["cpu"]]))
    facts["limit_s"] = limit_s(facts["codec"])
    facts["input_bytes"], facts["output_bytes"] = source.stat().st_size, outputs["cpu"].stat().st_size
    return facts


def measure(revoxel, codec, folder, named=None, scale=1):
    scan = scan_path(named)
    threads = len(os.sched_getaffinity(0))
    plain, source = folder / "ct.nii", folder / "ct.nii.gz"
    extent = [max(8, n // scale) for n in EXTENT]
    voxels = read_int16(scan)
    write_int16(plain, to_extent(voxels, extent), SPACING)
    run([revoxel, "resample", plain, source, "--spacing", *SPACING, "--quiet", "--force"])
    plain.unlink()
    jobs = {name: one_job(revoxel, codec, source, folder, options, threads) for name, options in JOBS}
    facts = {"scan": scan.name, "scan_extent": list(voxels.shape[::-1]), "extent": extent, "threads": threads}
    return {**facts, "jobs": jobs}
