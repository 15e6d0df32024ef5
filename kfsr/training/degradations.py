"""Degradations as photographs meet them, drawn at random, with the exact truth on the same grid.

Four kinds: a phone's camera, a web site, a scanner, and clean data under a known kernel. What can happen, in this
order, each part or none: blur and sampling; a camera; grain; halftone dots; sharpening; files. Sharpening is linear
and belongs to the kernel; all that the kernel does not explain is noise, measured against the truth.

    degradation = draw("phone", 2, rng)
    low_res = degradation.apply(truth, rng)
    noise, correlation = degradation.unexplained(truth, low_res)

Pictures are float32 (H, W, 3) in [0, 1]; low-resolution pixel i sits at s*i + (s-1)/2 (`kfsr.kernel.value`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from kfsr.kernel import Kernel, Provenance
from kfsr.kernel.random import Blur, camera_shake, random_blur
from kfsr.kernel.sharpening import Sharpening
from kfsr.operator.fourier import circular_degrade
from kfsr.operator.spatial import degrade
from kfsr.training.camera import DEMOSAICKING, Camera, photographed, to_linear
from kfsr.training.dirt import Grain, Halftone, Saved, rounded
from kfsr.training.resizing import enlarged_kernel, program_kernel, resize

KINDS = ("phone", "web", "scan", "clean")

CANVAS = {1: 65, 2: 24, 3: 25, 4: 32}
"""Sides of the kernels that are drawn, before sharpening widens them."""

MARGIN = 32
"""Low-resolution pixels of reflection around a whole picture, two of JPEG's largest blocks."""


LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)


