"""How much memory a picture takes, and how large the solver's tiles may be to stay within a limit.

The peak is the larger of two: the solver at work on a tile, or the finished picture being rounded and encoded. The
numbers are peak resident sizes of a process on Linux with torch 2.13 for the CPU, rounded up: those of a picture were
measured with `tests/memory.py` on 1 to 24 megapixels, that of a tile with the bundled network on tiles of 128 to 480
pixels a side, that of KernelFusion on wholes of 64 to 288 pixels a side at x2, and 96 at x4. A GPU is taken to need
the same.
"""

from __future__ import annotations

import math
import re

from kfsr.errors import UsageError
from kfsr.settings import KernelFusionSettings
from kfsr.solvers.tiles import BLOCK, HALO, SMALLEST

MARGIN = 8
"""Low-resolution pixels by which the solver extends a tile on every side, for kernels of the usual size."""

FIXED = 430 * 2**20
"""Bytes: Python, torch and the weights."""

PER_INPUT_PIXEL = 40
"""Bytes: the low-resolution picture as it was read, as a tensor, and extended."""

PER_OUTPUT_PIXEL = 12
"""Bytes: the high-resolution picture, three channels in single precision."""

PER_ENCODED_PIXEL = 50
"""Bytes: the same, and alpha, while they are rounded and encoded."""

PER_TILE_PIXEL = 420
"""Bytes: the solver at work, for each high-resolution pixel of a tile with its surroundings."""

PER_FUSED_CHANNEL = (160, 40)
"""Bytes: KernelFusion at work, for each high-resolution pixel and channel of its U-Net and of its patch model."""

_AROUND = 2 * (HALO + MARGIN)

REFINING, JUDGING = 600 * 2**20, 150 * 2**20
"""Bytes: the windows that a kernel is refined on, and that the gate judges, whatever the picture's size."""


def peak(pixels: int, scale: int, tile: int, refines: bool = True) -> int:
    """Bytes that a picture of that many low-resolution `pixels` takes at most, solved in tiles of `tile` low-resolution
    pixels a side (0: not solved but interpolated). refines: whether its kernel is refined."""
    return max(
        _held(pixels, scale) + PER_TILE_PIXEL * _tile_pixels(pixels, scale, tile),
        FIXED + (REFINING if refines else JUDGING if tile else 0) + pixels * PER_INPUT_PIXEL,
        FIXED + pixels * scale**2 * PER_ENCODED_PIXEL,
    )


def largest_tile(limit: int, pixels: int, scale: int, refines: bool = True) -> int:
    """Side in low-resolution pixels of the largest tile with which a picture of that many low-resolution `pixels` stays
    within `limit` bytes. refines: whether the kernel is refined, too.

    Raises UsageError, saying how much it takes, when the smallest tile does not.
    """
    needed = peak(pixels, scale, SMALLEST, refines)
    if limit < needed:
        raise UsageError(
            f"{in_words(limit)} of memory are too little for this picture at scale {scale}, "
            f"which takes {in_words(needed)}; allow more or upscale a part of it"
        )
    side = math.isqrt((limit - _held(pixels, scale)) // PER_TILE_PIXEL) // scale - _AROUND
    return max(SMALLEST, side // BLOCK * BLOCK)


def fusion_peak(high_pixels: int, settings: KernelFusionSettings) -> int:
    """Bytes that KernelFusion takes for so many high-resolution pixels of its windows, all at once."""
    picture, patches = PER_FUSED_CHANNEL
    return FIXED + high_pixels * (picture * settings.width + patches * settings.patch.width)


def check_fusion(limit: int, high_pixels: int, settings: KernelFusionSettings) -> None:
    """UsageError, saying how much it takes, when `fusion_peak` is beyond `limit` bytes."""
    needed = fusion_peak(high_pixels, settings)
    if limit < needed:
        raise UsageError(
            f"{in_words(limit)} of memory are too little for kernelfusion, which works on "
            f"{high_pixels / 1e6:.2g} megapixels of the result at once and takes {in_words(needed)}; "
            "allow more or use another kernel method"
        )


def _held(pixels: int, scale: int) -> int:
    return FIXED + pixels * PER_INPUT_PIXEL + pixels * scale**2 * PER_OUTPUT_PIXEL


def _tile_pixels(pixels: int, scale: int, tile: int) -> int:
    """High-resolution pixels that are solved at once."""
    whole = (math.isqrt(pixels) + 2 * MARGIN) ** 2
    return min(whole, (tile + _AROUND) ** 2) * scale**2 if tile else 0


def in_words(size: int) -> str:
    """A number of bytes as people write it, rounded up: 1.4G, 800M."""
    mebibytes = -(-size // 2**20)
    return f"{mebibytes}M" if mebibytes < 1024 else f"{math.ceil(mebibytes / 102.4) / 10:g}G"


def in_bytes(size: str) -> int:
    """The number of bytes that "4G", "800M", "1.5G" or a plain number of bytes mean, in powers of 1024.

    Raises UsageError for other words.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?", size.strip(), re.IGNORECASE)
    if match is None or float(match[1]) == 0:
        raise UsageError(f"{size!r} is no amount of memory; write it like 4G or 800M")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))
