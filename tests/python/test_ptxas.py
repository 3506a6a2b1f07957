""".ci/ptxas.py on what ptxas of CUDA 13.0 said: what it reads, what it refuses, and how its table is kept."""

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / ".ci"))
import ptxas  # noqa: E402

SAID = (Path(__file__).parent / "ptxas/sm_90.txt").read_text()


def row(**change):
    usual = {"kernel": "a_kernel<float>", "architecture": 90, "registers": 40, "shared_bytes": 0, "stack_bytes": 0}
    return {**usual, "spill_bytes": 0, "why": "", **change}


def test_what_ptxas_said_is_read():
    rows = ptxas.parsed(SAID)
    assert [tuple(r.values()) for r in rows] == [
        ("gather_kernel<double, (Only)3>", 90, 80, 0, 720, 568, ""),
        ("gather_kernel<double, (Only)2>", 90, 74, 0, 0, 0, ""),
        ("march_kernel<float, 1>", 90, 48, 0, 24, 72, ""),
    ]
    assert tuple(rows[0]) == ptxas.COLUMNS
    shared = ptxas.parsed(SAID.replace("used 1 barriers", "used 1 barriers, 2048 bytes smem, 400 bytes cmem[0]"))
    assert [r["shared_bytes"] for r in shared] == [0, 0, 2048]


def test_a_function_that_is_called_counts_as_its_kernels():
    called = "ptxas info    : Function properties for helper\n    48 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads\n"
    rows = ptxas.parsed(SAID + called)
    assert (rows[-1]["stack_bytes"], rows[-1]["spill_bytes"]) == (48, 72 + 12)


def test_names_are_short():
    spaces = "revoxel::cuda::(anonymous namespace)::"
    assert ptxas.short_name(f"void {spaces}k<double, ({spaces}Only)3>({spaces}Job<double>)") == "k<double, (Only)3>"
    assert ptxas.short_name(f"{spaces}k({spaces}Box, double)") == "k"


@pytest.mark.parametrize(
    "change, limit, said",
    [
        ({"spill_bytes": 4}, {"spill_bytes": 4}, "spills 4 bytes"),
        ({"stack_bytes": 8}, {"stack_bytes": 8}, "does not say why"),
        ({"stack_bytes": 16}, {"stack_bytes": 8, "why": "an array by index"}, "the table allows 8"),
        ({"shared_bytes": 8}, {}, "8 bytes of static shared memory"),
        ({"registers": 45}, {}, "45 registers, the table has 40"),
        ({"kernel": "b_kernel"}, {"kernel": "b_kernel", "architecture": 75}, "is not in the table"),
    ],
)
def test_violations(change, limit, said):
    bad, better = ptxas.compare([row(**change)], [row(**limit)])
    assert len(bad) == 1 and said in bad[0] and "sm_90" in bad[0]
    assert better == []


def test_what_is_allowed():
    assert ptxas.compare([row(registers=44)], [row()]) == ([], [])
    kept = [row(stack_bytes=8, why="an array by index"), row(architecture=75)]
    assert ptxas.compare([row(stack_bytes=8)], kept) == ([], [])
    bad, better = ptxas.compare([row(registers=39)], [row()])
    assert bad == [] and "fewer than the table's 40" in better[0]


def test_a_kernel_that_is_gone_is_told():
    bad, _ = ptxas.compare([row()], [row(), row(kernel="old_kernel"), row(kernel="old_kernel", architecture=75)])
    assert bad == ["old_kernel for sm_90: is in the table and not in the build; --update"]


def test_the_table_keeps_its_reasons(tmp_path):
    table = tmp_path / "table.tsv"
    with pytest.raises(SystemExit, match="--update writes it"):
        ptxas.read(table)
    ptxas.write(table, "13.0", [row(stack_bytes=8), row(kernel="b_kernel")], [row(why="an array by index")])
    toolkit, kept = ptxas.read(table)
    assert toolkit == "13.0"
    assert kept == [row(stack_bytes=8, why="an array by index"), row(kernel="b_kernel")]


def fake_compiler(folder, code=0):
    """Says what ptxas said, and a warning; writes down its arguments."""
    (folder / "said").write_text(f"x.cu(1): warning: unused\n{SAID}")
    compiler = folder / "nvcc"
    compiler.write_text(f'#!/bin/sh\ncd "$(dirname "$0")"\necho "$*" >words\ncat said >&2\nexit {code}\n')
    compiler.chmod(0o755)
    return compiler


def test_the_launcher_keeps_what_ptxas_says(tmp_path):
    (tmp_path / "cuda").mkdir()
    compiled = tmp_path / "cuda/x.cu.o"
    command = [sys.executable, REPOSITORY / ".ci/ptxas.py", "record", fake_compiler(tmp_path), "-c", "x.cu", "-o", compiled]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "x.cu(1): warning: unused\n"
    assert (tmp_path / "words").read_text().endswith(" -Xptxas=-v\n")
    compiled.touch()
    assert [r["kernel"] for r in ptxas.built(tmp_path)] == sorted(r["kernel"] for r in ptxas.parsed(SAID))

    fake_compiler(tmp_path, code=3)
    assert subprocess.run(command, capture_output=True, check=False).returncode == 3
    with pytest.raises(SystemExit, match="x.cu.o.ptxas is missing"):
        ptxas.built(tmp_path)
