"""Writing TIFF: pages of any depth, with every tag as the bytes that it is.

tifffile, which reads them, cannot write the directories of EXIF and GPS.
"""

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from kfsr.image.ifd import LONG, LONG8, RATIONAL, SHORT, UNDEFINED, Directory, Entry, directory_bytes

_STRIP = 2**18
_LARGEST_CLASSIC = 2**32 - 2**24
_FORMATS = {"u": 1, "i": 2, "f": 3}
_PLAIN, _DEFLATE, _DIFFERENCES, _LEVEL = 1, 8, 2, 4
_ALPHA, _UNSPECIFIED = 2, 0


class TiffFile:
    """A TIFF in memory that pages are added to. big: BigTIFF, for more than 4 gigabytes. deflate: compressed without
    loss."""

    def __init__(self, big: bool = False, deflate: bool = True) -> None:
        self._big, self._deflate = big, deflate
        self._parts: list[bytes] = [b"II+\0\x08\0\0\0" + bytes(8) if big else b"II*\0" + bytes(4)]
        self._length = len(self._parts[0])
        self._pages: list[Directory] = []

    def add(
        self,
        values: npt.NDArray[Any],
        tags: Directory,
        *,
        colours: int,
        alpha: bool,
        resolution: tuple[float, float, int] | None = None,
        icc_profile: bytes | None = None,
        xmp: bytes | None = None,
    ) -> None:
        """A page of (H, W, C) values: `colours` of them, 1 or 3, then alpha where there is one, then further channels.

        tags: what else it says. resolution: pixels per unit (across, down) and TIFF's number of the unit.
        """
        height, width, channels = values.shape
        extra = [_ALPHA] * alpha + [_UNSPECIFIED] * (channels - colours - alpha)
        rows = max(1, _STRIP // (width * channels * values.dtype.itemsize))
        little = values.astype(values.dtype.newbyteorder("<"), copy=False)
        offsets, lengths = [], []
        for start in range(0, height, rows):
            strip = self._packed(little[start : start + rows])
            offsets.append(self._append(strip))
            lengths.append(len(strip))
        kind = LONG8 if self._big else LONG
        page = tags.plus(
            Entry.of(256, LONG, width),
            Entry.of(257, LONG, height),
            Entry.of(258, SHORT, *[8 * values.dtype.itemsize] * channels),
            Entry.of(259, SHORT, _DEFLATE if self._deflate else _PLAIN),
            Entry.of(262, SHORT, 1 if colours == 1 else 2),
            Entry.of(273, kind, *offsets),
            Entry.of(277, SHORT, channels),
            Entry.of(278, LONG, rows),
            Entry.of(279, kind, *lengths),
            Entry.of(284, SHORT, 1),
            Entry.of(339, SHORT, *[_FORMATS[values.dtype.kind]] * channels),
        )
        if self._deflate and values.dtype.kind != "f":
            page = page.plus(Entry.of(317, SHORT, _DIFFERENCES))
        if extra:
            page = page.plus(Entry.of(338, SHORT, *extra))
        if resolution is not None:
            across, down, unit = resolution
            page = page.plus(_rational(282, across), _rational(283, down), Entry.of(296, SHORT, unit))
        if icc_profile is not None:
            page = page.plus(Entry(34675, UNDEFINED, icc_profile))
        if xmp is not None:
            page = page.plus(Entry(700, 1, xmp))
        self._pages.append(page)

    def finish(self) -> bytes:
        """The whole file."""
        following = 0
        for page in reversed(self._pages):  # each directory names the next one
            self._append(bytes(self._length % 2))
            following = self._append(directory_bytes(page, self._length, self._big, following))
        head = self._parts[0]
        link = struct.pack("<Q" if self._big else "<I", following)
        self._parts[0] = head[: -len(link)] + link
        return b"".join(self._parts)

    def _packed(self, rows: npt.NDArray[Any]) -> bytes:
        if not self._deflate:
            return rows.tobytes()
        if rows.dtype.kind != "f":  # neighbours differ by little
            rows = np.concatenate([rows[:, :1], rows[:, 1:] - rows[:, :-1]], axis=1)
        return zlib.compress(rows.tobytes(), _LEVEL)

    def _append(self, content: bytes) -> int:
        at = self._length
        self._parts.append(content)
        self._length += len(content)
        return at


def is_big(size: int) -> bool:
    """Whether that many bytes of pixels need a BigTIFF."""
    return size > _LARGEST_CLASSIC


def _rational(tag: int, value: float) -> Entry:
    """A fraction near `value`, exact for whole numbers and tenths."""
    for below in (1, 10, 100, 10_000, 1_000_000):
        if abs(value * below - round(value * below)) < 1e-9 * value * below or value * below > 2**28:
            break
    return Entry.of(tag, RATIONAL, min(round(value * below), 2**32 - 1), below)
