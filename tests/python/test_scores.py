"""--argmax and --softmax through the command line: scores of classes become a label map. With the usage errors of both."""

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from support import peak_bytes, save, scaled, stored
from test_labels import CT_LABELS, GRIDS, MIB, geometry, grid_options, run_json, turned

SHAPE = (25, 22, 18)


def scores_of(channels, shape=SHAPE, seed=3):
    """Smooth scores that differ by a few units, as a network's do."""
    noise = np.random.default_rng(seed).normal(size=(channels, *shape))
    smooth = np.stack([ndimage.gaussian_filter(n, 1.5) for n in noise])
    return (smooth / smooth.std() * 3).astype(np.float32)


def save_scores(path, scores, channel_last=False):
    data = np.moveaxis(scores, 0, -1)
    return save(path, np.ascontiguousarray(data[..., None, :] if channel_last else data), np.diag([2, 2, 3, 1]))


def resampled_channels(scores, resample, tmp_path, options):
    result = []
    for channel, values in enumerate(scores):
        source = save(tmp_path / f"{channel}.nii", values, np.diag([2, 2, 3, 1]))
        out = resample(source, tmp_path / f"{channel}_out.nii", *options, "--dtype", "float32")
        result.append(stored(out))
    return np.stack(result)


@GRIDS
@pytest.mark.parametrize("channel_last", [False, True], ids=["4d", "5d"])
def test_argmax(channel_last, grid, resample, tmp_path):
    scores = scores_of(5)
    source = save_scores(tmp_path / "in.nii", scores, channel_last)
    assert nib.load(source).shape == ((*SHAPE, 1, 5) if channel_last else (*SHAPE, 5))
    options = grid_options(grid, source, tmp_path)
    out = resample(source, tmp_path / "out.nii", *options, "--argmax")
    expected = np.argmax(resampled_channels(scores, resample, tmp_path, options), axis=0)
    assert nib.load(out).shape == expected.shape and stored(out).dtype == np.uint8
    assert np.array_equal(stored(out), expected)
    assert len(np.unique(expected)) == 5


def test_scores_along_two_dimensions_are_refused(revoxel, tmp_path):
    """Times x channels are not the classes of one volume."""
    data = np.ascontiguousarray(np.moveaxis(scores_of(6), 0, -1)).reshape(*SHAPE, 2, 3)
    source = save(tmp_path / "in.nii", data, np.diag([2, 2, 3, 1]))
    done = revoxel("resample", source, tmp_path / "out.nii", "--spacing", 2, "--argmax")
    assert done.returncode == 2 and "2 x 3 volumes" in done.stderr, done.stderr
    assert not (tmp_path / "out.nii").exists()


@pytest.mark.parametrize("interp", ["nearest", "cubic", "bspline3", "lanczos3"])
def test_argmax_with_other_kernels(interp, resample, tmp_path):
    scores = scores_of(4)
    source = save_scores(tmp_path / "in.nii", scores)
    options = [*grid_options("up", source, tmp_path), "--interp", interp]
    out = resample(source, tmp_path / "out.nii", *options, "--argmax")
    expected = np.argmax(resampled_channels(scores, resample, tmp_path, options), axis=0)
    assert np.array_equal(stored(out), expected)


@GRIDS
def test_softmax(grid, resample, tmp_path):
    scores = scores_of(5)
    source = save_scores(tmp_path / "in.nii", scores)
    options = grid_options(grid, source, tmp_path)
    out = stored(resample(source, tmp_path / "out.nii", *options, "--argmax", "--softmax"))
    power = np.exp(scores.astype(float) - scores.max(axis=0))
    shares = resampled_channels((power / power.sum(axis=0)).astype(np.float32), resample, tmp_path, options)
    first, second = np.sort(shares, axis=0)[[-1, -2]]
    # Two exponentials may differ in the last bit of float32. Outside all shares are 0, and the label is 0.
    clear = (first - second > 1e-6) | (first == 0)
    assert clear.mean() > 0.99
    assert np.array_equal(out[clear], np.argmax(shares, axis=0)[clear])
    # It is not the argmax of the scores.
    assert not np.array_equal(out, stored(resample(source, tmp_path / "plain.nii", *options, "--argmax")))


