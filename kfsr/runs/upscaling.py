"""Many pictures upscaled: `kfsr.run`, and its two steps for those who want to see the plan in between."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Generator, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfsr.errors import OutputError, UsageError
from kfsr.recipe import Recipe
from kfsr.runs import device_lock, manifest
from kfsr.runs.engine import Machine, checkpoint_for, execute, progress_of
from kfsr.runs.events import OnEvent, Outcome, SharedKernel, as_warnings, warnings_of
from kfsr.runs.executors import Executor, Serial
from kfsr.runs.inputs import find_pictures
from kfsr.runs.names import result_format
from kfsr.runs.plan import Job, tidy
from kfsr.runs.preparing import Plan, prepare
from kfsr.runs.stacks import is_stack, upscale_stack
from kfsr.runs.told import writing_down
from kfsr.runs.upscaled import Upscaled

if TYPE_CHECKING:
    from kfsr.image import Image
    from kfsr.kernel import Kernel, Lens
    from kfsr.pipeline import Result


def run(
    inputs: str | Path | Iterable[str | Path],
    recipe: Recipe | None = None,
    *,
    output: str | Path | None = None,
    name: str | None = None,
    recursive: bool = False,
    kernel: Kernel | Lens | Path | str | None = None,
    kernel_from: Iterable[str | Path] = (),
    save_kernel: str | Path | None = None,
    skip_existing: bool = False,
    no_overwrite: bool = False,
    executor: Executor | None = None,
    device: str = "cpu",
    threads: int | None = None,
    max_pixels: int | None = None,
    max_memory: int | None = None,
    on_event: OnEvent | None = None,
    **choices: Any,
) -> list[Outcome[Upscaled]]:
    """Upscale many pictures as `kfsr upscale` does, and return what became of each, in the order of the inputs; a bad
    one does not stop the others.

    inputs: pictures, folders and patterns, one or several. recipe, choices: as in `kfsr.upscale`. output: None puts
    each result beside its picture; a folder, or a file for one picture. name: of the results, with the fields of
    `runs.names.result_name` filled in; None: `names.NAME`, at scale 1 `names.NAME_AT_ITS_SIZE`. recursive: look into
    sub-folders, which an output folder mirrors. kernel: for all pictures, a value or a file. kernel_from: pictures or
    folders that one kernel for all is found from. save_kernel: a folder, or a file, for the kernels. skip_existing:
    leave out what an earlier run has finished with the same settings, so that a run that was stopped goes on, and
    pictures that this program did not make or that were changed since. no_overwrite: leave everything that exists as it
    is. executor: `Serial()`, the default, or `Processes(n)`. threads: of all processes together. max_pixels: of a
    picture. max_memory: bytes, as in `kfsr.upscale`. on_event: told what happens (see `kfsr.runs.events`); without it
    warnings are Python's.

    A TIFF of several pages gives one of as many, unless the recipe's `page` names one. At scale 1 the file of a picture
    that is left as it is, is copied as long as its format stays and neither `strip` nor another `quality` is asked for.

    Raises UsageError for a call that cannot be meant, InputError for a kernel, weights or a folder that cannot be used,
    OutputError where there is nowhere to write; all before any work. An input that cannot be used, a result that its
    format cannot hold and a picture that `max_memory` is too little for are found before the first is started, too.
    """
    on_event = on_event or as_warnings
    several = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    strange = next((one for one in several if not isinstance(one, str | os.PathLike)), None)
    if strange is not None:
        raise UsageError(f"inputs are names of files, not of type {type(strange).__name__}; upscale takes pictures")
    if isinstance(kernel, str | Path):
        choices["kernel"], kernel = Path(kernel), None
    machine = Machine(executor or Serial(), device, threads, max_pixels, max_memory)
    with warnings_of("", on_event):
        plan = prepare(
            find_pictures(map(str, several), recursive),
            Recipe.make(recipe, **choices),
            lambda: machine,
            output=None if output is None else str(output),
            name=name,
            recursive=recursive,
            kernel=kernel,
            kernel_from=[str(one) for one in kernel_from],
            save_kernel=None if save_kernel is None else str(save_kernel),
            skip_existing=skip_existing,
            no_overwrite=no_overwrite,
            on_event=on_event,
        )
    outcomes = {one.job: one for one in carry_out(plan, machine, on_event)}
    return [outcomes[job] for job in plan.jobs]


def carry_out(plan: Plan, machine: Machine, on_event: OnEvent) -> Generator[Outcome[Upscaled], None, None]:
    """Do it, yielding what becomes of each picture; the kernel that all share is found first. Close it in any case."""
    recipe, kernel = plan.recipe, plan.kernel
    tidy(plan.kernel_paths.values())
    if plan.kernel_from and any(job.problem is None and job not in plan.kept for job in plan.jobs):
        kernel = shared_kernel(plan.kernel_from, recipe, machine, on_event)
    if plan.kernel_from:  # it got its fine form from all its pictures together
        recipe = dataclasses.replace(recipe, refine=False)
    light = dataclasses.replace(plan, jobs=(), recipe=recipe, kernel=kernel, sizes={}, kept={})  # it goes to processes
    work = partial(_upscale, light, machine)
    yield from writing_down(execute(plan.jobs, work, machine, on_event, plan.kept))


def shared_kernel(paths: Sequence[Path], recipe: Recipe, machine: Machine, on_event: OnEvent) -> Kernel:
    """The kernel that the pictures share. Raises InputError when one of them cannot be used."""
    import kfsr

    subject = "shared kernel"
    with warnings_of(subject, on_event):
        pictures = [machine.read(path, recipe)[0] for path in paths]
        found = kfsr.estimate_kernel(pictures, recipe, device=machine.device, progress=progress_of(subject, on_event))
    found = found.stamped(found.provenance.of_pictures([path.name for path in paths]))
    on_event(SharedKernel(found, len(paths)))
    return found


def _upscale(plan: Plan, machine: Machine, job: Job, on_event: OnEvent, lock: str | None) -> Upscaled:
    """One picture: read, upscale, write."""
    import kfsr
    from kfsr.files import write_bytes
    from kfsr.image import encode_image, write_image
    from kfsr.kernel import save_kernel

    pages, data = machine.pages(job.source, plan.recipe)
    source = manifest.digest(data)
    original = data if plan.recipe.scale == 1 or plan.recipe.size else b""
    del data

    def solve(picture: Image, state: Path | None, subject: str) -> Result:
        with device_lock.held(lock, machine.device):
            return kfsr.upscale(
                picture.stripped() if plan.recipe.strip else picture,
                plan.recipe,
                kernel=plan.kernel,
                device=machine.device,
                max_memory=machine.max_memory,
                checkpoint=state,
                progress=progress_of(subject, on_event),
            )

    with checkpoint_for(job.target) as state:
        stack: bytes | None = None
        others: list[Result] = []
        if is_stack(pages, job.target, plan.recipe):
            (result, *others), stack = upscale_stack(pages, job.target, job.source_name, solve)
            read = result.image.format
        else:
            picture = pages.first()
            result, read = solve(picture, state, job.source_name), picture.format
            del picture
        if job in plan.kernel_paths:
            used = result.kernel
            if used.provenance.pictures == 1:  # found in this picture
                used = used.stamped(used.provenance.of_pictures([job.source.name if job.source else job.source_name]))
            save_kernel(used, plan.kernel_paths[job])
        copied = all(_is_copied(one, read, job.target, plan.recipe) for one in (result, *others))
        encoded = None
        if job.target is None:
            encoded = original if copied else stack
            if encoded is None:
                encoded = encode_image(result.image, result_format(None, plan.recipe).name, plan.recipe.quality)
        else:
            if plan.no_overwrite and os.path.lexists(job.target):
                raise OutputError(f"{job.target}: has come to be there meanwhile; it is kept, as --no-overwrite says")
            place = job.source if job.source is not None and job.source.is_file() else None
            note = partial(manifest.record, job.target, source=source, settings=plan.settings, place=place)
            if copied:
                note(original)
                write_bytes(job.target, original)
            elif stack is not None:
                note(stack)
                write_bytes(job.target, stack)
            else:
                write_image(result.image, job.target, plan.recipe.quality, note)
    report = result.report.as_dict() | ({"pages": pages.count} if stack is not None else {})
    return Upscaled(result.image.size, report, encoded, result.kernel)


def _is_copied(result: Result, read: str, target: Path | None, recipe: Recipe) -> bool:
    """Whether the result's file is that of the picture, byte for byte: nothing was done to it, it stays in the format
    that was `read`, and nobody asked for another file."""
    done = result.report.scale > 1 or result.report.strength > 0
    asked = recipe.strip or recipe.quality is not None or recipe.page is not None
    return not done and not asked and read == result_format(target, recipe).name
