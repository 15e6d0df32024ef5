"""The pictures and kernels stay what they were: 40 cases against what an earlier commit made of them.

A safety net for work that must change no picture. What it holds to lies in tests/data/same_pictures.npz, for each case:
400 values of the picture, its means over 8 x 8 blocks, the kernel, a checksum of the input, and the machine.

Where pictures are meant to change, record anew, all of them or some (-k), and say in the commit which and why:

    KFSR_RECORD=1 python -m pytest tests/test_same_pictures.py -n 0

Tolerances: on one machine with one thread two processes gave the same bits in all cases, so every difference is the
code's. What is allowed is about what rounding brings: noise of 1e-7 on the input moves 99.5 % of the trained solver's
values by under 0.8 of a grey level (x4 with alpha: 1.5, max 3.4), means of blocks by under 0.03, kernels by under 5e-4
of their peak (ikl: 2e-3).
In kernelfusion's and zssr's cases, whose networks learn from next to nothing, it grows to 4 (zssr-x2) or 35 to 70.
They hold only code that computes the same bits: where they alone fail, look whether just the order of sums changed.
Another version of torch or kind of CPU computes other bits; there the cases in which a network computes are skipped.
"""

import io
import json
import os
import platform
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from skimage import data

import kfsr
from kfsr.image import Image
from kfsr.kernel import Kernel, bicubic_kernel, gaussian_kernel
from kfsr.numerics import working_dtype

REFERENCE = Path(__file__).parent / "data" / "same_pictures.npz"
RECORDING = bool(os.environ.get("KFSR_RECORD"))
SAMPLES, BLOCKS = 400, 8

# In grey levels of 255. Few values may be off by more than CLOSE, none by more than FAR.
CLOSE, FEW, FAR = 1.0, 0.005, 3.0
# Means of blocks: what is off by rounding alone averages out.
MEAN = 0.25
# Of the kernel's peak.
KERNEL = 2e-3


# What is called of kfsr. A keyword that gets another name is changed here.


def upscaled(image, scale, *, method="auto", init="spectral", preset="fast", **options):
    """(picture, kernel) of kfsr.upscale. options: kernel, refine, uncertainty, joint, solver, window."""
    result = kfsr.upscale(image, scale=scale, kernel_method=method, kernel_init=init, preset=preset, **options)
    return result.image, result.kernel


def estimated(images, scale, *, method="auto", init="spectral", preset="fast", **options):
    """The kernel that kfsr.estimate_kernel finds in the pictures together. options: refine."""
    return kfsr.estimate_kernel(images, scale=scale, kernel_method=method, kernel_init=init, preset=preset, **options)


def machine():
    """What the networks' numbers depend on beside the code: kernelfusion and zssr turn a last bit into grey levels, and
    which one it is depends on the processor's model, too."""
    dtype = working_dtype(torch.device("cpu"))
    return f"torch {torch.__version__}, {dtype}, {torch.backends.cpu.get_cpu_capability()}, {processor()}"


def processor():
    """The family and model of the processor, where the system says."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    known = dict(tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line)
    return " ".join(f"{name} {known[name]}" for name in ("vendor_id", "cpu family", "model") if name in known)


# The inputs, by NumPy alone.


def blur(form, scale):
    """A downscaling kernel, square, side of the scale's parity, correlation form, middle (K - 1)/2."""
    side = 7 * scale - (6 * scale) % 2
    i = (np.arange(side) - (side - 1) / 2) / scale
    if form == "cubic":
        t = np.abs(i)
        w = np.where(t <= 1, 1.5 * t**3 - 2.5 * t**2 + 1, np.where(t < 2, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2, 0))
        k = np.outer(w, w)
    elif form == "L":
        k = ell(scale, side)
    else:
        (rr, rc), (_, cc) = np.linalg.inv(np.array(COVARIANCES[form]))
        k = np.exp(-0.5 * (rr * i[:, None] ** 2 + 2 * rc * i[:, None] * i + cc * i**2))
    return k / k.sum()


# In low-resolution pixels squared, row and column.
COVARIANCES = {
    "small": [[0.3, 0.0], [0.0, 0.3]],
    "round": [[0.5, 0.0], [0.0, 0.5]],
    "slanted": [[0.7, 0.3], [0.3, 0.4]],
    "wide": [[1.2, 0.0], [0.0, 0.9]],
}


