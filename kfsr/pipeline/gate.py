"""Never worse than bicubic: how much of what a solver changes is right, told from the picture itself.

With b the bicubic picture, x a solver's and t the true one, the best picture between b and x is

    b + share (x - b),        share = <x - b, t - b> / |x - b|^2,                               (1)

and it lowers the squared error of b by share^2 |x - b|^2. The share is estimated by a small network that was trained on
photographs with truths (`models/gate`). It looks at what the solver did to a window: ringing, what it changed where the
picture is flat, what its result does not explain, and the share in a rehearsal, where the truth is known: the window is
degraded once more by the same kernel and solved. Other candidates beside the estimate, narrower kernels and more noise,
gained nothing over the share of the first (`models/gate/README.md`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kfsr.analysis.problem import Solve, Told, kernel_tensor
from kfsr.analysis.windows import busiest_window
from kfsr.errors import InputError, NothingToLearn
from kfsr.estimators.calibration import Calibration, logarithm
from kfsr.kernel import Kernel
from kfsr.operator.spatial import as_stored, bicubic_upscale, degrade
from kfsr.progress import Progress, silent
from kfsr.settings import GateSettings

TRUSTED = "trusted"
CAUTIOUS = "cautious"
BICUBIC = "bicubic"
UNCHANGED = "unchanged"
"""At scale 1, what is `BICUBIC` at the others: the picture is given back as it is."""

SHARP = "the picture is sharp already; left as it is"
"""Why a picture under a point as its kernel is `UNCHANGED`."""

FEATURES = 18


@dataclass(frozen=True)
class Candidate:
    """What a picture may be solved with. gaussian: the kernel without what sharpening did to it, as far as known."""

    kernel: Kernel
    gaussian: Kernel
    told: Told


@dataclass(frozen=True)
class Trial:
    """What one candidate did to the window, in grey levels, root mean square. change: result less bicubic; flat: the
    same in the quarter of the window with the least detail; overshoot: of the result, and rehearsed: of the rehearsal;
    residual: of the low-resolution window and the result degraded again. rehearsed_share: that of (1) in the
    rehearsal. share: that of (1), as the network estimates it."""

    change: float
    flat: float
    overshoot: float
    rehearsed: float
    residual: float
    rehearsed_share: float
    share: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """verdict: "trusted", or what was done instead; reason: one line for people; trial: what was measured, None where
    nothing was judged."""

    verdict: str
    reason: str
    trial: Trial | None = None


@dataclass(frozen=True)
class Decision:
    """What the picture is solved with, and why. strength, denoise: how far the result goes, as in `Recipe`, where the
    user does not say (`finish.with_choices`)."""

    kernel: Kernel
    told: Told
    verdict: Verdict
    strength: float = 1.0
    denoise: float = 1.0


class ShareNet(nn.Module):
    """(B, `FEATURES`) to (B,) shares of (1), 0 to 1."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("deviation", torch.ones(FEATURES))
        self.share = nn.Sequential(
            nn.Linear(FEATURES, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """As the class says."""
        normalised = ((features - self.mean) / self.deviation).clamp(-4, 4)
        return torch.sigmoid(self.share(normalised)[:, 0])


def from_state(state: dict[str, Tensor]) -> ShareNet:
    """The network with these parameters; InputError when they are of something else."""
    net = ShareNet()
    try:
        net.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError as error:
        raise InputError("these are not the weights of the gate") from error
    return net.eval()


def features(trial: Trial, candidate: Candidate, known: Calibration | None, pixels: int) -> list[float]:
    """What the network is told of a candidate for a picture of so many low-resolution `pixels`."""
    kernel, told = candidate.kernel, candidate.told
    size, slant, cross = logarithm(candidate.gaussian).tolist()
    return [
        math.log(trial.change + 0.1),
        math.log(trial.flat + 0.1),
        math.log(trial.overshoot + 0.3),
        math.log(trial.rehearsed + 0.3),
        math.log(trial.residual + 0.3),
        min(max(trial.rehearsed_share, -1.0), 2.0),
        math.log(told.sigma + 0.002),
        told.uncertainty,
        told.correlation,
        size,
        math.hypot(slant, cross),
        math.log(known.noise_spread) if known else -1.0,
        math.log(known.spread) if known else -1.0,
        known.sharpening.gains()[1] if known and known.sharpening else 0.0,
        float(kernel.estimated),
        float(kernel.scale == 2),
        float(kernel.scale == 4),
        math.log(min(pixels, 10**6)),
    ]


def overshoot(high_res: Tensor, low_res: Tensor, scale: int) -> float:
    """Root mean square of how far `high_res` leaves the range of the 3 x 3 low-resolution pixels around it.

    (1, C, s*h, s*w) and (1, C, h, w) in [-1, 1]; the result is in grey levels of 255.
    """
    top = F.max_pool2d(F.pad(low_res, (1, 1, 1, 1), mode="replicate"), 3, 1)
    bottom = -F.max_pool2d(F.pad(-low_res, (1, 1, 1, 1), mode="replicate"), 3, 1)
    top, bottom = (F.interpolate(v, scale_factor=float(scale), mode="nearest") for v in (top, bottom))
    beyond = (high_res - top).clamp_min(0) + (bottom - high_res).clamp_min(0)
    return _levels(beyond)


def share_of(change: Tensor, wanted: Tensor) -> float:
    """<change, wanted> / |change|^2, (1)."""
    return float((change * wanted).sum() / change.square().sum().clamp_min(1e-9))


def rehearse(window: Tensor, candidate: Candidate, noise: float, solve: Solve, generator: torch.Generator) -> Trial:
    """Solve `window` (1, C, h, w) as the candidate says, and solve what it becomes when it is degraded once more.

    noise: standard deviation of the low-resolution picture's white noise, [-1, 1] units, which the degraded picture
    gets too before it is rounded to 8 bits like a file.
    """
    scale = candidate.kernel.scale
    kernel = kernel_tensor(candidate.kernel, window.device)
    result = solve(window, kernel, candidate.told)
    change = result - bicubic_upscale(window, scale)
    residual = degrade(result, kernel, scale) - window
    h, w = (n // scale * scale for n in window.shape[-2:])
    father = window[..., :h, :w]
    son = as_stored(degrade(father, kernel, scale), noise, generator)
    again = solve(son, kernel, candidate.told)
    interpolated = bicubic_upscale(son, scale)
    rim = min(8, h // 4, w // 4)
    inner = (..., slice(rim, h - rim), slice(rim, w - rim))
    return Trial(
        _levels(change[..., scale * rim : scale * (h - rim), scale * rim : scale * (w - rim)]),
        _levels(change[_flat(window, scale).expand_as(change)]),
        overshoot(result, window, scale),
        overshoot(again, son, scale),
        _levels(residual[inner]),
        share_of((again - interpolated)[inner], (father - interpolated)[inner]),
    )


def _flat(low_res: Tensor, scale: int) -> Tensor:
    """(1, 1, s*h, s*w) True in the quarter of (1, C, h, w) with the least detail."""
    plane = low_res.mean(1, keepdim=True)
    spread = F.max_pool2d(plane, 5, 1, 2) + F.max_pool2d(-plane, 5, 1, 2)
    flat = spread <= torch.quantile(spread.flatten(), 0.25)
    return F.interpolate(flat.float(), scale_factor=float(scale), mode="nearest") > 0


def _levels(x: Tensor) -> float:
    return float(x.square().mean().sqrt()) * 127.5


def decide(
    low_res: Tensor,
    candidate: Candidate,
    known: Calibration | None,
    noise: float,
    solve: Solve,
    net: ShareNet,
    settings: GateSettings,
    generator: torch.Generator,
    *,
    progress: Progress = silent,
) -> Decision:
    """Try the candidate on the busiest window of `low_res` (1, C, h, w), and say how much of its change to take.

    known: what is known of the picture's dirt; noise: as in `rehearse`. Where hardly anything is right, the verdict is
    `BICUBIC`. Raises NothingToLearn for a picture of fewer pixels than the scale.
    """
    scale = candidate.kernel.scale
    row, col, rows, cols = busiest_window(low_res, settings.window)
    window = low_res[..., row : row + rows, col : col + cols]
    if min(rows, cols) < scale:
        raise NothingToLearn(f"the picture is too small for a rehearsal: {scale} px at least on each side")
    trial = rehearse(window, candidate, noise, solve, generator)
    with torch.no_grad():
        share = float(net(torch.tensor([features(trial, candidate, known, low_res[0, 0].numel())])))
    trial = replace(trial, share=share)
    progress("gate", 1, 1)
    if share < settings.least_share:
        reason = "what the solver would change is hardly ever right in a picture like this; interpolated instead"
        return Decision(candidate.kernel, candidate.told, Verdict(BICUBIC, reason, trial), strength=0.0)
    strength = 1.0 if share > settings.full_share else share
    reason = "" if strength == 1 else f"took {100 * strength:.0f} % of what the solver changed"
    verdict = TRUSTED if strength >= settings.trusted_share else CAUTIOUS
    return Decision(candidate.kernel, candidate.told, Verdict(verdict, reason, trial), strength)
