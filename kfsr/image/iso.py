"""The boxes of AVIF and HEIC: what they say of the main picture and its colours."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

# What reading damaged boxes is known to raise.
_DAMAGE = (IndexError, struct.error)


@dataclass(frozen=True)
class Properties:
    """Of the main picture. bits: per value. gray: whether no colour is stored. colours: H.273's numbers of primaries
    and transfer, None where the file does not say. gain_map: whether the file holds a picture that says how much
    brighter a screen may show this one."""

    bits: int = 8
    gray: bool = False
    colours: tuple[int, int] | None = None
    gain_map: bool = False


def properties(data: bytes) -> Properties:
    """What the file says; the defaults for what is too damaged to tell."""
    try:
        return _properties(data)
    except _DAMAGE:
        return Properties()


def _properties(data: bytes) -> Properties:
    meta = [(start + 4, end) for kind, start, end in boxes(data, 0, len(data)) if kind == b"meta"]  # version, flags
    inside = [box for place in meta for box in boxes(data, *place)]
    main = next((_number(data, start, data[start] > 0) for kind, start, _ in inside if kind == b"pitm"), None)
    about = [box for kind, start, end in inside if kind == b"iprp" for box in boxes(data, start, end)]
    stored = [box for kind, start, end in about if kind == b"ipco" for box in boxes(data, start, end)]
    of_main = next((_of_item(data, start, end, main) for kind, start, end in about if kind == b"ipma"), None)
    if of_main is not None:
        stored = [stored[number - 1] for number in of_main if 0 < number <= len(stored)] or stored
    bits, gray, colours = [8], [], None
    for kind, start, end in stored:
        if kind == b"av1C":
            flags = data[start + 2]
            bits.append((12 if flags & 0x20 else 10) if flags & 0x40 else 8)
            gray.append(bool(flags & 0x10))
        elif kind == b"pixi":  # all that a grid of parts says
            bits += data[start + 5 : start + 5 + data[start + 4]]
        elif kind == b"colr" and data[start : start + 4] == b"nclx" and end - start >= 8:
            primaries, transfer = struct.unpack_from(">HH", data, start + 4)
            colours = primaries, transfer
    kinds = [data[start : min(end, start + 2**16)] for kind, start, end in inside if kind == b"iinf"]
    gain_map = b"tmap" in data[:64] or any(b"tmap" in one for one in kinds) or b":aux:hdrgainmap" in data[: 2**20]
    return Properties(max(bits), bool(gray) and all(gray), colours, gain_map)


def boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes between two offsets: (type, start of the content, end of the content)."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if size == 1:  # the real size follows in 64 bits
            (size,) = struct.unpack_from(">Q", data, content)
            content += 8
        stop = end if size == 0 else start + size
        if stop < content or stop > end:
            return
        yield kind, content, stop
        start = stop


def _number(data: bytes, start: int, wide: bool) -> int:
    (number,) = struct.unpack_from(">I" if wide else ">H", data, start + 4)
    return int(number)


def _of_item(data: bytes, start: int, end: int, item: int | None) -> list[int] | None:
    """The numbers, from 1 on, of the properties that an ipma box gives to an item; None where it names none."""
    version, flags = data[start], data[start + 3]
    (count,) = struct.unpack_from(">I", data, start + 4)
    at = start + 8
    for _ in range(count):
        if at >= end:
            return None
        (found,) = struct.unpack_from(">I" if version else ">H", data, at)
        at += 4 if version else 2
        number = data[at]
        at += 1
        step = 2 if flags & 1 else 1
        if found == item:
            values = [data[at + i * step : at + (i + 1) * step] for i in range(number)]
            return [int.from_bytes(one, "big") & (0x7FFF if step == 2 else 0x7F) for one in values]
        at += number * step
    return None
