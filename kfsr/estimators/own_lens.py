"""A lens's kernels from one of its photographs: few numbers, since one photograph says little of each place.

Lateral colour is measured (`kfsr.analysis.lateral`): red and blue lie off green by a polynomial of the place. Softness
is judged, window by window and colour by colour, by the network of `kfsr.estimators.softness`, and taken to be a round
Gaussian whose deviation grows, or falls, from the middle to the corners as

    log deviation(p) = m + n |p|^2,                                                                    (1)

with the same p as in lateral colour. What is out of focus, or has no edges to judge, looks softer than the lens makes
it, so the line lies below most windows: it is a low quantile (Koenker and Bassett 1978). Green stays where it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linprog

from kfsr.analysis.lateral import displacement, lateral_colour, places
from kfsr.analysis.windows import busiest_in_cells
from kfsr.errors import NothingToLearn
from kfsr.estimators.softness import FLOOR, SIDE, SMALLEST, SoftnessNet, tells
from kfsr.kernel.field import KernelField
from kfsr.kernel.gaussian import MIN_VARIANCE, cubic
from kfsr.progress import Progress, silent
from kfsr.settings import OwnLensSettings

LEAST_VARIANCE, LEAST_SHIFT = 0.02, 0.1
"""Square pixels and pixels, under both of which all kernels are points: nobody sees that."""


@dataclass(frozen=True)
class Aberrations:
    """lateral: (2, 4), of red and blue, as `lateral_colour` gives them; zeros where there is one colour or nothing was
    found. softness: (channels, 2), m and n of (1), pixels; -inf for m where nothing is soft. spread: mean absolute
    deviation of the logarithm of the windows' own deviations."""

    lateral: np.ndarray
    softness: np.ndarray
    spread: float

    def shifts(self, at: np.ndarray) -> np.ndarray:
        """(..., channels, 2): by how many pixels (row, column) each colour lies off green, at `places` (..., 2)."""
        if len(self.softness) == 1:
            return np.zeros((*at.shape[:-1], 1, 2))
        red, blue = (displacement(numbers, at) for numbers in self.lateral)
        return np.stack([red, np.zeros_like(red), blue], -2)

    def deviations(self, at: np.ndarray) -> np.ndarray:
        """(..., channels): standard deviation of the Gaussians, pixels."""
        squared = (at**2).sum(-1, keepdims=True)
        return np.exp(self.softness[:, 0] + self.softness[:, 1] * squared)

    def field(self, grid: tuple[int, int], size: tuple[int, int], settings: OwnLensSettings) -> KernelField:
        """The kernels at (rows, columns) of a frame of `size` (width, height)."""
        middles = np.stack(np.meshgrid(*((np.arange(n) + 0.5) / n for n in grid), indexing="ij"), -1)
        at = places(middles * size[::-1], size[::-1])
        # What a sharp photograph is judged to have is not the lens's.
        variances = np.maximum(self.deviations(at) ** 2 - settings.sharp**2, 0)
        shifts = self.shifts(at)
        if variances.max() < LEAST_VARIANCE and np.abs(shifts).max() < LEAST_SHIFT:
            return KernelField(np.ones((*grid, variances.shape[-1], 1, 1)), 1)
        reach = math.ceil(float(np.abs(shifts).max()) + 2 + 3.2 * float(np.sqrt(variances.max())))
        taps = [_taps(-shifts[..., axis], variances, reach) for axis in (0, 1)]
        kernels = taps[0][..., :, None] * taps[1][..., None, :]
        return KernelField(kernels / kernels.sum((3, 4), keepdims=True), 1)


def estimate(
    pixels: np.ndarray, net: SoftnessNet, settings: OwnLensSettings, progress: Progress = silent
) -> Aberrations:
    """The aberrations of a photograph (H, W, 1 or 3) in [0, 1]. Raises NothingToLearn where it is too small or too flat
    for its softness to be told."""
    lateral = lateral_colour(pixels, settings) if pixels.shape[2] == 3 else np.zeros((2, 4))
    progress("lens", 1, 2)
    softness, spread = _softness(pixels, net, settings)
    progress("lens", 2, 2)
    return Aberrations(lateral, softness, spread)


def _softness(pixels: np.ndarray, net: SoftnessNet, settings: OwnLensSettings) -> tuple[np.ndarray, float]:
    """`Aberrations.softness` and `spread`."""
    side = min(SIDE, *pixels.shape[:2])
    if side < SMALLEST:
        raise NothingToLearn(f"the picture is smaller than {SMALLEST} pixels; its softness cannot be told")
    corners = busiest_in_cells(pixels.mean(2), side, settings.softness_cells)
    radii = (places(corners + side / 2, pixels.shape[:2]) ** 2).sum(1)
    numbers, away = [], []
    for plane in np.moveaxis(pixels, 2, 0):
        heard = []
        for (row, col), squared in zip(corners, radii, strict=True):
            window = plane[row : row + side, col : col + side].astype(np.float32)
            if not tells(window):
                continue
            with torch.no_grad():
                said = net(2 * torch.from_numpy(window.copy())[None, None] - 1)[0].double()
            variance = max(math.exp(float(said[4])) - FLOOR, MIN_VARIANCE)
            heard.append((squared, math.log(variance) / 2, math.exp(float(said[7])) / 2))
        if len(heard) < settings.least_windows:
            raise NothingToLearn(
                f"too few windows of the picture have edges to tell its softness ({len(heard)}, of "
                f"{settings.least_windows} at least); take a larger or a busier one"
            )
        squares, sizes, spreads = np.array(heard).T
        line = _low_line(squares, sizes, 1 / np.maximum(spreads, 0.05), settings)
        numbers.append(line)
        away.append(np.abs(sizes - line[0] - line[1] * squares).mean())
    return np.array(numbers), float(np.mean(away))


def _low_line(x: np.ndarray, y: np.ndarray, weights: np.ndarray, settings: OwnLensSettings) -> np.ndarray:
    """(2,): m and n of the line m + n x that a weighted `quantile` of y lie below, n no larger than they ask for, by
    linear programming over the parts of m, n and the distances above and below zero."""
    matrix, ones, q = np.stack([np.ones(len(x)), x], 1), np.eye(len(x)), settings.quantile
    slope = np.array([0, settings.steepness * weights.mean()])
    costs = np.concatenate([slope, slope, q * weights, (1 - q) * weights])
    found = linprog(costs, A_eq=np.hstack([matrix, -matrix, ones, -ones]), b_eq=y, method="highs").x
    line: np.ndarray = found[:2] - found[2:4]
    return line


def _taps(shift: np.ndarray, variance: np.ndarray, reach: int) -> np.ndarray:
    """(..., 2 * reach + 1): along one axis, a Gaussian whose middle lies `shift` pixels on. By cubic convolution, since
    samples of a narrow Gaussian between pixels say nothing of where it stands."""
    at = np.arange(-reach, reach + 1)
    moved = cubic(at - shift[..., None])
    gauss = np.exp(-0.5 * (at[:, None] - at) ** 2 / np.maximum(variance, 1e-6)[..., None, None])
    taps: np.ndarray = np.einsum("...ij,...j->...i", gauss / gauss.sum(-2, keepdims=True), moved)
    return taps
