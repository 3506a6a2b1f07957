#!/usr/bin/env python3
"""Times revoxel beside other programs on the jobs of bench/jobs.py, in memory and from file to file.

    python3 bench/peers.py --build build/release --out bench/results/cpu-$(date +%F).md --readme README.md

needs numpy and nibabel, a build with the targets bench_in_memory and revoxel_cli, and the scans (REVOXEL_TEST_SHARED_DATA).
Peers that are not installed are skipped by name: SimpleITK, scipy, scikit-image and vtk from PyPI; python3-torch, mrtrix3,
plastimatch and isal from Debian. On two cores it takes about an hour, of which most is waiting for peers; nothing else
should run meanwhile. It writes OUT, the same facts as JSON beside it, and the table between README's markers.

Each peer runs in a process of its own, with as many threads as revoxel. Outputs are compared before times are: with
those of revoxel under the options that mean the same. Exit code 1: one of them is not the same.
"""

import argparse
import importlib.util
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np

import inputs
import jobs
import peer_calls
import peers_report
import quality

HERE = Path(__file__).resolve().parent


class Absent(Exception):
    """A program or module is not installed."""


@dataclass
class Bench:
    programs: Path  # the folder of revoxel and bench_in_memory
    folder: Path
    system_python: Path
    threads: int
    repeat: int
    budget_s: float
    scale: int
    kept: dict = field(default_factory=dict)  # what revoxel has done already, by input and options

    @property
    def environment(self):
        names = "OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS".split()
        return {**os.environ, **{name: str(self.threads) for name in names}}

    def words(self, words, **values):
        return jobs.filled(words, folder=self.folder, **values)

    def shown(self, options):
        """Options as they may be published: without this machine's folders."""
        return [word.replace(f"{self.folder}/", "") for word in options]

    def run(self, command):
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, env=self.environment, check=False
        )
        if done.returncode != 0:
            said = done.stderr.strip()[-2000:]
            if done.returncode == peer_calls.ABSENT and command[1] == HERE / "peer_calls.py":
                raise Absent(said)
            raise SystemExit(f"exit {done.returncode}: {' '.join(map(str, command))}\n{said}")
        return done.stdout

    def grid(self, source, options):
        """Voxel counts and affine of what revoxel would write."""
        report = self.run([self.programs / "revoxel", "resample", source, *options, "--dry-run", "--json"])
        output = json.loads(report)["output"]
        return output["extent"], output["affine"]

    def revoxel(self, source, options):
        """bench_in_memory once for the same input and options. Its facts, and the file with the result."""
        key = (source, *options)
        if key not in self.kept:
            result = self.folder / f"revoxel-{len(self.kept)}.nii"
            command = [self.programs / "bench_in_memory", self.repeat, "resample", source, result, *options]
            facts = json.loads(self.run([*command, "--threads", self.threads, "--force"]))
            self.kept[key] = facts, result
        return self.kept[key]

    def forget(self):
        for _, result in self.kept.values():
            result.unlink()
        self.kept.clear()


# Comparing


def compare(ours, theirs, tolerance, labels=False):
    """Two arrays indexed k, j, i, slice by slice. PSNR over the range of ours; None where nothing differs."""
    if ours.shape != theirs.shape:
        return {"agrees": False, "why": f"{theirs.shape[::-1]} voxels, revoxel {ours.shape[::-1]}"}
    different, squares, largest, low, high = 0, 0.0, 0.0, np.inf, -np.inf
    for a, b in zip(ours, theirs):
        a = a.astype(np.float64)
        difference = np.abs(a - b)
        different += int(np.count_nonzero(difference))
        squares += float((difference**2).sum())
        largest = max(largest, float(difference.max()))
        low, high = min(low, float(a.min())), max(high, float(a.max()))
    share = different / ours.size
    if labels:
        return {"agrees": share <= tolerance, "share_different": share}
    psnr = 10 * np.log10((high - low) ** 2 * ours.size / squares) if squares > 0 and high > low else None
    return {"agrees": largest <= tolerance, "largest": largest, "psnr_db": psnr}


