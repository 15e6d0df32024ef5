"""Inputs to outputs: what is read and where it is written, every name settled before any work starts."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kfsr.errors import InputError, KfsrError, OutputError, UsageError
from kfsr.runs import earlier
from kfsr.runs.inputs import STREAM, Source
from kfsr.runs.names import distinct

_LONGEST = 255
"""Bytes of a file name, on nearly all file systems."""


@dataclass(frozen=True)
class Job:
    """One input and where its output goes; None stands for standard input or standard output. under: as in `Source`.
    problem: why it cannot be done, known before the work; it is then the job's outcome."""

    source: Path | None
    target: Path | None
    under: Path | None = None
    problem: KfsrError | None = None

    @property
    def source_name(self) -> str:
        """The input as messages and reports call it."""
        return "standard input" if self.source is None else str(self.source)

    @property
    def target_name(self) -> str:
        """The output as messages and reports call it."""
        return "standard output" if self.target is None else str(self.target)


def plan(
    inputs: Sequence[str | Source],
    output: str | None,
    rename: Callable[[Path], str],
    *,
    check_name: Callable[[Path], object] | None = None,
    keep: Iterable[Path] = (),
    prepare: bool = True,
) -> list[Job]:
    """One job per input, in the inputs' order, with every name settled and checked.

    inputs: names of files, "-" for standard input, or sources that `inputs.find` found. Results of earlier runs among
    them are left out (`runs.earlier`), with a UserWarning; so is what is named twice and would be done twice.
    output: None puts each result beside its input, and standard input's on standard output; "-" is standard
    output; a folder (it exists, ends in a slash, or there are several inputs) takes one file per input, in the
    sub-folder that it was found in, and is created; anything else is the file to write.
    rename: from an input's path to its output's file name. Where two inputs would get one, see `names.distinct`.
    check_name: called with each output's path; raises when no such file can be written.
    keep: further files of this call that no result may take the place of, such as a kernel that is read.
    prepare: whether to create the folders; without, nothing at all is written.

    A job that cannot be done, while others can, has a `problem`. Raises UsageError for calls that cannot be meant: a
    folder as input, two results with one name, a result that would overwrite an input, several results for one file;
    OutputError when the place to write is not there. Missing inputs are left for the run to report.
    """
    sources = [_source(name) for name in inputs]
    _refuse_impossible(sources, output)
    several = len(sources) > 1 or any(source.under is not None for source in sources)
    folder = Path(str(output)) if output not in (None, STREAM) and _means_folder(str(output), several) else None

    def target_of(source: Source, path: Path | None) -> Path | None:
        if source.problem is not None or output == STREAM or (output is None and path is None):
            return None
        if folder is not None:
            return folder / (source.under or "") / rename(path or Path("stdin.png"))
        return path.with_name(rename(path)) if output is None and path is not None else Path(str(output))

    made = [Job(source.path, target_of(source, source.path), source.under, source.problem) for source in sources]
    places = {Path(os.path.realpath(one.target)): one.source for one in made if one.target and one.source}
    results = set(earlier.among(sources, places, folder))
    earlier.tell([source for source in sources if source in results])
    jobs = _without_doubles([job for job, source in zip(made, sources, strict=True) if source not in results])
    if not jobs:
        raise InputError(f"{output or 'the inputs'}: all pictures there are results; name the folder of the originals")
    if folder is not None or output is None:
        named = [(n, job.source, job.target) for n, job in enumerate(jobs) if job.source and job.target]

        def retarget(path: Path, stem: str) -> Path:
            job = next(job for job in jobs if job.source == path)
            source = Source(job.source, job.under)
            return target_of(source, path.with_name(stem + path.suffix)) or path

        targets = distinct([(source, target) for _, source, target in named], retarget)
        for (n, _, _), target in zip(named, targets, strict=True):
            jobs[n] = replace(jobs[n], target=target)
    jobs = _checked(jobs, keep, check_name)
    return with_folders(jobs, output, create=prepare)


def with_folders(jobs: Sequence[Job], output: str | None, *, create: bool) -> list[Job]:
    """The same jobs of a plan for `output`, those with a problem for whose results there is no folder to write in.
    create: make folders below the one that `output` names. OutputError where there is none for any of them."""
    as_folder = output not in (None, STREAM) and any(job.target not in (None, Path(str(output))) for job in jobs)
    problems: dict[Path, OutputError | None] = {}
    checked = []
    for job in jobs:
        # Beside a missing input there may be no folder either; that is the input's failure, not the call's.
        wanted = job.problem is None and (output is not None or (job.source and os.path.exists(job.source)))  # noqa: PTH110
        if job.target is not None and wanted:
            parent = job.target.parent
            if parent not in problems:
                unmade = as_folder and not create and not parent.exists()
                problems[parent] = None if unmade else _problem_of_folder(parent, create=as_folder and create)
            job = replace(job, problem=problems[parent])
        checked.append(job)
    first = next((problem for problem in problems.values() if problem is not None), None)
    if first is not None and all(job.problem is not None for job in checked):
        raise first
    return checked


