"""The jobs that are timed, the peers that do them too, and what revoxel is to reach. peers.py and callgrind.py read it.

Options are those of `revoxel resample`. {size} stands for the job's voxel counts, {folder} for that of the inputs,
{output} for the file that a peer has written.
"""

from dataclasses import dataclass, field

import inputs

SIZE = ("--size", "{size}")
PLAIN = ("--antialias", "none")
CUT = ("--integers", "truncate")  # as ITK makes integers
MIRROR = ("--boundary", "mirror")  # as splines of ITK and VTK are continued, and everything of scikit-image
LIKE_PLASTIMATCH = ("--like", "{output}", *PLAIN, *CUT)  # its grid is no preset's
NO_LOW_PASS = "no anti-aliasing"
EDGES = "faces stay in place, not the centre"
SPLINE = "B-spline, not Keys"


@dataclass(frozen=True)
class Peer:
    name: str
    call: str  # a function of peer_calls.py
    same: tuple  # options with which revoxel computes what this peer computes
    arguments: dict = field(default_factory=dict)
    differs: str = ""  # how its definition differs from the job's
    tolerance: float = 1.0  # of the largest difference; for labels, of the share of voxels that differ
    fraction: int = 1  # of the slices, for what would take many minutes; the time is multiplied
    system: bool = False  # needs the system's Python, where Debian's packages are


@dataclass(frozen=True)
class Target:
    """`bound` times faster than the fastest of `peers` (of all, where none is named), or at most `bound` times something."""

    kind: str  # faster | copy | codec | cp | peak_mb | memory_share
    bound: float
    peers: tuple = ()


@dataclass(frozen=True)
class Job:
    name: str
    what: str
    input: str
    options: tuple
    peers: tuple
    targets: tuple
    labels: bool = False


@dataclass(frozen=True)
class FilePeer:
    """`command`: words with {input}, {output}, {threads}; or `script`: a function of peer_calls.py."""

    name: str
    same: tuple
    command: tuple = ()
    script: str = ""
    arguments: dict = field(default_factory=dict)
    differs: str = ""
    tolerance: float = 1.0


@dataclass(frozen=True)
class FileJob:
    name: str
    what: str
    input: str
    output: str
    options: tuple
    peers: tuple
    targets: tuple


def filled(words, **values):
    """The words of a command line with what stands in braces filled in; a list becomes several words."""
    result = []
    for word in words:
        value = values.get(word[1:-1])
        if isinstance(value, (list, tuple)):
            result += map(str, value)
        else:
            result.append(word.format(**values))
    return result


def itk(name, interpolator, same, differs="", tolerance=1.0):
    return Peer(f"SimpleITK {name}", "simpleitk", same, {"interpolator": interpolator}, differs, tolerance)


def scipy(order, same, differs="", tolerance=1.0):
    return Peer(f"scipy zoom order {order}", "scipy_zoom", same, {"order": order}, differs, tolerance)


def skimage(order, same, anti_aliasing, differs="", tolerance=1.0):
    name = f"scikit-image order {order}" + (", gaussian" if anti_aliasing else "")
    return Peer(name, "skimage_resize", same, {"order": order, "anti_aliasing": anti_aliasing}, differs, tolerance)


def vtk(kernel, same, differs="", tolerance=1.0):
    return Peer(f"VTK vtkImageResize {kernel}", "vtk_resize", same, {"kernel": kernel}, differs, tolerance)


def torch(same, differs="", tolerance=1.0):
    return Peer("torch interpolate trilinear", "torch_interpolate", same, {}, differs, tolerance, system=True)


def one_millimetre():
    gaussian = ("--preset", "skimage", *SIZE, "--dtype", "int16")
    j1 = Job(
        "J1",
        "CT int16 0.8 x 0.8 x 2.5 mm to 1 mm, linear",
        "ct.nii",
        ("--spacing", "1"),
        (
            itk("linear", "sitkLinear", ("--spacing", "1", *PLAIN, *CUT), NO_LOW_PASS),
            scipy(1, (*SIZE, *PLAIN), f"{NO_LOW_PASS}, {EDGES}"),
            skimage(1, gaussian, True, f"Gaussian low-pass, {EDGES}"),
            torch((*SIZE, *PLAIN), f"{NO_LOW_PASS}, {EDGES}"),
            vtk("linear", (*SIZE, *PLAIN), f"{NO_LOW_PASS}, {EDGES}"),
        ),
        (Target("faster", 15), Target("copy", 4)),
    )
    spline = ("--interp", "bspline3")
    j2 = Job(
        "J2",
        "as J1, cubic B-spline",
        "ct.nii",
        ("--spacing", "1", *spline),
        (
            itk("BSpline", "sitkBSpline", ("--spacing", "1", *spline, *PLAIN, *CUT, *MIRROR), NO_LOW_PASS),
            scipy(3, (*SIZE, *spline, *PLAIN), f"{NO_LOW_PASS}, {EDGES}"),
            vtk("bspline3", (*SIZE, *spline, *PLAIN, *MIRROR), f"{NO_LOW_PASS}, {EDGES}"),
        ),
        (Target("faster", 20, ("scipy zoom order 3", "SimpleITK BSpline")),),
    )
    return [j1, j2]


