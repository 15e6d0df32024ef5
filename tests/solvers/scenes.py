"""A photograph, its degraded picture, and a patch model that learned it quickly."""

import numpy as np
import torch
from skimage import data

from kfsr.evaluation.metrics import psnr_y
from kfsr.kernel import gaussian_kernel
from kfsr.operator.spatial import bicubic_upscale, degrade
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.training import train_patch_model
from kfsr.settings import PatchSettings

QUICK = PatchSettings(width=24, steps=60, batch=4, crop=32)
# Wide along one diagonal: its mirror image is wide along the other.
SLANTED = [[3.0, 1.2], [1.2, 1.5]]
MIRRORED = [[3.0, -1.2], [-1.2, 1.5]]


def tensor(pixels):
    """(1, C, H, W) in [-1, 1] of uint8 (H, W, C)."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def kernel_of(covariance, scale=2):
    return torch.from_numpy(gaussian_kernel(np.array(covariance), scale).array.copy()).float()


class Scene:
    """The astronaut's face at 160 px, blurred by SLANTED, halved and rounded to 8 bits."""

    def __init__(self):
        self.truth = tensor(data.astronaut()[40:200, 150:310])
        low_res = degrade(self.truth, kernel_of(SLANTED), 2)
        self.low_res = ((low_res + 1) * 127.5).round() / 127.5 - 1
        halves = [self.low_res, torch.nn.functional.interpolate(self.low_res, scale_factor=0.5, mode="area")]
        self.crops = CropSampler(halves, turn=True)
        self.prior = train_patch_model(self.crops, QUICK, torch.Generator().manual_seed(0))

    def gain(self, result):
        """Y-PSNR of a result, in dB over bicubic's."""
        target, *both = (
            ((x[0].permute(1, 2, 0).numpy() + 1) / 2).clip(0, 1)
            for x in (self.truth, result, bicubic_upscale(self.low_res, 2))
        )
        ours, bicubic = (psnr_y(x, target, 8) for x in both)
        return ours - bicubic


def untrained(channels):
    """A patch model that has seen nothing, for what does not depend on its skill."""
    crops = CropSampler([torch.zeros(1, channels, 24, 24)])
    few = PatchSettings(width=4, steps=1, batch=1, crop=20)
    return train_patch_model(crops, few, torch.Generator().manual_seed(0))
