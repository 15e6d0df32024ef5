"""JPEG by its segments: what stands beside the picture, and a file that lacks its end."""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kfsr.image.ifd import read_directory

END = b"\xff\xd9"
SEGMENT = 65533
"""Bytes that a segment holds: its length is 16 bits, two of the bytes are the length itself."""

PHOTOSHOP = b"Photoshop 3.0\0"
_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_IPTC = 0x0404
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FILLER = bytes([0x5A, 0xA6]) * 2048

_FILM, _FILM_BRANDS = b"ftyp", (b"mp4", b"iso", b"qt ", b"avc", b"M4V", b"hvc", b"MSN")

# Of the multi-picture format: types of pictures that belong together, as those of two eyes; others are previews.
_MP_ENTRY, _VIEWS = 0xB002, 0x02


@dataclass
class Parts:
    """iptc: the records. comments: as they stand. lost: in words, what further pictures or video the file holds.
    ends: whether it has its end."""

    iptc: bytes | None = None
    comments: list[bytes] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    ends: bool = True


def take_apart(data: bytes) -> Parts:
    """What stands beside the picture in a JPEG; whatever is damaged there is left out."""
    parts, photoshop, pictures, scan = Parts(), b"", 0, 0
    for marker, start, end in _segments(data):
        scan = end
        if marker == 0xFE:
            parts.comments.append(data[start:end])
        elif marker == 0xED and data.startswith(PHOTOSHOP, start):
            photoshop += data[start + len(PHOTOSHOP) : end]
        elif marker == 0xE1 and data.startswith(_MORE_XMP, start):
            parts.lost.append("extended XMP")
        elif marker == 0xE2 and data.startswith(b"MPF\0", start):
            pictures = _further_pictures(data[start + 4 : end])
        elif marker == 0xE2 and data.startswith(b"urn:iso:std:iso:ts:21496:-1\0", start):
            parts.lost.append("gain map")
    parts.iptc = iptc_of(photoshop)
    stop = data.find(END, scan)  # a small preview before the pixels has an end of its own
    parts.ends = stop >= 0
    if pictures:
        parts.lost.append(f"{pictures} other view{'s'[: pictures != 1]}")
    if parts.ends and _has_video(data, stop):
        parts.lost.append("video")
    parts.lost = list(dict.fromkeys(parts.lost))
    return parts


def iptc_of(photoshop: bytes) -> bytes | None:
    """The IPTC records among Photoshop's image resources, or `photoshop` itself where it is the records."""
    if photoshop[:1] == b"\x1c":
        return photoshop
    at = 0
    while photoshop[at : at + 4] == b"8BIM" and at + 12 <= len(photoshop):
        (number,) = struct.unpack_from(">H", photoshop, at + 4)
        name = 1 + photoshop[at + 6]
        at += 6 + name + name % 2
        if at + 4 > len(photoshop):
            return None
        (size,) = struct.unpack_from(">I", photoshop, at)
        at += 4
        if number == _IPTC:
            return photoshop[at : at + size] or None
        at += size + size % 2
    return None


def resources_of(iptc: bytes) -> bytes:
    """IPTC records as one of Photoshop's image resources."""
    return b"8BIM" + struct.pack(">HHI", _IPTC, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)


def with_segments(jpeg: bytes, segments: Sequence[tuple[int, bytes]]) -> bytes:
    """A JPEG with more segments, marker and content each, behind those of its file format and its EXIF."""
    at = 2
    for marker, _, end in _segments(jpeg):
        if marker not in (0xE0, 0xE1):
            break
        at = end
    added = [bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content for marker, content in segments]
    return b"".join([jpeg[:at], *added, jpeg[at:]])


def incomplete_rows(data: bytes, decode: Callable[[bytes], npt.NDArray[np.uint8]]) -> int:
    """How many rows, from the last one up, a JPEG without its end lacks something of.

    A decoder that reaches the end takes whatever stands there for more of the picture, unless it is complete: what
    changes with it is missing. decode: a file to pixels.
    """
    plain, filled = decode(data + END), decode(data + _FILLER + END)
    changed = (plain != filled).reshape(len(plain), -1).any(axis=1)
    return len(plain) - int(changed.argmax()) if changed.any() else 0


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the content of the segments before the pixels."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _STANDALONE:
            at += 2
            continue
        if marker in (0xD9, 0xDA):
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(data):
            return
        yield marker, at + 4, end
        at = end


def _further_pictures(block: bytes) -> int:
    """How many views of the same thing a multi-picture index names beside the first one."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 0
    try:
        (first,) = struct.unpack_from(order + "I", block, 4)
        entries = read_directory(block, first, order).get(_MP_ENTRY)
    except struct.error:
        return 0
    if entries is None:
        return 0
    kinds = [struct.unpack_from(order + "I", entries.value, at)[0] for at in range(0, len(entries.value) - 15, 16)]
    return sum(kind >> 16 & 0xFF == _VIEWS for kind in kinds[1:])


def _has_video(data: bytes, start: int) -> bool:
    """Whether a film stands behind the picture, as in a motion photo."""
    at = data.find(_FILM, start)
    while at >= 0:
        if data[at + 4 : at + 7] in _FILM_BRANDS:
            return True
        at = data.find(_FILM, at + 4)
    return False
