"""`kfsr bench`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kfsr.cli import options, output
from kfsr.cli.console import Console
from kfsr.cli.status import conclude_run, describe, guarded, print_failure

if TYPE_CHECKING:
    from kfsr.evaluation.bench import Row


class BenchKernel(StrEnum):
    """Where the kernels come from: a method, or the data set's own truth."""

    auto = "auto"
    spectral = "spectral"
    ikl = "ikl"
    edges = "edges"
    kernelfusion = "kernelfusion"
    bicubic = "bicubic"
    true = "true"


_HEAD = "name       NCC    +-2px   size     dB  bicubic   gain  kernel s  picture s  gate       kernel by"


@guarded
def bench(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Data set: lr_xN/, and gt/ and gt_k_xN/ for the truths.")
    ],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these pictures.", show_default="all")
    ] = None,
    scale: options.ScaleOption = 2,
    kernel_method: Annotated[
        BenchKernel, typer.Option("--kernel-method", help="true takes the data set's kernels.")
    ] = BenchKernel.auto,
    refine: options.RefineOption = None,
    solver: Annotated[options.Solver, typer.Option("--solver")] = options.Solver.unrolled,
    weights: options.WeightsOption = None,
    uncertainty: options.UncertaintyOption = None,
    preset: options.PresetOption = options.Preset.balanced,
    window: Annotated[
        int, typer.Option("--window", metavar="N", min=0, help="Side of the scored window; 0 is all.")
    ] = 768,
    kernels_only: Annotated[
        bool, typer.Option("--kernels-only", help="Score the kernels and make no pictures.")
    ] = False,
    kernels: Annotated[
        Path | None,
        typer.Option(
            "--kernels",
            metavar="FOLDER",
            help="Take kernels from here (NAME.npz); missing ones are kept here.",
        ),
    ] = None,
    truncated: Annotated[
        bool, typer.Option("--truncated", help="The files were truncated, not rounded (DIV2KRK): add 0.5.")
    ] = False,
    device: options.DeviceOption = options.Device.auto,
    seed: options.SeedOption = 0,
    threads: options.ThreadsOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> int:
    """Score the kernels and pictures of a data set, and print the table.

    The kernel is learned from the whole low-resolution picture, the central window is upscaled, and 16 pixels
    on each side of it are left out of the score. With --json one record per picture, and one for the summary.
    """
    from kfsr import pipeline
    from kfsr.evaluation import bench as engine
    from kfsr.recipe import Recipe

    true_kernel = kernel_method is BenchKernel.true
    recipe = Recipe.make(
        scale=scale,
        kernel_method=None if true_kernel else str(kernel_method),
        refine=refine,
        solver=str(solver),
        weights=weights,
        uncertainty=uncertainty,
        preset=str(preset),
        seed=seed,
    )
    cases = engine.find_cases(folder, scale, names or [])
    if kernels is not None:
        kernels.mkdir(parents=True, exist_ok=True)
    console = Console(quiet)
    place = options.use_torch(device, threads)
    pipeline.check(recipe, place)
    rows: list[Row] = []
    errors: list[Exception | None] = []
    if not as_json:
        output.write_text(_HEAD)
    with console.session():
        for case in cases:
            console.subject = case.name
            try:
                row = engine.run_case(
                    case,
                    recipe,
                    true_kernel=true_kernel,
                    window=window,
                    pictures=not kernels_only,
                    truncated=truncated,
                    kernels=kernels,
                    device=place,
                    progress=console.progress,
                )
            except Exception as error:
                console.close()
                errors.append(error)
                print_failure(error, case.name)
                if as_json:
                    output.write_record({"name": case.name, "error": describe(error)})
                continue
            console.close()
            rows.append(row)
            errors.append(None)
            if as_json:
                output.write_record(row.as_dict())
            else:
                output.write_text(_line(row))
    total = engine.summary(rows)
    if as_json:
        output.write_record({"summary": total, "versions": output.versions()})
    else:
        for key, value in total.items():
            output.write_text(f"{key:<22} {value:.4g}" if key == "pictures" else f"{key:<22} {value:.4f}")
    return conclude_run(errors)


def _line(row: Row) -> str:
    gain = None if row.psnr is None or row.bicubic is None else row.psnr - row.bicubic
    cells: list[tuple[Any, str]] = [
        (row.ncc, "7.4f"),
        (row.ncc_shift2, "7.4f"),
        (row.size_ratio, "5.2f"),
        (row.psnr, "6.2f"),
        (row.bicubic, "7.2f"),
        (gain, "+6.2f"),
        (row.kernel_seconds, "8.1f"),
        (row.picture_seconds, "10.1f"),
    ]
    texts = [
        "-".rjust(int(form.strip("+").split(".")[0])) if value is None else format(value, form) for value, form in cells
    ]
    return f"{row.name:<8}" + "  ".join(texts) + f"  {row.verdict or '-':<9}  {row.kernel_method}"
