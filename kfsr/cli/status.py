"""From what happened to one line on standard error and an exit status, for every command."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from enum import IntEnum
from types import FrameType

from kfsr.cli.streams import Streams
from kfsr.errors import KfsrError, OutOfMemory, UsageError
from kfsr.runs.events import known_error


class Status(IntEnum):
    """What the process tells its caller."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    SOME_FAILED = 3
    NOTHING_DONE = 4
    OUT_OF_MEMORY = 5
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141
    TERMINATED = 143


class Stopped(BaseException):
    """A signal asked the program to stop; raised wherever it is, so that it cleans up on the way out.

    For SIGINT too, instead of KeyboardInterrupt: that one typer swallows, and Python may turn it into another
    status while it shuts down. kept: what was finished before, in words, empty where nothing was.
    """

    kept = ""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.status = 128 + signum


def conclude(error: BaseException, streams: Streams) -> int:
    """Say in one line why the program ends, and return the status it ends with."""
    if isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError):
        error = error.__context__  # typer makes its own exit of a closed pipe
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else Status.INTERNAL
    if isinstance(error, Stopped):
        what = "interrupted" if error.status == Status.INTERRUPTED else "terminated"
        streams.line(f"kfsr: {what}; {error.kept}" if error.kept else f"kfsr: {what}")
        return error.status
    if isinstance(error, BrokenPipeError):
        streams.discard()
        return Status.OUTPUT_CLOSED
    if isinstance(error, Exception):
        error = known_error(error)
    streams.failure(error)
    return _status_of(error)


def conclude_run(errors: Sequence[Exception | None]) -> int:
    """The status of a run over several inputs, from the error of each (None: done), printed already.

    A fault of the program decides; otherwise whether all or some were done; and when none was, what all
    failures have in common: wrong usage, too little memory, or simply unusable inputs.
    """
    statuses = {_status_of(error) for error in errors if error is not None}
    if Status.INTERNAL in statuses:
        return Status.INTERNAL
    if not statuses:
        return Status.DONE
    if None in errors:
        return Status.SOME_FAILED
    return statuses.pop() if len(statuses) == 1 else Status.NOTHING_DONE


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """SIGINT (Ctrl-C) and SIGTERM raise `Stopped` while the block runs; an ignored signal stays ignored. In a thread,
    which gets no signals, nothing changes."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise Stopped(signum)

    own = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)} if own else {}
    heeded = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    for number in heeded:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


def _status_of(error: BaseException) -> Status:
    if isinstance(error, UsageError):
        return Status.USAGE
    if isinstance(error, OutOfMemory):
        return Status.OUT_OF_MEMORY
    return Status.NOTHING_DONE if isinstance(error, KfsrError) else Status.INTERNAL
