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
from kfsr.cli.parsers import one_of
from kfsr.cli.report import ReportOption, checked_place
from kfsr.cli.status import conclude_run
from kfsr.cli.streams import Streams, describe
from kfsr.recipe import Recipe
from kfsr.runs.engine import progress_of

if TYPE_CHECKING:
    from kfsr.evaluation.bench import Row, Shown
    from kfsr.report.page import Card

TRUE = "true"
"""The kernel method that takes the data set's own kernels."""

_COLUMNS = {
    "ncc": ("NCC", "7.4f"),
    "ncc_shift2": ("+-2px", "7.4f"),
    "size_ratio": ("size", "5.2f"),
    "psnr": ("dB", "6.2f"),
    "ssim": ("SSIM", "6.4f"),
    "bicubic": ("bicubic", "7.2f"),
    "lanczos": ("Lanczos", "7.2f"),
    "gain": ("gain", "+6.2f"),
    "gain_lanczos": ("over L.", "+7.2f"),
    "kernel_seconds": ("kernel s", "8.1f"),
    "picture_seconds": ("picture s", "9.1f"),
}
"""Title and form of each number of a row."""

_KIND_COLUMNS = {
    "pictures": ("pictures", "8d"),
    "mean_psnr": ("dB", "6.2f"),
    "mean_ssim": ("SSIM", "6.4f"),
    "mean_bicubic": ("bicubic", "7.2f"),
    "mean_lanczos": ("Lanczos", "7.2f"),
    "mean_gain": ("gain", "+6.2f"),
    "least_gain": ("least", "+6.2f"),
    "below_bicubic": ("below", "5d"),
    "mean_gain_lanczos": ("over L.", "+7.2f"),
    "least_gain_lanczos": ("least", "+6.2f"),
    "worst": ("", ""),
}
"""The same for the summary of a kind; the worst picture comes last."""


_ENLARGED = ("lanczos", "gain_lanczos", "mean_lanczos", "mean_gain_lanczos", "least_gain_lanczos")
"""What there is of enlarged pictures alone."""


def _columns(columns: dict[str, tuple[str, str]], scale: int) -> dict[str, tuple[str, str]]:
    """Those of a scale; at 1 it is the picture as it is that a result is compared with."""
    if scale > 1:
        return columns
    kept = {name: column for name, column in columns.items() if name not in _ENLARGED}
    return {name: (title.replace("bicubic", "as it is"), form) for name, (title, form) in kept.items()}


@command("scale", "refine", "solver", "weights", "strength", "denoise", "uncertainty", "preset", "seed")
def bench(
    streams: Streams,
    *,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="Data set: lr_xN/, and gt/ and gt_k_xN/ for the truths; pictures of any format."
        ),
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
            **one_of((*estimators.names(), TRUE)),
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
    profile: Annotated[
        bool, typer.Option("--profile", help="Also say where the time goes: seconds a picture for each stage.")
    ] = False,
    report: ReportOption = None,
    device: options.DeviceOption = "auto",
    threads: options.ThreadsOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> int:
    """Score the kernels and pictures of a data set, and print the table.

    The kernel is learned from the whole low-resolution picture, the central window is upscaled, and 16 pixels on each
    side of it (32 at scale 1) are left out of the score. Scores are of the Y channel; below_bicubic counts the pictures
    that lose more than 0.1 dB. At scale 1 a result is compared with the picture as it is, not with bicubic. Pictures
    called phone_1, phone_2, web_1 are summed up by kind too. With --json one record per picture, and one for the
    summary.
    """
    import torch

    from kfsr import pipeline
    from kfsr.evaluation import bench as engine

    true_kernel = kernel_method == TRUE
    recipe = Recipe.make(recipe, kernel_method=None if true_kernel else kernel_method)
    place = options.device_named(device)
    pipeline.check(recipe, place)
    cases = engine.find_cases(folder, recipe.scale, names or [])
    if kernels is not None:
        kernels.mkdir(parents=True, exist_ok=True)
    console = Console(streams, quiet)
    if threads is not None:
        torch.set_num_threads(threads)
    columns, kind_columns = _columns(_COLUMNS, recipe.scale), _columns(_KIND_COLUMNS, recipe.scale)
    page = None if report is None else checked_place(report)
    ranked: list[tuple[float, Card]] = []
    rows: list[Row] = []
    errors: list[Exception | None] = []
    width = max(7, *(len(case.name) for case in cases))
    if not as_json:
        streams.write_text(f"{_titles('name', columns, width)}  {'gate':<9}  kernel by")

    def show(shown: Shown) -> None:
        from kfsr.report.scores import card_of

        ranked.append(card_of(shown, len(cases)))

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
                    show=None if page is None else show,
                )
            except Exception as error:
                errors.append(error)
                console.failure(error, case.name)
                if page is not None:
                    from kfsr.report.scores import failure

                    ranked.append(failure(case.name, describe(error)))
                if as_json:
                    streams.write_record({"name": case.name, "error": describe(error)})
                continue
            rows.append(row)
            errors.append(None)
            if as_json:
                streams.write_record(row.as_dict())
            else:
                line = _cells(row.name, row.as_dict(), columns, width)
                streams.write_text(f"{line}  {row.verdict or '-':<9}  {row.kernel_method}")
    total, kinds = engine.summary(rows), engine.by_kind(rows)
    times = engine.profile(rows) if profile else {}
    if as_json:
        told = {"profile": times} if profile else {}
        streams.write_record({"summary": total, "kinds": kinds} | told | {"versions": versions()})
    else:
        for key, value in total.items():
            streams.write_text(f"{key:<22} {value:.4f}" if isinstance(value, float) else f"{key:<22} {value}")
        if kinds:
            width = max(map(len, kinds))
            streams.write_text(_titles("kind", kind_columns, width) + "worst")
        for kind, numbers in kinds.items():
            streams.write_text(_cells(kind, numbers, kind_columns, width))
        _write_profile(streams, times)
    if page is not None:
        from kfsr.report.scores import write_scores

        write_scores(ranked, total, page, f"kfsr bench: {folder.resolve().name}, scale {recipe.scale}")
        console.note(f"report: {page}")
    return conclude_run(errors)


def _write_profile(streams: Streams, times: dict[str, Any]) -> None:
    stages = times.get("stages", {})
    whole = sum(stages.values())
    width = max(map(len, stages), default=0)
    for n, (stage, seconds) in enumerate(stages.items()):
        if n == 0:
            streams.write_text(f"{'stage':<{width}}  s a picture  share")
        streams.write_text(f"{stage:<{width}}  {seconds:11.3f}  {seconds / whole:5.0%}")
    if (rate := times.get("solver_seconds_per_megapixel")) is not None:
        streams.write_text(f"solver: {rate:.2f} s a megapixel of result")


def _titles(first: str, columns: dict[str, tuple[str, str]], width: int) -> str:
    return "  ".join([f"{first:<{width}}", *(title.rjust(_width(form)) for title, form in columns.values())])


def _cells(first: str, numbers: dict[str, Any], columns: dict[str, tuple[str, str]], width: int) -> str:
    cells = [
        "-".rjust(_width(form)) if numbers.get(key) is None else format(numbers[key], form)
        for key, (_, form) in columns.items()
    ]
    return "  ".join([f"{first:<{width}}", *cells])


def _width(form: str) -> int:
    return int(form.strip("+df").split(".")[0] or 0)
