"""What kernels and low-passes should do to a sinusoid, from their formulas. Nothing here asks the program.

f is in cycles per input voxel, widths are in input voxels, `step` is k.
"""

import numpy as np
from scipy.optimize import brentq

SIGMA = 0.8  # of kernel gaussian, the program's default
RADIUS = 5  # of the sinc kernels, the program's default
WINDOWS = {
    "lanczos": lambda u: np.sinc(u),
    "hamming": lambda u: 0.54 + 0.46 * np.cos(np.pi * u),
    "cosine": lambda u: np.cos(np.pi * u / 2),
    "welch": lambda u: 1 - u**2,
    "blackman": lambda u: 0.42 + 0.5 * np.cos(np.pi * u) + 0.08 * np.cos(2 * np.pi * u),
}


def keys(x):
    x = np.abs(x)
    inner = 1.5 * x**3 - 2.5 * x**2 + 1
    return np.where(x < 1, inner, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2)


def shape(kernel):
    """(h, radius) of the kernels that are a function of finite support."""
    if kernel == "linear":
        return lambda x: 1 - np.abs(x), 1
    if kernel == "cubic":
        return keys, 2
    name, radius = (kernel[5:], RADIUS) if kernel.startswith("sinc-") else ("lanczos", int(kernel[-1]))
    return lambda x: np.sinc(x) * WINDOWS[name](x / radius), radius


def kernel_response(kernel, f, widening=1.0):
    """Fourier transform of h(x / widening), 1 at f = 0."""
    f = np.asarray(f, float)
    if kernel == "nearest":
        return np.sinc(f)
    if kernel == "gaussian":  # integrated over each voxel, which is not widened
        return np.exp(-2 * (np.pi * SIGMA * widening * f) ** 2) * np.sinc(f)
    if kernel.startswith("bspline"):
        power = int(kernel[-1]) + 1
        g = f * widening
        periods = np.arange(-200, 201)
        return np.sinc(g) ** power / (np.sinc(g[..., None] - periods) ** power).sum(axis=-1)
    h, radius = shape(kernel)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    pieces = np.arange(-radius, radius)[:, None] + (nodes + 1) / 2
    values = h(pieces) * weights
    waves = np.cos(2 * np.pi * widening * f[..., None, None] * pieces)
    return (values * waves).sum(axis=(-2, -1)) / values.sum()


def sampled_response(d, g, f):
    return (g * np.cos(2 * np.pi * np.asarray(f, float)[..., None] * d)).sum(axis=-1) / g.sum()


def gaussian_response(sigma, f):
    """The sampled Gaussian of two-step low-passes: cut at 4 sigma, as scipy does."""
    reach = int(4 * sigma + 0.5)
    d = np.arange(-reach, reach + 1)
    return sampled_response(d, np.exp(-(d**2) / (2 * sigma**2)), f)


NARROW = 0.49  # voxel^2: below it the taps have a Gaussian's moments, see docs/conventions.md


def exact_variance_response(variance, f):
    """Taps whose variance is exactly this: a sampled Gaussian, or seven with a Gaussian's moments up to the sixth."""
    if variance < NARROW:
        d = np.arange(-3, 4)
        moments = [1, 0, variance, 0, 3 * variance**2, 0, 15 * variance**3]
        return sampled_response(d, np.linalg.solve(np.vander(d, increasing=True).T, moments), f)
    reach = int(np.ceil(5 * np.sqrt(variance))) + 1
    d = np.arange(-reach, reach + 1)

    def taps(s):
        return np.exp(-(d**2) / (2 * s**2))

    s = brentq(lambda s: (taps(s) * d**2).sum() / taps(s).sum() - variance, 0.1, 3 * np.sqrt(variance))
    return sampled_response(d, taps(s), f)


def response(kernel, antialias, step, f):
    """Of the whole down-sampling at frequency f, averaged over all positions between voxels."""
    f = np.asarray(f, float)
    if kernel == "area" or antialias == "area":
        return np.sinc(step * f) * np.sinc(f)  # box of an output voxel over boxes of input voxels
    if antialias in ("stretch", "pillow", "auto"):
        return kernel_response(kernel, f, step)
    if antialias == "none":
        return kernel_response(kernel, f)
    if antialias == "supersample":
        count = int(np.ceil(step - 1e-6))
        places = ((np.arange(count) + 0.5) / count - 0.5) * step
        return sampled_response(places, np.ones(count), f) * kernel_response(kernel, f)
    if antialias == "aperture":
        return exact_variance_response((step**2 - 1) / 12, f) * kernel_response(kernel, f)
    return gaussian_response(gaussian_sigma(antialias, step), f) * kernel_response(kernel, f)


def gaussian_sigma(antialias, step):
    return {
        "gaussian": np.sqrt((step**2 - 1) / (8 * np.log(2))),
        "skimage": (step - 1) / 2,
        "mirp": 0.402 * step,
    }[antialias]


def low_pass_alone(kernel, antialias, step, f):
    """Without interpolation after it, and a Gaussian that is not sampled."""
    if antialias == "none":
        return np.ones_like(f)
    if antialias in ("gaussian", "skimage", "mirp"):
        return np.exp(-2 * (np.pi * gaussian_sigma(antialias, step) * f) ** 2)
    return response(kernel, antialias, step, f)
