"""Encoding 16-bit PNG and TIFF, which Pillow writes in gray only.

Pillow writes an 8-bit file with all that goes beside the pixels; then the pixels and the few numbers that describe
them are exchanged.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image

Deep = npt.NDArray[np.uint16]
Bytes = npt.NDArray[np.uint8]

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BLOCK = 2**20
"""Bytes of rows that are filtered at once."""
_WIDTH, _BITS = 256, 258
_SHORT = 3


def encode_deep(values: Deep, format: str, options: dict[str, Any]) -> bytes:
    """A 16-bit file in `format`, PNG or TIFF, of (H, W, C) values: gray, gray and alpha, RGB or RGBA.

    options: Pillow's for saving, with the metadata. Raises what Pillow raises for what it cannot store.
    """
    return _png(values, options) if format == "PNG" else _tiff(values, options)


def _png(values: Deep, options: dict[str, Any]) -> bytes:
    height, width, channels = values.shape
    stand_in = io.BytesIO()
    PIL.Image.new(_MODES[channels], (1, 1)).save(stand_in, "PNG", **options)
    file = [_PNG_SIGNATURE]
    for kind, content in _chunks(stand_in.getvalue()):
        if kind == b"IHDR":
            file.append(_chunk(kind, struct.pack(">IIB", width, height, 16) + content[9:]))
        elif kind == b"IDAT":
            file += [_chunk(kind, piece) for piece in _compressed(values)]
        else:
            file.append(_chunk(kind, content))
    return b"".join(file)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG_SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _compressed(values: Deep) -> Iterator[bytes]:
    """PNG's filtered and deflated rows, in pieces."""
    height, width, channels = values.shape
    rows = max(1, _BLOCK // (2 * width * channels))
    above = np.zeros((1, 2 * width * channels), np.uint8)
    deflate = zlib.compressobj()
    for start in range(0, height, rows):
        block = values[start : start + rows].astype(">u2").reshape(-1, width * channels).view(np.uint8)
        if piece := deflate.compress(_filtered(block, above, 2 * channels).tobytes()):
            yield piece
        above = block[-1:]
    yield deflate.flush()


def _filtered(rows: Bytes, above: Bytes, step: int) -> Bytes:
    """PNG's filters (section 9 of its specification): of each row the one whose bytes are smallest, with its number.

    rows (N, S), above (1, S): the row before them; step: bytes of a pixel. Returns (N, 1 + S).
    """
    up = np.concatenate([above, rows[:-1]])
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, step:], corner[:, step:] = rows[:, :-step], up[:, :-step]
    mean = ((left.astype(np.uint16) + up) // 2).astype(np.uint8)
    best, least = np.empty((len(rows), 1 + rows.shape[1]), np.uint8), np.full(len(rows), np.inf)
    for number, guess in enumerate((0, left, up, mean, _paeth(left, up, corner))):
        rest = rows - guess
        cost = np.abs(rest.view(np.int8).astype(np.int16)).sum(axis=1)
        better = cost < least
        best[better, 0], best[better, 1:], least[better] = number, rest[better], cost[better]
    return best


def _paeth(left: Bytes, up: Bytes, corner: Bytes) -> Bytes:
    """That of left, up and corner which is nearest to left + up - corner; the first of equals."""
    a, b, c = (part.astype(np.int16) for part in (left, up, corner))
    to_a, to_b, to_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    return np.where((to_a <= to_b) & (to_a <= to_c), left, np.where(to_b <= to_c, up, corner))


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
