"""Jobs shared out among processes: what `batch.run` does, several at a time.

Not `concurrent.futures`, whose pool is lost with the first process that dies: here that costs one job. Processes are
started afresh ("spawn"), since torch's threads do not survive a fork.
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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from kfsr.errors import KfsrError, OutOfMemory, WorkerDied
from kfsr.runs import plan as batch
from kfsr.runs.plan import Job, Outcome

T = TypeVar("T")

Tell = Callable[[str], None]
"""Takes a line for the user."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STARTS = 3
"""How often in a row a process may die before it is ready; then no more are started."""


def run(
    jobs: Iterable[Job], start: Callable[[Tell], Callable[[Job], T]], count: int, tell: Tell
) -> Iterator[Outcome[T]]:
    """Do the jobs in `count` processes and yield each outcome as it finishes, in whatever order.

    start: called once in each process, gives the work; it and what the work returns must pickle, so values are to be
    small. What a process tells is told here. A process that dies fails its job (OutOfMemory for SIGKILL, else
    WorkerDied) and another takes its place. Closing the generator, or an exception in it, kills all processes at
    once; they end as well when this process dies. Raises what `start` raised, and WorkerDied when none can be started.
    """
    crew = _Crew(start)
    waiting = deque(jobs)
    try:
        for _ in range(min(count, len(waiting))):
            crew.hire()
        while crew.members:
            for link in wait([member.link for member in crew.members]):
                member = crew.of(link)
                kind, value = member.receive()
                if kind == "line":
                    tell(value)
                    continue
                if kind == "failed":
                    raise value
                if kind == "ready":
                    crew.failures = 0
                if kind == "died":
                    crew.bury(member)
                    if waiting:
                        crew.hire()
                    if member.job is not None:
                        yield Outcome(member.job, None, _cause(member), time.perf_counter() - member.since)
                    continue
                if not (waiting and member.give(waiting[0])):
                    member.dismiss()
                else:
                    waiting.popleft()
                if kind == "done":
                    yield value
        crew.finished = True
    finally:
        crew.disband()


@dataclass(eq=False)
class _Member(Generic[T]):
    """A process, the way to it, and what it is at."""

    process: SpawnProcess
    link: Connection
    job: Job | None = None
    since: float = 0.0
    ready: bool = False

    def receive(self) -> tuple[str, Any]:
        try:
            kind, value = self.link.recv()
        except (EOFError, OSError):
            return "died", None
        if kind == "ready":
            self.ready = True
        elif kind == "done":
            self.job = None
        return kind, value

    def give(self, job: Job) -> bool:
        try:
            self.link.send(job)
        except OSError:  # it has died since; its link will say so
            return False
        self.job, self.since = job, time.perf_counter()
        return True

    def dismiss(self) -> None:
        with contextlib.suppress(OSError):
            self.link.send(None)


class _Crew:
    """The processes there are."""

    def __init__(self, start: Callable[[Tell], Callable[[Job], Any]]) -> None:
        self.start = start
        self.members: list[_Member[Any]] = []
        self.leaving: list[_Member[Any]] = []
        self.failures = 0
        self.finished = False

    def of(self, link: Any) -> _Member[Any]:
        return next(member for member in self.members if member.link is link)

    def hire(self) -> None:
        context = multiprocessing.get_context("spawn")
        resource_tracker.ensure_running()  # by itself it would be started below, and unblock the signals
        # A signal in the middle would leave a process that nobody knows of. It also keeps the terminal's Ctrl-C from
        # the new process, which inherits what is blocked.
        with _undisturbed():
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, self.start), daemon=True)
            process.start()
            there.close()  # so that the end of the process is the end of the link
            self.members.append(_Member(process, here))

    def bury(self, member: _Member[Any]) -> None:
        self.members.remove(member)
        self.leaving.append(member)
        member.process.join()
        self.failures += not member.ready
        if self.failures >= _STARTS:
            raise WorkerDied(
                f"the processes of --workers end as they start ({_end(member.process)}); try fewer of them"
            )

    def disband(self) -> None:
        with _undisturbed():
            for member in [*self.members, *self.leaving]:
                if not self.finished:
                    member.process.kill()
                member.link.close()
                member.process.join()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """SIGINT and SIGTERM wait until the end of the block."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cause(member: _Member[Any]) -> KfsrError:
    if member.process.exitcode == -signal.SIGKILL:
        return OutOfMemory("its process was killed, most likely for want of memory; use fewer --workers")
    return WorkerDied(f"its process ended unexpectedly ({_end(member.process)}); the other pictures go on")


def _end(process: SpawnProcess) -> str:
    code = process.exitcode or 0
    if code >= 0:
        return f"status {code}"
    try:
        return f"signal {-code}, {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"


def _serve(link: Connection, start: Callable[[Tell], Callable[[Job], Any]]) -> None:
    """What each process does: jobs, one after the other, until there are no more or nobody wants them."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent settles what Ctrl-C means
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    with contextlib.suppress(OSError, EOFError):
        try:
            work = start(lambda text: link.send(("line", text)))
        except Exception as error:
            link.send(("failed", _portable(error)))
            return
        link.send(("ready", None))
        while (job := link.recv()) is not None:
            for outcome in batch.run([job], work):
                if outcome.error is not None:
                    outcome = Outcome(job, None, _portable(outcome.error), outcome.seconds, outcome.peak_mib)
                link.send(("done", outcome))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _portable(error: Exception) -> Exception:
    """`error` with its traceback as a note, or in words when it does not survive the way to another process."""
    if not isinstance(error, KfsrError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
