"""Trains the unrolled solver's weights: python -m kfsr.training.solver PHOTOGRAPHS -o FOLDER

PHOTOGRAPHS: folders of clean pictures. Two parts: the prior alone learns to remove white noise, which is cheap; then
all iterations learn together to undo random degradations (`kfsr.training.degradations`) of which they are told the
noise and a wrong version of the kernel. A checkpoint is kept in FOLDER every few minutes, and the same command goes
on from it; the weights, a running mean, lie beside it.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kfsr.kernel import Kernel
from kfsr.numerics import weights_from, working_dtype
from kfsr.operator.fourier import border, continued
from kfsr.solvers.unrolled import UnrolledNet, from_state
from kfsr.training.degradations import CANVAS, draw
from kfsr.training.optimiser import MuonAndAdam
from kfsr.training.photographs import Photographs, tell

SCALES = {1: 0.12, 2: 0.4, 3: 0.12, 4: 0.36}
CROP = {1: 128, 2: 96, 3: 96, 4: 128}
KINDS = ("phone", "web", "scan")
FRAMED = 0.5
"""Share of batches at scale 1 that are parts of larger pictures, extended at their borders as the solver extends them:
wide kernels bring in what lies outside. In the others borders wrap around."""
BRIGHT = 0.25
"""Share of clean pictures at scale 1 with saturated lights."""


@dataclass(frozen=True)
class Plan:
    """How to train. Steps and peak learning rates of the two parts; minutes: of training, after which the last cosine
    ends whatever the steps, 0 for no limit; pixels: high-resolution ones in a batch; dirty: share of pictures that are
    not clean data under a kernel; worst: largest uncertainty of a kernel, 0 never tells a wrong one; only: the one
    scale to learn, 0 for all of them."""

    denoise_steps: int = 4500
    steps: int = 20000
    denoise_rate: float = 1.5e-3
    rate: float = 5e-4
    minutes: float = 0.0
    pixels: int = 16 * 96**2
    dirty: float = 0.5
    worst: float = 2.0
    only: int = 0
    seed: int = 0

    def progress(self, step: int, seconds: float) -> tuple[bool, float, int, float]:
        """(whether the prior learns alone, fraction of this part done, step within it, peak rate)."""
        if step < self.denoise_steps:
            return True, step / self.denoise_steps, step, self.denoise_rate
        part = step - self.denoise_steps
        done = part / self.steps if self.steps else 1.0
        return False, max(done, seconds / 60 / self.minutes if self.minutes else 0.0), part, self.rate


@dataclass
class Batch:
    """low_res, truth (B, 3, h, w) and (B, 3, H, W) in [-1, 1]; kernel (B, 1, K, K) as told; sigma, uncertainty and
    correlation (B,) as `UnrolledNet` takes them. margin: of low_res, in its pixels, around what truth shows."""

    low_res: Tensor
    truth: Tensor
    kernel: Tensor
    sigma: Tensor
    uncertainty: Tensor
    correlation: Tensor
    margin: int = 0


def make_batch(photographs: Photographs, scale: int, plan: Plan, rng: np.random.Generator) -> Batch:
    """Random crops, degraded; borders wrap around, or are those of a part of a picture (`FRAMED`)."""
    crop = CROP[scale] // scale * scale
    outside = CANVAS[1] // 2 if scale == 1 and rng.random() < FRAMED else 0
    low, true, kernels, sigmas, doubts, correlations = [], [], [], [], [], []
    # What is added around a part counts too, about as much as there is outside.
    count = max(1, plan.pixels // (crop + outside) ** 2)
    for picture in photographs.draw(count, crop + 2 * outside, rng):
        kind = str(rng.choice(KINDS)) if rng.random() < plan.dirty else "clean"
        degradation = draw(kind, scale, rng)
        if kind == "clean" and scale == 1 and rng.random() < BRIGHT:
            picture = with_lights(picture, rng)
        low_res = degradation.apply(picture, rng, wrap=True)
        noise, correlation = degradation.unexplained(picture, low_res)
        uncertainty = plan.worst * float(rng.choice([0.0, 0.5, 1.0], p=[0.35, 0.4, 0.25])) * rng.random()
        inside = (slice(outside, outside + crop),) * 2
        low.append(low_res[inside] if outside else low_res)
        truth = degradation.truth_of(picture).clip(0, 1)
        true.append(truth[inside] if outside else truth)
        kernels.append(degradation.told_kernel(uncertainty, rng))
        sigmas.append(noise * math.exp((0.15 if kind == "clean" else 0.3) * rng.standard_normal()))
        doubts.append(uncertainty)
        correlations.append(0.0 if kind == "clean" else correlation + 0.1 * float(rng.standard_normal()))
    size = max(kernel.size if scale > 1 else _reach(kernel) for kernel in kernels)
    told = np.stack([kernel.resized(size).array for kernel in kernels])
    margin = border(size, 1) if outside else 0
    seen = _tensor(np.stack(low))
    return Batch(
        continued(seen, torch.from_numpy(told).float()[:, None], margin) if margin else seen,
        _tensor(np.stack(true)),
        torch.from_numpy(told).float()[:, None],
        torch.tensor(sigmas),
        torch.tensor(doubts),
        torch.tensor(correlations),
        margin,
    )


def with_lights(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture (H, W, 3) exposed for longer, with lights beyond what a sensor holds, up to 20 times white."""
    bright = picture * math.exp(rng.uniform(0, 0.7))
    bright += rng.uniform(0, 20) * (bright - 0.95).clip(0)
    rows, cols = (np.arange(side) for side in picture.shape[:2])
    for _ in range(int(rng.integers(0, 8))):
        row, col, radius = rng.uniform(0, len(rows)), rng.uniform(0, len(cols)), rng.uniform(0.5, 3)
        spot = np.exp(-0.5 * (((rows[:, None] - row) ** 2 + (cols[None] - col) ** 2) / radius**2) ** 2)
        bright += math.exp(rng.uniform(0, 3)) * spot[..., None] * rng.uniform(0.4, 1, 3)
    return bright.astype(np.float32)


