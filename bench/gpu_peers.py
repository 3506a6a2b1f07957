"""torch, cupyx and jax on the jobs of bench_gpu, on the same device. bench/gpu drives it.

    python3 gpu_peers.py LIBRARY REQUEST.json    does the rows that the request names; prints one JSON object for each

Each library runs in a process of its own; where that dies or takes too long, the row says so and another process goes on
with the next. A peer's result on a smaller instance of the job is compared with revoxel's before it is timed at full size:
with the job whose definition is the peer's (DEFINITIONS below). Volumes are indexed k, j, i, on the device before the clock
starts, and rotated over more sets than twice the L2 cache holds. What is called: gpu_peer_calls.py.
"""

import json
import queue
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np

from gpu_peer_calls import (
    BATCH, LABELS, LIBRARIES, cupyx_affine, cupyx_argmax, cupyx_one_hot, cupyx_zoom, jax_scale, shape_of, slug,
    torch_antialias, torch_argmax, torch_batch, torch_grid_prebuilt, torch_grid_sample, torch_interpolate, torch_matmul,
    torch_nearest, torch_one_hot, torch_patches,
)  # fmt: skip

WARM_UP = 3


# Who does what


@dataclass(frozen=True)
class Peer:
    name: str
    library: str
    call: Callable
    jobs: tuple  # of revoxel, whose definition is the peer's
    tolerance: float  # of the range of revoxel's values; of labels, the share of voxels that may differ
    remark: str = ""


PEERS = (
    Peer(
        "torch interpolate", "torch", torch_interpolate,
        ("A linear plain f32", "A linear plain i16 f32", "B linear f32", "C linear plain f32", "small linear f32"), 1e-4,
    ),
    Peer("torch interpolate", "torch", torch_interpolate, ("A linear plain i16 i16",), 3e-4, "rounded by torch: off by 1 at ties"),
    Peer(
        "torch grid_sample", "torch", torch_grid_sample,
        ("A linear plain f32", "B linear f32", "oblique linear extended f32"), 1e-3, "positions in float32",
    ),
    Peer(
        "torch grid_sample, grid ready", "torch", torch_grid_prebuilt,
        ("A linear plain f32", "B linear f32", "oblique linear extended f32"), 1e-3,
        "positions in float32; the grid takes 12 bytes a voxel",
    ),
    Peer(
        "torch matmul", "torch", torch_matmul,
        (
            "A linear f32", "A linear plain f32", "A bspline3 plain f32", "B linear f32", "B cubic f32", "B bspline3 f32",
            "B lanczos3 f32", "C linear f32", "C linear plain f32", "C bspline3 f32", "C lanczos3 f32",
        ),
        1e-5, "revoxel's weights as matrices",
    ),
    Peer(
        "torch interpolate antialias, twice", "torch", torch_antialias, ("A linear pillow f32", "C linear pillow f32"), 1e-4,
        "2-D alone in torch: along j and i, then along k",
    ),
    Peer("torch nearest-exact", "torch", torch_nearest, ("A nearest u8",), 1e-3),
    Peer("torch, a volume for each label", "torch", torch_one_hot, ("A votes plain u8",), 1e-3, f"{LABELS} labels"),
    Peer(
        "torch interpolate, channel by channel", "torch", torch_argmax, ("logits argmax f32",), 1e-4,
        "the largest score kept, never all channels at full size; ties by rounding",
    ),
    Peer("torch interpolate, batch", "torch", torch_batch, ("batch linear f32",), 1e-4, f"{BATCH} in a call"),
    Peer(
        "torch affine_grid, grid_sample", "torch", torch_patches, ("patches linear extended f32",), 1e-3,
        f"positions in float32; {BATCH} in a call",
    ),
    Peer(
        "cupyx zoom order 1", "cupyx", cupyx_zoom(1),
        ("A linear plain f32", "A linear plain i16 f32", "B linear f32", "C linear plain f32", "small linear f32"), 1e-5,
    ),
    Peer("cupyx zoom order 0", "cupyx", cupyx_zoom(0), ("A nearest u8",), 1e-3),
    Peer("cupyx zoom order 3", "cupyx", cupyx_zoom(3), ("A bspline3 plain f32", "B bspline3 f32", "C bspline3 plain f32"), 1e-4),
    Peer("cupyx, a volume for each label", "cupyx", cupyx_one_hot, ("A votes plain u8",), 1e-3, f"{LABELS} labels"),
    Peer(
        "cupyx zoom order 1, channel by channel", "cupyx", cupyx_argmax, ("logits argmax f32",), 1e-4,
        "the largest score kept, never all channels at full size; ties by rounding",
    ),
    Peer("cupyx affine_transform order 1", "cupyx", cupyx_affine(1), ("oblique linear extended f32",), 1e-5),
    Peer("cupyx affine_transform order 3", "cupyx", cupyx_affine(3), ("oblique bspline3 extended f32",), 1e-4),
    Peer(
        "jax scale_and_translate linear", "jax", jax_scale("linear"),
        ("A linear pillow f32", "B linear f32", "C linear pillow f32"), 1e-4, "HIGHEST",
    ),
    Peer(
        "jax scale_and_translate lanczos3", "jax", jax_scale("lanczos3"),
        ("A lanczos3 pillow f32", "B lanczos3 renormalised f32", "C lanczos3 pillow f32"), 1e-4, "HIGHEST",
    ),
)  # fmt: skip

