"""What the pipeline's tests share: a preset with next to no training, and small pictures."""

from dataclasses import replace

import numpy as np
import torch
from skimage import data

import kfsr
from kfsr.operator.spatial import degrade
from kfsr.settings import (
    EdgesSettings,
    IklSettings,
    KernelFusionSettings,
    PatchSettings,
    Settings,
    UnfoldingSettings,
    ZssrSettings,
)

QUICK = PatchSettings(width=8, steps=3, batch=2, crop=24)
TINY = Settings(
    unrolled=replace(Settings().unrolled, ensemble=1),
    edges=EdgesSettings(windows=2, window=64, iterations=4, polish_iterations=2),
    ikl=IklSettings(patch=QUICK, iterations=2, warm_up=1, batch=2, crop=20, width=4),
    # So little noise is taken away that the untrained prior does no harm, and the gate lets the result pass.
    unfolding=UnfoldingSettings(prior=QUICK, iterations=2, sigma_start=0.01),
    zssr=ZssrSettings(steps=2, batch=1, crop=40, level=0.01),
    kernelfusion=KernelFusionSettings(patch=QUICK, width=4, levels=3, steps=2, first_rounds=2, rounds=1),
)
"""Every stage with next to no training: for what does not depend on skill."""


def photo(height=67, width=83):
    return data.chelsea()[60 : 60 + height, 170 : 170 + width]


def low_resolution(kernel):
    """The astronaut, shrunk by 2 with `kernel` and rounded to 8 bits."""
    x = torch.from_numpy(data.astronaut() / 255.0).permute(2, 0, 1)[None]
    y = degrade(x, torch.from_numpy(kernel.array.copy()), 2)[0].permute(1, 2, 0).numpy()
    return np.rint(y.clip(0, 1) * 255).astype(np.uint8)


def up(image, scale=2, **arguments):
    return kfsr.upscale(image, scale=scale, **{"preset": "tiny", "kernel_method": "spectral", **arguments})
