"""bench/peers.py, callgrind.py and scaling.py: they run, compare before they time, and fail where they should."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "bench"))
import callgrind  # noqa: E402
import inputs  # noqa: E402
import jobs  # noqa: E402
import peer_calls  # noqa: E402
import peers  # noqa: E402
import peers_report  # noqa: E402
import scaling  # noqa: E402

IN_THE_TEST_VENV = {"SimpleITK", "scipy", "scikit-image", "nibabel"}


@pytest.fixture(scope="module")
def build(program):
    """The build folder, where the program that measures in memory lies beside the program."""
    if not (program.parent / "bench_in_memory").exists():
        pytest.skip(f"bench_in_memory is not in {program.parent}")
    return program.resolve().parents[1]


def run_peers(build, folder, out, *options):
    """Without Debian's Python: its torch takes seconds to start."""
    words = ["--build", build, "--folder", folder, "--out", out, "--system-python", folder / "none", "--repeat", 1]
    code = peers.main([str(word) for word in (*words, *options)])
    return code, json.loads(out.with_suffix(".json").read_text()), out.read_text()


def test_peers_on_j1(build, shared_data, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- speed: written by bench/peers.py -->\n<!-- end of speed -->\nb\n")
    out = tmp_path / "cpu.md"
    code, found, text = run_peers(build, tmp_path, out, "--scale", 16, "--only", "J1", "--readme", readme)
    assert code == 0, text
    assert [job["name"] for job in found["in_memory"] + found["files"]] == ["J1", "J1"]
    for job, planned in zip((found["in_memory"][0], found["files"][0]), (jobs.in_memory(16)[0], jobs.file_to_file(16)[0])):
        assert [peer["name"] for peer in job["peers"]] == [peer.name for peer in planned.peers]
        for peer in job["peers"]:
            assert f"| {peer['name']} |" in text
            if peer["name"].split()[0] in IN_THE_TEST_VENV:
                assert "skipped" not in peer
            if "skipped" not in peer:
                assert peer["agreement"]["agrees"] and peer["agreement"]["psnr_db"] > 60, peer
                assert peer["median_s"] > 0 and peer["peak_bytes"] > 1e6
        assert job["revoxel"]["peak_bytes"] > 1e6
        assert len(job["targets"]) == len(planned.targets)
    torch = next(peer for peer in found["in_memory"][0]["peers"] if peer["name"].startswith("torch"))
    assert "none" in torch["skipped"] and f"| {torch['name']} | skipped |" in text
    assert str(tmp_path) not in text.replace(torch["skipped"], "")

    summary = peers_report.summary(found)
    assert summary.count("\n| J1") == 2
    assert readme.read_text() == f"a\n<!-- speed: written by bench/peers.py -->\n{summary}\n<!-- end of speed -->\nb\n"
    out.unlink()
    assert peers.main(["--out", str(out), "--from-json"]) == 0
    assert out.read_text() == text


def planned_job(monkeypatch, name, change):
    """peers.main() does this job alone, with one peer, changed."""
    job = next(job for job in jobs.in_memory(15) if job.name == name)
    peer = next(peer for peer in job.peers if peer.call.startswith("scipy"))
    job = replace(job, peers=(replace(peer, **change),))
    monkeypatch.setattr(jobs, "chosen", lambda scale, only: {"in_memory": [job], "files": []})


def test_an_output_that_differs_fails_the_command(build, shared_data, tmp_path, monkeypatch):
    planned_job(monkeypatch, "J1", {"same": (*jobs.SIZE, "--interp", "nearest")})
    code, found, text = run_peers(build, tmp_path, tmp_path / "cpu.md", "--scale", 15)
    assert code == 1
    assert not found["in_memory"][0]["peers"][0]["agreement"]["agrees"]
    assert "**DIFFERS**" in text


def test_a_part_of_the_slices_is_compared_and_said(build, shared_data, tmp_path, monkeypatch):
    planned_job(monkeypatch, "J5", {"fraction": 2})
    code, found, text = run_peers(build, tmp_path, tmp_path / "cpu.md", "--scale", 15)
    assert code == 0, text
    assert "on 1/2 of the slices" in text
    assert found["in_memory"][0]["peers"][0]["agreement"]["share_different"] <= 2e-3


def test_compare():
    a = np.zeros((3, 4, 5), np.int16)
    a[1, 2, 3] = 100
    assert peers.compare(a, a, 0) == {"agrees": True, "largest": 0, "psnr_db": None}
    b = a.copy()
    b[0, 0, 0] = 10
    found = peers.compare(a, b, 9)
    assert not found["agrees"] and found["largest"] == 10
    assert found["psnr_db"] == pytest.approx(10 * np.log10(100**2 / (10**2 / a.size)))
    assert peers.compare(a, b, 10)["agrees"]
    assert not peers.compare(a, b, 1 / 61, labels=True)["agrees"]
    assert peers.compare(a, b, 1 / 60, labels=True) == {"agrees": True, "share_different": 1 / 60}
    assert "(4, 4, 3)" in peers.compare(a, a[:, :, :4], 0)["why"]


def test_verdicts():
    own = {"median_s": 2.0, "copy_s": 1.0, "peak_bytes": 10e6}
    some = [
        {"name": "slow", "median_s": 30.0, "peak_bytes": 200e6},
        {"name": "fast", "median_s": 20.0, "peak_bytes": 50e6},
        {"name": "absent", "skipped": "not installed"},
    ]
    found = {"revoxel": own, "peers": some, "codec": {"skipped": "no igzip"}, "copies": {"same_bytes_s": 0.5}}

    def verdict(*target):
        result = peers.verdict(jobs.Target(*target), found)
        return result["value"], result["met"]

    assert verdict("faster", 10) == (10, True)
    assert verdict("faster", 10.5) == (10, False)
    assert verdict("faster", 10.5, ("slow",)) == (15, True)
    assert verdict("faster", 1, ("absent",)) == (None, None)
    assert verdict("copy", 2) == (2, True)
    assert verdict("copy", 1.9) == (2, False)
    assert verdict("codec", 1.35) == (None, None)
    assert verdict("cp", 2.5) == (4, False)
    assert verdict("peak_mb", 10) == (10, True)
    assert verdict("memory_share", 0.1, ("slow",)) == (0.05, True)
    assert verdict("memory_share", 0.1, ("slow", "fast")) == (0.2, False)


def test_repeats_and_budget():
    assert peer_calls.repeated(lambda: 1.0, 3, 1e9) == ([1.0] * 3, True)
    assert peer_calls.repeated(lambda: 1.0, 3, 0.0) == ([1.0], False)  # a run of 1 s has no time for another


def test_unknown_jobs_are_refused():
    with pytest.raises(SystemExit, match="no job is called J99"):
        jobs.chosen(16, "J1,J99")


def test_instructions_are_compared_with_the_table(tmp_path):
    rows = [{"job": f"J{n}", "isa": "v3", "instructions": count, "per_voxel": "1.00"} for n, count in ((1, 100), (2, 200))]
    callgrind.write(tmp_path / "table.tsv", "GNU 1.2", rows)
    compiler, kept = callgrind.read(tmp_path / "table.tsv")
    assert compiler == "GNU 1.2"
    assert callgrind.compare(rows, kept)[1] == []
    more = [{**row, "instructions": row["instructions"] + 4} for row in rows]  # 4 % and 2 %
    assert [line[0] for line in callgrind.compare(more, kept)[1]] == ["J1"]
    fewer = [{**row, "instructions": 1} for row in rows]
    assert callgrind.compare(fewer, kept)[1] == []
    unknown = [{**row, "isa": "portable"} for row in rows]
    assert len(callgrind.compare(unknown, kept)[1]) == 2


def test_the_committed_instructions_are_of_every_job():
    _, kept = callgrind.read(callgrind.TABLE)
    names = [job.name for job in jobs.in_memory(callgrind.SCALE) if job.name != "J7"]
    assert set(kept) == {(name, isa) for name in names for isa in callgrind.ISAS}


def test_scaling_says_where_it_is_not_flat():
    ns = {64: 1.3, 128: 1.0, 256: 1.1, 512: 0.9, 1024: 0.7}
    found = {size: {1: {"ns": value, "copy_share": 0.5}} for size, value in ns.items()}
    text, outside = scaling.sizes_table(found, [1])
    assert outside == ["64^3 with 1 thread: +30 %", "1024^3 with 1 thread: -30 %"]
    assert "| 128^3 | 1.000 | +0 % | 50 % |" in text


def test_scaling_measures(build, tmp_path):
    source = scaling.cube(tmp_path, 16)
    assert scaling.taps(build / "bin", source, 20, ("linear",)) == 2
    assert scaling.taps(build / "bin", source, 20, ("lanczos4",)) == 8
    facts = scaling.measured(build / "bin", source, 20, ("cubic",), 1, 1)
    assert facts["threads"] == 1 and facts["output_bytes"] == 2 * 20**3 and facts["ns"] > 0


def test_inputs_are_made_as_asked(shared_data, tmp_path):
    inputs.make(tmp_path, 16, jobs.inputs_of(jobs.chosen(16, "J6")["in_memory"]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct.nii", "oblique.nii"]