DEFINITIONS = """\
Each peer is compared with, and its time divided by, the revoxel job of the same definition. All grids cover the field of view
(align_corners False, grid_mode True). torch has no low-pass in 3-D and cupyx none: `plain` jobs. jax and torch's 2-D antialias
divide the weights by their sum over the voxels inside, revoxel's default also keeps ramps and extends the edge: `pillow` and
`renormalised` jobs. grid_sample (border) and affine_transform (nearest) fill nothing outside: `extended` jobs. cupyx's splines
extend the edge by 12 voxels before the prefilter, revoxel's by as many as it takes."""


def rows():
    """(index of the peer, name of the job): what there is to do, library by library."""
    return [(n, job) for library in LIBRARIES for n, peer in enumerate(PEERS) if peer.library == library for job in peer.jobs]


# Comparing


def compare(ours, theirs, tolerance, labels):
    if ours.shape != theirs.shape:
        return {"agrees": False, "why": f"{theirs.shape[::-1]} voxels, revoxel {ours.shape[::-1]}"}
    if labels:
        share = float(np.count_nonzero(ours != theirs) / ours.size)
        return {"agrees": share <= tolerance, "share_different": share}
    ours = ours.astype(np.float64)
    largest = float(np.abs(ours - theirs).max())
    share = largest / float(np.ptp(ours))
    return {"agrees": bool(share <= tolerance), "largest": largest, "share_of_range": share, "tolerance": tolerance}


def arrays_of(folder, job):
    """What bench_gpu --weights has left for a job: matrices by axis, affines of patches."""
    folder = Path(folder) / slug(job)
    weights = {axis: np.load(file) for axis in range(3) if (file := folder / f"w{axis}.npy").exists()}
    affines = folder / "affines.npy"
    return {"weights": weights, "affines": np.load(affines) if affines.exists() else None}


def agreement(lib, peer, job, folder):
    """With revoxel's result on the small instance that bench_gpu --save has left."""
    run = peer.call(lib, job, arrays_of(folder, job))
    saved = Path(folder) / slug(job)
    theirs = lib.get(run(lib.put(np.load(saved / "in.npy"))))
    ours = np.load(saved / "out.npy")
    return compare(ours, theirs.reshape(ours.shape) if theirs.size == ours.size else theirs, peer.tolerance,
                   job["output"]["dtype"] == "uint8")  # fmt: skip


# Timing


def input_shape(job):
    shape = shape_of(job["input"])
    if job["channels"]:
        return (job["channels"], *shape)
    return (job["volumes"], *shape) if job["name"].startswith("batch") else shape


