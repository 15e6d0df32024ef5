"""One command's work on many pictures: in this process, or shared out among several."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Protocol, TypeVar

from kfsr.cli import options
from kfsr.cli.console import Console
from kfsr.errors import UsageError
from kfsr.runs import plan as batch
from kfsr.runs import turns, workers
from kfsr.runs.plan import Job, Outcome
from kfsr.runs.turns import Turns

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Task(Protocol[T_co]):
    """The work on one picture, which tells its progress to a console. It and what it returns must pickle, and what it
    returns be small, when there are to be several processes."""

    def __call__(self, job: Job, console: Console) -> T_co:
        """Do the job."""


def shared_turns(device: str, workers: int) -> AbstractContextManager[Turns]:
    """Several processes take turns on a GPU, whose memory they share; the CPU they divide among them."""
    return turns.shared(device != "cpu" and workers > 1)


@contextmanager
def on_device(turns: Turns, device: str) -> Iterator[None]:
    """This process's turn on the device; what it holds of its memory is then free for the others."""
    with turns.wait():
        try:
            yield
        finally:
            if turns.path is not None and device == "cuda":
                import torch

                torch.cuda.empty_cache()


def check_workers(count: int, jobs: Sequence[Job]) -> None:
    """UsageError when standard input would have to reach one of several processes."""
    if min(count, len(jobs)) > 1 and any(job.source is None for job in jobs):
        raise UsageError("'-' cannot be among the pictures of several --workers; name files only")


def run(
    jobs: Sequence[Job], task: Task[T], count: int, busy: int, device: str, console: Console
) -> Generator[Outcome[T], None, None]:
    """The outcome of each job as it finishes; close it in any case. In order, or with several processes in any order.

    count: how many processes are asked for; each gets that part of the threads which this one was given, also when
    there are fewer, so that a picture does not depend on how many others are left. busy: how many of the jobs are worth
    a process. device: where they compute.
    """
    import torch

    share = max(1, torch.get_num_threads() // count)
    count = min(count, busy)
    if count <= 1:
        torch.set_num_threads(share)
        yield from batch.run(jobs, partial(task, console=console))
        return
    try:
        yield from workers.run(jobs, partial(_begin, task, device, share, console.quiet), count, console.line)
    finally:
        batch.tidy(job.target for job in jobs if job.target is not None)  # of processes that were killed


def _begin(task: Task[T], device: str, threads: int, quiet: bool, tell: workers.Tell) -> Callable[[Job], T]:
    """In a process of its own: the work, with its warnings and notes told to the first process."""
    import kfsr.pipeline  # noqa: F401 - so that the first picture's time is its own

    options.use_torch(options.Device(device), threads)

    def work(job: Job) -> T:
        console = Console(quiet, tell)
        with console.session():
            return task(job, console)

    return work
