#!/usr/bin/env python3
"""Measures every kernel with every low-pass and writes the tables and pictures of docs/quality.md.

    python3 bench/quality.py --program build/release/bin/revoxel --out docs

needs numpy, scipy and nibabel (tests/python/requirements.txt), takes about three minutes on two cores, and gives the same
files each time. It replaces what lies between the markers of OUT/quality.md, and writes OUT/quality.csv and two pictures in
OUT/images. It drives the program from its command line, in a temporary folder, on the scans of tests/data.
"""

import argparse
import csv
import math
import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

import measures
import pictures
import theory

DATA = Path(__file__).resolve().parents[1] / "tests/data"
KERNELS = (
    "nearest linear cubic gaussian lanczos2 lanczos3 lanczos4 "
    "sinc-hamming sinc-cosine sinc-welch sinc-blackman sinc-lanczos bspline2 bspline3 bspline4 bspline5"
).split()
LOW_PASSES = "none stretch pillow gaussian aperture skimage mirp supersample".split()  # area goes with no kernel
STEPS = (2, 2.5, 3)
AREA = ("area", "auto")
CT, MR = "ct_abdomen.nii.gz", "t1_head.nii.gz"


def makes_sense(kernel, antialias):
    return kernel != "nearest" or antialias not in ("stretch", "pillow")


PAIRS = [AREA] + [(kernel, mode) for kernel in KERNELS for mode in LOW_PASSES if makes_sense(kernel, mode)]


@dataclass
class Down:
    """One kernel and low-pass at one step; the names are the columns of quality.csv."""

    kernel: str
    antialias: str
    step: float
    response: float
    response_theory: float
    half_response_at: float
    alias_db: float
    error_db: float
    overshoot_percent: float
    noise: float
    plate_alias_db: float
    plate_alias_expected_db: float
    psnr_ct_db: float = math.nan  # at step 2 alone
    psnr_mr_db: float = math.nan
    psnr_plate_db: float = math.nan


@dataclass
class Up:
    """One kernel at a step of 1/2."""

    kernel: str
    at_half: float  # response at half the Nyquist
    at_most: float  # at 0.8 of it
    images_db: float
    error_db: float
    overshoot_percent: float
    noise: float


def down(program, plate, kernel, antialias, step):
    w = measures.weights(program, kernel, antialias, step)
    nyquist = np.array([0.5 / step])
    row = Down(
        kernel=kernel,
        antialias=antialias,
        step=step,
        response=w.mean_response(nyquist)[0],
        response_theory=theory.response(kernel, antialias, step, nyquist)[0],
        half_response_at=measures.half_frequency(w),
        alias_db=measures.alias(w),
        error_db=measures.error(w),
        overshoot_percent=measures.overshoot(w),
        noise=measures.noise(w),
        plate_alias_db=measures.plate_alias(measures.resampled_plates(program, plate, kernel, antialias, step), step),
        plate_alias_expected_db=measures.plate_alias_expected(w),
    )
    if step == 2:
        row.psnr_ct_db = down_and_up(program, DATA / CT, kernel, antialias)
        row.psnr_mr_db = down_and_up(program, DATA / MR, kernel, antialias)
        row.psnr_plate_db = down_and_up(program, plate, kernel, antialias, measures.inner)
    return row


def everything(volume):
    return volume


def down_and_up(program, source, kernel, antialias, part=everything):
    back = measures.down_and_up(program, source, kernel, antialias)
    return measures.psnr(part(back), part(measures.values_of(source)))


def up(program, kernel):
    w = measures.weights(program, kernel, "auto" if kernel == "area" else "none", 0.5)
    at_half, at_most = w.mean_response(np.array([0.25, 0.4]))
    return Up(kernel, at_half, at_most, measures.images(w), measures.error(w), measures.overshoot(w), measures.noise(w))


# Tables


def number(value, digits):
    return "" if math.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


