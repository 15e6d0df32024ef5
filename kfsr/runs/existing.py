"""What stands already where results are to go: finished by an earlier run, changed by somebody since, or not ours."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path

from kfsr.errors import InputError
from kfsr.runs.manifest import Manifest
from kfsr.runs.plan import Job

_SHOWN = 3


class Kept(Enum):
    """Why a result stays as it is, in words that follow its name."""

    FINISHED = "is finished"
    CHANGED = "was changed since, or is not kfsr's, and is kept; remove it to have it made"
    EXISTS = "exists and is kept"


def kept(
    jobs: Sequence[Job], kernel_paths: Mapping[Job, Path], settings: str, *, skip_existing: bool, no_overwrite: bool
) -> dict[Job, Kept]:
    """The jobs that are not to be done. skip_existing: those whose results, and kernels where they are wanted, an
    earlier run has made with these settings, and those with a picture in their place that no run has left there so.
    no_overwrite: all whose results exist."""
    found: dict[Job, Kept] = {}
    lists = Manifest()
    for job in jobs:
        if job.problem is not None or job.target is None or not os.path.lexists(job.target):
            continue
        kernel = kernel_paths.get(job)
        whole = kernel is None or kernel.is_file()
        source = job.source if job.source is not None and job.source.is_file() else None
        if skip_existing and whole and source is not None and lists.is_finished(job.target, source, settings):
            found[job] = Kept.FINISHED
        elif skip_existing and not _is_our_work(lists, job.target) and _is_picture(job.target):
            found[job] = Kept.CHANGED
        elif no_overwrite:
            found[job] = Kept.EXISTS
    return found


def replaced(jobs: Sequence[Job]) -> None:
    """A UserWarning of results that are about to replace what no run has left there so."""
    lists = Manifest()
    foreign = [
        job.target_name
        for job in jobs
        if job.problem is None and job.target is not None and job.target.is_file() and not lists.is_ours(job.target)
    ]
    if foreign:
        more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
        names = ", ".join(foreign[:_SHOWN])
        why = "changed since kfsr wrote it, or not kfsr's" if len(foreign) == 1 else "changed since, or not kfsr's"
        warnings.warn(f"{names}{more}: will be replaced, though {why}; --no-overwrite keeps it", stacklevel=3)


def _is_our_work(lists: Manifest, target: Path) -> bool:
    """Whether a run has made it, or was at it when it died."""
    return lists.is_ours(target) or lists.is_begun(target)


def _is_picture(path: Path) -> bool:
    """Whether somebody could miss it: what is cut short or empty is made again."""
    from kfsr.image import read_image

    if not path.is_file():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_image(path, max_pixels=2**40)
    except InputError:
        return False
    return True
