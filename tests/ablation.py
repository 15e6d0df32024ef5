"""KernelFusion without one of its parts at a time, on pictures whose kernel is known.

    python tests/ablation.py LEVIN --scale 4 --names im_24 im_13 -o results.ndjson

LEVIN: a folder in the layout that `kfsr bench` reads. One line of JSON per picture and variant goes to the output, with
the kernel's NCC, and its best NCC within a shift of 2 px. All variants of a picture share its patch model, its window
and the seed.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn

from kfsr.analysis.problem import Problem
from kfsr.analysis.windows import busiest_windows
from kfsr.estimators import kernelfusion
from kfsr.evaluation.bench import find_cases
from kfsr.image import read_image
from kfsr.kernel import compare_kernels, load_kernel
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.training import train_patch_model
from kfsr.priors.siren import SirenKernel
from kfsr.priors.unet import UNet
from kfsr.recipe import Recipe

DIRECT_RATE = 2e-2
"""Adam's rate for the logits, which have to move by about 5; a SIREN's weights hardly move."""


class NoPatchModel:
    """Returns the picture one step back in time as it is, noise included."""

    def differentiable(self, x: Tensor, _sigma: float) -> Tensor:
        return x


class OneCall(UNet):
    """The U-Net for x_0 only; what the patch model makes of the step back is not refined a second time."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) if self.calls % 2 else x


class DirectKernel(nn.Module):
    """A softmax of one number per weight in place of the SIREN; flat at first."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(size, size))

    def forward(self) -> Tensor:
        return self.logits.flatten().softmax(0).reshape(self.logits.shape)


VARIANTS = ("full", "no patch model", "one U-Net call", "direct kernel")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--names", nargs="*", default=[])
    parser.add_argument("--variants", nargs="*", default=VARIANTS, choices=VARIANTS)
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=NUMBER", help="replace these settings")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    changed = {name: int(value) for name, value in (one.split("=") for one in args.set)}
    for case in find_cases(args.folder, args.scale, args.names):
        if case.kernel is None:
            continue
        truth = load_kernel(case.kernel, args.scale)
        recipe = Recipe.make(scale=args.scale, preset=args.preset, seed=args.seed)
        problem = Problem([read_image(case.low_res)], recipe)
        cfg = replace(problem.settings.kernelfusion, **changed)
        places = busiest_windows(problem.luminances[0], cfg.window, cfg.windows)
        windows = torch.cat([problem.low_res[(..., *place)] for place in places])
        model = train_patch_model(CropSampler(problem.tensors), cfg.patch, problem.generator(7))
        for variant in args.variants:
            direct = variant == "direct kernel"
            clock = time.perf_counter()
            with (
                patch.object(kernelfusion, "UNet", OneCall if variant == "one U-Net call" else UNet),
                patch.object(kernelfusion, "SirenKernel", DirectKernel if direct else SirenKernel),
            ):
                kernel = kernelfusion.estimate(
                    windows,
                    args.scale,
                    NoPatchModel() if variant == "no patch model" else model,
                    replace(cfg, kernel_rate=DIRECT_RATE) if direct else cfg,
                    problem.generator(8),
                ).kernel
            score = compare_kernels(kernel, truth)
            line = json.dumps(
                {
                    "name": case.name,
                    "variant": variant,
                    "seed": args.seed,
                    "settings": changed,
                    "ncc": round(score.ncc, 4),
                    "ncc_shift2": round(score.ncc_shift2, 4),
                    "seconds": round(time.perf_counter() - clock),
                }
            )
            with args.output.open("a") as out:
                out.write(line + "\n")


if __name__ == "__main__":
    main()
