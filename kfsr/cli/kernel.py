"""`kfsr kernel`."""

from __future__ import annotations

from collections.abc import Sequence
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
from kfsr.runs import heaps, kernels
from kfsr.runs.engine import Machine
from kfsr.runs.events import Outcome
from kfsr.runs.inputs import Source, find_pictures

if TYPE_CHECKING:
    from kfsr.kernel import Kernel
    from kfsr.pipeline.heaps import Found

_FIELDS = ("scale", "kernel_method", "kernel_init", "refine", "preset", "seed")


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
    clean: Annotated[
        list[str] | None,
        typer.Option(
            "--clean",
            metavar="SHARP",
            help="Sharp pictures of other scenes, or a folder of them; may be given several times. Finds the one "
            "kernel that the INPUTs have and these lack.",
        ),
    ] = None,
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
    sources = options.find_inputs(streams, inputs or [], files_from, recursive)
    machine = options.machine_for(streams, sources, device, threads, workers, max_pixels)
    if clean:
        return _of_heaps(streams, sources, clean, recipe, machine, output, plot, recursive, as_json, quiet)
    written = output is not None or not as_json
    plan = kernels.prepare(sources, recipe, machine, output=output, shared=shared, written=written, plot=plot)
    if written and plan.jobs[0].target is None:
        if as_json:
            raise UsageError("--json and the kernel both want standard output; give the kernel a file with -o")
        streams.refuse_terminal("a kernel")
    console = Console(streams, quiet)

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


def _of_heaps(
    streams: Streams,
    blurred: Sequence[Source],
    clean: Sequence[str],
    recipe: Recipe,
    machine: Machine,
    output: str | None,
    plot: Path | None,
    recursive: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """`kernel --clean`: one kernel of two heaps."""
    plan = heaps.prepare(blurred, find_pictures(clean, recursive), recipe, output=output, plot=plot)
    if plan.job.target is None:
        if as_json:
            raise UsageError("--json and the kernel both want standard output; give the kernel a file with -o")
        streams.refuse_terminal("a kernel")
    console = Console(streams, quiet)

    def tell(outcome: Outcome[Found]) -> None:
        from kfsr.kernel import kernel_bytes
        from kfsr.kernel.facts import facts_in_words

        found = outcome.value
        if found is None:
            return
        if outcome.job.target is None:
            streams.write_data(kernel_bytes(found.kernel, ".npy"))
        console.note(
            f"{len(blurred)} pictures -> {outcome.job.target_name}: {facts_in_words(found.kernel)}, "
            f"noise {255 * found.noise:.2f} grey levels, {outcome.seconds:.1f} s"
        )

    def record(outcome: Outcome[Found]) -> dict[str, Any]:
        said: dict[str, Any] = {"pictures": len(blurred), "clean": len(plan.clean), "scale": recipe.scale}
        if outcome.value is not None:
            from kfsr.kernel.facts import kernel_facts

            said |= {"noise": outcome.value.noise, "misfit": outcome.value.misfit, "doubt": outcome.value.doubt}
            said |= {"kernel": kernel_facts(outcome.value.kernel), "plot": None if plot is None else str(plot)}
        return said

    with console.session():
        return follow(
            heaps.carry_out(plan, machine, console.on_event),
            console,
            tell,
            record if as_json else None,
            ("done", "failed"),
        )
