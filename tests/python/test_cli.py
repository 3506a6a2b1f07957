"""The program as a person or a script meets it: exit codes, one-line errors, what goes where."""

import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

DATA = Path(os.environ.get("REVOXEL_TEST_DATA", Path(__file__).resolve().parents[1] / "data"))
CT, CT_LABELS, OBLIQUE = DATA / "ct_abdomen.nii.gz", DATA / "ct_abdomen_labels.nii.gz", DATA / "oblique.nii.gz"
TINY, T1, EPI, RGB = DATA / "tiny.nii.gz", DATA / "t1_head.nii.gz", DATA / "epi_4d.nii.gz", DATA / "rgb24.nii"
COMMANDS = ("resample", "plan", "info", "compare", "completion", "man")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def assert_one_line_error(done, code):
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("revoxel: error: ")
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n")
    assert not CONTROL.search(done.stderr)


def options_in_help(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", re.split(r"\nExamples|\nExit", text)[0]))


# Usage errors: exit code 2, one clear line that names what is wrong.

USAGE_ERRORS = [
    ([], "no command"),
    (["resmaple"], "did you mean resample"),
    (["resample"], "INPUT is required"),
    (["resample", CT], "no OUTPUT"),
    (["resample", CT, "{out}"], "no output grid"),
    (["resample", CT, "{out}", "--spacing"], "--spacing needs a value"),
    (["resample", CT, "{out}", "--spacing", "1", "2"], "one number or three"),
    (["resample", CT, "{out}", "--spacing", "1", "1", "1", "1"], "one number or three"),
    (["resample", CT, "{out}", "--spacing", "-1"], "above 0"),
    (["resample", CT, "{out}", "--spacing", "0"], "above 0"),
    (["resample", CT, "{out}", "--spacing", "nan"], "above 0"),
    (["resample", CT, "{out}", "--spacing", "one"], "not a number"),
    (["resample", CT, "{out}", "--x-spacing", "0"], "--x-spacing"),
    (["resample", CT, "{out}", "--spacing", "1", "--size", "3", "3", "3"], "--spacing and --size"),
    (["resample", CT, "{out}", "--spacing", "1", "--x-spacing", "1"], "--spacing and --x-spacing"),
    (["resample", CT, "{out}", "--iso", "min", "--like", CT], "--iso and --like"),
    (["resample", CT, "{out}", "--spacing", "1", "--spacing", "2"], "given 2 times"),
    (["resample", CT, "{out}", "--size", "3"], "three voxel counts"),
    (["resample", CT, "{out}", "--size", "3", "3", "0.5"], "--size"),
    (["resample", CT, "{out}", "--iso", "fine"], "min, max, geomean"),
    (["resample", CT, "{out}", "--budget", "lots"], "--budget"),
    (["resample", CT, "{out}", "--like", CT, "--round", "ceil"], "--round"),
    (["resample", CT, "{out}", "--like", CT, "--grid-policy", "first"], "--grid-policy"),
    (["resample", CT, "{out}", "--size", "3", "3", "3", "--round", "ceil"], "--round"),
    (["resample", CT, "{out}", "--spacing", "1", "--grid-policy", "middle"], "centre, edges, first, ends"),
    (["resample", CT, "{out}", "--spacing", "1", "--round", "up"], "ceil, floor, round, even"),
    (["resample", CT, "{out}", "--spacing", "1", "--interp", "sinc"], "lanczos3"),
    (["resample", CT, "{out}", "--spacing", "1", "--order", "4"], "0 to 3"),
    (["resample", CT, "{out}", "--spacing", "1", "--order", "1", "--interp", "linear"], "--interp and --order"),
    (["resample", CT, "{out}", "--spacing", "1", "--labels", "--interp", "cubic"], "labels cannot be interpolated with kernel cubic"),
    (["resample", CT, "{out}", "--spacing", "1", "--labels", "--antialias", "stretch"], "labels do not go with antialias stretch"),
    (["resample", CT, "{out}", "--spacing", "1", "--softmax"], "argmax"),
    (["resample", CT, "{out}", "--spacing", "1", "--keep-labels"], "keeping labels"),
    (["resample", CT, "{out}", "--spacing", "1", "--labels", "--mask-threshold", "0.5"], "mask threshold"),
    (["resample", CT, "{out}", "--spacing", "1", "--labels", "--label-fraction", "3"], "exclude each other"),
    (["resample", CT, "{out}", "--spacing", "1", "--interp", "label-gaussian"], "--labels"),
    (["resample", CT, "{out}", "--spacing", "1", "--interp", "linear,cubic"], "one name, or three"),
    (["resample", CT, "{out}", "--spacing", "1", "--interp", "area", "--antialias", "gaussian"], "low-pass itself"),
    (["resample", CT, "{out}", "--spacing", "1", "--unnormalised"], "sinc"),
    (["resample", CT, "{out}", "--spacing", "1", "--interp", "sinc-welch", "--radius", "9"], "--radius"),
    (["resample", CT, "{out}", "--spacing", "1", "--interp", "gaussian", "--sigma", "-1"], "0.001"),
    (["resample", CT, "{out}", "--spacing", "1", "--radius", "4"], "--radius is for the kernels sinc-*"),
    (["resample", CT, "{out}", "--spacing", "1", "--interp", "lanczos3", "--radius", "3"], "means nothing to kernel lanczos3"),
    (["resample", CT, "{out}", "--spacing", "1", "--interp", "lanczos3", "--unnormalised"], "the kernels sinc-*"),
    (["resample", CT, "{out}", "--spacing", "1", "--preset", "mrtrix", "--sigma", "2"], "means nothing to kernel cubic"),
    (["resample", CT, "{out}", "--spacing", "1", "--interp", "sinc-welch", "--cut", "2"], "--cut is for kernel gaussian"),
    (["resample", CT, "{out}", "--spacing", "1", "--nan-fill", "0", "--nan-aware"], "two answers"),
    (["resample", CT, "{out}", "--spacing", "1", "--labels", "--integers", "away"], "labels are not rounded"),
    (["resample", CT, "{out}", "--spacing", "1", "--boundary", "renormalise", "--outside", "extend"], "nothing to extend"),
    (["resample", CT, "{out}", "--spacing", "1", "--mask-threshold", "0.5", "--fill", "3"], "0 or 1"),
    (["resample", CT, "{out}", "--spacing", "1", "--labels", "--slice-thickness", "2"], "slice thickness"),
    (["resample", CT, "{out}", "--spacing", "1", "--label-fraction", "4611686018427387905"], "2^53"),
    (["resample", CT, "{out}", "--spacing", "1", "--preset", "spm"], "ibsi, simpleitk"),
    (["resample", CT, "{out}", "--spacing", "1", "--clip", "soft"], "none, local, global"),
    (["resample", CT, "{out}", "--spacing", "1", "--fill", "air"], "--fill"),
    (["resample", CT, "{out}", "--spacing", "1", "--dtype", "int12"], "int16"),
    (["resample", CT, "{out}", "--spacing", "1", "--dtype", "float16"], "NIfTI has no such voxels; choose float32"),
    (["resample", RGB, "{out}", "--spacing", "2", "--dtype", "float32"], "colour"),
    (["resample", RGB, "{out}", "--spacing", "2", "--labels"], "a label map needs one number in each voxel; found colour"),
    (["resample", RGB, "{out}", "--spacing", "2", "--mask-threshold", "3"], "a mask threshold needs one number"),
    (["resample", CT, "{out}", "--spacing", "1", "--prefer", "dform"], "--prefer"),
    (["resample", CT, "{out}", "--spacing", "1", "--backend", "quantum"], "backend"),
    (["resample", CT, "{out}", "--spacing", "1", "--threads", "-2"], "--threads"),
    (["resample", CT, "{out}", "--spacing", "1", "--compression", "10"], "fast or a whole number from 0 to 9"),
    (["resample", CT, "{out}", "--spacing", "1", "--compression", "best"], "fast or a whole number from 0 to 9"),
    (["resample", CT, "{out}", "--spacing", "1", "--preview", "picture.jpg"], ".png"),
    (["resample", CT, "{out}", "--spacing", "1", "--quiet", "--json"], "--quiet and --json"),
    (["resample", CT, "{out}", "--spaceing", "1"], "did you mean --spacing"),
    (["resample", CT, "{out}", "more", "--spacing", "1"], "one word too many"),
    (["info"], "FILES is required"),
    (["info", CT, "--prefer", "x"], "--prefer"),
    (["compare", CT], "B is required"),
    (["compare", CT, CT, "--tolerance", "-1"], "--tolerance"),
    (["compare", CT, CT, "--tolerance", "x"], "--tolerance"),
    (["completion", "tcsh"], "bash, zsh or fish"),
]


@pytest.mark.parametrize("arguments, says", USAGE_ERRORS, ids=lambda value: None if isinstance(value, list) else value)
def test_usage_errors(revoxel, tmp_path, arguments, says):
    done = revoxel(*[str(a).replace("{out}", str(tmp_path / "out.nii.gz")) for a in arguments])
    assert_one_line_error(done, 2)
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_input_errors(revoxel, tmp_path):
    out = tmp_path / "out.nii.gz"
    for path in (tmp_path / "absent.nii", tmp_path, DATA / "README.md"):
        done = revoxel("resample", path, out, "--spacing", "1")
        assert_one_line_error(done, 3)
        assert str(path) in done.stderr
    assert_one_line_error(revoxel("resample", CT, out, "--like", tmp_path / "absent.nii"), 3)
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_control_characters_stays_one_line(revoxel, tmp_path):
    assert_one_line_error(revoxel("info", f"{tmp_path}/a\nb\x1b[31m.nii"), 3)


def test_output_errors(revoxel, tmp_path):
    taken = tmp_path / "taken.nii.gz"
    taken.write_bytes(b"precious")
    for path in (taken, tmp_path / "no/folder.nii", tmp_path / "picture.png", tmp_path):
        assert_one_line_error(revoxel("resample", TINY, path, "--spacing", "1"), 4)
    picture = tmp_path / "taken.png"
    picture.write_bytes(b"precious")
    assert_one_line_error(revoxel("resample", TINY, tmp_path / "o.nii", "--spacing", "1", "--preview", picture), 4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["taken.nii.gz", "taken.png"]
    assert taken.read_bytes() == picture.read_bytes() == b"precious"


def test_force_replaces(revoxel, tmp_path):
    taken = tmp_path / "taken.nii.gz"
    taken.write_bytes(b"rubbish")
    assert revoxel("resample", TINY, taken, "--spacing", "1", "--force", "--quiet").returncode == 0
    assert json.loads(revoxel("info", taken, "--json").stdout)[0]["spacing_mm"] == [1, 1, 1]


def test_the_input_is_never_replaced(revoxel, tmp_path):
    source = tmp_path / "scan.nii.gz"
    shutil.copy(TINY, source)
    before = source.read_bytes()
    (tmp_path / "symbolic.nii.gz").symlink_to(source)
    (tmp_path / "hard.nii.gz").hardlink_to(source)
    (tmp_path / "folder").symlink_to(tmp_path)
    for name in ("scan.nii.gz", "symbolic.nii.gz", "hard.nii.gz", "folder/scan.nii.gz"):
        done = revoxel("resample", source, tmp_path / name, "--spacing", "1", "--force")
        assert_one_line_error(done, 2)
        assert "same file" in done.stderr
    done = revoxel("resample", CT, source, "--like", source, "--force")
    assert_one_line_error(done, 2)
    assert "reference" in done.stderr
    assert source.read_bytes() == before


def test_neither_half_of_a_pair_is_replaced(revoxel, tmp_path):
    assert revoxel("resample", TINY, tmp_path / "pair.hdr", "--spacing", "2", "--quiet").returncode == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pair.hdr", "pair.img"]
    for source, target in (("pair.hdr", "pair.img"), ("pair.img", "pair.hdr")):
        done = revoxel("resample", tmp_path / source, tmp_path / target, "--spacing", "1", "--force")
        assert_one_line_error(done, 2)


def test_a_reference_elsewhere_is_an_error(revoxel, tmp_path):
    done = revoxel("resample", T1, tmp_path / "o.nii", "--size", "8", "8", "8", "--quiet")
    assert done.returncode == 0
    moved = bytearray((tmp_path / "o.nii").read_bytes())
    for row in range(3):  # srow_x[3], srow_y[3], srow_z[3]; the sform must be in use
        struct.pack_into("<f", moved, 280 + 16 * row + 12, 1e5)
    struct.pack_into("<h", moved, 254, 1)
    (tmp_path / "far.nii").write_bytes(moved)
    done = revoxel("resample", T1, tmp_path / "out.nii", "--like", tmp_path / "far.nii")
    assert_one_line_error(done, 3)
    assert "overlap" in done.stderr
    assert not (tmp_path / "out.nii").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--spacing", "2", "{in}", "{out}"],
        ["{in}", "{out}", "--spacing", "2"],
        ["{in}", "--spacing", "2", "{out}"],
        ["--spacing", "2", "2", "2", "{in}", "{out}"],
        ["--spacing", "2,2,2", "{in}", "{out}"],
        ["--spacing=2", "{in}", "{out}"],
        ["--xyz-spacing", "2", "{in}", "{out}"],
        ["--xyz-spacing=2,2,2", "{in}", "{out}"],
        ["{in}", "{out}", "--z-spacing", "2", "--y-spacing", "2", "--x-spacing", "2"],
        ["{in}", "{out}", "--iso", "2"],
        ["--size", "183", "152", "45", "{in}", "{out}"],
        ["--spacing", "2", "--", "{in}", "{out}"],
    ],
    ids=" ".join,
)
def test_numbers_do_not_swallow_file_names(revoxel, tmp_path, words):
    out = tmp_path / "out.nii"
    done = revoxel("resample", "--json", *[w.replace("{in}", str(CT)).replace("{out}", str(out)) for w in words])
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["output"]["path"] == str(out) and out.exists()
    assert facts["output"]["extent"] == [183, 152, 45]


