"""Training the patch model on one picture (phase 1 of ddm4ip and KernelFusion, in seconds instead of hours)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from kfsr.checkpoint import PLAIN, Driver, State
from kfsr.errors import NothingToLearn
from kfsr.numerics import autocast, weights_from
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.model import PatchModel
from kfsr.priors.patch.network import SIGMA_DATA, PatchDenoiser
from kfsr.settings import PatchSettings


def train_patch_model(
    crops: CropSampler,
    settings: PatchSettings,
    generator: torch.Generator,
    driver: Driver = PLAIN,
    stage: str = "patch model",
) -> PatchModel:
    """Denoiser of the patches that `crops` draws, (C, H, W) in [-1, 1] on one device.

    The generator is a CPU one: with it the result is the same on every run on one machine. Raises NothingToLearn when
    the pictures hold no whole patch, NumericalError when the weights end up not finite.
    """
    cfg = settings
    begin = partial(_begin, crops, cfg, generator)
    state = driver.run(stage, cfg.steps, begin, partial(training, crops, cfg), crops.device, generator)
    return PatchModel(state.network, cfg.sigma_min, cfg.sigma_max)


@dataclass(kw_only=True)
class Training(State):
    """A network that learns, with Adam and a one-cycle rate."""

    network: PatchDenoiser
    optimiser: torch.optim.Adam
    schedule: torch.optim.lr_scheduler.OneCycleLR

    def results(self) -> Iterable[Tensor]:
        """The weights."""
        return self.network.parameters()


def training(crops: CropSampler, cfg: PatchSettings, state: Training, dtype: torch.dtype) -> Iterator[None]:
    """Minimise the denoising loss over sigma, log-uniform in [sigma_min, sigma_max]."""
    crop = min(cfg.crop, crops.largest)
    for _ in range(state.step, cfg.steps):
        clean = crops.draw(cfg.batch, crop, state.generator)
        sigma = draw_sigma(cfg.batch, cfg.sigma_min, cfg.sigma_max, state.generator).to(clean.device)
        loss, _, _ = denoising_loss(state.network, clean, sigma, state.generator, dtype)
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
        state.optimiser.step()
        state.schedule.step()
        yield


def draw_sigma(count: int, smallest: float, largest: float, generator: torch.Generator) -> Tensor:
    """(count,) noise levels, log-uniform."""
    return smallest * torch.exp(torch.rand(count, generator=generator) * math.log(largest / smallest))


def denoising_loss(
    network: PatchDenoiser, clean: Tensor, sigma: Tensor, generator: torch.Generator, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """E lambda(sigma) |D(x + sigma n, sigma) - x|^2 (EDM, eq. 2 and 8) over the crops x of `clean` (B, C, side, side).

    Returns the loss, the noisy crops, and what the network makes of their middle.
    """
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    noisy = clean + sigma[:, None, None, None] * noise
    with autocast(clean.device, dtype):
        estimate = network(noisy, sigma)
    m = network.margin
    target = clean[..., m : clean.shape[-2] - m, m : clean.shape[-1] - m]
    return (loss_weight(sigma) * (estimate - target) ** 2).mean(), noisy, estimate


def loss_weight(sigma: Tensor) -> Tensor:
    """lambda = 1 / c_out^2 (EDM, table 1), (B, 1, 1, 1) of sigma (B,)."""
    s = sigma[:, None, None, None]
    return (s**2 + SIGMA_DATA**2) / (s * SIGMA_DATA) ** 2


def _begin(crops: CropSampler, cfg: PatchSettings, generator: torch.Generator) -> Training:
    with weights_from(generator):
        network = PatchDenoiser(crops.channels, cfg.width).to(crops.device)
    least = 2 * network.margin + 1
    if min(cfg.crop, crops.largest) < least:
        raise NothingToLearn(f"the picture is too small to learn its patches: {least} px at least on each side")
    optimiser = torch.optim.Adam(network.parameters(), cfg.rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, cfg.rate, total_steps=cfg.steps, pct_start=0.1)
    return Training(generator=generator, network=network, optimiser=optimiser, schedule=schedule)


def training_seconds(settings: PatchSettings) -> float:
    """Roughly what the training takes one thread: 0.1 s a step of width 64 on 6 crops of 48 x 48."""
    work = settings.batch * settings.crop**2 / (6 * 48**2)
    return settings.steps * 0.1 * work * (settings.width / 64) ** 2


def training_bytes(settings: PatchSettings) -> int:
    """Roughly what the training holds: 180 bytes for each pixel of a batch and channel."""
    return 180 * settings.batch * settings.crop**2 * settings.width
