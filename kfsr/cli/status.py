"""From what happened to one line on standard error and an exit status, for every command."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from types import FrameType
from typing import ParamSpec

from kfsr.cli.console import print_error, print_line
from kfsr.errors import KfsrError, OutOfMemory, UsageError
from kfsr.runs.plan import known_error

P = ParamSpec("P")


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
    status while it shuts down.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.status = 128 + signum


def guarded(command: Callable[P, int]) -> Callable[P, int]:
    """The command with every exception turned into one line and a status, before typer has its own ideas."""

    @functools.wraps(command)
    def call(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            status = command(*args, **kwargs)
            if sys.stdout is not None:
                sys.stdout.flush()  # a closed pipe shows here, not while Python shuts down
            return status
        except BaseException as error:
            return conclude(error)

    return call


def conclude(error: BaseException) -> int:
    """Say in one line why the process ends, and return the status it ends with."""
    if isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError):
        error = error.__context__  # typer makes its own exit of a closed pipe
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else Status.INTERNAL
    if isinstance(error, Stopped):
        print_line("kfsr: interrupted" if error.status == Status.INTERRUPTED else "kfsr: terminated")
        return error.status
    if isinstance(error, BrokenPipeError):
        _discard_stdout()
        return Status.OUTPUT_CLOSED
    if isinstance(error, Exception):
        error = known_error(error)
    print_failure(error)
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


def print_failure(error: BaseException, about: str = "") -> None:
    """One line about `error`, with the traceback in front where KFSR_DEBUG asks for it."""
    if os.environ.get("KFSR_DEBUG") == "1":
        traceback.print_exception(error)
    print_error(describe(error), about)


def describe(error: BaseException) -> str:
    """What to tell the user about `error`."""
    if isinstance(error, KfsrError):
        return str(error)
    return f"internal error ({type(error).__name__}: {error}); please report it with what KFSR_DEBUG=1 prints"


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """SIGINT (Ctrl-C) and SIGTERM raise `Stopped` while the block runs; an ignored signal stays ignored."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise Stopped(signum)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
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


def _discard_stdout() -> None:
    # Else Python complains about the closed pipe once more when it flushes at exit.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
