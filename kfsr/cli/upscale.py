"""`kfsr upscale`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kfsr import batch, manifest
from kfsr.batch import Job, Outcome
from kfsr.cli import options, output
from kfsr.cli.console import Console
from kfsr.cli.kernel import check_kernel_name, kernel_name_in_folder
from kfsr.cli.status import conclude_run, describe, guarded, print_failure
from kfsr.errors import UsageError
from kfsr.inputs import STREAM, Source

if TYPE_CHECKING:
    from kfsr.kernel import Kernel
    from kfsr.pipeline import Result

NAME = "{stem}_x{scale}{ext}"

TRUSTED = "trusted"
"""The gate's verdict on a result that is what was asked for; any other one is told to the user."""


@guarded
def upscale(
    inputs: options.InputsArgument = None,
    scale: options.ScaleOption = 2,
    output_path: options.OutputOption = None,
    recursive: options.RecursiveOption = False,
    files_from: options.FilesFromOption = None,
    name: Annotated[str, typer.Option("--name", metavar="TEMPLATE", help="Names of the results.")] = NAME,
    skip_existing: Annotated[
        bool,
        typer.Option("--skip-existing", help="Leave out what an earlier run has finished with the same settings."),
    ] = False,
    kernel_method: options.KernelMethodOption = None,
    kernel_file: Annotated[
        Path | None,
        typer.Option("--kernel", "-k", metavar="FILE", help="Use this kernel (.npy, .npz or .mat)."),
    ] = None,
    kernel_init: options.KernelInitOption = options.KernelInit.spectral,
    refine: options.RefineOption = None,
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
    strip: Annotated[
        bool, typer.Option("--strip", help="Leave EXIF out of the results; the colour profile stays.")
    ] = False,
    max_pixels: options.MaxPixelsOption = None,
    max_memory: options.MaxMemoryOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> int:
    """Upscale pictures by 2, 3 or 4.

    The result is PHOTO_x2.png beside PHOTO.png, in the same format, or what -o says; an output folder mirrors the
    sub-folders of an input folder. A result that exists is replaced, but an input never is, and earlier results
    that lie among the inputs are left out. On standard output the picture is a PNG.
    """
    if kernel_file is not None and kernel_method is not None:
        raise UsageError("--kernel gives the kernel, --kernel-method would find one; leave one of them out")
    from kfsr import pipeline
    from kfsr.image import format_by_suffix

    keep = [path for path in (kernel_file, weights) if path is not None]
    rename = partial(_upscaled_name, template=name, scale=scale)
    sources = output.find_inputs(inputs or [], files_from, recursive)
    jobs = batch.plan(sources, output_path, rename, check_name=format_by_suffix, keep=keep)
    kernel_paths = _plan_kernels(jobs, save_kernel, keep)
    if any(job.target is None for job in jobs):
        if as_json:
            raise UsageError("--json and the picture both want standard output; give the picture a file with -o")
        output.refuse_terminal("a picture")
    console = Console(quiet)
    place = options.use_torch(device, threads)
    method = str(kernel_method or options.KernelMethod.auto)
    pipeline.check_solver(str(solver), weights, uncertainty, place)
    if kernel_file is None:
        pipeline.check_kernel_method(method, str(kernel_init))
    elif kernel_init is not options.KernelInit.spectral:
        raise UsageError("--kernel gives the kernel, --kernel-init is for finding one; leave one of them out")
    choices: dict[str, Any] = {
        "scale": scale,
        "kernel_method": method,
        "kernel_init": str(kernel_init),
        "refine": refine,
        "solver": str(solver),
        "uncertainty": uncertainty,
        "preset": str(preset),
        "seed": seed,
    }
    with console.session():
        kernel = _load_kernel(kernel_file, scale)
        settings = _digest_of({**choices, "quality": quality, "strip": strip}, [kernel_file, weights])
        task = _Task(
            call=partial(
                pipeline.upscale,
                **choices,
                kernel=kernel,
                weights=weights,
                device=place,
                max_memory=max_memory,
                progress=console.progress,
            ),
            kernel_paths=kernel_paths,
            quality=quality,
            strip=strip,
            max_pixels=max_pixels,
            console=console,
            settings=settings if skip_existing or len(jobs) > 1 else None,
            skip=skip_existing,
        )
        errors: list[Exception | None] = []
        skipped = 0
        for outcome in batch.run(jobs, task):
            console.close()
            console.subject = ""
            _tell(outcome, console)
            if as_json:
                output.write_record(_record(outcome, kernel_file, kernel_paths.get(outcome.job)))
            errors.append(outcome.error)
            skipped += outcome.error is None and outcome.value is None
    if len(jobs) > 1:
        output.sum_up(console, errors, as_json, skipped)
    return conclude_run(errors)


@dataclass(frozen=True)
class _Task:
    """The work on one picture: read, upscale, write. settings: digest of what it is made with, for the list of finished
    pictures; None keeps no list. skip: leave out what that list holds; the result is then None."""

    call: Callable[[Any], Result]
    kernel_paths: dict[Job, Path]
    quality: int
    strip: bool
    max_pixels: int | None
    console: Console
    settings: str | None
    skip: bool

    def __call__(self, job: Job) -> Result | None:
        from kfsr.image import encode_image, write_image
        from kfsr.kernel import save_kernel

        self.console.subject = job.source_name
        if self.skip and self._is_finished(job):
            return None
        picture = output.read_picture(job.source, self.max_pixels)
        result = self.call(replace(picture, exif=None) if self.strip else picture)
        if job in self.kernel_paths:
            save_kernel(result.kernel, self.kernel_paths[job])
        if job.target is None:
            output.write_data(encode_image(result.image, "PNG"))
        else:
            write_image(result.image, job.target, self.quality, partial(self._record, job))
        return result

    def _is_finished(self, job: Job) -> bool:
        if job.source is None or job.target is None or self.settings is None:
            return False
        kernel = self.kernel_paths.get(job)
        if not (job.source.is_file() and job.target.is_file() and (kernel is None or kernel.is_file())):
            return False
        return manifest.is_finished(job.target, job.source.read_bytes(), self.settings)

    def _record(self, job: Job, data: bytes) -> None:
        if self.settings is not None and job.source is not None and job.target is not None:
            manifest.record(job.target, data, job.source.read_bytes(), self.settings)


def _upscaled_name(source: Path, template: str, scale: int) -> str:
    from kfsr.image import supported_formats

    known = {suffix for suffixes in supported_formats(writing=True).values() for suffix in suffixes}
    ext = source.suffix if source.suffix.lower() in known else ".png"
    try:
        name = template.format(stem=source.stem, ext=ext, scale=scale)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UsageError(f"--name {template}: only {{stem}}, {{scale}} and {{ext}} are filled in") from error
    if Path(name).name != name:
        raise UsageError(f"--name {template}: a name and not a path; the folder is for -o")
    return name


def _plan_kernels(jobs: list[Job], place: str | None, keep: list[Path]) -> dict[Job, Path]:
    if place is None:
        return {}
    if place == STREAM:
        raise UsageError("--save-kernel needs a file; `kfsr kernel` writes kernels to standard output")
    keep = [*keep, *(job.target for job in jobs if job.target is not None)]
    sources = [Source(job.source, job.under) for job in jobs]
    plan = batch.plan(sources, place, kernel_name_in_folder, check_name=check_kernel_name, keep=keep)
    return {job: one.target for job, one in zip(jobs, plan, strict=True) if one.target is not None}


def _digest_of(choices: dict[str, Any], files: list[Path | None]) -> str:
    """Digest of all that decides what a picture becomes: the options, the files given, this version."""
    import kfsr

    contents = [None if path is None else manifest.digest(path.read_bytes()) for path in files]
    return manifest.digest(json.dumps([kfsr.__version__, choices, contents], sort_keys=True).encode())[:16]


def _load_kernel(path: Path | None, scale: int) -> Kernel | None:
    if path is None:
        return None
    from kfsr.kernel import load_kernel

    return load_kernel(path, scale)


def _tell(outcome: Outcome[Result | None], console: Console) -> None:
    if outcome.error is not None:
        print_failure(outcome.error, outcome.job.source_name)
        return
    if outcome.value is None:
        console.note(f"{outcome.job.source_name}: skipped, {outcome.job.target_name} is finished")
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


def _record(outcome: Outcome[Result | None], kernel_file: Path | None, saved_kernel: Path | None) -> dict[str, Any]:
    """The report of one picture: done or failed, with what was measured on the way."""
    record: dict[str, Any] = {
        "input": outcome.job.source_name,
        "output": outcome.job.target_name,
        "status": "failed" if outcome.error is not None else "done" if outcome.value is not None else "skipped",
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
