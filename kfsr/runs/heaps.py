"""The kernel, or the field of kernels, between two heaps of photographs: what `kfsr kernel --clean` does."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kfsr.errors import InputError, UsageError
from kfsr.recipe import Recipe
from kfsr.runs import checks, device_lock
from kfsr.runs.engine import Machine, execute, progress_of
from kfsr.runs.events import OnEvent, Outcome, as_warnings
from kfsr.runs.inputs import Source, usable
from kfsr.runs.kernels import check_grid, check_kernel_name, check_lens_name
from kfsr.runs.plan import Job, plan

if TYPE_CHECKING:
    from kfsr.image import Image
    from kfsr.kernel import Kernel, Lens

LEAST = 4
"""Photographs in a heap: fewer say more of their scenes than of the kernel."""


@dataclass(frozen=True)
class Measured:
    """kernel: what was found, one or a lens's field of them. noise: its photographs' standard deviation, [0, 1]."""

    kernel: Kernel | Lens
    noise: float


@dataclass(frozen=True)
class HeapPlan:
    """blurred, clean: the heaps. grid: (rows, columns) of a field, None for one kernel; colours: one for each. plot: a
    file that shows the kernel. The one job's target is the kernel's file, None to leave it to the caller."""

    job: Job
    recipe: Recipe
    blurred: tuple[Source, ...]
    clean: tuple[Source, ...]
    grid: tuple[int, int] | None
    colours: bool
    plot: Path | None


def prepare(
    blurred: Sequence[Source],
    clean: Sequence[Source],
    recipe: Recipe,
    machine: Machine,
    *,
    output: str | None,
    grid: tuple[int, int] | None = None,
    colours: bool = False,
    plot: Path | None = None,
    on_event: OnEvent = as_warnings,
) -> HeapPlan:
    """The plan of finding the kernel; UsageError where no name, or a photograph in both heaps, cannot be meant,
    InputError for a heap that is too small or holds a file that is no photograph."""
    from kfsr.image import format_by_suffix

    if recipe.kernel_method != "auto" or recipe.kernel_init != "spectral":
        raise UsageError("--clean finds the kernel by comparing the heaps; leave --method and --init out")
    if grid is not None:
        check_grid(grid, recipe)
    blurred, clean = usable(list(blurred)), usable(list(clean))
    if output is None:
        raise UsageError("--clean makes one kernel of all the pictures; name its file with -o")
    for heap, what in ((blurred, "blurred pictures"), (clean, "pictures for --clean")):
        if len(heap) < LEAST:
            raise InputError(f"{len(heap)} of {what} are too few; take {LEAST} or more of different scenes, better 20")
    known = {os.path.realpath(source.path) for source in clean if source.path is not None}
    for source in blurred:
        if source.path is not None and os.path.realpath(source.path) in known:
            raise UsageError(
                f"{source.path}: is among the blurred pictures and in --clean; leave it out of one of them"
            )
    keep = [source.path for source in (*blurred, *clean) if source.path is not None]
    check = check_kernel_name if grid is None else check_lens_name
    jobs = plan([Source(blurred[0].path)], output, lambda _: "kernel.npz", check_name=check, keep=keep)
    if grid is not None and jobs[0].target is None:
        raise UsageError("a field of kernels is kept in a .npz file; name it with -o")
    if plot is not None:
        format_by_suffix(plot)
        kernel = [] if jobs[0].target is None else [jobs[0].target]
        plan([Source(blurred[0].path)], str(plot), lambda picture: picture.name, keep=[*keep, *kernel])
    for seen in checks.look([Job(source.path, None) for source in (*blurred, *clean)], machine, on_event):
        if seen.job.problem is not None:
            raise seen.job.problem
    return HeapPlan(jobs[0], recipe, tuple(blurred), tuple(clean), grid, colours, plot)


def carry_out(plan: HeapPlan, machine: Machine, on_event: OnEvent) -> Generator[Outcome[Measured], None, None]:
    """Do it, yielding the one outcome. Close it in any case."""
    return execute([plan.job], partial(_measure, plan, machine), machine, on_event)


def _measure(plan: HeapPlan, machine: Machine, job: Job, on_event: OnEvent, lock: str | None) -> Measured:
    """Read both heaps, one photograph at a time, and write the kernel."""
    from kfsr.image import Image, write_image
    from kfsr.kernel import Lens, plot_kernel, save_kernel, save_lens
    from kfsr.kernel.plot_field import plot_field
    from kfsr.pipeline.heaps import kernel_of_heaps
    from kfsr.pipeline.lenses import lens_of_heaps

    settings, progress = plan.recipe.settings, progress_of(job.source_name, on_event)
    with device_lock.held(lock, machine.device):
        blurred = _read(plan.blurred, plan.recipe, machine, on_event, "blurred pictures")
        clean = _read(plan.clean, plan.recipe, machine, on_event, "clean pictures")
        found: Kernel | Lens
        if plan.grid is None:
            one = kernel_of_heaps(blurred, clean, plan.recipe.scale, settings=settings, progress=progress)
            found, noise = one.kernel, one.noise
        else:
            many = lens_of_heaps(blurred, clean, plan.grid, plan.colours, settings=settings, progress=progress)
            found, noise = many.lens, many.noise
    if isinstance(found, Lens):
        if job.target is not None:
            save_lens(found, job.target)
        picture = plot_field(found.field) if plan.plot is not None else None
    else:
        if job.target is not None:
            save_kernel(found, job.target)
        picture = plot_kernel(found) if plan.plot is not None else None
    if plan.plot is not None and picture is not None:
        write_image(Image.from_array(picture), plan.plot)
    return Measured(found, noise)


def _read(
    heap: Sequence[Source], recipe: Recipe, machine: Machine, on_event: OnEvent, what: str
) -> Iterator[tuple[str, Image]]:
    tell = progress_of(what, on_event)
    for n, source in enumerate(heap):
        name = "standard input" if source.path is None else str(source.path)
        yield name, machine.read(source.path, recipe)[0]
        tell("heaps", n + 1, len(heap))
