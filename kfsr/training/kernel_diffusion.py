"""Trains the diffusion of kernels: python -m kfsr.training.kernel_diffusion PHOTOGRAPHS -o FOLDER

PHOTOGRAPHS: folders of clean pictures. Parts of them are blurred by random kernels, and what the blurred ones say
(`kfsr.analysis.evidence`) is kept in FOLDER with their kernels, in chunks that a second process makes while the first
trains on those that are there: `--make` starts only the former, with the same FOLDER. A step draws from a number of
chunks that grows with the step, and waits where they are not made yet, so that a training that goes on from its
checkpoint sees what an uninterrupted one sees.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.analysis.evidence import COUNT, TURNED, evidence, windowed
from kfsr.analysis.few_edges import SIDE
from kfsr.image import luma
from kfsr.kernel import Kernel
from kfsr.kernel.random import Blur, camera_shake, random_blur
from kfsr.numerics import weights_from, working_dtype
from kfsr.operator.fourier import circular_degrade
from kfsr.operator.spatial import bicubic_upscale
from kfsr.priors.diffusion import TIMES, alphas_bar
from kfsr.priors.kernel_diffusion import KernelDiffusionNet, encoded
from kfsr.training.optimiser import MuonAndAdam
from kfsr.training.photographs import Photographs, tell
from kfsr.training.solver import save_weights

SCALES = {1: 0.7, 2: 0.15, 3: 0.05, 4: 0.1}
KINDS = {"hand": 0.75, "gaussian": 0.12, "flat": 0.13}
SIDES = {256: 0.7, 192: 0.2, 128: 0.1}
"""High-resolution pixels a side of the parts of pictures, and the share of each."""
EXTENTS = (4.0, 62.0)
WIDE = 0.6
"""High-resolution pixels across of a hand's shakes, and the share of those whose extent is uniform; the logarithm of
the others' is."""
NOISE = 0.02
"""Standard deviation at most, of [0, 1]."""

CHUNK = 64


@dataclass(frozen=True)
class Plan:
    """How to train. minutes: after which the cosine ends whatever the steps, 0 for no limit. reuse: how often a sample
    is seen on the average. chunks: there are at the first step."""

    steps: int = 4000
    rate: float = 1.5e-3
    minutes: float = 0.0
    batch: int = 24
    reuse: float = 6.0
    chunks: int = 6
    seed: int = 0

    def known(self, step: int) -> int:
        """Chunks that are drawn from at that step."""
        return self.chunks + int(step * self.batch / self.reuse / CHUNK)


@dataclass(frozen=True)
class Samples:
    """kernel (N, 64, 64) of peak 1, maps (N, 11, 64, 64), picture (N, 256, 256) as `evidence` and `windowed` give them,
    in half precision; scale (N,)."""

    kernel: Tensor
    maps: Tensor
    picture: Tensor
    scale: Tensor


def random_kernel(scale: int, rng: np.random.Generator) -> Kernel:
    """On the model's grid, 63 or 64 pixels a side."""
    size = SIDE - scale % 2
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    if kind != "hand":
        return random_blur(scale, size, rng, kind).sample(scale, size)
    extent = rng.uniform(*EXTENTS) if rng.random() < WIDE else math.exp(rng.uniform(*np.log(EXTENTS)))
    blur = camera_shake(extent, rng)
    return _within(blur, size / 2 - 2).sample(scale, size)


def _within(blur: Blur, reach: float) -> Blur:
    """Shrunk where it goes beyond `reach` from the middle."""
    return replace(blur, points=blur.points * min(1.0, reach / float(np.abs(blur.points).max())))