# What is printed where.


def test_json_is_one_object_with_every_fact(revoxel, tmp_path):
    out, picture = tmp_path / "out.nii.gz", tmp_path / "out.png"
    options = ["--spacing", "2", "2", "4", "--json", "--explain", "--compare", "--preview", picture]
    done = revoxel("resample", CT, out, *options)
    assert done.returncode == 0
    facts = json.loads(done.stdout)
    assert facts["input"]["extent"] == [122, 101, 30]
    assert facts["input"]["spacing_mm"] == [3, 3, 3] and facts["input"]["spacing_um"] == [3000, 3000, 3000]
    assert facts["output"]["extent"] == [183, 152, 23]
    assert facts["output"]["spacing_mm"] == pytest.approx([2, 2, 4])
    assert [axis["change"] for axis in facts["axes"]] == [
        "up-sampling 1.5x",
        "up-sampling 1.5x",
        "down-sampling 0.75x, antialiased",
    ]
    assert facts["kernel"] == "linear" and facts["grid_policy"] == "centre" and facts["count_rule"] == "ceil"
    assert facts["boundary"] == "edge" and facts["fill"] == 0 and facts["antialias"] == "auto"
    assert facts["memory_ratio"] == pytest.approx(183 * 152 * 23 / (122 * 101 * 30))
    assert facts["dry_run"] is False and "stage 1" in facts["plan"]
    result = facts["result"]
    assert set(result["seconds"]) == {"read", "plan", "resample", "check", "write", "total"}
    assert result["file_bytes"] == out.stat().st_size
    assert result["values_before"]["max"] >= result["values_after"]["max"]
    comparison = facts["comparison"]
    assert comparison["more_different_than_expected"] is False
    assert comparison["before"]["count"] == 122 * 101 * 30 and len(comparison["before"]["percentiles"]) == 7
    assert facts["preview"] == str(picture)
    head = picture.read_bytes()[:24]
    width, height = struct.unpack(">II", head[16:24])
    assert head[:8] == b"\x89PNG\r\n\x1a\n" and 800 <= width <= 1600 and 200 <= height <= 1300


