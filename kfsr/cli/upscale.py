"""`kfsr upscale`."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kfsr.cli import options, output, shared_kernel, spread
from kfsr.cli.console import Console
from kfsr.cli.kernel import check_kernel_name, kernel_name_in_folder
from kfsr.cli.status import conclude_run, guarded
from kfsr.cli.upscale_task import UpscaleTask, record, tell
from kfsr.errors import UsageError
from kfsr.runs import manifest
from kfsr.runs import plan as batch
from kfsr.runs.inputs import STREAM, Source
from kfsr.runs.plan import Job

if TYPE_CHECKING:
    from kfsr.kernel import Kernel

NAME = "{stem}_x{scale}{ext}"


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
    kernel_from: Annotated[
        list[str] | None,
        typer.Option(
            "--kernel-from",
            metavar="PATH",
            help="Find one kernel from this picture or folder of pictures, for all inputs: of the same scanner, camera "
            "or resize. Can be given several times.",
            show_default=False,
        ),
    ] = None,
    kernel_init: options.KernelInitOption = options.KernelInit.spectral,
    refine: options.RefineOption = None,
    joint: Annotated[
        bool,
        typer.Option(
            "--joint",
            help="With kernelfusion: the picture it finds with the kernel, nothing solved; for small pictures.",
        ),
    ] = False,
    solver: Annotated[
        options.Solver, typer.Option("--solver", help="How the picture is made once the kernel is known.")
    ] = options.Solver.unrolled,
    weights: options.WeightsOption = None,
    uncertainty: options.UncertaintyOption = None,
    preset: options.PresetOption = options.Preset.balanced,
    device: options.DeviceOption = options.Device.auto,
    seed: options.SeedOption = 0,
    threads: options.ThreadsOption = None,
    workers: options.WorkersOption = 1,
    save_kernel: Annotated[
        str | None,
        typer.Option("--save-kernel", metavar="PATH", help="Keep the kernel: a file, or with several inputs a folder."),
    ] = None,
    quality: options.QualityOption = 95,
    strip: Annotated[
        bool, typer.Option("--strip", help="Leave EXIF and XMP out of the results; colour profile and DPI stay.")
    ] = False,
    max_pixels: options.MaxPixelsOption = None,
    max_memory: options.MaxMemoryOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what would be done, and roughly what time and memory it would take."),
    ] = False,
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

    kernel_sources = shared_kernel.find_pictures(kernel_from or [], recursive, kernel_file, kernel_method)
    named = [one.path for one in kernel_sources if one.under is None]
    keep = [path for path in (kernel_file, weights, *named) if path is not None]
    rename = partial(_upscaled_name, template=name, scale=scale)
    sources = output.find_inputs(inputs or [], files_from, recursive)
    jobs = batch.plan(sources, output_path, rename, check_name=format_by_suffix, keep=keep, prepare=not dry_run)
    kernel_paths = _plan_kernels(jobs, save_kernel, keep, prepare=not dry_run)
    kernel_pictures = shared_kernel.originals(kernel_sources, jobs, output_path)
    if any(job.target is None for job in jobs) and not dry_run:
        if as_json:
            raise UsageError("--json and the picture both want standard output; give the picture a file with -o")
        output.refuse_terminal("a picture")
    spread.check_workers(workers, jobs)
    console = Console(quiet)
    place = options.use_torch(device, threads)
    method = str(kernel_method or options.KernelMethod.auto)
    pipeline.check_solver(str(solver), weights, uncertainty, place)
    if joint:
        found = method if kernel_file is None and not kernel_from else None
        pipeline.check_joint(found, str(solver), refine=refine, weights=weights, uncertainty=uncertainty)
    if kernel_file is None:
        pipeline.check_kernel_method(method, str(kernel_init))
    elif kernel_init is not options.KernelInit.spectral:
        raise UsageError("--kernel gives the kernel, --kernel-init is for finding one; leave one of them out")
    choices: dict[str, Any] = {
        "scale": scale,
        "kernel_method": method,
        "kernel_init": str(kernel_init),
        "refine": refine,
        "joint": joint,
        "solver": str(solver),
        "uncertainty": uncertainty,
        "preset": str(preset),
        "seed": seed,
    }
    files = [kernel_file, weights, *kernel_pictures]
    with console.session():
        task = UpscaleTask(
            # A shared kernel gets its fine form once, from all its pictures together.
            arguments={**choices, "weights": weights, "device": place, "max_memory": max_memory}
            | ({"refine": None} if kernel_pictures else {}),
            kernel=_load_kernel(kernel_file, scale),
            kernel_paths=kernel_paths,
            quality=quality,
            strip=strip,
            max_pixels=max_pixels,
            settings=_digest_of({**choices, "quality": quality, "strip": strip}, files),
            listed=skip_existing or len(jobs) > 1,
        )
        if skip_existing:
            task = replace(task, finished=frozenset(job for job in jobs if task.is_finished(job)))
        if dry_run:
            from kfsr.cli import dry_run as plan
            from kfsr.cost.model import Choice

            found = None if kernel_file or kernel_pictures else method
            choice = Choice(scale, str(preset), method, found is not None, refine, str(solver), joint)
            return plan.report(plan.Plan(jobs, task, kernel_pictures, choice, workers), as_json, console)
        if kernel_pictures and len(task.finished) < len(jobs):
            wanted = {name: choices[name] for name in ("scale", "refine", "preset", "seed")}
            wanted |= {"method": method, "init": str(kernel_init), "device": place}
            task = replace(task, kernel=shared_kernel.estimate(kernel_pictures, wanted, max_pixels, console))
        batch.tidy([*(job.target for job in jobs if job.target is not None), *kernel_paths.values()])
        busy = len(jobs) - len(task.finished)
        console.begin(busy)
        errors: list[Exception | None] = []
        with (
            spread.shared_turns(place, workers) as turns,
            closing(spread.run(jobs, replace(task, turns=turns), workers, busy, place, console)) as outcomes,
        ):
            for outcome in outcomes:
                console.close()
                console.subject = ""
                if outcome.job not in task.finished:
                    console.advance()
                tell(outcome, console)
                if as_json:
                    with console.clear():
                        output.write_record(
                            record(outcome, kernel_file or kernel_paths.get(outcome.job), task.settings)
                        )
                errors.append(outcome.error)
    if len(jobs) > 1:
        output.sum_up(console, errors, as_json, len(task.finished))
    return conclude_run(errors)


def _upscaled_name(source: Path, template: str, scale: int) -> str:
    from kfsr.image import supported_formats

    known = {suffix for suffixes in supported_formats().values() for suffix in suffixes}
    ext = source.suffix if source.suffix.lower() in known else ".png"
    try:
        name = template.format(stem=source.stem, ext=ext, scale=scale)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UsageError(f"--name {template}: only {{stem}}, {{scale}} and {{ext}} are filled in") from error
    if Path(name).name != name:
        raise UsageError(f"--name {template}: a name and not a path; the folder is for -o")
    return name


def _plan_kernels(jobs: list[Job], place: str | None, keep: list[Path], prepare: bool) -> dict[Job, Path]:
    if place is None:
        return {}
    if place == STREAM:
        raise UsageError("--save-kernel needs a file; `kfsr kernel` writes kernels to standard output")
    keep = [*keep, *(job.target for job in jobs if job.target is not None)]
    sources = [Source(job.source, job.under) for job in jobs]
    plan = batch.plan(sources, place, kernel_name_in_folder, check_name=check_kernel_name, keep=keep, prepare=prepare)
    return {job: one.target for job, one in zip(jobs, plan, strict=True) if one.target is not None}


def _digest_of(choices: dict[str, Any], files: list[Path | None]) -> str:
    """Digest of all that decides what a picture becomes: the options, the files given, this version."""
    import kfsr

    contents = [None if path is None else manifest.digest_of_file(path) for path in files]
    return manifest.digest(json.dumps([kfsr.__version__, choices, contents], sort_keys=True).encode())[:16]


def _load_kernel(path: Path | None, scale: int) -> Kernel | None:
    if path is None:
        return None
    from kfsr.kernel import load_kernel

    return load_kernel(path, scale)
