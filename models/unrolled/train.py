"""Trains the unrolled solver's weights: python models/unrolled/train.py PHOTOGRAPHS -o models/unrolled

PHOTOGRAPHS: folders of clean pictures. Two parts: the prior alone learns to remove white noise, which is cheap; then
all iterations learn together to invert random kernels of which they are told a wrong version. A checkpoint is kept
beside the output every few minutes, and the same command goes on from it.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from kfsr.kernel.random import random_blur
from kfsr.numerics import working_dtype
from kfsr.operator.fourier import circular_degrade
from kfsr.solvers.unrolled import UnrolledNet

SCALES = {1: 0.08, 2: 0.42, 3: 0.1, 4: 0.4}
CANVAS = {1: 25, 2: 24, 3: 25, 4: 32}
PIXELS = 16 * 96**2  # high-resolution pixels in a batch
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


class Photographs:
    """Random crops of the pictures under some folders, each also at 0.7 and 0.5 of its size: sharper, other detail."""

    def __init__(self, folders: list[Path]) -> None:
        self.pictures: list[np.ndarray] = []
        for path in sorted(p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
            with Image.open(path) as opened:
                picture = opened.convert("RGB")
            for factor in (1.0, 0.7, 0.5):
                size = (round(picture.width * factor), round(picture.height * factor))
                if min(size) >= 144:
                    self.pictures.append(np.asarray(picture.resize(size, Image.Resampling.LANCZOS)))
        areas = np.array([p.shape[0] * p.shape[1] for p in self.pictures], dtype=float) ** 0.7
        self.share = areas / areas.sum()

    def draw(self, count: int, crop: int, rng: np.random.Generator) -> Tensor:
        """(count, 3, crop, crop) in [-1, 1], turned and mirrored at random."""
        out = []
        for n in rng.choice(len(self.pictures), count, p=self.share):
            picture = self.pictures[n]
            i, j = (int(rng.integers(0, side - crop + 1)) for side in picture.shape[:2])
            piece = np.rot90(picture[i : i + crop, j : j + crop], rng.integers(4))
            out.append(piece[:, ::-1] if rng.random() < 0.5 else piece)
        return torch.from_numpy(np.stack(out)).permute(0, 3, 1, 2).float() / 127.5 - 1


def compressed(picture: Tensor, quality: int) -> Tensor:
    """One (3, h, w) picture in [-1, 1] after JPEG."""
    pixels = ((picture + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as opened:
        return torch.from_numpy(np.asarray(opened).copy()).permute(2, 0, 1).float() / 127.5 - 1


def degraded(
    clean: Tensor, scale: int, rng: np.random.Generator, generator: torch.Generator, worst: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(low_res, kernel as it is told, sigma as it is told, uncertainty up to `worst`) for a batch of clean crops."""
    count, size = len(clean), CANVAS[scale]
    blurs = [random_blur(scale, size, rng) for _ in range(count)]
    uncertainty = worst * rng.choice([0.0, 0.5, 1.0], count, p=[0.35, 0.4, 0.25]) * rng.random(count)
    true, told = (
        torch.from_numpy(np.stack([blur.sample(scale, size).array for blur in some])).float()[:, None]
        for some in (blurs, [blur.wrong(u, rng, scale) for blur, u in zip(blurs, uncertainty.tolist(), strict=True)])
    )
    exact = circular_degrade(clean, true, scale)
    noise = np.where(rng.random(count) < 0.5, 0.0, rng.random(count) * 10 / 127.5)
    low_res = exact + torch.from_numpy(noise).float()[:, None, None, None] * torch.randn(
        exact.shape, generator=generator
    )
    low_res = ((low_res + 1) * 127.5).round().clamp(0, 255) / 127.5 - 1
    for n in range(count):
        if rng.random() < 0.12:
            low_res[n] = compressed(low_res[n], int(rng.integers(60, 96)))
            noise[n] = float((low_res[n] - exact[n]).square().mean().sqrt())
    sigma = noise * np.exp(0.15 * rng.standard_normal(count))
    return low_res, told, torch.from_numpy(sigma).float(), torch.from_numpy(uncertainty).float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--denoise-steps", type=int, default=4500)
    parser.add_argument("--steps", type=int, default=7700)
    parser.add_argument("--denoise-rate", type=float, default=1.5e-3)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--worst", type=float, default=2.0, help="largest uncertainty; 0 never tells a wrong kernel")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    photographs = Photographs(args.photographs)
    device = torch.device(args.device)
    torch.manual_seed(args.seed)
    net = UnrolledNet().to(device=device, memory_format=torch.channels_last)
    average = copy.deepcopy(net).requires_grad_(False)
    optimiser = torch.optim.Adam(net.parameters(), args.rate, betas=(0.9, 0.99))
    checkpoint = args.output / "checkpoint.pt"
    first, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first, seconds = state["step"], state["seconds"]
    total = args.denoise_steps + args.steps
    clock = time.perf_counter() - seconds
    dtype = working_dtype(device)
    losses: list[float] = []
    saved = time.perf_counter()
    for step in range(first, total):
        # Every step has its own random numbers, so that a resumed run sees what an uninterrupted one sees.
        rng = np.random.default_rng([args.seed, step])
        generator = torch.Generator().manual_seed(args.seed * 1_000_003 + step)
        denoising = step < args.denoise_steps
        part, of, peak = (
            (step, args.denoise_steps, args.denoise_rate)
            if denoising
            else (step - args.denoise_steps, args.steps, args.rate)
        )
        warm = min(1.0, (part + 1) / 100)
        rate = peak * warm * (0.02 + 0.98 * (1 + math.cos(math.pi * part / of)) / 2)
        for group in optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            if denoising:
                clean = photographs.draw(PIXELS // 96**2, 96, rng).to(device)
                level = torch.from_numpy(0.008 * np.exp(rng.random(len(clean)) * math.log(60))).float().to(device)
                noise = level[:, None, None, None] * torch.randn(clean.shape, generator=generator).to(device)
                guess = net.prior(clean + noise, level, torch.zeros_like(level))
                loss = ((guess - clean).abs().mean((1, 2, 3)) / level.sqrt()).mean()
            else:
                scale = int(rng.choice(list(SCALES), p=list(SCALES.values())))
                crop = 128 if scale == 4 else 96
                clean = photographs.draw(PIXELS // crop**2, crop, rng)
                data = degraded(clean, scale, rng, generator, args.worst)
                low_res, kernel, sigma, uncertainty = (t.to(device) for t in data)
                guess = net(low_res, kernel, scale, sigma, uncertainty)
                # Decibels: the sharp and clean cases, whose errors are small, count as much as the others.
                error = (guess - clean.to(device)).square().mean((1, 2, 3))
                loss = (error + 1e-5).log().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 3.0 if not denoising else 1.0)
        optimiser.step()
        decay = min(0.998, (part + 1) / (part + 10))
        with torch.no_grad():
            for mean, now in zip(average.parameters(), net.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
        losses.append(float(loss.detach()))
        if (step + 1) % 100 == 0:
            seconds = time.perf_counter() - clock
            print(json.dumps({"step": step + 1, "loss": float(np.mean(losses)), "seconds": round(seconds)}), flush=True)
            losses.clear()
        if time.perf_counter() - saved > 180 or step + 1 == total:
            saved = time.perf_counter()
            state = {
                "net": net.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step + 1,
                "seconds": time.perf_counter() - clock,
            }
            torch.save(state, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
    weights = {name: value.to(torch.float16).contiguous() for name, value in average.state_dict().items()}
    save_file(weights, args.output / "unrolled.safetensors")


if __name__ == "__main__":
    main()