def _reach(kernel: Kernel) -> int:
    """Side of the smallest canvas around the middle that holds all but .0001 of the kernel's weight."""
    for cut in range(kernel.size // 2):
        if float(np.abs(kernel.array[cut + 1 : kernel.size - cut - 1, cut + 1 : kernel.size - cut - 1]).sum()) < 0.9999:
            return kernel.size - 2 * cut
    return 1


def _tensor(pictures: np.ndarray) -> Tensor:
    """(B, 3, H, W) in [-1, 1] of (B, H, W, 3) in [0, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() * 2 - 1


def denoising_loss(net: UnrolledNet, photographs: Photographs, plan: Plan, rng: np.random.Generator) -> Tensor:
    """Of both priors alone, half a batch each, on white noise of levels from .008 to .5: L1 over the level's root."""
    device = next(net.parameters()).device
    clean = _tensor(photographs.draw(max(1, plan.pixels // 96**2), 96, rng)).to(device)
    level = torch.from_numpy(0.008 * np.exp(rng.random(len(clean)) * math.log(60))).float().to(device)
    noise = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32)).to(device)
    none = torch.zeros_like(level)
    noisy = clean + level[:, None, None, None] * noise
    halves = zip((net.prior, net.last_prior), noisy.chunk(2), level.chunk(2), none.chunk(2), strict=False)
    guess = torch.cat([prior(part, own, zero, zero) for prior, part, own, zero in halves])
    return ((guess - clean).abs().mean((1, 2, 3)) / level.sqrt()).mean()


def solving_loss(net: UnrolledNet, photographs: Photographs, plan: Plan, rng: np.random.Generator) -> Tensor:
    """Of all iterations, in nepers: the sharp and clean cases, whose errors are small, count as much as the others."""
    device = next(net.parameters()).device
    scale = plan.only or int(rng.choice(list(SCALES), p=list(SCALES.values())))
    batch = make_batch(photographs, scale, plan, rng)
    told = (batch.kernel, batch.sigma, batch.uncertainty, batch.correlation)
    kernel, *numbers = (t.to(device) for t in told)
    guess = net(batch.low_res.to(device), kernel, scale, *numbers)
    if batch.margin:
        guess = guess[..., batch.margin : -batch.margin, batch.margin : -batch.margin]
    return ((guess - batch.truth.to(device)).square().mean((1, 2, 3)) + 1e-5).log().mean()


def train(
    net: UnrolledNet,
    photographs: Photographs,
    plan: Plan,
    folder: Path,
    tell: Callable[[dict[str, Any]], None],
    every: float = 180.0,
) -> UnrolledNet:
    """The running mean of `net` as it is trained; goes on from a checkpoint in `folder`.

    tell: is given step, mean loss and seconds every 100 steps. every: seconds between checkpoints. Each step has its
    own random numbers, so that a resumed run sees what an uninterrupted one sees.
    """
    device = next(net.parameters()).device
    average = copy.deepcopy(net).requires_grad_(False)
    optimiser = MuonAndAdam(net.parameters(), plan.rate)
    checkpoint = folder / "checkpoint.pt"
    step, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, seconds = state["step"], state["seconds"]
    dtype = working_dtype(device)
    losses: list[float] = []
    saved = clock = time.perf_counter()
    while True:
        spent = seconds + time.perf_counter() - clock
        denoising, fraction, part, peak = plan.progress(step, spent)
        ended = not denoising and fraction >= 1
        if ended or time.perf_counter() - saved > every:
            saved = time.perf_counter()
            state = {"net": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save({**state, "step": step, "seconds": spent}, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
            save_weights(average, folder / "unrolled.safetensors")
        if ended:
            return average
        rate = peak * min(1.0, (part + 1) / 100) * (0.02 + 0.98 * (1 + math.cos(math.pi * fraction)) / 2)
        rng = np.random.default_rng([plan.seed, step])
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss = (denoising_loss if denoising else solving_loss)(net, photographs, plan, rng)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0 if denoising else 3.0)
        optimiser.step(rate)
        keep = min(0.998, (part + 1) / (part + 10))
        with torch.no_grad():
            for mean, now in zip(average.parameters(), net.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        losses.append(float(loss.detach()))
        step += 1
        if step % 100 == 0:
            tell({"step": step, "loss": round(float(np.mean(losses)), 4), "seconds": round(spent)})
            losses.clear()


def save_weights(net: nn.Module, file: Path) -> None:
    """The parameters and buffers in half precision, in one movement."""
    new = file.with_suffix(".new")
    save_file({name: value.to(torch.float16).contiguous().cpu() for name, value in net.state_dict().items()}, new)
    new.replace(file)


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--widths", type=int, nargs="+", default=[48, 64, 64])
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--start", type=Path, metavar="WEIGHTS", help="begin with these, whose sizes count")
    for name, value in vars(Plan()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args(arguments)
    with weights_from(torch.Generator().manual_seed(args.seed)):
        net = UnrolledNet(tuple(args.widths), args.blocks, args.iterations)
    if args.start:
        net = from_state(load_file(args.start))
    net = net.to(args.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    args.output.mkdir(parents=True, exist_ok=True)
    plan = Plan(**{name: getattr(args, name) for name in vars(Plan())})
    train(net, Photographs(args.photographs), plan, args.output, lambda said: tell(json.dumps(said)))


if __name__ == "__main__":
    main()
