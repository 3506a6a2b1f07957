"""What the tools compute, in the words of docs/presets.md, evaluated in double with numpy. Shares no code with the program
and none with the tools. Positions c are continuous input indices; n, m are voxel counts, s, t spacings, k = t/s."""

import numpy as np

POLICIES = {
    "centre": lambda n, m, k: (n - 1) / 2 + (np.arange(m) - (m - 1) / 2) * k,
    "edges": lambda n, m, k: (np.arange(m) + 0.5) * n / m - 0.5,
    "first": lambda n, m, k: np.arange(m) * k,
    "ends": lambda n, m, k: np.arange(m) * (n - 1) / max(m - 1, 1),
    # The first voxel's outer face stays: torch with scale_factor.
    "face": lambda n, m, k: (np.arange(m) + 0.5) * k - 0.5,
    # Index n/2 stays, half a voxel beyond the centre: FreeSurfer, and MONAI where its corner search fails.
    "half": lambda n, m, k: n / 2 + (np.arange(m) - m / 2) * k,
}

COUNTS = {
    "floor": lambda n, k: int(np.floor(n / k)),
    "even": lambda n, k: int(np.rint(n / k)),
    "up": lambda n, k: int(np.floor(n / k + 0.5)),
    "mrtrix": lambda n, k: int(np.floor(n / k - 1e-4 + 0.5)),
    "first to last": lambda n, k: int(np.rint((n - 1) / k + 1)),
}


def extend(index, n, boundary):
    """The input index that an index stands for; -1 for none (a value of 0)."""
    if boundary == "edge":
        return np.clip(index, 0, n - 1)
    if boundary == "mirror":
        period = max(2 * (n - 1), 1)
        index = np.mod(index, period)
        return np.where(index < n, index, period - index)
    if boundary == "constant":
        return np.where((index < 0) | (index >= n), -1, index)
    raise ValueError(boundary)


def cubic_bspline(x):
    x = np.abs(x)
    return np.where(x < 1, 2 / 3 - x * x * (2 - x) / 2, np.where(x < 2, (2 - x) ** 3 / 6, 0))


def cardinal_spline(x):
    """The interpolating cubic B-spline: coefficients -6z/(1 - z^2) z^|j|, z = sqrt(3) - 2."""
    z = np.sqrt(3) - 2
    return sum(-6 * z / (1 - z * z) * z ** abs(j) * cubic_bspline(x - j) for j in range(-32, 33))


def keys(x):
    x = np.abs(x)
    return np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))


KERNELS = {
    "linear": (lambda x: np.maximum(0, 1 - np.abs(x)), 1),
    "cubic": (keys, 2),
    "bspline3": (cardinal_spline, 34),
}


def interpolation(c, n, kernel, boundary):
    """The matrix, len(c) x n, that interpolates at the positions c."""
    matrix = np.zeros((len(c), n))
    rows = np.arange(len(c))
    if kernel == "nearest":
        index = extend(np.floor(c + 0.5).astype(int), n, boundary)
        matrix[rows, index] = index >= 0
        return matrix
    function, radius = KERNELS[kernel]
    low = np.floor(c).astype(int)
    for shift in range(-radius, radius + 2):
        index = extend(low + shift, n, boundary)
        np.add.at(matrix, (rows, index), np.where(index < 0, 0, function(low + shift - c)))
    return matrix


def gaussian(n, sigma, boundary, truncate=4.0):
    """Convolution with a sampled Gaussian cut at int(truncate sigma + 1/2) voxels, weights divided by their sum."""
    radius = int(truncate * sigma + 0.5)
    shifts = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (shifts / max(sigma, 1e-30)) ** 2)
    matrix = np.zeros((n, n))
    for shift, weight in zip(shifts, weights / weights.sum()):
        np.add.at(matrix, (np.arange(n), extend(np.arange(n) + shift, n, boundary)), weight)
    return matrix


def supersampling(c, n, k, kernel, outside_is_zero):
    """MRtrix: the mean of ceil(k) samples spread over the output voxel; those outside the input count as 0 there."""
    count = max(1, int(np.ceil(k * (1 - 2.3e-16))))
    matrix = np.zeros((len(c), n))
    for i in range(count):
        position = c + ((i + 0.5) / count - 0.5) * k
        sample = interpolation(position, n, kernel, "edge")
        if outside_is_zero:
            sample[(position <= -0.5) | (position >= n - 0.5)] = 0
        matrix += sample / count
    return matrix


def apply(data, matrices):
    """The matrices along the axes; None leaves an axis as it is."""
    result = np.asarray(data, float)
    for axis, matrix in enumerate(matrices):
        if matrix is not None:
            result = np.moveaxis(np.tensordot(matrix, result, (1, axis)), 0, axis)
    return result


def fill(result, positions, shape, value):
    """The value where a sample is not within half a voxel of the input's voxels: outside iff not -1/2 <= c < n - 1/2."""
    for axis, (c, n) in enumerate(zip(positions, shape)):
        outside = [slice(None)] * 3
        outside[axis] = ~((c >= -0.5) & (c < n - 0.5))
        result[tuple(outside)] = value
    return result


def affine_of(affine, positions, step):
    """The affine of samples at `positions` along the axes, `step` input voxels apart."""
    change = np.diag([*step, 1.0])
    change[:3, 3] = [c[0] for c in positions]
    return affine @ change


def argmax_of_indicators(labels, interpolate, nearest):
    """Labels by linear interpolation of each label's indicator: the largest wins; of several, the nearest voxel's label
    if it is one of them, else the smallest (batchgenerators from 0.25.4). Also says where several are the largest: there
    a tool's rounding errors may decide instead."""
    values = np.unique(labels)
    scores = np.stack([interpolate((labels == value).astype(float)) for value in values])
    tied = scores > scores.max(axis=0) - 1e-12
    of_nearest = np.take_along_axis(tied, np.searchsorted(values, nearest)[None], 0)[0]
    return np.where(of_nearest, nearest, values[np.argmax(tied, axis=0)]), tied.sum(axis=0) > 1
