"""Trains the calibration of the spectral kernel: python -m kfsr.training.calibration PHOTOGRAPHS -o FOLDER

PHOTOGRAPHS: folders of clean pictures, of which low-resolution ones are made with random kernels. Each is given to the
spectral estimator, and the net learns from picture and fit by how much the fit was wrong, how far that can be known,
and whether a Gaussian will do. The low-resolution pictures are kept in SAMPLES for the next call.
"""

from __future__ import annotations

import argparse
import io
import math
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from kfsr.errors import InputError
from kfsr.estimators import spectral
from kfsr.estimators.calibration import (
    NOISE_FLOOR,
    SIDE,
    CalibrationNet,
    error_of,
    features,
    from_state,
    seen,
)
from kfsr.image import luma
from kfsr.kernel import Kernel, Provenance
from kfsr.kernel.gaussian import fit_gaussian
from kfsr.kernel.random import Blur, random_blur
from kfsr.numerics import weights_from, working_dtype
from kfsr.training.degradations import CANVAS, Degradation, draw
from kfsr.training.dirt import Grain, Saved
from kfsr.training.photographs import FACTORS, pictures_in, shrunk_picture, tell
from kfsr.training.resizing import program_kernel
from kfsr.training.solver import save_weights

SCALES = {2: 0.4, 3: 0.2, 4: 0.4}
KINDS = {"gaussian": 0.4, "shake": 0.26, "flat": 0.1, "program": 0.24}
LIKE = 0.92
"""Correlation with a Gaussian from which on a kernel counts as one."""

CHUNK = 250


@dataclass(frozen=True)
class Sample:
    """photograph: its number. luminance: (h, w), 65535 is white. features: of the spectral fit. error: what must be
    added to its logarithm (3,). like: correlation of the true kernel, without sharpening, with its Gaussian. dirt: log
    noise, its correlation, gains of the sharpening."""

    photograph: int
    scale: int
    kind: str
    luminance: np.ndarray
    features: list[float]
    error: np.ndarray
    like: float
    dirt: tuple[float, float, float, float]


def sharp_picture(paths: list[Path], n: int, rng: np.random.Generator) -> Image.Image:
    """A photograph at one of three sizes; some a little softer, as pictures are that fill a camera's sensor."""
    picture = shrunk_picture(paths[n], float(rng.choice(FACTORS)))
    if rng.random() < 0.2:
        picture = softened(picture, rng.uniform(0.2, 0.6))
    return picture


