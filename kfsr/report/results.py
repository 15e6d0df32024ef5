"""The page of a run's results."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import kfsr
from kfsr.errors import InputError, OutputError, UsageError
from kfsr.files import write_bytes
from kfsr.pipeline.gate import BICUBIC, CAUTIOUS, UNCHANGED
from kfsr.report.page import KINDS, MARK, Card, page
from kfsr.report.pictures import Shot, kernel_file, shot_of_files
from kfsr.report.words import done_in_words, found_in_words
from kfsr.runs.told import Told

KIND_OF = {BICUBIC: "interpolated", UNCHANGED: "unchanged", CAUTIOUS: "cautious"}
"""The gate's verdicts as kinds of cards; all others are "done"."""


def report_place(path: Path) -> Path:
    """Where a report goes: the file itself, or index.html in a folder. UsageError for another ending, OutputError where
    a file is in the way that is none of our reports, or there is no folder for it."""
    if path.is_dir():
        path = path / "index.html"
    elif path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{path}: a report is a page; give a name that ends in .html, or a folder that exists")
    if path.exists() and not _is_ours(path):
        raise OutputError(f"{path}: exists and is not a report of kfsr; give another name")
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise OutputError(f"{path}: nothing can be written into {nearest}; give another name")
    return path


def write_report(
    told: Sequence[Told], place: Path, title: str, progress: Callable[[int, int], None] = lambda *_: None
) -> None:
    """Write the page of these pictures to `place`, whose folder is made where there is none. OutputError."""
    cards = []
    for n, one in enumerate(told):
        cards.append(card_of(one, place.parent, len(told)))
        progress(n + 1, len(told))
    counts = Counter(card.kind for card in cards)
    words = ", ".join(f"{counts[kind]} {words}" for kind, words in KINDS.items() if counts[kind])
    seconds = sum(one.seconds or 0.0 for one in told)
    summary = f"{len(told)} picture{'s'[: len(told) != 1]}: {words}. {_time(seconds)} of work. kfsr {kfsr.__version__}."
    write_page(place, page(title, summary, cards, place))


def write_page(place: Path, data: bytes) -> None:
    """Write the file of a page; OutputError where that cannot be."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{place}: its folder cannot be made ({error.strerror})") from error
    write_bytes(place, data)


def card_of(one: Told, folder: Path, count: int) -> Card:
    """What the page shows of one picture among `count`. folder: the page's, which names start from."""
    name = _name(one.result, folder)
    source = one.source if one.source is not None and one.source.is_file() else None
    links = [("original", source)] if source is not None else []
    if one.status == "failed":
        error = one.error.removeprefix(f"{one.source}: ").removeprefix(f"{one.result}: ")
        return Card(name, "failed", error, _facts(one), links=links)
    scale = one.report.get("scale")
    shot: Shot | None = None
    try:
        shot = shot_of_files(one.result, source, count, scale)
    except InputError as error:
        missing = "the result is no longer there" if not one.result.is_file() else str(error)
        return Card(name, "failed", missing, _facts(one), links=links)
    links.insert(0, ("result", one.result))
    if one.status == "known":
        return Card(name, "known", "finished; nothing more was written down", (), (), links, shot)
    verdict = one.report.get("gate", {}).get("verdict")
    kind = KIND_OF.get(verdict, "done")
    kernels = [] if one.kernel is None else [("kernel", kernel_file(one.kernel))]
    return Card(name, kind, done_in_words(one.report), _facts(one), kernels, links, shot)


def _facts(one: Told) -> list[tuple[str, str]]:
    report = one.report
    facts = []
    if one.size is not None:
        pages = f", {report['pages']} pages" if report.get("pages") else ""
        facts.append(("size", f"{one.size[0]} x {one.size[1]} px{pages}"))
    if words := found_in_words(report):
        facts.append(("found", words))
    if kernel := report.get("kernel"):
        facts.append(("kernel by", kernel["method"]))
    if found := report.get("found"):
        noise, amount = found.get("noise"), found.get("sharpening_amount")
        facts.append(("noise", f"{noise:.1f} grey levels"))
        if amount:
            facts.append(("sharpened", f"by {100 * amount:.0f} %"))
    if one.seconds is not None:
        facts.append(("time", _time(one.seconds)))
    if one.source is None and one.status == "done":
        facts.append(("original", "not kept, so there is nothing to compare"))
    return facts


def _name(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{seconds / 3600:.1f} h"


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return MARK in file.read(2000)
    except OSError:
        return False
