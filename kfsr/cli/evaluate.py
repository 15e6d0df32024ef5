"""`kfsr evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kfsr.cli import options
from kfsr.cli.command import command
from kfsr.cli.console import Console
from kfsr.cli.status import conclude_run
from kfsr.cli.streams import Streams, describe
from kfsr.errors import UsageError
from kfsr.runs.events import OnEvent
from kfsr.runs.executors import Serial
from kfsr.runs.plan import Job


@command()
def evaluate(
    streams: Streams,
    result: Annotated[
        Path | None,
        typer.Argument(metavar="RESULT", help="A picture, or a folder of them.", show_default=False),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Argument(metavar="TRUTH", help="The true picture, or a folder.", show_default=False),
    ] = None,
    border: Annotated[int, typer.Option("--border", metavar="N", min=0, help="Pixels to leave out on every side.")] = 0,
    kernel: Annotated[Path | None, typer.Option("--kernel", "-k", metavar="FILE", help="An estimated kernel.")] = None,
    kernel_truth: Annotated[
        Path | None,
        typer.Option("--kernel-truth", metavar="FILE", help="The true kernel to compare it with."),
    ] = None,
    scale: Annotated[
        int | None, typer.Option("--scale", "-s", metavar="N", min=1, max=4, help="Scale of the kernels.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per pair, and one for the mean or the kernels.")
    ] = False,
    quiet: options.QuietOption = False,
) -> int:
    """Score pictures and kernels against the truth.

    Pictures: Y-PSNR and SSIM, per pair and on average. In folders, 0801_x2.png is compared with 0801_x2.png
    or 0801.png, and 0801_sharp.png likewise. Without a TRUTH: NIQE, lower is better, which needs basicsr. Kernels: NCC,
    NCC within 2 pixels, NCC with the truth turned by 180 degrees, and the ratio of sizes. The table is on
    standard output.
    """
    if (kernel is None) != (kernel_truth is None) or (kernel is not None and scale is None):
        raise UsageError("to compare kernels, all of --kernel, --kernel-truth and --scale are needed")
    if result is None and kernel is None:
        raise UsageError("nothing to compare; give RESULT, or --kernel and --kernel-truth")
    console = Console(streams, quiet)
    status = 0
    with console.session():
        if result is not None:
            status = _evaluate_pictures(result, truth, border, as_json, console)
        if kernel is not None and kernel_truth is not None and scale is not None:
            _evaluate_kernels(kernel, kernel_truth, scale, as_json, streams)
    return status


_COLUMNS = {"y_psnr": ("Y-PSNR dB", "9.3f"), "y_ssim": ("SSIM", "6.4f"), "niqe": ("NIQE", "6.3f")}
"""Title and form of each score."""


def _evaluate_pictures(result: Path, truth: Path | None, border: int, as_json: bool, console: Console) -> int:
    """One row for each picture, and one for their mean."""
    from kfsr.evaluation import pairs as evaluation
    from kfsr.evaluation.niqe import need_basicsr

    truths: dict[Path, Path] = {}
    if truth is None:
        found = evaluation.pictures(result)
        need_basicsr()
    else:
        pairs, alone = evaluation.pair(result, truth)
        if alone:
            names = ", ".join(path.name for path in alone[:5]) + (", ..." if len(alone) > 5 else "")
            console.warning(f"{len(alone)} of {len(pairs) + len(alone)} pictures have no truth: {names}")
        truths = dict(pairs)
        found = list(truths)

    def work(job: Job, on_event: OnEvent) -> dict[str, float]:
        path = Path(job.source_name)
        if path in truths:
            return evaluation.score(path, truths[path], border).as_dict()
        return {"niqe": evaluation.score_without_truth(path, border)}

    width = max(12, *(len(path.name) for path in found))
    scores: list[dict[str, float]] = []
    errors: list[Exception | None] = []
    for outcome in Serial().run([Job(path, None) for path in found], work, console.on_event):
        errors.append(outcome.error)
        name = outcome.job.source_name
        record = {"result": name} | ({"truth": str(truths[Path(name)])} if truths else {}) | {"status": outcome.status}
        if outcome.error is not None:
            console.failure(outcome.error, name)
            record["error"] = describe(outcome.error)
        if as_json:
            console.streams.write_record(record | (outcome.value or {}))
        if outcome.value is not None:
            if not as_json and not scores:
                titles = (_COLUMNS[key] for key in outcome.value)
                cells = [title.rjust(int(form.split(".")[0])) for title, form in titles]
                console.streams.write_text("  ".join([f"{'picture':<{width}}", *cells]))
            if not as_json:
                console.streams.write_text(_row(Path(name).name, outcome.value, width))
            scores.append(outcome.value)
    if scores:
        mean = {key: sum(one[key] for one in scores) / len(scores) for key in scores[0]}
        if as_json:
            console.streams.write_record({"mean_of": len(scores), **mean})
        else:
            console.streams.write_text(_row(f"mean of {len(scores)}", mean, width))
    return conclude_run(errors)


def _row(name: str, score: dict[str, float], width: int) -> str:
    return "  ".join([f"{name:<{width}}", *(format(value, _COLUMNS[key][1]) for key, value in score.items())])


def _evaluate_kernels(kernel: Path, truth: Path, scale: int, as_json: bool, streams: Streams) -> None:
    from kfsr.kernel import compare_kernels, load_kernel

    score = compare_kernels(load_kernel(kernel, scale), load_kernel(truth, scale))
    if as_json:
        about = {"kernel": str(kernel), "kernel_truth": str(truth), "scale": scale}
        streams.write_record(about | score.as_dict())
        return
    for name, value in (
        ("NCC", score.ncc),
        ("NCC within 2 px", score.ncc_shift2),
        ("NCC, truth turned by 180", score.ncc_flipped),
        ("size / true size", score.size_ratio),
    ):
        streams.write_text(f"{name:<25} {value:.4f}")