def doubling(scale):
    """float32: differences are relative to values up to about 4000, and torch places its samples in float32."""
    size = tuple(str(2 * inputs.extent(256, scale)) for _ in range(3))
    grid = ("--size", *size)
    spline = (*grid, "--interp", "bspline3")
    linear = Job(
        "J3 linear",
        "256^3 to 512^3 float32, linear",
        "cube256.nii",
        grid,
        (
            itk("linear", "sitkLinear", grid, "", 0.01),
            scipy(1, grid, "", 0.01),
            skimage(1, (*grid, *MIRROR), False, "", 0.01),
            torch(grid, "", 0.01),
            vtk("linear", grid, "", 0.01),
        ),
        (Target("faster", 8),),
    )
    cubic = Job(
        "J3 cubic",
        "256^3 to 512^3 float32, cubic",
        "cube256.nii",
        (*grid, "--interp", "cubic"),
        (
            itk("BSpline", "sitkBSpline", (*spline, *MIRROR), SPLINE, 0.01),
            scipy(3, spline, SPLINE, 0.01),
            skimage(3, (*spline, *MIRROR, "--clip", "global"), False, SPLINE, 0.01),
            vtk("cubic", (*grid, "--interp", "cubic"), "", 0.01),
        ),
        (Target("faster", 8),),
    )
    return [linear, cubic]


