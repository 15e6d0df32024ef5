"""`--dry-run`: what would be done, and what it would take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kfsr.cli.console import Console
from kfsr.cli.status import conclude_run
from kfsr.cli.streams import describe
from kfsr.cost import model as cost
from kfsr.cost.model import Cost
from kfsr.runs.engine import Machine
from kfsr.runs.events import OnEvent
from kfsr.runs.executors import perform
from kfsr.runs.plan import Job
from kfsr.runs.upscaling import Plan


def report(plan: Plan, machine: Machine, as_json: bool, console: Console) -> int:
    """Print the plan on standard output, one line or record per picture and a last one for all; the exit status is that
    which the run would have, as far as the pictures' headers tell."""

    def look(job: Job, on_event: OnEvent) -> Cost | None:
        if job in plan.finished:
            return None
        return cost.of_picture(_pixels(job.source, machine), plan.recipe, has_kernel=not plan.own_kernels)

    shared = [cost.of_kernel(_pixels(path, machine), plan.recipe) for path in plan.kernel_from]
    each: list[Cost] = []
    errors: list[Exception | None] = []
    for job in plan.jobs:
        outcome = perform(job, look, console.on_event)
        about = outcome.value
        status = "to do" if about is not None else outcome.status
        if outcome.error is not None:
            console.failure(outcome.error, job.source_name)
        elif not as_json:
            costs = "" if about is None else f", {about.in_words()}"
            console.streams.write_text(f"{job.source_name} -> {job.target_name}: {status}{costs}")
        if about is not None:
            each.append(about)
        if as_json:
            record: dict[str, Any] = {"input": job.source_name, "output": job.target_name, "status": status}
            record |= {"settings": plan.settings}
            record |= {} if outcome.error is None else {"error": describe(outcome.error)}
            console.streams.write_record(record | ({} if about is None else {"estimate": about.as_dict()}))
        errors.append(outcome.error)
    total = cost.of_run(each, shared, machine.executor.processes)
    failed = len(errors) - errors.count(None)
    counts = {"to do": len(each), "skipped": len(errors) - len(each) - failed, "failed": failed}
    if as_json:
        console.streams.write_record({"summary": counts, "estimate": total.as_dict()})
    else:
        words = ", ".join(f"{n} {what}" for what, n in counts.items())
        console.streams.write_text(f"{words}: {total.in_words()}")
        console.note("dry run: nothing was written; times are rough, for one CPU thread per process")
    return conclude_run(errors)


def _pixels(path: Path | None, machine: Machine) -> int:
    width, height = machine.size(path)
    return width * height
