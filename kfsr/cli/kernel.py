"""`kfsr kernel`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kfsr.cli import options
from kfsr.cli.command import command
from kfsr.cli.console import Console
from kfsr.cli.outcomes import follow
from kfsr.cli.streams import Streams
from kfsr.errors import UsageError
from kfsr.recipe import Recipe
from kfsr.runs import kernels
from kfsr.runs.events import Outcome

if TYPE_CHECKING:
    from kfsr.kernel import Kernel

_FIELDS = ("scale", "kernel_method", "kernel_init", "refine", "preset", "seed", "page", "strict")


@command(*_FIELDS, aliases={"kernel_method": ["--method"], "kernel_init": ["--init"]})
def kernel(
    streams: Streams,
    *,
    inputs: options.InputsArgument = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File (.npy, .npz, .mat, or .png to look at), folder, or - for .npy on standard output.",
            show_default="PHOTO_kernel.npz beside the picture; nothing with --json",
        ),
    ] = None,
    recursive: options.RecursiveOption = False,
    files_from: options.FilesFromOption = None,
    recipe: Recipe,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared", help="Find one kernel for all the pictures, made by the same camera, lens or scanner."
        ),
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw the kernel as a picture.")
    ] = None,
    device: options.DeviceOption = "auto",
    threads: options.ThreadsOption = None,
    workers: options.WorkersOption = 1,
    max_pixels: options.MaxPixelsOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> int:
    """Find the downscaling kernels of pictures, each from that picture alone, or with --shared one from all. At scale 1
    it is the kernel of the picture's blur.

    The kernel goes to a file that --kernel of `upscale`, `deblur` and `degrade` reads: PHOTO_kernel.npz beside
    PHOTO.png, or PHOTO.npz in the folder that -o names. A line on standard error says its size and direction. With
    --json they go to standard output, and files are written only where -o names a place.
    """
    console = Console(streams, quiet)
    with console.session():
        options.refuse_output_among(inputs or [], output, recursive)
        sources = options.find_inputs(streams, inputs or [], files_from, recursive)
        machine = options.machine_for(streams, sources, device, threads, workers, max_pixels)
        written = output is not None or not as_json
        plan = kernels.prepare(
            sources,
            recipe,
            machine,
            output=output,
            shared=shared,
            written=written,
            plot=plot,
            on_event=console.on_event,
        )
    if written and plan.jobs[0].target is None and plan.jobs[0].problem is None:
        if as_json:
            raise UsageError("--json and the kernel both want standard output; give the kernel a file with -o")
        streams.refuse_terminal("a kernel")

    def tell(outcome: Outcome[Kernel]) -> None:
        from kfsr.kernel import kernel_bytes
        from kfsr.kernel.facts import facts_in_words

        if outcome.value is not None:
            if written and outcome.job.target is None:
                streams.write_data(kernel_bytes(outcome.value, ".npy"))
            where = f" -> {outcome.job.target_name}" if written else ""
            console.note(f"{outcome.job.source_name}{where}: {facts_in_words(outcome.value)}, {outcome.seconds:.1f} s")

    def record(outcome: Outcome[Kernel]) -> dict[str, Any]:
        found: dict[str, Any] = {} if written else {"output": None}
        if outcome.value is not None:
            from kfsr.kernel.facts import kernel_facts

            found |= {name: getattr(recipe, name) for name in _FIELDS}
            found |= {"pictures": len(plan.shared) or 1, "device": machine.device}
            found |= {"kernel": kernel_facts(outcome.value), "plot": None if plot is None else str(plot)}
        return found

    with console.session():
        return follow(
            kernels.carry_out(plan, machine, console.on_event),
            console,
            tell,
            record if as_json else None,
            ("done", "failed"),
        )