def voxels_of(path):
    return np.asanyarray(nibabel.load(path).dataobj).T


def compared(ours, theirs, peer, labels=False):
    if getattr(peer, "fraction", 1) > 1:  # the last slices of a part are at a face that the whole does not have
        slices = len(theirs) - 8
        ours, theirs = ours[:slices], theirs[:slices]
    return compare(ours, theirs, peer.tolerance, labels)


# In memory


def array_file(bench, source):
    """The input for the peers, as they can read it fastest and without nibabel."""
    path = source.with_suffix(".npy")
    if not path.exists():
        np.save(path, np.ascontiguousarray(voxels_of(source)))
    return path


def peer_in_memory(bench, job, peer, source):
    if peer.system and not bench.system_python.exists():
        raise Absent(f"no {bench.system_python}")
    size, affine = bench.grid(source, bench.words(job.options))
    same = bench.words(peer.same, size=size)
    result, request = bench.folder / "peer.npy", bench.folder / "request.json"
    content = {
        "voxels": str(array_file(bench, source)),
        "result": str(result),
        "call": peer.call,
        "size": size,
        "affine": affine,
        "input_affine": nibabel.load(source).affine.tolist(),
        "threads": bench.threads,
        "repeat": bench.repeat,
        "budget_s": bench.budget_s,
        "fraction": peer.fraction,
        **peer.arguments,
    }
    request.write_text(json.dumps(content))
    python = bench.system_python if peer.system else sys.executable
    facts = json.loads(bench.run([python, HERE / "peer_calls.py", "memory", request]))
    own, ours = bench.revoxel(source, same)
    agreement = compared(voxels_of(ours), np.load(result, mmap_mode="r"), peer, job.labels)
    result.unlink()
    facts["runs_s"] = [peer.fraction * run for run in facts["runs_s"]]
    facts["same"] = {"options": bench.shown(same), "median_s": own["median_s"]}
    return {**facts, "fraction": peer.fraction, "agreement": agreement}


def in_memory(bench, job):
    source = bench.folder / job.input
    options = bench.words(job.options)
    own, _ = bench.revoxel(source, options)
    found = {"name": job.name, "what": job.what, "options": bench.shown(options), "revoxel": own, "peers": []}
    for peer in job.peers:
        found["peers"].append(one_peer(peer, job.name, lambda: peer_in_memory(bench, job, peer, source)))
    bench.forget()
    return found


def one_peer(peer, job, measure):
    say(f"{job}: {peer.name}")
    facts = {"name": peer.name, "differs": peer.differs}
    try:
        facts.update(measure())
        facts["median_s"] = statistics.median(facts["runs_s"])
    except Absent as absent:
        facts["skipped"] = str(absent).splitlines()[-1]
    return facts


# From file to file


def timed(bench, command, output=None):
    """Median of several runs of a program. Each starts with no output file and nothing left to be written to the disk."""
    if shutil.which(str(command[0])) is None:
        raise Absent(f"{command[0]} is not installed")

    peaks = []

    def run():
        if output is not None:
            output.unlink(missing_ok=True)
        os.sync()
        facts = json.loads(bench.run([sys.executable, "-I", "-S", HERE / "run_timed.py", *command]))
        if facts["exit_code"] != 0:
            raise SystemExit(f"exit {facts['exit_code']}: {' '.join(map(str, command))}")
        peaks.append(facts["peak_bytes"])
        return facts["wall_s"]

    runs, warmed_up = peer_calls.repeated(run, bench.repeat, bench.budget_s)
    facts = {"runs_s": runs, "warmed_up": warmed_up, "peak_bytes": max(peaks)}
    return {**facts, "median_s": statistics.median(runs)}


def revoxel_file(bench, source, output, options):
    return [bench.programs / "revoxel", "resample", source, output, *options, "--threads", bench.threads, "--quiet"]


