"""The kernel between two heaps of photographs of different scenes: the blurred ones', learned with sharp ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage as ndi
import torch

from kfsr.analysis.edge_steps import correlations, few_edges, gradients
from kfsr.analysis.heap import Heap, gather
from kfsr.errors import UsageError
from kfsr.estimators import heaps, shake
from kfsr.image import Image, luma
from kfsr.kernel import Kernel, Provenance, check_scale, default_size
from kfsr.kernel.cleaning import without_noise
from kfsr.progress import Progress, silent
from kfsr.recipe import Recipe
from kfsr.settings import HeapSettings, Settings

FEW = 10
"""Photographs in a heap under which their scenes, rather than the blur, may shape the kernel."""

SOFT = -4.3
"""Of a clean heap's spectrum, the logarithm from about .08 to .25 cycles a pixel: photographs have -2.7 to -3.2; those
blurred by a Gaussian of .8 px come below this."""

RIM = 12
"""Pixels along a window's border whose equations are left out."""


@dataclass(frozen=True)
class Found:
    """kernel: what the blurred heap has and the sharp one lacks. noise: standard deviation of the blurred ones' noise
    in their luminance, [0, 1] units. misfit: as in `heaps.Fit`."""

    kernel: Kernel
    noise: float
    misfit: float


Heaped = Image | np.ndarray | tuple[str, Image | np.ndarray]
"""A photograph in a heap, or one with the name that messages call it by."""


