"""The kernel, or the field of kernels, between two heaps of photographs: what `kfsr kernel --clean` does."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kfsr.errors import InputError, UsageError
from kfsr.recipe import Recipe
from kfsr.runs import device_lock
from kfsr.runs.engine import Machine, execute, progress_of
from kfsr.runs.events import OnEvent, Outcome
from kfsr.runs.inputs import Source
from kfsr.runs.kernels import check_kernel_name
from kfsr.runs.plan import Job, plan

if TYPE_CHECKING:
    from kfsr.image import Image
    from kfsr.pipeline.heaps import Found

LEAST = 4
"""Photographs in a heap: fewer say more of their scenes than of the kernel."""


@dataclass(frozen=True)
class HeapPlan:
    """blurred, clean: the heaps. plot: a file that shows the kernel. The one job's target is the kernel's file, None to
    leave it to the caller."""

    job: Job
    recipe: Recipe
    blurred: tuple[Source, ...]
    clean: tuple[Source, ...]
    plot: Path | None


def prepare(
    blurred: Sequence[Source],
    clean: Sequence[Source],
    recipe: Recipe,
    *,
    output: str | None,
    plot: Path | None = None,
) -> HeapPlan:
    """The plan of finding the kernel; UsageError where no name, or a photograph in both heaps, cannot be meant,
    InputError for a heap that is too small."""
    from kfsr.image import format_by_suffix

    if recipe.kernel_method != "auto" or recipe.kernel_init != "spectral":
        raise UsageError("--clean finds the kernel by comparing the heaps; leave --method and --init out")
    if output is None:
        raise UsageError("--clean makes one kernel of all the pictures; name its file with -o")
    for heap, what in ((blurred, "blurred pictures"), (clean, "pictures for --clean")):
        if len(heap) < LEAST:
            raise InputError(f"{len(heap)} {what} are too few; take {LEAST} or more of different scenes, better 20")
    known = {os.path.realpath(source.path) for source in clean if source.path is not None}
    for source in blurred:
        if source.path is not None and os.path.realpath(source.path) in known:
            raise UsageError(
                f"{source.path}: is among the blurred pictures and in --clean; leave it out of one of them"
            )
    keep = [source.path for source in (*blurred, *clean) if source.path is not None]
    jobs = plan([Source(blurred[0].path)], output, lambda _: "kernel.npz", check_name=check_kernel_name, keep=keep)
    if plot is not None:
        format_by_suffix(plot)
        plan([Source(blurred[0].path)], str(plot), lambda picture: picture.name, keep=keep)
    return HeapPlan(jobs[0], recipe, tuple(blurred), tuple(clean), plot)


def carry_out(plan: HeapPlan, machine: Machine, on_event: OnEvent) -> Generator[Outcome[Found], None, None]:
    """Do it, yielding the one outcome. Close it in any case."""
    return execute([plan.job], partial(_estimate, plan, machine), machine, on_event)


def _estimate(plan: HeapPlan, machine: Machine, job: Job, on_event: OnEvent, lock: str | None) -> Found:
    """Read both heaps, one photograph at a time, and write the kernel."""
    from kfsr.image import Image, write_image
    from kfsr.kernel import plot_kernel, save_kernel
    from kfsr.pipeline.heaps import kernel_of_heaps

    with device_lock.held(lock, machine.device):
        found = kernel_of_heaps(
            _read(plan.blurred, machine, on_event, "blurred pictures"),
            _read(plan.clean, machine, on_event, "clean pictures"),
            plan.recipe.scale,
            settings=plan.recipe.settings,
            progress=progress_of(job.source_name, on_event),
        )
    if found.doubt:
        warnings.warn(found.doubt, UserWarning, stacklevel=1)
    if job.target is not None:
        save_kernel(found.kernel, job.target)
    if plan.plot is not None:
        write_image(Image.from_array(plot_kernel(found.kernel)), plan.plot)
    return found


def _read(heap: Sequence[Source], machine: Machine, on_event: OnEvent, what: str) -> Iterator[tuple[str, Image]]:
    tell = progress_of(what, on_event)
    for n, source in enumerate(heap):
        name = "standard input" if source.path is None else str(source.path)
        yield name, machine.read(source.path)[0]
        tell("heaps", n + 1, len(heap))
