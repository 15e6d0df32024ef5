"""The ZSSR solver: size, gain with the true kernel, what training adds, and determinism."""

import pytest
import torch
from scenes import MIRRORED, SLANTED, kernel_of, untrained

from kfsr.analysis.problem import Problem, Told
from kfsr.image import Image
from kfsr.operator.spatial import bicubic_upscale, degrade
from kfsr.priors.patch.crops import CropSampler
from kfsr.recipe import Recipe
from kfsr.settings import PatchSettings, Settings, UnfoldingSettings, ZssrSettings
from kfsr.solvers import zssr

SETTINGS = ZssrSettings(steps=20, crop=32)
TRUSTED = 2 * 0.5 / 255


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def fit(*args, **more):
    """The fitted networks' picture."""
    return zssr.fit(*args, **more).solve(args[0])


def solved(scene, covariance, settings=SETTINGS, seed=0):
    kernel = kernel_of(covariance)
    return fit(scene.low_res, kernel, 2, scene.prior, scene.crops, settings, TRUSTED, generator(seed))


@pytest.mark.parametrize(("channels", "scale"), [(1, 2), (3, 3), (3, 4)])
@pytest.mark.parametrize("size", [(21, 17), (5, 3)], ids=str)
def test_the_result_is_exactly_scale_times_the_picture(channels, scale, size):
    y = torch.rand(1, channels, *size, generator=generator(1)) - 0.5
    fathers = CropSampler([torch.rand(1, channels, 40, 37, generator=generator(2)) - 0.5])
    kernel = kernel_of([[scale, 0], [0, scale]], scale)
    few = ZssrSettings(steps=2, batch=1, crop=36)
    x = fit(y, kernel, scale, untrained(channels), fathers, few, TRUSTED, generator())
    assert x.shape == (1, channels, size[0] * scale, size[1] * scale)
    assert x.isfinite().all()


def test_fathers_may_be_smaller_than_the_kernel():
    y = torch.rand(1, 1, 40, 44, generator=generator(1)) - 0.5
    fathers = CropSampler([torch.nn.functional.interpolate(y, scale_factor=0.5, mode="area")])
    few = ZssrSettings(steps=2, batch=1)
    x = fit(y, kernel_of([[4, 0], [0, 4]], 4), 4, untrained(1), fathers, few, TRUSTED, generator())
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


def double(kernel):
    """The x4 kernel that is `kernel` (K, K) applied twice, K + 2 (K - 1) + 1 px a side."""
    wide = torch.zeros(2 * kernel.shape[0] - 1, 2 * kernel.shape[0] - 1)
    wide[::2, ::2] = kernel
    twice = torch.nn.functional.conv2d(
        torch.nn.functional.pad(kernel[None, None], (wide.shape[0] - 1,) * 4), wide.flip(0, 1)[None, None]
    )[0, 0]
    return twice / twice.sum()


def test_a_gaussian_of_scale_four_is_two_steps_of_two():
    y = torch.rand(1, 3, 21, 17, generator=generator(1)) - 0.5
    fathers = CropSampler([torch.rand(1, 3, 40, 37, generator=generator(2)) - 0.5])
    few = ZssrSettings(steps=2, batch=1, crop=36)
    for covariance, steps in (([[6, 0], [0, 6]], 2), ([[0.8, 0], [0, 0.8]], 1)):
        fitted = zssr.fit(y, kernel_of(covariance, 4), 4, untrained(3), fathers, few, TRUSTED, generator())
        assert len(fitted.steps) == steps
        for tile in (None, 64):
            x = fitted.solve(y, tile)
            assert x.shape == (1, 3, 84, 68)
            assert x.isfinite().all()


def test_two_steps_undo_the_kernel_of_both(scene):
    # the scene's x2 picture, shrunk once more by its own kernel
    small = degrade(scene.low_res, kernel_of(SLANTED), 2)
    args = (scene.prior, CropSampler([small]), SETTINGS, TRUSTED)
    x, mirrored = (fit(small, double(kernel_of(c)), 4, *args, generator()) for c in (SLANTED, MIRRORED))
    blurred = bicubic_upscale(small, 4)
    error = [float((scene.truth - one).square().mean()) for one in (x, blurred, mirrored)]
    assert error[0] < 0.8 * error[1]
    assert error[0] < 0.8 * error[2]


def test_the_gate_tries_the_networks_that_make_the_picture():
    """Fitted once for each kernel and sigma, on the whole picture, whatever part is then solved."""
    quick = PatchSettings(width=4, steps=1, batch=1, crop=20)
    settings = Settings(unfolding=UnfoldingSettings(prior=quick), zssr=ZssrSettings(steps=2, batch=1, crop=20))
    pixels = torch.rand(60, 56, 3, generator=generator(1)).numpy()
    steps = []
    problem = Problem([Image.from_array(pixels)], Recipe(settings=settings), progress=lambda *call: steps.append(call))
    prepared = zssr.METHOD.prepare(problem, 32)
    kernel = kernel_of(SLANTED)
    steps.clear()
    window = problem.low_res[..., :30, :30]
    first, again = (prepared.trial(window, kernel, Told(TRUSTED)) for _ in range(2))
    assert steps == [("zssr", 1, 2), ("zssr", 2, 2)]
    whole = prepared.final(problem.low_res, kernel, Told(TRUSTED))
    assert steps[2:] == [("solver", n + 1, 4) for n in range(4)]
    assert torch.equal(first, again)
    assert (whole[..., :30, :30] - first[..., :30, :30]).abs().mean() < 0.01  # but for what lies beyond the window
    for other in ((kernel_of(MIRRORED), TRUSTED), (kernel, 2 * TRUSTED)):
        assert not torch.equal(prepared.trial(window, other[0], Told(other[1])), first)
    assert [stage for stage, _, _ in steps[6:]] == 4 * ["zssr"]
