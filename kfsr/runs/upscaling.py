"""Many pictures upscaled: `kfsr.run`, and its two steps for those who want to see the plan in between."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfsr.errors import InputError, OutputError, UsageError
from kfsr.recipe import Recipe
from kfsr.runs import checks, device_lock, earlier, manifest
from kfsr.runs.engine import Machine, checkpoint_for, execute, progress_of
from kfsr.runs.events import OnEvent, Outcome, SharedKernel, as_warnings, warnings_of
from kfsr.runs.executors import Executor, Serial
from kfsr.runs.existing import Kept, kept, replaced
from kfsr.runs.inputs import STREAM, Source, find_pictures, usable
from kfsr.runs.kernels import check_kernel_name, kernel_name_in_folder
from kfsr.runs.left_out import kind_of
from kfsr.runs.names import default_template, result_name
from kfsr.runs.plan import Job, plan, tidy, with_folders

if TYPE_CHECKING:
    from kfsr.kernel import Kernel
    from kfsr.pipeline import Result


@dataclass(frozen=True)
class Upscaled:
    """What is left to say about a picture that has been written. size: its width and height. report: the pipeline's.
    data: the picture's file, where it goes to standard output."""

    size: tuple[int, int]
    report: dict[str, Any]
    data: bytes | None = None


@dataclass(frozen=True)
class Plan:
    """A run settled down to the names. recipe: without the file of a kernel that was
    read. kernel: for all pictures. kernel_paths: where each picture's kernel is kept. kernel_from: the pictures that a
    kernel for all is still to be found from. settings: digest of all that the results are made with. sizes: the
    pictures' widths and heights, as far as their headers tell. kept: the jobs whose results stay as they are, and why.
    no_overwrite: nothing that exists is replaced."""

    jobs: Sequence[Job]
    recipe: Recipe
    kernel: Kernel | None
    kernel_paths: Mapping[Job, Path]
    kernel_from: Sequence[Path]
    settings: str
    sizes: Mapping[Job, tuple[int, int]] = field(default_factory=dict)
    kept: Mapping[Job, Kept] = field(default_factory=dict)
    no_overwrite: bool = False

    @property
    def own_kernels(self) -> bool:
        """Whether each picture gets a kernel of its own."""
        return self.kernel is None and not self.kernel_from


