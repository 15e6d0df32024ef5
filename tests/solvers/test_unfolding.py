"""The unfolding solver: size, gain with the true kernel, and that it minds which kernel it is given."""

from dataclasses import replace

import pytest
import torch
from scenes import MIRRORED, SLANTED, kernel_of, untrained

from kfsr.operator.spatial import degrade
from kfsr.settings import UnfoldingSettings
from kfsr.solvers import unfolding

SETTINGS = UnfoldingSettings(iterations=8)
TRUSTED = 2 * 0.5 / 255


def solved(scene, covariance, sigma=TRUSTED):
    return unfolding.solve(scene.low_res, kernel_of(covariance), 2, scene.prior, SETTINGS, sigma)


@pytest.mark.parametrize(("channels", "scale"), [(1, 2), (3, 3), (1, 3), (3, 4)])
@pytest.mark.parametrize("size", [(21, 17), (5, 3), (1, 1)], ids=str)
def test_the_result_is_exactly_scale_times_the_picture(channels, scale, size):
    y = torch.rand(1, channels, *size, generator=torch.Generator().manual_seed(1)) - 0.5
    kernel = kernel_of([[scale, 0], [0, scale]], scale)
    few = replace(SETTINGS, iterations=2)
    x = unfolding.solve(y, kernel, scale, untrained(channels), few, TRUSTED)
    assert x.shape == (1, channels, size[0] * scale, size[1] * scale)
    assert x.isfinite().all()


def test_the_true_kernel_beats_bicubic(scene):
    assert scene.gain(solved(scene, SLANTED)) > 3.5


def test_the_mirrored_kernel_is_worse(scene):
    assert scene.gain(solved(scene, MIRRORED)) < scene.gain(solved(scene, SLANTED)) - 4


def test_the_result_explains_the_picture(scene):
    again = degrade(solved(scene, SLANTED), kernel_of(SLANTED), 2)
    inside = (..., slice(4, -4), slice(4, -4))
    # Better than the rounding of 8 bits, whose root mean square is 0.29 grey levels.
    assert (again - scene.low_res)[inside].square().mean().sqrt() < 0.2 / 127.5


def test_less_trust_moves_away_from_the_data(scene):
    residuals = []
    for sigma in (TRUSTED, 8 * TRUSTED, 32 * TRUSTED):
        again = degrade(solved(scene, SLANTED, sigma), kernel_of(SLANTED), 2)
        inside = (again - scene.low_res)[..., 4:-4, 4:-4]
        residuals.append(float(inside.square().mean().sqrt()) * 127.5)
    # In grey levels: 0.05, 0.9 and 3.3.
    assert residuals[1] > 5 * residuals[0]
    assert residuals[2] > 2 * residuals[1]


def test_progress_counts_every_iteration(scene):
    calls = []
    few = replace(SETTINGS, iterations=2)
    unfolding.solve(
        scene.low_res[..., :16, :16],
        kernel_of(SLANTED),
        2,
        scene.prior,
        few,
        TRUSTED,
        progress=lambda *call: calls.append(call),
    )
    assert calls == [("solver", 1, 2), ("solver", 2, 2)]
