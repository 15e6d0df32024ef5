"""Words and lines on a picture, for the plots of other modules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Text:
    """One line of text at (x, y) in pixels; `anchor` is Pillow's ("lt" is left top, "rm" right middle)."""

    x: float
    y: float
    words: str
    size: float = 14.0
    colour: Colour = (40, 40, 40)
    anchor: str = "lt"


@dataclass(frozen=True)
class Line:
    """A line through (x, y) points in pixels, `width` pixels wide."""

    points: tuple[tuple[float, float], ...]
    colour: Colour = (40, 40, 40)
    width: int = 1


def draw(picture: npt.NDArray[np.uint8], marks: Iterable[Text | Line]) -> npt.NDArray[np.uint8]:
    """A copy of the uint8 (H, W, 3) `picture` with the marks on it, later ones over earlier ones."""
    image = PilImage.fromarray(picture)
    pen = ImageDraw.Draw(image)
    for mark in marks:
        if isinstance(mark, Text):
            font = ImageFont.load_default(mark.size)
            pen.text((mark.x, mark.y), mark.words, fill=mark.colour, font=font, anchor=mark.anchor)
        else:
            pen.line(mark.points, fill=mark.colour, width=mark.width)
    return np.asarray(image, dtype=np.uint8).copy()
