"""Whether this installation computes what it should: a picture is made, shrunk by a known kernel, made large again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from kfsr import pipeline
from kfsr.evaluation.metrics import psnr_y
from kfsr.image import Image
from kfsr.kernel import compare_kernels, gaussian_kernel
from kfsr.operator.spatial import as_stored, bicubic_upscale, degrade

SIDE, SCALE, RIM = 224, 2, 8
COVARIANCE = ((2.2, 0.8), (0.8, 1.3))
LEAST_GAIN = 2.0
"""dB over bicubic; far below what a right installation reaches (see `Score`)."""
LEAST_NCC = 0.97


@dataclass(frozen=True)
class Score:
    """gain: Y-PSNR in dB over bicubic's. ncc: correlation of the kernel found with the true one. On the machine where
    the limits were set: 5.3 dB and 0.994."""

    gain: float
    ncc: float

    @property
    def good(self) -> bool:
        """Whether the whole chain from picture to picture works."""
        return self.gain >= LEAST_GAIN and self.ncc >= LEAST_NCC


def run() -> Score:
    """Upscale the picture blindly with the preset `fast` on the CPU."""
    truth = torch.from_numpy(synthetic_picture()).permute(2, 0, 1)[None] * 2 - 1
    kernel = gaussian_kernel(np.array(COVARIANCE), SCALE)
    k = torch.from_numpy(kernel.array.copy()).float()
    low_res = as_stored(degrade(truth, k, SCALE), 0.0, torch.Generator().manual_seed(0))
    result = pipeline.upscale(Image.from_array(_array(low_res)), scale=SCALE, kernel_method="spectral", preset="fast")
    ours, bicubic = (
        psnr_y(picture, _array(truth), RIM)
        for picture in (result.image.pixels, _array(bicubic_upscale(low_res, SCALE).clamp(-1, 1)))
    )
    return Score(ours - bicubic, compare_kernels(result.kernel, kernel).ncc)


def synthetic_picture() -> np.ndarray:
    """Discs of random size, place and colour that cover each other ("dead leaves"), whose spectra are much like a
    photograph's: (SIDE, SIDE, 3) float32 in [0, 1], always the same."""
    random = np.random.default_rng(0)
    rows, cols = np.mgrid[:SIDE, :SIDE] + 0.5
    picture = np.full((SIDE, SIDE, 3), 0.5, dtype=np.float32)
    for radius in sorted(SIDE / 4 * random.random(600) ** 3 + 1.5, reverse=True):
        row, col = random.random(2) * SIDE
        distance = np.hypot(rows - row, cols - col) - radius
        cover = np.clip(0.5 - distance, 0, 1).astype(np.float32)[..., None]  # its edge as a sensor's pixels see it
        picture += cover * (random.random(3).astype(np.float32) - picture)
    return picture


def _array(picture: torch.Tensor) -> np.ndarray:
    return ((picture[0].permute(1, 2, 0).numpy() + 1) / 2).astype(np.float32)
