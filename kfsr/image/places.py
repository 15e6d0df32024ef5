"""Where the pixels of a GeoTIFF lie on the earth, and what becomes of that when the picture grows."""

import re

from kfsr.image.ifd import DOUBLE, Entry

_PIXEL_SCALE, _TIEPOINTS, _TRANSFORMATION, _KEYS, _RPC = 33550, 33922, 34264, 34735, 50844
_GDAL_METADATA = 42112
PLACES = (_PIXEL_SCALE, _TIEPOINTS, _TRANSFORMATION, _KEYS, 34736, 34737, _GDAL_METADATA, 42113, _RPC)
"""The tags of a GeoTIFF: scale, tie points, transformation, keys and their values, GDAL's, and the camera model."""

_RASTER_TYPE, _POINT = 1025, 2
_STATISTICS = re.compile(rb"<Item name=\"STATISTICS_[^<]*</Item>\n?")


def enlarged_place(tags: tuple[Entry, ...], scale: float) -> tuple[Entry, ...]:
    """`tags` for a picture that is `scale` times as large: the same corners lie in the same places.

    Where the keys say that a pixel is a point, its number counts from the middle of the first pixel, whose place
    moves; else from the picture's corner, which does not.
    """
    found = {one.tag: one for one in tags}
    shift = 0.5 * (scale - 1) if _is_point(found.get(_KEYS)) else 0.0
    return tuple(_enlarged(one, scale, shift) for one in tags)


def _enlarged(entry: Entry, scale: float, shift: float) -> Entry:
    values = list(entry.numbers()) if entry.kind == DOUBLE else []
    if entry.tag == _PIXEL_SCALE and len(values) == 3:
        values[:2] = values[0] / scale, values[1] / scale
    elif entry.tag == _TIEPOINTS and values and len(values) % 6 == 0:
        for at in range(0, len(values), 6):
            values[at : at + 2] = (v * scale + shift for v in values[at : at + 2])
    elif entry.tag == _TRANSFORMATION and len(values) == 16:
        for row in range(0, 12, 4):
            a, b = values[row] / scale, values[row + 1] / scale
            values[row : row + 4] = a, b, values[row + 2], values[row + 3] - shift * (a + b)
    elif entry.tag == _RPC and len(values) == 92:  # offsets count from the middle of the first pixel
        for at in (2, 3):  # of lines and of samples
            values[at], values[at + 5] = values[at] * scale + 0.5 * (scale - 1), values[at + 5] * scale
    elif entry.tag == _GDAL_METADATA:
        return Entry(entry.tag, entry.kind, _STATISTICS.sub(b"", entry.value))
    else:
        return entry
    return Entry.of(entry.tag, DOUBLE, *values)


def _is_point(keys: Entry | None) -> bool:
    numbers = () if keys is None else keys.numbers()
    return any(numbers[at] == _RASTER_TYPE and numbers[at + 3] == _POINT for at in range(4, len(numbers) - 3, 4))
