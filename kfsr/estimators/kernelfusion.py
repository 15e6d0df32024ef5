"""KernelFusion: any kernel, by running the picture's own patch diffusion backwards at high resolution.

The high-resolution picture must have the low-resolution picture's patches and give that picture when it is downscaled
by the kernel; picture (a U-Net's) and kernel (a SIREN's) are found together (Heinimann, Shocher, Zimbalist and Irani,
arXiv:2503.21907, algorithm 1).

Where this departs from the paper's algorithm 1:

- Times. `steps` strided times from `start_time` on, in place of every one from T_nd, which the paper does not give; the
  posterior is DDPM's for any stride.
- Patch model. It predicts x_0 beside a noise level sigma, in place of v at a time t: the same up to scaling.
- The end of a time (lines 26 to 28, as read here). x_t, x_0 and the kernel that are kept are those of the last pass
  through the networks, before the optimiser's last step; nothing is computed anew with the last weights.
- Loss. A rim of the picture is left out, where the degraded picture depends on what lies beyond the border.
- Start and end. The SIREN starts as a flat kernel, since it does not get away from a Gaussian; what is under a share of
  the kernel's peak in the end is haze of the network's, and is cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from kfsr.analysis.problem import Problem
from kfsr.analysis.windows import busiest_windows
from kfsr.checkpoint import PLAIN, Driver, State
from kfsr.errors import NothingToLearn
from kfsr.estimators.method import Estimator, uncertainty_of_windows
from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import Kernel, check_scale
from kfsr.numerics import autocast, weights_from
from kfsr.operator.spatial import bicubic_upscale, degrade, reflect_pad
from kfsr.priors.diffusion import alphas_bar, noise_level, posterior
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.model import PatchModel
from kfsr.priors.patch.training import train_patch_model, training_bytes, training_seconds
from kfsr.priors.siren import SirenKernel
from kfsr.priors.unet import UNet
from kfsr.recipe import Recipe
from kfsr.settings import KernelFusionSettings

SIDE_STEP = 16
"""Sides of windows are multiples of it, in low-resolution pixels, so that the U-Net can halve them at every scale."""


@dataclass(frozen=True)
class Fusion:
    """high_res: the U-Net's own picture of the windows (B, C, sH, sW) in [-1, 1]; kernel: what it was found with."""

    high_res: Tensor
    kernel: Kernel


def estimate(
    windows: Tensor,
    scale: int,
    model: PatchModel,
    settings: KernelFusionSettings,
    generator: torch.Generator,
    driver: Driver = PLAIN,
) -> Fusion:
    """Kernel and picture of `windows` (B, C, h, w), [-1, 1], of one low-resolution picture, sides multiples of
    `SIDE_STEP`.

    model: of the patches of the whole low-resolution picture, learned unturned. Raises NothingToLearn when the windows
    are smaller than the rim that is left out, NumericalError when the result is not finite.
    """
    check_scale(scale)
    cfg, device = settings, windows.device
    if min(windows.shape[-2:]) < 4 * cfg.rim:
        raise NothingToLearn(f"a picture under {4 * cfg.rim} px on a side is too small for kernelfusion")
    size = cfg.support * scale + (cfg.support * scale - scale) % 2

    def begin() -> Reverse:
        with weights_from(generator):
            unet = UNet(windows.shape[1], cfg.width, cfg.levels).to(device)
            siren = SirenKernel(size).to(device)
        return start(windows, scale, unet, siren, cfg, generator)

    steps = partial(reverse_diffusion, windows, scale, model, cfg)
    state = driver.run("kernelfusion", cfg.steps, begin, steps, device, generator)
    trimmed = _trimmed(state.kernel, cfg.cut).cpu().double().numpy()
    return Fusion(state.x_0, Kernel.from_array(trimmed, scale, Provenance("estimated", "kernelfusion")))


@dataclass(kw_only=True)
class Reverse(State):
    """On the way back: the two networks with their optimiser, and what is kept from the last time: the picture x_0,
    x_t with its noise, and the kernel."""

    unet: nn.Module
    siren: nn.Module
    optimiser: torch.optim.Adam
    x_0: Tensor
    x_t: Tensor
    kernel: Tensor

    def results(self) -> Iterable[Tensor]:
        """Picture and kernel."""
        return self.x_0, self.kernel


def start(
    low_res: Tensor, scale: int, unet: nn.Module, siren: nn.Module, cfg: KernelFusionSettings, random: torch.Generator
) -> Reverse:
    """At the first time: the bicubic picture, and the same with noise."""
    x_0 = bicubic_upscale(low_res, scale)
    kept = alphas_bar(cfg.start_time, cfg.steps)[0]
    x_t = math.sqrt(kept) * x_0 + math.sqrt(1 - kept) * _noise_like(x_0, random)
    rates = (unet, cfg.picture_rate), (siren, cfg.kernel_rate)
    adam = torch.optim.Adam([{"params": net.parameters(), "lr": rate} for net, rate in rates])
    kernel = siren().detach()
    return Reverse(generator=random, unet=unet, siren=siren, optimiser=adam, x_0=x_0, x_t=x_t, kernel=kernel)