HEAD = ["response", "theory", "1/2 at", "alias dB", "error dB", "overshoot %", "noise", "plate alias dB"]
HEAD += ["PSNR CT", "PSNR MR", "PSNR plate"]


def cells(row):
    return [
        number(row.response, 3),
        number(row.response_theory, 3),
        number(row.half_response_at, 2),
        number(row.alias_db, 1),
        number(row.error_db, 1),
        number(row.overshoot_percent, 1),
        number(row.noise, 3),
        number(row.plate_alias_db, 1),
        number(row.psnr_ct_db, 1),
        number(row.psnr_mr_db, 1),
        number(row.psnr_plate_db, 1),
    ]


CHOICES = [
    ("", "linear", "stretch"),
    ("--interp cubic", "cubic", "stretch"),
    ("--interp lanczos3", "lanczos3", "stretch"),
    ("--interp bspline3", "bspline3", "stretch"),
    ("--interp area", *AREA),
    ("--antialias gaussian", "linear", "gaussian"),
    ("--antialias none", "linear", "none"),
    ("--interp bspline3 --antialias none", "bspline3", "none"),
]


def choices_table(rows):
    head = ["options", "response", "alias dB", "error dB", "overshoot %", "noise", "PSNR CT", "PSNR MR"]
    lines = []
    for options, kernel, mode in CHOICES:
        row = cells(rows[kernel, mode, 2])
        lines.append([f"`{options}`" if options else "(none: the default)", row[0], *row[3:7], *row[8:10]])
    return table(head, lines)


def low_pass_table(rows):
    lines = [[f"`{mode}`"] + cells(rows["linear", mode, 2]) for mode in LOW_PASSES]
    lines.append(["`area`"] + cells(rows[(*AREA, 2)]))
    return table(["low-pass"] + HEAD, lines)


def kernel_table(rows):
    lines = [[f"`{kernel}`"] + cells(rows[kernel, "stretch", 2]) for kernel in KERNELS if kernel != "nearest"]
    lines.insert(0, ["`nearest`, no low-pass"] + cells(rows["nearest", "none", 2]))
    lines.insert(3, ["`area`"] + cells(rows[(*AREA, 2)]))
    return table(["kernel"] + HEAD, lines)


def step_table(rows):
    head = ["low-pass"] + [f"{what}, k = {step}" for what in ("response", "alias dB", "error dB") for step in STEPS]
    lines = []
    for name, key in [(mode, ("linear", mode)) for mode in LOW_PASSES] + [("area", AREA)]:
        at = [rows[(*key, step)] for step in STEPS]
        lines.append(
            [f"`{name}`"]
            + [number(row.response, 3) for row in at]
            + [number(row.alias_db, 1) for row in at]
            + [number(row.error_db, 1) for row in at]
        )
    return table(head, lines)


def matrix(rows, name, digits):
    """All kernels by all low-passes at k = 2."""
    lines = []
    for kernel in KERNELS:
        line = [number(getattr(rows[kernel, m, 2], name), digits) if makes_sense(kernel, m) else "" for m in LOW_PASSES]
        lines.append([f"`{kernel}`"] + line)
    area = number(getattr(rows[(*AREA, 2)], name), digits)
    return table(["kernel"] + LOW_PASSES, lines) + f"\n\n`area`: {area}"


PREDICTIONS = [  # total error in dB and overshoot in percent at k = 2, computed before there was a program
    ("lanczos3", "stretch", -33.7, 7),
    ("cubic", "stretch", -31.6, 4),
    (*AREA, -29.6, 0),
    ("linear", "gaussian", -29.1, 0),
    ("linear", "stretch", -28.5, 0),
    ("linear", "skimage", -28.2, 0),
    ("linear", "none", -24.0, 0),
]