def test_channel_labels(resample, tmp_path):
    table = [4, 0, 7, 200, 9]
    source = save_scores(tmp_path / "in.nii", scores_of(5))
    options = grid_options("oblique", source, tmp_path)
    out = stored(resample(source, tmp_path / "out.nii", *options, "--argmax"))
    names = "--channel-labels", ",".join(map(str, table))
    named = resample(source, tmp_path / "named.nii", *options, "--argmax", *names)
    covered = geometry(source, named)[1]
    assert covered.any() and not covered.all()
    assert np.array_equal(stored(named), np.where(covered, np.array(table)[out], 0))


@pytest.mark.parametrize("table", [[-1, 5, 300], [0, 5, 2**40], [2**31, -7, 0]])
def test_channel_labels_of_every_size(table, resample, tmp_path):
    """The type is one that holds them all."""
    source = save_scores(tmp_path / "in.nii", scores_of(3))
    out = stored(resample(source, tmp_path / "out.nii", "--size", 30, 30, 30, "--argmax"))
    names = f"--channel-labels={','.join(map(str, table))}"
    named = stored(resample(source, tmp_path / "named.nii", "--size", 30, 30, 30, "--argmax", names))
    assert np.array_equal(named, np.array(table)[out])


def test_channel_labels_are_reported(revoxel, tmp_path):
    options = [save_scores(tmp_path / "in.nii", scores_of(3)), "--size", 9, 9, 9, "--dry-run"]
    assert run_json(revoxel, *options, "--argmax")["channel_labels"] == [0, 1, 2]
    table = run_json(revoxel, *options, "--argmax", "--channel-labels=7,-1,300")["channel_labels"]
    assert table == [7, -1, 300]
    assert run_json(revoxel, *options)["channel_labels"] is None


def test_argmax_ties_and_nan(resample, tmp_path):
    """Ties to the first channel; NaN never wins; a voxel of NaN alone is the fill."""
    nan = np.nan
    scores = np.array([[1, nan, 2, nan, -3], [1, -5, 3, nan, -2], [0, -6, 3, nan, -2]], np.float32)
    source = save_scores(tmp_path / "in.nii", scores.reshape(3, 5, 1, 1))
    out = stored(resample(source, tmp_path / "out.nii", "--size", 5, 1, 1, "--argmax"))
    assert out[:, 0, 0].tolist() == [0, 1, 1, 0, 1]


def test_argmax_of_integers(resample, tmp_path):
    """Scores that are integers are resampled as numbers, not rounded."""
    scores = np.rint(scores_of(4) * 3).astype(np.int16)
    source = save_scores(tmp_path / "in.nii", scores)
    options = grid_options("up", source, tmp_path)
    out = stored(resample(source, tmp_path / "out.nii", *options, "--argmax"))
    channels = resampled_channels(scores.astype(np.float32), resample, tmp_path, options)
    assert out.dtype == np.uint8 and np.array_equal(out, np.argmax(channels, axis=0))


def test_argmax_is_of_scaled_scores(resample, tmp_path):
    """A negative slope turns their order round. The labels have no scaling."""
    scores = np.rint(scores_of(4) * 3).astype(np.int16)
    affine = np.diag([2, 2, 3, 1])
    source = save(tmp_path / "in.nii", np.moveaxis(scores, 0, -1), affine, slope=-0.5, inter=2.0)
    options = grid_options("up", source, tmp_path)
    out = resample(source, tmp_path / "out.nii", *options, "--argmax")
    channels = resampled_channels(scores.astype(np.float32) * -0.5 + 2, resample, tmp_path, options)
    first, second = np.sort(channels, axis=0)[[-1, -2]]
    # Scaled before resampling here, after it there: float32 may differ in the last bits.
    clear = first - second > 1e-4
    assert clear.mean() > 0.99
    assert np.array_equal(scaled(out)[clear], np.argmax(channels, axis=0)[clear])


def test_softmax_is_of_scaled_scores(resample, tmp_path):
    """A negative slope turns the order round, and any slope is a temperature."""
    scores = scores_of(4)
    plain = save_scores(tmp_path / "plain.nii", scores * np.float32(-2) + np.float32(5))
    data = np.ascontiguousarray(np.moveaxis(scores, 0, -1))
    slope = save(tmp_path / "slope.nii", data, np.diag([2, 2, 3, 1]), slope=-2.0, inter=5.0)
    out = [
        stored(resample(source, tmp_path / f"{n}.nii", "--spacing", 1.7, "--argmax", "--softmax"))
        for n, source in enumerate((plain, slope))
    ]
    assert (out[0] == out[1]).mean() > 0.999  # the last bit of a scaled float32 may differ
    assert len(np.unique(out[0])) == 4