def peer_file(bench, job, peer, source):
    output = bench.folder / f"peer-{job.output}"
    if peer.script:
        request = bench.folder / "request.json"
        content = {"input": str(source), "output": str(output), "threads": bench.threads, **peer.arguments}
        request.write_text(json.dumps(content))
        if importlib.util.find_spec({"simpleitk": "SimpleITK", "scipy": "scipy"}[peer.script]) is None:
            raise Absent(f"no module {peer.script}")
        command = [sys.executable, HERE / "peer_calls.py", "file", peer.script, request]
    else:
        command = bench.words(peer.command, input=source, output=output, threads=bench.threads)
    facts = timed(bench, command, output)
    facts["output_bytes"] = output.stat().st_size
    same = bench.words(peer.same, output=output)
    ours = bench.folder / "same.nii"
    bench.run(revoxel_file(bench, source, ours, [*same, "--force"]))
    facts["same"] = {"options": bench.shown(same)}
    facts["agreement"] = compared(voxels_of(ours), voxels_of(output), peer)
    ours.unlink()
    output.unlink()
    return facts


def codec(bench, source, result):
    """ISA-L's own program: decoding the input, then encoding the result in as many parts at once as there are threads
    (Debian's igzip has none of its own), and nothing else."""
    decode = timed(bench, ["igzip", "-d", "-c", source])
    data = np.fromfile(result, np.uint8)
    parts = [bench.folder / f"part-{thread}.bin" for thread in range(bench.threads)]
    for part, content in zip(parts, np.array_split(data, bench.threads)):
        content.tofile(part)
    all_parts = 'for part; do igzip -1 -c "$part" & done; wait'
    encode = timed(bench, ["sh", "-c", all_parts, "sh", *parts])
    for part in parts:
        part.unlink()
    return {"decode_s": decode["median_s"], "encode_s": encode["median_s"]}


