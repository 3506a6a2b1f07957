"""bench/quality.py: what it measures on the program is what theory says and what docs/quality.csv holds."""

import csv
import math
import struct
import sys
import zlib

import numpy as np
import pytest

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "bench"))
import measures  # noqa: E402
import pictures  # noqa: E402
import quality  # noqa: E402
import theory  # noqa: E402

PAIRS = [("linear", "stretch"), ("lanczos3", "stretch"), ("linear", "gaussian"), ("bspline3", "none"), ("area", "auto")]


@pytest.fixture(scope="module")
def measured(program, tmp_path_factory):
    return measures.Program(program, tmp_path_factory.mktemp("quality"))


@pytest.fixture(scope="module")
def plate(measured):
    return measures.write(measured.file(), measures.zone_plate(), np.eye(4))


@pytest.mark.parametrize("step", quality.STEPS)
@pytest.mark.parametrize("kernel, antialias", PAIRS)
def test_response_is_that_of_the_formula(kernel, antialias, step, measured):
    w = measures.weights(measured, kernel, antialias, step)
    f = np.array([0.1, 0.25, 0.5, 0.75, 1.0]) * 0.5 / step
    # Weights are normalised at each position, which the formula's kernels are not: that makes up to 3e-4.
    assert np.abs(w.mean_response(f) - theory.response(kernel, antialias, step, f)).max() < 5e-4


@pytest.mark.parametrize(
    "kernel, antialias, response, error, overshoot, noise",
    [
        # sinc^2(1/2); a positive kernel; the integral of (1 - |x|)^2 is 2/3, over k
        ("linear", "stretch", 4 / math.pi**2, -28.4, 0, math.sqrt(1 / 3)),
        # sinc^2(1/4); the mean of (1 - x)^2 + x^2 over [0, 1] is 2/3
        ("linear", "none", 8 / math.pi**2, None, 0, math.sqrt(2 / 3)),
        ("cubic", "stretch", 0.493, -31.6, 4.8, None),
        ("lanczos3", "stretch", 0.502, -33.7, 8.2, None),
    ],
)
def test_known_values_at_step_2(kernel, antialias, response, error, overshoot, noise, measured):
    w = measures.weights(measured, kernel, antialias, 2)
    assert w.mean_response(np.array([0.25]))[0] == pytest.approx(response, abs=5e-4)
    assert measures.overshoot(w) == pytest.approx(overshoot, abs=0.1)
    if error is not None:
        assert measures.error(w) == pytest.approx(error, abs=0.1)
    if noise is not None:
        assert measures.noise(w) == pytest.approx(noise, abs=1e-6)


def test_zone_plate_has_the_alias_that_the_weights_predict(measured, plate):
    for kernel, antialias in PAIRS:
        w = measures.weights(measured, kernel, antialias, 2)
        alias = measures.plate_alias(measures.resampled_plates(measured, plate, kernel, antialias, 2), 2)
        assert alias == pytest.approx(measures.plate_alias_expected(w), abs=0.5), (kernel, antialias)


@pytest.mark.parametrize("kernel, antialias, step", [("linear", "stretch", 2), ("bspline3", "none", 2.5)])
def test_the_page_holds_what_the_program_does(kernel, antialias, step, measured, plate):
    with open(REPOSITORY / "docs/quality.csv", newline="") as file:
        kept = {(r["kernel"], r["antialias"], float(r["step"])): r for r in csv.DictReader(file)}
    assert len(kept) == len(quality.PAIRS) * len(quality.STEPS)
    row = quality.down(measured, plate, kernel, antialias, step)
    for name, text in kept[kernel, antialias, step].items():
        value = getattr(row, name)
        if isinstance(value, str):
            assert text == value
        elif text == "":
            assert math.isnan(value), name
        else:
            last_digit = 10.0 ** -len(text.partition(".")[2])
            assert value == pytest.approx(float(text), abs=0.6 * last_digit), name


def test_tables_go_between_their_markers():
    text = "before\n<!-- a: written by bench/quality.py -->\nold\n<!-- end of a -->\nafter\n"
    once = quality.fill_in(text, "a", "new \\1")
    assert once == text.replace("old", "new \\1")
    assert quality.fill_in(once, "a", "new \\1") == once
    with pytest.raises(SystemExit, match="must have once"):
        quality.fill_in(text, "b", "new")


def test_png_holds_the_picture(tmp_path):
    sheet = pictures.contact_sheet([("a 1", np.arange(12, dtype=np.uint8).reshape(3, 4))] * 3, columns=2, side=40)
    pictures.write_png(tmp_path / "sheet.png", sheet)
    data, at, body = (tmp_path / "sheet.png").read_bytes(), 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        chunk = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + chunk)
        if kind == b"IHDR":
            assert struct.unpack(">II", chunk[:8]) == sheet.shape[::-1]
        body += chunk if kind == b"IDAT" else b""
        at += 12 + length
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(sheet.shape[0], -1)
    assert (rows[:, 0] == 2).all()
    assert np.array_equal(np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8), sheet)
