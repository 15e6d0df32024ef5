"""`kfsr report`, and `--report` of the commands that make pictures."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kfsr.cli.command import command
from kfsr.cli.console import Console
from kfsr.cli.options import QuietOption
from kfsr.cli.streams import Streams
from kfsr.errors import InputError, UsageError
from kfsr.runs import told as lists
from kfsr.runs.events import Outcome
from kfsr.runs.plan import Job

if TYPE_CHECKING:
    from kfsr.runs.told import Told
    from kfsr.runs.upscaled import Upscaled

ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="PAGE.html",
        help="Also write a page to look at: before and after, kernels, what was found.",
    ),
]


@command()
def report(
    streams: Streams,
    *,
    results: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RESULTS]...", help="Folders of results, or results.", show_default="this folder"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PAGE.html", help="Where the page goes.", show_default="RESULTS/index.html"
        ),
    ] = None,
    quiet: QuietOption = False,
) -> int:
    """Make a page to look at from results of earlier runs.

    It is one file that opens in any browser: a slider between before and after for each picture, its kernel, what was
    found and what was done; failures come first. The facts are those that the runs have left in .kfsr.ndjson beside
    their results. Sub-folders are included.
    """
    console = Console(streams, quiet)
    paths = results or [Path()]
    with console.session():
        found = [one for path in paths for one in _told_of(path)]
        there = [one for one in found if one.status == "failed" or one.result.is_file()]
        if len(there) < len(found):
            count = len(found) - len(there)
            console.note(f"left out: {count} result{'s'[: count != 1]} no longer there")
        if not there:
            raise InputError(f"{paths[0]}: no result is left there to show")
        first = paths[0] if paths[0].is_dir() else paths[0].parent
        place = checked_place(output or first / "index.html")
        _write(there, place, first.resolve().name, console)
    return 0


def checked_place(path: Path) -> Path:
    """Where a report goes; UsageError or OutputError where it cannot. Before any work, so that none is in vain."""
    from kfsr.report.results import report_place  # loads torch

    return report_place(path)


class Kept:
    """Keeps what is told of a run's pictures, for a report at its end."""

    def __init__(self, place: Path) -> None:
        self.place = checked_place(place)
        self._told: dict[Job, Told] = {}

    def following(self, outcomes: Generator[Outcome[Upscaled], None, None]) -> Generator[Outcome[Upscaled], None, None]:
        """The same outcomes."""
        try:
            for outcome in outcomes:
                if (one := lists.told(outcome)) is not None:
                    self._told[outcome.job] = one
                yield outcome
        finally:
            outcomes.close()

    def write(self, jobs: Sequence[Job], console: Console) -> None:
        """The report of all the jobs, those that earlier runs have finished included."""
        earlier = lists.of_jobs([job for job in jobs if job not in self._told])
        told = [self._told[job] for job in jobs if job in self._told] + earlier
        _write(told, self.place, self.place.resolve().parent.name, console)


def refuse_streams(jobs: Sequence[Job], option: str) -> None:
    """UsageError where there would be no file to look at."""
    if any(job.target is None for job in jobs):
        raise UsageError(f"{option} shows files; give the result one with -o")


def _told_of(path: Path) -> list[Told]:
    if path.is_dir():
        found = lists.read(path)
        if not found:
            raise InputError(f"{path}: no kfsr results are known there; name the folder that a run has written to")
        return found
    if not path.exists():
        raise InputError(f"{path}: there is no such folder or result")
    return lists.of_jobs([Job(None, path)])


def _write(told: Sequence[Told], place: Path, title: str, console: Console) -> None:
    from kfsr.report.results import write_report

    step: Callable[[int, int], None] = lambda n, total: console.progress("", "report", n, total)  # noqa: E731
    write_report(told, place, f"kfsr: {title}", step)
    console.note(f"report: {place}")
