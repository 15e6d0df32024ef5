"""Trains the judge of mild blur: python -m kfsr.training.softness PHOTOGRAPHS -o FOLDER

PHOTOGRAPHS: folders of clean pictures, which count as sharp, as they are and shrunk. Crops of them are left so,
softened by a Gaussian, put out of focus or shaken, half of these in linear light; many get noise, a third were JPEG
files. The net learns which it was, and the kernel. What it learns from is made as it is needed; the weights, a running
mean, lie in FOLDER every few minutes, and `--start` goes on from such.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from kfsr.estimators.softness import FLOOR, KINDS, RINGS, SIDE, SoftnessNet, from_state, gaussian_of, logarithm
from kfsr.image import luma
from kfsr.kernel import Kernel
from kfsr.kernel.disk import disk_kernel
from kfsr.kernel.random import camera_shake
from kfsr.kernel.sharpening import Sharpening
from kfsr.numerics import autocast, weights_from, working_dtype
from kfsr.training.calibration import turned
from kfsr.training.camera import to_linear, to_srgb
from kfsr.training.degradations import draw
from kfsr.training.dirt import Grain, Saved, rounded
from kfsr.training.photographs import Photographs, tell
from kfsr.training.resizing import resize
from kfsr.training.solver import save_weights, with_lights

SHARES = {"sharp": 0.28, "gaussian": 0.3, "disk": 0.21, "shake": 0.21}
PHONE = 0.2
"""Share of pictures that a phone's camera made: demosaicked, denoised, sharpened, compressed; half of them enlarged."""

ENLARGED = (1.2, 2.5)
"""By how much."""

BICUBIC = 0.18
"""Variance of the Gaussian that is most like the bicubic kernel, in pixels of the smaller picture squared."""

DEVIATIONS = (0.3, 4.0)
RADII = (0.8, 10.0)
EXTENTS = (4.0, 40.0)
"""Pixels: of Gaussians, of disks, across the paths of shaken cameras."""

OUTSIDE = 24
"""Pixels around a crop that blur may bring in."""

CROPS = (96, 128, SIDE)
PIXELS = 20 * 96**2
"""Of a batch."""

FRESH, KEPT = 0.3, 3000
"""Share of a batch that is made anew, and how many samples of a size are kept."""

DROPPED = 0.1
"""Share of what the perceptron is given that it does not see while it learns."""

LEAST_NOISE = 0.0023
"""Standard deviation of 8-bit rounding, [-1, 1] units."""


@dataclass(frozen=True)
class Sample:
    """luminance: (h, w) in [0, 1], half precision. kind: number in `KINDS`. shape: (size, slant, cross) of a Gaussian;
    log_radius: of a disk; both are of no meaning for other kinds. log_noise: of all that the kernel does not explain,
    [-1, 1] units."""

    luminance: np.ndarray
    kind: int
    shape: np.ndarray
    log_radius: float
    log_noise: float


def random_gaussian(rng: np.random.Generator) -> np.ndarray:
    """(2, 2) covariance; half of them round, the others up to 2.5 times as long as wide."""
    deviation = _log_uniform(DEVIATIONS, rng)
    ratio = math.exp(rng.uniform(0, math.log(2.5))) if rng.random() < 0.5 else 1.0
    angle = math.pi * rng.random()
    axis = np.array([math.cos(angle), math.sin(angle)])
    along = np.outer(axis, axis)
    return deviation**2 * (along * ratio + (np.eye(2) - along) / ratio)


def random_kernel(kind: str, rng: np.random.Generator) -> tuple[Kernel | None, np.ndarray, float]:
    """(kernel, shape, log radius) of one of the `KINDS`; None for sharp ones."""
    shape = np.array([math.log(FLOOR), 0.0, 0.0])
    if kind == "gaussian":
        shape = logarithm(random_gaussian(rng))
        return gaussian_of(shape), shape, 0.0
    if kind == "disk":
        radius = _log_uniform(RADII, rng)
        return disk_kernel(radius, 1), shape, math.log(radius)
    if kind == "shake":
        return camera_shake(_log_uniform(EXTENTS, rng), rng).sample(1, 2 * OUTSIDE + 1), shape, 0.0
    return None, shape, 0.0


