"""Encoding 16-bit PNG and TIFF, which Pillow writes in gray only.

Pillow writes an 8-bit file with all that goes beside the pixels; then the pixels (PNG's are numpngw's) and the few
numbers that describe them are exchanged.
"""

import io
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
from numpngw import write_png

Deep = npt.NDArray[np.uint16]

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WIDTH, _BITS = 256, 258
_SHORT = 3


def encode_deep(values: Deep, format: str, options: dict[str, Any]) -> bytes:
    """A 16-bit file in `format`, PNG or TIFF, of (H, W, C) values: gray, gray and alpha, RGB or RGBA.

    options: Pillow's for saving, with the metadata. Raises what Pillow raises for what it cannot store.
    """
    return _png(values, options) if format == "PNG" else _tiff(values, options)


def _png(values: Deep, options: dict[str, Any]) -> bytes:
    stand_in, pixels = io.BytesIO(), io.BytesIO()
    PIL.Image.new(_MODES[values.shape[2]], (1, 1)).save(stand_in, "PNG", **options)
    write_png(pixels, values[..., 0] if values.shape[2] == 1 else values, filter_type="heuristic")
    # The pixels' own chunks, and the stand-in's others in their places.
    own: dict[bytes, list[bytes]] = {}
    for kind, whole in _chunks(pixels.getvalue()):
        own.setdefault(kind, []).append(whole)
    chunks = (part for kind, whole in _chunks(stand_in.getvalue()) for part in own.get(kind, [whole]))
    return b"".join([_PNG_SIGNATURE, *chunks])


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and all bytes of each."""
    at = len(_PNG_SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at : at + 12 + length]
        at += 12 + length


def _tiff(values: Deep, options: dict[str, Any]) -> bytes:
    # Two bytes side by side are stored as two 8-bit pixels would be.
    height, width, channels = values.shape
    halves = values.astype("<u2").reshape(height, -1).view(np.uint8).reshape(height, 2 * width, channels)
    picture = PIL.Image.fromarray(halves[..., 0] if channels == 1 else halves)
    buffer = io.BytesIO()
    picture.save(buffer, "TIFF", **options)
    file = bytearray(buffer.getbuffer())
    (first,) = struct.unpack_from("<I", file, 4)
    (count,) = struct.unpack_from("<H", file, first)
    for at in range(first + 2, first + 2 + 12 * count, 12):
        tag, kind, number, place = struct.unpack_from("<HHII", file, at)
        if tag == _WIDTH:
            struct.pack_into("<H" if kind == _SHORT else "<I", file, at + 8, width)
        elif tag == _BITS:
            struct.pack_into(f"<{number}H", file, at + 8 if number <= 2 else place, *(16,) * number)
    return bytes(file)
