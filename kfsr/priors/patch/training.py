"""Training the patch model on one picture (phase 1 of ddm4ip and KernelFusion, in seconds instead of hours)."""

from __future__ import annotations

import math

import torch

from kfsr.checkpoint import NO_CHECKPOINT, Checkpoint, Stateful
from kfsr.errors import NothingToLearn
from kfsr.numerics import check_finite, in_working_precision
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.model import PatchModel
from kfsr.priors.patch.network import SIGMA_DATA, PatchDenoiser
from kfsr.progress import Progress, silent
from kfsr.settings import PatchSettings


def train_patch_model(
    crops: CropSampler,
    settings: PatchSettings,
    generator: torch.Generator,
    *,
    progress: Progress = silent,
    stage: str = "patch model",
    checkpoint: Checkpoint = NO_CHECKPOINT,
) -> PatchModel:
    """Denoiser of the patches that `crops` draws, (C, H, W) in [-1, 1] on one device.

    Minimises E |D(x + sigma n, sigma) - x|^2 / c_out(sigma)^2 over crops x, white n and sigma log-uniform in
    [sigma_min, sigma_max] (EDM, eq. 8), Adam with a one-cycle rate. The generator is a CPU one: with it the result
    is the same on every run on one machine. Raises NothingToLearn when the pictures hold no whole patch, NumericalError
    when the training ends in no numbers.
    """

    def train(dtype: torch.dtype) -> PatchModel:
        return _trained(crops, settings, generator, dtype, progress, stage, checkpoint)

    return in_working_precision(crops.device, train, generator)


def _trained(
    crops: CropSampler,
    cfg: PatchSettings,
    generator: torch.Generator,
    dtype: torch.dtype,
    progress: Progress,
    stage: str,
    checkpoint: Checkpoint,
) -> PatchModel:
    device = crops.device
    crop = min(cfg.crop, crops.largest)
    network = _fresh_network(crops.channels, cfg, generator).to(device)
    margin = network.margin
    if crop <= 2 * margin:
        raise NothingToLearn(
            f"the picture is too small to learn its patches: {2 * margin + 1} px at least on each side"
        )
    optimiser = torch.optim.Adam(network.parameters(), cfg.rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, cfg.rate, total_steps=cfg.steps, pct_start=0.1)
    log_range = math.log(cfg.sigma_max / cfg.sigma_min)
    parts: dict[str, Stateful] = {"network": network, "optimiser": optimiser, "schedule": schedule}
    kept = checkpoint.stage(f"{stage}, {dtype}", cfg.steps, parts, generator)
    for step in range(kept.first, cfg.steps):
        clean = crops.draw(cfg.batch, crop, generator)
        sigma = cfg.sigma_min * torch.exp(torch.rand(cfg.batch, generator=generator) * log_range)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        sigma = sigma.to(device)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            estimate = network(clean + sigma[:, None, None, None] * noise, sigma)
        weight = (sigma**2 + SIGMA_DATA**2) / (sigma * SIGMA_DATA) ** 2
        target = clean[..., margin : crop - margin, margin : crop - margin]
        loss = (weight[:, None, None, None] * (estimate - target) ** 2).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        kept.done(step + 1)
        progress(stage, step + 1, cfg.steps)
    check_finite(f"training of the {stage}", network.parameters())
    return PatchModel(network, cfg.sigma_min, cfg.sigma_max)


def _fresh_network(channels: int, cfg: PatchSettings, generator: torch.Generator) -> PatchDenoiser:
    # Modules draw their weights from torch's global state: seed a fork of it, so that nobody else's moves.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        return PatchDenoiser(channels, cfg.width)


def training_seconds(settings: PatchSettings) -> float:
    """Roughly what the training takes one thread: 0.1 s a step of width 64 on 6 crops of 48 x 48."""
    work = settings.batch * settings.crop**2 / (6 * 48**2)
    return settings.steps * 0.1 * work * (settings.width / 64) ** 2
