"""`--executor`, `--scheduler` and `--shard` of the commands that make pictures."""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import Annotated

import typer

from kfsr.cli.parsers import one_of
from kfsr.errors import UsageError
from kfsr.runs.engine import AUTO, Machine
from kfsr.runs.preparing import Plan

ExecutorOption = Annotated[
    str,
    typer.Option(
        "--executor",
        help="What does the work of --workers: processes here, or dask, a cluster.",
        **one_of(("processes", "dask")),
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Of a Dask cluster, like tcp://head:8786; its workers see the same files.",
        show_default="a cluster of --workers processes here",
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard", metavar="K/N", help="Do only the K-th of N parts of the pictures, for N jobs of a batch system."
    ),
]


def with_executor(machine: Machine, executor: str, scheduler: str | None, workers: int, device: str) -> Machine:
    """The machine with the executor that was asked for. UsageError where it is not installed."""
    if executor != "dask":
        if scheduler is not None:
            raise UsageError("--scheduler is of a Dask cluster; add --executor dask")
        return machine
    if importlib.util.find_spec("distributed") is None:
        raise UsageError("--executor dask needs Dask's distributed; pip install 'kfsr[cluster]'")
    if scheduler is not None and workers > 1:
        raise UsageError("--workers is for this machine; the cluster at --scheduler has its own, leave --workers out")
    from kfsr.runs.cluster import Dask

    place = AUTO if device == AUTO and scheduler is not None else machine.device
    return dataclasses.replace(machine, executor=Dask(scheduler, workers), device=place)


def shard_of(plan: Plan, shard: str | None) -> Plan:
    """The K-th part of the plan: every N-th of its pictures, from the K-th on. UsageError for what is no part."""
    if shard is None:
        return plan
    first, _, count = shard.partition("/")
    if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise UsageError(f"--shard {shard}: write it like 3/16, the third of sixteen parts")
    return dataclasses.replace(plan, jobs=plan.jobs[int(first) - 1 :: int(count)])
