"""`--compare` of the commands that make pictures."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from kfsr.cli.console import Console
from kfsr.cli.report import refuse_streams
from kfsr.errors import KfsrError, UsageError
from kfsr.runs import manifest
from kfsr.runs.events import Outcome
from kfsr.runs.plan import Job
from kfsr.runs.preparing import Plan
from kfsr.runs.told import COMPARISON
from kfsr.runs.upscaled import Upscaled

CompareOption = Annotated[
    bool,
    typer.Option(
        "--compare",
        help="Also write RESULT_compare.png: bicubic (at scale 1 the original) and the result side by side.",
    ),
]


def check(jobs: Sequence[Job]) -> None:
    """UsageError where a comparison has no file, or would replace an input or a result."""
    refuse_streams(jobs, "--compare")
    if any(job.source is None for job in jobs):
        raise UsageError("--compare needs the original as a file, not as standard input")
    taken = {os.path.realpath(path) for job in jobs for path in (job.source, job.target) if path is not None}
    for job in jobs:
        if job.target is not None and os.path.realpath(_place(job.target)) in taken:
            raise UsageError(f"{_place(job.target)}: --compare would replace it; give the results other names")


def comparing(
    outcomes: Generator[Outcome[Upscaled], None, None], plan: Plan, console: Console
) -> Generator[Outcome[Upscaled], None, None]:
    """The same outcomes; a comparison is written after each result. One that cannot be is a warning."""
    from kfsr.files import write_bytes
    from kfsr.report.compare import side_by_side

    try:
        for outcome in outcomes:
            yield outcome
            target, source = outcome.job.target, outcome.job.source
            if outcome.value is None or target is None or source is None:
                continue
            place = _place(target)
            if plan.no_overwrite and os.path.lexists(place):
                console.warning(f"{place}: exists and is kept")
                continue
            try:
                data = side_by_side(target, source)
                digest = manifest.digest_of_file(source) or ""
                # So that a later run knows it for a result.
                manifest.record(place, data, digest, plan.settings, source)
                write_bytes(place, data)
            except KfsrError as error:
                console.warning(f"no comparison: {error}")
                continue
            console.note(f"compare: {place}")
    finally:
        outcomes.close()


def _place(target: Path) -> Path:
    return target.with_name(f"{target.stem}{COMPARISON}")
