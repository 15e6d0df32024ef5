"""Folders of clean photographs, and what training takes from them."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
FACTORS = (1.0, 0.7, 0.5)
LEAST = 144
"""Pixels a side: of the smallest picture that crops are taken from."""


def pictures_in(folders: list[Path]) -> list[Path]:
    """All pictures under the folders, in order."""
    return sorted(p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)


@lru_cache(maxsize=1000)
def shrunk_picture(path: Path, factor: float) -> Image.Image:
    """The photograph in RGB, `factor` as large."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    sides = (round(picture.width * factor), round(picture.height * factor))
    return picture if factor == 1 else picture.resize(sides, Image.Resampling.LANCZOS)


class Photographs:
    """Random crops of the pictures under some folders, each also at 0.7 and 0.5 of its size: sharper, other detail.

    Raises ValueError where none is large enough.
    """

    def __init__(self, folders: list[Path]) -> None:
        every = (np.asarray(shrunk_picture(path, factor)) for path in pictures_in(folders) for factor in FACTORS)
        self.pictures = [picture for picture in every if min(picture.shape[:2]) >= LEAST]
        shrunk_picture.cache_clear()
        if not self.pictures:
            raise ValueError(f"no picture of {LEAST} px or more under {', '.join(map(str, folders))}")
        areas = np.array([p.shape[0] * p.shape[1] for p in self.pictures], dtype=float) ** 0.7
        self.share = areas / areas.sum()

    def draw(self, count: int, crop: int, rng: np.random.Generator) -> np.ndarray:
        """(count, crop, crop, 3) float32 in [0, 1], turned and mirrored at random; of the pictures that are
        large enough, which all are for a crop up to `LEAST`."""
        out, share = [], self.share
        if crop > LEAST:
            share = share * [min(picture.shape[:2]) >= crop for picture in self.pictures]
            share = share / share.sum()
        for n in rng.choice(len(self.pictures), count, p=share):
            picture = self.pictures[n]
            i, j = (int(rng.integers(0, side - crop + 1)) for side in picture.shape[:2])
            piece = np.rot90(picture[i : i + crop, j : j + crop], int(rng.integers(4)))
            out.append(piece[:, ::-1] if rng.random() < 0.5 else piece)
        return np.stack(out).astype(np.float32) / 255


def tell(text: str) -> None:
    """One line to stderr, where the progress of a training goes."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
