"""Inputs to outputs: what is read and where it is written, every name settled before any work starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kfsr.errors import InputError, OutputError, UsageError
from kfsr.runs.inputs import STREAM, Source


@dataclass(frozen=True)
class Job:
    """One input and where its output goes; None stands for standard input or standard output. under: as in `Source`."""

    source: Path | None
    target: Path | None
    under: Path | None = None

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

    inputs: names of files, "-" for standard input, or sources that `inputs.find` found. Of what was found in a
    folder, earlier results are left out: what lies in the output folder, or where another input's result goes.
    output: None puts each result beside its input, and standard input's on standard output; "-" is standard
    output; a folder (it exists, ends in a slash, or there are several inputs) takes one file per input, in the
    sub-folder that it was found in, and is created; anything else is the file to write.
    rename: from an input's path to its output's file name.
    check_name: called with each output's path; raises when no such file can be written.
    keep: further files of this call that no result may take the place of, such as a kernel that is read.
    prepare: whether to create the folders; without, nothing at all is written.

    Raises UsageError for calls that cannot be meant: a folder as input, two results with one name, a result
    that would overwrite an input, several results for one file; OutputError when the place to write is not
    there. Missing inputs are left for the run to report, so that the others get done.
    """
    sources = [_source(name) for name in inputs]
    _refuse_impossible(sources, output)
    several = len(sources) > 1 or any(source.under is not None for source in sources)
    as_folder = output is not None and output != STREAM and _means_folder(output, several)
    jobs = []
    for source in sources:
        path = source.path
        if output == STREAM or (output is None and path is None):
            target = None
        elif output is None and path is not None:
            target = path.with_name(rename(path))
        elif as_folder:
            target = Path(str(output)) / (source.under or "") / rename(path or Path("stdin.png"))
        else:
            target = Path(str(output))
        if not (as_folder and _is_among_results(source, Path(str(output)))):
            jobs.append(Job(path, target, source.under))
    jobs = _without_results(jobs)
    if not jobs:
        raise InputError(f"{output}: all pictures there are results; name the folder of the originals")
    _check_targets(jobs, keep, check_name)
    # Beside a missing input there may be no folder either; that is the input's failure, not the call's.
    wanted = (job for job in jobs if output is not None or (job.source is not None and job.source.exists()))
    folders = {job.target.parent for job in wanted if job.target is not None}
    if as_folder and not prepare:
        folders = {folder for folder in folders if folder.exists()}
    _prepare_folders(folders, create=as_folder and prepare)
    return jobs


def without_results(sources: Sequence[Source], jobs: Sequence[Job], output: str | None) -> list[Source]:
    """`sources` but for what was found in a folder and is a result of these jobs, or lies in their output folder."""
    targets = {os.path.realpath(job.target) for job in jobs if job.target is not None}
    folder = None if output in (None, STREAM) else Path(str(output))

    def is_result(source: Source) -> bool:
        if source.path is None or source.under is None:
            return False
        among = folder is not None and folder.is_dir() and _is_among_results(source, folder)
        return among or os.path.realpath(source.path) in targets

    return [source for source in sources if not is_result(source)]


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
        if source.path is not None and source.path.is_dir():
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


def _is_among_results(source: Source, folder: Path) -> bool:
    """Whether a file was found in a folder of results that lies inside the folder that was looked into."""
    if source.path is None or source.under is None:
        return False
    root = source.path.parent.joinpath(*[".."] * len(source.under.parts))
    inside, results, path = (Path(os.path.realpath(p)) for p in (root, folder, source.path))
    return results != inside and results.is_relative_to(inside) and path.is_relative_to(results)


def _without_results(jobs: Sequence[Job]) -> list[Job]:
    """The jobs but for those whose source was found where another one's result goes."""
    targets = {os.path.realpath(job.target): job for job in jobs if job.target is not None}

    def is_result(job: Job) -> bool:
        if job.under is None or job.source is None:
            return False
        return targets.get(os.path.realpath(job.source), job) is not job

    return [job for job in jobs if not is_result(job)]


def _check_targets(jobs: Sequence[Job], keep: Iterable[Path], check_name: Callable[[Path], object] | None) -> None:
    inputs = set[object]().union(*(_identities(job.source) for job in jobs if job.source is not None))
    kept = set[object]().union(*(_identities(path) for path in keep))
    taken: dict[str, Job] = {}
    for job in jobs:
        if job.target is None:
            continue
        if check_name is not None:
            check_name(job.target)
        if _identities(job.target) & inputs:
            raise UsageError(f"{job.target} is an input and would be overwritten; give another name with -o")
        if _identities(job.target) & kept:
            raise UsageError(f"{job.target} is already used for something else in this call; give another name")
        other = taken.setdefault(os.path.realpath(job.target), job)
        if other is not job:
            names = f"{other.source_name} and {job.source_name}"
            raise UsageError(f"{names} would both be written to {job.target}; rename one, or upscale them separately")


def _identities(path: Path) -> set[object]:
    """What two names share that lead to one file, also by a link, or on a file system that ignores case."""
    try:
        about = path.stat()
    except OSError:
        return {os.path.realpath(path)}
    return {os.path.realpath(path), (about.st_dev, about.st_ino)}


def _prepare_folders(folders: Iterable[Path], create: bool) -> None:
    """Fail before the work and not after it when there is nowhere to write."""
    for folder in folders:
        if create:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{folder}: the folder cannot be created ({error.strerror})") from error
        if not folder.is_dir():
            raise OutputError(f"{folder}: there is no such folder; create it or choose another")
        if not os.access(folder, os.W_OK):
            raise OutputError(f"{folder}: no permission to write in this folder; choose another with -o")
