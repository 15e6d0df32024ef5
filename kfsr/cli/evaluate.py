"""`kfsr evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kfsr.cli import options, output
from kfsr.cli.console import Console
from kfsr.cli.status import conclude_run, describe, guarded, print_failure
from kfsr.errors import UsageError
from kfsr.runs import plan as batch
from kfsr.runs.plan import Job, Outcome

if TYPE_CHECKING:
    from kfsr.evaluation.pairs import Score


@guarded
def evaluate(
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
        int | None, typer.Option("--scale", "-s", metavar="N", min=2, max=4, help="Scale of the kernels.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per pair, and one for the mean or the kernels.")
    ] = False,
    quiet: options.QuietOption = False,
) -> int:
    """Score pictures and kernels against the truth.

    Pictures: Y-PSNR and SSIM, per pair and on average. In folders, 0801_x2.png is compared with 0801_x2.png
    or 0801.png. Without a TRUTH: NIQE, lower is better, which needs basicsr. Kernels: NCC,
    NCC within 2 pixels, NCC with the truth turned by 180 degrees, and the ratio of sizes. The table is on
    standard output.
    """
    if (kernel is None) != (kernel_truth is None) or (kernel is not None and scale is None):
        raise UsageError("to compare kernels, all of --kernel, --kernel-truth and --scale are needed")
    if result is None and kernel is None:
        raise UsageError("nothing to compare; give RESULT, or --kernel and --kernel-truth")
    console = Console(quiet)
    status = 0
    with console.session():
        if result is not None and truth is not None:
            status = _evaluate_pictures(result, truth, border, as_json, console)
        elif result is not None:
            status = _evaluate_without_truth(result, border, as_json, console)
        if kernel is not None and kernel_truth is not None and scale is not None:
            _evaluate_kernels(kernel, kernel_truth, scale, as_json)
    return status


def _evaluate_pictures(result: Path, truth: Path, border: int, as_json: bool, console: Console) -> int:
    from kfsr.evaluation import pairs as evaluation

    pairs, alone = evaluation.pair(result, truth)
    if alone:
        names = ", ".join(path.name for path in alone[:5]) + (", ..." if len(alone) > 5 else "")
        console.warning(f"{len(alone)} of {len(pairs) + len(alone)} pictures have no truth: {names}")
    truths = dict(pairs)

    def work(job: Job) -> Score:
        found = Path(job.source_name)
        console.subject = job.source_name
        return evaluation.score(found, truths[found], border)

    width = max(12, *(len(found.name) for found, _ in pairs))
    outcomes: list[Outcome[Score]] = []
    for outcome in batch.run([Job(found, None) for found in truths], work):
        if outcome.value is not None and not as_json and all(one.value is None for one in outcomes):
            output.write_text(f"{'picture':<{width}}  Y-PSNR dB    SSIM")
        outcomes.append(outcome)
        _write_row(outcome, truths[Path(outcome.job.source_name)], width, as_json)
    scores = [one.value for one in outcomes if one.value is not None]
    if scores and as_json:
        output.write_record({"mean_of": len(scores), **evaluation.mean(scores).as_dict()})
    elif scores:
        output.write_text(_row(f"mean of {len(scores)}", evaluation.mean(scores), width))
    return conclude_run([one.error for one in outcomes])


def _evaluate_without_truth(result: Path, border: int, as_json: bool, console: Console) -> int:
    from kfsr.evaluation import pairs as evaluation
    from kfsr.evaluation.niqe import need_basicsr

    found = evaluation.pictures(result)
    need_basicsr()

    def work(job: Job) -> float:
        console.subject = job.source_name
        return evaluation.score_without_truth(Path(job.source_name), border)

    width = max(12, *(len(path.name) for path in found))
    outcomes: list[Outcome[float]] = []
    for outcome in batch.run([Job(path, None) for path in found], work):
        if outcome.value is not None and not as_json and all(one.value is None for one in outcomes):
            output.write_text(f"{'picture':<{width}}    NIQE")
        outcomes.append(outcome)
        name = outcome.job.source_name
        if outcome.error is not None:
            print_failure(outcome.error, name)
        if as_json and outcome.error is not None:
            output.write_record({"result": name, "status": "failed", "error": describe(outcome.error)})
        elif as_json:
            output.write_record({"result": name, "status": "done", "niqe": outcome.value})
        elif outcome.value is not None:
            output.write_text(f"{Path(name).name:<{width}}  {outcome.value:6.3f}")
    scores = [one.value for one in outcomes if one.value is not None]
    if scores and as_json:
        output.write_record({"mean_of": len(scores), "niqe": sum(scores) / len(scores)})
    elif scores:
        output.write_text(f"{f'mean of {len(scores)}':<{width}}  {sum(scores) / len(scores):6.3f}")
    return conclude_run([one.error for one in outcomes])


def _write_row(outcome: Outcome[Score], truth: Path, width: int, as_json: bool) -> None:
    if outcome.error is not None:
        print_failure(outcome.error, outcome.job.source_name)
    if as_json:
        record = {"result": outcome.job.source_name, "truth": str(truth)}
        if outcome.error is not None:
            output.write_record({**record, "status": "failed", "error": describe(outcome.error)})
        elif outcome.value is not None:
            output.write_record({**record, "status": "done", **outcome.value.as_dict()})
    elif outcome.value is not None:
        output.write_text(_row(Path(outcome.job.source_name).name, outcome.value, width))


def _row(name: str, score: Score, width: int) -> str:
    return f"{name:<{width}}  {score.y_psnr:9.3f}  {score.y_ssim:.4f}"


def _evaluate_kernels(kernel: Path, truth: Path, scale: int, as_json: bool) -> None:
    from kfsr.kernel import compare_kernels, load_kernel

    score = compare_kernels(load_kernel(kernel, scale), load_kernel(truth, scale))
    if as_json:
        about = {"kernel": str(kernel), "kernel_truth": str(truth), "scale": scale}
        output.write_record(about | score.as_dict())
        return
    for name, value in (
        ("NCC", score.ncc),
        ("NCC within 2 px", score.ncc_shift2),
        ("NCC, truth turned by 180", score.ncc_flipped),
        ("size / true size", score.size_ratio),
    ):
        output.write_text(f"{name:<25} {value:.4f}")
