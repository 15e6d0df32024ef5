"""Many pictures upscaled: `kfsr.run`, and its two steps for those who want to see the plan in between."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfsr.errors import InputError, UsageError
from kfsr.recipe import Recipe
from kfsr.runs import device_lock, manifest
from kfsr.runs.engine import Machine, checkpoint_for, execute, progress_of
from kfsr.runs.events import OnEvent, Outcome, SharedKernel, as_warnings, warnings_of
from kfsr.runs.executors import Executor, Serial
from kfsr.runs.inputs import STREAM, Source, find_pictures
from kfsr.runs.kernels import check_kernel_name, kernel_name_in_folder
from kfsr.runs.plan import Job, plan, tidy, without_results

if TYPE_CHECKING:
    import numpy as np

    from kfsr.kernel import Kernel, Lens
    from kfsr.pipeline import Result

NAME = "{stem}_x{scale}{ext}"
NAME_AT_ITS_SIZE = "{stem}_sharp{ext}"
"""At scale 1, where there is no larger size to tell."""


@dataclass(frozen=True)
class Upscaled:
    """What is left to say about a picture that has been written. size: its width and height. report: the pipeline's.
    data: the picture as a PNG, where it goes to standard output."""

    size: tuple[int, int]
    report: dict[str, Any]
    data: bytes | None = None


@dataclass(frozen=True)
class Plan:
    """A run settled down to the names. recipe: without the file of a kernel that was read. kernel: for all pictures.
    kernel_paths: where each picture's kernel is kept. kernel_from: the pictures that a kernel for all is still to be
    found from. settings: digest of all that the results are made with. finished: what an earlier run has made with
    them. listed: whether the list of finished pictures is written."""

    jobs: Sequence[Job]
    recipe: Recipe
    kernel: Kernel | Lens | None
    kernel_paths: Mapping[Job, Path]
    kernel_from: Sequence[Path]
    settings: str
    listed: bool
    finished: frozenset[Job] = field(default_factory=frozenset)

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
    kernel: Kernel | Lens | Path | str | None = None,
    kernel_from: Iterable[str | Path] = (),
    save_kernel: str | Path | None = None,
    skip_existing: bool = False,
    executor: Executor | None = None,
    device: str = "cpu",
    threads: int | None = None,
    max_pixels: int | None = None,
    max_memory: int | None = None,
    on_event: OnEvent | None = None,
    **choices: Any,
) -> list[Outcome[Upscaled]]:
    """Upscale many pictures as `kfsr upscale` does, and return what became of each; a bad one does not stop the others.

    inputs: pictures, folders and patterns, one or several. recipe, choices: as in `kfsr.upscale`. output: None puts
    each result beside its picture; a folder, or a file for one picture. name: of the results, with {stem}, {scale} and
    {ext} filled in; None: `NAME`, at scale 1 `NAME_AT_ITS_SIZE`. recursive: look into sub-folders, which an output
    folder mirrors. kernel: for all pictures, a value or a file. kernel_from: pictures or folders that one kernel for
    all is found from. save_kernel: a folder, or a file, for the kernels. skip_existing: leave out what an earlier run
    has finished with the same settings; so a run that was stopped goes on. executor: `Serial()`, the default, or
    `Processes(n)`. threads: of all processes together. max_pixels: of a picture. max_memory: bytes, as in
    `kfsr.upscale`. on_event: told what happens (see `kfsr.runs.events`); without it warnings are Python's.

    At scale 1 the file of a picture that is left as it is, is copied as long as its format stays and neither `strip`
    nor another `quality` is asked for.

    Raises UsageError for a call that cannot be meant, InputError for a kernel, weights or a folder that cannot be used,
    OutputError where there is nowhere to write; all before any work.
    """
    several = [inputs] if isinstance(inputs, str | Path) else inputs
    if isinstance(kernel, str | Path):
        choices["kernel"], kernel = Path(kernel), None
    machine = Machine(executor or Serial(), device, threads, max_pixels, max_memory)
    plan = prepare(
        find_pictures(map(str, several), recursive),
        Recipe.make(recipe, **choices),
        machine,
        output=None if output is None else str(output),
        name=name,
        recursive=recursive,
        kernel=kernel,
        kernel_from=[str(one) for one in kernel_from],
        save_kernel=None if save_kernel is None else str(save_kernel),
        skip_existing=skip_existing,
    )
    return list(carry_out(plan, machine, on_event or as_warnings))


def prepare(
    sources: Sequence[Source],
    recipe: Recipe,
    machine: Machine,
    *,
    output: str | None = None,
    name: str | None = None,
    recursive: bool = False,
    kernel: Kernel | Lens | None = None,
    at: tuple[int, int] | None = None,
    kernel_from: Sequence[str] = (),
    save_kernel: str | None = None,
    skip_existing: bool = False,
    create: bool = True,
) -> Plan:
    """The plan of a run; arguments and errors as in `run`. create: whether to make the folders of the results."""
    from kfsr import pipeline
    from kfsr.image import format_by_suffix
    from kfsr.kernel import Lens, load_kernel_or_lens

    given = recipe.kernel or kernel
    examples = _examples(kernel_from, recursive, recipe, given)
    pipeline.check(recipe, machine.device, has_kernel=kernel is not None or bool(examples))
    files = [recipe.kernel, recipe.weights, *(one.path for one in examples if one.under is None)]
    keep = [path for path in files if path is not None]
    if recipe.strength == 0 and save_kernel is not None and not given:
        raise UsageError("with --strength 0 no kernel is found; leave --save-kernel out")
    template = name or (NAME_AT_ITS_SIZE if recipe.scale == 1 else NAME)
    rename = partial(_result_name, template=template, scale=recipe.scale)
    jobs = plan(sources, output, rename, check_name=format_by_suffix, keep=keep, prepare=create)
    kernel_paths = _kernel_paths(jobs, save_kernel, keep, create)
    originals = [one.path for one in without_results(examples, jobs, output) if one.path is not None]
    if examples and not originals:
        raise InputError("--kernel-from: all pictures there are results; name the folder of the originals")
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in originals]
    contents += [] if kernel is None else [hashlib.sha256(_numbers_of(kernel).tobytes()).hexdigest()]
    contents += [] if at is None else [f"at {at}"]
    settings = recipe.digest(*contents)[:16]
    if recipe.kernel is not None:
        kernel = load_kernel_or_lens(recipe.kernel, recipe.scale, trusted=recipe.trust_kernel)
        recipe = dataclasses.replace(recipe, kernel=None, trust_kernel=False)
    if at is not None:
        if not isinstance(kernel, Lens):
            raise UsageError("--at is the place of a part in a lens's frame; it needs a lens's file with --kernel")
        kernel = kernel.placed(at)
    listed = skip_existing or len(jobs) > 1
    if recipe.strength == 0:  # no kernel is used
        originals = []
    made = Plan(jobs, recipe, kernel, kernel_paths, originals, settings, listed)
    if not skip_existing:
        return made
    lists = manifest.Manifest()
    return dataclasses.replace(made, finished=frozenset(job for job in jobs if _is_finished(job, made, lists)))


def carry_out(plan: Plan, machine: Machine, on_event: OnEvent) -> Generator[Outcome[Upscaled], None, None]:
    """Do it, yielding what becomes of each picture; the kernel that all share is found first. Close it in any case."""
    recipe, kernel = plan.recipe, plan.kernel
    tidy(plan.kernel_paths.values())
    if plan.kernel_from and len(plan.finished) < len(plan.jobs):
        kernel = shared_kernel(plan.kernel_from, recipe, machine, on_event)
    if plan.kernel_from:  # it got its fine form from all its pictures together
        recipe = dataclasses.replace(recipe, refine=False)
    work = partial(_upscale, dataclasses.replace(plan, recipe=recipe, kernel=kernel, finished=frozenset()), machine)
    yield from execute(plan.jobs, work, machine, on_event, plan.finished)


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
    source = manifest.digest(data) if plan.listed and job.source is not None else None
    kept = data if plan.recipe.scale == 1 else b""
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
        note = None
        if source is not None and job.target is not None:
            note = partial(manifest.record, job.target, source=source, settings=plan.settings)
        copied = _is_copied(result, picture.format, job.target, plan.recipe)
        encoded = None
        if job.target is None:
            encoded = kept if copied else encode_image(result.image, "PNG")
        elif copied:
            if note is not None:
                note(kept)
            write_bytes(job.target, kept)
        else:
            write_image(result.image, job.target, plan.recipe.quality, note)
    return Upscaled(result.image.size, result.report.as_dict(), encoded)


def _numbers_of(kernel: Kernel | Lens) -> np.ndarray:
    from kfsr.kernel import Lens

    return kernel.field.array if isinstance(kernel, Lens) else kernel.array


def _is_copied(result: Result, read: str, target: Path | None, recipe: Recipe) -> bool:
    """Whether the result's file is that of the picture, byte for byte: nothing was done to it, it stays in the format
    that was `read`, and nobody asked for another file."""
    from kfsr.image import format_by_suffix

    done = recipe.scale > 1 or result.report.strength > 0
    asked = recipe.strip or recipe.quality != Recipe().quality
    return not done and not asked and read == ("PNG" if target is None else format_by_suffix(target).name)


def _examples(names: Sequence[str], recursive: bool, recipe: Recipe, given: object) -> list[Source]:
    """The pictures that `--kernel-from` names."""
    from kfsr.estimators.registry import estimator

    if not names:
        return []
    if given is not None:
        raise UsageError("--kernel gives the kernel, --kernel-from would find one; leave one of them out")
    if not estimator(recipe.kernel_method).estimated:
        raise UsageError(
            f"--kernel-method {recipe.kernel_method} assumes a kernel, --kernel-from finds one; leave one of them out"
        )
    if STREAM in names:
        raise UsageError("--kernel-from takes files and folders, not standard input")
    return find_pictures(names, recursive)


def _result_name(source: Path, template: str, scale: int) -> str:
    from kfsr.image import supported_formats

    known = {suffix for suffixes in supported_formats().values() for suffix in suffixes}
    ext = source.suffix if source.suffix.lower() in known else ".png"
    try:
        name = template.format(stem=source.stem, ext=ext, scale=scale)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UsageError(f"--name {template}: only {{stem}}, {{scale}} and {{ext}} are filled in") from error
    if Path(name).name != name:
        raise UsageError(f"--name {template}: a name and not a path; the folder is for -o")
    return name


def _kernel_paths(jobs: Sequence[Job], place: str | None, keep: Sequence[Path], create: bool) -> dict[Job, Path]:
    if place is None:
        return {}
    if place == STREAM:
        raise UsageError("--save-kernel needs a file; `kfsr kernel` writes kernels to standard output")
    keep = [*keep, *(job.target for job in jobs if job.target is not None)]
    sources = [Source(job.source, job.under) for job in jobs]
    places = plan(sources, place, kernel_name_in_folder, check_name=check_kernel_name, keep=keep, prepare=create)
    return {job: one.target for job, one in zip(jobs, places, strict=True) if one.target is not None}


def _is_finished(job: Job, plan: Plan, lists: manifest.Manifest) -> bool:
    """Whether an earlier run has made this picture, and its kernel where one is wanted, with the same settings."""
    kernel = plan.kernel_paths.get(job)
    if job.source is None or job.target is None or (kernel is not None and not kernel.is_file()):
        return False
    both = job.source.is_file() and job.target.is_file()
    return both and lists.is_finished(job.target, job.source, plan.settings)
