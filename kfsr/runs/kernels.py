"""Kernels of many pictures, one each or one for all: what `kfsr kernel` does."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kfsr.errors import UsageError
from kfsr.recipe import Recipe
from kfsr.runs import checks, device_lock
from kfsr.runs.engine import Machine, checkpoint_for, execute, progress_of
from kfsr.runs.events import OnEvent, Outcome, as_warnings
from kfsr.runs.inputs import Source, usable
from kfsr.runs.plan import Job, plan

if TYPE_CHECKING:
    from kfsr.kernel import Kernel, Lens

MOST_CELLS = 32
"""Of a grid, along one side."""

SUFFIXES = (".npy", ".npz", ".mat", ".png")


@dataclass(frozen=True)
class KernelPlan:
    """shared: the pictures of the one kernel, else each has its own. written: whether the kernels go to files; one with
    a target of None is left to the caller. plot: a file that shows the kernel. grid: (rows, columns) of a lens that is
    found in each picture in place of a kernel, None for that; colours: kernels for each of its colours."""

    jobs: Sequence[Job]
    recipe: Recipe
    shared: tuple[Source, ...]
    written: bool
    plot: Path | None
    grid: tuple[int, int] | None = None
    colours: bool = True


def prepare(
    sources: Sequence[Source],
    recipe: Recipe,
    machine: Machine,
    *,
    output: str | None = None,
    shared: bool = False,
    written: bool = True,
    plot: Path | None = None,
    grid: tuple[int, int] | None = None,
    colours: bool = True,
    on_event: OnEvent = as_warnings,
) -> KernelPlan:
    """The plan of finding kernels; `output` as in `runs.plan`. shared: one kernel for all the pictures. written: False
    leaves the kernels to the caller. plot: also draw the kernel there. grid, colours: as in `KernelPlan`. Raises as
    `plan` does."""
    from kfsr import pipeline

    pipeline.check(recipe, machine.device)
    if grid is not None:
        check_grid(grid, recipe)
        if recipe.kernel_method != "auto" or recipe.kernel_init != "spectral":
            raise UsageError("--grid has its own method; leave --method and --init out")
        if recipe.refine is not None:
            raise UsageError("the kernels of --grid are not refined; leave --refine out")
        if shared:
            raise UsageError("--grid finds a lens in each picture alone; leave --shared out, or add --clean")
    if shared and output is None and written:
        raise UsageError("--shared makes one kernel of all the pictures; name its file with -o")
    sources = usable(list(sources)) if shared else sources
    named = [Source(sources[0].path)] if shared else sources
    keep = [plot, *(source.path for source in sources if source.path is not None)] if shared else [plot]
    jobs = plan(
        named,
        output,
        kernel_name if output is None else kernel_name_in_folder,
        check_name=(check_kernel_name if grid is None else check_lens_name) if written else None,
        keep=[path for path in keep if path is not None],
    )
    if plot is not None:
        _check_plot(plot, jobs)
    if shared:
        for seen in checks.look([Job(source.path, None) for source in sources], machine, on_event):
            if seen.job.problem is not None:
                raise seen.job.problem
    else:
        jobs = [seen.job for seen in checks.look(jobs, machine, on_event)]
    if grid is not None and written and any(job.target is None and job.problem is None for job in jobs):
        raise UsageError("a field of kernels is kept in a .npz file; name it with -o")
    return KernelPlan(jobs, recipe, tuple(sources) if shared else (), written, plot, grid, colours)


def carry_out(plan: KernelPlan, machine: Machine, on_event: OnEvent) -> Generator[Outcome[Kernel | Lens], None, None]:
    """Do it, yielding what becomes of each kernel. Close it in any case."""
    found = _estimate if plan.grid is None else _own_lens
    return execute(plan.jobs, partial(found, plan, machine), machine, on_event)


def _own_lens(plan: KernelPlan, machine: Machine, job: Job, on_event: OnEvent, lock: str | None) -> Lens:
    """One lens: read its picture, find it, write it."""
    from kfsr.image import Image, write_image
    from kfsr.kernel import save_lens
    from kfsr.kernel.plot_field import plot_field
    from kfsr.pipeline.lenses import lens_of_photograph

    assert plan.grid is not None
    picture = machine.read(job.source, plan.recipe)[0]
    told = progress_of(job.source_name, on_event)
    lens = lens_of_photograph(picture, plan.grid, plan.colours, settings=plan.recipe.settings, progress=told)
    lens = replace(lens, provenance=lens.provenance.of_pictures([job.source_name]))
    if plan.written and job.target is not None:
        save_lens(lens, job.target)
    if plan.plot is not None:
        write_image(Image.from_array(plot_field(lens.field)), plan.plot)
    return lens


def _estimate(plan: KernelPlan, machine: Machine, job: Job, on_event: OnEvent, lock: str | None) -> Kernel:
    """One kernel: read its pictures, find it, write it."""
    import kfsr
    from kfsr.image import Image, write_image
    from kfsr.kernel import plot_kernel, save_kernel

    sources = plan.shared or [Source(job.source)]
    pictures = [machine.read(source.path, plan.recipe)[0] for source in sources]
    target = job.target if plan.written else None
    with checkpoint_for(target) as state:
        with device_lock.held(lock, machine.device):
            found = kfsr.estimate_kernel(
                pictures,
                plan.recipe,
                device=machine.device,
                checkpoint=state,
                progress=progress_of(job.source_name, on_event),
            )
        names = [source.path.name if source.path else job.source_name for source in sources]
        found = found.stamped(found.provenance.of_pictures(names)) if found.estimated else found
        if target is not None:
            save_kernel(found, target)
    if plan.plot is not None:
        write_image(Image.from_array(plot_kernel(found)), plan.plot)
    return found


def kernel_name(picture: Path) -> str:
    """File name of a picture's kernel beside the picture."""
    return f"{picture.stem}_kernel.npz"


def kernel_name_in_folder(picture: Path) -> str:
    """File name of a picture's kernel in a folder of kernels."""
    return f"{picture.stem}.npz"


def check_kernel_name(path: Path) -> None:
    """UsageError when no kernel can be written under this name."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: a kernel file ends in one of {', '.join(SUFFIXES)}")


def check_lens_name(path: Path) -> None:
    """UsageError when no lens can be written under this name."""
    if path.suffix.lower() != ".npz":
        raise UsageError(f"{path}: a field of kernels is kept in a .npz file; name it so")


def check_grid(grid: tuple[int, int], recipe: Recipe) -> None:
    """UsageError for a grid that no lens can have, and at scales that lenses are not measured at."""
    if not all(1 <= n <= MOST_CELLS for n in grid):
        raise UsageError(f"--grid {grid[0]}x{grid[1]}: takes 1 to {MOST_CELLS} rows and columns")
    if recipe.scale != 1:
        raise UsageError(
            f"--grid and --channels measure a lens at its own size, not at scale {recipe.scale}; add --scale 1"
        )


def _check_plot(path: Path, jobs: Sequence[Job]) -> None:
    from kfsr.image import format_by_suffix

    if len(jobs) > 1:
        raise UsageError("--plot draws one kernel, and there are several pictures; leave it out")
    format_by_suffix(path)
    if jobs[0].source is not None:
        plan([str(jobs[0].source)], str(path), lambda picture: picture.name)