def copies(bench, source, result):
    """cp of as many bytes as the job reads and writes, half of them each, and cp of the result."""
    data = result.read_bytes()
    half = bench.folder / "half.bin"
    half.write_bytes(data[: (source.stat().st_size + len(data)) // 2])
    target = bench.folder / "copy.bin"
    found = {
        "same_bytes_s": timed(bench, ["cp", half, target], target)["median_s"],
        "result_s": timed(bench, ["cp", result, target], target)["median_s"],
    }
    half.unlink()
    target.unlink()
    return found


def file_to_file(bench, job):
    source, output = bench.folder / job.input, bench.folder / f"revoxel-{job.output}"
    options = bench.words(job.options)
    own = timed(bench, revoxel_file(bench, source, output, options), output)
    own["output_bytes"] = output.stat().st_size
    found = {"name": job.name, "what": job.what, "options": bench.shown(options), "revoxel": own, "peers": []}
    for peer in job.peers:
        found["peers"].append(one_peer(peer, f"{job.name}, files", lambda: peer_file(bench, job, peer, source)))
    say(f"{job.name}, files: limits")
    try:
        if job.output.endswith(".gz"):
            plain = bench.folder / "plain.nii"
            bench.run(revoxel_file(bench, source, plain, [*options, "--force"]))
            found["codec"] = codec(bench, source, plain)
            plain.unlink()
        else:
            found["copies"] = copies(bench, source, output)
    except Absent as absent:
        found["codec"] = {"skipped": str(absent)}
    output.unlink()
    return found


# Targets


def verdict(target, found):
    """What the target asks for, what was found, and whether that is enough; None where it could not be measured."""
    own = found["revoxel"]
    names = target.peers or tuple(peer["name"] for peer in found["peers"])
    times = {peer["name"]: peer["median_s"] for peer in found["peers"] if peer["name"] in names and "median_s" in peer}
    kind, bound, value, who = target.kind, target.bound, None, ""
    if kind == "faster" and times:
        who = min(times, key=times.get)
        value = times[who] / own["median_s"]
    elif kind == "copy":
        value = own["median_s"] / own["copy_s"]
    elif kind == "codec" and "decode_s" in found["codec"]:
        value = own["median_s"] / (found["codec"]["decode_s"] + found["codec"]["encode_s"])
    elif kind == "cp":
        value = own["median_s"] / found["copies"]["same_bytes_s"]
    elif kind == "peak_mb":
        value = own["peak_bytes"] / 1e6
    elif kind == "memory_share":
        peaks = [peer["peak_bytes"] for peer in found["peers"] if peer["name"] in names and "peak_bytes" in peer]
        value = own["peak_bytes"] / min(peaks) if peaks else None
    met = None if value is None else value >= bound if kind == "faster" else value <= bound
    return {"kind": kind, "bound": bound, "value": value, "peer": who, "of": list(target.peers), "met": met}


# The whole


def say(text):
    print(text, file=sys.stderr, flush=True)


def cpu_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def version_of(*command):
    """The first thing that looks like a version in what a program says; None where it is not installed."""
    if shutil.which(str(command[0])) is None:
        return None
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+\S*", done.stdout + done.stderr)
    return found.group(0) if found else "unknown"


def commit():
    done = subprocess.run(
        ["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown commit"


def machine(bench):
    programs = {name: version_of(name, "--version") for name in ("mrgrid", "plastimatch", "igzip")}
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "revoxel": version_of(bench.programs / "revoxel", "--version"),
        "commit": commit(),
        "threads": bench.threads,
        "repeat": bench.repeat,
        "scale": bench.scale,
        "programs": [f"{name} {version}" for name, version in programs.items() if version],
        "python": f"Python {platform.python_version()}, numpy {np.__version__}, nibabel {nibabel.__version__}",
    }


def measure(bench, todo):
    found = {"machine": machine(bench), "in_memory": [], "files": []}
    for kind, do in (("in_memory", in_memory), ("files", file_to_file)):
        for job in todo[kind]:
            result = do(bench, job)
            result["targets"] = [verdict(target, result) for target in job.targets]
            found[kind].append(result)
    return found


def arguments_of(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default="build/release", help="build folder of a preset")
    parser.add_argument("--folder", type=Path, default="build/bench", help="for inputs and results, 5 GB")
    parser.add_argument("--system-python", type=Path, default="/usr/bin/python3", help="the one with Debian's torch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5, help="runs after the warm-up, of which the median counts")
    parser.add_argument("--budget", type=float, default=120, metavar="SECONDS", help="fewer runs of what takes longer")
    parser.add_argument("--scale", type=int, default=1, help="divide each extent by this, to try the script")
    parser.add_argument("--only", default="", metavar="J1,J4", help="these jobs")
    parser.add_argument("--out", type=Path, required=True, help="FILE.md; the facts go into FILE.json")
    parser.add_argument("--readme", type=Path, help="put the summary between this page's markers")
    parser.add_argument("--from-json", action="store_true", help="measure nothing: write the tables from FILE.json")
    return parser.parse_args(words)


def main(words=None):
    arguments = arguments_of(words)
    facts_file = arguments.out.with_suffix(".json")
    if arguments.from_json:
        found = json.loads(facts_file.read_text())
    else:
        folder = arguments.folder.resolve() / f"scale-{arguments.scale}"
        todo = jobs.chosen(arguments.scale, arguments.only)
        inputs.make(folder, arguments.scale, jobs.inputs_of(todo["in_memory"] + todo["files"]))
        bench = Bench(
            arguments.build.resolve() / "bin", folder, arguments.system_python, arguments.threads, arguments.repeat,
            arguments.budget, arguments.scale,
        )  # fmt: skip
        found = measure(bench, todo)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        facts_file.write_text(json.dumps(found, indent=1) + "\n")
    arguments.out.write_text(peers_report.page(found))
    if arguments.readme:
        body = peers_report.summary(found)
        arguments.readme.write_text(quality.fill_in(arguments.readme.read_text(), "speed", body, "bench/peers.py"))
    return 1 if peers_report.disagreements(found) else 0


if __name__ == "__main__":
    sys.exit(main())
