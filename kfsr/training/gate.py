"""Trains the gate: python -m kfsr.training.gate PHOTOGRAPHS -o FOLDER

PHOTOGRAPHS: folders of clean pictures, of which low-resolution ones are made in all the ways that
`kfsr.training.degradations` knows. Each is solved as `kfsr upscale` would, with every candidate, and with kernels that
are given; the network learns which share of the change was right. What was measured is kept in SAMPLES for the next
call; it holds for the solver's and the calibration's weights that it was measured with.
"""

from __future__ import annotations

import argparse
import pickle
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.analysis.noise import noise_variance
from kfsr.analysis.problem import Told
from kfsr.analysis.windows import busiest_window
from kfsr.errors import InputError
from kfsr.estimators import spectral
from kfsr.estimators.calibration import Calibration, CalibrationNet, calibrate, seen
from kfsr.image import luma
from kfsr.kernel import Provenance, resize_kernel
from kfsr.numerics import weights_from
from kfsr.operator.spatial import bicubic_upscale
from kfsr.pipeline.gate import Candidate, ShareNet, features, rehearse, share_of
from kfsr.settings import Settings
from kfsr.solvers.unrolled import solver_of
from kfsr.training.calibration import told_quantisation
from kfsr.training.degradations import Degradation, draw
from kfsr.training.photographs import pictures_in, shrunk_picture, tell
from kfsr.training.solver import save_weights
from kfsr.weights import network

SCALES = {2: 0.4, 3: 0.15, 4: 0.45}
KINDS = {"phone": 0.25, "web": 0.25, "scan": 0.25, "clean": 0.25}

Sample = tuple[list[float], float, float]
"""Features of a candidate, the share that is right, and the mean square of its change over that of bicubic's error."""


def samples_of(paths: list[Path], seed: tuple[int, int], weights: Path | None) -> list[Sample]:
    """Of one random picture; none where it is too small or flat."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    scale = int(rng.choice(list(SCALES), p=list(SCALES.values())))
    picture = np.asarray(shrunk_picture(paths[int(rng.integers(len(paths)))], float(rng.choice([1.0, 0.7]))))
    side = int(rng.integers(56, 180)) * scale
    rows, cols = (min(n, side) // scale * scale for n in picture.shape[:2])
    top, left = int(rng.integers(0, picture.shape[0] - rows + 1)), int(rng.integers(0, picture.shape[1] - cols + 1))
    truth = picture[top : top + rows, left : left + cols].astype(np.float32) / 255
    degradation = draw(str(rng.choice(list(KINDS), p=list(KINDS.values()))), scale, rng)
    low_res = degradation.apply(truth, rng)
    settings = Settings()
    x = _tensor(low_res)
    try:
        fit = spectral.estimate(luma(low_res), scale)
        dirt = seen(x, told_quantisation(degradation, rng))
        net = network(None, ("calibration",))
        assert isinstance(net, CalibrationNet)
        known = calibrate(fit, [luma(low_res)], dirt, net, settings.calibration)
    except InputError:
        return []
    gate = settings.unrolled.gate
    row, col, h, w = busiest_window(x, gate.window)
    window = x[..., row : row + h, col : col + w]
    inside = (slice(scale * row, scale * (row + h)), slice(scale * col, scale * (col + w)))
    wanted = _tensor(degradation.truth_of(truth)[inside]) - bicubic_upscale(window, scale)
    solve = solver_of(weights, scale)
    generator = torch.Generator().manual_seed(seed[1])
    found = []
    rim = min(8, h // 4, w // 4) * scale
    inner = (..., slice(rim, scale * h - rim), slice(rim, scale * w - rim))
    noise = noise_variance(x) ** 0.5
    for candidate in _tried(degradation, known, settings, rng):
        trial = rehearse(window, candidate, noise, solve, generator)
        change = solve(window, _kernel(candidate), candidate.told) - bicubic_upscale(window, scale)
        y, wanted_y = _luminance(change)[inner], _luminance(wanted)[inner]
        weight = float(y.square().mean() / wanted_y.square().mean().clamp_min(1e-6))
        found.append((features(trial, candidate, known, x[0, 0].numel()), share_of(y, wanted_y), weight))
    return found


def _tried(
    degradation: Degradation, known: Calibration, settings: Settings, rng: np.random.Generator
) -> list[Candidate]:
    """What is estimated, the same with half the kernel and with more noise, and two kernels from elsewhere: one given,
    one by a method of any form."""
    gate = settings.unrolled.gate
    doubt = max(gate.estimated_uncertainty, min(2.0, settings.calibration.doubt * known.spread**2))
    told = Told(max(gate.estimated_sigma, known.noise), doubt, known.correlation)
    half = resize_kernel(known.kernel, 0.5)
    narrow = known.sharpening.of_kernel(half).stamped(half.provenance) if known.sharpening else half
    true = degradation.whole_kernel()
    wrong = degradation.told_kernel(0.9, rng).stamped(Provenance("estimated", "edges"))
    return [
        Candidate(known.whole, known.kernel, told),
        Candidate(narrow, half, Told(told.sigma, max(doubt, 1.0), told.correlation)),
        Candidate(known.whole, known.kernel, Told(1.7 * told.sigma, max(doubt, 0.5), told.correlation)),
        Candidate(true, true, Told(max(gate.trusted_sigma, known.noise), gate.given_uncertainty, told.correlation)),
        Candidate(wrong, wrong, Told(told.sigma, 0.9, told.correlation)),
    ]


def gain_of(share: Tensor, right: Tensor, weight: Tensor) -> Tensor:
    """Gain over bicubic, dB, of so much of a change, from what is right of it and its power over bicubic's error."""
    return -10 * (1 - weight * (2 * share * right - share * share)).clamp_min(1e-3).log10()