def set_count(bytes_of_a_set, l2_bytes):
    """As bench_gpu: what is between two uses of a volume does not fit twice into the L2 cache."""
    if bytes_of_a_set >= 16 * l2_bytes:
        return 1
    return max(2, 1 + -(-2 * l2_bytes // bytes_of_a_set))


def timed(lib, peer, job, request):
    run = peer.call(lib, job, arrays_of(request["weights"], job))
    sets = set_count(job["floor_bytes"], request["l2_bytes"])
    volumes = [lib.noise(input_shape(job), job["input"]["dtype"]) for _ in range(sets)]
    warm = statistics.median(lib.milliseconds(run, volumes, WARM_UP)[1:])
    repeat = int(min(200, max(5, 1e3 * request["seconds"] / max(warm, 1e-3))))
    times = sorted(lib.milliseconds(run, volumes, repeat))
    at = lambda share: times[int(share * (len(times) - 1) + 0.5)]
    return {"median_ms": at(0.5), "low_ms": at(0.25), "high_ms": at(0.75), "repeats": repeat, "sets": sets}


def one_row(lib, peer, job_name, request):
    facts = {"peer": peer.name, "library": lib.version, "job": job_name, "remark": peer.remark}
    try:
        facts["agreement"] = agreement(lib, peer, request["small_jobs"][job_name], request["small"])
        if request["jobs"].get(job_name):
            facts["times"] = timed(lib, peer, request["jobs"][job_name], request)
    except Exception as error:  # a peer that cannot is a row that says so
        facts["failed"] = f"{type(error).__name__}: {str(error).strip()}".splitlines()[0][:300]
    lib.forget()
    return facts


def child(library, request):
    """The rows of a request, one after the other; a line before each says which."""
    tell = lambda facts: print(json.dumps(facts), flush=True)
    try:
        lib = LIBRARIES[library](request["device"])
    except Exception as error:
        tell({"absent": f"{type(error).__name__}: {error}".splitlines()[0][:300]})
        return
    for n, job in request["rows"]:
        tell({"begins": [n, job]})
        tell(one_row(lib, PEERS[n], job, request))


# The parent


def lines_of(process, limit_s, ends_at):
    """Lines of its output as they come; ends when it does, or is ended when none comes for that long or the time is up."""
    lines = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=min(limit_s, max(1, ends_at - time.monotonic())))
        except queue.Empty:
            process.kill()
            return
        if line is None:
            return
        yield line


def failed_row(row, why):
    return {"peer": PEERS[row[0]].name, "job": row[1], "remark": PEERS[row[0]].remark, "failed": why}


def run_library(library, todo, request, request_file, limit_s, ends_at, python):
    """All rows of one library; a process that dies or hangs costs the row that it was at."""
    found = []
    while todo:
        if time.monotonic() > ends_at:
            return found + [failed_row(row, "not run: the time was up") for row in todo]
        request_file.write_text(json.dumps({**request, "rows": todo}))
        errors = request_file.with_suffix(".log")
        with errors.open("w") as log:
            process = subprocess.Popen(
                [python, __file__, library, str(request_file)], stdout=subprocess.PIPE, stderr=log, text=True
            )
            begun = None
            for line in lines_of(process, limit_s, ends_at):
                facts = json.loads(line)
                if "absent" in facts:
                    process.wait()
                    return found + [failed_row(row, facts["absent"]) for row in todo]
                if "begins" in facts:
                    begun = facts["begins"]
                    continue
                found.append(facts)
                todo, begun = todo[1:], None
            code = process.wait()
        if todo and time.monotonic() <= ends_at:
            said = errors.read_text().strip().splitlines()[-1:] or ["nothing"]
            why = f"took more than {limit_s} s" if code == -9 else f"its process ended with {code}, saying: {said[0][:200]}"
            found.append(failed_row(begun or todo[0], why))
            todo = todo[1:]
    return found


def measure(jobs, small_jobs, small, weights, folder, l2_bytes, *, device="gpu", seconds=0.3, limit_s=90, ends_at=None,
            libraries=tuple(LIBRARIES), python=sys.executable):  # fmt: skip
    """Rows of facts. jobs and small_jobs: what bench_gpu told, at full size and with --scale; the latter's arrays lie in
    `small`, the former's weights in `weights`. Jobs that bench_gpu has not told about are left out."""
    by_name = lambda told: {job["name"]: job for job in told}
    request = {
        "jobs": by_name(jobs), "small_jobs": by_name(small_jobs), "small": str(small), "weights": str(weights),
        "device": device, "l2_bytes": l2_bytes, "seconds": seconds,
    }  # fmt: skip
    found = []
    for library in libraries:
        todo = [[n, job] for n, job in rows() if PEERS[n].library == library and job in request["small_jobs"]]
        found += run_library(
            library, todo, request, Path(folder) / f"{library}.json", limit_s, ends_at or time.monotonic() + 1e6, python
        )
    return found


if __name__ == "__main__":
    child(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))
