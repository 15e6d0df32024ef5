"""`kfsr degrade`."""

from __future__ import annotations

from collections.abc import Callable
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
from kfsr.runs.events import OnEvent, Outcome, Warned
from kfsr.runs.executors import Serial
from kfsr.runs.inputs import Source
from kfsr.runs.kernels import check_kernel_name
from kfsr.runs.plan import Job, plan

if TYPE_CHECKING:
    from kfsr.image import Image
    from kfsr.kernel import Kernel

LIKE = ("phone", "web", "scan")
"""The dirty ones of `kfsr.training.degradations.KINDS`, which loads torch."""

_NAMED = ("bicubic", "box")

_Degrade = Callable[["Image"], "tuple[Image, Kernel, dict[str, Any]]"]
"""The low-resolution picture, the kernel that leads there, and what JSON says of it."""


@command("seed", "quality", "page", "strict")
def degrade(
    streams: Streams,
    *,
    source: Annotated[str, typer.Argument(metavar="SHARP", help="The picture; - is standard input.")],
    kernel_name: Annotated[
        str | None,
        typer.Option("--kernel", "-k", metavar="FILE", help="A kernel file, or the word bicubic or box."),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            "--like",
            help="In place of a kernel: what a phone's camera, a web site or a scanner does to a picture, drawn at "
            "random by --seed.",
            **one_of(LIKE),
        ),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="PATH", help="File, or - for standard output (PNG).")
    ],
    scale: Annotated[
        int | None,
        typer.Option("--scale", "-s", metavar="N", min=1, max=4, show_default="2", help="Scale factor; 1 blurs only."),
    ] = None,
    recipe: Recipe,
    noise: Annotated[
        float | None,
        typer.Option(
            "--noise",
            min=0,
            max=255,
            metavar="SIGMA",
            show_default="0",
            help="With --kernel, Gaussian noise to add: standard deviation in grey levels.",
        ),
    ] = None,
    save_kernel: Annotated[
        str | None,
        typer.Option("--save-kernel", metavar="FILE", help="Save the true kernel, sharpening included."),
    ] = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> int:
    """Make the low-resolution picture that a kernel would give: blur by it, keep every s-th pixel; with --scale 1, all
    of them. Or, with --like, one as a phone, a web site or a scanner would have left it, and say what was done to it.

    Transparency is degraded with the picture. If a side is not a multiple of the scale, the last rows or
    columns give no pixels of their own. With --like the result has 8 bits, and what JPEG did is in its pixels:
    a PNG, WebP or TIFF keeps them as they are.
    """
    from kfsr.image import encode_image, format_by_suffix, write_image

    recipe = Recipe.make(recipe, scale=scale)
    _check(kernel_name, like, noise)
    keep = [] if kernel_name is None or kernel_name in _NAMED else [Path(kernel_name)]
    job = plan([source], output, lambda path: path.name, check_name=format_by_suffix, keep=keep)[0]
    if job.target is not None:
        keep.append(job.target)
    elif as_json:
        raise UsageError("--json and the picture both want standard output; give the picture a file with -o")
    else:
        streams.refuse_terminal("a picture")
    kernel_path = None
    if save_kernel is not None:
        place = plan([source], save_kernel, lambda path: f"{path.stem}.npz", check_name=check_kernel_name, keep=keep)
        kernel_path = place[0].target
        if kernel_path is None:
            raise UsageError("--save-kernel needs a file; standard output is the picture's")
    machine = options.machine_for(streams, [Source(job.source)], "cpu", None)
    console = Console(streams, quiet)
    with console.session():
        degraded = _by_kernel(kernel_name, noise or 0.0, recipe) if like is None else _like(like, recipe)

        def work(job: Job, on_event: OnEvent) -> tuple[Image, dict[str, Any]]:
            from kfsr.kernel import save_kernel as write_kernel

            sharp, _ = machine.read(job.source, recipe)
            for text in _doubts(sharp, recipe, like, job):
                on_event(Warned(job.source_name, text))
            low, kernel, about = degraded(sharp)
            if job.target is None:
                streams.write_data(encode_image(low, "PNG"))
            else:
                write_image(low, job.target, recipe.quality)
            if kernel_path is not None:
                write_kernel(kernel, kernel_path)
            return low, about

        def tell(outcome: Outcome[tuple[Image, dict[str, Any]]]) -> None:
            if outcome.value is not None:
                low, about = outcome.value
                done = f": {', '.join(about['drawn']['in_words']) or 'nothing'}" if like is not None else ""
                console.note(f"{job.source_name} -> {job.target_name}: {low.width}x{low.height}{done}")

        def record(outcome: Outcome[tuple[Image, dict[str, Any]]]) -> dict[str, Any]:
            about: dict[str, Any] = {"scale": recipe.scale, "seed": recipe.seed}
            about["kernel_file"] = None if kernel_path is None else str(kernel_path)
            return about if outcome.value is None else about | outcome.value[1]

        return follow(Serial().run([job], work, console.on_event), console, tell, record if as_json else None)


def _check(kernel_name: str | None, like: str | None, noise: float | None) -> None:
    if like is None and kernel_name is None:
        raise UsageError(f"what is to be done to the picture? Give --kernel FILE, or --like {'|'.join(LIKE)}")
    if like is not None and kernel_name is not None:
        raise UsageError("--like draws a kernel of its own; leave --kernel out, or --like")
    if like is not None and noise is not None:
        raise UsageError("--like draws the noise too; leave --noise out, or give --kernel in place of --like")


def _doubts(sharp: Image, recipe: Recipe, like: str | None, job: Job) -> list[str]:
    """What the user should know of this picture or its result."""
    doubts, scale = [], recipe.scale
    if min(sharp.size) >= scale and (sharp.width % scale or sharp.height % scale):
        covered = "x".join(str(side // scale * scale) for side in sharp.size)
        doubts.append(f"{sharp.width}x{sharp.height} is not a multiple of {scale}; the result covers {covered} of it")
    if like is not None and job.target is not None and job.target.suffix.lower() in (".jpg", ".jpeg", ".avif"):
        doubts.append(f"{job.target_name} is compressed once more, which is not in what was drawn; a .png is not")
    return doubts


def _by_kernel(name: str | None, noise: float, recipe: Recipe) -> _Degrade:
    from kfsr.kernel.facts import kernel_facts
    from kfsr.pipeline.degrading import degrade_image

    kernel = _find_kernel(str(name), recipe.scale)
    about = {"kernel": kernel_facts(kernel), "noise": noise}
    return lambda sharp: (degrade_image(sharp, kernel, noise, recipe.seed), kernel, about)


def _like(kind: str, recipe: Recipe) -> _Degrade:
    from kfsr.training.like import degraded_like, facts

    def degraded(sharp: Image) -> tuple[Image, Kernel, dict[str, Any]]:
        low, drawn = degraded_like(kind, sharp, recipe.scale, recipe.seed)
        return low, drawn.whole_kernel(), {"drawn": facts(drawn)}

    return degraded


def _find_kernel(name: str, scale: int) -> Kernel:
    from kfsr.kernel import bicubic_kernel, box_kernel, load_kernel

    if name == "bicubic":
        return bicubic_kernel(scale)
    return box_kernel(scale) if name == "box" else load_kernel(Path(name), scale)
