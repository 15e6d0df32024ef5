"""Reading arrays of numbers and words out of MATLAB files (level 5, ``save -v6`` and ``-v7``).

scipy's reader does more, but some damaged files make it crash the whole process, and a kernel may come
from anywhere. Format: "MAT-File Format", The MathWorks.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from kfsr.errors import InputError

_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CHARACTERS = {1: "utf-8", 2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CHAR_CLASS = 4
_NUMBER_CLASSES = range(6, 16)
_COMPLEX = 0x0800

Value = np.ndarray | str | None


def read_variables(data: bytes, max_bytes: int) -> dict[str, Value]:
    """The variables of a MATLAB file by name: real 2-D arrays of numbers, text, None for everything else.

    max_bytes is the most that one variable may take when unpacked; larger ones are left out. Raises
    InputError for damaged files and for versions other than level 5.
    """
    if data[:10] == b"MATLAB 7.3":
        raise InputError("is a MATLAB 7.3 file; save it with -v7 or as .npy")
    if len(data) < 128 or data[126:128] not in (b"IM", b"MI"):
        raise InputError("is not a MATLAB file that can be read; save it again with -v7 or as .npy")
    order = "<" if data[126:128] == b"IM" else ">"
    found: dict[str, Value] = {}
    try:
        for kind, body in _elements(data[128:], order):
            if kind == _COMPRESSED:
                unpacker = zlib.decompressobj()
                unpacked = unpacker.decompress(body, max_bytes + 1)
                if len(unpacked) > max_bytes:
                    # Too large to be what is looked for; its name is not worth the memory.
                    continue
                kind, body = next(_elements(unpacked, order), (0, b""))
                # Only what has come to its end has had its checksum tested.
                if not unpacker.eof:
                    raise ValueError
            if kind == _MATRIX:
                name, value = _matrix(body, order)
                found[name] = value
    except (struct.error, ValueError, zlib.error, StopIteration) as error:
        raise InputError("is a damaged MATLAB file; save it again with -v7 or as .npy") from error
    return found


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of each data element in turn."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        if kind >> 16:  # the small form: the size in the upper half, four bytes of content in the tag itself
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
            at += 8
        else:
            start = at + 8
            at = start + size
            if kind != _COMPRESSED:
                at += -size % 8
        if start + size > len(data):
            raise ValueError
        yield kind, data[start : start + size]


def _matrix(body: bytes, order: str) -> tuple[str, Value]:
    parts = _elements(body, order)
    flags = struct.unpack(order + "II", next(parts)[1])[0]
    shape = tuple(int(n) for n in np.frombuffer(next(parts)[1], order + "i4"))
    name = next(parts)[1].decode("ascii")
    matlab_class = flags & 0xFF
    if matlab_class not in (_CHAR_CLASS, *_NUMBER_CLASSES) or flags & _COMPLEX or len(shape) != 2:
        return name, None
    kind, content = next(parts, (9, b""))
    if matlab_class == _CHAR_CLASS:
        encoding = _CHARACTERS.get(kind, "utf-8")
        if encoding != "utf-8":
            encoding += "-le" if order == "<" else "-be"
        return name, content.decode(encoding)
    if kind not in _NUMBERS or min(shape) < 0:
        raise ValueError
    values = np.frombuffer(content, order + _NUMBERS[kind])
    if values.size != math.prod(shape):
        raise ValueError
    return name, values.reshape(shape, order="F").astype(np.float64)