def ell(scale, side):
    """An L of 3 low-resolution pixels each way, (side, side)."""
    k = np.zeros((side, side))
    first, last = (side - 3 * scale) // 2, (side + 3 * scale) // 2
    k[first:last, first : first + scale] = 1
    k[last - scale : last, first:last] = 1
    return k


def shrunk(name, scale, form, rows, cols, channels=3):
    """The middle of a picture of skimage's, made (rows, cols, channels) by a kernel: float64 in [0, 1]."""
    whole = getattr(data, name)() / 255.0
    k = blur(form, scale)
    side = len(k)
    high, wide = rows * scale + side - scale, cols * scale + side - scale
    top, left = (whole.shape[0] - high) // 2, (whole.shape[1] - wide) // 2
    assert min(top, left) >= 0, f"{name} is too small"
    part = whole[top : top + high, left : left + wide]
    if channels == 1:
        part = part @ np.array([[0.299], [0.587], [0.114]])
    low = np.zeros((rows, cols, channels))
    for (m, n), weight in np.ndenumerate(k):
        low += weight * part[m : m + rows * scale : scale, n : n + cols * scale : scale]
    return low.clip(0, 1)


def picture(
    name, scale, form, rows, cols=None, channels=3, dtype="uint8", noise=0.0, jpeg=None, alpha=None, flat=False
):
    """An input: an array, or an `Image` for gray with alpha. noise: in grey levels. jpeg: quality. alpha: "slope",
    which leaves no pixel invisible, or "opaque". flat: one grey in place of the picture."""
    low = shrunk(name, scale, form, rows, cols or rows, channels)
    if flat:
        low = np.full_like(low, 0.4)
    if noise:
        low = (low + np.random.default_rng(7).normal(0, noise / 255, low.shape)).clip(0, 1)
    if jpeg:
        file = io.BytesIO()
        PIL.Image.fromarray(np.rint(low * 255).astype(np.uint8)).save(file, "JPEG", quality=jpeg)
        low = np.asarray(PIL.Image.open(file)) / 255.0
    if alpha:
        slope = np.linspace(0.25, 1, low.shape[1])[None].repeat(low.shape[0], 0)
        low = np.dstack([low, slope if alpha == "slope" else np.ones_like(slope)])
    # Floats have no more digits than 12 bits give, or the last one would be the CPU's.
    white = {"uint8": 255, "uint16": 65535, "float32": 4095}[dtype]
    stored = np.rint(low * white)
    array = (stored / white).astype(np.float32) if dtype == "float32" else stored.astype(dtype)
    if array.shape[2] == 2:
        unit = (stored / white).astype(np.float32)
        return Image(unit[..., :1].copy(), unit[..., 1].copy(), depth=16 if dtype == "uint16" else 8)
    return array[..., 0] if array.shape[2] == 1 else array


# The cases.


def case(scale, name, form, rows, cols=None, *, learned=True, share=None, **arguments):
    """Options of `upscaled`, beside the picture's. learned: a network computes, in the machine's working precision.
    share: channels of a second picture; the kernel is the one that both share."""
    of_picture = {"channels", "dtype", "noise", "jpeg", "alpha", "flat"}
    options = {key: value for key, value in arguments.items() if key not in of_picture}
    about = {key: value for key, value in arguments.items() if key in of_picture}
    return scale, (name, scale, form, rows, cols), about, options, learned, share


def given(form, scale):
    """A kernel that is given."""
    if form == "bicubic":
        return bicubic_kernel(scale)
    if form == "L":
        return Kernel.from_array(ell(scale, 7 * scale - (6 * scale) % 2), scale)
    if form == "uneven":  # neither square nor of the scale's parity: made so by splines
        return Kernel.from_array(ell(scale, 5 * scale + 1)[:, : 4 * scale + 2], scale)
    return gaussian_kernel(np.array(COVARIANCES[form]) * scale**2, scale)


