"""The other way: the low-resolution picture that a kernel would give."""

from __future__ import annotations

import numpy as np
import torch

from kfsr.image import Image, unpremultiply
from kfsr.kernel import Kernel
from kfsr.operator.spatial import degrade


def degrade_image(sharp: Image, kernel: Kernel, noise: float, seed: int) -> Image:
    """`sharp` blurred by the kernel and subsampled by its scale, (H//s, W//s), alpha likewise.

    noise: standard deviation of Gaussian noise added to the colours, in grey levels of 255, drawn by `seed`.
    """
    weights = torch.tensor(kernel.array)

    def low(planes: np.ndarray) -> np.ndarray:
        x = torch.tensor(planes, dtype=torch.float64).movedim(-1, 0)[None]
        return degrade(x, weights, kernel.scale)[0].movedim(0, -1).numpy()

    pixels, alpha = low(sharp.premultiplied()), None
    if sharp.alpha is not None:
        alpha = np.clip(low(sharp.alpha[..., None])[..., 0], 0, 1)
        pixels = unpremultiply(pixels, alpha)
    noisy = pixels + np.random.default_rng(seed).normal(0, noise / 255, pixels.shape)
    return sharp.resized(noisy, alpha, 1 / kernel.scale)