@dataclass(frozen=True)
class Degradation:
    """What was drawn.

    kernel: of blur and sampling, without sharpening. blur: the same or nearly, as a form that can be made wrong. grey:
    the picture has no colours. resized: name of the program's filter, "" where no program shrank it. enlarged: factor
    by which it had been enlarged before, 1 if not. sharpening, camera, grain, halftone: None where there is none.
    files: in their order.
    """

    kind: str
    kernel: Kernel
    blur: Blur
    grey: bool = False
    resized: str = ""
    enlarged: float = 1.0
    camera: Camera | None = None
    grain: Grain | None = None
    halftone: Halftone | None = None
    sharpening: Sharpening | None = None
    files: tuple[Saved, ...] = ()

    @property
    def scale(self) -> int:
        """1 to 4."""
        return self.kernel.scale

    def whole_kernel(self) -> Kernel:
        """The kernel with the sharpening in it: what a solver must invert."""
        return self.sharpening.of_kernel(self.kernel) if self.sharpening else self.kernel

    def told_kernel(self, uncertainty: float, rng: np.random.Generator) -> Kernel:
        """`whole_kernel` as an estimate might have it, wrong in proportion to `uncertainty` (`Blur.perturbed`).

        The amount of sharpening is off by 30 % (standard deviation) at uncertainty 1, and half as often not known.
        """
        if not uncertainty:
            return self.whole_kernel()
        kernel = self.blur.perturbed(uncertainty, rng, self.scale).sample(self.scale, self.kernel.size)
        if self.sharpening is None or rng.random() < 0.25 * uncertainty:
            return kernel
        amount = self.sharpening.amount * math.exp(0.3 * uncertainty * rng.standard_normal())
        return replace(self.sharpening, amount=amount).of_kernel(kernel)

    def truth_of(self, picture: np.ndarray) -> np.ndarray:
        """What a perfect solver would give back of a sharp `picture` (H, W, 3): it, without colours where `grey`."""
        picture = _cut(picture, self.scale)
        return np.repeat(picture @ LUMA, 3, -1) if self.grey else picture

    def apply(self, truth: np.ndarray, rng: np.random.Generator, wrap: bool = False) -> np.ndarray:
        """(h, w, 3) multiples of 1/255 of `truth` (s*h + r, s*w + r, 3), r < s ignored.

        wrap: borders wrap around, which crops for training want; otherwise they are reflected.
        """
        truth = self.truth_of(truth)
        if wrap:
            return self._applied(truth, rng)
        margin = MARGIN * self.scale
        low_res = self._applied(np.pad(truth, ((margin, margin), (margin, margin), (0, 0)), "reflect"), rng)
        return low_res[MARGIN:-MARGIN, MARGIN:-MARGIN]

    def _applied(self, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        size = (truth.shape[0] // self.scale, truth.shape[1] // self.scale)
        if self.enlarged > 1:
            before = (max(1, round(size[0] / self.enlarged)), max(1, round(size[1] / self.enlarged)))
            x = resize(resize(truth, before, self.resized), size, "bicubic")
        elif self.camera:
            x = photographed(_sampled(to_linear(truth), self.kernel), self.camera, rng)
        else:
            x = _sampled(truth, self.kernel)
        if self.grain:
            x = self.grain.on(x, rng)
        if self.halftone:
            x = self.halftone.on(x)
        if self.sharpening:
            x = self.sharpening.of(x)
        for file in self.files:
            x = file.of(x)
        return rounded(x).astype(np.float32) / 255

    def unexplained(self, truth: np.ndarray, low_res: np.ndarray, wrap: bool = True) -> tuple[float, float]:
        """(noise, correlation) of low_res less the truth under `whole_kernel`; borders as in `apply`.

        noise: root mean square in [-1, 1] units, as solvers take it. correlation: that of neighbouring pixels, 0 for
        white noise.
        """
        again = (_sampled if wrap else degraded_by)(self.truth_of(truth), self.whole_kernel())
        rest = low_res - again
        if truth.max() > 1:  # what a sensor cannot hold is not noise
            rest[again > 1] = 0
        power = float((rest**2).mean())
        apart = [float((rest * np.roll(rest, 1, axis)).mean()) for axis in (0, 1)]
        return 2 * math.sqrt(power), sum(apart) / 2 / max(power, 1e-12)


def draw(kind: str, scale: int, rng: np.random.Generator) -> Degradation:
    """A random degradation of one of the `KINDS` for a scale of 1 to 4."""
    return {"phone": _phone, "web": _web, "scan": _scan, "clean": _clean}[kind](scale, rng)


def _phone(scale: int, rng: np.random.Generator) -> Degradation:
    blur = _blur(scale, rng, {"gaussian": 0.7, "shake": 0.17, "flat": 0.13}, rng.uniform(0.4, 1.0))
    shot = 10 ** rng.uniform(-4.3, -2.3)
    camera = Camera(
        shot,
        math.sqrt(shot) * rng.uniform(0.02, 0.12),
        str(rng.choice(DEMOSAICKING, p=[0.3, 0.7])),
        rng.uniform(0.2, 1.0) if rng.random() < 0.6 else 0.0,
        (int(rng.integers(2)), int(rng.integers(2))),
    )
    sharpening = _sharpening(rng) if rng.random() < 0.7 else None
    files = (_saved(rng, 60, 98),) if rng.random() < 0.93 else ()
    return Degradation("phone", _sample(blur, scale), blur, camera=camera, sharpening=sharpening, files=files)


def _web(scale: int, rng: np.random.Generator) -> Degradation:
    name = str(rng.choice(["bicubic", "area", "bilinear", "lanczos"], p=[0.45, 0.2, 0.15, 0.2]))
    enlarged, size = 1.0, CANVAS[scale]
    if rng.random() < 0.12:
        enlarged = rng.uniform(1.15, 2.0)
        array = enlarged_kernel(name, scale * enlarged, size)
    elif rng.random() < 0.2:
        # Without antialiasing; the nearest pixel lies on the grid only where the scale is odd.
        name = str(rng.choice(["bicubic", "bilinear", "area"][: 2 + scale % 2]))
        array = program_kernel(name, scale, size, antialias=False)
    else:
        array = program_kernel(name, scale, size)
    kernel = Kernel(array, scale, Provenance("given", name))
    if name in ("bicubic", "lanczos") and enlarged == 1:
        blur = Blur("bicubic")
    else:
        blur = Blur("gaussian", covariance=max(kernel.trace / 2, 0.1) * np.eye(2))
    grain = Grain(0.0, rng.uniform(0.5, 4) / 255) if rng.random() < 0.15 else None
    sharpening = _sharpening(rng) if rng.random() < 0.6 else None
    way = rng.random()
    if way < 0.15:
        files: tuple[Saved, ...] = (Saved(int(rng.integers(40, 96)), "WEBP"),)
    elif way < 0.92:
        files = tuple(_saved(rng, 30, 96, twice) for twice in range(1 + (rng.random() < 0.35)))
    else:
        files = ()
    return Degradation(
        "web", kernel, blur, resized=name, enlarged=enlarged, grain=grain, sharpening=sharpening, files=files
    )


def _scan(scale: int, rng: np.random.Generator) -> Degradation:
    blur = _blur(scale, rng, {"gaussian": 0.85, "flat": 0.15}, rng.uniform(0.5, 1.0))
    grey = bool(rng.random() < 0.25)
    colour = 0.0 if grey else rng.uniform(0.1, 0.9)
    grain = Grain(rng.uniform(0.4, 1.5), math.exp(rng.uniform(0.5, 2.9)) / 255, colour, rng.random())
    halftone = None
    if rng.random() < 0.15:
        level = rng.uniform(2, 16) / 255
        halftone = Halftone(rng.uniform(2.2, 6), rng.uniform(0, math.pi), level, 0.0 if grey else math.pi / 6)
    sharpening = _sharpening(rng) if rng.random() < 0.25 else None
    files = (_saved(rng, 50, 96),) if rng.random() < 0.5 else ()
    return Degradation(
        "scan", _sample(blur, scale), blur, grey, grain=grain, halftone=halftone, sharpening=sharpening, files=files
    )


def _clean(scale: int, rng: np.random.Generator) -> Degradation:
    blur = _blur(scale, rng)
    grain = Grain(0.0, rng.uniform(0, 10) / 255) if rng.random() < 0.35 else None
    return Degradation("clean", _sample(blur, scale), blur, grain=grain)


def _blur(scale: int, rng: np.random.Generator, kinds: dict[str, float] | None = None, narrow: float = 1.0) -> Blur:
    """A random blur of one of the `kinds` with these shares; Gaussians and disks made narrower by a factor.

    At scale 1, where pictures of any blur can be told from sharp ones, shake and disks reach up to 60 pixels.
    """
    size = CANVAS[scale]
    if kinds is None and scale == 1:
        kinds = {"hand": 0.6, "gaussian": 0.27, "flat": 0.13}
    kind = str(rng.choice(list(kinds), p=list(kinds.values()))) if kinds else None
    if kind == "hand" or (kind == "shake" and scale == 1):
        return camera_shake(math.exp(rng.uniform(math.log(4), math.log(0.85 * size))), rng)
    blur = random_blur(scale, size, rng, kind)
    if blur.kind == "flat" and scale == 1:
        factor = min(math.exp(rng.uniform(0, math.log(6))), (size / 2 - 2) / max(float(np.abs(blur.points).max()), 0.1))
        return _wider(blur, factor)
    return blur if blur.kind in ("shake", "bicubic") else replace(blur, form=narrow * np.eye(2))


def _wider(blur: Blur, factor: float) -> Blur:
    """The same disk or box, `factor` times as large."""
    points = factor * blur.points
    # Nine points a side: each as wide as their distance, so that the disk is filled.
    extent = float(np.ptp(points, axis=0).max())
    return replace(blur, points=points, covariance=np.maximum(blur.covariance, (0.06 * extent) ** 2 * np.eye(2)))


def _sample(blur: Blur, scale: int) -> Kernel:
    return blur.sample(scale, CANVAS[scale])


def _sharpening(rng: np.random.Generator) -> Sharpening:
    return Sharpening(rng.uniform(0.4, 1.6), rng.uniform(0.3, 1.3))


def _saved(rng: np.random.Generator, low: int, high: int, shifted: bool | int = False) -> Saved:
    shift = (int(rng.integers(16)), int(rng.integers(16))) if shifted else (0, 0)
    return Saved(int(rng.integers(low, high)), "JPEG", int(rng.choice([0, 1, 2], p=[0.3, 0.1, 0.6])), shift)


def _cut(truth: np.ndarray, scale: int) -> np.ndarray:
    return truth[: truth.shape[0] // scale * scale, : truth.shape[1] // scale * scale]


def _sampled(x: np.ndarray, kernel: Kernel) -> np.ndarray:
    """(h, w, 3) of (s*h, s*w, 3), borders wrapping around."""
    planes = torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1), dtype=np.float32))[None]
    k = torch.from_numpy(kernel.array.copy()).float()
    return circular_degrade(planes, k, kernel.scale)[0].permute(1, 2, 0).numpy()


def degraded_by(x: np.ndarray, kernel: Kernel) -> np.ndarray:
    """`kfsr.operator.spatial.degrade` of a picture (H, W, 3): (h, w, 3), not rounded, borders reflected."""
    planes = torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1), dtype=np.float32))[None]
    return degrade(planes, torch.from_numpy(kernel.array.copy()).float(), kernel.scale)[0].permute(1, 2, 0).numpy()