def test_fill_of_argmax_is_a_label(revoxel, tmp_path):
    source = save_scores(tmp_path / "in.nii", scores_of(3))
    for fill in ("min", "-1", "0.5"):
        done = revoxel("resample", source, tmp_path / "out.nii", "--spacing", 2, "--argmax", "--fill", fill)
        assert done.returncode == 2 and "label" in done.stderr, done.stderr


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_argmax_does_not_warn(dtype, revoxel, tmp_path):
    """Scores below 0 are no values that the type of the labels would have to hold."""
    scores = np.rint(scores_of(3) * 3).astype(dtype)
    assert scores.min() < 0
    source = save_scores(tmp_path / "in.nii", scores)
    report = run_json(revoxel, source, tmp_path / "out.nii", "--size", 30, 30, 30, "--argmax")
    assert report["warnings"] == []


def test_argmax_memory(program, tmp_path):
    """Input, output and a little: no resampled channel is held."""
    base = peak_bytes(program, "--version")
    assert base < 64 * MIB
    source = save_scores(tmp_path / "in.nii", scores_of(12, (96, 96, 96)))
    for options in (["--size", 256, 256, 256], ["--like", turned(tmp_path / "g.nii", source, (256, 256, 256), 0.3)]):
        out = tmp_path / "out.nii"
        peak = peak_bytes(program, "resample", source, out, *options, "--argmax", "--threads", 2, "--quiet", "--force")
        size = source.stat().st_size, out.stat().st_size
        assert size[1] == pytest.approx(256**3, rel=0.01)
        assert sum(size) <= peak - base + 8 * MIB  # the measure sees them
        assert peak - base <= sum(size) + 64 * MIB


# Usage errors: exit code 2, one line, nothing written.


def usage_sources(tmp_path):
    scores = scores_of(3, (6, 5, 4))
    return {
        "labels": CT_LABELS,
        "scores": save_scores(tmp_path / "scores.nii", scores),
        "int16": save_scores(tmp_path / "int16.nii", np.rint(scores).astype(np.int16)),
    }


@pytest.mark.parametrize(
    "source, options, says",
    [
        ("int16", ["--argmax", "--softmax"], "softmax"),
        ("scores", ["--argmax", "--channel-labels", "1,2"], "2 channel labels for 3 volumes"),
        ("scores", ["--argmax", "--channel-labels", "1,2,3,4"], "4 channel labels for 3 volumes"),
        ("scores", ["--argmax", "--channel-labels", "1,2,300", "--dtype", "uint8"], "300"),
        ("scores", ["--argmax", "--dtype", "float32"], "integer"),
        ("scores", ["--softmax"], "softmax"),
        ("scores", ["--channel-labels", "1,2,3"], "argmax"),
        ("scores", ["--argmax", "--labels"], "exclude each other"),
        ("labels", ["--labels", "--antialias", "gaussian"], "antialias gaussian"),
        ("labels", ["--labels", "--interp", "cubic"], "cubic"),
        ("labels", ["--labels", "--mask-threshold", "0.5"], "mask threshold"),
        ("labels", ["--label-fraction", "5", "--dtype", "uint8"], "uint8"),
        ("labels", ["--label-fraction", "5", "--labels"], "exclude each other"),
        ("labels", ["--label-fraction", "nan"], "a label is a number"),
        ("labels", ["--argmax"], "4-D"),
        ("labels", ["--label-fraction", "5", "--compare"], "--compare"),
        ("labels", ["--keep-labels"], "add labels"),
        ("labels", ["--label-report"], "--labels"),
        ("labels", ["--interp", "label-gaussian"], "--labels"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_usage_errors(source, options, says, revoxel, tmp_path):
    out = tmp_path / "out.nii"
    done = revoxel("resample", usage_sources(tmp_path)[source], out, "--size", 5, 5, 5, *options)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("revoxel: error: ") and says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not out.exists()
    assert done.stdout == ""