def predicted_error(kernel, antialias):
    low, high = measures.frequencies(2)
    total = measures.integral(1.0, low) + measures.integral(1.0, high)
    lost = measures.integral((theory.low_pass_alone(kernel, antialias, 2, low) - 1) ** 2, low)
    through = measures.integral(theory.low_pass_alone(kernel, antialias, 2, high) ** 2, high)
    return measures.decibel((lost + through) / total)


def prediction_table(program, rows):
    """At voxel centres the linear kernel reads one voxel, so a low-pass in two steps is seen alone."""
    head = ["kernel, low-pass", "predicted dB", "formula", "program, low-pass alone", "all positions"]
    head += ["predicted overshoot %", "k = 2", "k = 3", "k = 12"]
    lines = []
    for kernel, mode, error, overshoot in PREDICTIONS:
        w = measures.weights(program, kernel, mode, 2, at=[0] if two_steps(mode) else None)
        errors = [error, predicted_error(kernel, mode), measures.error(w), rows[kernel, mode, 2].error_db]
        overshoots = [rows[kernel, mode, k].overshoot_percent for k in (2, 3)]
        overshoots.append(measures.overshoot(measures.weights(program, kernel, mode, 12)))
        name = f"`{kernel}`" if (kernel, mode) == AREA else f"`{kernel}`, `{mode}`"
        lines.append([name] + [number(v, 1) for v in errors] + [str(overshoot)] + [number(v, 1) for v in overshoots])
    return table(head, lines)


def two_steps(antialias):
    """The kernel interpolates what a low-pass has left, or all."""
    return antialias in ("none", "gaussian", "aperture", "skimage", "mirp")


def up_table(rows):
    head = ["kernel", "response at 1/2 Nyquist", "at 0.8 Nyquist", "images dB", "error dB", "overshoot %", "noise"]
    return table(
        head,
        [
            [
                f"`{row.kernel}`",
                number(row.at_half, 3),
                number(row.at_most, 3),
                number(row.images_db, 1),
                number(row.error_db, 1),
                number(row.overshoot_percent, 1),
                number(row.noise, 3),
            ]
            for row in rows
        ],
    )


def ceilings():
    """What is left of the scans when frequencies above the new Nyquist are removed and nothing else."""
    plate = measures.zone_plate()
    values = {name: measures.values_of(DATA / file) for name, file in (("CT", CT), ("MR", MR))}
    found = {name: measures.psnr(measures.brick_wall(volume), volume) for name, volume in values.items()}
    found["zone plate"] = measures.psnr(measures.inner(measures.brick_wall(plate)), measures.inner(plate))
    return found


def agreement(rows):
    lines = []
    for step in STEPS:
        at = [row for row in rows.values() if row.step == step]
        worst = max(at, key=lambda row: abs(row.response - row.response_theory))
        plate = max(at, key=lambda row: abs(row.plate_alias_db - row.plate_alias_expected_db))
        lines.append(
            [
                str(step),
                number(worst.response - worst.response_theory, 4),
                f"`{worst.kernel}`, `{worst.antialias}`",
                number(plate.plate_alias_db - plate.plate_alias_expected_db, 2),
                f"`{plate.kernel}`, `{plate.antialias}`",
            ]
        )
    head = ["k", "response - theory, largest", "of", "plate alias - expected from the weights (dB), largest", "of"]
    return table(head, lines)


# Pictures


def plate_sheet(program, plate):
    """The zone plate at 2.5 with each low-pass, linear kernel; the right lower quarter, where x and y grow."""
    original = measures.inner(measures.values_of(plate))[:, :, 0]
    panels = [("input", pictures.grey(quarter(original), 0, 1))]
    for mode in LOW_PASSES[:5] + ["area"] + LOW_PASSES[5:]:
        kernel, antialias = AREA if mode == "area" else ("linear", mode)
        values = measures.resampled_plates(program, plate, kernel, antialias, 2.5)[0]
        panels.append((mode, pictures.grey(quarter(values), 0, 1)))
    return pictures.contact_sheet(panels, columns=5, side=360)


