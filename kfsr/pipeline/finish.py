"""How far the result goes: how much of the solver's change is taken, and how much of the grain is left in.

With y the low-resolution picture, A the forward operator, U bicubic interpolation and x the solver's picture, the
result is

    U y + strength * (x + (1 - denoise) * U q - U y),        q = r + (r - A U r),    r = y - A x.        (1)

r is what the solver took for noise. U q is grain that A turns back into r, nearly: two steps of back-projection (Irani
and Peleg 1991). U r alone would be smoothed by U and then by A: of white noise's standard deviation it leaves .53 under
a Gaussian of half a low-resolution pixel and .79 under a box, where two steps leave .70 and .94. More steps would
amplify what A hardly lets through, and the grain would be louder than in the low-resolution picture.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from kfsr.operator.spatial import bicubic_upscale, degrade
from kfsr.pipeline.gate import CAUTIOUS, Decision, Verdict
from kfsr.recipe import Recipe

BAND = 64
"""Low-resolution rows that are worked on at once: what bounds the memory."""

_BICUBIC = 3
"""Low-resolution rows on each side that bicubic interpolation looks at, and one more."""


def with_choices(decision: Decision, recipe: Recipe) -> Decision:
    """The decision with what the user said in place of the gate's strength and denoise. A result that the gate would
    not have taken at all is then taken with caution."""
    strength = decision.strength if recipe.strength is None else recipe.strength
    denoise = decision.denoise if recipe.denoise is None else recipe.denoise
    verdict = decision.verdict
    if strength and not decision.strength:
        reason = verdict.reason.removesuffix("; interpolated instead")
        verdict = Verdict(CAUTIOUS, f"{reason}; taken all the same, as the strength asks", verdict.trial)
    return replace(decision, strength=strength, denoise=denoise, verdict=verdict)


@torch.no_grad()
def finish(high_res: Tensor, low_res: Tensor, kernel: Tensor, scale: int, strength: float, denoise: float) -> Tensor:
    """Equation (1), in the memory of `high_res`, which is used up.

    high_res: the solver's picture (1, C, s*h, s*w) and low_res (1, C, h, w) what it was made from, both in [-1, 1] or
    a little beyond. kernel: (K, K). strength: 0 gives the bicubic picture exactly, 1 all of the solver's. denoise: 0
    leaves all grain in, 1 none of what the solver took away; with strength 0 it changes nothing, since the bicubic
    picture has all of it. A part of a picture is taken for a picture: at its border, the grain is that of reflection.
    """
    if strength == 0:
        return bicubic_upscale(low_res, scale)
    if strength == 1 and denoise == 1:
        return high_res
    # All of it before anything of `high_res` is changed.
    rest = None if denoise == 1 else _unexplained(high_res, low_res, kernel, scale)
    reach = 2 * _BICUBIC + _reach(kernel, scale)
    for start in range(0, low_res.shape[-2], BAND):
        stop = min(low_res.shape[-2], start + BAND)
        band = high_res[..., start * scale : stop * scale, :]
        if rest is not None:
            r, cut = _rows(rest, start, stop, reach)
            q = 2 * r - degrade(bicubic_upscale(r, scale), kernel, scale)
            band += (1 - denoise) * bicubic_upscale(q, scale)[..., cut.start * scale : cut.stop * scale, :]
        if strength < 1:
            y, cut = _rows(low_res, start, stop, _BICUBIC)
            plain = bicubic_upscale(y.to(band), scale)[..., cut.start * scale : cut.stop * scale, :]
            band.copy_(plain.lerp_(band, strength))
    return high_res


def _unexplained(high_res: Tensor, low_res: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """r of (1), (1, C, h, w), a band of rows at a time."""
    rest = low_res.to(high_res, copy=True)
    for start in range(0, low_res.shape[-2], BAND):
        stop = min(low_res.shape[-2], start + BAND)
        first, last = max(0, start - _reach(kernel, scale)), min(low_res.shape[-2], stop + _reach(kernel, scale))
        again = degrade(high_res[..., first * scale : last * scale, :], kernel, scale)
        rest[..., start:stop, :] -= again[..., start - first : stop - first, :]
    return rest


def _reach(kernel: Tensor, scale: int) -> int:
    """Low-resolution rows on each side that the kernel sees, rounded up."""
    return math.ceil(kernel.shape[-1] / (2 * scale)) + 1


def _rows(x: Tensor, start: int, stop: int, context: int) -> tuple[Tensor, slice]:
    """Rows `start` to `stop` of x (1, C, h, w) with their context, as far as there is one; and where in it they are."""
    first, last = max(0, start - context), min(x.shape[-2], stop + context)
    return x[..., first:last, :], slice(start - first, stop - first)
