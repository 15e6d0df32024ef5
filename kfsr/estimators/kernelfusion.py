"""KernelFusion: any kernel, by running the picture's own patch diffusion backwards at high resolution.

The high-resolution picture must have the low-resolution picture's patches and give that picture when it is downscaled
by the kernel; picture (a U-Net's) and kernel (a SIREN's) are found together (Heinimann, Shocher, Zimbalist and Irani
2025).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from kfsr.analysis.problem import Problem
from kfsr.analysis.windows import busiest_windows
from kfsr.checkpoint import NO_CHECKPOINT, Checkpoint, Stateful
from kfsr.errors import NothingToLearn
from kfsr.estimators.method import Estimator, uncertainty_of_windows
from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import Kernel, check_scale
from kfsr.numerics import check_finite, in_working_precision
from kfsr.operator.spatial import bicubic_upscale, degrade, reflect_pad
from kfsr.priors.diffusion import alphas_bar, noise_level, posterior
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.model import PatchModel
from kfsr.priors.patch.training import train_patch_model, training_seconds
from kfsr.priors.siren import SirenKernel
from kfsr.priors.unet import UNet
from kfsr.progress import Progress, silent
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
    *,
    progress: Progress = silent,
    checkpoint: Checkpoint = NO_CHECKPOINT,
) -> Fusion:
    """Kernel and picture of `windows` (B, C, h, w), [-1, 1], of one low-resolution picture, sides multiples of
    `SIDE_STEP`.

    model: of the patches of the whole low-resolution picture, learned unturned. The kernel begins flat: from a Gaussian
    it would not get away. Raises NothingToLearn when the windows are smaller than the rim that is left out, and
    NumericalError.
    """
    check_scale(scale)
    cfg, device = settings, windows.device
    if min(windows.shape[-2:]) < 4 * cfg.rim:
        raise NothingToLearn(f"a picture under {4 * cfg.rim} px on a side is too small for kernelfusion")
    size = cfg.support * scale + (cfg.support * scale - scale) % 2

    def run(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
            unet = UNet(windows.shape[1], cfg.width, cfg.levels).to(device)
            siren = SirenKernel(size).to(device)
        found = reverse_diffusion(windows, scale, model, unet, siren, cfg, generator, dtype, progress, checkpoint)
        check_finite("kernelfusion", found)
        return found

    high_res, kernel = in_working_precision(device, run, generator)
    trimmed = _trimmed(kernel, cfg.cut).cpu().double().numpy()
    return Fusion(high_res, Kernel.from_array(trimmed, scale, Provenance("estimated", "kernelfusion")))


def reverse_diffusion(
    low_res: Tensor,
    scale: int,
    model: PatchModel,
    unet: nn.Module,
    siren: nn.Module,
    cfg: KernelFusionSettings,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
    progress: Progress = silent,
    checkpoint: Checkpoint = NO_CHECKPOINT,
) -> tuple[Tensor, Tensor]:
    """KernelFusion's algorithm 1: picture (B, C, sH, sW) and kernel (K, K) of `low_res` (B, C, H, W).

    The patch model is frozen; the gradient runs through it into the first of the U-Net's two calls. dtype: what the
    networks compute in.
    """
    optimiser = torch.optim.Adam(
        [{"params": unet.parameters(), "lr": cfg.picture_rate}, {"params": siren.parameters(), "lr": cfg.kernel_rate}]
    )
    times = alphas_bar(cfg.start_time, cfg.steps)
    x_0 = bicubic_upscale(low_res, scale)
    x_t = math.sqrt(times[0]) * x_0 + math.sqrt(1 - times[0]) * _noise_like(x_0, generator)
    kernel = siren().detach()
    parts: dict[str, Stateful] = {"unet": unet, "siren": siren, "optimiser": optimiser}
    kept = checkpoint.stage(f"kernelfusion, {dtype}", cfg.steps, parts, generator)
    if kept.first:
        x_0, x_t, kernel = (kept.values[name].to(x_0.device) for name in ("x_0", "x_t", "kernel"))
    for step, (alpha_bar, before) in list(enumerate(pairwise(times)))[kept.first :]:
        noise = _noise_like(x_0, generator)
        rounds = cfg.first_rounds if step == 0 else cfg.rounds
        for turn in range(rounds):
            _anneal(optimiser, turn / rounds, cfg)
            kernel = siren()
            with torch.autocast(x_0.device.type, dtype, enabled=dtype != torch.float32):
                # x_0's refinement, which the low-resolution picture must follow from
                refined = unet(x_0)
                # one step back in time
                mean, deviation = posterior(refined, x_t, alpha_bar, before)
                x_before = mean + deviation * noise
                # what the patch model makes of it, refined by the same network
                x_new = unet(model.differentiable(x_before / math.sqrt(before), noise_level(before)))
            loss = _inconsistency(refined, kernel, low_res, scale, cfg.rim)
            loss = loss + _inconsistency(x_new, kernel, low_res, scale, cfg.rim)
            loss = loss + cfg.centre_weight * _off_centre(kernel)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        x_t, x_0, kernel = x_before.detach(), x_new.detach(), kernel.detach()
        kept.done(step + 1, partial(dict, x_0=x_0, x_t=x_t, kernel=kernel))
        progress("kernelfusion", step + 1, cfg.steps)
    return x_0, kernel


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
        model = train_patch_model(
            crops, cfg.patch, problem.generator(7), progress=problem.progress, checkpoint=problem.checkpoint
        )
    with problem.timed("kernelfusion"):
        random = problem.generator(8)
        return estimate(
            windows, problem.scale, model, cfg, random, progress=problem.progress, checkpoint=problem.checkpoint
        )


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
    rows, cols = (-n % SIDE_STEP for n in problem.low_res.shape[-2:])
    return reflect_pad(problem.low_res, 0, rows, 0, cols)


def _seconds(pixels: int, recipe: Recipe) -> float:
    cfg = recipe.settings.kernelfusion
    steps = cfg.first_rounds + (cfg.steps - 1) * cfg.rounds
    at_work = cfg.high_pixels(pixels, recipe.scale, recipe.joint)
    return training_seconds(cfg.patch) + steps * at_work * PIXEL_SECONDS * (cfg.width / 16) ** 2


def _memory(pixels: int, recipe: Recipe) -> int:
    cfg = recipe.settings.kernelfusion
    channels = CHANNEL_BYTES[0] * cfg.width + CHANNEL_BYTES[1] * cfg.patch.width
    return cfg.high_pixels(pixels, recipe.scale, recipe.joint) * channels


METHOD = Estimator(
    estimate=lambda problem: of_problem(problem).kernel,
    seconds=_seconds,
    memory=_memory,
    joint=True,
    uncertainty=uncertainty_of_windows,
)
