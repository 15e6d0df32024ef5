"""`kfsr bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import kfsr.estimators.registry as estimators
from kfsr.cli import options
from kfsr.cli.command import command
from kfsr.cli.console import Console
from kfsr.cli.outcomes import versions
from kfsr.cli.status import conclude_run
from kfsr.cli.streams import Streams, describe
from kfsr.recipe import Recipe
from kfsr.runs.engine import progress_of

if TYPE_CHECKING:
    from kfsr.evaluation.bench import Row

TRUE = "true"
"""The kernel method that takes the data set's own kernels."""

_HEAD = "name       NCC    +-2px   size     dB  bicubic   gain  kernel s  picture s  gate       kernel by"


@command("scale", "refine", "solver", "weights", "uncertainty", "preset", "seed")
def bench(
    streams: Streams,
    *,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Data set: lr_xN/, and gt/ and gt_k_xN/ for the truths.")
    ],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these pictures.", show_default="all")
    ] = None,
    kernel_method: Annotated[
        str | None,
        typer.Option(
            "--kernel-method",
            help="How the kernels are found; true takes the data set's.",
            show_default="auto",
            **options.one_of((*estimators.names(), TRUE)),
        ),
    ] = None,
    recipe: Recipe,
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
            help="Read kernels from here (NAME.npz); missing ones are found and saved here.",
        ),
    ] = None,
    truncated: Annotated[
        bool, typer.Option("--truncated", help="The files were truncated, not rounded (DIV2KRK): add 0.5.")
    ] = False,
    device: options.DeviceOption = "auto",
    threads: options.ThreadsOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> int:
    """Score the kernels and pictures of a data set, and print the table.

    The kernel is learned from the whole low-resolution picture, the central window is upscaled, and 16 pixels
    on each side of it are left out of the score. With --json one record per picture, and one for the summary.
    """
    import torch

    from kfsr import pipeline
    from kfsr.evaluation import bench as engine

    true_kernel = kernel_method == TRUE
    recipe = Recipe.make(recipe, kernel_method=None if true_kernel else kernel_method)
    cases = engine.find_cases(folder, recipe.scale, names or [])
    if kernels is not None:
        kernels.mkdir(parents=True, exist_ok=True)
    console = Console(streams, quiet)
    place = options.device_named(device)
    if threads is not None:
        torch.set_num_threads(threads)
    pipeline.check(recipe, place)
    rows: list[Row] = []
    errors: list[Exception | None] = []
    if not as_json:
        streams.write_text(_HEAD)
    with console.session():
        for case in cases:
            try:
                row = engine.run_case(
                    case,
                    recipe,
                    true_kernel=true_kernel,
                    device=place,
                    window=window,
                    pictures=not kernels_only,
                    truncated=truncated,
                    kernels=kernels,
                    progress=progress_of(case.name, console.on_event),
                )
            except Exception as error:
                errors.append(error)
                console.failure(error, case.name)
                if as_json:
                    streams.write_record({"name": case.name, "error": describe(error)})
                continue
            rows.append(row)
            errors.append(None)
            if as_json:
                streams.write_record(row.as_dict())
            else:
                streams.write_text(_line(row))
    total = engine.summary(rows)
    if as_json:
        streams.write_record({"summary": total, "versions": versions()})
    else:
        for key, value in total.items():
            streams.write_text(f"{key:<22} {value:.4g}" if key == "pictures" else f"{key:<22} {value:.4f}")
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