def halving(scale):
    size = tuple(str(inputs.extent(512, scale) // 2) for _ in range(3))
    grid = ("--size", *size)
    return Job(
        "J4",
        "512^3 int16 to 256^3, lanczos3, anti-aliased",
        "cube512.nii",
        (*grid, "--interp", "lanczos3"),
        (
            vtk("lanczos3", (*grid, "--interp", "lanczos3")),
            skimage(1, ("--preset", "skimage", *grid, "--dtype", "int16"), True, "linear after a Gaussian"),
        ),
        (Target("faster", 10),),
    )


def label_map(scale):
    fraction = 10 if scale == 1 else 1
    plain = ("--labels", *PLAIN)
    tolerance = 2e-3  # ties, and sums of floats that nearly tie
    one_hot = Peer(
        "one-hot argmax (numpy, scipy order 1)", "scipy_one_hot", (*SIZE, *plain), {},
        f"the vote skips voxels, {EDGES}", tolerance, fraction,
    )  # fmt: skip
    gaussian = ("--spacing", "1", *plain, "--interp", "label-gaussian")
    return Job(
        "J5",
        f"label map of {inputs.LABELS} labels to 1 mm, by votes",
        "labels.nii",
        ("--spacing", "1", "--labels"),
        (
            itk("LabelGaussian", "sitkLabelGaussian", gaussian, "Gaussian kernel, no vote over the voxel", tolerance),
            itk("LabelLinear", "sitkLabelLinear", ("--spacing", "1", *plain), "the vote skips voxels", tolerance),
            one_hot,
        ),
        (Target("faster", 20),),
        labels=True,
    )


def oblique():
    grid = ("--like", "{folder}/oblique.nii")
    extended = (*grid, *PLAIN, "--outside", "extend")
    jobs = []
    for kernel, order, interpolator, bound in (("linear", 1, "sitkLinear", 6), ("bspline3", 3, "sitkBSpline", 10)):
        interp = ("--interp", kernel)
        like_itk = (*grid, *interp, *PLAIN, *CUT, *(MIRROR if order > 1 else ()))
        name = f"SimpleITK {interpolator.removeprefix('sitk')}"
        affine = f"scipy affine_transform order {order}"
        peers = [
            Peer(name, "simpleitk", like_itk, {"interpolator": interpolator}, NO_LOW_PASS),
            Peer(affine, "scipy_affine", (*extended, *interp), {"order": order}, f"{NO_LOW_PASS}, no fill"),
        ]
        if order == 1:
            differs = f"{NO_LOW_PASS}, no fill, grid ready before"
            peers.append(Peer("torch grid_sample", "torch_grid_sample", extended, {}, differs, 2.0, system=True))
        what = f"oblique (15 degrees about two axes) onto 1 mm, {kernel}"
        options = (*grid, *interp)
        jobs.append(Job(f"J6 {kernel}", what, "ct.nii", options, tuple(peers), (Target("faster", bound, (name,)),)))
    return jobs


def scores(scale):
    options = ("--argmax", "--size", *(str(inputs.extent(n, scale)) for n in (512, 512, 300)))
    tolerance = 1e-4  # sums of floats that nearly tie
    everything = "scipy zoom per channel, then argmax"
    return Job(
        "J7",
        f"{inputs.CHANNELS} float32 channels 128^3 to 512x512x300, argmax",
        "logits.nii",
        options,
        (
            Peer(everything, "scipy_channels", options, {}, "", tolerance),
            Peer("scipy zoom per channel, running argmax", "scipy_channels_running", options, {}, "", tolerance),
            Peer("torch per channel, running argmax", "torch_channels_running", options, {}, "", tolerance, system=True),
        ),
        (Target("faster", 20, (everything,)), Target("memory_share", 0.1, (everything,))),
        labels=True,
    )


def in_memory(scale):
    return [*one_millimetre(), *doubling(scale), halving(scale), label_map(scale), *oblique(), scores(scale)]


def mrgrid(grid, kernel, dtype):
    options = ("-interp", kernel, "-datatype", dtype, "-nthreads", "{threads}", "-force", "-quiet")
    return ("mrgrid", "{input}", "regrid", *grid, *options, "{output}")


def plastimatch(spacing):
    return ("plastimatch", "resample", "--input", "{input}", "--output", "{output}", "--spacing", spacing)


def one_millimetre_files():
    spacing = ("--spacing", "1")
    script = {"spacing": [1.0, 1.0, 1.0]}
    return FileJob(
        "J1",
        "J1 from .nii.gz to .nii.gz",
        "ct.nii.gz",
        "out.nii.gz",
        spacing,
        (
            FilePeer(
                "SimpleITK", (*spacing, "--preset", "simpleitk"), script="simpleitk",
                arguments={**script, "interpolator": "sitkLinear"}, differs=f"{NO_LOW_PASS}, first voxel stays",
            ),
            FilePeer(
                "nibabel + scipy", (*spacing, "--preset", "scipy", "--interp", "linear"), script="scipy",
                arguments={**script, "order": 1}, differs=f"{NO_LOW_PASS}, ends stay, float64",
            ),
            FilePeer(
                "plastimatch resample", LIKE_PLASTIMATCH, plastimatch("1 1 1"),
                differs=f"{NO_LOW_PASS}, first voxel stays, grid ends at the last centre",
            ),
            FilePeer(
                "mrgrid linear", (*spacing, "--preset", "mrtrix", "--interp", "linear", "--dtype", "int16"),
                mrgrid(("-voxel", "1"), "linear", "int16le"), differs="mean of 2 x 2 samples",
            ),
        ),
        (
            Target("faster", 8, ("SimpleITK", "plastimatch resample")),
            Target("faster", 25, ("nibabel + scipy",)),
            Target("codec", 1.35),
            Target("peak_mb", 150),
        ),
    )  # fmt: skip


def doubling_files(scale):
    size = tuple(str(2 * inputs.extent(256, scale)) for _ in range(3))
    grid = ("--size", *size)
    script = {"spacing": [0.5, 0.5, 0.5]}
    half = ("--spacing", "0.5")
    counts = ("-size", ",".join(size))
    mrtrix = ("--preset", "mrtrix", *grid, "--dtype", "float32")
    linear = FileJob(
        "J3 linear",
        "J3 linear from .nii to .nii",
        "cube256.nii",
        "out.nii",
        grid,
        (
            FilePeer(
                "SimpleITK", (*half, "--preset", "simpleitk"), script="simpleitk",
                arguments={**script, "interpolator": "sitkLinear"}, differs="first voxel stays", tolerance=0.01,
            ),
            FilePeer(
                "nibabel + scipy", (*half, "--preset", "scipy", "--interp", "linear"), script="scipy",
                arguments={**script, "order": 1}, differs="ends stay, float64", tolerance=0.01,
            ),
            FilePeer(
                "plastimatch resample", LIKE_PLASTIMATCH, plastimatch("0.5 0.5 0.5"),
                differs="first voxel stays, grid ends at the last centre", tolerance=0.01,
            ),
            FilePeer(
                "mrgrid linear", (*mrtrix, "--interp", "linear"), mrgrid(counts, "linear", "float32le"),
                tolerance=0.01,
            ),
        ),
        (Target("cp", 2.5),),
    )  # fmt: skip
    cubic = FileJob(
        "J3 cubic",
        "J3 cubic from .nii to .nii",
        "cube256.nii",
        "out.nii",
        (*grid, "--interp", "cubic"),
        (
            FilePeer(
                "nibabel + scipy", (*half, "--preset", "scipy"), script="scipy",
                arguments={**script, "order": 3}, differs=f"{SPLINE}; ends stay, float64", tolerance=0.01,
            ),
            FilePeer("mrgrid cubic", mrtrix, mrgrid(counts, "cubic", "float32le"), tolerance=0.01),
        ),
        (Target("cp", 2.5),),
    )  # fmt: skip
    return [linear, cubic]


def file_to_file(scale):
    return [one_millimetre_files(), *doubling_files(scale)]


def chosen(scale, only):
    """The jobs of both kinds whose names begin with one of the words of `only`, as in J1,J4; all where it is empty."""
    words = set(filter(None, only.split(",")))
    wanted = lambda job: not words or job.name.split()[0] in words
    found = {"in_memory": list(filter(wanted, in_memory(scale))), "files": list(filter(wanted, file_to_file(scale)))}
    unknown = words - {job.name.split()[0] for job in found["in_memory"]}
    if unknown:
        raise SystemExit(f"no job is called {', '.join(sorted(unknown))}")
    return found


def inputs_of(todo):
    """The files that these jobs read."""
    like = [word.removeprefix("{folder}/") for job in todo for word in job.options if word.startswith("{folder}/")]
    return {job.input for job in todo} | set(like)