def loss_of(share: Tensor, right: Tensor, weight: Tensor, caution: float) -> Tensor:
    """Mean loss against bicubic, dB; of what comes out worse than bicubic `caution` times as much, and from .1 dB on
    twice that."""
    gain = gain_of(share, right, weight)
    return (-gain + caution * F.relu(-gain) + caution * F.relu(-gain - 0.1)).mean()


def _tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).float()[None] * 2 - 1


def _kernel(candidate: Candidate) -> Tensor:
    return torch.from_numpy(candidate.kernel.array.copy()).float()


def _luminance(x: Tensor) -> Tensor:
    return (x * x.new_tensor([0.257, 0.504, 0.098])[:, None, None]).sum(1, keepdim=True) / 0.859


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--samples", type=Path, default=Path("gate-samples.pkl"), help="where they are kept")
    parser.add_argument("--count", type=int, default=1500, help="of pictures")
    parser.add_argument("--weights", type=Path, help="of the solver, the bundled ones by default")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--caution", type=float, default=12.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    paths = pictures_in(args.photographs)
    if not args.samples.exists():
        with ProcessPoolExecutor(args.workers) as pool:
            seeds = [(args.seed, n) for n in range(args.count)]
            each = list(pool.map(samples_of, repeat(paths), seeds, repeat(args.weights), chunksize=10))
        args.samples.write_bytes(pickle.dumps(each))
    each = [some for some in pickle.loads(args.samples.read_bytes()) if some]
    held = len(each) // 6
    x, right, weight = (torch.tensor(v) for v in zip(*[one for some in each[held:] for one in some], strict=True))
    with weights_from(torch.Generator().manual_seed(args.seed)):
        net = ShareNet()
    net.mean.copy_(x.mean(0))
    net.deviation.copy_(x.std(0).clamp_min(1e-3))
    optimiser = torch.optim.AdamW(net.parameters(), args.rate, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.rate, total_steps=args.steps, pct_start=0.1)
    random = torch.Generator().manual_seed(args.seed)
    for _ in range(args.steps):
        some = torch.randint(len(x), (256,), generator=random)
        jitter = 0.05 * net.deviation * torch.randn(x[some].shape, generator=random)
        loss = loss_of(net(x[some] + jitter), right[some], weight[some], args.caution)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    args.output.mkdir(parents=True, exist_ok=True)
    save_weights(net, args.output / "gate.safetensors")
    report(net.eval(), each[:held])


def report(net: ShareNet, each: list[list[Sample]]) -> None:
    """Gain over bicubic, dB, of the estimated candidate as it is, of the network's share, and of the right one."""
    own = [some[0] for some in each]
    x, right, weight = (torch.tensor(v) for v in zip(*own, strict=True))
    with torch.no_grad():
        shares = net(x)
    for name, share in (("all", torch.ones_like(right)), ("share", shares), ("right share", right.clamp(0, 1))):
        gain = gain_of(share, right, weight)
        low = f"worst {gain.min():.2f}, below -.1: {(gain < -0.1).float().mean():.3f}"
        tell(f"{name}: mean {gain.mean():.2f} dB, {low}")


if __name__ == "__main__":
    main()
