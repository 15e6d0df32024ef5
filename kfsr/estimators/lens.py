"""A lens's kernels over the frame and in each colour, from two heaps of photographs: (1) of `kfsr.estimators.heaps` at
every place and in every channel at once, tied to its neighbours.

A lens's kernel is a blob, so it is taken to be symmetric about its middle, which |K| settles: of a measured lens's
kernels the best symmetric ones have a correlation of .98. What is left of the phase is lateral colour. With Y_c the
spectrum of colour c in one patch, all of it of one scene,

    mean(Y_c conj(Y_green))  ~  mean(X_c conj(X_green)) K_c conj(K_green),                           (2)

and since edges stand in the same place in all colours of a scene, the phase of (2) is that of a shift from green to c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.ndimage as ndi
import torch
from torch import Tensor

from kfsr.analysis.heap_field import FieldHeap
from kfsr.estimators import heaps
from kfsr.kernel.field import KernelField
from kfsr.settings import HeapSettings

LOWEST, HIGHEST = 0.02, 0.1
"""Cycles per pixel between which the phase of (2) tells a shift: above, noise and the kernels' own forms do."""


def estimate(observed: FieldHeap, clean: np.ndarray, cfg: HeapSettings) -> tuple[KernelField, float]:
    """The field of `observed`, scale 1, and the noise's standard deviation; clean: (channels, patch, patch), the
    typical spectrum of sharp photographs. The mean of all shifts over places and colours is zero."""
    rows, cols, channels, groups, patch, _ = observed.spectra.shape
    size = min(cfg.lens_support, patch // 2 - 1)
    each = np.broadcast_to(clean, (rows, cols, *clean.shape)).reshape(-1, patch, patch)
    cfg = replace(cfg, slope=cfg.field_slope, iterations=cfg.field_iterations)
    spectra = heaps.Spectra(observed.spectra.reshape(-1, groups, patch, patch), each, 1, cfg, channels)
    found, cores = heaps.fit_moffat(spectra, size, cfg, _roughness((rows, cols, channels), cfg.smoothness))
    moves = np.zeros((rows, cols, channels, 2))
    if channels == 3:
        moves = colour_shifts(observed.between)
    placed = heaps.moffats(torch.from_numpy(cores), size, cfg.tail, torch.from_numpy(moves.reshape(-1, 2)))
    kernels = placed.numpy().reshape(rows, cols, channels, size, size)
    return KernelField(kernels / kernels.sum((3, 4), keepdims=True), 1), found.noise


def colour_shifts(between: np.ndarray) -> np.ndarray:
    """By how many pixels (rows, cols, 3, 2) the kernels of red, green and blue lie off, of the mean cross spectra
    (rows, cols, 2, P, P); smoothed over neighbours, and centred as a whole."""
    frequencies = np.fft.fftfreq(between.shape[-1])
    radius = np.hypot(frequencies[:, None], frequencies)
    seen = (radius > LOWEST) & (radius < HIGHEST)
    down, across = np.broadcast_to(frequencies[:, None], radius.shape), np.broadcast_to(frequencies, radius.shape)
    slopes = 2 * np.pi * np.stack([down[seen], across[seen]], 1)
    moves = np.zeros((*between.shape[:2], 3, 2))
    for row, col, n in np.ndindex(between.shape[:3]):
        moves[row, col, 2 * n] = _slope_of_phase(between[row, col, n][seen], slopes)
    moves = ndi.gaussian_filter(moves, (0.7, 0.7, 0, 0), mode="nearest")
    centred: np.ndarray = moves - moves.mean((0, 1, 2))
    return centred


def _slope_of_phase(waves: np.ndarray, slopes: np.ndarray, rounds: int = 8) -> np.ndarray:
    """The shift (2,) whose phases are nearest to those of `waves`, by weighted least squares that leave outliers out.

    Correlation moves a picture against the kernel's place, so that the phase of K grows with the kernel's shift.
    """
    weight, unit = np.sqrt(np.abs(waves)), waves / np.maximum(np.abs(waves), 1e-12)
    shift = np.zeros(2)
    for n in range(rounds):
        phase = np.angle(unit * np.exp(-1j * (slopes @ shift)))
        near = weight * np.exp(-2 * phase**2) if n > 1 else weight
        matrix = (slopes * near[:, None]).T @ slopes + 1e-9 * np.eye(2)
        shift = shift + np.linalg.solve(matrix, (slopes * near[:, None]).T @ phase)
    return shift


def _roughness(shape: tuple[int, int, int], weight: float) -> Callable[[Tensor], Tensor]:
    """`weight` times the mean squared difference between the numbers (M, N) of neighbours' kernels."""

    def roughness(numbers: Tensor) -> Tensor:
        field = numbers.reshape(*shape, numbers.shape[1])
        total = numbers.new_zeros(())
        for axis in (0, 1):
            if shape[axis] > 1:
                total = total + field.diff(dim=axis).square().sum(-1).mean()
        return weight * total

    return roughness
