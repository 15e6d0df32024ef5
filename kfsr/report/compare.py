"""Before and after in one picture, side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kfsr.errors import InputError
from kfsr.image import Image, encode_image, read_image
from kfsr.report.pictures import before_at, flat

GAP = 8
"""White pixels between the two."""


def side_by_side(result: Path, source: Path) -> bytes:
    """A PNG: on the left the original enlarged by bicubic interpolation (of the same size: as it is), on the right the
    result. Raises InputError where one cannot be read."""
    after = flat(read_image(result, max_pixels=2**40))
    if not source.is_file():
        raise InputError(f"{source}: is no longer there, so there is nothing to compare with")
    before = before_at(flat(read_image(source, max_pixels=2**40)), after.shape[:2])
    gap = np.ones((after.shape[0], GAP, 3), np.float32)
    joined = np.rint(np.concatenate([before, gap, after], 1) * 255).astype(np.uint8)
    return encode_image(Image.from_array(joined), "PNG")