def reverse_diffusion(
    low_res: Tensor, scale: int, model: PatchModel, cfg: KernelFusionSettings, state: Reverse, dtype: torch.dtype
) -> Iterator[None]:
    """KernelFusion's algorithm 1, at high resolution, for `low_res` (B, C, h, w); a step is one time t.

    The patch model is frozen; the gradient runs through it into the first of the U-Net's two calls.
    """
    times = alphas_bar(cfg.start_time, cfg.steps)
    for step, (alpha_bar, before) in list(enumerate(pairwise(times)))[state.step :]:
        noise = _noise_like(state.x_0, state.generator)
        rounds = cfg.first_rounds if step == 0 else cfg.rounds
        for done in range(rounds):
            _anneal(state.optimiser, done / rounds, cfg)
            kernel = state.siren()
            with autocast(low_res.device, dtype):
                # x_0's refinement, which the low-resolution picture must follow from
                refined = state.unet(state.x_0)
                # one step back in time
                mean, deviation = posterior(refined, state.x_t, alpha_bar, before)
                x_before = mean + deviation * noise
                # what the patch model makes of it, refined by the same network
                x_new = state.unet(model.differentiable(x_before / math.sqrt(before), noise_level(before)))
            loss = _inconsistency(refined, kernel, low_res, scale, cfg.rim)
            loss = loss + _inconsistency(x_new, kernel, low_res, scale, cfg.rim)
            loss = loss + cfg.centre_weight * _off_centre(kernel)
            state.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            state.optimiser.step()
        state.x_t, state.x_0, state.kernel = x_before.detach(), x_new.detach(), kernel.detach()
        yield


def _noise_like(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator).to(x.device)


def _anneal(optimiser: torch.optim.Optimizer, fraction: float, cfg: KernelFusionSettings) -> None:
    """Cosine from each rate to a tenth of it, anew at every time."""
    share = 0.1 + 0.45 * (1 + math.cos(math.pi * fraction))
    for group, rate in zip(optimiser.param_groups, (cfg.picture_rate, cfg.kernel_rate), strict=True):
        group["lr"] = rate * share


def _inconsistency(high_res: Tensor, kernel: Tensor, low_res: Tensor, scale: int, rim: int) -> Tensor:
    """Mean square of the degraded picture less the low-resolution one; its rim has seen a border that is not there."""
    difference = degrade(high_res, kernel, scale) - low_res
    return difference[..., rim:-rim, rim:-rim].square().mean()


def _off_centre(kernel: Tensor) -> Tensor:
    """Squared distance of the centre of mass from the middle, as a share of the kernel's half side."""
    i = torch.linspace(-1, 1, kernel.shape[0], device=kernel.device)
    return (kernel.sum(0) @ i) ** 2 + (kernel.sum(1) @ i) ** 2


def _trimmed(kernel: Tensor, cut: float) -> Tensor:
    """The kernel without the network's haze: what is under `cut` of its peak."""
    return torch.where(kernel > cut * kernel.max(), kernel, torch.zeros_like(kernel))


PIXEL_SECONDS = 9e-6
"""Of one thread, for a high-resolution pixel and step, with a U-Net of width 16."""

CHANNEL_BYTES = (160, 40)
"""For each high-resolution pixel and channel of the U-Net and of the patch model, at work."""


def of_problem(problem: Problem, whole: bool = False) -> Fusion:
    """Picture and kernel of the busiest windows of a problem's pictures, or of the `whole` of one picture."""
    cfg = problem.settings.kernelfusion
    windows = _whole_window(problem) if whole else _busy_windows(problem)
    with problem.timed("patch model"):
        crops = CropSampler(problem.tensors)
        model = train_patch_model(crops, cfg.patch, problem.generator(7), problem.driver)
    with problem.timed("kernelfusion"):
        return estimate(windows, problem.scale, model, cfg, problem.generator(8), problem.driver)


def _busy_windows(problem: Problem) -> Tensor:
    """(B, C, side, side) of all pictures, at least one each; a smaller side where a picture is smaller."""
    cfg = problem.settings.kernelfusion
    side = min(cfg.window, *(n // SIDE_STEP * SIDE_STEP for one in problem.tensors for n in one.shape[-2:]))
    if side == 0:
        raise NothingToLearn(f"a picture under {SIDE_STEP} px on a side is too small for kernelfusion")
    each = math.ceil(cfg.windows / len(problem.tensors))
    both = zip(problem.tensors, problem.luminances, strict=True)
    return torch.cat([one[(..., *window)] for one, plane in both for window in busiest_windows(plane, side, each)])


def _whole_window(problem: Problem) -> Tensor:
    """The picture, extended by reflection to a size that the U-Net can halve."""
    rows, cols = (-n % SIDE_STEP for n in problem.whole.shape[-2:])
    return reflect_pad(problem.whole, 0, rows, 0, cols)


def _joint(problem: Problem) -> tuple[Tensor, Kernel]:
    rows, cols = (problem.scale * n for n in problem.whole.shape[-2:])
    fusion = of_problem(problem, whole=True)
    return fusion.high_res[..., :rows, :cols], fusion.kernel


def _seconds(pixels: int, recipe: Recipe) -> float:
    cfg = recipe.settings.kernelfusion
    steps = cfg.first_rounds + (cfg.steps - 1) * cfg.rounds
    at_work = cfg.high_pixels(pixels, recipe.scale, recipe.joint)
    return training_seconds(cfg.patch) + steps * at_work * PIXEL_SECONDS * (cfg.width / 16) ** 2


def _memory(pixels: int, recipe: Recipe) -> int:
    cfg = recipe.settings.kernelfusion
    channels = CHANNEL_BYTES[0] * cfg.width + CHANNEL_BYTES[1] * cfg.patch.width
    return training_bytes(cfg.patch) + cfg.high_pixels(pixels, recipe.scale, recipe.joint) * channels


METHOD = Estimator(
    estimate=lambda problem: of_problem(problem).kernel,
    seconds=_seconds,
    memory=_memory,
    joint=_joint,
    uncertainty=lambda problem, kernel: uncertainty_of_windows(problem, problem.settings.kernelfusion.uncertainty),
)
