"""Deflate for TIFF: Pillow's own compressed writer cannot store EXIF, so the file it writes plainly is packed here.

Adobe's Deflate (8) with the horizontal predictor, which every reader of TIFF has known for decades. The pixels, which
lie at the end of the file, are exchanged, and a directory that says so is put behind them; all else stays in its place.
"""

import struct
import zlib

import numpy as np

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _OFFSETS, _SAMPLES, _ROWS, _COUNTS = 256, 257, 258, 259, 273, 277, 278, 279
_PLANAR, _PREDICTOR = 284, 317
_SHORT, _LONG = 3, 4
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_POINTERS = (330, 34665, 34853)
_STRIP = 2**18
"""Bytes of pixels that are packed together, about."""

_LEVEL = 5

_Entry = tuple[int, int, int, bytes]
"""Tag, type, count, and the four bytes that hold the value or its place."""


def deflated(file: bytes) -> bytes:
    """The same TIFF with its pixels packed; the file itself where it is not as Pillow writes one: little-endian, one
    picture of 8 or 16 bits, chunky, not compressed, with its pixels at the end."""
    entries = _entries(file)
    numbers = {tag: _numbers(file, (tag, kind, count, value)) for tag, kind, count, value in entries}
    if not _is_plain(entries, numbers, file):
        return file
    offsets, counts = numbers[_OFFSETS], numbers[_COUNTS]
    start = min(offsets)
    width, height = numbers[_WIDTH][0], numbers[_HEIGHT][0]
    samples = numbers.get(_SAMPLES, [1])[0]
    kind = np.dtype("<u2" if numbers[_BITS][0] == 16 else "u1")
    pixels = b"".join(file[at : at + size] for at, size in zip(offsets, counts, strict=True))
    row = width * samples * kind.itemsize
    if len(pixels) != row * height:
        return file
    values = np.frombuffer(pixels, kind).reshape(height, width, samples)
    rows = max(1, _STRIP // row)
    strips = [_packed(values[top : top + rows]) for top in range(0, height, rows)]
    out = bytearray(file[:start])
    places = []
    for strip in strips:
        places.append(len(out))
        out += strip + b"\0" * (len(strip) % 2)
    changed = {
        _COMPRESSION: (_SHORT, [8]),
        _PREDICTOR: (_SHORT, [2]),
        _ROWS: (_LONG, [rows]),
        _OFFSETS: (_LONG, places),
        _COUNTS: (_LONG, [len(strip) for strip in strips]),
    }
    kept = [one for one in entries if one[0] not in changed]
    new = [(tag, kind_, len(values_), _stored(out, kind_, values_)) for tag, (kind_, values_) in changed.items()]
    directory = sorted([*kept, *new])
    struct.pack_into("<I", out, 4, len(out))
    out += struct.pack("<H", len(directory))
    out += b"".join(struct.pack("<HHI", tag, kind_, count) + value for tag, kind_, count, value in directory)
    return bytes(out + struct.pack("<I", 0))


def _packed(rows: np.ndarray) -> bytes:
    """Rows (h, w, samples) as differences of neighbours in a row, deflated."""
    steps = rows.copy()
    steps[:, 1:] -= rows[:, :-1]
    return zlib.compress(steps.tobytes(), _LEVEL)


def _entries(file: bytes) -> list[_Entry]:
    if file[:4] != b"II*\0":
        return []
    (first,) = struct.unpack_from("<I", file, 4)
    (count,) = struct.unpack_from("<H", file, first)
    (following,) = struct.unpack_from("<I", file, first + 2 + 12 * count)
    places = range(first + 2, first + 2 + 12 * count, 12)
    return [] if following else [(*struct.unpack_from("<HHI", file, at), file[at + 8 : at + 12]) for at in places]


def _numbers(file: bytes, entry: _Entry) -> list[int]:
    """The values of an entry of whole numbers, else none."""
    _, kind, count, value = entry
    if kind not in (_SHORT, _LONG):
        return []
    size = _BYTES[kind] * count
    data = value[:size] if size <= 4 else file[_place(value) : _place(value) + size]
    return list(struct.unpack(f"<{count}{'H' if kind == _SHORT else 'I'}", data))


def _place(value: bytes) -> int:
    return int(struct.unpack("<I", value)[0])


def _stored(out: bytearray, kind: int, values: list[int]) -> bytes:
    """The four bytes of an entry; what they are too short for is appended to the file."""
    data = struct.pack(f"<{len(values)}{'H' if kind == _SHORT else 'I'}", *values)
    if len(data) <= 4:
        return data.ljust(4, b"\0")
    place = len(out)
    out += data
    return struct.pack("<I", place)


def _is_plain(entries: list[_Entry], numbers: dict[int, list[int]], file: bytes) -> bool:
    bits = numbers.get(_BITS, [])
    plain = (
        all(numbers.get(tag) for tag in (_WIDTH, _HEIGHT, _OFFSETS, _COUNTS))
        and numbers.get(_COMPRESSION) == [1]
        and _PREDICTOR not in numbers
        and numbers.get(_PLANAR, [1]) == [1]
        and len(set(bits)) == 1
        and bits[0] in (8, 16)
    )
    if not plain:
        return False
    start = min(numbers[_OFFSETS])
    # Nothing but pixels may lie behind the first of them.
    places = [_place(value) for _, kind, count, value in entries if _BYTES.get(kind, 99) * count > 4]
    places += [_place(value) for tag, _, _, value in entries if tag in _POINTERS]
    return all(place < start for place in places) and _place(file[4:8]) < start
