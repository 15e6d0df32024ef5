"""What a way from a kernel to the picture says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kfsr.analysis.problem import Problem, Solve
from kfsr.recipe import Recipe
from kfsr.settings import GateSettings, Settings


@dataclass(frozen=True)
class Prepared:
    """A solver that has learned what it learns from the picture. trial: as the gate tries it on a window, quick and
    silent. final: as it makes the picture, in tiles."""

    trial: Solve
    final: Solve


@dataclass(frozen=True)
class Solver:
    """prepare: makes it ready for a problem, with tiles of so many low-resolution pixels a side; raises NothingToLearn.
    seconds: of one thread, that it takes for so many high-resolution pixels with a recipe. tile_memory: bytes for each
    high-resolution pixel that it works on at once; 0 for one that works on none. learning: bytes that it takes to learn
    from the picture. gate: what its results are judged by; None for one that cannot ring. networks: the kinds of
    weights it can use, the first being the bundled one. uncertain: whether it makes use of the kernel's uncertainty.
    scales: where it is defined.
    """

    prepare: Callable[[Problem, int], Prepared]
    seconds: Callable[[int, Recipe], float]
    tile_memory: int
    gate: Callable[[Settings], GateSettings] | None
    learning: Callable[[Recipe], int] = lambda recipe: 0
    networks: tuple[str, ...] = ()
    uncertain: bool = False
    scales: tuple[int, ...] = (1, 2, 3, 4)
