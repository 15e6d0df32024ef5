"""The picture's own prior for the solvers: a patch model of the picture, shrunk, which is sharper."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from kfsr.analysis.problem import Problem
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.model import PatchModel
from kfsr.priors.patch.training import train_patch_model

SMALLEST_FATHER = 48
"""Low-resolution pixels a side under which a picture is not shrunk: too few patches would be left."""


def fathers(problem: Problem) -> CropSampler:
    """Crops of the low-resolution picture at the settings' sizes, turned and mirrored."""
    factors = problem.settings.unfolding.father_factors
    return CropSampler([_shrunk(problem.low_res, factor) for factor in factors], turn=True)


def solver_prior(problem: Problem) -> PatchModel:
    """The patch model of `fathers`. Raises NothingToLearn."""
    with problem.timed("prior"):
        cfg = problem.settings.unfolding.prior
        return train_patch_model(fathers(problem), cfg, problem.generator(3), problem.driver, "prior")


def _shrunk(picture: Tensor, factor: float) -> Tensor:
    if factor == 1 or min(picture.shape[-2:]) < factor * SMALLEST_FATHER:
        return picture
    return F.interpolate(picture, scale_factor=1 / factor, mode="bicubic", antialias=True, align_corners=False)
