"""The page of a data set that knows the truth: the worst first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kfsr
from kfsr.evaluation.bench import Shown
from kfsr.report.page import Card, page
from kfsr.report.pictures import flat, kernel_file, shot_of
from kfsr.report.results import KIND_OF, write_page

_FACTS = {
    "psnr": ("PSNR", "{:.2f} dB"),
    "bicubic": ("before", "{:.2f} dB"),
    "ssim": ("SSIM", "{:.4f}"),
    "ncc": ("kernel NCC", "{:.4f}"),
    "ncc_shift2": ("within 2 px", "{:.4f}"),
    "size_ratio": ("kernel size", "{:.2f} of the true one"),
}


def card_of(shown: Shown, count: int) -> tuple[float, Card]:
    """What the page shows of one picture among `count`, and how well it did: the lowest come first."""
    row, scale = shown.row, shown.kernel.scale
    before = "before" if scale == 1 else "bicubic"
    values = row.as_dict()
    facts = [(name, form.format(values[key])) for key, (name, form) in _FACTS.items() if values[key] is not None]
    facts.append(("kernel by", row.kernel_method))
    facts.append(("time", f"{row.kernel_seconds + (row.picture_seconds or 0):.1f} s"))
    kernels = [("kernel", kernel_file(shown.kernel.array))]
    if shown.true_kernel is not None:
        kernels.append(("true kernel", kernel_file(shown.true_kernel.array)))
    shot = None
    if shown.result is not None and shown.truth is not None and shown.low_res is not None:
        layers = [("kfsr", flat(shown.result)), ("truth", flat(shown.truth))]
        shot = shot_of(layers, flat(shown.low_res), count, before)
    if row.gain is not None:
        words, rank = f"{row.gain:+.2f} dB over {'the picture as it is' if scale == 1 else before}", row.gain
    elif row.ncc is not None:
        words, rank = f"kernel NCC {row.ncc:.4f}", row.ncc
    else:
        words, rank = "no truth to compare with", math.inf
    kind = "done" if row.verdict is None else KIND_OF.get(row.verdict, "done")
    return rank, Card(row.name, kind, words, facts, kernels, (), shot)


def failure(name: str, error: str) -> tuple[float, Card]:
    """The same of a picture that could not be scored."""
    return -math.inf, Card(name, "failed", error)


def write_scores(ranked: Sequence[tuple[float, Card]], summary: dict[str, Any], place: Path, title: str) -> None:
    """Write the page to `place`. summary: of the data set, as `bench.summary` makes it. OutputError."""
    words = [f"{len(ranked)} picture{'s'[: len(ranked) != 1]}, the worst first"]
    if "mean_gain" in summary:
        words.append(f"mean gain {summary['mean_gain']:+.2f} dB, least {summary['least_gain']:+.2f} dB")
    if "mean_ncc" in summary:
        words.append(f"mean kernel NCC {summary['mean_ncc']:.4f}")
    cards = [card for _, card in sorted(ranked, key=lambda one: one[0])]
    text = "; ".join(words) + f". kfsr {kfsr.__version__}."
    write_page(place, page(title, text, cards, place, ordered=True))
