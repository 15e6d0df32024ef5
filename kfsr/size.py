"""The size of a result where it is no whole multiple of the picture's: in pixels, or as a factor like 1.5."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from kfsr.errors import UsageError

MOST = 4
"""The largest factor by which a picture is enlarged."""

_BOX = re.compile(r"(\d{1,6})?[xX](\d{1,6})?")
_FACTOR = re.compile(r"[xX]?(\d+(?:\.\d+)?)[xX]?")


def parse_factor(text: str) -> float | None:
    """The number that "4", "x4", "4x" or "1.5" mean, None for other words."""
    match = _FACTOR.fullmatch(text.strip())
    return float(match[1]) if match else None


@dataclass(frozen=True)
class Size:
    """A wanted size: a box of `width` x `height` pixels, either of which may be open (None), or a `factor`."""

    width: int | None = None
    height: int | None = None
    factor: float | None = None

    @classmethod
    def parse(cls, text: str) -> Size:
        """The size that "1920x1080", "1920x", "x1080" or a factor like "1.5" means; UsageError for other words.

        The picture keeps its proportions: with both sides given it is as large as fits into them.
        """
        text = text.strip()
        box = _BOX.fullmatch(text)
        if box is not None and (box[1] or box[2]):
            sides = [None if side is None else int(side) for side in box.groups()]
            if 0 not in sides:
                return cls(*sides)
        elif (factor := parse_factor(text)) is not None and "x" not in text.lower() and 1 <= factor <= MOST:
            return cls(factor=factor)
        raise UsageError(f"{text!r} is not a size; write it like 1920x1080, 1920x or x1080")

    def of(self, width: int, height: int) -> tuple[int, int]:
        """The size (width, height) that a picture of `width` x `height` gets."""
        grown = self._factor(width, height)
        return max(1, round(width * grown)), max(1, round(height * grown))

    def scale_of(self, width: int, height: int) -> int:
        """The smallest whole scale from which such a picture is shrunk to this size; UsageError where it would have to
        be enlarged by more than `MOST`, or not at all."""
        grown = self._factor(width, height)
        wide, high = self.of(width, height)
        if wide > MOST * width or high > MOST * height:
            raise UsageError(
                f"{wide}x{high} is {grown:.3g} times the picture's {width}x{height}, and {MOST} is the most; "
                "ask for less, or enlarge the result once more"
            )
        if wide < width or high < height:
            raise UsageError(
                f"{wide}x{high} is smaller than the picture's {width}x{height}; a picture is only enlarged here"
            )
        return math.ceil(self.factor) if self.factor else max(math.ceil(wide / width), math.ceil(high / height))

    def _factor(self, width: int, height: int) -> float:
        if self.factor is not None:
            return self.factor
        across = math.inf if self.width is None else self.width / width
        down = math.inf if self.height is None else self.height / height
        return min(across, down)
