"""The ZSSR solver: size, gain with the true kernel, what training adds, and determinism."""

import pytest
import torch
from scenes import MIRRORED, SLANTED, kernel_of, untrained

from kfsr.operator.spatial import bicubic_upscale, degrade
from kfsr.priors.patch.crops import CropSampler
from kfsr.settings import ZssrSettings
from kfsr.solvers import zssr

SETTINGS = ZssrSettings(steps=20, crop=32)
TRUSTED = 2 * 0.5 / 255


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def solved(scene, covariance, settings=SETTINGS, seed=0):
    kernel = kernel_of(covariance)
    return zssr.solve(scene.low_res, kernel, 2, scene.prior, scene.crops, settings, TRUSTED, generator(seed))


@pytest.mark.parametrize(("channels", "scale"), [(1, 2), (3, 3), (3, 4)])
@pytest.mark.parametrize("size", [(21, 17), (5, 3)], ids=str)
def test_the_result_is_exactly_scale_times_the_picture(channels, scale, size):
    y = torch.rand(1, channels, *size, generator=generator(1)) - 0.5
    fathers = CropSampler([torch.rand(1, channels, 40, 37, generator=generator(2)) - 0.5])
    kernel = kernel_of([[scale, 0], [0, scale]], scale)
    few = ZssrSettings(steps=2, batch=1, crop=36)
    x = zssr.solve(y, kernel, scale, untrained(channels), fathers, few, TRUSTED, generator())
    assert x.shape == (1, channels, size[0] * scale, size[1] * scale)
    assert x.isfinite().all()


def test_fathers_may_be_smaller_than_the_kernel():
    y = torch.rand(1, 1, 40, 44, generator=generator(1)) - 0.5
    fathers = CropSampler([torch.nn.functional.interpolate(y, scale_factor=0.5, mode="area")])
    few = ZssrSettings(steps=2, batch=1)
    x = zssr.solve(y, kernel_of([[4, 0], [0, 4]], 4), 4, untrained(1), fathers, few, TRUSTED, generator())
    assert x.shape == (1, 1, 160, 176)


def test_the_true_kernel_beats_bicubic(scene):
    assert scene.gain(solved(scene, SLANTED)) > 3.3


def test_the_mirrored_kernel_is_worse(scene):
    assert scene.gain(solved(scene, MIRRORED)) < scene.gain(solved(scene, SLANTED)) - 2


def test_the_seed_decides_and_the_prior_is_left_alone(scene):
    few = ZssrSettings(steps=2, batch=2, crop=24)
    before = {name: value.clone() for name, value in scene.prior.network.state_dict().items()}
    first, second, other = (solved(scene, SLANTED, few, seed) for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    after = scene.prior.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_two_steps_of_two_make_four_times_the_picture():
    y = torch.rand(1, 3, 21, 17, generator=generator(1)) - 0.5
    fathers = CropSampler([torch.rand(1, 3, 40, 37, generator=generator(2)) - 0.5])
    few = ZssrSettings(steps=2, batch=1, crop=36)
    half = kernel_of([[1, 0], [0, 1]])
    x = zssr.solve_in_two(y, half, untrained(3), fathers, few, TRUSTED, generator())
    assert x.shape == (1, 3, 84, 68)
    assert x.isfinite().all()


def test_two_steps_undo_the_kernel_of_both(scene):
    # the scene's x2 picture, shrunk once more by its own kernel
    small = degrade(scene.low_res, kernel_of(SLANTED), 2)
    args = (scene.prior, CropSampler([small]), SETTINGS, TRUSTED, generator())
    x = zssr.solve_in_two(small, kernel_of(SLANTED), *args)
    wrong = zssr.solve_in_two(small, kernel_of(MIRRORED), *args[:-1], generator())
    blurred = bicubic_upscale(small, 4)
    error = [float((scene.truth - one).square().mean()) for one in (x, blurred, wrong)]
    assert error[0] < 0.8 * error[1]
    assert error[0] < 0.8 * error[2]
