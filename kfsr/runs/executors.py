"""Where the work on many pictures is done: in this process one after the other, or in several.

Not `concurrent.futures`, whose pool is lost with the first process that dies; nor `pebble`, whose pool is lost with one
that dies idle or while it starts (measured with 5.2.3), and whose processes outlive their parent until the next job.
Here a process that dies costs the picture it was at. Processes are started afresh ("spawn"), since torch's threads do
not survive a fork.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol, TypeVar

from kfsr.cost import peak
from kfsr.errors import KfsrError, OutOfMemory, WorkerDied
from kfsr.runs.events import Event, OnEvent, Outcome, Progress, known_error, warnings_of
from kfsr.runs.plan import Job

T = TypeVar("T")

Work = Callable[[Job, OnEvent], T]
"""Does one job and tells what happens meanwhile; what it raises is the job's outcome. For several processes it and what
it returns must pickle, and what it returns be small."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_KILLED = -9  # SIGKILL, which Windows does not have
_FAILED_STARTS = 3
"""How many processes in a row may end before they are ready; then no more are started."""


def nothing() -> None:
    """To begin with nothing."""


class Executor(Protocol):
    """processes: how many do the work at the same time, and so share the threads and the memory."""

    processes: int

    def run(
        self, jobs: Sequence[Job], work: Work[T], on_event: OnEvent, begin: Callable[[], None] = nothing
    ) -> Generator[Outcome[T], None, None]:
        """Yield each job's outcome as it finishes, in whatever order; closing the generator ends the work at once.
        begin: called once in each process that does the work; what it raises is raised here."""
        ...


class Serial:
    """One job after the other, in this process."""

    processes = 1

    def run(
        self, jobs: Sequence[Job], work: Work[T], on_event: OnEvent, begin: Callable[[], None] = nothing
    ) -> Generator[Outcome[T], None, None]:
        """As in `Executor`, in the order of the jobs."""
        begin()
        for job in jobs:
            yield perform(job, work, on_event)


def perform(job: Job, work: Work[T], on_event: OnEvent) -> Outcome[T]:
    """Do one job, its warnings being events; an exception ends it, and nothing else. Only what concerns the whole
    process passes through: interruption, and a closed standard output."""
    started = time.perf_counter()
    peak.restart()
    value: T | None = None
    failure: Exception | None = None
    try:
        with warnings_of(job.source_name, on_event):
            value = work(job, on_event)
    except BrokenPipeError:
        raise
    except Exception as error:
        failure = known_error(error)
    return Outcome(job, value, failure, time.perf_counter() - started, peak.mebibytes())


class Processes:
    """Several jobs at a time, each in a process of its own. A process that dies fails its job (OutOfMemory where it was
    killed, else WorkerDied) and another takes its place. All end when this process does. A script that uses this keeps
    its own work under `if __name__ == "__main__":`, since each process imports the script."""

    def __init__(self, processes: int) -> None:
        self.processes = processes

    def run(
        self, jobs: Sequence[Job], work: Work[T], on_event: OnEvent, begin: Callable[[], None] = nothing
    ) -> Generator[Outcome[T], None, None]:
        """As in `Executor`. Raises WorkerDied when no process can be started."""
        waiting = deque(jobs)
        workers: list[_Worker] = []
        failed_starts = 0
        done = False
        try:
            while waiting or any(worker.job is not None for worker in workers):
                while len(workers) < self.processes and sum(not one.ready for one in workers) < len(waiting):
                    _start(workers, work, begin)
                for worker in _with_news(workers):
                    kind, value = worker.receive()
                    if kind == "event":
                        on_event(value)
                    elif kind == "failed":
                        raise value
                    elif kind == "died":
                        workers.remove(worker)
                        failed_starts += not worker.ready
                        if failed_starts >= _FAILED_STARTS:
                            raise WorkerDied(
                                f"the processes of --workers die while they start ({worker.end}); try fewer"
                            )
                        if worker.job is not None:
                            yield Outcome(worker.job, None, worker.cause, time.perf_counter() - worker.since)
                    else:  # ready, or done with its job
                        failed_starts = 0
                        worker.job = None
                        if waiting and worker.give(waiting[0]):
                            waiting.popleft()
                        elif not waiting:
                            worker.give(None)
                        if kind == "done":
                            yield value
            done = True
        finally:
            with _signals_blocked():
                for worker in workers:
                    worker.stop(kill=not (done and worker.ready))


@dataclass(eq=False)
class _Worker:
    """A process, the way to it, and what it is at since when."""

    process: SpawnProcess
    link: Connection
    job: Job | None = None
    since: float = 0.0
    ready: bool = False

    def receive(self) -> tuple[str, Any]:
        try:
            kind, value = self.link.recv()
        except (EOFError, OSError):
            self.process.join()
            self.link.close()
            return "died", None
        self.ready = self.ready or kind == "ready"
        return kind, value

    def give(self, job: Job | None) -> bool:
        """The next job, or that there is none; False when the process has died, which its link says as well."""
        try:
            self.link.send(job)
        except OSError:
            return False
        self.job, self.since = job, time.perf_counter()
        return True

    def stop(self, kill: bool) -> None:
        if kill:
            self.process.kill()
        self.link.close()
        self.process.join()

    @property
    def end(self) -> str:
        code = self.process.exitcode or 0
        return f"status {code}" if code >= 0 else f"signal {-code}"

    @property
    def cause(self) -> KfsrError:
        if self.process.exitcode == _KILLED:
            return OutOfMemory("its process was killed, most likely for lack of memory; use fewer --workers")
        return WorkerDied(f"its process ended unexpectedly ({self.end}); the other pictures go on")


def _start(workers: list[_Worker], work: Work[Any], begin: Callable[[], None]) -> None:
    context = multiprocessing.get_context("spawn")
    resource_tracker.ensure_running()  # by itself it would be started below, and unblock the signals
    # A signal in the middle would leave a process that nobody knows of. It also keeps the terminal's Ctrl-C from the
    # new process, which inherits what is blocked.
    with _signals_blocked():
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(there, work, begin), daemon=True)
        process.start()
        there.close()  # so that the end of the process is the end of the link
        workers.append(_Worker(process, here))


def _with_news(workers: list[_Worker]) -> list[_Worker]:
    by_link: dict[Any, _Worker] = {worker.link: worker for worker in workers}
    return [by_link[link] for link in wait(list(by_link))]


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """SIGINT and SIGTERM wait until the end of the block."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(link: Connection, work: Work[Any], begin: Callable[[], None]) -> None:
    """What each process does: jobs, one after the other, until there are no more or nobody wants them."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent settles what Ctrl-C means
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def tell(event: Event) -> None:
        if not isinstance(event, Progress):
            link.send(("event", event))

    with contextlib.suppress(OSError, EOFError):
        try:
            begin()
        except Exception as error:
            link.send(("failed", portable(error)))
            return
        link.send(("ready", None))
        while (job := link.recv()) is not None:
            found = perform(job, work, tell)
            failure = None if found.error is None else portable(found.error)
            link.send(("done", replace(found, error=failure)))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def portable(error: Exception) -> Exception:
    """`error` with its traceback as a note, or in words when it does not survive the way to another process."""
    if not isinstance(error, KfsrError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
