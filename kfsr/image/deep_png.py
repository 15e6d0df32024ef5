"""The pixels of a PNG of 16 bits.

Pillow reads them with 8. imagecodecs reads them with libpng, which has things to say on standard error: of pictures
that come in passes, and of bytes behind the pixels. So it gets plain pictures of a few rows, one after the other.
"""

import struct
import zlib

import numpy as np
import numpy.typing as npt

from kfsr.image import png

_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of Adam7: the first column and row, and the steps to the next."""

_BAND = 2**22
"""Bytes that are decoded at once, about."""


def decode(data: bytes) -> npt.NDArray[np.uint16]:
    """The pixels (H, W, C), C = 1 to 4, of a PNG of 16 bits without its side parts, as `png.Parts` holds it. Raises
    png.DamagedError where some are missing, zlib.error where they cannot be unpacked."""
    width, height, bits, kind, _, _, passes = struct.unpack_from(">IIBBBBB", data, 16)
    channels = _CHANNELS.get(kind)
    if bits != 16 or channels is None or passes > 1:
        raise png.DamagedError(f"colours of kind {kind} with {bits} bits")
    pixels = np.empty((height, width, channels), np.uint16)
    parts = [pixels[y::down, x::right] for x, y, right, down in _PASSES] if passes else [pixels]
    rows = _Rows(data)
    for part in parts:
        if part.size:
            _fill(part, rows, kind)
    return pixels


class _Rows:
    """The unpacked rows of a PNG, each with its filter, as one stream of bytes."""

    def __init__(self, data: bytes) -> None:
        self._packed = (content for kind, content in png.pixel_chunks(data) if kind == b"IDAT")
        self._unpacker = zlib.decompressobj()
        self._rest = b""

    def take(self, count: int) -> bytes:
        """The next `count` bytes; DamagedError where there are less."""
        found = bytearray()
        while len(found) < count:
            self._rest = self._rest or next(self._packed, b"")
            if not self._rest or self._unpacker.eof:
                raise png.DamagedError("pixels are missing")
            found += self._unpacker.decompress(self._rest, count - len(found))
            self._rest = self._unpacker.unconsumed_tail
        return bytes(found)


def _fill(part: npt.NDArray[np.uint16], rows: _Rows, kind: int) -> None:
    """Decode one pass. Filters count from the row above: each band gets the last one of the band before, unfiltered."""
    height, width, channels = part.shape
    row = 1 + 2 * width * channels
    step, above = max(1, _BAND // row), b""
    for start in range(0, height, step):
        band = part[start : start + step]
        filtered = above + rows.take(row * len(band))
        band[...] = _decoded(filtered, (len(filtered) // row, width, channels), kind)[-len(band) :]
        above = b"\0" + band[-1].astype(">u2").tobytes()


def _decoded(rows: bytes, shape: tuple[int, int, int], kind: int) -> npt.NDArray[np.uint16]:
    import imagecodecs

    header = struct.pack(">IIBBBBB", shape[1], shape[0], 16, kind, 0, 0, 0)
    chunks = [png.chunk(b"IHDR", header), png.chunk(b"IDAT", zlib.compress(rows, 0)), png.chunk(b"IEND", b"")]
    values: npt.NDArray[np.uint16] = imagecodecs.png_decode(b"".join([png.SIGNATURE, *chunks]))
    return values.reshape(shape)
