"""What a run is going to take, roughly: seconds and memory, from the sizes of the pictures and the recipe.

The seconds are of one thread of an AMD EPYC; each method says its own. Other settings are reckoned from their numbers
of steps; other machines are faster or slower by a factor. A picture of 510 x 339 by 4 took 14.8 s with `--threads 1`,
where 14 are said; where `edges` are needed, which nobody knows before, it takes longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from kfsr.cost import memory
from kfsr.estimators.registry import estimator
from kfsr.recipe import Recipe
from kfsr.solvers.registry import solver

START = 2.0
"""Seconds until a process is ready: importing torch, mostly."""

REFINED_PIXEL = 9e-6
"""Seconds per high-resolution pixel of the refinement's window."""

GATE = 0.05
"""Seconds of the gate's first trial, times scale^2; later ones are not counted."""


@dataclass(frozen=True)
class Cost:
    """Seconds of one thread, and the most memory at any time, in MiB."""

    seconds: float
    memory_mib: float

    def as_dict(self) -> dict[str, float]:
        """Plain numbers, ready for JSON."""
        return {name: round(value, 1) for name, value in asdict(self).items()}

    def in_words(self) -> str:
        """As a part of a line."""
        return f"about {_time(self.seconds)} and {self.memory_mib / 1024:.1f} GiB"


def of_picture(pixels: int, recipe: Recipe, *, has_kernel: bool = False, tile: int | None = None) -> Cost:
    """Of upscaling a picture of so many pixels in a process that runs already. has_kernel: none is estimated. tile: as
    in `memory.peak`."""
    recipe = recipe.work()
    seconds = _kernel_seconds(pixels, recipe, has_kernel)
    chosen = solver("bicubic" if recipe.joint else recipe.solver)
    seconds += chosen.seconds(pixels * recipe.scale**2, recipe)
    seconds += 0 if chosen.gate is None else GATE * recipe.scale**2
    return Cost(seconds, memory.peak(pixels, recipe, tile=tile, has_kernel=has_kernel) / 2**20)


def of_kernel(pixels: int, recipe: Recipe) -> Cost:
    """Of finding a kernel in a picture, or this picture's part in a shared one."""
    return Cost(_kernel_seconds(pixels, recipe, False), memory.peak_of_kernel(pixels, recipe) / 2**20)


def of_run(pictures: Sequence[Cost], shared_kernel: Sequence[Cost], workers: int) -> Cost:
    """Of a run over the pictures with so many processes of one thread each, after finding a kernel they share."""
    base = memory.FIXED / 2**20
    if not pictures:
        return Cost(START, base)
    workers = min(workers, len(pictures))
    starts = START if workers == 1 else 2 * START
    spread = max(sum(one.seconds for one in pictures) / workers, max(one.seconds for one in pictures))
    seconds = starts + sum(one.seconds for one in shared_kernel) + spread
    together = workers * max(one.memory_mib for one in pictures) + (base if workers > 1 else 0)
    return Cost(seconds, max([together, *(one.memory_mib for one in shared_kernel)]))


def _kernel_seconds(pixels: int, recipe: Recipe, has_kernel: bool) -> float:
    own = not has_kernel and recipe.kernel is None
    seconds = estimator(recipe.kernel_method).seconds(pixels, recipe) if own else 0.0
    if memory.refines(recipe, has_kernel=has_kernel):
        seconds += REFINED_PIXEL * min(pixels * recipe.scale**2, recipe.settings.refine.window**2)
    return seconds


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "1 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
