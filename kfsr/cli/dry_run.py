"""`--dry-run`: what would be done, and what it would take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kfsr.cli.console import Console
from kfsr.cli.outcomes import subject_of
from kfsr.cli.status import conclude_run
from kfsr.cli.streams import describe
from kfsr.cost import model as cost
from kfsr.cost.memory import largest_tile
from kfsr.cost.model import Cost
from kfsr.runs import checks
from kfsr.runs.engine import Machine, problems_first
from kfsr.runs.events import OnEvent
from kfsr.runs.executors import perform
from kfsr.runs.plan import Job
from kfsr.runs.preparing import Plan


def report(plan: Plan, machine: Machine, as_json: bool, console: Console) -> int:
    """Print the plan on standard output, one line or record per picture and a last one for all; the exit status is that
    which the run would have, as far as the pictures' headers tell."""

    def look(job: Job, on_event: OnEvent) -> Cost | None:
        if job.problem is not None:
            raise job.problem
        return None if job in plan.kept else _cost(plan.sizes.get(job), plan, machine)

    shared = [cost.of_kernel(_pixels(path, machine), plan.recipe) for path in plan.kernel_from]
    each: list[Cost] = []
    errors: list[Exception | None] = []
    for job in problems_first(plan.jobs):
        outcome = perform(job, look, console.on_event)
        about = outcome.value
        status = "to do" if about is not None else outcome.status
        if outcome.error is not None:
            console.failure(outcome.error, subject_of(outcome))
        elif not as_json:
            costs = f", {about.in_words()}" if about is not None and job in plan.sizes else ""
            if job in plan.kept:
                status = f"skipped, {plan.kept[job].value}"
            console.streams.write_text(f"{job.source_name} -> {job.target_name}: {status}{costs}")
        if about is not None:
            each.append(about)
        if as_json:
            output = None if job.target is None and job.problem is not None else job.target_name
            record: dict[str, Any] = {"input": job.source_name, "output": output, "status": status}
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


def _cost(size: tuple[int, int] | None, plan: Plan, machine: Machine) -> Cost:
    """Of a picture of that size; of one whose size is not known before it is read, a pipe's, nothing is told."""
    if size is None:
        return Cost(0.0, 0.0)
    recipe, _ = checks.fitted(plan.recipe, size)
    pixels, has_kernel = size[0] * size[1], not plan.own_kernels
    tile = None
    if machine.max_memory is not None:
        largest = largest_tile(machine.max_memory, pixels, recipe.work(), has_kernel=has_kernel)
        tile = min(largest, recipe.settings.tile // recipe.scale)
    return cost.of_picture(pixels, recipe, has_kernel=has_kernel, tile=tile)


def _pixels(path: Path | None, machine: Machine) -> int:
    width, height = machine.size(path)
    return width * height
