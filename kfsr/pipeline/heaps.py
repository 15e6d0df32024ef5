"""The kernel between two heaps of photographs of different scenes: the blurred ones', learned with sharp ones."""

from __future__ import annotations

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
from kfsr.progress import Progress, silent
from kfsr.recipe import Recipe
from kfsr.settings import HeapSettings, Settings

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
    Raises NothingToLearn where a photograph is too small, UsageError for a wrong scale.
    """
    check_scale(scale)
    every = settings or Recipe().settings
    cfg = every.heaps
    patch = cfg.patch if scale == 1 else cfg.patch // 4
    window = cfg.window if scale == 1 else 0
    known = gather(luminances(clean), scale * patch, cfg.groups, patches=cfg.patches)
    progress("heaps", 1, 3)
    observed = gather(luminances(blurred), patch, cfg.groups, window, cfg.patches)
    progress("heaps", 2, 3)
    spectra = heaps.Spectra(observed.spectra[None], known.typical[None], scale, cfg)
    found = _shaken(observed, spectra, every, progress) if scale == 1 else _blob(spectra, scale, cfg)
    progress("heaps", 3, 3)
    kernel = Kernel.from_array(_cut(found.kernels[0], cfg), scale)
    provenance = Provenance("estimated", "heaps", observed.pictures)
    return Found(kernel.stamped(provenance), found.noise, found.misfit)


def _blob(spectra: heaps.Spectra, scale: int, cfg: HeapSettings) -> heaps.Fit:
    """A Gaussian, and how wide the canvas is that cuts it off: what a resizer or a scanner has. A free form would
    follow lobes that spectra cannot tell the sign of."""
    sizes = range(default_size(scale) // 2 // 2 * 2 + scale % 2, default_size(scale) + 1, 2)
    each = [heaps.fit_gaussian(spectra, size, 0.25 * scale**2, cfg) for size in sizes]
    return min(each, key=lambda one: one.misfit)


def _shaken(observed: Heap, spectra: heaps.Spectra, settings: Settings, progress: Progress) -> heaps.Fit:
    """A kernel of any form at scale 1: from coarse to fine by the edges, then with the spectra."""
    cfg = settings.heaps
    first = replace(settings.shake, cut=cfg.first_cut, island=cfg.first_island, windows=len(observed.windows))
    kernel = shake.estimate(observed.windows, first, progress=progress).array
    side = min(spectra.side // 2 - 1, kernel.shape[0] + cfg.room)
    kernel = _centred(ndi.gaussian_filter(np.pad(kernel, side), 0.5), side)
    rows, cols = (min(one.shape[axis] for one in observed.windows) for axis in (0, 1))
    windows = torch.from_numpy(np.stack([one[:rows, :cols] for one in observed.windows]))
    inside = torch.zeros_like(windows)
    inside[:, RIM:-RIM, RIM:-RIM] = 1
    seen = gradients(windows, inside)
    rough = heaps.rough(cfg.roughness)
    for n in range(cfg.rounds):
        k = torch.from_numpy(kernel).float()
        latent = few_edges(windows, k, cfg.sharpness, cfg.edge_width, settings.shake.last_coupling)
        equations = correlations(gradients(latent, torch.ones_like(latent)), seen, side)
        found = heaps.fit(spectra, kernel[None], cfg, heaps.edges_misfit(equations, cfg.edges), rough)
        kernel = _centred(_cut(found.kernels[0], cfg), side)
        progress("spectra and edges", n + 1, cfg.rounds)
    return replace(found, kernels=kernel[None])


def named(pictures: Iterable[Heaped]) -> Iterator[tuple[str, Image]]:
    """Every photograph with its name, or its number where it has none."""
    for n, one in enumerate(pictures, 1):
        name, picture = one if isinstance(one, tuple) else (f"picture {n}", one)
        yield name, picture if isinstance(picture, Image) else Image.from_array(np.asarray(picture))


def luminances(pictures: Iterable[Heaped]) -> Iterator[tuple[str, np.ndarray]]:
    """The luminance of each, [0, 1] from black to white."""
    for name, image in named(pictures):
        yield name, (255 * luma(image.pixels) - 16) / 219  # full range


def _cut(kernel: np.ndarray, cfg: HeapSettings) -> np.ndarray:
    """Without values below `cut` and parts below `island`; sum 1."""
    k = np.where(kernel < cfg.cut * kernel.max(), 0, kernel)
    parts, count = ndi.label(k > 0, np.ones((3, 3)))
    weights = ndi.sum_labels(k, parts, np.arange(count + 1))
    k = np.where(weights[parts] < cfg.island * k.sum(), 0, k)
    cut: np.ndarray = k / k.sum()
    return cut


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
