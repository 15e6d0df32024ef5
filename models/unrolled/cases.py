"""Makes a data set for `kfsr bench` of clean photographs and random kernels: what the gate and the sizes are tuned on.

    python models/unrolled/cases.py PHOTOGRAPHS -o cases --scale 2 --count 70
    kfsr bench cases --scale 2 --window 0 --kernel-method spectral

Writes lr_xS/NAME.png, gt/NAME.png and gt_k_xS/NAME.npy, in the layout of DIV2KRK. The name says what was done:
the kind of kernel, the noise in grey levels, the quality of JPEG.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from train import CANVAS, SUFFIXES, compressed

from kfsr.kernel import save_kernel
from kfsr.kernel.random import KINDS, random_blur
from kfsr.operator.spatial import degrade


def random_part(picture: Image.Image, least: int, rng: np.random.Generator) -> Image.Image:
    """A window of the picture at a random place, from `least` px a side up to all of it, which is as likely as not."""
    sides = [min(side, max(least, round(side * rng.uniform(0.3, 1.5)))) for side in picture.size]
    left, top = (int(rng.integers(0, side - part + 1)) for side, part in zip(picture.size, sides, strict=True))
    return picture.crop((left, top, left + sides[0], top + sides[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), default=2)
    parser.add_argument("--count", type=int, default=70)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--clean", action="store_true", help="neither noise nor JPEG")
    parser.add_argument("--parts", action="store_true", help="a random part of each, and pictures more than once")
    parser.add_argument("--shrink", type=float, default=1.0, metavar="F", help="shrink the photographs by this first")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    paths = sorted(p for p in args.photographs.rglob("*") if p.suffix.lower() in SUFFIXES)
    rng = np.random.default_rng([args.seed, args.scale])
    low, truths, kernels = (args.output / name for name in (f"lr_x{args.scale}", "gt", f"gt_k_x{args.scale}"))
    for folder in (low, truths, kernels):
        folder.mkdir(parents=True, exist_ok=True)
    for n, path in enumerate(rng.choice(paths, args.count, replace=args.parts)):
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        if args.shrink != 1:
            sides = [round(side * args.shrink) for side in picture.size]
            picture = picture.resize((sides[0], sides[1]), Image.Resampling.LANCZOS)
        if args.parts:
            picture = random_part(picture, 10 * args.scale, rng)
        width, height = (side // args.scale * args.scale for side in picture.size)
        truth = picture.crop((0, 0, width, height))
        kind = args.kinds[n % len(args.kinds)]
        kernel = random_blur(args.scale, CANVAS[args.scale], rng, kind).sample(args.scale, CANVAS[args.scale])
        clean = torch.from_numpy(np.asarray(truth).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        small = degrade(clean, torch.from_numpy(kernel.array.copy()).float(), args.scale)[0]
        noise = 0.0 if args.clean or rng.random() < 0.6 else float(rng.uniform(1, 8))
        quality = 0 if args.clean or rng.random() < 0.75 else int(rng.integers(60, 96))
        small = small + noise / 127.5 * torch.from_numpy(rng.standard_normal(small.shape)).float()
        if quality:
            small = compressed(small, quality)
        name = f"{n:04d}_{kind}_n{noise:.0f}_q{quality}_x{args.scale}"
        pixels = ((small + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(low / f"{name}.png")
        truth.save(truths / f"{name}.png")
        save_kernel(kernel, kernels / f"{name}.npy")


if __name__ == "__main__":
    main()
