"""Trains the judge of the spectral kernel's size: python models/size/train.py CASES... -o models/size

CASES: folders that models/unrolled/cases.py made. Every low-resolution picture in them is given to the spectral
estimator, and the net learns by how much its size was wrong, and how far that can be known.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from kfsr.bench import find_cases
from kfsr.errors import InputError
from kfsr.estimators import spectral
from kfsr.estimators.size import SizeNet, features
from kfsr.image import luma, read_image
from kfsr.kernel import load_kernel
from kfsr.kernel.gaussian import fit_gaussian

FOLDS = 5


def samples(folder: Path, scale: int) -> list[tuple[list[float], float]]:
    """Features, and log(true size / estimated size), of every picture that is large enough."""
    out = []
    for case in find_cases(folder, scale, []):
        if case.kernel is None:
            continue
        true = fit_gaussian(load_kernel(case.kernel, scale).array, scale)[0].trace
        try:
            fit = spectral.estimate(luma(read_image(case.low_res).pixels), scale)
        except InputError:
            continue
        # Kernels without extent, or wider than any estimate may be, have no size to learn.
        if -4 < math.log(true / scale**2) < 1.4:
            out.append((features(fit), math.log(true / fit.kernel.trace)))
    return out


def train(x: Tensor, y: Tensor, steps: int, seed: int) -> SizeNet:
    """Maximum likelihood of a Laplace distribution."""
    torch.manual_seed(seed)
    net = SizeNet()
    net.mean.copy_(x.mean(0))
    net.deviation.copy_(x.std(0))
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        some = torch.randint(len(x), (256,))
        median, log_spread = net(x[some]).unbind(1)
        loss = ((y[some] - median).abs() * torch.exp(-log_spread) + log_spread).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    found = [
        one for folder in args.cases for s in (2, 3, 4) if (folder / f"lr_x{s}").is_dir() for one in samples(folder, s)
    ]
    x, y = (torch.tensor(v, dtype=torch.float32) for v in zip(*found, strict=True))
    fold = torch.arange(len(x)) % FOLDS
    spread = torch.zeros(len(x))
    error = torch.zeros(len(x))
    for n in range(FOLDS):
        net = train(x[fold != n], y[fold != n], args.steps, args.seed)
        with torch.no_grad():
            median, log_spread = net(x[fold == n]).unbind(1)
        error[fold == n], spread[fold == n] = (y[fold == n] - median).abs(), log_spread.exp()
    print(f"{len(x)} pictures; mean |log size error|, spectral {y.abs().mean():.2f}, judged {error.mean():.2f}")
    for low, high in ((0.0, 0.15), (0.15, 0.3), (0.3, 0.6), (0.6, 9.0)):
        some = (spread >= low) & (spread < high)
        print(f"spread {low} to {high}: {int(some.sum())} pictures, mean error {error[some].mean():.2f}")
    save_file(train(x, y, args.steps, args.seed).state_dict(), args.output / "size.safetensors")


if __name__ == "__main__":
    main()
