"""`kfsr degrade`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kfsr.cli import options
from kfsr.cli.command import command
from kfsr.cli.console import Console
from kfsr.cli.status import conclude_run
from kfsr.cli.streams import Streams
from kfsr.recipe import Recipe
from kfsr.runs.events import OnEvent, Warned
from kfsr.runs.executors import perform
from kfsr.runs.inputs import Source
from kfsr.runs.plan import Job, plan

if TYPE_CHECKING:
    from kfsr.image import Image
    from kfsr.kernel import Kernel


@command("scale", "seed", "quality")
def degrade(
    streams: Streams,
    *,
    source: Annotated[str, typer.Argument(metavar="SHARP", help="The picture; - is standard input.")],
    kernel_name: Annotated[
        str, typer.Option("--kernel", "-k", metavar="FILE", help="A kernel file, or the word bicubic or box.")
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="PATH", help="File, or - for standard output (PNG).")
    ],
    recipe: Recipe,
    noise: Annotated[
        float,
        typer.Option(
            "--noise", min=0, max=255, metavar="SIGMA", help="Gaussian noise to add: standard deviation in grey levels."
        ),
    ] = 0.0,
    quiet: options.QuietOption = False,
) -> int:
    """Make the low-resolution picture that a kernel would give: blur by it, keep every s-th pixel.

    Transparency is degraded with the picture. If a side is not a multiple of the scale, the last rows or
    columns give no pixels of their own.
    """
    from kfsr.image import encode_image, format_by_suffix, write_image
    from kfsr.pipeline.degrading import degrade_image

    scale = recipe.scale
    keep = [] if kernel_name in _NAMED else [Path(kernel_name)]
    job = plan([source], output, lambda path: path.name, check_name=format_by_suffix, keep=keep)[0]
    if job.target is None:
        streams.refuse_terminal("a picture")
    machine = options.machine_for(streams, [Source(job.source)], "cpu", None)
    console = Console(streams, quiet)
    with console.session():
        kernel = _find_kernel(kernel_name, scale)

        def work(job: Job, on_event: OnEvent) -> Image:
            sharp, _ = machine.read(job.source)
            if sharp.width % scale or sharp.height % scale:
                covered = "x".join(str(side // scale * scale) for side in sharp.size)
                text = f"{sharp.width}x{sharp.height} is not a multiple of {scale}; the result covers {covered} of it"
                on_event(Warned(job.source_name, text))
            low = degrade_image(sharp, kernel, noise, recipe.seed)
            if job.target is None:
                streams.write_data(encode_image(low, "PNG"))
            else:
                write_image(low, job.target, recipe.quality)
            return low

        outcome = perform(job, work, console.on_event)
    if outcome.error is not None:
        console.failure(outcome.error, job.source_name)
    elif outcome.value is not None:
        console.note(f"{job.source_name} -> {job.target_name}: {outcome.value.width}x{outcome.value.height}")
    return conclude_run([outcome.error])


_NAMED = ("bicubic", "box")


def _find_kernel(name: str, scale: int) -> Kernel:
    from kfsr.kernel import bicubic_kernel, box_kernel, load_kernel

    if name == "bicubic":
        return bicubic_kernel(scale)
    return box_kernel(scale) if name == "box" else load_kernel(Path(name), scale)
