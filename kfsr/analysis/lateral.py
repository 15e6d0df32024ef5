"""Lateral colour of one photograph: how far red and blue lie off green, over the frame.

A lens that bends blue more than red draws their pictures in different sizes. With p the place in the frame, from its
middle and in halves of its diagonal, what green shows at p stands in another colour at p + d(p),

    d(p) = a p + b |p|^2 p + c,                                                                       (1)

which is radial but for c, where the lens's axis meets the sensor elsewhere than in its middle. In a small window, with
E the edges of green and F those of the other colour, moved back by what is known of d already,

    F ~ s E + g . grad E,        d grows by -g / s,                                                    (2)

by least squares, as in Lucas and Kanade (1981). A window with edges of one direction tells d across them alone, and
edges between things of different colour mislead; so all windows are fitted together, each by how surely it knows d, and
those that disagree count less. The sum over windows is the model's, not a vote: four numbers a colour.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.ndimage as ndi

from kfsr.analysis.windows import busiest_in_cells
from kfsr.settings import OwnLensSettings

WINDOW = 48
"""Pixels a side."""

MARGIN = 14
"""Pixels around a window that it is moved within."""

FINEST, COARSEST = 1.0, 4.0
"""Standard deviations, in pixels, of the Gaussians between which edges are seen."""

SATURATED = 0.97
"""Of [0, 1]: from here on a colour may have been cut off, which moves its edges."""

ALIKE = 0.7
"""Correlation of a window's edges in two colours from which on they are of the same things."""

LEAST = 8
"""Windows that must say something."""

RIDGE = 1e-4
"""Against the windows' sum, what holds the numbers small where the windows are too much in one place to tell them."""

_ROUNDS = 4
_REFITS = 12


def lateral_colour(pixels: np.ndarray, settings: OwnLensSettings) -> np.ndarray:
    """(2, 4): a, b and the two components of c (row, column), in pixels, of (1) for red and for blue, of a photograph
    (H, W, 3) in [0, 1]. Zeros for a colour that shares too few edges with green, or that is not clearly more like green
    afterwards; both where the picture is too small."""
    side = WINDOW + 2 * MARGIN
    height, width = pixels.shape[:2]
    if min(height, width) < side:
        return np.zeros((2, 4))
    corners = busiest_in_cells(pixels[..., 1], side, settings.lateral_cells)
    windows = np.stack([pixels[row : row + side, col : col + side] for row, col in corners])
    modes = _modes(places(corners + side / 2, (height, width)))
    inside = (slice(None), slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    valid = (ndi.maximum_filter(windows.max(-1), (0, 9, 9)) < SATURATED)[inside].astype(np.float32)
    green = _edges(windows[..., 1])
    slopes = [ndi.correlate1d(green, [-0.5, 0, 0.5], axis) for axis in (1, 2)]
    known = np.stack([one[inside] for one in (green, *slopes)], -1) * valid[..., None]
    gram = np.einsum("nijp,nijq->npq", known, known) + 1e-6 * np.eye(3)
    usable = valid.mean((1, 2)) > 0.5
    found = np.zeros((2, 4))
    for colour, numbers in zip((0, 2), found, strict=True):
        first = np.zeros(0)
        for n in range(_ROUNDS + 1):
            seen = _edges(_moved(windows[..., colour], modes @ numbers))[inside] * valid
            cross, power = np.einsum("nijp,nij->np", known, seen), (seen**2).sum((1, 2))
            alike = cross[:, 0] / np.sqrt(np.maximum(gram[:, 0, 0] * power, 1e-12))
            first = alike if n == 0 else first
            fit = np.linalg.solve(gram, cross[..., None])[..., 0]
            use = usable & (alike > ALIKE) & (fit[:, 0] > 0.1)
            if use.sum() < LEAST:
                numbers[:] = 0
                break
            if n < _ROUNDS:
                numbers -= _step(gram[use], cross[use], power[use], fit[use], modes[use])
        shared = usable & (np.maximum(alike, first) > ALIKE)
        if numbers.any() and not _clearly(alike[shared] - first[shared]):
            numbers[:] = 0
    return found


def displacement(numbers: np.ndarray, at: np.ndarray) -> np.ndarray:
    """d of (1), (..., 2) in pixels (row, column), at places (..., 2) as `places` gives them."""
    moves: np.ndarray = _modes(at) @ numbers
    return moves


def places(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(..., 2): from the middle of a frame of `shape` (H, W), in halves of its diagonal, of (row, column) in pixels."""
    whole = np.array(shape)
    return (pixels - whole / 2) / (np.hypot(*whole) / 2)


def _modes(at: np.ndarray) -> np.ndarray:
    """(..., 2, 4): what each number of (1) is multiplied by, along rows and columns."""
    cubic = (at**2).sum(-1, keepdims=True) * at
    fixed = np.broadcast_to(np.eye(2), (*at.shape, 2))
    return np.concatenate([at[..., None], cubic[..., None], fixed], -1)


def _edges(planes: np.ndarray) -> np.ndarray:
    """Of (N, H, W), what is neither noise nor shading."""
    fine, coarse = (ndi.gaussian_filter(planes, (0, sigma, sigma)) for sigma in (FINEST, COARSEST))
    edges: np.ndarray = fine - coarse
    return edges


def _moved(planes: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """(N, H, W), each read at a distance (N, 2) from its pixels, by cubic splines."""
    pairs = zip(planes, moves.clip(-MARGIN, MARGIN), strict=True)
    return np.stack([ndi.shift(plane, -move, order=3, mode="nearest") for plane, move in pairs])


def _clearly(gains: np.ndarray) -> bool:
    """Whether windows have gained beyond chance."""
    return bool(gains.mean() > 2 * gains.std() / math.sqrt(len(gains)))


def _step(gram: np.ndarray, cross: np.ndarray, power: np.ndarray, fit: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """(4,): the numbers of (1) for g / s of (2), robustly over N windows; gram (N, 3, 3), cross (N, 3), and power (N,):
    the sums of products that (2) consists of, fit (N, 3): its solutions."""
    residual = np.maximum(power - (fit * cross).sum(1), 1e-12) / WINDOW**2
    # What a window knows of its shift once the edges' own strength is fitted too.
    sure = gram[:, 1:, 1:] - gram[:, 1:, :1] * gram[:, :1, 1:] / gram[:, :1, :1]
    sure *= (fit[:, 0] ** 2 / (residual + 1e-6))[:, None, None]
    size = np.trace(sure, axis1=1, axis2=2)
    # No window rules, however strong its edges.
    sure *= np.minimum(1, np.quantile(size, 0.7) / size)[:, None, None]
    shifts = fit[:, 1:] / fit[:, :1]
    weights, numbers = np.ones(len(fit)), np.zeros(4)
    for _ in range(_REFITS):
        normal = np.einsum("n,nip,nij,njq->pq", weights, modes, sure, modes) + RIDGE * np.trace(sure.sum(0)) * np.eye(4)
        numbers = np.linalg.solve(normal, np.einsum("n,nip,nij,nj->p", weights, modes, sure, shifts))
        away = np.linalg.norm(shifts - modes @ numbers, axis=1)
        weights = (1 + (away / max(0.05, 1.5 * float(np.median(away)))) ** 2) ** -2.0
    return numbers