def test_json_says_what_auto_became(revoxel):
    def antialias(*options):
        done = revoxel("resample", CT, "--dry-run", "--json", "--spacing", "2", "3", "4", *options)
        return [axis["antialias"] for axis in json.loads(done.stdout)["axes"]]

    assert antialias() == ["none", "none", "stretch"]
    assert antialias("--antialias", "mirp") == ["none", "none", "mirp"]
    assert antialias("--interp", "area") == ["none", "none", "area"]
    assert antialias("--interp", "nearest") == ["none", "none", "none"]
    assert antialias("--antialias", "none") == ["none", "none", "none"]


def test_dry_run_touches_nothing(revoxel, tmp_path):
    out = tmp_path / "out.nii.gz"
    for extra in ([], ["--json"], ["--explain"], ["--preview", tmp_path / "p.png"], ["--compare"]):
        done = revoxel("resample", CT, out, "--spacing", "1", "--dry-run", *extra)
        assert done.returncode == 0, done.stderr
        assert list(tmp_path.iterdir()) == []
        if "--json" in extra:
            facts = json.loads(done.stdout)
            assert facts["dry_run"] is True and "result" not in facts
        else:
            assert "dry run" in done.stdout
    assert revoxel("resample", CT, "--spacing", "1", "--dry-run").returncode == 0  # no OUTPUT needed
    assert_one_line_error(revoxel("resample", CT, CT, "--spacing", "1", "--dry-run"), 2)


