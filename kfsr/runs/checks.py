"""Every input looked at before the first is started: what cannot be done fails at once, and not after hours."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kfsr.errors import KfsrError, OutputError, UsageError
from kfsr.recipe import Recipe
from kfsr.runs.engine import Machine
from kfsr.runs.events import OnEvent, Progress, known_error, warnings_of
from kfsr.runs.names import result_format
from kfsr.runs.plan import Job

_TOLD = 100
"""After so many pictures the progress is told."""


@dataclass(frozen=True)
class Seen:
    """A job, with a problem where it cannot be done, and the width and height that its picture's header tells; None
    where there is no file to look into, as of a pipe."""

    job: Job
    size: tuple[int, int] | None = None


Check = Callable[[tuple[int, int], Job], None]
"""Raises for a picture of which a header tells this size what speaks against the job."""


def look(jobs: Sequence[Job], machine: Machine, on_event: OnEvent, check: Check = lambda size, job: None) -> list[Seen]:
    """Look into the headers of the inputs: whether they are pictures, and what `check` says. Pipes are left alone."""
    seen = []
    for n, job in enumerate(jobs, 1):
        size = None
        if job.problem is None and _can_be_looked_into(job.source):
            try:
                with warnings_of(job.source_name, lambda event: None):  # reading it warns once more
                    size = machine.size(job.source)
                    check(size, job)
            except Exception as error:
                problem = known_error(error)
                if not isinstance(problem, KfsrError):
                    raise
                job = replace(job, problem=problem)
        seen.append(Seen(job, size))
        if n % _TOLD == 0:
            on_event(Progress("", "looking at the pictures", n, len(jobs)))
    return seen


def fitted(recipe: Recipe, size: tuple[int, int]) -> tuple[Recipe, tuple[int, int]]:
    """The recipe with a whole scale, and the result's size, for a picture of which a header tells this size; that may
    be turned by 90 degrees when it is read. UsageError as `Recipe.fitted`."""
    try:
        at, final = recipe.fitted(*size)
    except UsageError as error:
        try:
            size = size[::-1]
            at, final = recipe.fitted(*size)
        except UsageError:
            raise error from None
    return at, final or (at.scale * size[0], at.scale * size[1])


def _can_be_looked_into(path: Path | None) -> bool:
    """Not pipes and devices, which give what they hold once."""
    if path is None:
        return True
    try:
        return not _is_stream(os.stat(path).st_mode)  # noqa: PTH116 - Path.stat is slower, and there may be many
    except OSError:
        return True


def _is_stream(mode: int) -> bool:
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_result(size: tuple[int, int], job: Job, *, recipe: Recipe, max_memory: int | None, has_kernel: bool) -> None:
    """Whether the result's format holds so many pixels, and whether it can be made within `max_memory`; OutputError and
    UsageError. has_kernel: none is estimated."""
    from kfsr.cost.memory import largest_tile

    at, (width, height) = fitted(recipe, size)
    target = result_format(job.target, recipe)
    holds = ""
    if max(width, height) > target.max_side:
        holds = f"{target.max_side} pixels a side"
    elif target.name == "BMP" and 3 * width * height >= 2**32:
        holds = "4 GB in a file"
    if holds:
        size_of = f"{job.target_name} would have {width} x {height} pixels"
        what_to_do = "write .png or .tif, with --format png for example, or use a smaller --scale"
        raise OutputError(f"{job.source_name}: {size_of}, and {target.name} holds {holds}; {what_to_do}")
    if max_memory is not None:
        largest_tile(max_memory, size[0] * size[1], at.work(), has_kernel=has_kernel)
