"""What two heaps of photographs of different scenes tell of each other: their power spectra, and some windows.

A heap is gone through once, one photograph at a time; what is kept does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kfsr.analysis.spectrum import mean_periodogram
from kfsr.analysis.windows import busiest_windows
from kfsr.errors import NothingToLearn


@dataclass(frozen=True)
class Heap:
    """spectra: (groups, patch, patch) mean periodograms of the photographs n, n + groups, ...; of fewer photographs
    than groups one each. windows: the busiest window of the first photograph of each group, in [0, 1]. pictures: how
    many there were."""

    spectra: np.ndarray
    windows: tuple[np.ndarray, ...]
    pictures: int

    @property
    def typical(self) -> np.ndarray:
        """(patch, patch): the geometric mean of the groups over the 8 symmetries of the square. What directions and
        what contrast single scenes have averages out in it; scenes turned and mirrored are scenes, too."""
        mean: np.ndarray = np.exp(_symmetric(np.log(np.maximum(self.spectra, 1e-12)).mean(0)))
        return mean


def gather(
    planes: Iterable[tuple[str, np.ndarray]], patch: int, groups: int, window: int = 0, patches: int | None = None
) -> Heap:
    """The heap of luminances (H, W) in [0, 1], each with its name for messages. window: side of the windows, 0 for
    none. patches: most of one photograph. Raises NothingToLearn where a photograph is smaller than a patch, or where
    there is none."""
    sums: list[np.ndarray] = []
    counts: list[int] = []
    windows: list[np.ndarray] = []
    number = 0
    for number, (name, plane) in enumerate(planes, 1):
        if min(plane.shape) < patch:
            raise NothingToLearn(
                f"{name}: {plane.shape[1]}x{plane.shape[0]} px are too few to compare heaps by; leave it out, or take "
                f"pictures of {patch} px on a side or more"
            )
        spectrum = mean_periodogram(plane, patch, patches)
        if number <= groups:
            sums.append(spectrum)
            counts.append(1)
            if window:
                windows.append(plane[busiest_windows(plane, window, 1)[0]].astype(np.float32))
        else:
            sums[(number - 1) % groups] += spectrum
            counts[(number - 1) % groups] += 1
    if not number:
        raise NothingToLearn("there is no picture in the heap")
    return Heap(np.stack([one / count for one, count in zip(sums, counts, strict=True)]), tuple(windows), number)


def _symmetric(spectrum: np.ndarray) -> np.ndarray:
    """Mean over the 8 symmetries of a spectrum (n, n) in FFT order."""

    def mirrored(s: np.ndarray) -> np.ndarray:
        return np.roll(s[::-1], 1, 0)

    total = np.zeros_like(spectrum)
    for one in (spectrum, spectrum.T):
        across = mirrored(one.T).T
        total += one + mirrored(one) + across + mirrored(across)
    return total / 8