def test_quiet_is_silent_even_with_warnings(revoxel, tmp_path):
    done = revoxel("resample", CT_LABELS, tmp_path / "o.nii", "--spacing", "0.5", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert_one_line_error(revoxel("resample", CT, tmp_path / "o.nii", "--spacing", "1", "--quiet"), 4)


def test_report_fits_80_columns_and_holds_the_facts(revoxel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = revoxel("resample", OBLIQUE, "o.nii.gz", "--spacing", "1", "--compare")
    assert done.returncode == 0
    assert done.stdout.isascii() and not CONTROL.search(done.stdout)
    assert [line for line in done.stdout.splitlines() if len(line) > 80 and str(DATA) not in line] == []
    for fact in (
        "58 x 58 x 24", "232 x 232 x 120", "4 x 4 x 5", "4000 x 4000 x 5000", "1 x 1 x 1", "1000 x 1000 x 1000",
        "up-sampling 4x", "up-sampling 5x", "linear", "edge", "fill 0", "policy centre", "count by ceil", "LPS", "35.5 deg",
        "int16", "scaling", "sform (code 1)", "qform (code 1) agrees", "80x", "o.nii.gz", "Mvoxel/s", "MB/s",
        "read", "plan", "resample", "write", "total", "standard deviation", "percentile 95", "histogram distance",
        "no more different",
    ):  # fmt: skip
        assert fact in done.stdout, fact
    assert "warning: axis k: up-sampling 5.0x" in done.stderr


def test_nothing_but_plain_lines_when_piped(revoxel, tmp_path):
    done = revoxel("resample", T1, tmp_path / "o.nii.gz", "--spacing", "0.5", "--compression", "3")
    assert done.returncode == 0
    assert not CONTROL.search(done.stdout + done.stderr)


def run_on_terminal(program, *arguments):
    """The program with standard error on a terminal; what it showed there."""
    leader, follower = pty.openpty()
    command = [str(program), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=follower) as process:
        os.close(follower)
        shown = b""
        while True:
            ready, _, _ = select.select([leader], [], [], 60)
            try:
                part = os.read(leader, 4096) if ready else b""
            except OSError:  # EIO: the other end is closed
                part = b""
            if not part:
                break
            shown += part
    os.close(leader)
    return process.returncode, shown.decode()


def test_progress_on_a_terminal(program, tmp_path):
    long_work = ("resample", T1, tmp_path / "o.nii", "--spacing", "0.9", "--backend", "reference", "--order", "3")
    code, shown = run_on_terminal(program, *long_work)
    assert code == 0
    assert re.search(r"resampling +\[#*-*\] +\d+ %", shown)
    assert "\x1b[K" in shown.rsplit("%", 1)[1], "the bar is taken away at the end"
    code, shown = run_on_terminal(program, *long_work, "--force", "--quiet")
    assert (code, shown) == (0, "")
    code, shown = run_on_terminal(program, "resample", OBLIQUE, tmp_path / "short.nii", "--iso", "min")
    assert (code, shown) == (0, ""), "no bar for short work"


def test_output_that_cannot_be_printed_is_an_error(program, tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(program), "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 4 and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "limit, code", [(("-v", 150_000), 5), (("-f", 100), 4)], ids=["little memory", "a limit on the size of files"]
)
def test_limits_of_the_shell(program, tmp_path, limit, code):
    words = [str(program), "resample", str(CT), str(tmp_path / "o.nii"), "--spacing", "0.4", "--fill", "min", "--quiet"]
    script = f'ulimit {limit[0]} {limit[1]} && exec "$@"'
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=False)
    assert_one_line_error(done, code)
    assert list(tmp_path.iterdir()) == []


# Warnings.


def warnings_of(revoxel, *arguments):
    done = revoxel("resample", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    warnings = json.loads(done.stdout)["warnings"]
    assert done.stderr == "".join(f"revoxel: warning: {line}\n" for line in warnings)
    return " | ".join(warnings)


def test_warnings_where_one_may_go_wrong(revoxel, tmp_path):
    out = tmp_path / "o.nii.gz"
    assert "looks like a label map" in warnings_of(revoxel, CT_LABELS, out, "--spacing", "2", "--force")
    assert warnings_of(revoxel, CT_LABELS, out, "--spacing", "2", "--labels", "--force") == ""
    assert warnings_of(revoxel, CT_LABELS, out, "--spacing", "3", "--force") == "", "nothing is interpolated"
    assert warnings_of(revoxel, CT, out, "--spacing", "2", "--force") == ""
    assert "up-sampling 6.0x" in warnings_of(revoxel, CT, out, "--spacing", "3", "3", "0.5", "--force")
    assert "clipped" in warnings_of(revoxel, CT, out, "--spacing", "2", "--dtype", "uint8", "--force")
    assert "lie outside the input" in warnings_of(
        revoxel, CT, out, "--spacing", "1", "--grid-policy", "first", "--force"
    )
    assert "cannot be stored as int16" in warnings_of(
        revoxel, CT, out, "--spacing", "1", "--grid-policy", "first", "--fill", "-40000", "--force"
    )


IDLE = [
    (CT, ["--clip", "local", "--interp", "nearest"], "--clip changes nothing: values are copied"),
    (CT, ["--boundary", "wrap", "--interp", "nearest"], "--boundary changes nothing: every value is a copy"),
    (CT, ["--compression", "9"], "--compression changes nothing: the name of the output does not end with .gz"),
    (CT, ["--nan-fill", "0"], "--nan-fill changes nothing: int16 holds no NaN"),
    (CT, ["--nan-aware"], "--nan-aware changes nothing: int16 holds no NaN"),
    (CT, ["--integers", "away", "--dtype", "float32"], "--integers changes nothing: the output is float32"),
    (CT, ["--fill", "-1000", "--outside", "extend"], "--fill changes nothing: the input is continued by boundary edge"),
    (CT, ["--fill", "-1000", "--preset", "fsl"], "--fill changes nothing: the input is continued"),
    (CT, ["--slice-thickness", "2", "--antialias", "none"], "there is no anti-aliasing"),
    (CT, ["--slice-thickness", "2", "--interp", "nearest"], "kernel nearest has no anti-aliasing"),
    (CT, ["--slice-thickness", "2", "--interp", "area"], "kernel area goes by the spacing"),
    (CT, ["--slice-thickness", "2", "--z-spacing", "2"], "k is not down-sampled"),
]


@pytest.mark.parametrize("source, options, says", IDLE, ids=lambda value: value if isinstance(value, str) else None)
def test_options_that_change_nothing_are_told(revoxel, tmp_path, source, options, says):
    where = [] if "--z-spacing" in options else ["--spacing", "5"]
    assert says in warnings_of(revoxel, source, tmp_path / "with.nii", *where, *options)
    idle = options.index(says.split()[0]) if says.startswith("--") else 0
    kept = options[:idle] + options[idle + (1 if options[idle] == "--nan-aware" else 2) :]
    assert revoxel("resample", source, tmp_path / "without.nii", *where, *kept, "--quiet").returncode == 0
    assert (tmp_path / "with.nii").read_bytes() == (tmp_path / "without.nii").read_bytes()


def test_options_that_change_something_are_not(revoxel, tmp_path):
    scan = tmp_path / "float.nii"
    assert revoxel("resample", CT, scan, "--spacing", "3", "--dtype", "float32", "--quiet").returncode == 0
    for options in (
        ["--nan-fill", "0"],
        ["--nan-aware"],
        ["--integers", "away", "--dtype", "int16"],
        ["--fill", "-1000", "--outside", "extend", "--boundary", "constant"],
        ["--interp", "sinc-hamming,linear,linear", "--radius", "3", "--unnormalised"],
        ["--interp", "linear,gaussian,linear", "--sigma", "1", "--cut", "3"],
        ["--slice-thickness", "3"],
    ):
        said = warnings_of(revoxel, scan, tmp_path / "out.nii", "--spacing", "5", "--force", *options)
        assert said == "", options


def test_a_plan_that_fails_says_that_nothing_was_written(revoxel, tmp_path):
    out = tmp_path / "out.nii"
    options = [CT, out, "--spacing", "2", "--labels", "--dtype", "int8"]
    done = revoxel("resample", *options)
    assert done.returncode == 2 and "do not fit int8" in done.stderr
    assert done.stdout.endswith("\n\nstopped: nothing was written\n")
    assert revoxel("resample", *options, "--json").stdout == ""
    assert revoxel("resample", *options, "--quiet").stdout == ""
    assert not out.exists()


# info and compare.


def test_info(revoxel):
    one = revoxel("info", EPI)
    assert one.returncode == 0
    for fact in ("128 x 96 x 24 x 2", "2 x 2 x 2.2", "LAS", "9.", "int16", "sform", "qform", "1.2 MB", "extension"):
        assert fact in one.stdout, fact
    several = revoxel("info", CT, T1, RGB)
    assert several.returncode == 0 and len(several.stdout.splitlines()) == 4
    facts = json.loads(revoxel("info", CT, T1, RGB, "--json").stdout)
    assert [f["dtype"] for f in facts] == ["int16", "int16", "uint8"] and facts[2]["components"] == 3
    assert facts[0]["size_mm"] == [366, 303, 90] and facts[0]["orientation"] == "RAS"
    assert isinstance(json.loads(revoxel("info", CT, "--json").stdout), list)


def test_info_shows_the_good_beside_the_bad(revoxel):
    done = revoxel("info", CT, DATA / "README.md", T1)
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr.count("error") == 1 and "README.md" in done.stderr
    done = revoxel("info", CT, DATA / "README.md", "--json")
    assert done.returncode == 3 and len(json.loads(done.stdout)) == 1


def test_compare(revoxel, tmp_path):
    same = revoxel("compare", CT, CT)
    assert same.returncode == 0 and "equal within 0" in same.stdout and "NaN equals NaN" in same.stdout
    other = tmp_path / "o.nii.gz"
    assert revoxel("resample", CT, other, "--spacing", "3", "--dtype", "uint8", "--quiet").returncode == 0
    done = revoxel("compare", CT, other)
    assert done.returncode == 1 and "different by more than 0" in done.stdout
    facts = json.loads(revoxel("compare", CT, other, "--json").stdout)
    assert facts["within_tolerance"] is False and facts["grid_distance_mm"] == 0
    assert facts["values"]["max"] == 1100 and facts["values"]["rms"] >= facts["values"]["mean"] > 0
    assert revoxel("compare", CT, other, "--tolerance", "1100").returncode == 0
    quiet = revoxel("compare", CT, other, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (1, "", "")
    shapes = revoxel("compare", CT, T1)
    assert shapes.returncode == 1 and "shapes do not agree" in shapes.stdout
    assert_one_line_error(revoxel("compare", CT, tmp_path / "absent.nii"), 3)


# Help, completion and manual page come from the same options.


def test_version(revoxel):
    done = revoxel("--version")
    assert done.returncode == 0 and re.match(r"revoxel \d+\.\d+\.\d+\n", done.stdout)
    for fact in ("compiler", "CPU", "CUDA"):
        assert fact in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(revoxel, command):
    done = revoxel(command, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.isascii() and max(map(len, done.stdout.splitlines())) <= 80
    assert "Examples" in done.stdout
    assert revoxel(command, "-h").stdout == done.stdout


def test_help_lists_each_option_with_its_default(revoxel):
    text = revoxel("resample", "--help").stdout
    expected = {
        "--spacing", "--xyz-spacing", "--x-spacing", "--y-spacing", "--z-spacing", "--size", "--iso", "--budget", "--like",
        "--grid-policy", "--round", "--interp", "--order", "--antialias", "--labels", "--fill", "--dtype", "--prefer",
        "--backend", "--threads", "--force", "--compression", "--quiet", "--json", "--dry-run", "--explain", "--compare",
        "--preview", "--help", "--radius", "--sigma", "--cut", "--unnormalised", "--boundary", "--outside", "--clip",
        "--integers", "--nan-fill", "--nan-aware", "--slice-thickness", "--keep-labels", "--label-report", "--argmax",
        "--softmax", "--channel-labels", "--device", "--devices", "--gpu-memory", "--precision",
    }  # fmt: skip
    assert options_in_help(text) >= expected
    flat = " ".join(text.split())
    required = {"--spacing", "--xyz-spacing", "--x-spacing", "--y-spacing", "--z-spacing", "--size", "--iso", "--budget", "--like"}
    for option in expected - required - {"--help", "--order"}:
        assert re.search(re.escape(option) + r"(?![\w-])(?:(?! --[a-z]).)*?\[default: ", flat), option
    top = revoxel("--help").stdout
    assert all(command in top for command in COMMANDS) and max(map(len, top.splitlines())) <= 80


@pytest.mark.parametrize("what", [["completion", "bash"], ["completion", "zsh"], ["completion", "fish"], ["man"]])
def test_completion_and_manual_hold_every_option(revoxel, what):
    done = revoxel(*what)
    assert done.returncode == 0
    text = done.stdout.replace("\\-", "-")
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", text)
        for option in options_in_help(revoxel(command, "--help").stdout):
            spelt = f"-l {option[2:]} " if what[-1] == "fish" else option
            assert spelt in text, (command, option)


def test_completion_scripts_parse(revoxel, tmp_path):
    for shell in ("bash", "zsh", "fish"):
        script = tmp_path / shell
        script.write_text(revoxel("completion", shell).stdout)
        if shutil.which(shell):
            assert subprocess.run([shell, "-n", str(script)], check=False).returncode == 0
    probe = f"""source {tmp_path}/bash
    complete_it() {{ COMP_WORDS=("$@"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=(); _revoxel; echo "${{COMPREPLY[@]}}"; }}
    complete_it revoxel res
    complete_it revoxel resample --grid-
    complete_it revoxel resample --interp bsp
    complete_it revoxel completion z"""
    lines = subprocess.run(["bash", "-c", probe], capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines == ["resample", "--grid-policy", "bspline2 bspline3 bspline4 bspline5", "zsh"]


def test_manual_page_has_no_formatting_errors(revoxel):
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    page = revoxel("man").stdout
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "-z"], input=page, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stderr == ""
