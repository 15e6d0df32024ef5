"""A run over many pictures settled before any work: names, kernel, settings, and what every input's header tells."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kfsr.errors import InputError, UsageError
from kfsr.recipe import Recipe
from kfsr.runs import checks, earlier
from kfsr.runs.engine import AUTO, Machine
from kfsr.runs.events import OnEvent, as_warnings
from kfsr.runs.existing import Kept, kept, replaced
from kfsr.runs.inputs import Source, find_pictures, usable
from kfsr.runs.kernels import check_kernel_name, kernel_name_in_folder
from kfsr.runs.left_out import kind_of
from kfsr.runs.lists import STREAM
from kfsr.runs.names import default_template, result_name
from kfsr.runs.plan import Job, plan, with_folders

if TYPE_CHECKING:
    import numpy as np

    from kfsr.kernel import Kernel, Lens


@dataclass(frozen=True)
class Plan:
    """A run settled down to the names. recipe: without the file of a kernel that was read. kernel: for all pictures.
    kernel_paths: where each picture's kernel is kept. kernel_from: the pictures that a kernel for all is still to be
    found from. settings: digest of all that the results are made with. sizes: the pictures' widths and heights, as far
    as their headers tell. kept: the jobs whose results stay as they are, and why. no_overwrite: nothing that exists is
    replaced."""

    jobs: Sequence[Job]
    recipe: Recipe
    kernel: Kernel | Lens | None
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


def prepare(
    sources: Sequence[Source],
    recipe: Recipe,
    machine_for: Callable[[], Machine],
    *,
    output: str | None = None,
    name: str | None = None,
    recursive: bool = False,
    kernel: Kernel | Lens | None = None,
    at: tuple[int, int] | None = None,
    kernel_from: Sequence[str] = (),
    save_kernel: str | None = None,
    skip_existing: bool = False,
    no_overwrite: bool = False,
    create: bool = True,
    on_event: OnEvent = as_warnings,
) -> Plan:
    """The plan of a run; arguments and errors as in `kfsr.run`. at: row and column of a lens's frame where the
    pictures begin. machine_for: gives the machine; asked once the names and the kernel are settled, since finding one
    may load torch. create: whether to make the folders of the results."""
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
    contents += [] if kernel is None else [hashlib.sha256(_numbers_of(kernel).tobytes()).hexdigest()]
    contents += [] if at is None else [f"at {at}"]
    plain = recipe
    if recipe.kernel is not None:
        from kfsr.kernel import load_kernel_or_lens

        kernel = load_kernel_or_lens(recipe.kernel, recipe.scale, trusted=recipe.trust_kernel)
        plain = dataclasses.replace(recipe, kernel=None, trust_kernel=False)
    if at is not None:
        kernel = _placed(kernel, at)
    machine = machine_for()
    _check_recipe(recipe, machine, has_kernel=beside or bool(examples))
    settings = recipe.digest(*contents)[:16]
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


def _placed(kernel: Kernel | Lens | None, at: tuple[int, int]) -> Lens:
    """The lens for pictures that were cut from its frame."""
    from kfsr.kernel import Lens

    if not isinstance(kernel, Lens):
        raise UsageError("--at is the place of a part in a lens's frame; it needs a lens's file with --kernel")
    return kernel.placed(at)


def _numbers_of(kernel: Kernel | Lens) -> np.ndarray:
    from kfsr.kernel import Lens

    return kernel.field.array if isinstance(kernel, Lens) else kernel.array


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

    device = "cpu" if machine.device == AUTO else machine.device  # each machine's own
    pipeline.check(recipe, device, has_kernel=has_kernel)


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
