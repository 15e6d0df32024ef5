"""The outcomes of a run, told one by one as they come, and summed up."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, TypeVar

from kfsr.cli.console import Console
from kfsr.cli.status import Stopped, conclude_run
from kfsr.cli.streams import describe
from kfsr.errors import OutputError
from kfsr.runs.events import Outcome

T = TypeVar("T")


def follow(
    outcomes: Generator[Outcome[T], None, None],
    console: Console,
    tell: Callable[[Outcome[T]], None],
    record: Callable[[Outcome[T]], dict[str, Any]] | None,
    counted: tuple[str, ...] = ("done", "skipped", "failed"),
) -> int:
    """Do the run; returns the exit status. tell: says what was done or skipped; failures are said here. record: what
    JSON says besides of an outcome, None for no JSON. counted: what the summary of several outcomes counts."""
    errors: list[Exception | None] = []
    counts = dict.fromkeys(counted, 0)
    with _kept_said(counts), closing(outcomes):
        for outcome in outcomes:
            counts[outcome.status] += 1  # first: a stop must not forget what has been told
            if outcome.error is not None:
                console.failure(outcome.error, subject_of(outcome))
            else:
                tell(outcome)
            if record is not None:
                with console.clear():
                    console.streams.write_record(_head(outcome) | record(outcome) | _foot(outcome))
            errors.append(outcome.error)
    if len(errors) > 1:
        console.note(", ".join(f"{count} {what}" for what, count in counts.items()))
        if record is not None:
            console.streams.write_record({"summary": counts})
    return conclude_run(errors)


def subject_of(outcome: Outcome[Any]) -> str:
    """What a failure is about: the input, but where a result cannot be written, the result, which its message names."""
    is_said = isinstance(outcome.error, OutputError) and outcome.job.target_name in str(outcome.error)
    return "" if is_said else outcome.job.source_name


@contextlib.contextmanager
def _kept_said(counts: dict[str, int]) -> Iterator[None]:
    """Let a stop say what was finished before."""
    try:
        yield
    except Stopped as stop:
        if done := counts.get("done", 0):
            what = "1 result is finished and kept" if done == 1 else f"{done} results are finished and kept"
            stop.kept = f"{what}; the same command with --skip-existing goes on" if "skipped" in counts else what
        raise


def _head(outcome: Outcome[Any]) -> dict[str, Any]:
    job = outcome.job
    output = None if job.target is None and job.problem is not None else job.target_name
    about = {"input": job.source_name, "output": output, "status": outcome.status}
    return about | ({} if outcome.error is None else {"error": describe(outcome.error)})


def _foot(outcome: Outcome[Any]) -> dict[str, Any]:
    return {"seconds": round(outcome.seconds, 3), "peak_memory_mib": outcome.peak_mib, "versions": versions()}


def versions() -> dict[str, str]:
    """Versions of this program and of what its results depend on."""
    from importlib import metadata  # slow to import, and help does not need it

    import kfsr

    found = {"kfsr": kfsr.__version__, "python": platform.python_version()}
    for name in ("torch", "numpy", "scipy", "pillow"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    return found
