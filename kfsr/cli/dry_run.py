"""`--dry-run`: what would be done, and what it would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfsr.cli import output
from kfsr.cli.console import Console
from kfsr.cli.status import conclude_run, describe, print_failure
from kfsr.cli.upscale_task import UpscaleTask
from kfsr.cost import model as cost
from kfsr.cost.model import Cost
from kfsr.runs import plan as batch
from kfsr.runs.plan import Job


@dataclass(frozen=True)
class Plan:
    """What the run is to be: its work, the pictures its kernel is to come from (none: each has its own, or it is
    given), its number of processes."""

    jobs: Sequence[Job]
    task: UpscaleTask
    kernel_from: Sequence[Path]
    choice: cost.Choice
    workers: int


def report(plan: Plan, as_json: bool, console: Console) -> int:
    """Print the plan on standard output, one line or record per picture and a last one for all; the exit status is that
    which the run would have, as far as the pictures' headers tell."""
    shared = [cost.of_kernel(_pixels(path, plan.task), plan.choice) for path in plan.kernel_from]
    each: list[Cost] = []
    errors: list[Exception | None] = []
    for outcome in batch.run(plan.jobs, lambda job: _look(job, plan)):
        job, about = outcome.job, outcome.value
        status = "failed" if outcome.error is not None else "to do" if about is not None else "skipped"
        if outcome.error is not None:
            print_failure(outcome.error, job.source_name)
        elif as_json is False:
            costs = "" if about is None else f", {about.in_words()}"
            output.write_text(f"{job.source_name} -> {job.target_name}: {status}{costs}")
        if about is not None:
            each.append(about)
        if as_json:
            record: dict[str, Any] = {"input": job.source_name, "output": job.target_name, "status": status}
            record |= {"settings": plan.task.settings}
            record |= {} if outcome.error is None else {"error": describe(outcome.error)}
            output.write_record(record | ({} if about is None else {"estimate": about.as_dict()}))
        errors.append(outcome.error)
    total = cost.of_run(each, shared, plan.workers)
    failed = len(errors) - errors.count(None)
    counts = {"to do": len(each), "skipped": len(errors) - len(each) - failed, "failed": failed}
    if as_json:
        output.write_record({"summary": counts, "estimate": total.as_dict()})
    else:
        output.write_text(f"{', '.join(f'{n} {what}' for what, n in counts.items())}: {total.in_words()}")
        console.note("dry run: nothing was written; times are rough, for one CPU thread a process")
    return conclude_run(errors)


def _look(job: Job, plan: Plan) -> Cost | None:
    if job in plan.task.finished:
        return None
    return cost.of_picture(_pixels(job.source, plan.task), plan.choice)


def _pixels(path: Path | None, task: UpscaleTask) -> int:
    width, height = output.read_size(path, task.max_pixels)
    return width * height
