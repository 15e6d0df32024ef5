"""`kfsr upscale`, and what `kfsr deblur` shares with it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any

import typer

from kfsr.cli import cluster as clusters
from kfsr.cli import compare as comparisons
from kfsr.cli import options
from kfsr.cli import report as reports
from kfsr.cli.command import command
from kfsr.cli.console import Console
from kfsr.cli.meant import refuse_factor_among
from kfsr.cli.outcomes import follow
from kfsr.cli.streams import Streams
from kfsr.errors import UsageError
from kfsr.recipe import Recipe
from kfsr.runs import upscaling
from kfsr.runs.engine import Machine
from kfsr.runs.events import Event, Outcome, SharedKernel
from kfsr.runs.lists import STREAM
from kfsr.runs.preparing import Plan, prepare
from kfsr.runs.upscaled import Upscaled

FIELDS = (
    *(
        "scale",
        "size",
        "kernel_method",
        "kernel",
        "trust_kernel",
        "kernel_init",
        "refine",
        "uncertainty",
        "joint",
        "solver",
    ),
    *("weights", "strength", "denoise", "preset", "seed", "format", "quality", "strip"),
    *("page", "strict"),
)


def same_options(function: Callable[..., int]) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """For a command that hands what it is given to `function`: with the same options, and a help of its own."""
    return functools.wraps(function, assigned=())


def enlarge(
    streams: Streams,
    *,
    inputs: options.InputsArgument = None,
    output: options.OutputOption = None,
    recursive: options.RecursiveOption = False,
    files_from: options.FilesFromOption = None,
    recipe: Recipe,
    name: options.NameOption = None,
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing",
            help="Skip what an earlier run finished with the same settings, and pictures that were changed since.",
        ),
    ] = False,
    no_overwrite: Annotated[
        bool, typer.Option("--no-overwrite", help="Replace nothing: skip each input whose result exists.")
    ] = False,
    kernel_from: Annotated[
        list[str] | None,
        typer.Option(
            "--kernel-from",
            metavar="PATH",
            help="Find one kernel for all inputs from this picture or folder of pictures, made by the same scanner, "
            "camera, lens or resize. Can be given several times.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="ROW,COL",
            help="With a lens as --kernel: where in its frame the pictures, which were cut, begin.",
            show_default="whole pictures",
        ),
    ] = None,
    save_kernel: Annotated[
        str | None,
        typer.Option("--save-kernel", metavar="PATH", help="Save the kernel: a file or, for several inputs, a folder."),
    ] = None,
    report: reports.ReportOption = None,
    compare: comparisons.CompareOption = False,
    device: options.DeviceOption = "auto",
    threads: options.ThreadsOption = None,
    workers: options.WorkersOption = 1,
    executor: clusters.ExecutorOption = "processes",
    scheduler: clusters.SchedulerOption = None,
    shard: clusters.ShardOption = None,
    max_pixels: options.MaxPixelsOption = None,
    max_memory: options.MaxMemoryOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what would be done, and roughly what time and memory it would take."),
    ] = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> int:
    """Both commands; they differ in their fields of the recipe and in what their help says."""
    console = Console(streams, quiet)
    with console.session():
        refuse_factor_among(inputs or [])
        options.refuse_output_among(inputs or [], output, recursive)
        sources = options.find_inputs(streams, inputs or [], files_from, recursive)
        if not dry_run and (output == STREAM or (output is None and any(one.path is None for one in sources))):
            if as_json:
                raise UsageError("--json and the picture both want standard output; give the picture a file with -o")
            streams.refuse_terminal("a picture")

        def machine_here() -> Machine:
            machine = options.machine_for(streams, sources, device, threads, workers, max_pixels, max_memory)
            return clusters.with_executor(machine, executor, scheduler, workers, device)

        machine_for = options.once(machine_here)
        plan = prepare(
            sources,
            recipe,
            machine_for,
            output=output,
            name=name,
            recursive=recursive,
            at=None if at is None else options.two_numbers("--at", at, ","),
            kernel_from=kernel_from or [],
            save_kernel=save_kernel,
            skip_existing=skip_existing,
            no_overwrite=no_overwrite,
            create=not dry_run,
            on_event=console.on_event,
        )
        plan = clusters.shard_of(plan, shard)
        if report is not None:
            reports.refuse_streams(plan.jobs, "--report")
        if compare:
            comparisons.check(plan.jobs)
        kept = None if report is None else reports.Kept(report)
        machine = machine_for()
        if dry_run:
            from kfsr.cli import dry_run as rehearsal  # loads torch

            return rehearsal.report(plan, machine, as_json, console)

        def on_event(event: Event) -> None:
            console.on_event(event)
            if isinstance(event, SharedKernel):
                from kfsr.kernel.facts import facts_in_words

                count = f"{event.pictures} picture{'s'[: event.pictures != 1]}"
                console.note(f"kernel of {count}: {facts_in_words(event.kernel)}")

        def record(outcome: Outcome[Upscaled]) -> dict[str, Any]:
            file = recipe.kernel or plan.kernel_paths.get(outcome.job)
            report = {} if outcome.value is None else outcome.value.report
            reason = {} if outcome.job not in plan.kept else {"reason": plan.kept[outcome.job].value}
            return reason | report | {"kernel_file": None if file is None else str(file), "settings": plan.settings}

        outcomes = upscaling.carry_out(plan, machine, on_event)
        if compare:
            outcomes = comparisons.comparing(outcomes, plan, console)
        status = follow(
            outcomes if kept is None else kept.following(outcomes),
            console,
            lambda outcome: _tell(outcome, plan, console),
            record if as_json else None,
        )
        if kept is not None:
            kept.write(plan.jobs, console)
        return status


@command(*FIELDS)
@same_options(enlarge)
def upscale(streams: Streams, **given: Any) -> int:
    """Upscale pictures by 2, 3 or 4; by 1 it is `deblur`.

    The result is PHOTO_x2.png beside PHOTO.png, in the same format, or what -o says; an output folder mirrors the
    sub-folders of an input folder. A result that exists is replaced, but an input never is, and earlier results
    that lie among the inputs are left out. On standard output the picture is a PNG, or what --format says.
    """
    return enlarge(streams, **given)


def _tell(outcome: Outcome[Upscaled], plan: Plan, console: Console) -> None:
    """What was done, in a line or two; a picture for standard output goes there."""
    job, done = outcome.job, outcome.value
    if done is None:
        console.note(f"{job.source_name}: skipped, {job.target_name} {plan.kept[job].value}")
        return
    from kfsr.pipeline.gate import SHARP, TRUSTED  # loads torch
    from kfsr.report.words import done_in_words, found_in_words

    if done.data is not None:
        console.streams.write_data(done.data)
    gate = done.report["gate"]
    if gate["reason"] == SHARP:
        console.note(f"{job.source_name} -> {job.target_name}: sharp already, left as it is")
        return
    if gate["verdict"] != TRUSTED:
        console.warning(f"{job.source_name}: {gate['verdict']}: {gate['reason']}")
    width, height = done.size
    resumed = ", went on from where it was stopped" if done.report["resumed"] else ""
    pages = f"{done.report['pages']} pages" if "pages" in done.report else ""
    facts = ", ".join(filter(None, (pages, f"{width}x{height}", found_in_words(done.report))))
    console.note(
        f"{job.source_name} -> {job.target_name}: {facts}; "
        f"{done_in_words(done.report, with_reason=False)}; {outcome.seconds:.1f} s{resumed}"
    )
