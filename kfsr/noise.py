"""The noise of a picture, from the picture alone."""

from __future__ import annotations

import torch
from torch import Tensor

_PATCH = 6
_QUIET = 0.3
_SHARE = 9
_MOST = 40_000


def noise_level(low_res: Tensor) -> float:
    """Standard deviation of white noise in (1, C, h, w), in the picture's units; the mean over the channels.

    Noise has the same power in every direction of the space of patches, detail only in a few (the idea of Chen et al.
    2015): the mean of the smallest quarter of the eigenvalues of the covariance of 6 x 6 patches, of those 30 % with
    the least contrast. What correlates from pixel to pixel, as JPEG's errors do, is not seen. 0 for a picture that is
    smaller than a patch.
    """
    if min(low_res.shape[-2:]) < _PATCH:
        return 0.0
    return sum(_level(plane) for plane in low_res[0]) / low_res.shape[1]


def _level(plane: Tensor) -> float:
    patches = plane.unfold(0, _PATCH, 1).unfold(1, _PATCH, 1).reshape(-1, _PATCH**2)
    patches = patches[:: max(1, len(patches) // _MOST)].double()
    contrast = patches.var(1)
    quiet = patches[contrast <= torch.quantile(contrast, _QUIET)]
    quiet = quiet - quiet.mean(0)
    power = torch.linalg.eigvalsh(quiet.T @ quiet / len(quiet))[:_SHARE].mean()
    # Choosing the quiet patches and the small eigenvalues loses a tenth of white noise.
    return float(power.clamp_min(0).sqrt()) / 0.9
