#!/usr/bin/env python3
"""What each CUDA kernel takes of a multiprocessor, as ptxas says, against the table .ci/ptxas.tsv.

    .ci/ptxas.py --check     builds, and prints a line for each violation; exit code 1 then
    .ci/ptxas.py --update    builds, and writes the table; keeps what its column `why` says
    .ci/ptxas.py --check --architectures 75,80,86,90,120

A violation is: a spill anywhere; a stack frame without a reason in the column `why`, or larger than the table's; more
than 4 registers (half of what hardware hands out at once) above the table's; a kernel that is in the table or in the
build alone. Fewer registers are asked to be written down and fail nothing. --check without --architectures is for those
of the table. The build is that of the preset `ptxas`, whose compiler launcher is this script: `.ci/ptxas.py record
COMMAND...` runs the command and keeps what ptxas says beside the object, so that what is up to date is not compiled again.
"""

import argparse
import csv
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / ".ci/ptxas.tsv"
ARCHITECTURES = (75, 90)
SLACK = 4
COLUMNS = ("kernel", "architecture", "registers", "shared_bytes", "stack_bytes", "spill_bytes", "why")
SAYS_PTXAS = re.compile(r"ptxas info|\s+\d+ bytes stack frame")


def record(command):
    """Runs a compiler, with ptxas talking, and keeps what it says in OBJECT.ptxas."""
    said = Path(command[command.index("-o") + 1] + ".ptxas")
    said.unlink(missing_ok=True)
    done = subprocess.run([*command, "-Xptxas=-v"], stderr=subprocess.PIPE, text=True, check=False)
    lines = done.stderr.splitlines(keepends=True)
    sys.stderr.writelines(line for line in lines if not SAYS_PTXAS.match(line))
    if done.returncode == 0:
        said.write_text("".join(line for line in lines if SAYS_PTXAS.match(line)))
    return done.returncode


def demangled(names):
    done = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True)
    return dict(zip(names, done.stdout.splitlines()))


def short_name(name):
    """`void revoxel::cuda::_GLOBAL__N__1_march::march_kernel<float, 4>(...)`: march_kernel<float, 4>"""
    name = re.sub(r"\b(revoxel::|cuda::|_GLOBAL__N_\w*::)|\(anonymous namespace\)::", "", name.removeprefix("void "))
    depth = 0
    for at, letter in enumerate(name):
        depth += (letter == "<") - (letter == ">")
        if letter == "(" and depth == 0:
            return name[:at]
    return name


def parsed(text):
    """The rows of what ptxas said. What a kernel calls without inlining counts as its own."""
    rows = []
    for line in text.splitlines():
        if found := re.search(r"Compiling entry function '(\w+)' for 'sm_(\d+)\w*'", line):
            rows.append({"kernel": found[1], "architecture": int(found[2]), "registers": 0, "shared_bytes": 0,
                         "stack_bytes": 0, "spill_bytes": 0, "why": ""})  # fmt: skip
        elif found := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            rows[-1]["stack_bytes"] = max(rows[-1]["stack_bytes"], int(found[1]))
            rows[-1]["spill_bytes"] += int(found[2]) + int(found[3])
        elif found := re.search(r"Used (\d+) registers", line):
            rows[-1]["registers"] = int(found[1])
            if shared := re.search(r"(\d+) bytes smem", line):
                rows[-1]["shared_bytes"] = int(shared[1])
    names = demangled([row["kernel"] for row in rows])
    rows = [{**row, "kernel": short_name(names[row["kernel"]])} for row in rows]
    return [row for row in rows if not row["kernel"].startswith("cub::")]  # not ours to bound; the toolkit names them


def key(row):
    return row["kernel"], row["architecture"]


def built(folder):
    """The rows of every kernel in a build folder."""
    rows = []
    for compiled in sorted(folder.glob("cuda/**/*.cu.o")):
        said = Path(f"{compiled}.ptxas")
        if not said.exists():
            raise SystemExit(f"{said} is missing: {compiled.name} was not compiled by the preset ptxas; remove {folder}")
        rows += parsed(said.read_text())
    if not rows:
        raise SystemExit(f"no kernel was found in {folder}/cuda")
    rows.sort(key=key)
    for row, following in zip(rows, rows[1:]):
        if key(row) == key(following):
            raise SystemExit(f"two kernels are called {row['kernel']}")
    return rows