def _log_uniform(ends: tuple[float, float], rng: np.random.Generator) -> float:
    return math.exp(rng.uniform(math.log(ends[0]), math.log(ends[1])))


def sample(truth: np.ndarray, rng: np.random.Generator) -> Sample:
    """What becomes of a crop (h, w, 3) in [0, 1]; `OUTSIDE` pixels along its border are gone."""
    inside = (slice(OUTSIDE, -OUTSIDE),) * 2
    if rng.random() < PHONE:
        observed, shape = photographed(truth, rng)
        sharp = shape[0] < math.log(0.45**2)
        again = (truth if sharp else blurred(truth, gaussian_of(shape), linear=False)).clip(0, 1)
        return _sample(observed[inside], again[inside], int(not sharp), shape, 0.0)
    kind = str(rng.choice(KINDS, p=[SHARES[name] for name in KINDS]))
    kernel, shape, log_radius = random_kernel(kind, rng)
    if rng.random() < 0.1:
        truth = with_lights(truth, rng)
    clean = truth if kernel is None else blurred(truth, kernel, bool(rng.random() < 0.5))
    clean = clean.clip(0, 1)
    if kernel is None and rng.random() < 0.25:
        clean = Sharpening(rng.uniform(0.4, 1.6), rng.uniform(0.2, 1.0)).of(clean)
    observed = dirtied(clean, rng)[inside]
    return _sample(observed, clean[inside], KINDS.index(kind), shape, log_radius)


def _sample(observed: np.ndarray, explained: np.ndarray, kind: int, shape: np.ndarray, log_radius: float) -> Sample:
    noise = 2 * math.sqrt(float(((observed - explained) ** 2).mean()))
    return Sample(luma(observed).astype(np.float16), kind, shape, log_radius, math.log(max(noise, LEAST_NOISE)))


