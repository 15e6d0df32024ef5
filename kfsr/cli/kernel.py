"""`kfsr kernel`."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kfsr.cli import options, output, spread
from kfsr.cli.console import Console
from kfsr.cli.status import conclude_run, describe, guarded, print_failure
from kfsr.errors import UsageError
from kfsr.runs import plan as batch
from kfsr.runs.inputs import Source
from kfsr.runs.plan import Job, Outcome
from kfsr.runs.turns import NO_TURNS, Turns

if TYPE_CHECKING:
    from kfsr.kernel import Kernel

_SUFFIXES = (".npy", ".npz", ".mat", ".png")


@guarded
def kernel(
    inputs: options.InputsArgument = None,
    scale: options.ScaleOption = 2,
    output_path: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File (.npy, .npz, .mat, or .png to look at), folder, or - for .npy on standard output.",
            show_default="PHOTO_kernel.npy beside the picture; nothing with --json",
        ),
    ] = None,
    recursive: options.RecursiveOption = False,
    files_from: options.FilesFromOption = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="One kernel for all the pictures: of one camera, lens or scanner.")
    ] = False,
    method: Annotated[
        options.KernelMethod,
        typer.Option(
            "--method",
            "--kernel-method",
            help="spectral (a Gaussian, in a second), ikl (refined), edges (any form), kernelfusion (any form, "
            "in minutes), auto (what suits), bicubic (fixed).",
        ),
    ] = options.KernelMethod.auto,
    init: Annotated[
        options.KernelInit, typer.Option("--init", "--kernel-init", help="What ikl starts from.")
    ] = options.KernelInit.spectral,
    refine: options.RefineOption = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw the kernel, for people.")
    ] = None,
    preset: options.PresetOption = options.Preset.balanced,
    device: options.DeviceOption = options.Device.auto,
    seed: options.SeedOption = 0,
    threads: options.ThreadsOption = None,
    workers: options.WorkersOption = 1,
    max_pixels: options.MaxPixelsOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> int:
    """Find the downscaling kernels of pictures, each from that picture alone, or with --shared one from all.

    The kernel goes to a file that --kernel of `upscale` and `degrade` reads: PHOTO_kernel.npy beside PHOTO.png, or
    PHOTO.npy in the folder that -o names. A line on standard error says its size and direction. With --json they go
    to standard output, and files are written only where -o names a place.
    """
    nowhere = as_json and output_path is None
    sources = output.find_inputs(inputs or [], files_from, recursive)
    if shared and output_path is None and not as_json:
        raise UsageError("--shared makes one kernel of all the pictures; name its file with -o")
    named = [Source(sources[0].path)] if shared else sources
    keep = [plot, *(source.path for source in sources if source.path is not None)] if shared else [plot]
    jobs = batch.plan(
        named,
        output_path,
        kernel_name if output_path is None else kernel_name_in_folder,
        check_name=None if nowhere else check_kernel_name,
        keep=[path for path in keep if path is not None],
    )
    to_stdout = jobs[0].target is None and not nowhere
    if to_stdout:
        if as_json:
            raise UsageError("--json and the kernel both want standard output; give the kernel a file with -o")
        output.refuse_terminal("a kernel")
    if plot is not None:
        if len(jobs) > 1:
            raise UsageError("--plot draws one kernel, and there are several pictures; leave it out")
        _check_plot(plot, jobs[0])
    spread.check_workers(workers, jobs)
    console = Console(quiet)
    device_name = options.use_torch(device, threads)
    from kfsr import pipeline

    pipeline.check_kernel_method(str(method), str(init))
    arguments = {
        "scale": scale,
        "method": str(method),
        "init": str(init),
        "refine": refine,
        "preset": str(preset),
        "seed": seed,
        "device": device_name,
    }
    task = _Task(arguments, tuple(sources) if shared else None, to_stdout, nowhere, plot, max_pixels)
    settings = {
        "scale": scale,
        "kernel_method": str(method),
        "kernel_init": str(init),
        "refine": refine,
        "pictures": len(sources) if shared else 1,
        "preset": str(preset),
        "seed": seed,
        "device": device_name,
    }
    errors: list[Exception | None] = []
    with console.session():
        batch.tidy([job.target for job in jobs if job.target is not None])
        console.begin(len(jobs))
        with (
            spread.shared_turns(device_name, workers) as turns,
            closing(spread.run(jobs, replace(task, turns=turns), workers, len(jobs), device_name, console)) as outcomes,
        ):
            for outcome in outcomes:
                console.close()
                console.subject = ""
                console.advance()
                _tell(outcome, nowhere, console)
                if as_json:
                    with console.clear():
                        output.write_record(_record(outcome, nowhere, settings, plot))
                errors.append(outcome.error)
    if len(jobs) > 1:
        output.sum_up(console, errors, as_json)
    return conclude_run(errors)


@dataclass(frozen=True)
class _Task:
    """Find one kernel and write it. arguments: of `pipeline.estimate_kernel`. together: those of a shared one.
    turns: on the device."""

    arguments: dict[str, Any]
    together: tuple[Source, ...] | None
    to_stdout: bool
    nowhere: bool
    plot: Path | None
    max_pixels: int | None
    turns: Turns = NO_TURNS

    def __call__(self, job: Job, console: Console) -> Kernel:
        from kfsr import pipeline
        from kfsr.kernel import kernel_bytes, plot_kernel, save_kernel

        console.subject = job.source_name
        pictures = [
            output.read_picture(source.path, self.max_pixels) for source in self.together or [Source(job.source)]
        ]
        state = None if self.nowhere else batch.checkpoint_of(job.target)
        with spread.on_device(self.turns, self.arguments["device"]):
            found: Kernel = pipeline.estimate_kernel(
                pictures, checkpoint=state, progress=console.progress, **self.arguments
            )
        if self.to_stdout:
            output.write_data(kernel_bytes(found, ".npy"))
        elif job.target is not None and not self.nowhere:
            save_kernel(found, job.target)
        batch.remove_checkpoint(state)
        if self.plot is not None:
            from kfsr.image import Image, write_image

            write_image(Image.from_array(plot_kernel(found)), self.plot)
        return found


def _tell(outcome: Outcome[Kernel], nowhere: bool, console: Console) -> None:
    if outcome.error is not None:
        with console.clear():
            print_failure(outcome.error, outcome.job.source_name)
    if outcome.value is not None:
        where = "" if nowhere else f" -> {outcome.job.target_name}"
        words = facts_in_words(kernel_facts(outcome.value))
        console.note(f"{outcome.job.source_name}{where}: {words}, {outcome.seconds:.1f} s")


def _record(outcome: Outcome[Kernel], nowhere: bool, settings: dict[str, Any], plot: Path | None) -> dict[str, Any]:
    record: dict[str, Any] = {
        "input": outcome.job.source_name,
        "output": None if nowhere else outcome.job.target_name,
        "status": "done" if outcome.error is None else "failed",
    }
    if outcome.error is not None:
        record["error"] = describe(outcome.error)
    if outcome.value is not None:
        record |= settings
        record |= {"kernel": kernel_facts(outcome.value), "plot": None if plot is None else str(plot)}
    return record | output.footer(outcome)


def kernel_facts(kernel: Kernel) -> dict[str, Any]:
    """What a person asks about a kernel, ready for JSON.

    axes: standard deviations along the long and the short axis, in high-resolution pixels; angle: of the long
    axis, in degrees counter-clockwise from horizontal as seen on the screen; centre: centre of mass off the
    middle, (row, column).
    """
    (rr, rc), (_, cc) = kernel.covariance.tolist()
    # Eigenvalues of [[cc, -rc], [-rc, rr]]: x to the right, y up, while rows count downwards.
    mean, half = (rr + cc) / 2, math.hypot((cc - rr) / 2, rc)
    return {
        "size": kernel.size,
        "method": kernel.method,
        "trace": kernel.trace,
        "covariance": kernel.covariance.tolist(),
        "axes": [math.sqrt(max(0.0, mean + half)), math.sqrt(max(0.0, mean - half))],
        "angle": math.degrees(0.5 * math.atan2(-2 * rc, cc - rr)) % 180,
        "centre": list(kernel.centre),
    }


def kernel_name(picture: Path) -> str:
    """File name of a picture's kernel beside the picture."""
    return f"{picture.stem}_kernel.npy"


def kernel_name_in_folder(picture: Path) -> str:
    """File name of a picture's kernel in a folder of kernels."""
    return f"{picture.stem}.npy"


def check_kernel_name(path: Path) -> None:
    """UsageError when no kernel can be written under this name."""
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{path}: a kernel file ends in one of {', '.join(_SUFFIXES)}")


def facts_in_words(facts: dict[str, Any]) -> str:
    """`kernel_facts` as half a line for people."""
    (long, short), (row, col) = facts["axes"], facts["centre"]
    shape = "round" if long - short <= 0.01 * long else f"long axis at {facts['angle']:.0f} degrees"
    return (
        f"{facts['method']}, {facts['size']}x{facts['size']} px, standard deviations {long:.2f} and "
        f"{short:.2f} px, {shape}, centre off by {math.hypot(row, col):.2f} px"
    )


def _check_plot(plot: Path, job: Job) -> None:
    from kfsr.image import format_by_suffix

    format_by_suffix(plot)
    if job.source is not None:
        batch.plan([str(job.source)], str(plot), lambda picture: picture.name)
