"""`kfsr upscale`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kfsr import batch
from kfsr.batch import STREAM, Job, Outcome
from kfsr.cli import options, output
from kfsr.cli.console import Console
from kfsr.cli.kernel import check_kernel_name, kernel_name
from kfsr.cli.status import conclude_run, describe, guarded, print_failure
from kfsr.errors import UsageError

if TYPE_CHECKING:
    from kfsr.kernel import Kernel
    from kfsr.pipeline import Result

TRUSTED = "trusted"
"""The gate's verdict on a result that is what was asked for; any other one is told to the user."""


@guarded
def upscale(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Pictures; - is standard input.")],
    scale: options.ScaleOption = 2,
    output_path: options.OutputOption = None,
    kernel_method: options.KernelMethodOption = None,
    kernel_file: Annotated[
        Path | None,
        typer.Option("--kernel", "-k", metavar="FILE", help="Use this kernel (.npy, .npz or .mat)."),
    ] = None,
    kernel_init: options.KernelInitOption = options.KernelInit.spectral,
    solver: Annotated[
        options.Solver, typer.Option("--solver", help="How the picture is made once the kernel is known.")
    ] = options.Solver.unrolled,
    weights: options.WeightsOption = None,
    uncertainty: options.UncertaintyOption = None,
    preset: options.PresetOption = options.Preset.balanced,
    device: options.DeviceOption = options.Device.auto,
    seed: options.SeedOption = 0,
    threads: options.ThreadsOption = None,
    save_kernel: Annotated[
        str | None,
        typer.Option("--save-kernel", metavar="PATH", help="Keep the kernel: a file, or with several inputs a folder."),
    ] = None,
    quality: options.QualityOption = 95,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> int:
    """Upscale pictures by 2, 3 or 4.

    The result is PHOTO_x2.png beside PHOTO.png, in the same format, or what -o says. A result that exists is
    replaced, but an input never is. On standard output the picture is a PNG.
    """
    if kernel_file is not None and kernel_method is not None:
        raise UsageError("--kernel gives the kernel, --kernel-method would find one; leave one of them out")
    from kfsr import pipeline
    from kfsr.image import format_by_suffix

    keep = [path for path in (kernel_file, weights) if path is not None]
    rename = partial(_upscaled_name, scale=scale)
    jobs = batch.plan(inputs, output_path, rename, check_name=format_by_suffix, keep=keep)
    kernel_paths = _plan_kernels(jobs, save_kernel, keep)
    if any(job.target is None for job in jobs):
        if as_json:
            raise UsageError("--json and the picture both want standard output; give the picture a file with -o")
        output.refuse_terminal("a picture")
    console = Console(quiet)
    place = options.use_torch(device, threads)
    method = None if kernel_method is None else str(kernel_method)
    pipeline.check_solver(str(solver), weights, uncertainty, place)
    if kernel_file is None:
        pipeline.check_kernel_method(method, str(kernel_init), str(preset))
    elif kernel_init is not options.KernelInit.spectral:
        raise UsageError("--kernel gives the kernel, --kernel-init is for finding one; leave one of them out")
    with console.session():
        task = _Task(
            call=partial(
                pipeline.upscale,
                scale=scale,
                kernel=_load_kernel(kernel_file, scale),
                kernel_method=method,
                kernel_init=str(kernel_init),
                solver=str(solver),
                weights=weights,
                uncertainty=uncertainty,
                preset=str(preset),
                seed=seed,
                device=place,
                progress=console.progress,
            ),
            kernel_paths=kernel_paths,
            quality=quality,
            console=console,
        )
        errors: list[Exception | None] = []
        for outcome in batch.run(jobs, task):
            console.close()
            console.subject = ""
            _tell(outcome, console)
            if as_json:
                output.write_record(_record(outcome, kernel_file, kernel_paths.get(outcome.job)))
            errors.append(outcome.error)
    return conclude_run(errors)


@dataclass(frozen=True)
class _Task:
    """The work on one picture: read, upscale, write."""

    call: Callable[[Any], Result]
    kernel_paths: dict[Job, Path]
    quality: int
    console: Console

    def __call__(self, job: Job) -> Result:
        from kfsr.image import encode_image, write_image
        from kfsr.kernel import save_kernel

        self.console.subject = job.source_name
        result = self.call(output.read_picture(job.source))
        if job in self.kernel_paths:
            save_kernel(result.kernel, self.kernel_paths[job])
        if job.target is None:
            output.write_data(encode_image(result.image, "PNG"))
        else:
            write_image(result.image, job.target, self.quality)
        return result


def _upscaled_name(source: Path, scale: int) -> str:
    from kfsr.image import supported_formats

    known = {suffix for suffixes in supported_formats().values() for suffix in suffixes}
    suffix = source.suffix if source.suffix.lower() in known else ".png"
    return f"{source.stem}_x{scale}{suffix}"


def _plan_kernels(jobs: list[Job], place: str | None, keep: list[Path]) -> dict[Job, Path]:
    if place is None:
        return {}
    if place == STREAM:
        raise UsageError("--save-kernel needs a file; `kfsr kernel` writes kernels to standard output")
    keep = [*keep, *(job.target for job in jobs if job.target is not None)]
    sources = [STREAM if job.source is None else str(job.source) for job in jobs]
    plan = batch.plan(sources, place, kernel_name, check_name=check_kernel_name, keep=keep)
    return {job: one.target for job, one in zip(jobs, plan, strict=True) if one.target is not None}


def _load_kernel(path: Path | None, scale: int) -> Kernel | None:
    if path is None:
        return None
    from kfsr.kernel import load_kernel

    return load_kernel(path, scale)


def _tell(outcome: Outcome[Result], console: Console) -> None:
    if outcome.error is not None:
        print_failure(outcome.error, outcome.job.source_name)
        return
    if outcome.value is None:
        return
    gate = outcome.value.report.as_dict()["gate"]
    if gate["verdict"] != TRUSTED:
        console.warning(f"{outcome.job.source_name}: {gate['verdict']}: {gate['reason']}")
    width, height = outcome.value.image.size
    line = (
        f"{outcome.job.source_name} -> {outcome.job.target_name}: {width}x{height}, "
        f"kernel {outcome.value.kernel.method}, {outcome.seconds:.1f} s"
    )
    console.note(line)


def _record(outcome: Outcome[Result], kernel_file: Path | None, saved_kernel: Path | None) -> dict[str, Any]:
    """The report of one picture: done or failed, with what was measured on the way."""
    record: dict[str, Any] = {
        "input": outcome.job.source_name,
        "output": outcome.job.target_name,
        "status": "done" if outcome.error is None else "failed",
    }
    if outcome.error is not None:
        record["error"] = describe(outcome.error)
    if outcome.value is not None:
        record |= outcome.value.report.as_dict()
    used = kernel_file or saved_kernel
    return record | {
        "kernel_file": None if used is None else str(used),
        **output.footer(outcome.seconds),
    }