CASES = {
    # Interpolated, or found wanting.
    "bicubic-x2-gray": case(
        2, "astronaut", "round", 48, 57, channels=1, method="bicubic", solver="bicubic", learned=False
    ),
    "bicubic-x3-rgb-uint16-odd": case(
        3, "coffee", "cubic", 51, 47, dtype="uint16", method="bicubic", solver="bicubic", learned=False
    ),
    "bicubic-x4-rgba": case(
        4, "chelsea", "round", 48, alpha="slope", method="bicubic", solver="bicubic", learned=False
    ),
    "too-small-x2-spectral": case(2, "chelsea", "round", 60, 12, method="spectral", learned=False),
    "flat-x3-auto": case(3, "chelsea", "round", 50, flat=True, learned=False),
    # A kernel that is given, and the trained solver.
    "given-slanted-x3-gray-odd": case(3, "chelsea", "slanted", 61, 53, channels=1, kernel="slanted"),
    "given-L-x2-balanced": case(2, "astronaut", "L", 72, kernel="L", preset="balanced"),
    "given-L-x4-gray-uint16": case(4, "rocket", "L", 48, channels=1, dtype="uint16", kernel="L"),
    "given-uneven-x2-float": case(2, "rocket", "L", 56, 64, dtype="float32", kernel="uneven"),
    "given-round-x4-rgba": case(4, "astronaut", "round", 48, 51, alpha="slope", kernel="round"),
    "given-slanted-x2-gray-alpha": case(2, "coffee", "slanted", 55, 48, channels=1, alpha="slope", kernel="slanted"),
    "given-wrong-x2-refined": case(2, "astronaut", "slanted", 100, kernel="small", refine=True, solver="bicubic"),
    "given-bicubic-x2-window": case(2, "coffee", "cubic", 96, kernel="bicubic", window=(30, 21, 40, 52)),
    "given-wide-x2-uncertain": case(2, "rocket", "round", 64, kernel="wide", uncertainty=1.5),
    "given-bicubic-x2-jpeg": case(2, "chelsea", "cubic", 80, jpeg=75, kernel="bicubic"),
    "assumed-bicubic-x3-float": case(3, "astronaut", "cubic", 48, 55, dtype="float32", method="bicubic"),
    # Spectral.
    "spectral-x2-unrefined": case(
        2, "astronaut", "slanted", 96, method="spectral", refine=False, solver="bicubic", learned=False
    ),
    "spectral-x2-refined": case(2, "coffee", "slanted", 112, method="spectral"),
    "spectral-x3-refined": case(3, "rocket", "round", 97, 101, method="spectral"),
    "spectral-x4-gray-balanced-uint16": case(
        4, "astronaut", "round", 64, channels=1, dtype="uint16", method="spectral", preset="balanced"
    ),
    "spectral-x2-rgba-opaque-noisy": case(2, "chelsea", "round", 72, alpha="opaque", noise=4.0, method="spectral"),
    "spectral-x2-noisy-cautious": case(2, "rocket", "small", 64, noise=5.0, method="spectral"),
    "spectral-x2-jpeg-refused": case(2, "rocket", "wide", 64, jpeg=60, method="spectral"),
    "spectral-x2-shared-with-gray": case(2, "astronaut", "round", 72, method="spectral", share=1),
    # Auto.
    "auto-x2-gaussian": case(2, "astronaut", "round", 96),
    "auto-x2-small-edges": case(2, "coffee", "cubic", 64),
    "auto-x2-L-edges": case(2, "astronaut", "L", 80),
    "auto-x3-uint16-edges": case(3, "coffee", "small", 48, dtype="uint16"),
    "auto-x2-jpeg": case(2, "astronaut", "slanted", 64, jpeg=85),
    # Edges.
    "edges-x2-unrefined": case(2, "astronaut", "L", 64, method="edges", refine=False, solver="bicubic", learned=False),
    "edges-x3-gray-odd": case(3, "coffee", "L", 49, 51, channels=1, method="edges"),
    "edges-x4-gray": case(4, "astronaut", "round", 48, 53, channels=1, method="edges"),
    "edges-x2-shared": case(2, "coffee", "L", 48, method="edges", share=3),
    # Ikl.
    "ikl-x2": case(2, "coffee", "slanted", 48, method="ikl", solver="bicubic"),
    "ikl-x2-gray-from-gaussian": case(2, "astronaut", "round", 48, channels=1, method="ikl", init="gaussian"),
    # Kernelfusion.
    "kernelfusion-x2": case(2, "astronaut", "L", 32, method="kernelfusion-edges"),
    "kernelfusion-x2-joint-window": case(
        2, "coffee", "slanted", 25, 30, channels=1, method="kernelfusion", joint=True, window=(5, 3, 16, 20)
    ),
    # The solvers that learn from the picture.
    "unfolding-x3": case(3, "coffee", "round", 32, kernel="round", solver="unfolding"),
    # These pass the gate at its first step, whether it tries them or unfolding.
    "zssr-x2": case(2, "coffee", "cubic", 32, kernel="bicubic", solver="zssr"),
    "zssr-x4-gray": case(4, "astronaut", "round", 24, channels=1, kernel="round", solver="zssr"),
}


