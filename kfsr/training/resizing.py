"""Resizing as programs do it, on pixel centres, with wrap-around borders, and the kernels it amounts to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kfsr.kernel.gaussian import cubic


def _lanczos(t: np.ndarray) -> np.ndarray:
    return np.sinc(t) * np.sinc(t / 3) * (np.abs(t) < 3)


def _triangle(t: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, 1 - np.abs(t))


def _box(t: np.ndarray) -> np.ndarray:
    return (np.abs(t) < 0.5) + 0.5 * (np.abs(t) == 0.5)


FILTERS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "bicubic": (cubic, 2.0),
    "area": (_box, 0.5),
    "bilinear": (_triangle, 1.0),
    "lanczos": (_lanczos, 3.0),
}
"""Profiles over t in samples from the centre, and how far each reaches."""


def resize(x: np.ndarray, size: tuple[int, int], name: str, antialias: bool = True) -> np.ndarray:
    """`x` (h, w, C) at another size (rows, columns), pixel centres aligned, borders wrapping around."""
    x = np.tensordot(_weights(x.shape[0], size[0], name, antialias), x, 1)
    return np.tensordot(_weights(x.shape[1], size[1], name, antialias), x, (1, 1)).swapaxes(0, 1)


def _weights(before: int, after: int, name: str, antialias: bool) -> np.ndarray:
    """(after, before), rows of sum 1."""
    profile, reach = FILTERS[name]
    step = before / after
    wide = max(step, 1.0) if antialias else 1.0
    middle = (np.arange(after)[:, None] + 0.5) * step - 0.5
    i = np.floor(middle).astype(int) + np.arange(-int(np.ceil(reach * wide)), int(np.ceil(reach * wide)) + 2)
    values = profile((i - middle) / wide)
    out = np.zeros((after, before), np.float32)
    np.add.at(out, (np.arange(after)[:, None], i % before), values / values.sum(1, keepdims=True))
    return out


def program_kernel(name: str, scale: int, size: int, antialias: bool = True) -> np.ndarray:
    """(K, K) canonical kernel of `resize` by 1/scale: of `size` K, scale's parity, sum 1."""
    i = np.arange(size) - (size - 1) / 2
    return _outer(FILTERS[name][0](i / scale if antialias else i))


def enlarged_kernel(name: str, factor: float, size: int) -> np.ndarray:
    """(K, K), sum 1: the mean over all places of shrinking by `factor` (antialiased) and bicubic enlarging back."""
    fine = 8
    t = np.arange(-4 * size * fine, 4 * size * fine + 1) / (fine * factor)
    both = np.convolve(FILTERS[name][0](t), cubic(t), "same")
    i = np.arange(size) - (size - 1) / 2
    return _outer(np.interp(i / factor, t, both))


def _outer(profile: np.ndarray) -> np.ndarray:
    k = np.outer(profile, profile)
    return k / k.sum()