def tidy(results: Iterable[Path]) -> None:
    """Remove what a killed run left half written where `results` are going to be (`kfsr.image.remove_stale`)."""
    from kfsr.image import remove_stale

    remove_stale({Path(os.path.realpath(path)).parent for path in results})


def _source(name: str | Source) -> Source:
    if isinstance(name, Source):
        return name
    return Source(None if name == STREAM else Path(name))


def _refuse_impossible(sources: Sequence[Source], output: str | None) -> None:
    if sum(source.path is None for source in sources) > 1:
        raise UsageError("standard input ('-') can be given only once")
    if output == STREAM and len(sources) > 1:
        raise UsageError("several inputs cannot all go to standard output; give a folder with -o")
    for source in sources:
        if source.path is not None and source.problem is None and os.path.isdir(source.path):  # noqa: PTH112
            raise UsageError(f"{source.path} is a folder; name one picture")


def _means_folder(output: str, several: bool) -> bool:
    path = Path(output)
    if path.is_dir() or output.endswith((os.sep, "/")):
        return True
    if several:
        if path.exists() or path.suffix:
            raise UsageError(f"several inputs need a folder to go to; {output} is one file (write {output}/)")
        return True
    if not path.suffix:
        raise UsageError(f"{output} has no extension that says its format; for a folder write {output}/")
    return False


def _without_doubles(jobs: Sequence[Job]) -> list[Job]:
    """The jobs but for those of a file that another one is of, with the same result; a UserWarning names them."""
    known: dict[tuple[str, str], Job] = {}
    doubles = []
    kept = []
    for job in jobs:
        if job.source is not None and job.target is not None:
            key = (os.path.realpath(job.source), os.path.realpath(job.target))
            if known.setdefault(key, job) is not job:
                doubles.append(job)
                continue
        kept.append(job)
    if doubles:
        more = f", and {len(doubles) - 1} more likewise" if len(doubles) > 1 else ""
        warnings.warn(f"{doubles[0].source_name}: named twice, done once{more}", UserWarning, stacklevel=3)
    return kept


def _checked(jobs: Sequence[Job], keep: Iterable[Path], check_name: Callable[[Path], object] | None) -> list[Job]:
    """The jobs, with a problem where a result cannot have its name."""
    inputs: dict[object, Job] = {}
    for job in jobs:
        if job.source is not None:
            inputs |= dict.fromkeys(_identities(job.source), job)
    kept = set[object]().union(*(_identities(path) for path in keep))
    taken: dict[str, Job] = {}
    checked = []
    for job in jobs:
        if job.target is None:
            checked.append(job)
            continue
        if check_name is not None:
            check_name(job.target)
        same = _identities(job.target)
        problem: OutputError | None = None
        over = next((inputs[one] for one in same if one in inputs), None)
        if over is not None:
            what = f"{job.target} is an input and would be overwritten; give another name with -o"
            if over is job or over.under is None:
                raise UsageError(what)
            problem = OutputError(f"{what} or --name")
        if same & kept:
            raise UsageError(f"{job.target} is already used for something else in this call; give another name")
        other = taken.setdefault(os.path.realpath(job.target), job)
        if other is not job:
            names = f"{other.source_name} and {job.source_name}"
            raise UsageError(f"{names} would both be written to {job.target}; rename one, or upscale them separately")
        if job.source is not None and os.path.lexists(job.source) and len(os.fsencode(job.target.name)) > _LONGEST:
            problem = OutputError(f"{job.target}: this name is too long for a file; give a shorter one with --name")
        checked.append(replace(job, problem=problem) if problem is not None else job)
    return checked


def _identities(path: Path) -> set[object]:
    """What two names share that lead to one file, also by a link, or on a file system that ignores case."""
    try:
        about = path.stat()
    except (OSError, ValueError):
        return {os.path.realpath(path)}
    return {os.path.realpath(path), (about.st_dev, about.st_ino)}


def _problem_of_folder(folder: Path, create: bool) -> OutputError | None:
    """Why nothing can be written there: found before the work and not after it."""
    if create:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return OutputError(f"{folder}: the folder cannot be created ({error.strerror})")
    if not folder.is_dir():
        return OutputError(f"{folder}: there is no such folder; create it or choose another")
    if not os.access(folder, os.W_OK):
        return OutputError(f"{folder}: no permission to write in this folder; choose another with -o")
    return None
