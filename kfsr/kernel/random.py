"""Random kernels of the kinds that cameras, lenses and programs make, and wrong versions of them.

A kernel is drawn as a mixture of Gaussians, weighted points that share one covariance: one point is a Gaussian
kernel, points along a path are camera shake, a filled shape is a box or a disk. A wrong version of it is exact too:
it is moved, turned, scaled and blurred before it is sampled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.interpolate import CubicSpline

from kfsr.kernel.gaussian import cubic
from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import Kernel, check_scale

KINDS = {"gaussian": 0.45, "shake": 0.3, "flat": 0.12, "bicubic": 0.13}
"""Kinds of kernels and the share of each: Gaussians of any covariance, camera shake, boxes and disks, and the
antialiased bicubic of programs."""


@dataclass(frozen=True)
class Blur:
    """A kernel before it is sampled: base((x - shift) form^-1) blurred by a Gaussian of variance `blur`, x in high-res
    pixels (row, column) from the centre.

    points (N, 2), weights (N,) with sum 1 and covariance (2, 2): the base, a mixture of Gaussians; "bicubic" has its
    own. ripple: factors on the samples (K, K), or None.
    """

    kind: str
    points: np.ndarray = field(default_factory=lambda: np.zeros((1, 2)))
    weights: np.ndarray = field(default_factory=lambda: np.ones(1))
    covariance: np.ndarray = field(default_factory=lambda: np.eye(2))
    ripple: np.ndarray | None = None
    form: np.ndarray = field(default_factory=lambda: np.eye(2))
    shift: np.ndarray = field(default_factory=lambda: np.zeros(2))
    blur: float = 0.0

    def sample(self, scale: int, size: int) -> Kernel:
        """The kernel on a canvas of `size` pixels, which has the scale's parity."""
        i = np.arange(size) - (size - 1) / 2
        grid = np.stack(np.meshgrid(i, i, indexing="ij"), -1) - self.shift
        if self.kind == "bicubic":
            k = cubic(grid @ np.linalg.inv(self.form).T / scale).prod(-1)
        elif self.kind == "hand":  # of many points that share a round spot: separable
            width = math.sqrt(float(self.covariance[0, 0]) + self.blur)
            rows, cols = (
                np.exp(-0.5 * ((i[:, None] - self.shift[a] - self.points[:, a]) / width) ** 2) for a in (0, 1)
            )
            k = (rows * self.weights) @ cols.T
        else:
            apart = grid[:, :, None] - self.points @ self.form.T
            inverse = np.linalg.inv(self.form @ self.covariance @ self.form.T + self.blur * np.eye(2))
            k = np.exp(-0.5 * np.einsum("...i,ij,...j->...", apart, inverse, apart)) @ self.weights
        if self.ripple is not None:
            k = k * self.ripple
        return Kernel(k / k.sum(), scale, Provenance("given", self.kind))

    def as_gaussian(self, scale: int) -> Blur:
        """The Gaussian of the same covariance, about the same centre: the best an estimate of that family can be."""
        spread = 0.18 * scale**2 * np.eye(2)  # of the Gaussian that correlates best with bicubic's kernel
        if self.kind != "bicubic":
            apart = self.points - self.weights @ self.points
            spread = self.covariance + (self.weights[:, None] * apart).T @ apart
        return Blur("gaussian", covariance=spread, form=self.form, shift=self.shift, blur=self.blur)

    def perturbed(self, uncertainty: float, rng: np.random.Generator, scale: int) -> Blur:
        """The same kernel as an estimate might have it, off in everything in proportion to `uncertainty`.

        Standard deviations at uncertainty 1: size (trace of the covariance) 25 %, ratio of the axes 15 %, direction
        10 degrees, position .35 px; blur of up to .7 px, and no trace of the ripple. Up to half of the time, the
        form is not known either, and the kernel is a Gaussian. A hand-held camera's path is off in its own way
        (`_redrawn`), as estimates from edges are.
        """
        if self.kind == "hand":
            return self._redrawn(uncertainty, rng)
        if rng.random() < 0.5 * min(1.0, 2 * uncertainty):
            return self.as_gaussian(scale)._off(uncertainty, rng)
        return self._off(uncertainty, rng)

    def _redrawn(self, uncertainty: float, rng: np.random.Generator) -> Blur:
        """The path with smooth errors, at uncertainty 1: of .4 px in place, of a factor of 1.6 in weight, faint parts
        missing, blurred by up to .7 px."""
        count = len(self.points)

        def smooth() -> np.ndarray:
            knots = rng.standard_normal(6)
            return np.interp(np.linspace(0, 5, count), np.arange(6), knots)

        points = self.points + 0.4 * uncertainty * np.stack([smooth(), smooth()], 1)
        weights = self.weights * np.exp(0.5 * uncertainty * smooth())
        weights = np.clip(weights - 0.1 * uncertainty * rng.random() * weights.max(), 0, None)
        weights /= weights.sum()
        blur = (0.7 * uncertainty * rng.random()) ** 2
        return replace(self, points=points - weights @ points, weights=weights, blur=blur)

    def _off(self, uncertainty: float, rng: np.random.Generator) -> Blur:
        size, stretch, turn, *shift = uncertainty * rng.standard_normal(5) * (0.125, 0.15, 0.17, 0.35, 0.35)
        axes = _turned(math.pi * rng.random())
        form = _turned(turn) @ axes @ np.diag(np.exp([size + stretch / 2, size - stretch / 2])) @ axes.T
        blur = (0.7 * uncertainty * rng.random()) ** 2
        ripple = None if rng.random() < uncertainty else self.ripple
        return replace(self, form=form, shift=np.array(shift), blur=blur, ripple=ripple)