def read(path):
    """The toolkit of the table, and its rows."""
    if not path.exists():
        raise SystemExit(f"{path} is missing; .ci/ptxas.py --update writes it")
    with open(path, newline="") as file:
        toolkit = file.readline().partition(": ")[2].strip()
        rows = list(csv.DictReader(file, delimiter="\t"))
    return toolkit, [{c: row[c] if c in ("kernel", "why") else int(row[c]) for c in COLUMNS} for row in rows]


def write(path, toolkit, rows, kept):
    why = {key(row): row["why"] for row in kept}
    with open(path, "w", newline="") as file:
        file.write(f"# written by .ci/ptxas.py --update; toolkit: {toolkit}\n")
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "why": why.get(key(row), "")} for row in rows)


def compare(rows, kept):
    """Violations, and what is better than the table; a line each. Of the table only the architectures of `rows` count."""
    bad, better = [], []
    allowed = {key(row): row for row in kept}
    there = {key(row) for row in rows}
    architectures = {row["architecture"] for row in rows}
    for row in rows:
        name, limit = f"{row['kernel']} for sm_{row['architecture']}", allowed.get(key(row))
        if row["spill_bytes"] > 0:
            bad.append(f"{name}: spills {row['spill_bytes']} bytes (stores and loads); a kernel may not spill")
        if limit is None:
            bad.append(f"{name}: is not in the table; --update writes it there")
            continue
        if row["stack_bytes"] > 0 and not limit["why"]:
            bad.append(f"{name}: a stack frame of {row['stack_bytes']} bytes, and the table does not say why")
        elif row["stack_bytes"] > limit["stack_bytes"]:
            bad.append(f"{name}: a stack frame of {row['stack_bytes']} bytes, the table allows {limit['stack_bytes']}")
        if row["shared_bytes"] > limit["shared_bytes"]:
            bad.append(f"{name}: {row['shared_bytes']} bytes of static shared memory, the table has {limit['shared_bytes']}")
        if row["registers"] > limit["registers"] + SLACK:
            bad.append(f"{name}: {row['registers']} registers, the table has {limit['registers']}")
        elif row["registers"] < limit["registers"]:
            better.append(f"{name}: {row['registers']} registers, fewer than the table's {limit['registers']}; --update")
    gone = [row for row in kept if row["architecture"] in architectures and key(row) not in there]
    bad += [f"{row['kernel']} for sm_{row['architecture']}: is in the table and not in the build; --update" for row in gone]
    return bad, better


def build(folder, architectures):
    """Configures and builds the CUDA side. Returns the toolkit's version."""
    of = ";".join(f"{a}-real" for a in architectures)
    configure = ["cmake", "--preset", "ptxas", "-B", folder, f"-DCMAKE_CUDA_ARCHITECTURES={of}"]
    for command in (configure, ["cmake", "--build", folder, "--target", "revoxel_cuda", "--", "--quiet"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{done.stdout}{done.stderr}exit {done.returncode}: {' '.join(map(str, command))}")
    found = list(folder.glob("CMakeFiles/*/CMakeCUDACompiler.cmake"))
    return re.search(r'CMAKE_CUDA_COMPILER_VERSION "([^"]*)"', found[0].read_text())[1]


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="compare with the table")
    action.add_argument("--update", action="store_true", help="write the table")
    parser.add_argument("--architectures", metavar="75,90", help="compute capabilities without the point")
    parser.add_argument("--build", type=Path, default=ROOT / "build/ptxas", help="build folder")
    parser.add_argument("--table", type=Path, default=TABLE, help="what is compared with or written")
    arguments = parser.parse_args(words)
    kept_toolkit, kept = read(arguments.table) if arguments.check or arguments.table.exists() else ("none", [])
    if arguments.architectures:
        architectures = [int(a) for a in arguments.architectures.split(",")]
    else:
        architectures = sorted({row["architecture"] for row in kept}) or ARCHITECTURES
    toolkit = build(arguments.build.resolve(), architectures)
    rows = built(arguments.build)
    if arguments.update:
        write(arguments.table, toolkit, rows, kept)
        _, kept = read(arguments.table)
    elif toolkit != kept_toolkit:
        print(f"the table is of toolkit {kept_toolkit}, this build of {toolkit}")
    bad, better = compare(rows, kept)
    print(*better, *bad, f"{len(rows)} kernels, {len(bad)} violations", sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(record(sys.argv[2:]) if sys.argv[1:2] == ["record"] else main())
