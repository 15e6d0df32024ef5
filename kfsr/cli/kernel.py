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
from kfsr.cli.parsers import one_of
from kfsr.cli.streams import Streams
from kfsr.errors import UsageError
from kfsr.recipe import Recipe
from kfsr.runs import heaps, kernels
from kfsr.runs.engine import Machine
from kfsr.runs.events import Outcome
from kfsr.runs.inputs import find_pictures

if TYPE_CHECKING:
    from kfsr.kernel import Kernel, Lens


def each_clean(arguments: Sequence[str]) -> list[str]:
    """`kernel BLURRED... --clean SHARP...` with --clean before each sharp picture, as the parser wants it.

    A shell makes many names of `--clean sharp/*.jpg`, and all but the first would pass for blurred ones. Only where the
    inputs come first.
    """
    made: list[str] = []
    inputs_first = len(arguments) > 1 and arguments[0] == "kernel" and not arguments[1].startswith("-")
    after_clean = False
    for one in arguments:
        if one.startswith("-"):
            after_clean = one == "--clean" and inputs_first
        elif after_clean and made[-1] != "--clean":
            made.append("--clean")
        made.append(one)
    return made


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
    clean: Annotated[
        list[str] | None,
        typer.Option(
            "--clean",
            metavar="SHARP",
            help="Sharp pictures of other scenes, or folders of them: after the INPUTs, all up to the next option. "
            "Finds the one kernel that the INPUTs have and these lack.",
        ),
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(
            "--grid",
            metavar="RxC",
            help="Measure a lens, a kernel for each of R rows and C columns of the frame: with --clean from heaps, "
            "without it from each picture alone, which tells lateral colour and how soft the corners are.",
        ),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(
            "--channels",
            help="Of a lens: one kernel for all colours of a place, or one each.",
            show_default="one with --clean, else rgb",
            **one_of(("one", "rgb")),
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
    console = Console(streams, quiet)
    with console.session():
        options.refuse_output_among(inputs or [], output, recursive)
        sources = options.find_inputs(streams, inputs or [], files_from, recursive)
        machine = options.machine_for(streams, sources, device, threads, workers, max_pixels)
        if clean:
            cells = (1, 1) if channels == "rgb" and grid is None else None
            cells = cells if grid is None else options.two_numbers("--grid", grid, "x")
            plan_of_heaps = heaps.prepare(
                sources,
                find_pictures(clean, recursive),
                recipe,
                machine,
                output=output,
                grid=cells,
                colours=channels == "rgb",
                plot=plot,
                on_event=console.on_event,
            )
            return _of_heaps(streams, console, plan_of_heaps, machine, as_json)
        if channels and not grid:
            raise UsageError("--channels says what the kernels of a lens are for; add --grid, or --clean")
        written = output is not None or not as_json
        plan = kernels.prepare(
            sources,
            recipe,
            machine,
            output=output,
            shared=shared,
            written=written,
            plot=plot,
            grid=None if grid is None else options.two_numbers("--grid", grid, "x"),
            colours=channels != "one",
            on_event=console.on_event,
        )
    if written and plan.jobs[0].target is None and plan.jobs[0].problem is None:
        if as_json:
            raise UsageError("--json and the kernel both want standard output; give the kernel a file with -o")
        streams.refuse_terminal("a kernel")

    def tell(outcome: Outcome[Kernel | Lens]) -> None:
        from kfsr.kernel import Kernel, kernel_bytes
        from kfsr.kernel.facts import facts_in_words, lens_in_words

        found = outcome.value
        if found is not None:
            if written and outcome.job.target is None and isinstance(found, Kernel):
                streams.write_data(kernel_bytes(found, ".npy"))
            where = f" -> {outcome.job.target_name}" if written else ""
            what = facts_in_words(found) if isinstance(found, Kernel) else lens_in_words(found)
            console.note(f"{outcome.job.source_name}{where}: {what}, {outcome.seconds:.1f} s")

    def record(outcome: Outcome[Kernel | Lens]) -> dict[str, Any]:
        found: dict[str, Any] = {} if written else {"output": None}
        if outcome.value is not None:
            from kfsr.kernel import Kernel
            from kfsr.kernel.facts import kernel_facts

            one = outcome.value if isinstance(outcome.value, Kernel) else outcome.value.typical
            found |= {name: getattr(recipe, name) for name in _FIELDS}
            found |= {"pictures": len(plan.shared) or 1, "device": machine.device}
            found |= {"grid": plan.grid} if plan.grid else {}
            found |= {"kernel": kernel_facts(one), "plot": None if plot is None else str(plot)}
        return found

    with console.session():
        return follow(
            kernels.carry_out(plan, machine, console.on_event),
            console,
            tell,
            record if as_json else None,
            ("done", "failed"),
        )


def _of_heaps(streams: Streams, console: Console, plan: heaps.HeapPlan, machine: Machine, as_json: bool) -> int:
    """`kernel --clean`: one kernel, or one lens, of two heaps."""
    if plan.job.target is None:
        if as_json:
            raise UsageError("--json and the kernel both want standard output; give the kernel a file with -o")
        streams.refuse_terminal("a kernel")

    def tell(outcome: Outcome[heaps.Measured]) -> None:
        from kfsr.kernel import Kernel, kernel_bytes
        from kfsr.kernel.facts import facts_in_words

        if outcome.value is None:
            return
        found = outcome.value.kernel
        if outcome.job.target is None and isinstance(found, Kernel):
            streams.write_data(kernel_bytes(found, ".npy"))
        one = found if isinstance(found, Kernel) else found.typical
        what = "" if plan.grid is None else f"{plan.grid[0]}x{plan.grid[1]} kernels, in the mean: "
        console.note(
            f"{len(plan.blurred)} pictures -> {outcome.job.target_name}: {what}{facts_in_words(one)}, "
            f"noise {255 * outcome.value.noise:.2f} grey levels, {outcome.seconds:.1f} s"
        )

    def record(outcome: Outcome[heaps.Measured]) -> dict[str, Any]:
        said: dict[str, Any] = {"pictures": len(plan.blurred), "clean": len(plan.clean), "scale": plan.recipe.scale}
        if outcome.value is not None:
            from kfsr.kernel import Kernel
            from kfsr.kernel.facts import kernel_facts

            found = outcome.value.kernel
            one = found if isinstance(found, Kernel) else found.typical
            said |= {"noise": outcome.value.noise, "grid": plan.grid, "kernel": kernel_facts(one)}
        return said | {"plot": None if plan.plot is None else str(plan.plot)}

    with console.session():
        outcomes = heaps.carry_out(plan, machine, console.on_event)
        return follow(outcomes, console, tell, record if as_json else None, ("done", "failed"))
