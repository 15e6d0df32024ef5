"""Makes a data set for `kfsr bench` of clean photographs and random kernels: what the gate and the sizes are tuned on.

    python -m kfsr.training.cases PHOTOGRAPHS -o cases --scale 2 --count 70
    kfsr bench cases --scale 2 --window 0 --kernel-method spectral

Writes lr_xS/NAME.png, gt/NAME.png and gt_k_xS/NAME.npy, in the layout of DIV2KRK. The name says what was done:
the kind of kernel, the noise in grey levels, the quality of JPEG; with --like, the kind of degradation
(`kfsr.training.degradations`), and the kernel is that with sharpening in it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from kfsr.kernel import Kernel, save_kernel
from kfsr.kernel.random import KINDS, random_blur
from kfsr.training.degradations import CANVAS, degraded_by, draw
from kfsr.training.degradations import KINDS as DIRTY
from kfsr.training.dirt import Grain, Saved, rounded
from kfsr.training.photographs import pictures_in


def random_part(picture: Image.Image, least: int, rng: np.random.Generator) -> Image.Image:
    """A window of the picture at a random place, from `least` px a side up to all of it, which is as likely as not."""
    sides = [min(side, max(least, round(side * rng.uniform(0.3, 1.5)))) for side in picture.size]
    left, top = (int(rng.integers(0, side - part + 1)) for side, part in zip(picture.size, sides, strict=True))
    return picture.crop((left, top, left + sides[0], top + sides[1]))


def blurred(
    truth: np.ndarray, scale: int, kind: str, clean: bool, rng: np.random.Generator
) -> tuple[np.ndarray, Kernel, str]:
    """(low_res, kernel, what was done) of a truth (H, W, 3) in [0, 1] under a kernel of this kind."""
    kernel = random_blur(scale, CANVAS[scale], rng, kind).sample(scale, CANVAS[scale])
    noise = 0.0 if clean or rng.random() < 0.6 else float(rng.uniform(1, 8))
    quality = 0 if clean or rng.random() < 0.75 else int(rng.integers(60, 96))
    low_res = Grain(0.0, noise / 255).on(degraded_by(truth, kernel), rng)
    low_res = Saved(quality).of(low_res) if quality else low_res
    return low_res, kernel, f"{kind}_n{noise:.0f}_q{quality}"


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), default=2)
    parser.add_argument("--count", type=int, default=70)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--like", nargs="+", choices=DIRTY, default=[], help="photographs as people have them")
    parser.add_argument("--clean", action="store_true", help="neither noise nor JPEG")
    parser.add_argument("--parts", action="store_true", help="a random part of each, and pictures more than once")
    parser.add_argument("--shrink", type=float, default=1.0, metavar="F", help="shrink the photographs by this first")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    paths = pictures_in([args.photographs])
    rng = np.random.default_rng([args.seed, args.scale])
    low, truths, kernels = (args.output / name for name in (f"lr_x{args.scale}", "gt", f"gt_k_x{args.scale}"))
    for folder in (low, truths, kernels):
        folder.mkdir(parents=True, exist_ok=True)
    for n, chosen in enumerate(rng.choice(len(paths), args.count, replace=args.parts)):
        with Image.open(paths[chosen]) as opened:
            picture = opened.convert("RGB")
        if args.shrink != 1:
            sides = [round(side * args.shrink) for side in picture.size]
            picture = picture.resize((sides[0], sides[1]), Image.Resampling.LANCZOS)
        if args.parts:
            picture = random_part(picture, 10 * args.scale, rng)
        width, height = (side // args.scale * args.scale for side in picture.size)
        truth = picture.crop((0, 0, width, height))
        sharp = np.asarray(truth).astype(np.float32) / 255
        if args.like:
            degradation = draw(args.like[n % len(args.like)], args.scale, rng)
            small, kernel, name = degradation.apply(sharp, rng), degradation.whole_kernel(), degradation.kind
            truth = Image.fromarray(rounded(degradation.truth_of(sharp)))
        else:
            small, kernel, name = blurred(sharp, args.scale, args.kinds[n % len(args.kinds)], args.clean, rng)
        name = f"{n:04d}_{name}_x{args.scale}"
        Image.fromarray(rounded(small)).save(low / f"{name}.png")
        truth.save(truths / f"{name}.png")
        save_kernel(kernel, kernels / f"{name}.npy")


if __name__ == "__main__":
    main()