def run(
    inputs: str | Path | Iterable[str | Path],
    recipe: Recipe | None = None,
    *,
    output: str | Path | None = None,
    name: str | None = None,
    recursive: bool = False,
    kernel: Kernel | Path | str | None = None,
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

    At scale 1 the file of a picture that is left as it is, is copied as long as its format stays and neither `strip`
    nor another `quality` is asked for.

    Raises UsageError for a call that cannot be meant, InputError for a kernel, weights or a folder that cannot be used,
    OutputError where there is nowhere to write; all before any work. An input that cannot be used, a result that its
    format cannot hold and a picture that `max_memory` is too little for are found before the first is started, too.
    """
    on_event = on_event or as_warnings
    several = [inputs] if isinstance(inputs, str | Path) else inputs
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


def prepare(
    sources: Sequence[Source],
    recipe: Recipe,
    machine_for: Callable[[], Machine],
    *,
    output: str | None = None,
    name: str | None = None,
    recursive: bool = False,
    kernel: Kernel | None = None,
    kernel_from: Sequence[str] = (),
    save_kernel: str | None = None,
    skip_existing: bool = False,
    no_overwrite: bool = False,
    create: bool = True,
    on_event: OnEvent = as_warnings,
) -> Plan:
    """The plan of a run; arguments and errors as in `run`. machine_for: gives the machine; asked once the names and the
    kernel are settled, since finding one may load torch. create: whether to make the folders of the results."""
    given, beside = recipe.kernel or kernel, kernel is not None
    _check_size(recipe, given, kernel_from)
    examples = _examples(kernel_from, recursive, recipe, given)
    keep = [path for path in (recipe.kernel, recipe.weights) if path is not None]
    keep += [one.path for one in examples if one.under is None and one.path is not None]
    if recipe.strength == 0 and save_kernel is not None and not given:
        raise UsageError("with --strength 0 no kernel is found; leave --save-kernel out")
    jobs = _named(sources, recipe, output, name, keep)
    kernels = _kernel_jobs(jobs, save_kernel, keep)
    originals = _without_results(examples, jobs, output)
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in originals]
    contents += [] if kernel is None else [hashlib.sha256(kernel.array.tobytes()).hexdigest()]
    settings = recipe.digest(*contents)[:16]
    plain = recipe
    if recipe.kernel is not None:
        from kfsr.kernel import load_kernel

        kernel = load_kernel(recipe.kernel, recipe.scale, trusted=recipe.trust_kernel)
        plain = dataclasses.replace(recipe, kernel=None, trust_kernel=False)
    machine = machine_for()
    _check_recipe(recipe, machine, has_kernel=beside or bool(examples))
    has_kernel = kernel is not None or bool(originals)
    check = partial(checks.check_result, recipe=plain, max_memory=machine.max_memory, has_kernel=has_kernel)
    seen = checks.look(with_folders(jobs, output, create=create), machine, on_event, check)
    with_folders(list(kernels.values()), save_kernel, create=create)
    places = [kernels[job].target if job in kernels else None for job in jobs]
    final = [one.job for one in seen]
    made = Plan(
        final,
        plain,
        kernel,
        {job: place for job, place in zip(final, places, strict=True) if place is not None},
        [] if recipe.strength == 0 else originals,  # then no kernel is used
        settings,
        {one.job: one.size for one in seen if one.size is not None},
        no_overwrite=no_overwrite,
    )
    done = kept(made.jobs, made.kernel_paths, settings, skip_existing=skip_existing, no_overwrite=no_overwrite)
    replaced([job for job in made.jobs if job not in done])
    return dataclasses.replace(made, kept=done)


def carry_out(plan: Plan, machine: Machine, on_event: OnEvent) -> Generator[Outcome[Upscaled], None, None]:
    """Do it, yielding what becomes of each picture; the kernel that all share is found first. Close it in any case."""
    recipe, kernel = plan.recipe, plan.kernel
    tidy(plan.kernel_paths.values())
    if plan.kernel_from and any(job.problem is None and job not in plan.kept for job in plan.jobs):
        kernel = shared_kernel(plan.kernel_from, recipe, machine, on_event)
    if plan.kernel_from:  # it got its fine form from all its pictures together
        recipe = dataclasses.replace(recipe, refine=False)
    light = dataclasses.replace(plan, jobs=(), recipe=recipe, kernel=kernel, sizes={}, kept={})  # it goes to processes
    yield from execute(plan.jobs, partial(_upscale, light, machine), machine, on_event, plan.kept)


def shared_kernel(paths: Sequence[Path], recipe: Recipe, machine: Machine, on_event: OnEvent) -> Kernel:
    """The kernel that the pictures share. Raises InputError when one of them cannot be used."""
    import kfsr

    subject = "shared kernel"
    with warnings_of(subject, on_event):
        pictures = [machine.read(path)[0] for path in paths]
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

    picture, data = machine.read(job.source)
    source = manifest.digest(data)
    original = data if plan.recipe.scale == 1 or plan.recipe.size else b""
    del data
    with checkpoint_for(job.target) as state:
        with device_lock.held(lock, machine.device):
            result = kfsr.upscale(
                picture.stripped() if plan.recipe.strip else picture,
                plan.recipe,
                kernel=plan.kernel,
                device=machine.device,
                max_memory=machine.max_memory,
                checkpoint=state,
                progress=progress_of(job.source_name, on_event),
            )
        if job in plan.kernel_paths:
            used = result.kernel
            if used.provenance.pictures == 1:  # found in this picture
                used = used.stamped(used.provenance.of_pictures([job.source.name if job.source else job.source_name]))
            save_kernel(used, plan.kernel_paths[job])
        copied = _is_copied(result, picture.format, job.target, plan.recipe)
        encoded = None
        if job.target is None:
            form = plan.recipe.format or "PNG"
            encoded = original if copied else encode_image(result.image, form, plan.recipe.quality)
        else:
            if plan.no_overwrite and os.path.lexists(job.target):
                raise OutputError(f"{job.target}: has come to be there meanwhile; it is kept, as --no-overwrite says")
            place = job.source if job.source is not None and job.source.is_file() else None
            note = partial(manifest.record, job.target, source=source, settings=plan.settings, place=place)
            if copied:
                note(original)
                write_bytes(job.target, original)
            else:
                write_image(result.image, job.target, plan.recipe.quality, note)
    return Upscaled(result.image.size, result.report.as_dict(), encoded)


def _is_copied(result: Result, read: str, target: Path | None, recipe: Recipe) -> bool:
    """Whether the result's file is that of the picture, byte for byte: nothing was done to it, it stays in the format
    that was `read`, and nobody asked for another file."""
    from kfsr.image import format_by_name, format_by_suffix

    done = result.report.scale > 1 or result.report.strength > 0
    asked = recipe.strip or recipe.quality is not None
    wanted = format_by_name(recipe.format or "png") if target is None else format_by_suffix(target)
    return not done and not asked and read == wanted.name


def _examples(names: Sequence[str], recursive: bool, recipe: Recipe, given: object) -> list[Source]:
    """The pictures that `--kernel-from` names."""
    if not names:
        return []
    from kfsr.estimators.registry import estimator

    if given is not None:
        raise UsageError("--kernel gives the kernel, --kernel-from would find one; leave one of them out")
    if not estimator(recipe.kernel_method).estimated:
        raise UsageError(
            f"--kernel-method {recipe.kernel_method} assumes a kernel, --kernel-from finds one; leave one of them out"
        )
    if STREAM in names:
        raise UsageError("--kernel-from takes files and folders, not standard input")
    found = usable(find_pictures(names, recursive))
    for one in found:
        if one.path is not None and (kind := kind_of(one.path)):
            raise InputError(f"{one.path}: is {kind}; --kernel-from reads its pictures twice and takes files")
    return found


def _without_results(examples: Sequence[Source], jobs: Sequence[Job], output: str | None) -> list[Path]:
    """The pictures that the kernel is found from; InputError where only results are among them."""
    places = {Path(os.path.realpath(job.target)): job.source for job in jobs if job.target and job.source}
    folder = None if output is None or not os.path.isdir(output) else Path(output)  # noqa: PTH112 - "-" too
    results = set(earlier.among(examples, places, folder))
    originals = [one.path for one in examples if one not in results and one.path is not None]
    if examples and not originals:
        raise InputError("--kernel-from: all pictures there are results; name the folder of the originals")
    return originals


def _named(
    sources: Sequence[Source], recipe: Recipe, output: str | None, name: str | None, keep: Sequence[Path]
) -> list[Job]:
    """The jobs, each with the name of its result."""
    from kfsr.image import format_by_name, format_by_suffix

    template = name or default_template(recipe)
    form = None if recipe.format is None else format_by_name(recipe.format)

    def check_name(path: Path) -> None:
        found = format_by_suffix(path)
        if form is not None and found != form:
            raise UsageError(f"{path}: its ending says {found.name}, --format says {form.name}; leave one of them out")

    rename = partial(result_name, template=template, recipe=recipe)
    return plan(sources, output, rename, check_name=check_name, keep=keep, prepare=False)


def _check_size(recipe: Recipe, kernel: object, kernel_from: Sequence[str]) -> None:
    """UsageError for a size in pixels, which each picture needs a scale of its own for, and a kernel, made for one."""
    if recipe.size is not None and "x" in recipe.size.lower() and (kernel is not None or kernel_from):
        what = "--kernel-from finds" if kernel_from else "--kernel gives"
        raise UsageError(f"{what} a kernel for one scale, and --size needs each picture's own; use --scale")


def _check_recipe(recipe: Recipe, machine: Machine, *, has_kernel: bool) -> None:
    from kfsr import pipeline

    pipeline.check(recipe, machine.device, has_kernel=has_kernel)


def _kernel_jobs(jobs: Sequence[Job], place: str | None, keep: Sequence[Path]) -> dict[Job, Job]:
    """For each job one whose target is its kernel's file."""
    if place is None:
        return {}
    if place == STREAM:
        raise UsageError("--save-kernel needs a file; `kfsr kernel` writes kernels to standard output")
    keep = [*keep, *(job.target for job in jobs if job.target is not None)]
    to_do = [job for job in jobs if job.problem is None]
    sources = [Source(job.source, job.under) for job in to_do]
    with warnings.catch_warnings():  # what `plan` warns of has been said of the pictures
        warnings.simplefilter("ignore")
        places = plan(sources, place, kernel_name_in_folder, check_name=check_kernel_name, keep=keep, prepare=False)
    return dict(zip(to_do, places, strict=True))