def softened(picture: Image.Image, deviation: float) -> Image.Image:
    """Blurred by a Gaussian of that many pixels."""
    i = np.arange(-3, 4)
    profile = np.exp(-0.5 * (i / deviation) ** 2)
    k = np.outer(profile, profile)
    x = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[:, None].float()
    y = F.conv2d(F.pad(x, (3, 3, 3, 3), mode="reflect"), torch.from_numpy(k / k.sum()).float()[None, None])
    return Image.fromarray(y[:, 0].round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


def degraded(truth: np.ndarray, scale: int, dirty: float, rng: np.random.Generator) -> tuple[np.ndarray, Degradation]:
    """(low_res, how it was made) of a `truth` (H, W, 3) in [0, 1].

    dirty: share of pictures from a phone, a web site or a scanner; the others are blurred, grainy, or saved once.
    """
    if rng.random() < dirty:
        degradation = draw(str(rng.choice(("phone", "web", "scan"))), scale, rng)
        return degradation.apply(truth, rng), degradation
    kind, size = str(rng.choice(list(KINDS), p=list(KINDS.values()))), CANVAS[scale]
    if kind == "program":
        name = str(rng.choice(["bicubic", "area", "bilinear", "lanczos"], p=[0.5, 0.25, 0.1, 0.15]))
        blur, kernel = Blur("bicubic"), Kernel(program_kernel(name, scale, size), scale, Provenance("given", kind))
    else:
        blur = random_blur(scale, size, rng, kind)
        kernel = blur.sample(scale, size)
    grain = Grain(0.0, rng.uniform(1, 8) / 255) if rng.random() < 0.4 else None
    files = (Saved(int(rng.integers(60, 96))),) if rng.random() < 0.25 else ()
    degradation = Degradation(kind, kernel, blur, grain=grain, files=files)
    return degradation.apply(truth, rng), degradation


@lru_cache
def quantisation(quality: int) -> float:
    """Mean of the 20 smallest steps for luminance in a JPEG file of that quality."""
    with Image.open(io.BytesIO(Saved(quality).file(np.zeros((8, 8, 3), np.uint8)))) as opened:
        return float(np.mean(sorted(opened.quantization[0])[:20]))  # type: ignore[attr-defined]


def told_quantisation(degradation: Degradation, rng: np.random.Generator) -> float:
    """Of the file, 0 where it is no JPEG; one in four was made a PNG by somebody."""
    last = degradation.files[-1] if degradation.files else None
    known = last is not None and last.format == "JPEG" and rng.random() < 0.75
    return quantisation(last.quality) if known and last else 0.0


def sample(paths: list[Path], rng: np.random.Generator, dirty: float) -> Sample | None:
    """A random low-resolution picture, None when it is too small or flat."""
    scale = int(rng.choice(list(SCALES), p=list(SCALES.values())))
    n = int(rng.integers(len(paths)))
    picture = np.asarray(sharp_picture(paths, n, rng))
    rows, cols = (
        min(side, SIDE * scale, max(24 * scale, round(side * rng.uniform(0.4, 1.6)))) // scale * scale
        for side in picture.shape[:2]
    )
    top, left = int(rng.integers(0, picture.shape[0] - rows + 1)), int(rng.integers(0, picture.shape[1] - cols + 1))
    truth = picture[top : top + rows, left : left + cols].astype(np.float32) / 255
    low_res, degradation = degraded(truth, scale, dirty, rng)
    luminance = luma(low_res)
    try:
        fit = spectral.estimate(luminance, scale)
    except InputError:
        return None
    x = torch.from_numpy(low_res).permute(2, 0, 1)[None] * 2 - 1
    noise, correlation = degradation.unexplained(truth, low_res, wrap=False)
    gains = degradation.sharpening.gains() if degradation.sharpening else (0.0, 0.0)
    gaussian, like = fit_gaussian(degradation.kernel.array, scale)
    stored = np.round(luminance * 65535).astype(np.uint16)
    known = features(fit, seen(x, told_quantisation(degradation, rng)))
    dirt = (math.log(max(noise, NOISE_FLOOR)), correlation, *gains)
    return Sample(n, scale, degradation.kind, stored, known, error_of(fit.kernel, gaussian), like, dirt)


def some_samples(paths: list[Path], seed: tuple[int, int], count: int, dirty: float) -> list[Sample]:
    """`count` samples of one random stream."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    out: list[Sample] = []
    while len(out) < count:
        if (one := sample(paths, rng, dirty)) is not None:
            out.append(one)
    return out


def all_samples(file: Path, paths: list[Path], seed: int, count: int, dirty: float, workers: int) -> list[Sample]:
    """The samples in the `file`, and what lacks to `count` of them, which goes into it chunk by chunk."""
    chunks = []
    with file.open("ab+") as kept, ProcessPoolExecutor(workers) as pool:
        kept.seek(0)
        while kept.peek(1):
            chunks.append(pickle.load(kept))
        left = [(seed, n) for n in range(len(chunks), math.ceil(count / CHUNK))]
        for chunk in pool.map(some_samples, repeat(paths), left, repeat(min(CHUNK, count)), repeat(dirty)):
            pickle.dump(chunk, kept)
            kept.flush()
            chunks.append(chunk)
    return [one for chunk in chunks for one in chunk]


def turned(x: np.ndarray, shape: np.ndarray, symmetry: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture (h, w) and (size, difference of the axes, what is off the diagonal) of its kernel, turned alike."""
    x, shape = np.rot90(x, symmetry % 4), shape.copy()
    shape[1:] *= (-1) ** (symmetry % 2)
    if symmetry > 3:
        x, shape[2] = x[:, ::-1], -shape[2]
    return x, shape


def batches(samples: list[Sample], size: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
    """(luminance, features, errors, whether no Gaussian) of samples of about one size, cut to the smallest, turned."""
    order = np.argsort([one.luminance.size * math.exp(0.3 * rng.standard_normal()) for one in samples])
    starts = rng.permutation(np.arange(0, len(order), size))
    for start in starts:
        some = [samples[n] for n in order[start : start + size]]
        pictures, known, errors = [], [], []
        for one in some:
            symmetry = int(rng.integers(8))
            x, error = turned(one.luminance, one.error, symmetry)
            _, shape = turned(one.luminance, np.array([0.0, *one.features[-2:]]), symmetry)
            pictures.append(x.astype(np.float32) / 32767.5 - 1)
            known.append([*one.features[:-2], *shape[1:]])
            errors.append(error)
        h, w = (min(x.shape[axis] for x in pictures) for axis in (0, 1))
        cut = []
        for x in pictures:
            i, j = (int(rng.integers(0, side - part + 1)) for side, part in zip(x.shape, (h, w), strict=True))
            cut.append(x[i : i + h, j : j + w])
        yield (
            torch.from_numpy(np.stack(cut))[:, None],
            torch.tensor(known, dtype=torch.float32),
            torch.from_numpy(np.stack(errors)).float(),
            torch.tensor([float(one.like < LIKE) for one in some]),
            torch.tensor([one.dirt for one in some]).float(),
        )


def loss_of(out: Tensor, errors: Tensor, free_form: Tensor, dirt: Tensor) -> Tensor:
    """Negative log likelihood: of Laplace distributions of the errors and of log noise, and of a Gaussian's being too
    little; and the absolute errors of the noise's correlation and of the sharpening's gains."""
    log_spread = out[:, [3, 4, 4, 7]].clamp(-4, 3)
    apart = torch.cat([errors - out[:, :3], dirt[:, :1] - out[:, 6:7]], 1)
    laplace = apart.abs() * torch.exp(-log_spread) + log_spread
    likelihood = (laplace * laplace.new_tensor([1.0, 0.5, 0.5, 1.0])).sum(1).mean()
    rest = (dirt[:, 1:] - out[:, 8:]).abs().sum(1).mean()
    return likelihood + rest + 0.3 * F.binary_cross_entropy_with_logits(out[:, 5], free_form)


def report(net: CalibrationNet, samples: list[Sample]) -> None:
    """How wrong the spectral and the calibrated sizes are, and how the spread that is named agrees."""
    with torch.no_grad():
        out = torch.stack(
            [
                net(
                    torch.from_numpy(one.luminance.astype(np.float32) / 32767.5 - 1)[None, None],
                    torch.tensor([one.features]),
                )[0]
                for one in samples
            ]
        ).numpy()
    true = np.stack([one.error for one in samples])
    free_form = np.array([one.like < LIKE for one in samples])
    error, spread = np.abs(true - out[:, :3]), np.exp(out[:, 3])
    rank = (out[free_form, 5][:, None] > out[~free_form, 5]).mean()
    tell(
        f"{len(samples)} pictures; mean |log size error|: spectral {np.abs(true[:, 0]).mean():.3f}, "
        f"calibrated {error[:, 0].mean():.3f}; of shape: {np.abs(true[:, 1:]).mean():.3f}, {error[:, 1:].mean():.3f}; "
        f"no Gaussian told from Gaussian: {rank:.3f}"
    )
    dirt = np.stack([one.dirt for one in samples])
    apart = np.abs(dirt - out[:, [6, 8, 9, 10]]).mean(0)
    usual = np.abs(dirt - np.median(dirt, 0)).mean(0)
    for name, error_now, error_before in zip(
        ("log noise", "correlation", "gain low", "gain high"), apart, usual, strict=True
    ):
        tell(f"{name}: {error_now:.3f}, with the median of all {error_before:.3f}")
    kinds = np.array([one.kind for one in samples])
    for kind in np.unique(kinds):
        some = kinds == kind
        tell(f"{kind}: spectral {np.abs(true[some, 0]).mean():.3f}, calibrated {error[some, 0].mean():.3f}")
    for low, high in ((0.0, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 9.0)):
        some = (spread >= low) & (spread < high)
        if some.any():
            tell(f"spread {low} to {high}: {int(some.sum())} pictures, mean error {error[some, 0].mean():.3f}")


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--samples", type=Path, default=Path("size-samples.pkl"), help="where they are kept")
    parser.add_argument("--count", type=int, default=24000)
    parser.add_argument("--dirty", type=float, default=0.0, help="share of pictures from phones, web sites, scanners")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--hold-out", type=int, default=0, metavar="N", help="do not learn from every Nth photograph")
    parser.add_argument("--start", type=Path, metavar="WEIGHTS", help="begin with these")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    paths = pictures_in(args.photographs)
    samples = all_samples(args.samples, paths, args.seed, args.count, args.dirty, args.workers)
    held = [one for one in samples if args.hold_out and one.photograph % args.hold_out == 0]
    learned = [one for one in samples if not args.hold_out or one.photograph % args.hold_out]
    rng = np.random.default_rng(args.seed)
    with weights_from(torch.Generator().manual_seed(args.seed)):
        net = CalibrationNet()
    if args.start:
        net = from_state(load_file(args.start)).train()
    known = torch.tensor([one.features for one in learned])
    net.mean.copy_(known.mean(0))
    net.deviation.copy_(known.std(0))
    optimiser = torch.optim.AdamW(net.parameters(), args.rate, weight_decay=1e-2)
    steps = args.epochs * math.ceil(len(learned) / args.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.rate, total_steps=steps, pct_start=0.1)
    dtype = working_dtype(torch.device("cpu"))
    start = time.perf_counter()
    for epoch in range(args.epochs):
        losses = []
        for x, some, *labels in batches(learned, args.batch, rng):
            with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
                out = net(x, some)
            loss = loss_of(out.float(), *labels)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        tell(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}, {time.perf_counter() - start:.0f} s")
        save_weights(net, args.output / "calibration.safetensors")
    report(net.eval(), held or learned[:1000])


if __name__ == "__main__":
    main()