def make_chunk(photographs: Photographs, seed: int, chunk: int) -> Samples:
    """`CHUNK` samples with random numbers of their own."""
    rng = np.random.default_rng([seed, chunk])
    kernels, maps, pictures, scales = [], [], [], []
    for _ in range(CHUNK // 8):
        scale = int(rng.choice(list(SCALES), p=list(SCALES.values())))
        side = int(rng.choice(list(SIDES), p=list(SIDES.values()))) // scale * scale
        size = SIDE - scale % 2
        rim = math.ceil((size - scale) / 2 / scale)
        whole = side + 2 * rim * scale
        sharp = torch.from_numpy(np.stack([luma(one) for one in photographs.draw(8, whole, rng)]))[:, None].float()
        k = torch.from_numpy(np.stack([random_kernel(scale, rng).array for _ in range(8)])).float()
        # The picture goes on beyond what is seen of it: the part is cut off where nothing has wrapped around.
        blurred = circular_degrade(sharp, k[:, None], scale)
        low_res = blurred[..., rim : rim + side // scale, rim : rim + side // scale]
        noise = NOISE * torch.from_numpy(rng.random((8, 1, 1, 1)).astype(np.float32))
        low_res = low_res + noise * torch.from_numpy(rng.standard_normal(low_res.shape).astype(np.float32))
        low_res = (low_res.clamp(0, 1) * 255).round() / 255
        picture = windowed(bicubic_upscale(low_res, scale)[:, 0])
        kernels.append(F.pad(k / k.amax((-1, -2), keepdim=True), (0, SIDE - size, 0, SIDE - size)))
        maps.append(evidence(picture, scale))
        pictures.append(picture)
        scales.append(torch.full((8,), scale, dtype=torch.int8))
    kernel, map_, picture = (torch.cat(one).half() for one in (kernels, maps, pictures))
    return Samples(kernel, map_, picture, torch.cat(scales))


def turned(samples: Samples, rng: np.random.Generator) -> Samples:
    """All of them turned and mirrored alike, at random. Kernels of 63 pixels leave the last row and column free, so
    that the mirrored ones have to move by one."""
    kernel, maps, picture = samples.kernel, samples.maps, samples.picture
    odd = (samples.scale % 2 == 1)[:, None, None]
    for axis in (-1, -2):
        if rng.random() < 0.5:
            kernel, maps, picture = kernel.flip(axis), maps.flip(axis), picture.flip(axis)
            kernel = torch.where(odd, kernel.roll(-1, axis), kernel)
            maps = torch.where(odd[:, None], maps.roll(-1, axis), maps)
    if rng.random() < 0.5:
        kernel, maps, picture = kernel.mT, maps.mT[:, list(TURNED)], picture.mT
    return Samples(kernel, maps, picture, samples.scale)


class Chunks:
    """The chunks in a folder, by number, kept in memory; waits for those that are not made yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loaded: list[Samples] = []

    def upto(self, count: int) -> list[Samples]:
        """The first `count`."""
        while len(self.loaded) < count:
            file = _chunk_file(self.folder, len(self.loaded))
            while not file.exists():
                time.sleep(1)
            self.loaded.append(Samples(**torch.load(file, weights_only=True)))
        return self.loaded[:count]


def _chunk_file(folder: Path, chunk: int) -> Path:
    return folder / f"chunk{chunk:05d}.pt"


def make(photographs: Photographs, folder: Path, seed: int, count: int) -> None:
    """The chunks up to `count` that the folder does not hold yet."""
    for chunk in range(count):
        file = _chunk_file(folder, chunk)
        if not file.exists():
            torch.save(vars(make_chunk(photographs, seed, chunk)), file.with_suffix(".new"))
            file.with_suffix(".new").replace(file)


def diffusion_loss(net: KernelDiffusionNet, chunks: list[Samples], plan: Plan, rng: np.random.Generator) -> Tensor:
    """Mean square error of v at random times, of a batch of random samples."""
    where = [
        (int(a), int(b))
        for a, b in zip(rng.integers(len(chunks), size=plan.batch), rng.integers(CHUNK, size=plan.batch), strict=True)
    ]
    batch = Samples(
        *(
            torch.stack([getattr(chunks[a], name)[b].float() for a, b in where])
            for name in ("kernel", "maps", "picture", "scale")
        )
    )
    batch = turned(batch, rng)
    z = encoded(batch.kernel)
    # Times spread evenly over the batch, each with its share of noise.
    times = (np.arange(plan.batch) + rng.random(plan.batch)) / plan.batch
    abar = _ALPHAS_BAR[1 + (times * TIMES).astype(int)]
    n = torch.from_numpy(rng.standard_normal(z.shape, dtype=np.float32))
    root, rest = abar.sqrt()[:, None, None], (1 - abar).sqrt()[:, None, None]
    condition = net.condition(batch.maps, batch.picture, batch.scale)
    v = net(root * z + rest * n, abar, condition)
    return (v - (root * n - rest * z)).square().mean()


_ALPHAS_BAR = torch.tensor(alphas_bar(TIMES, TIMES)).flip(0).float()


def train(
    net: KernelDiffusionNet,
    chunks: Chunks,
    plan: Plan,
    folder: Path,
    tell: Callable[[dict[str, Any]], None],
    every: float = 180.0,
) -> KernelDiffusionNet:
    """The running mean of `net` as it is trained; goes on from a checkpoint in `folder`.

    tell: is given step, mean loss and seconds every 50 steps. every: seconds between checkpoints. Each step has its
    own random numbers.
    """
    average = copy.deepcopy(net).requires_grad_(False)
    optimiser = MuonAndAdam(net.parameters(), plan.rate)
    checkpoint = folder / "checkpoint.pt"
    step, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, seconds = state["step"], state["seconds"]
    device = next(net.parameters()).device
    dtype = working_dtype(device)
    losses: list[float] = []
    saved = clock = time.perf_counter()
    while True:
        spent = seconds + time.perf_counter() - clock
        fraction = max(step / plan.steps if plan.steps else 1.0, spent / 60 / plan.minutes if plan.minutes else 0.0)
        ended = fraction >= 1
        if ended or time.perf_counter() - saved > every:
            saved = time.perf_counter()
            state = {"net": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save({**state, "step": step, "seconds": spent}, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
            save_weights(average, folder / "kernel_diffusion.safetensors")
        if ended:
            return average
        rate = plan.rate * min(1.0, (step + 1) / 50) * (0.02 + 0.98 * (1 + math.cos(math.pi * fraction)) / 2)
        rng = np.random.default_rng([plan.seed, step])
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss = diffusion_loss(net, chunks.upto(plan.known(step)), plan, rng)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step(rate)
        keep = min(0.995, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, now in zip(average.parameters(), net.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        losses.append(float(loss.detach()))
        step += 1
        if step % 50 == 0:
            tell({"step": step, "loss": round(float(np.mean(losses)), 4), "seconds": round(spent)})
            losses.clear()


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--make", action="store_true", help="make the samples, and do not train")
    for name, value in vars(Plan()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    args = parser.parse_args(arguments)
    args.output.mkdir(parents=True, exist_ok=True)
    plan = Plan(**{name: getattr(args, name) for name in vars(Plan())})
    if args.make:
        make(Photographs(args.photographs), args.output, plan.seed, plan.known(plan.steps))
        return
    with weights_from(torch.Generator().manual_seed(args.seed)):
        net = KernelDiffusionNet(COUNT)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    train(net, Chunks(args.output), plan, args.output, lambda said: tell(json.dumps(said)))


if __name__ == "__main__":
    main()