def random_blur(scale: int, size: int, rng: np.random.Generator, kind: str | None = None) -> Blur:
    """A kernel of one of the `KINDS`, its extent in proportion to what a picture downscaled by `scale` can hold."""
    check_scale(scale)
    reach = 2.0 if scale == 1 else float(scale)
    kind = kind or str(rng.choice(list(KINDS), p=list(KINDS.values())))
    if kind == "bicubic":
        return Blur(kind)
    if kind == "gaussian":
        axes = _turned(math.pi * rng.random())
        deviations = reach * rng.uniform(0.2, 1.3, 2)
        if rng.random() < 0.25:
            deviations[1] = deviations[0]
        ripple = rng.uniform(1 - 0.4 * rng.random(), 1, (size, size)) if rng.random() < 0.5 else None
        return Blur(kind, covariance=axes @ np.diag(deviations**2) @ axes.T, ripple=ripple)
    if kind == "shake":
        points, weights = _shaken(reach * rng.uniform(1.0, 5.0), rng)
    elif kind == "flat":
        points = _flat(reach * rng.uniform(0.5, 2.5), rng)
        weights = np.full(len(points), 1 / len(points))
    else:
        raise ValueError(f"no kind of kernel is called {kind!r}")
    points = np.clip(points - weights @ points, -size / 2 + 2, size / 2 - 2)
    return Blur(kind, points - weights @ points, weights, rng.uniform(0.35, 0.8) ** 2 * np.eye(2))


def camera_shake(extent: float, rng: np.random.Generator) -> Blur:
    """The path of a hand-held camera, `extent` px across, about its centre of mass: a few smooth bends and a fine
    tremor, passed at uneven speed (the measured ones of Levin et al. 2009 and Lai et al. 2016 look like this)."""
    bends = int(rng.integers(2, 8))
    turns = rng.uniform(0.2, 1.3) * rng.standard_normal(bends) + math.pi * (rng.random(bends) < 0.08)
    heading = rng.uniform(0, 2 * math.pi) + np.cumsum(turns)
    strides = np.exp(0.6 * rng.standard_normal(bends))[:, None] * np.stack([np.sin(heading), np.cos(heading)], 1)
    knots = np.concatenate([np.zeros((1, 2)), np.cumsum(strides, 0)])
    times = np.concatenate([[0.0], np.cumsum(rng.uniform(0.4, 1.6, bends))])
    at = np.linspace(0, times[-1], max(48, math.ceil(6 * extent)))
    path = CubicSpline(times, knots)(at)
    path = path * extent / max(float(np.ptp(path, axis=0).max()), 1e-6)
    tremor = np.cumsum(rng.standard_normal(path.shape), 0) / math.sqrt(len(at))
    path = path + rng.uniform(0, 0.08) * math.sqrt(extent) * (tremor - np.linspace(0, 1, len(at))[:, None] * tremor[-1])
    path = path * extent / max(float(np.ptp(path, axis=0).max()), 1e-6)
    weights = np.full(len(path), 1 / len(path))
    return Blur("hand", path - weights @ path, weights, rng.uniform(0.35, 0.8) ** 2 * np.eye(2))


def _turned(angle: float) -> np.ndarray:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def _shaken(extent: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Path of a hand-held camera, at most `extent` px across: inertia, a random push now and then, uneven exposure."""
    count = 48
    velocity, path = rng.standard_normal(2), np.zeros((count, 2))
    steadiness = rng.uniform(0.6, 0.97)
    for n in range(1, count):
        if rng.random() < 0.06:
            velocity = 1.5 * rng.standard_normal(2)
        velocity = steadiness * velocity + math.sqrt(1 - steadiness**2) * rng.standard_normal(2)
        path[n] = path[n - 1] + velocity
    path *= extent / max(float(np.ptp(path, axis=0).max()), 1e-6)
    weights = np.exp(np.cumsum(rng.standard_normal(count)) * 0.15)
    return path, weights / weights.sum()


def _flat(extent: float, rng: np.random.Generator) -> np.ndarray:
    """Points that fill a turned rectangle (a line at the narrowest) or an ellipse, `extent` px long."""
    side = np.linspace(-0.5, 0.5, 9)
    points = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    if rng.random() < 0.4:
        points = points[(points**2).sum(1) <= 0.25]
    points = points * (extent, extent * rng.choice([1.0, rng.uniform(0, 1)]))
    return points @ _turned(rng.choice([0.0, math.pi * rng.random()])).T
