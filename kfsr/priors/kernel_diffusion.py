"""The diffusion model of kernels given a picture, and the form in which it knows them.

A kernel k is known as z = `STRETCH` sqrt(k / max k) - `OFFSET`: most of a shaken kernel is zero and the rest of very
different height, and the root makes the path of a shake stand out evenly. The network says
v = sqrt(abar) n - sqrt(1 - abar) z of z_t = sqrt(abar) z + sqrt(1 - abar) n (Salimans and Ho 2022), from which the
clean estimate follows without a division by something small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kfsr.errors import InputError

STRETCH, OFFSET = 4.0, 0.3
WIDTHS = (40, 72, 112)
FACTS = 128
"""Width of the vector that holds all that has no place on the kernel's grid."""

FREQUENCIES = 16


def encoded(kernel: Tensor) -> Tensor:
    """z of kernels (..., K, K) that are not negative, whatever their sum."""
    peak = kernel.amax((-1, -2), keepdim=True).clamp_min(1e-12)
    return STRETCH * (kernel.clamp(min=0) / peak).sqrt() - OFFSET


def decoded(z: Tensor) -> Tensor:
    """Kernels (..., K, K) of sum 1 of any z; differentiable."""
    k = ((z + OFFSET) / STRETCH).clamp(min=0).square() + 1e-12
    return k / k.sum((-1, -2), keepdim=True)


@dataclass(frozen=True)
class Condition:
    """What a picture says, read once for all steps. maps: (B, width, 32, 32); facts: (B, `FACTS`)."""

    maps: Tensor
    facts: Tensor

    def repeated(self, count: int) -> Condition:
        """For `count` samples of each."""
        return Condition(self.maps.repeat_interleave(count, 0), self.facts.repeat_interleave(count, 0))


class Block(nn.Module):
    """x + conv(silu((1 + a) conv(silu(x)) + b)) with a, b of the facts and the time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before = nn.GroupNorm(8, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.between = nn.GroupNorm(8, width)
        self.told = nn.Linear(FACTS, 2 * width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, facts: Tensor) -> Tensor:
        """(B, width, h, w) and (B, `FACTS`) to the first's shape."""
        y = self.between(self.first(F.silu(self.before(x))))
        scale, shift = self.told(facts)[:, :, None, None].chunk(2, 1)
        return x + self.second(F.silu(y * (1 + scale) + shift))


class Attention(nn.Module):
    """x + self-attention between all places of the coarsest grid."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, width)
        self.asks = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) to the same."""
        q, k, v = self.asks(self.norm(x)).flatten(2).unflatten(1, (3, self.heads, -1)).transpose(-1, -2).unbind(1)
        seen = F.scaled_dot_product_attention(q, k, v).transpose(-1, -2).reshape(x.shape)
        return x + self.out(seen)


class KernelDiffusionNet(nn.Module):
    """A U-Net over 2 x 2 blocks of the kernel's grid of 64 x 64, 32, 16 and 8 blocks a side."""

    def __init__(self, maps: int, widths: tuple[int, ...] = WIDTHS, picture: int = 32) -> None:
        super().__init__()
        self.maps_in = nn.Conv2d(4 * maps, widths[0], 3, padding=1)
        self.picture_in = nn.Sequential(
            nn.Conv2d(16, picture, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(picture, picture, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(picture, 2 * picture, 3, 2, 1),
            nn.SiLU(),
        )
        self.scale_in = nn.Linear(4, FACTS)
        self.picture_out = nn.Linear(2 * picture, FACTS)
        self.time_in = nn.Sequential(nn.Linear(2 * FREQUENCIES, FACTS), nn.SiLU(), nn.Linear(FACTS, FACTS))
        self.kernel_in = nn.Conv2d(4, widths[0], 3, padding=1)
        counts = [1] + [2] * (len(widths) - 1)
        self.down = nn.ModuleList(
            nn.ModuleList(Block(width) for _ in range(count)) for width, count in zip(widths, counts, strict=True)
        )
        self.narrower = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in pairwise(widths))
        self.attention = Attention(widths[-1])
        self.wider = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(
            nn.ModuleList(Block(width) for _ in range(count)) for width, count in zip(widths, counts, strict=True)
        )
        self.last = nn.Sequential(nn.GroupNorm(8, widths[0]), nn.SiLU(), nn.Conv2d(widths[0], 4, 3, padding=1))

    def condition(self, maps: Tensor, picture: Tensor, scale: Tensor) -> Condition:
        """What (B, maps, 64, 64) `evidence`, the picture (B, 256, 256) it is of and the scale (B,) say."""
        on_grid = self.maps_in(F.pixel_unshuffle(maps, 2).to(memory_format=torch.channels_last))
        contrast = picture.square().mean((-1, -2), keepdim=True).sqrt().clamp_min(1e-3)
        seen = self.picture_in(F.pixel_unshuffle((picture / contrast)[:, None], 4)).mean((-1, -2))
        which = F.one_hot(scale.long() - 1, 4).to(seen.dtype)
        return Condition(on_grid, self.picture_out(seen) + self.scale_in(which))

    def forward(self, z_t: Tensor, alpha_bar: Tensor, condition: Condition) -> Tensor:
        """v of (B, 64, 64) at abar (B,)."""
        log_noise = 0.25 * torch.log((1 - alpha_bar) / alpha_bar)
        angles = log_noise[:, None] * 2.0 ** torch.linspace(-2, 3, FREQUENCIES, device=z_t.device)
        facts = F.silu(condition.facts + self.time_in(torch.cat([angles.sin(), angles.cos()], 1)))
        x = F.pixel_unshuffle(z_t[:, None], 2).to(memory_format=torch.channels_last)
        x = self.kernel_in(x) + condition.maps
        kept = []
        for level, blocks in enumerate(self.down):
            if level:
                x = self.narrower[level - 1](x)
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, facts)
            kept.append(x)
        x = self.attention(x)
        for level, blocks in reversed(list(enumerate(self.up))):
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, facts)
            if level:
                x = self.wider[level - 1](x) + kept[level - 1]
        return F.pixel_shuffle(self.last(x), 2)[:, 0].float()


def clean_estimate(z_t: Tensor, v: Tensor, alpha_bar: float) -> Tensor:
    """z of z_t and v: sqrt(abar) z_t - sqrt(1 - abar) v."""
    return math.sqrt(alpha_bar) * z_t - math.sqrt(1 - alpha_bar) * v


def from_state(state: dict[str, Tensor]) -> KernelDiffusionNet:
    """The network with these parameters, its sizes read from them; InputError when they are of something else."""
    try:
        widths = [state["kernel_in.weight"].shape[0]]
        while (name := f"narrower.{len(widths) - 1}.weight") in state:
            widths.append(state[name].shape[0])
        net = KernelDiffusionNet(
            state["maps_in.weight"].shape[1] // 4, tuple(widths), state["picture_in.0.weight"].shape[0]
        )
        net.load_state_dict({name: value.float() for name, value in state.items()})
    except (KeyError, RuntimeError, IndexError) as error:
        raise InputError("these are not the weights of a diffusion of kernels") from error
    return net