def quarter(plate):
    return plate[plate.shape[0] // 2 :, plate.shape[1] // 2 :].T


CT_SLICE, CT_WINDOW = 14, (-160, 240)
CT_CORNER, CT_SIDE = (6, 8), 32  # the part shown, in output voxels
CT_PANELS = [("linear", "none"), ("linear", "stretch"), AREA, ("lanczos3", "stretch")]


def ct_sheet(program):
    """A slice at 2.5 times the spacing in plane, in HU."""
    source, step = DATA / CT, 2.5

    def part(volume, scale):
        x, y = (slice(int(a * scale), int((a + CT_SIDE) * scale)) for a in CT_CORNER)
        # The scan is RAS: anterior up, the patient's right on the left.
        return pictures.grey(volume[x, y, CT_SLICE].T[::-1, ::-1], *CT_WINDOW)

    panels = [("input", part(measures.values_of(source), step))]
    spacing = [step * s for s in nib.load(source).header.get_zooms()[:2]]
    for kernel, mode in CT_PANELS:
        options = ["--spacing", *spacing, 0, "--interp", kernel, "--antialias", mode]
        label = kernel if (kernel, mode) == AREA else f"{kernel} {mode}"
        panels.append((label, part(measures.read(program.resample(source, *options)), 1)))
    return pictures.contact_sheet(panels, columns=5, side=320)


# Files


def fill_in(text, name, body, by="bench/quality.py"):
    """The text between the markers of `name`, replaced."""
    begin, end = f"<!-- {name}: written by {by} -->", f"<!-- end of {name} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise SystemExit(f"the page must have once: {begin} ... {end}")
    return pattern.sub(lambda _: f"{begin}\n{body}\n{end}", text)


def write_csv(path, rows):
    digits = {"step": 1, "response": 4, "response_theory": 4, "half_response_at": 3, "noise": 4}
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(asdict(rows[0]))
        for row in rows:
            values = asdict(row).items()
            writer.writerow([v if isinstance(v, str) else number(float(v), digits.get(name, 2)) for name, v in values])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, required=True, help="revoxel")
    parser.add_argument("--out", type=Path, required=True, help="the folder of quality.md")
    arguments = parser.parse_args()
    page = arguments.out / "quality.md"
    text = page.read_text()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        program = measures.Program(arguments.program.resolve(), Path(folder))
        plate = measures.write(program.file(), measures.zone_plate(), np.eye(4))
        jobs = [(kernel, mode, step) for step in STEPS for kernel, mode in PAIRS]
        rows = dict(zip(jobs, pool.map(lambda job: down(program, plate, *job), jobs)))
        ups = list(pool.map(lambda kernel: up(program, kernel), [*KERNELS[:3], "area", *KERNELS[3:]]))
        predictions = prediction_table(program, rows)
        sheets = {"quality_zone_plate.png": plate_sheet(program, plate), "quality_ct.png": ct_sheet(program)}
    best = ", ".join(f"{name} {number(value, 1)} dB" for name, value in ceilings().items())
    for name, body in {
        "choices": choices_table(rows),
        "low-passes": low_pass_table(rows),
        "kernels": kernel_table(rows),
        "ceilings": f"Brick wall: {best}.",
        "steps": step_table(rows),
        "up-sampling": up_table(ups),
        "response": matrix(rows, "response", 3),
        "alias": matrix(rows, "alias_db", 1),
        "error": matrix(rows, "error_db", 1),
        "overshoot": matrix(rows, "overshoot_percent", 1),
        "noise": matrix(rows, "noise", 3),
        "agreement": agreement(rows),
        "predictions": predictions,
    }.items():
        text = fill_in(text, name, body)
    page.write_text(text)
    write_csv(arguments.out / "quality.csv", list(rows.values()))
    (arguments.out / "images").mkdir(exist_ok=True)
    for name, sheet in sheets.items():
        pictures.write_png(arguments.out / "images" / name, sheet)


if __name__ == "__main__":
    main()
