"""Scores of pictures against their truths: which belongs to which, and how close they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kfsr.errors import InputError, KfsrError
from kfsr.evaluation.metrics import psnr_y, ssim_y
from kfsr.evaluation.niqe import niqe
from kfsr.image import read_image, readable_formats

_ENDING = re.compile(r"_(x\d|sharp)$")
"""What `kfsr upscale` and `kfsr deblur` put at the end of a result's name."""


@dataclass(frozen=True)
class Score:
    """y_psnr in dB (infinite for equal pictures) and y_ssim, both on the Y channel."""

    y_psnr: float
    y_ssim: float

    def as_dict(self) -> dict[str, float]:
        """Both numbers under their names."""
        return asdict(self)


def pair(results: Path, truths: Path) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """Which truth belongs to which result: (pairs, results that have none).

    Two files are a pair. In two folders, a result belongs to the truth of the same name, whatever its ending; if there
    is none, to that of its name without what the commands put at its end: ``0801_x2.png`` and ``0801_sharp.png`` to
    ``0801.png``. Raises InputError when a path is missing, when one is a file and the other a folder, when two truths
    have one name, or when nothing pairs.
    """
    for path in (results, truths):
        if not path.exists():
            raise InputError(f"{path}: no such file or folder; check the name")
    if results.is_dir() != truths.is_dir():
        raise InputError(f"{results} and {truths}: give two files or two folders")
    if not results.is_dir():
        return [(results, truths)], []
    by_name: dict[str, Path] = {}
    for path in pictures_in(truths):
        if path.stem in by_name:
            raise InputError(f"{by_name[path.stem]} and {path} are both a truth for {path.stem}; keep one of them")
        by_name[path.stem] = path
    pairs, alone = [], []
    for path in pictures_in(results):
        truth = by_name.get(path.stem) or by_name.get(_ENDING.sub("", path.stem))
        if truth is None:
            alone.append(path)
        else:
            pairs.append((path, truth))
    if not pairs:
        raise InputError(f"{results} and {truths}: no two pictures have the same name, with or without a final _x2")
    return pairs, alone


def score(result: Path, truth: Path, border: int = 0) -> Score:
    """Score of one picture, `border` pixels on every side left out.

    Raises InputError naming the files when one cannot be read or their sizes differ, and UsageError when the
    border leaves too little.
    """
    a, b = read_image(result), read_image(truth)
    try:
        return Score(psnr_y(a.pixels, b.pixels, border), ssim_y(a.pixels, b.pixels, border))
    except KfsrError as error:
        raise type(error)(f"{result} and {truth}: {error}") from error


def score_without_truth(result: Path, border: int = 0) -> float:
    """NIQE of one picture (`kfsr.evaluation.niqe.niqe`); errors name the file."""
    pixels = read_image(result).pixels
    try:
        return niqe(pixels, border)
    except InputError as error:
        raise InputError(f"{result}: {error}") from error


def mean(scores: Sequence[Score]) -> Score:
    """The mean of each number over at least one score."""
    return Score(sum(one.y_psnr for one in scores) / len(scores), sum(one.y_ssim for one in scores) / len(scores))


def pictures(path: Path) -> list[Path]:
    """The picture, or all in a folder; InputError when there is none."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the name")
    found = pictures_in(path) if path.is_dir() else [path]
    if not found:
        raise InputError(f"{path}: there is no picture in this folder")
    return found


def pictures_in(folder: Path) -> list[Path]:
    """The files of a folder whose endings are those of readable formats, sorted; not those of its sub-folders."""
    known = {suffix for suffixes in readable_formats().values() for suffix in suffixes}
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in known and path.is_file())
