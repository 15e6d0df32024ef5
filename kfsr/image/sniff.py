"""What a file is, from its first bytes, and how many bits its values have.

Pillow opens 16-bit colour PNG and TIFF, and 10-bit AVIF, as 8-bit without a word, so depth is read here.
"""

import io
import struct
from collections.abc import Iterator

from PIL import TiffImagePlugin

# Enough for every signature below, and for the width and depth in a PNG header.
HEAD = 64

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BITS_PER_SAMPLE = 258
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}

# What reading the headers of damaged files is known to raise.
DAMAGE = (LookupError, struct.error, SyntaxError, OSError, EOFError, ValueError, TypeError, ArithmeticError)


def format_of(head: bytes) -> str | None:
    """Pillow's name of the format that begins with `head`, or None when it is none of ours."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:4] in _TIFF_STARTS:
        return "TIFF"
    if head[4:8] == b"ftyp":
        brands = _brands(head)
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIC_BRANDS:
            return "HEIC"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if head.startswith(b"BM"):
        return "BMP"
    return None


def bits(data: bytes, name: str) -> int:
    """Bits per channel value of the whole file `data`, which is of the format called `name`; 8 when the file
    does not say or is too damaged to tell (reading it will then fail with a better reason)."""
    try:
        if name == "PNG":
            return data[24] if data[12:16] == b"IHDR" else 8
        if name == "JPEG":
            return _jpeg_bits(data)
        if name == "TIFF":
            return _tiff_bits(data)
        if name == "AVIF":
            return max((depth for depth, _ in _av1_configurations(data)), default=8)
    except DAMAGE:
        return 8
    return 8


def avif_is_gray(data: bytes) -> bool:
    """Whether an AVIF file stores no colour at all; Pillow hands it out as RGB all the same."""
    try:
        configurations = list(_av1_configurations(data))
    except (IndexError, struct.error):
        return False
    return bool(configurations) and all(gray for _, gray in configurations)


def _brands(head: bytes) -> set[bytes]:
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[i : i + 4] for i in range(16, end - 3, 4))}


def _jpeg_bits(data: bytes) -> int:
    # Markers up to the frame header (C0..CF but for C4, C8, CC); after its length comes the depth.
    at = 2
    while True:
        if data[at] != 0xFF:
            return 8
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return data[at + 4]
        if marker in (0xD9, 0xDA):
            return 8
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]


def _tiff_bits(data: bytes) -> int:
    big = data[2:4] in (b"+\0", b"\0+")
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if big else 8])
    file = io.BytesIO(data)
    file.seek(directory.next)
    directory.load(file)
    depth = directory.get(_BITS_PER_SAMPLE, 1)
    return int(max(depth) if isinstance(depth, tuple) else depth)  # damaged: text, fractions


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The ISO boxes between two offsets: (type, start of the content, end of the content)."""
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


def _av1_configurations(data: bytes) -> Iterator[tuple[int, bool]]:
    """(bits, is gray) of every AV1 configuration among the item properties: meta / iprp / ipco / av1C."""
    places = [(0, len(data))]
    for wanted, skipped in ((b"meta", 4), (b"iprp", 0), (b"ipco", 0), (b"av1C", 0)):  # 4: version and flags
        boxes = [box for place in places for box in _boxes(data, *place)]
        places = [(start + skipped, end) for kind, start, end in boxes if kind == wanted]
    for at, _ in places:
        flags = data[at + 2]
        deep, twelve, gray = flags & 0x40, flags & 0x20, flags & 0x10
        yield (12 if twelve else 10) if deep else 8, bool(gray)
