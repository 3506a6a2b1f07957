#!/usr/bin/env python3
"""Counts the instructions of J1 to J6 on small volumes, which do not depend on what else the machine does.

    python3 bench/callgrind.py --build build/release             compares with bench/results/instructions.tsv
    python3 bench/callgrind.py --build build/release --update    writes it

needs numpy, nibabel, valgrind, a build with the target bench_in_memory, and the scans (REVOXEL_TEST_SHARED_DATA). One
thread. The counts are those of one run alone: the program is counted with one run more and without, and the difference
is taken. valgrind 3.19 knows no AVX-512, so the instruction sets are portable and v3 (AVX2). Another compiler makes other
counts, so the table names its own. Exit code 1: a count is more than 3 % above the table's, or is not in it.
"""

import argparse
import csv
import math
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel

import inputs
import jobs
from quality import table

TABLE = Path(__file__).resolve().parent / "results/instructions.tsv"
ISAS = ("portable", "v3")
ALLOWED = 0.03
SCALE = 8  # what each extent is divided by


def count(program, isa, folder, job, runs):
    """Instructions of the whole program with a warm-up and so many runs, and the voxels of the result."""
    result = folder / f"{job.name}-{isa}-{runs}.nii".replace(" ", "-")
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, "--runs-only", runs]
    command += ["resample", folder / job.input, result, *jobs.filled(job.options, folder=folder), "--threads", 1, "--force"]
    environment = {**os.environ, "REVOXEL_ISA": isa}
    done = subprocess.run([str(w) for w in command], capture_output=True, text=True, env=environment, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        raise SystemExit(f"exit {done.returncode}: {' '.join(map(str, command))}\n{done.stderr}")
    if isa not in re.search(r'"executor": "(.*)"', done.stdout).group(1):
        raise SystemExit(f"REVOXEL_ISA={isa} was asked for, and another set ran:\n{done.stdout}")
    voxels = math.prod(nibabel.load(result).shape)
    result.unlink()
    return int(found.group(1)), voxels


def instructions(program, isa, folder, job):
    """Instructions of one run, and per voxel of the result."""
    once, voxels = count(program, isa, folder, job, 1)
    thrice, _ = count(program, isa, folder, job, 3)
    one = (thrice - once) // 2
    return {"job": job.name, "isa": isa, "instructions": one, "per_voxel": f"{one / voxels:.2f}"}


def compiler_of(build):
    """Name and version of the compiler that this build folder uses."""
    found = list(build.glob("CMakeFiles/*/CMakeCXXCompiler.cmake"))
    text = found[0].read_text() if found else ""
    parts = [re.search(rf'CMAKE_CXX_COMPILER_{key} "([^"]*)"', text) for key in ("ID", "VERSION")]
    return " ".join(part.group(1) for part in parts if part) or "unknown"


def read(path):
    """The compiler of the table, and its rows by job and instruction set."""
    if not path.exists():
        return "none", {}
    with open(path, newline="") as file:
        compiler = file.readline().partition(": ")[2].strip()
        return compiler, {(row["job"], row["isa"]): row for row in csv.DictReader(file, delimiter="\t")}


def write(path, compiler, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        file.write(f"# written by bench/callgrind.py --update; compiler: {compiler}\n")
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def compare(rows, kept):
    """A line of the printed table for each row, and those that are worse than allowed or unknown."""
    lines, worse = [], []
    for row in rows:
        line = [row["job"], row["isa"], f"{row['instructions']:,}", row["per_voxel"]]
        before = kept.get((row["job"], row["isa"]))
        if before is None:
            lines.append([*line, "not in the table"])
            worse.append(line)
            continue
        change = row["instructions"] / int(before["instructions"]) - 1
        if change > ALLOWED:
            worse.append(line)
        lines.append([*line, f"{100 * change:+.2f} %" + (" WORSE" if change > ALLOWED else "")])
    return lines, worse


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default="build/release", help="build folder of a preset")
    parser.add_argument("--folder", type=Path, default="build/bench", help="for inputs and results")
    parser.add_argument("--only", default="", metavar="J1,J4", help="these jobs")
    parser.add_argument("--table", type=Path, default=TABLE, help="what is compared with or written")
    parser.add_argument("--update", action="store_true", help="write the table")
    arguments = parser.parse_args(words)
    if arguments.update and arguments.only:
        parser.error("--update writes the whole table, so it takes all jobs")
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed (Debian package valgrind)")
    chosen = [job for job in jobs.chosen(SCALE, arguments.only)["in_memory"] if job.name != "J7"]
    folder = inputs.make(arguments.folder.resolve() / f"scale-{SCALE}", SCALE, jobs.inputs_of(chosen))
    program, compiler = arguments.build / "bin/bench_in_memory", compiler_of(arguments.build)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        pairs = [(job, isa) for job in chosen for isa in ISAS]
        rows = list(pool.map(lambda pair: instructions(program, pair[1], folder, pair[0]), pairs))
    kept_compiler, kept = read(arguments.table)
    if compiler != kept_compiler:
        print(f"the table is of compiler {kept_compiler}, this build of {compiler}")
    lines, worse = compare(rows, kept)
    print(table(["job", "instruction set", "instructions", "per voxel", "against the table"], lines))
    if arguments.update:
        write(arguments.table, compiler, rows)
        return 0
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
