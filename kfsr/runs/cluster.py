"""The work on other machines: an executor on a cluster of Dask, one picture a task.

The workers write the results, to a file system that all share; the lists of what is finished are written by this
process alone. What a worker would have written there comes back with the outcome. Before a task is handed out, its
result is noted as begun, so that a run that follows a death does it again instead of taking it for somebody's own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import pickle
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import kfsr
from kfsr.errors import KfsrError, UsageError, WorkerDied
from kfsr.runs import manifest
from kfsr.runs.events import Event, OnEvent, Outcome, Progress
from kfsr.runs.executors import Work, nothing, perform, portable
from kfsr.runs.plan import Job

T = TypeVar("T")

ALLOWED_FAILURES = 1
"""How many workers may die at one picture before it has failed."""

PATIENCE = 120.0
"""Seconds to wait for a scheduler that has gone, and for the first worker."""


class Dask:
    """Pictures as tasks of a Dask cluster. address: of its scheduler; None starts one here with `workers` processes,
    which share the threads. Each worker does one picture at a time. On other machines each has threads of its own, as
    many as this process."""

    def __init__(self, address: str | None = None, workers: int = 1, patience: float = PATIENCE) -> None:
        self.address, self.workers, self.patience = address, workers, patience
        self.processes = workers if address is None else 1

    def run(
        self, jobs: Sequence[Job], work: Work[T], on_event: OnEvent, begin: Callable[[], None] = nothing
    ) -> Generator[Outcome[T], None, None]:
        """As in `Executor`. Raises UsageError when there is no scheduler at the address, and for a job that is a
        stream; WorkerDied when no worker comes."""
        if any(job.source is None or job.target is None for job in jobs):
            raise UsageError("a cluster works on files; name the pictures, and their results with -o")
        left = dict(enumerate(jobs))
        with contextlib.ExitStack() as stack:
            cluster = stack.enter_context(_local(self.workers)) if self.address is None else None
            until = time.monotonic()
            while left:
                try:
                    with _client(cluster or self.address, until) as client:
                        for number, answer in _answers(client, left, work, begin, self.patience):
                            job = left.pop(number)
                            until = time.monotonic() + self.patience
                            yield _settled(job, answer, on_event)
                except _Gone:
                    # The scheduler has died, and with it all that was under way.
                    until = max(until, time.monotonic() + self.patience)


class _Gone(Exception):
    """The scheduler is no longer there."""


@dataclass(frozen=True)
class _Answer:
    """What comes back from a worker. lines: for the lists, each with its result's file."""

    outcome: Outcome[Any]
    events: tuple[Event, ...]
    lines: tuple[tuple[Path, dict[str, Any]], ...]


def _answers(
    client: Any, left: dict[int, Job], work: Work[Any], begin: Callable[[], None], patience: float
) -> Iterator[tuple[int, _Answer | Exception]]:
    """The jobs' numbers and what became of them, as they finish. Raises _Gone when the scheduler does not answer, and
    WorkerDied when there is no worker."""
    from distributed import as_completed

    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError as error:
        raise WorkerDied(f"no worker of the cluster has come within {patience:.0f} s; start some") from error
    for job in left.values():
        if job.target is not None:
            manifest.begun(job.target)
    numbers = {
        client.submit(_task, job, work, begin, _here(), pure=False, retries=0): number for number, job in left.items()
    }
    try:
        for future in as_completed(list(numbers), loop=client.loop):
            yield numbers[future], _fetched(future)
            future.release()
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone
            client.cancel(list(numbers), force=True)


def _fetched(future: Any) -> _Answer | Exception:
    """What a task gave, which is fetched from its worker. Raises _Gone where the scheduler dies at that."""
    if future.status in ("cancelled", "lost"):
        raise _Gone
    try:
        answer: _Answer | Exception = future.exception() if future.status == "error" else future.result()
    except (OSError, asyncio.CancelledError, concurrent.futures.CancelledError) as error:  # of a connection, of Dask
        raise _Gone from error
    return answer


def _settled(job: Job, answer: _Answer | Exception, on_event: OnEvent) -> Outcome[Any]:
    """What a worker has found out is written down and told, and a worker's death is a failure of its picture."""
    if isinstance(answer, Exception):
        if isinstance(answer, KfsrError):
            raise answer
        died = type(answer).__name__ == "KilledWorker"
        words = "the workers that were at it have died" if died else f"its worker is lost ({answer})"
        return Outcome(job, None, WorkerDied(f"{words}; the other pictures go on"))
    for event in answer.events:
        on_event(event)
    for path, line in answer.lines:
        manifest.append(path, line)
    return answer.outcome


_one_at_a_time = threading.Lock()
_begun: set[bytes] = set()


def _here() -> tuple[str, str]:
    """Where a task comes from: the version, and the folder that relative names start from."""
    return kfsr.__version__, os.getcwd()  # noqa: PTH109 - as it is called, not where links lead


def _task(job: Job, work: Work[Any], begin: Callable[[], None], where: tuple[str, str]) -> _Answer:
    """One picture, on a worker. A worker with several threads does one after the other."""
    version, folder = where
    if kfsr.__version__ != version:
        raise UsageError(f"a worker has kfsr {kfsr.__version__}, and here it is {version}; install the same everywhere")
    events: list[Event] = []

    def tell(event: Event) -> None:
        if not isinstance(event, Progress):
            events.append(event)

    with _one_at_a_time:
        try:
            os.chdir(folder)
        except OSError as error:
            raise UsageError(f"a worker does not see the folder {folder}; all must share its file system") from error
        key = pickle.dumps(begin)
        if key not in _begun:
            begin()
            _begun.add(key)
        with manifest.kept_back() as lines:
            found = perform(job, work, tell)
    if found.error is not None:
        found = replace(found, error=portable(found.error))
    return _Answer(found, tuple(events), tuple(lines))


@contextlib.contextmanager
def _local(workers: int) -> Iterator[Any]:
    """A cluster on this machine, one thread a process."""
    import dask
    from distributed import LocalCluster

    options: dict[str, Any] = {
        # Dask's own has the allocator give back every 64 KiB: 7.5 s of system time for 12 pictures of 200 x 200 by 2,
        # in place of 1.4 to 2.1. And tasks run in threads, whose memory glibc fetches and gives back anew each time,
        # unless they share the main one's: 1.46 to 1.66 s for a picture in place of 1.66 to 1.70.
        "distributed.nanny.pre-spawn-environ": {"MALLOC_ARENA_MAX": "1"},
        "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
        "distributed.scheduler.worker-saturation": 1.0,  # so that a death is charged to the picture that it was at
    }
    with (
        dask.config.set(options),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            memory_limit=0,
            silence_logs=logging.CRITICAL + 1,
        ) as cluster,
    ):
        yield cluster


@contextlib.contextmanager
def _client(place: Any, until: float) -> Iterator[Any]:
    """A client of the scheduler, tried until then. UsageError where there is none."""
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)
    while True:
        try:
            client = Client(place, timeout=10, set_as_default=False)
            break
        except (OSError, TimeoutError, ValueError) as error:
            if isinstance(error, ValueError) or time.monotonic() >= until:
                raise UsageError(f"there is no scheduler at {place} ({_short(error)})") from error
            time.sleep(1)
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=5)


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