def photographed(truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(what a phone makes of a crop (h, w, 3), (3,) shape of the Gaussian that is most like its blur); half of them
    from farther away and enlarged."""
    zoom = rng.uniform(*ENLARGED) if rng.random() < 0.5 else 1.0
    sides = (truth.shape[0], truth.shape[1])
    small = truth if zoom == 1 else resize(truth, (round(sides[0] / zoom), round(sides[1] / zoom)), "bicubic")
    while (degradation := draw("phone", 1, rng)).blur.kind != "gaussian":
        pass
    observed = degradation.apply(small.astype(np.float32).clip(0, 1), rng, wrap=True)
    covariance = degradation.kernel.covariance
    if zoom > 1:
        observed = rounded(resize(observed, sides, "bicubic")).astype(np.float32) / 255
        covariance = zoom**2 * (covariance + BICUBIC * np.eye(2))
    return observed, logarithm(covariance)


def blurred(picture: np.ndarray, kernel: Kernel, linear: bool) -> np.ndarray:
    """(h, w, 3) under a kernel, in linear light or as the values are; borders wrap around."""
    light = to_linear(picture) if linear else picture
    sides = (light.shape[0], light.shape[1])
    apart = np.zeros(sides, np.float32)
    apart[: kernel.size, : kernel.size] = kernel.array
    apart = np.roll(apart, (-(kernel.size // 2), -(kernel.size // 2)), (0, 1))
    planes = torch.from_numpy(np.ascontiguousarray(light.transpose(2, 0, 1), dtype=np.float32))
    spectrum = torch.fft.rfft2(planes) * torch.fft.rfft2(torch.from_numpy(apart)).conj()
    out = torch.fft.irfft2(spectrum, sides).permute(1, 2, 0).numpy()
    return to_srgb(out) if linear else out


def dirtied(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With noise of up to 10 grey levels half of the time, through a JPEG file a third of it, in 8 bits."""
    if rng.random() < 0.5:
        size = 0.0 if rng.random() < 0.7 else rng.uniform(0.4, 1.0)
        picture = Grain(size, _log_uniform((0.4, 10.0), rng) / 255, rng.random()).on(picture, rng)
    if rng.random() < 0.33:
        shift = (int(rng.integers(16)), int(rng.integers(16)))
        picture = Saved(int(rng.integers(60, 99)), "JPEG", int(rng.choice([0, 2])), shift).of(picture)
    return rounded(picture).astype(np.float32) / 255


def busiest(photographs: Photographs, crop: int, rng: np.random.Generator) -> np.ndarray:
    """That of two random crops with the larger gradients: pictures are judged where they have some."""
    two = photographs.draw(2, crop, rng)
    return max(two, key=lambda x: float(np.abs(np.diff(x[..., 1], axis=0)).mean()))


class Source:
    """Batches of samples, a share of them made anew; the others were seen before, and are turned.

    Raises ValueError where no picture is large enough for the smallest of `CROPS`.
    """

    def __init__(self, photographs: Photographs) -> None:
        self.photographs = photographs
        most = max(min(picture.shape[:2]) for picture in photographs.pictures) - 2 * OUTSIDE
        self.kept: dict[int, list[Sample]] = {side: [] for side in CROPS if side <= most}
        if not self.kept:
            raise ValueError(f"no picture of {CROPS[0] + 2 * OUTSIDE} px or more among the photographs")

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """(luminance (B, 1, h, w) in [-1, 1], kind (B,), shape (B, 3), log radius (B,), log noise (B,))."""
        side = list(self.kept)[min(int(rng.choice(len(CROPS), p=[0.5, 0.3, 0.2])), len(self.kept) - 1)]
        count, kept = max(1, PIXELS // side**2), self.kept[side]
        fresh = max(math.ceil(FRESH * count), count - len(kept))
        new = [sample(busiest(self.photographs, side + 2 * OUTSIDE, rng), rng) for _ in range(fresh)]
        some = new + [kept[n] for n in rng.permutation(len(kept))[: count - fresh]]
        kept.extend(new)
        del kept[:-KEPT]
        pictures, shapes = zip(*(turned(one.luminance, one.shape, int(rng.integers(8))) for one in some), strict=True)
        return (
            torch.from_numpy(np.stack(pictures)).float()[:, None] * 2 - 1,
            torch.tensor([one.kind for one in some]),
            torch.from_numpy(np.stack(shapes)).float(),
            torch.tensor([one.log_radius for one in some]),
            torch.tensor([one.log_noise for one in some]),
        )


def loss_of(out: Tensor, kind: Tensor, shape: Tensor, log_radius: Tensor, log_noise: Tensor) -> Tensor:
    """Negative log likelihood: of the kind, and of Laplace distributions of Gaussians, radii and log noise."""
    rest = out[:, len(KINDS) :]

    def laplace(error: Tensor, log_spread: Tensor) -> Tensor:
        log_spread = log_spread.clamp(-5, 3)
        return error.abs() * torch.exp(-log_spread) + log_spread

    gaussian = laplace(shape[:, 0] - rest[:, 0], rest[:, 3])
    gaussian = gaussian + 0.5 * laplace(shape[:, 1:] - rest[:, 1:3], rest[:, 4:5]).sum(1)
    disk = laplace(log_radius - rest[:, 5], rest[:, 6])
    share = [(kind == KINDS.index(name)).float() for name in ("gaussian", "disk")]
    known = 0.5 * (share[0] * gaussian + share[1] * disk) + 0.3 * laplace(log_noise - rest[:, 7], rest[:, 8])
    return F.cross_entropy(out[:, : len(KINDS)], kind) + known.mean()


def train(
    net: SoftnessNet,
    source: Source,
    minutes: float,
    most_steps: int,
    rate: float,
    seed: int,
    keep: Callable[[SoftnessNet], None],
) -> SoftnessNet:
    """The running mean of the net, which `keep` is given every 500 steps; for so many minutes or steps."""
    optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=1e-2)
    average = copy.deepcopy(net).requires_grad_(False)
    dtype = working_dtype(torch.device("cpu"))
    start, step, losses = time.perf_counter(), 0, []
    while True:
        done = max((time.perf_counter() - start) / (60 * minutes), step / max(1, most_steps))
        if done >= 1 or not most_steps:
            return average
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 200) * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
        x, *labels = source.batch(np.random.default_rng([seed, step]))
        with autocast(torch.device("cpu"), dtype):
            out = net(x)
        loss = loss_of(out.float(), *labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        share = min(0.995, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, now in zip(average.parameters(), net.parameters(), strict=True):
                mean.lerp_(now, 1 - share)
        losses.append(float(loss.detach()))
        step += 1
        if step % 100 == 0:
            right = (out[:, : len(KINDS)].argmax(1) == labels[0]).float().mean()
            tell(
                f"step {step}: loss {np.mean(losses):.3f}, {time.perf_counter() - start:.0f} s, last right {right:.2f}"
            )
            losses.clear()
        if step % 500 == 0:
            keep(average)


def finish(net: SoftnessNet, source: Source, count: int, epochs: int, rate: float, seed: int) -> SoftnessNet:
    """The same convolutions under a perceptron that learns anew, from so many samples, over and over: what it is given
    is computed once."""
    known: list[Tensor] = []
    labels: list[tuple[Tensor, ...]] = []
    net.eval()
    while sum(map(len, known)) < count:
        x, *rest = source.batch(np.random.default_rng([seed, 1, len(known)]))
        with torch.no_grad():
            known.append(net.features(x))
        labels.append(tuple(rest))
    seen, rest = torch.cat(known), [torch.cat(parts) for parts in zip(*labels, strict=True)]
    # The numbers of `rings` are the last ones; those of the convolutions stay as they are.
    spectral = seen[:, -RINGS:] * net.deviation + net.mean
    net.mean.copy_(spectral.mean(0))
    net.deviation.copy_(spectral.std(0) + 1e-6)
    seen = torch.cat([seen[:, :-RINGS], (spectral - net.mean) / net.deviation], 1)
    net.layers.requires_grad_()
    optimiser = torch.optim.AdamW(net.layers.parameters(), rate, weight_decay=5e-2)
    steps = max(1, epochs * (len(seen) // 64))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1)
    rng = np.random.default_rng([seed, 2])
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        some = torch.from_numpy(rng.permutation(len(seen))[:64])
        # Dropout of what it is given, with a generator of its own.
        kept = (torch.rand(seen[some].shape, generator=generator) > DROPPED) / (1 - DROPPED)
        loss = loss_of(net.layers(seen[some] * kept), *(part[some] for part in rest))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 99:
            tell(f"perceptron, step {step + 1} of {steps}: loss {float(loss.detach()):.3f}")
    return net


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--steps", type=int, default=10**6, help="at most")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--start", type=Path, metavar="WEIGHTS", help="begin with these")
    parser.add_argument("--finish", type=int, default=8000, metavar="COUNT", help="samples for the perceptron, 0 none")
    parser.add_argument("--epochs", type=int, default=20, help="of these")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    with weights_from(torch.Generator().manual_seed(args.seed)):
        net = SoftnessNet()
    if args.start:
        net = from_state(load_file(args.start)).train()
    args.output.mkdir(parents=True, exist_ok=True)

    def keep(average: SoftnessNet) -> None:
        save_weights(average, args.output / "softness.safetensors")

    source = Source(Photographs(args.photographs))
    net = train(net, source, args.minutes, args.steps, args.rate, args.seed, keep)
    if args.finish:
        net = finish(net, source, args.finish, args.epochs, args.rate, args.seed)
    keep(net)


if __name__ == "__main__":
    main()