def result_of(name):
    """(input, picture, kernel) of a case."""
    scale, where, about, options, _, share = CASES[name]
    image = picture(*where, **about)
    options = dict(options)
    if "kernel" in options:
        options["kernel"] = given(options["kernel"], scale)
    if share:
        other = picture("chelsea", *where[1:], channels=share)
        options["kernel"] = estimated([image, other], scale, method=options.pop("method"))
    return image, *upscaled(image, scale, **options)


# What is kept of a result.


def parts(image):
    """(H, W, C) float32 arrays of an input, alpha last."""
    if isinstance(image, Image):
        return np.dstack([image.pixels, *([] if image.alpha is None else [image.alpha])])
    return image


def samples(values, name):
    """SAMPLES of (H, W, C), at places that the name draws."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    return values.reshape(-1)[random.integers(0, values.size, SAMPLES)]


def means(values):
    """(BLOCKS, BLOCKS, C): means of (H, W, C) over a grid."""
    bands = (np.array_split(band, BLOCKS, axis=1) for band in np.array_split(values, BLOCKS))
    return np.array([[block.mean((0, 1), dtype=np.float64) for block in band] for band in bands])


def summary(name):
    """What is recorded of a case: arrays by name, and facts."""
    image, result, kernel = result_of(name)
    values = parts(result)
    arrays = {
        "pixels": np.rint(samples(values, name) * 65535.0).astype(np.uint16),
        "means": np.rint(means(values) * 65535.0).astype(np.uint16),
        "kernel": kernel.array.astype(np.float32),
    }
    facts = {
        "input": zlib.crc32(np.ascontiguousarray(parts(image)).tobytes()),
        "shape": list(values.shape),
        "dtype": str(values.dtype),
        "depth": result.depth,
        "alpha": result.alpha is not None,
        "kernel": kernel.method,
        "machine": machine(),
    }
    return arrays, facts


@cache
def recorded():
    """(arrays by "case/what", facts by case) of the file."""
    if not REFERENCE.exists():
        return {}, {}
    with np.load(REFERENCE) as file:
        arrays = {key: file[key] for key in file.files}
    return arrays, json.loads(arrays.pop("facts").tobytes())


@pytest.fixture(scope="module")
def record():
    """Takes a case's summary; what was taken is written at the end, beside the file's other cases."""
    taken = {}
    yield taken.__setitem__
    if taken:
        arrays, facts = recorded()
        for name, (some, fact) in taken.items():
            arrays.update({f"{name}/{what}": value for what, value in some.items()})
            facts[name] = fact
        arrays = {key: value for key, value in sorted(arrays.items()) if key.split("/")[0] in CASES}
        facts = {key: value for key, value in sorted(facts.items()) if key in CASES}
        REFERENCE.parent.mkdir(exist_ok=True)
        np.savez_compressed(REFERENCE, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_same_picture(name, record):
    if RECORDING:
        assert "PYTEST_XDIST_WORKER" not in os.environ, "record with -n 0: one process writes the file"
        record(name, summary(name))
        return
    arrays, facts = recorded()
    then, learned = facts[name], CASES[name][4]
    if learned and then["machine"] != machine():
        pytest.skip(f"recorded with {then['machine']}; this is {machine()}")
    now_arrays, now = summary(name)
    assert now["input"] == then["input"], "the input itself is another one: the test's code, Pillow or skimage"
    assert {**now, "machine": ""} == {**then, "machine": ""}
    pixels, blocks, kernel = ((now_arrays[what], arrays[f"{name}/{what}"]) for what in ("pixels", "means", "kernel"))
    off = np.abs(np.subtract(*pixels, dtype=np.float64)) / 257
    assert off.max() <= FAR
    assert (off > CLOSE).mean() <= FEW
    assert (np.abs(np.subtract(*blocks, dtype=np.float64)) / 257).max() <= MEAN
    assert kernel[0].shape == kernel[1].shape
    assert np.abs(kernel[0] - kernel[1]).max() <= KERNEL * np.abs(kernel[1]).max()


def test_all_cases_are_recorded():
    if RECORDING:
        pytest.skip("they are just being recorded")
    assert set(recorded()[1]) == set(CASES)
