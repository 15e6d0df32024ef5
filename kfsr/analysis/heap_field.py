"""What a heap of photographs tells of a lens: power spectra place by place, colour by colour, and between colours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kfsr.analysis.spectrum import hann
from kfsr.errors import InputError, NothingToLearn


@dataclass(frozen=True)
class FieldHeap:
    """spectra: (rows, cols, channels, groups, patch, patch) mean periodograms, scaled as by `mean_periodogram`, of the
    patches whose middle lies in the cell. between: (rows, cols, 2, patch, patch) mean cross spectra of red and of blue
    with green, each patch with the same weight; empty for one channel. size: (width, height) of all photographs.
    pictures: how many."""

    spectra: np.ndarray
    between: np.ndarray
    size: tuple[int, int]
    pictures: int


def gather_field(
    pictures: Iterable[tuple[str, np.ndarray]], grid: tuple[int, int], patch: int, groups: int, each: int
) -> FieldHeap:
    """The heap of pixels (H, W, C) in [0, 1], each with its name for messages, all of one size and C.

    each: patches of one cell of one photograph, at most. Raises InputError for a photograph of another size,
    NothingToLearn where cells are smaller than half a patch.
    """
    window = hann(patch)
    norm = (window**2).sum()
    spectra, counts, between = np.zeros(()), np.zeros(groups), np.zeros(())
    shape: tuple[int, ...] = ()
    number = 0
    for number, (name, pixels) in enumerate(pictures, 1):
        if number == 1:
            shape = pixels.shape
            _check_cells(name, shape, grid, patch)
            spectra = np.zeros((*grid, shape[2], groups, patch, patch))
            between = np.zeros((*grid, 2 if shape[2] == 3 else 0, patch, patch), complex)
        elif pixels.shape != shape:
            raise InputError(
                f"{name}: {pixels.shape[1]}x{pixels.shape[0]} px, but the first picture has {shape[1]}x{shape[0]}; a "
                "field needs pictures of one camera, all held the same way and not cut"
            )
        counts[(number - 1) % groups] += 1
        for row, rows in enumerate(_starts(shape[0], grid[0], patch, each)):
            for col, cols in enumerate(_starts(shape[1], grid[1], patch, each)):
                cut = np.stack([pixels[i : i + patch, j : j + patch] for i in rows for j in cols]).astype(np.float64)
                cut -= (cut * window[..., None]).sum((1, 2), keepdims=True) / window.sum()
                waves = np.fft.fft2(cut * window[..., None], axes=(1, 2)).transpose(3, 0, 1, 2)
                spectra[row, col, :, (number - 1) % groups] += (np.abs(waves) ** 2).mean(1) / norm
                if len(waves) == 3:
                    energy = (np.abs(waves[1]) ** 2).sum((1, 2), keepdims=True) + 1e-9 * norm
                    for n, other in enumerate((0, 2)):
                        between[row, col, n] += (waves[other] * waves[1].conj() / energy).mean(0)
    if not number:
        raise NothingToLearn("there is no picture in the heap")
    used = counts > 0
    return FieldHeap(spectra[..., used, :, :] / counts[used, None, None], between, (shape[1], shape[0]), number)


def _check_cells(name: str, shape: tuple[int, ...], grid: tuple[int, int], patch: int) -> None:
    if min(shape[0] / grid[0], shape[1] / grid[1]) < patch / 2 or min(shape[:2]) < patch:
        raise NothingToLearn(
            f"{name}: {shape[1]}x{shape[0]} px are too few for a grid of {grid[0]}x{grid[1]}; a cell needs "
            f"{patch // 2} px on a side, so take a coarser grid"
        )


def _starts(pixels: int, cells: int, patch: int, each: int) -> list[list[int]]:
    """For each cell of an axis, where its patches begin: about the root of `each` of them, whose middles lie in it."""
    cell = pixels / cells
    count = max(1, min(int(each**0.5), int(cell / (patch / 4))))
    found = []
    for n in range(cells):
        middles = cell * (n + (np.arange(count) + 0.5) / count)
        found.append([int(one) for one in (middles - patch / 2).round().clip(0, pixels - patch)])
    return found