def kernel_of_heaps(
    blurred: Iterable[Heaped],
    clean: Iterable[Heaped],
    scale: int = 1,
    *,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> Found:
    """The kernel that the `blurred` photographs share, from them and `clean` ones of other scenes.

    Both are gone through once, one photograph at a time, so a generator that reads files will do. scale: the clean ones
    have `scale` times the resolution: what was made of such photographs by a scanner or a resizer is `blurred`.
    Raises NothingToLearn where a photograph is too small, UsageError for a wrong scale. Warns (UserWarning) where the
    clean ones are soft, and of heaps that are small.
    """
    check_scale(scale)
    every = settings or Recipe().settings
    cfg = every.heaps
    patch = cfg.patch if scale == 1 else cfg.patch // 4
    window = cfg.window if scale == 1 else 0
    known = gather(luminances(clean), scale * patch, cfg.groups, patches=cfg.patches)
    progress("heaps", 1, 3)
    observed = gather(luminances(blurred), patch, cfg.groups, window, cfg.patches)
    warn_of(observed.pictures, known)
    progress("heaps", 2, 3)
    if scale == 1:
        found = _shaken(observed, known.typical, every, progress)
    else:
        found = _blob(observed, known.typical, scale, cfg)
    progress("heaps", 3, 3)
    kernel = Kernel.from_array(without_noise(found.kernels[0], cfg.cut, cfg.island), scale)
    provenance = Provenance("estimated", "heaps", observed.pictures)
    return Found(kernel.stamped(provenance), found.noise, found.misfit)


def _blob(observed: Heap, clean: np.ndarray, scale: int, cfg: HeapSettings) -> heaps.Fit:
    """A Gaussian, and how wide the canvas is that cuts it off: what a resizer or a scanner has. A free form would
    follow lobes that spectra cannot tell the sign of; but it tells the canvas: the smallest that explains the spectra
    about as well as any."""
    each, misfits = [], []
    for size in range(default_size(scale) // 2 // 2 * 2 + scale % 2, default_size(scale) + 1, 2):
        spectra = heaps.Spectra(observed.spectra[None], clean[None], scale, cfg)
        each.append(heaps.fit_gaussian(spectra, size, 0.25 * scale**2, cfg))
        misfits.append(heaps.fit(spectra, each[-1].kernels, cfg, heaps.rough(cfg.canvas_roughness)).misfit)
    return next(one for one, misfit in zip(each, misfits, strict=True) if misfit < min(misfits) + cfg.canvas_margin)


def _shaken(observed: Heap, clean: np.ndarray, settings: Settings, progress: Progress) -> heaps.Fit:
    """A kernel of any form at scale 1: from coarse to fine by the edges, then with the spectra. Edges lead to wrong
    kernels at times, which the rounds do not leave; so they begin with few windows and with all, and the latter goes
    on where it clearly explains the spectra better."""
    cfg = settings.heaps
    every = len(observed.windows)
    counts = sorted({min(cfg.first_windows, every), every})
    ends = []
    for n, count in enumerate(counts):
        first = replace(settings.shake, cut=cfg.first_cut, island=cfg.first_island, windows=count)
        start = shake.estimate(observed.windows[:count], first, progress=progress).array
        side = min(cfg.patch // 2 - 1, start.shape[0] + cfg.room)
        start = _centred(ndi.gaussian_filter(np.pad(start, side), 0.5), side)
        ends.append(_Rounds(observed, clean, side, settings).run(start, cfg.first_rounds))
        progress("starts", n + 1, len(counts))
    best = ends[-1] if ends[-1].misfit < ends[0].misfit - cfg.start_margin else ends[0]
    rounds = _Rounds(observed, clean, best.kernels.shape[-1], settings)
    return rounds.run(best.kernels[0], cfg.rounds, progress)


class _Rounds:
    """Of edges and kernel in turn, for kernels of one side."""

    def __init__(self, observed: Heap, clean: np.ndarray, side: int, settings: Settings) -> None:
        self.cfg, self.coupling, self.side = settings.heaps, settings.shake.last_coupling, side
        rows, cols = (min(one.shape[axis] for one in observed.windows) for axis in (0, 1))
        self.windows = torch.from_numpy(np.stack([one[:rows, :cols] for one in observed.windows]))
        inside = torch.zeros_like(self.windows)
        inside[:, RIM:-RIM, RIM:-RIM] = 1
        self.seen = gradients(self.windows, inside)
        self.spectra = heaps.Spectra(observed.spectra[None], clean[None], 1, self.cfg)

    def run(self, kernel: np.ndarray, count: int, progress: Progress = silent) -> heaps.Fit:
        """`count` rounds from `kernel` (side, side). They creep, so that all but the last go `stride` times as far."""
        cfg, rough = self.cfg, heaps.rough(self.cfg.roughness)
        for n in range(count):
            k = torch.from_numpy(kernel).float()
            latent = few_edges(self.windows, k, cfg.sharpness, cfg.edge_width, self.coupling)
            equations = correlations(gradients(latent, torch.ones_like(latent)), self.seen, self.side)
            found = heaps.fit(self.spectra, kernel[None], cfg, heaps.edges_misfit(equations, cfg.edges), rough)
            after = found.kernels[0]
            if n + 1 < count:
                after = np.maximum(kernel + cfg.stride * (after - kernel), 0)
            kernel = _centred(without_noise(after, cfg.cut, cfg.island), self.side)
            progress("spectra and edges", n + 1, count)
        return replace(found, kernels=kernel[None])


def warn_of(pictures: int, clean: Heap) -> None:
    """Tell (UserWarning) what makes the kernel of so many blurred pictures doubtful."""
    if min(pictures, clean.pictures) < FEW:
        warnings.warn(
            f"{pictures} blurred and {clean.pictures} clean pictures are few, and their scenes may pass for blur: the "
            "kernel may be far too wide; take 20 of each",
            UserWarning,
            stacklevel=3,
        )
    frequencies = np.fft.fftfreq(clean.spectra.shape[-1])
    radius = np.hypot(frequencies[:, None], frequencies)
    low, high = (np.log(clean.typical[(radius > a) & (radius < b)]).mean() for a, b in ((0.06, 0.1), (0.2, 0.3)))
    if high - low < SOFT:
        warnings.warn(
            "the clean pictures are soft themselves, so the kernel will be too narrow; take sharper ones, or make "
            "them half as large first",
            UserWarning,
            stacklevel=3,
        )


def named(pictures: Iterable[Heaped]) -> Iterator[tuple[str, Image]]:
    """Every photograph with its name, or its number where it has none."""
    for n, one in enumerate(pictures, 1):
        name, picture = one if isinstance(one, tuple) else (f"picture {n}", one)
        yield name, picture if isinstance(picture, Image) else Image.from_array(np.asarray(picture))


def luminances(pictures: Iterable[Heaped]) -> Iterator[tuple[str, np.ndarray]]:
    """The luminance of each, [0, 1] from black to white."""
    for name, image in named(pictures):
        yield name, (255 * luma(image.pixels) - 16) / 219  # full range


def _centred(kernel: np.ndarray, side: int) -> np.ndarray:
    """On a canvas of `side`, odd, moved by whole pixels so that the centre of mass lies in the middle; sum 1."""
    if side % 2 == 0:
        raise UsageError(f"a canvas of {side} px has no middle pixel")
    wide = np.pad(kernel, side)
    row, col = (round(one) for one in ndi.center_of_mass(wide))
    half = side // 2
    k = wide[row - half : row + half + 1, col - half : col + half + 1]
    centred: np.ndarray = k / k.sum()
    return centred
