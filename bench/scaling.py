#!/usr/bin/env python3
"""Time per voxel over the size of the volume, and over the taps of the kernel, for one thread and for several.

    python3 bench/scaling.py --build build/release

needs numpy, nibabel and a build with the targets bench_in_memory and revoxel_cli. Sizes are those of the output, an int16
cube that is up-sampled by 5/4 along each axis with the linear kernel; 1024 takes 7 GB of memory and 4 GB on the disk.
Kernels are taken on one size. It prints two tables in Markdown and says where the time per voxel leaves 20 % of the median
over the sizes. Nothing else should run meanwhile.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np

from quality import table

SIZES = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
THREADS = (1, 2)
KERNELS = (
    ("linear",),
    ("cubic",),
    ("lanczos3",),
    ("lanczos4",),
    ("sinc-lanczos", "--radius", "5"),
    ("sinc-lanczos", "--radius", "6"),
    ("sinc-lanczos", "--radius", "7"),
    ("sinc-lanczos", "--radius", "8"),
    ("bspline2",),
    ("bspline3",),
    ("bspline4",),
    ("bspline5",),
)
FLAT = 0.2  # of the median
VOXELS_PER_MEASUREMENT = 2e8  # small volumes are run more often


def cube(folder, size):
    """int16 noise of which a few slices repeat: the values do not matter, and they are written slice by slice."""
    path = folder / f"noise{size}.nii"
    if path.exists():
        return path
    slices = np.random.default_rng(3).integers(-1000, 1000, (8, size, size), dtype=np.int16)
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((size,) * 3)
    header.set_sform(np.eye(4), 1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    with open(path, "wb") as file:
        file.write(header.binaryblock + bytes(4))
        for k in range(size):
            file.write(slices[k % len(slices)].tobytes())
    return path


def options(size, kernel):
    return ["--size", *[str(size)] * 3, "--interp", *kernel]


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"exit {done.returncode}: {' '.join(map(str, command))}\n{done.stderr}")
    return json.loads(done.stdout)


def measured(programs, source, size, kernel, threads, repeat):
    """Facts of bench_in_memory, with ns per voxel of the output and the share of the speed of a copy."""
    result = source.with_name("scaled.nii")
    runs = max(repeat, int(VOXELS_PER_MEASUREMENT / size**3))
    command = [programs / "bench_in_memory", runs, "resample", source, result, *options(size, kernel)]
    facts = run([*command, "--threads", threads, "--force"])
    result.unlink()
    facts["ns"] = 1e9 * facts["median_s"] / size**3
    facts["copy_share"] = facts["copy_s"] / facts["median_s"]
    return facts


def taps(programs, source, size, kernel):
    """The most taps of a row, along the axis that has most."""
    command = [programs / "revoxel", "resample", source, *options(size, kernel), "--dry-run", "--explain", "--json"]
    return max(map(int, re.findall(r"at most (\d+) taps", run(command)["plan"])))


def sizes_table(found, threads):
    head = ["size"]
    for n in threads:
        head += [f"ns per voxel, {n} thread{'s' if n > 1 else ''}", "against the median", "of copy speed"]
    medians = {n: statistics.median(row[n]["ns"] for row in found.values()) for n in threads}
    rows, outside = [], []
    for size, row in found.items():
        line = [f"{size}^3"]
        for n in threads:
            change = row[n]["ns"] / medians[n] - 1
            if abs(change) > FLAT:
                outside.append(f"{size}^3 with {n} thread{'s' if n > 1 else ''}: {100 * change:+.0f} %")
            line += [f"{row[n]['ns']:.3f}", f"{100 * change:+.0f} %", f"{100 * row[n]['copy_share']:.0f} %"]
        rows.append(line)
    return table(head, rows), outside


def taps_table(found, threads):
    head = ["kernel", "taps per axis"]
    for n in threads:
        head += [f"ns per voxel, {n} thread{'s' if n > 1 else ''}", "per tap"]
    rows = []
    for kernel, count, row in found:
        line = [kernel, str(count)]
        for n in threads:
            line += [f"{row[n]['ns']:.3f}", f"{row[n]['ns'] / count:.3f}"]
        rows.append(line)
    return table(head, rows)


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default="build/release", help="build folder of a preset")
    parser.add_argument("--folder", type=Path, default="build/bench/scaling", help="for inputs and results")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--threads", type=int, nargs="+", default=THREADS)
    parser.add_argument("--taps-size", type=int, default=320, help="size of the output for the kernels")
    parser.add_argument("--repeat", type=int, default=5, help="at least so many runs after a warm-up")
    arguments = parser.parse_args(words)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    programs, threads = arguments.build / "bin", arguments.threads

    def of(size, kernel):
        source = cube(arguments.folder, size * 4 // 5)
        row = {n: measured(programs, source, size, kernel, n, arguments.repeat) for n in threads}
        return source, row

    by_size = {}
    for size in arguments.sizes:
        source, by_size[size] = of(size, ("linear",))
        source.unlink()
    text, outside = sizes_table(by_size, threads)
    print(f"{text}\n\nTime per voxel leaves 20 % of the median: {', '.join(outside) or 'nowhere'}\n", flush=True)

    by_taps = []
    for kernel in KERNELS:
        source, row = of(arguments.taps_size, kernel)
        by_taps.append((" ".join(kernel), taps(programs, source, arguments.taps_size, kernel), row))
    source.unlink()
    print(f"{taps_table(sorted(by_taps, key=lambda entry: entry[1]), threads)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
