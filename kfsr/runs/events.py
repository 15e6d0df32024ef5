"""What a run tells while it goes on: small values, one at a time, through one callback."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kfsr.errors import InputError, KfsrError, OutOfMemory, OutputError, is_out_of_memory
from kfsr.runs.plan import Job

if TYPE_CHECKING:
    from kfsr.kernel import Kernel

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What became of a job: the `value` of its work, or the `error` that ended it; neither where it was skipped, since
    an earlier run has finished it. `seconds` is wall time, `peak_mib` the most memory its process held meanwhile (None:
    not known; see `kfsr.cost.peak`).

    An error that is no `KfsrError` is a fault of this program.
    """

    job: Job
    value: T | None = None
    error: Exception | None = None
    seconds: float = 0.0
    peak_mib: float | None = None

    @property
    def status(self) -> str:
        """ "done", "failed" or "skipped"."""
        return "failed" if self.error is not None else "skipped" if self.value is None else "done"


@dataclass(frozen=True)
class Started:
    """The work begins. pictures: how many are to be done; those that are finished already are not counted."""

    pictures: int


@dataclass(frozen=True)
class Progress:
    """Of one picture, called `subject`, in this process: `step` counts from 1 to `total` within a stage. Other
    processes do not tell theirs."""

    subject: str
    stage: str
    step: int
    total: int


@dataclass(frozen=True)
class Warned:
    """Something the user should know about a picture though the work goes on."""

    subject: str
    text: str


@dataclass(frozen=True)
class SharedKernel:
    """The kernel of all the run's pictures was found, from so many `pictures`."""

    kernel: Kernel
    pictures: int


@dataclass(frozen=True)
class Finished:
    """A picture is done, skipped or has failed."""

    outcome: Outcome[Any]


Event = Started | Progress | Warned | SharedKernel | Finished
OnEvent = Callable[[Event], None]


def as_warnings(event: Event) -> None:
    """An `OnEvent` for callers who gave none: `Warned` becomes a Python warning, the rest is dropped."""
    if isinstance(event, Warned):
        warnings.warn(event.text if event.subject in event.text else f"{event.subject}: {event.text}", stacklevel=2)


@contextlib.contextmanager
def warnings_of(subject: str, on_event: OnEvent) -> Iterator[None]:
    """While it runs, the core's warnings are events about `subject`. Those of other categories are for programmers, and
    torch's own mean nothing to who upscales a photo: they are dropped."""

    outer = warnings.showwarning

    def relay(message: Warning | str, category: type[Warning], filename: str, *_: object) -> None:
        if category is UserWarning and "torch" not in Path(filename).parts:
            warnings.showwarning = outer  # who is told may warn
            try:
                on_event(Warned(subject, str(message)))
            finally:
                warnings.showwarning = relay  # type: ignore[assignment]

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = relay  # type: ignore[assignment]
        yield


def known_error(error: Exception) -> Exception:
    """`error` as a `KfsrError` where its meaning for the user is known, else `error` itself."""
    if isinstance(error, KfsrError):
        return error
    if is_out_of_memory(error):
        known: KfsrError = OutOfMemory("not enough memory; use a smaller picture, scale or --preset")
    elif isinstance(error, OSError) and error.filename is not None:
        known = InputError(f"{os.fsdecode(error.filename)}: {error.strerror}")
    elif isinstance(error, OSError) and error.strerror:
        known = OutputError(error.strerror)
    else:
        return error
    return known.with_traceback(error.__traceback__)
