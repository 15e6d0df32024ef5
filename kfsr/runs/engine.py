"""The part that upscaling and finding kernels have in common: jobs to outcomes, in as many processes as wanted."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kfsr.errors import OutOfMemory, OutputError, UsageError
from kfsr.runs import device_lock
from kfsr.runs.events import Finished, OnEvent, Outcome, Progress, Started, known_error
from kfsr.runs.executors import Executor, Serial
from kfsr.runs.manifest import digest
from kfsr.runs.pipes import is_named_pipe, read_pipe
from kfsr.runs.plan import Job, tidy

if TYPE_CHECKING:
    from kfsr.image import Image, Pages
    from kfsr.recipe import Recipe

T = TypeVar("T")

AUTO = "auto"
"""The device of each machine of a cluster: a GPU where it has one."""


@dataclass(frozen=True)
class Machine:
    """Where a run computes, which its results do not depend on. executor: what does the work. device: of torch.
    threads: of all processes together, None for what torch takes. max_pixels: of a picture. max_memory: bytes, of a
    picture. stdin: what "-" among the inputs stands for."""

    executor: Executor = field(default_factory=Serial)
    device: str = "cpu"
    threads: int | None = None
    max_pixels: int | None = None
    max_memory: int | None = None
    stdin: bytes | None = None

    def read(self, path: Path | None, recipe: Recipe | None = None) -> tuple[Image, bytes]:
        """The picture in a file, or in standard input (None), and the bytes it was decoded from; of several pages the
        first, or the one that the recipe says. InputError."""
        pages, data = self.pages(path, recipe)
        return pages.first(), data

    def pages(self, path: Path | None, recipe: Recipe | None = None) -> tuple[Pages, bytes]:
        """The same with all pages that the recipe asks for."""
        from kfsr.image import read_bytes, read_pages

        name = "standard input" if path is None else str(path)
        if path is None:
            data = self.stdin or b""
        else:
            data = read_pipe(path) if is_named_pipe(path) else read_bytes(path, name, self.max_pixels)
        page, strict = (None, False) if recipe is None else (recipe.page, recipe.strict)
        return read_pages(data, name, self.max_pixels, page=page, strict=strict), data

    def size(self, path: Path | None) -> tuple[int, int]:
        """Width and height of the same picture, as far as its header tells; raises the same."""
        from kfsr.image import read_size

        if path is None:
            return read_size(self.stdin or b"", "standard input", self.max_pixels)
        return read_size(path, max_pixels=self.max_pixels)


def execute(
    jobs: Sequence[Job],
    work: Callable[[Job, OnEvent, str | None], T],
    machine: Machine,
    on_event: OnEvent,
    finished: Collection[Job] = (),
) -> Generator[Outcome[T], None, None]:
    """Do the jobs that are not `finished` and have no problem, and yield the outcome of all: first of those with a
    problem, then of the others; those of other processes come in any order.

    work: is given the path of a lock on the device, too (see `device_lock`). Raises UsageError when standard input
    would have to reach another process. Close the generator in any case: that ends the work.
    """
    processes = machine.executor.processes
    if min(processes, len(jobs)) > 1 and any(job.source is None for job in jobs):
        raise UsageError("'-' cannot be among the pictures of several --workers; name files only")
    jobs = problems_first(jobs)
    to_do = [job for job in jobs if job.problem is None and job not in finished]
    executor = machine.executor if len(to_do) > 1 else Serial()
    targets = [job.target for job in jobs if job.target is not None]
    tidy(targets)
    on_event(Started(len(to_do)))
    if not to_do:  # torch is not needed
        for job in jobs:
            outcome = Outcome[T](job, error=job.problem)
            on_event(Finished(outcome))
            yield outcome
        return
    with _threads_kept() as threads, device_lock.shared(machine.device, executor.processes) as lock:
        # The share also where fewer are at work: a picture does not depend on how many others are left.
        begin = partial(_begin, max(1, (machine.threads or threads) // processes))
        try:
            with closing(executor.run(to_do, partial(_locked, work, lock), on_event, begin)) as outcomes:
                for job in jobs:
                    idle = job.problem is not None or job in finished
                    outcome = Outcome[T](job, error=job.problem) if idle else next(outcomes)
                    on_event(Finished(outcome))
                    yield outcome
        finally:
            if executor.processes > 1:
                tidy(targets)  # what processes that were killed have left


def problems_first(jobs: Sequence[Job]) -> list[Job]:
    """The jobs in the order in which they are told of: what cannot be done is not found out after hours."""
    return sorted(jobs, key=lambda job: job.problem is None)


@contextlib.contextmanager
def checkpoint_for(target: Path | None) -> Iterator[Path | None]:
    """The file for the state of a job's long stages while the block runs, beside its result and hidden. It goes when
    the block is done, and when it fails in a way that the same command would repeat; it stays when it is interrupted.
    """
    path = None if target is None else target.with_name(state_name(target.name))
    keep = True
    try:
        yield path
        keep = False
    except Exception as error:
        keep = isinstance(known_error(error), OutOfMemory | OutputError)  # another time there may be room
        raise
    finally:
        if path is not None and not keep:
            with contextlib.suppress(OSError):
                path.unlink()


def state_name(result: str) -> str:
    """What the file for the state of a job is called; a long name is told by its digest."""
    whole = f".{result}.kfsr-state"
    return whole if len(os.fsencode(whole)) <= 255 else f".{digest(os.fsencode(result))[:32]}.kfsr-state"


def progress_of(subject: str, on_event: OnEvent) -> Callable[[str, int, int], None]:
    """The core's progress as events about `subject`."""
    return lambda stage, step, total: on_event(Progress(subject, stage, step, total))


def _locked(work: Callable[[Job, OnEvent, str | None], T], lock: str | None, job: Job, on_event: OnEvent) -> T:
    return work(job, on_event, lock)


def _begin(threads: int) -> None:
    import torch

    import kfsr.pipeline  # noqa: F401 - so that the first picture's time is its own

    torch.set_num_threads(threads)


@contextlib.contextmanager
def _threads_kept() -> Iterator[int]:
    """How many threads torch takes in this process; the same again after the block."""
    import torch

    before = torch.get_num_threads()
    try:
        yield before
    finally:
        torch.set_num_threads(before)
