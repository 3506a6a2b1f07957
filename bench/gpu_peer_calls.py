"""What torch, cupyx and jax are asked for by gpu_peers.py: arrays, noise and time on the device, and the calls themselves.

device "cpu" is for the tests: torch and jax there, scipy in place of cupyx, whose functions are scipy's.
"""

import os
import time

import numpy as np

LABELS = 105  # as bench/gpu_jobs.cpp
TYPES = {"uint8": np.uint8, "int16": np.int16, "float32": np.float32}


def shape_of(grid):
    return tuple(grid["extent"][::-1])


def slug(job):
    return job["name"].replace(" ", "-")


# The libraries: arrays, noise and time on the device


def blocks(random_block, shape):
    """Labels in blocks of 8 x 16 x 16 voxels."""
    few = [-(-n // b) for n, b in zip(shape, (8, 16, 16))]
    return random_block(few), (8, 16, 16), tuple(slice(n) for n in shape)


class Torch:
    def __init__(self, device):
        import torch

        self.torch, self.device = torch, torch.device("cuda" if device == "gpu" else "cpu")
        self.version = f"torch {torch.__version__}"
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False

    def put(self, array):
        return self.torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def get(self, result):
        parts = result if isinstance(result, list) else [result]
        return np.concatenate([part.cpu().numpy() for part in parts])

    def noise(self, shape, dtype):
        if dtype == "uint8":
            draw = lambda few: self.torch.randint(0, LABELS, few, dtype=self.torch.uint8, device=self.device)
            labels, sizes, cut = blocks(draw, shape)
            for axis, size in enumerate(sizes):
                labels = labels.repeat_interleave(size, axis)
            return labels[cut].contiguous()
        if dtype == "int16":
            return self.torch.randint(-1024, 3072, shape, dtype=self.torch.int16, device=self.device)
        return self.torch.rand(shape, device=self.device).mul_(4096).sub_(1024)

    def milliseconds(self, run, volumes, repeat):
        if self.device.type == "cpu":
            return on_the_cpu(run, volumes, repeat)
        cuda = self.torch.cuda
        events = [cuda.Event(enable_timing=True) for _ in range(repeat + 1)]
        events[0].record()
        for n in range(repeat):
            run(volumes[n % len(volumes)])
            events[n + 1].record()
        cuda.synchronize()
        return [a.elapsed_time(b) for a, b in zip(events, events[1:])]

    def forget(self):
        if self.device.type == "cuda":
            self.torch.cuda.empty_cache()


class Cupy:
    def __init__(self, device):
        self.on_gpu = device == "gpu"
        if self.on_gpu:
            import cupy as xp
            from cupyx.scipy import ndimage
        else:
            import numpy as xp
            from scipy import ndimage
        self.xp, self.ndimage = xp, ndimage
        self.version = f"cupy {xp.__version__}" if self.on_gpu else "scipy in place of cupy"

    def put(self, array):
        return self.xp.asarray(array)

    def get(self, result):
        return self.xp.asnumpy(result) if self.on_gpu else result

    def noise(self, shape, dtype):
        random = self.xp.random
        if dtype == "uint8":
            labels, sizes, cut = blocks(lambda few: random.randint(0, LABELS, few).astype(np.uint8), shape)
            for axis, size in enumerate(sizes):
                labels = self.xp.repeat(labels, size, axis)
            return self.xp.ascontiguousarray(labels[cut])
        if dtype == "int16":
            return random.randint(-1024, 3072, shape).astype(np.int16)
        values = random.random(shape) if not self.on_gpu else random.random(shape, dtype=np.float32)
        return (values * 4096 - 1024).astype(np.float32)

    def milliseconds(self, run, volumes, repeat):
        if not self.on_gpu:
            return on_the_cpu(run, volumes, repeat)
        cuda = self.xp.cuda
        events = [cuda.Event() for _ in range(repeat + 1)]
        events[0].record()
        for n in range(repeat):
            run(volumes[n % len(volumes)])
            events[n + 1].record()
        events[-1].synchronize()
        return [cuda.get_elapsed_time(a, b) for a, b in zip(events, events[1:])]

    def forget(self):
        if self.on_gpu:
            self.xp.get_default_memory_pool().free_all_blocks()


class Jax:
    def __init__(self, device):
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        os.environ["JAX_PLATFORMS"] = "cuda" if device == "gpu" else "cpu"
        import jax

        self.jax = jax
        self.version = f"jax {jax.__version__}"
        self.key = jax.random.key(1)

    def put(self, array):
        return self.jax.numpy.asarray(array)

    def get(self, result):
        return np.asarray(result)

    def noise(self, shape, dtype):
        self.key, one = self.jax.random.split(self.key)
        return self.jax.random.uniform(one, shape, TYPES[dtype], -1024, 3072)

    def milliseconds(self, run, volumes, repeat):
        """jax has no events: as many calls as the others have, in groups, waited for at the end of each."""
        group = max(1, repeat // 5)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            results = [run(volumes[n % len(volumes)]) for n in range(group)]
            self.jax.block_until_ready(results)
            times.append(1e3 * (time.perf_counter() - start) / group)
            del results
        return times

    def forget(self):
        self.jax.clear_caches()


def on_the_cpu(run, volumes, repeat):
    times = []
    for n in range(repeat):
        start = time.perf_counter()
        run(volumes[n % len(volumes)])
        times.append(1e3 * (time.perf_counter() - start))
    return times


LIBRARIES = {"torch": Torch, "cupyx": Cupy, "jax": Jax}

# The calls. Each is given the library, the job as bench_gpu tells it and what its folder holds, and returns what is timed.


def stored(lib, values, job):
    """In the job's type; rounding belongs to the peer where it computes floats."""
    if job["output"]["dtype"] == "float32":
        return values
    return values.round_().to(getattr(lib.torch, job["output"]["dtype"]))


def torch_interpolate(lib, job, arrays):
    functional, size = lib.torch.nn.functional, shape_of(job["output"])

    def run(volume):
        values = functional.interpolate(volume.float()[None, None], size=size, mode="trilinear", align_corners=False)
        return stored(lib, values[0, 0], job)

    return run


def torch_nearest(lib, job, arrays):
    functional, size = lib.torch.nn.functional, shape_of(job["output"])
    return lambda volume: functional.interpolate(volume[None, None], size=size, mode="nearest-exact")[0, 0]


def torch_antialias(lib, job, arrays):
    """torch low-passes in 2-D alone: once along j and i with the slices as channels, once along k."""
    functional, (k, j, i) = lib.torch.nn.functional, shape_of(job["output"])

    def run(volume):
        plane = functional.interpolate(volume[None], size=(j, i), mode="bilinear", antialias=True)
        rows = functional.interpolate(plane.reshape(1, 1, -1, j * i), size=(k, j * i), mode="bilinear", antialias=True)
        return rows.reshape(k, j, i)

    return run


def theta_of(out_to_in, inputs, outputs):
    """affine_grid's matrices (align_corners False) of the ... x 3 x 4 affines from output to input index i, j, k."""
    matrix = np.asarray(out_to_in, np.float64)
    n, m = np.asarray(inputs["extent"], np.float64), np.asarray(outputs["extent"], np.float64)
    scale = matrix[..., :3] * m / n[:, None]
    centre = (matrix[..., :3] * (m - 1) / 2).sum(-1) + matrix[..., 3]
    return np.concatenate([scale, ((2 * centre + 1) / n - 1)[..., None]], axis=-1)


def sampled(lib, volume, grid):
    return lib.torch.nn.functional.grid_sample(volume, grid, "bilinear", "border", align_corners=False)


def torch_grid_sample(lib, job, arrays):
    """The grid is made in each call, from the affine."""
    theta = lib.put(theta_of(job["out_to_in"], job["input"], job["output"])[None].astype(np.float32))
    shape = (1, 1, *shape_of(job["output"]))

    def run(volume):
        grid = lib.torch.nn.functional.affine_grid(theta, shape, align_corners=False)
        return sampled(lib, volume[None, None], grid)[0, 0]

    return run


def torch_grid_prebuilt(lib, job, arrays):
    torch, matrix = lib.torch, theta_of(job["out_to_in"], job["input"], job["output"])
    axes = [(2 * torch.arange(m, device=lib.device, dtype=torch.float64) + 1) / m - 1 for m in job["output"]["extent"]]
    shape = shape_of(job["output"])
    grid = torch.empty((1, *shape, 3), device=lib.device)
    for d in range(3):
        i, j, k = (matrix[d, a] * axes[a] for a in range(3))
        grid[0, ..., d] = k[:, None, None] + j[:, None] + i + matrix[d, 3]
    return lambda volume: sampled(lib, volume[None, None], grid)[0, 0]


def torch_matmul(lib, job, arrays):
    """revoxel's own weights as dense matrices, one product along each axis, TF32 off."""
    torch = lib.torch
    by_axis = {axis: lib.put(weights) for axis, weights in arrays["weights"].items()}

    def run(volume):
        if 1 in by_axis:
            volume = torch.matmul(by_axis[1], volume)
        if 0 in by_axis:
            volume = torch.matmul(volume, by_axis[0].T)
        if 2 in by_axis:
            k, j, i = volume.shape
            volume = torch.matmul(by_axis[2], volume.reshape(k, j * i)).reshape(-1, j, i)
        return volume

    return run


def torch_largest(lib, volumes, size):
    """Which of the volumes is the largest at each voxel of the output, one after the other; ties to the first."""
    torch = lib.torch
    best = result = None
    for number, volume in enumerate(volumes):
        values = torch.nn.functional.interpolate(volume[None, None], size=size, mode="trilinear", align_corners=False)[0, 0]
        if best is None:
            best, result = values, torch.zeros_like(values, dtype=torch.uint8)
            continue
        result.masked_fill_(values > best, number)
        torch.maximum(best, values, out=best)
    return result


def torch_one_hot(lib, job, arrays):
    """Each label as a volume of 0 and 1."""
    size = shape_of(job["output"])
    return lambda volume: torch_largest(lib, ((volume == label).float() for label in range(LABELS)), size)


def torch_argmax(lib, job, arrays):
    size = shape_of(job["output"])
    return lambda scores: torch_largest(lib, scores, size)


BATCH = 1000  # volumes or patches in one call of torch, of whose results the list is the whole


def torch_batch(lib, job, arrays):
    functional, size = lib.torch.nn.functional, shape_of(job["output"])

    def run(volumes):
        parts = volumes[:, None].split(BATCH)
        return [functional.interpolate(part, size=size, mode="trilinear", align_corners=False)[:, 0] for part in parts]

    return run


def torch_patches(lib, job, arrays):
    theta = lib.put(theta_of(arrays["affines"], job["input"], job["output"]).astype(np.float32))
    size = shape_of(job["output"])

    def run(volume):
        result = []
        for part in theta.split(BATCH):
            grid = lib.torch.nn.functional.affine_grid(part, (len(part), 1, *size), align_corners=False)
            result.append(sampled(lib, volume.expand(len(part), 1, *volume.shape), grid)[:, 0])
        return result

    return run


def cupyx_zoom(order):
    def prepare(lib, job, arrays):
        factors = [m / n for m, n in zip(shape_of(job["output"]), shape_of(job["input"]))]
        options = {"order": order, "mode": "nearest", "grid_mode": True, "output": TYPES[job["output"]["dtype"]]}
        return lambda volume: lib.ndimage.zoom(volume, factors, **options)

    return prepare


def keep_larger(values, number, best, result):
    result[values > best] = number
    np.maximum(best, values, out=best)


def cupyx_largest(lib, job, arrays):
    """As torch_largest; what keeps the larger is one kernel a volume on the GPU: boolean indexing there waits for the device."""
    xp = lib.xp
    zoom = cupyx_zoom(1)(lib, {**job, "output": {**job["output"], "dtype": "float32"}}, arrays)
    keep = keep_larger
    if lib.on_gpu:
        keep = xp.ElementwiseKernel(
            "float32 values, uint8 number", "float32 best, uint8 result",
            "if (values > best) { best = values; result = number; }",
        )  # fmt: skip

    def run(volumes):
        best = result = None
        for number, volume in enumerate(volumes):
            values = zoom(volume)
            if best is None:
                best, result = values, xp.zeros(values.shape, np.uint8)
                continue
            keep(values, np.uint8(number), best, result)
        return result

    return run


def cupyx_one_hot(lib, job, arrays):
    largest = cupyx_largest(lib, job, arrays)
    return lambda volume: largest((volume == label).astype(np.float32) for label in range(LABELS))


def cupyx_argmax(lib, job, arrays):
    return cupyx_largest(lib, job, arrays)


def cupyx_affine(order):
    def prepare(lib, job, arrays):
        affine = np.asarray(job["out_to_in"])
        matrix = lib.put(np.ascontiguousarray(affine[:, :3][::-1, ::-1]))
        offset = affine[::-1, 3].tolist()
        options = {"output_shape": shape_of(job["output"]), "order": order, "mode": "nearest", "output": np.float32}
        return lambda volume: lib.ndimage.affine_transform(volume, matrix, offset, **options)

    return prepare


def jax_scale(method):
    def prepare(lib, job, arrays):
        jax, shape = lib.jax, shape_of(job["output"])
        scale = lib.put(np.array([m / n for m, n in zip(shape, shape_of(job["input"]))], np.float32))
        zero = lib.put(np.zeros(3, np.float32))

        def run(volume):
            return jax.image.scale_and_translate(
                volume, shape, (0, 1, 2), scale, zero, method, antialias=True, precision=jax.lax.Precision.HIGHEST
            )

        return jax.jit(run)

    return prepare
