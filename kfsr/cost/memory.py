"""How much memory a picture takes, and how large the solver's tiles may be to stay within a limit.

The peak is that of the stage that takes most: finding the kernel, refining it, judging, solving a tile, or the finished
picture being rounded and encoded. The numbers are peak resident sizes of a process on Linux with torch 2.13 for the
CPU, rounded up, as `tests/memory.py` measures them on 1 to 24 megapixels; what a method takes it says itself. A GPU is
taken to need the same.
"""

from __future__ import annotations

import math
import re

from kfsr.errors import UsageError
from kfsr.estimators.registry import estimator
from kfsr.recipe import Recipe
from kfsr.settings import ShakeSettings
from kfsr.solvers.registry import solver
from kfsr.solvers.tiles import BLOCK, SMALLEST, halo_at

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

SPREAD = 30 * 2**20
"""Bytes by which what a solver takes with the smallest tile may differ from run to run."""

RESERVE = 64 * 2**20
"""Bytes that larger tiles than the smallest leave free: what the allocator holds differs from run to run by as much."""

PER_REFINED_PIXEL = 800
"""Bytes: for each high-resolution pixel of the window that a kernel is refined on."""


def peak(pixels: int, recipe: Recipe, *, tile: int | None = None, has_kernel: bool = False) -> int:
    """Bytes that upscaling a picture of that many low-resolution `pixels` takes at most.

    tile: side of the solver's tiles in low-resolution pixels; None: the recipe's. has_kernel: none is estimated.
    """
    side = recipe.settings.tile // recipe.scale if tile is None else tile
    high = pixels * recipe.scale**2
    per_pixel = 0 if recipe.joint else solver(recipe.solver).tile_memory
    fixed = FIXED + (SPREAD if per_pixel else 0)
    at_work = _side(math.isqrt(pixels), side, recipe.scale) ** 2 * recipe.scale**2
    return max(
        peak_of_kernel(pixels, recipe, has_kernel=has_kernel),
        fixed + pixels * PER_INPUT_PIXEL + high * PER_OUTPUT_PIXEL + per_pixel * at_work,
        fixed + pixels * PER_INPUT_PIXEL + per_pixel * _judged(pixels, recipe),
        FIXED + pixels * PER_INPUT_PIXEL + (0 if recipe.joint else solver(recipe.solver).learning(recipe)),
        FIXED + high * PER_ENCODED_PIXEL,
    )


def peak_of_kernel(pixels: int, recipe: Recipe, *, has_kernel: bool = False) -> int:
    """The same of finding, and refining, a kernel alone."""
    own = not has_kernel and recipe.kernel is None
    method = estimator(recipe.kernel_method)
    finding = method.memory(pixels, recipe) if own else 0
    window = recipe.settings.refine.window**2
    refined = min(pixels * recipe.scale**2, window) if refines(recipe, has_kernel=has_kernel) else 0
    return FIXED + pixels * PER_INPUT_PIXEL + max(finding, PER_REFINED_PIXEL * refined)


def refines(recipe: Recipe, *, has_kernel: bool = False) -> bool:
    """Whether the recipe leads to a refined kernel, as far as that is known before the kernel."""
    own = not has_kernel and recipe.kernel is None
    unasked = own and not recipe.joint and estimator(recipe.kernel_method).refined
    return unasked if recipe.refine is None else recipe.refine


def largest_tile(limit: int, pixels: int, recipe: Recipe, *, has_kernel: bool = False) -> int:
    """Side in low-resolution pixels of the largest tile with which such a picture stays within `limit` bytes.

    Raises UsageError, saying how much it takes, when the smallest tile does not.
    """
    needed = peak(pixels, recipe, tile=SMALLEST, has_kernel=has_kernel)
    if limit < needed:
        raise UsageError(
            f"{in_words(limit)} of memory is too little for this picture at scale {recipe.scale} with "
            f"{_in_words(recipe)}, which takes {in_words(needed)}; allow more, or upscale a part of it"
        )
    per_pixel = solver(recipe.solver).tile_memory * recipe.scale**2
    if recipe.joint or not per_pixel:
        return recipe.settings.tile // recipe.scale
    free = limit - RESERVE - FIXED - pixels * (PER_INPUT_PIXEL + recipe.scale**2 * PER_OUTPUT_PIXEL)
    return max(SMALLEST, (math.isqrt(max(0, free) // per_pixel) - _around(recipe.scale)) // BLOCK * BLOCK)


def _in_words(recipe: Recipe) -> str:
    return f"{recipe.kernel_method} and {'--joint' if recipe.joint else recipe.solver}"


def _around(scale: int) -> int:
    return 2 * (halo_at(scale, ShakeSettings().support) + MARGIN)


def _side(picture: int, tile: int, scale: int) -> int:
    """Of what is solved at once, in low-resolution pixels: the whole picture, or a tile with its surroundings."""
    return min(picture + 2 * MARGIN, tile + _around(scale))


def _judged(pixels: int, recipe: Recipe) -> int:
    """High-resolution pixels of the gate's window."""
    gate = solver(recipe.solver).gate
    if recipe.joint or gate is None:
        return 0
    return int(_side(math.isqrt(pixels), gate(recipe.settings).window, recipe.scale)) ** 2 * recipe.scale**2


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
        raise UsageError(f"{size!r} is not an amount of memory; write it like 4G or 800M")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))
