"""Never worse than bicubic: what the picture itself says about a result, without a truth.

A kernel that is too wide, or noise taken for detail, makes the solver ring: the result leaves the range of the
low-resolution pixels around it. Some of that is right, since peaks are recovered. How much is right for this
picture, kernel and solver is known from a rehearsal: the low-resolution picture is degraded once more by the same
kernel, which is then exactly known, and solved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.analysis.problem import Solve, kernel_tensor
from kfsr.analysis.windows import busiest_window
from kfsr.errors import NothingToLearn
from kfsr.kernel import Kernel, resize_kernel
from kfsr.operator.spatial import as_stored, bicubic_upscale, degrade
from kfsr.progress import Progress, silent
from kfsr.settings import GateSettings

TRUSTED = "trusted"
CAUTIOUS = "cautious"
BICUBIC = "bicubic"


def overshoot(high_res: Tensor, low_res: Tensor, scale: int) -> float:
    """Root mean square of how far `high_res` leaves the range of the 3 x 3 low-resolution pixels around it.

    (1, C, s*h, s*w) and (1, C, h, w) in [-1, 1]; the result is in grey levels of 255.
    """
    top = F.max_pool2d(F.pad(low_res, (1, 1, 1, 1), mode="replicate"), 3, 1)
    bottom = -F.max_pool2d(F.pad(-low_res, (1, 1, 1, 1), mode="replicate"), 3, 1)
    top, bottom = (F.interpolate(v, scale_factor=float(scale), mode="nearest") for v in (top, bottom))
    beyond = (high_res - top).clamp_min(0) + (bottom - high_res).clamp_min(0)
    return float(beyond.square().mean().sqrt()) * 127.5


@dataclass(frozen=True)
class Trial:
    """What one kernel and sigma did to the window. overshoot, rehearsed: root mean square overshoot of the result and
    of the rehearsal, in grey levels; rehearsal_gain: dB over bicubic that the rehearsal reached."""

    overshoot: float
    rehearsed: float
    rehearsal_gain: float

    def objection(
        self, settings: GateSettings, scale: int, pixels: int, uncertainty: float, estimated: bool = True
    ) -> str | None:
        """Why the result is not to be trusted, or None when it is. A kernel that was given, not `estimated`, is taken
        at its word: ringing is then the picture's own. So is one that many `pixels` told, or of little `uncertainty`,
        up to a point."""
        if self.rehearsal_gain < 0:
            return f"in a rehearsal the result was {-self.rehearsal_gain:.1f} dB worse than bicubic"
        told = max(1.0, pixels / settings.doubtful_pixels) ** settings.credit_power
        sure = min(settings.most_credit, max(told, settings.doubtful / max(uncertainty, 1e-3)))
        allowed = settings.overshoot_ratios.at(scale) * sure * self.rehearsed + settings.overshoot_floor
        if estimated and self.overshoot > allowed:
            return f"the result rings by {self.overshoot:.1f} grey levels where {self.rehearsed:.1f} would be right"
        return None


@dataclass(frozen=True)
class Verdict:
    """verdict: "trusted", or what was done instead; reason: one line for people; trial: what was measured with the
    settings that were used in the end, None where nothing was judged."""

    verdict: str
    reason: str
    trial: Trial | None = None


def rehearse(
    window: Tensor,
    kernel: Tensor,
    scale: int,
    sigma: float,
    uncertainty: float,
    noise: float,
    solve: Solve,
    generator: torch.Generator,
) -> Trial:
    """Solve `window` (1, C, h, w), and solve what it becomes when it is degraded once more by the same kernel.

    noise: standard deviation of the low-resolution picture's noise, [-1, 1] units, which the degraded picture gets too
    before it is rounded to 8 bits like a file.
    """
    result = solve(window, kernel, sigma, uncertainty)
    h, w = (n // scale * scale for n in window.shape[-2:])
    father = window[..., :h, :w]
    son = as_stored(degrade(father, kernel, scale), noise, generator)
    again = solve(son, kernel, sigma, uncertainty)
    rim = min(8, h // 4, w // 4)

    def error(x: Tensor) -> float:
        return float((x - father)[..., rim : h - rim, rim : w - rim].square().mean()) + 1e-10

    gain = 10 * math.log10(error(bicubic_upscale(son, scale)) / error(again))
    return Trial(overshoot(result, window, scale), overshoot(again, son, scale), gain)


@dataclass(frozen=True)
class Decision:
    """What the picture is solved with: kernel, sigma ([-1, 1] units) and uncertainty; the verdict says why. strength,
    denoise: how far the result goes, as in `Recipe`, where the user does not say (`finish.with_choices`)."""

    kernel: Kernel
    sigma: float
    uncertainty: float
    verdict: Verdict
    strength: float = 1.0
    denoise: float = 1.0


def decide(
    low_res: Tensor,
    kernel: Kernel,
    sigma: float,
    uncertainty: float,
    noise: float,
    solve: Solve,
    settings: GateSettings,
    generator: torch.Generator,
    *,
    progress: Progress = silent,
) -> Decision:
    """Try the settings' steps in turn on the busiest window of `low_res` (1, C, h, w), and take the first that passes.

    sigma, uncertainty, noise: what the solver is told, and what the picture has. A kernel that is an estimate may be
    narrowed; one that was given is only trusted less. When no step passes, the verdict is `BICUBIC`.
    Raises NothingToLearn for a picture of fewer pixels than the scale.
    """
    row, col, rows, cols = busiest_window(low_res, settings.window)
    window = low_res[..., row : row + rows, col : col + cols]
    if min(rows, cols) < kernel.scale:
        raise NothingToLearn(f"the picture is too small for a rehearsal: {kernel.scale} px at least on each side")
    state = generator.get_state()
    first = ""
    for number, step in enumerate(settings.steps):
        tried = resize_kernel(kernel, step.size) if kernel.estimated else kernel
        doubt = max(step.uncertainty, uncertainty)
        k = kernel_tensor(tried, low_res.device)
        generator.set_state(state)  # the same noise for every step
        trial = rehearse(window, k, kernel.scale, sigma * step.sigma, doubt, noise, solve, generator)
        progress("gate", number + 1, len(settings.steps))
        objection = trial.objection(settings, kernel.scale, low_res[0, 0].numel(), uncertainty, kernel.estimated)
        if objection is None:
            verdict = Verdict(TRUSTED, "", trial)
            if number:
                verdict = Verdict(CAUTIOUS, f"{first}; {_measures(kernel, tried, step.sigma)}", trial)
            return Decision(tried, sigma * step.sigma, doubt, verdict)
        first = first or objection
    return Decision(kernel, sigma, doubt, Verdict(BICUBIC, f"{first}; interpolated instead", trial), strength=0.0)


def _measures(kernel: Kernel, used: Kernel, gain: float) -> str:
    done = [] if used is kernel else [f"narrowed the kernel to {used.trace / kernel.trace:.2f} of its size"]
    done.append("trusted the kernel less" if gain == 1 else f"trusted the data {gain:.0f} times less")
    return " and ".join(done)
