"""PNG by its chunks: the side ones are read here, of any size, and only those of the pixels go to a decoder."""

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kfsr.image.extras import Chunk

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR = (b"cICP", b"sRGB", b"gAMA", b"cHRM", b"mDCV", b"cLLI")
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")

_XMP = b"XML:com.adobe.xmp"
_RAW_PROFILE = b"Raw profile type "
LONGEST = 64 * 2**20
"""Bytes that a profile or a text may unpack to."""

# What other programs note of one file's pixels.
_STALE_KEYWORD = re.compile(
    rb"(?:png:|Thumb::)|(?:exif|tiff):(?:Pixel[XY]Dimension|ExifImage(?:Width|Length)|Image(?:Width|Length|Height)"
    rb"|Orientation|thumbnail|Thumbnail|JPEGInterchange)"
)


class DamagedError(Exception):
    """A PNG that cannot be read; the text says why."""


@dataclass
class Parts:
    """A PNG taken apart. pixels: a PNG of nothing but the picture, for a decoder, with right checksums. slight: what
    is wrong with the file and does not touch the picture. frames: of an animation, else 1."""

    pixels: bytes
    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    colour: list[Chunk] = field(default_factory=list)
    texts: list[Chunk] = field(default_factory=list)
    pixels_per_metre: tuple[int, int] | None = None
    transparency: bytes | None = None
    frames: int = 1
    slight: list[str] = field(default_factory=list)


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def take_apart(data: bytes) -> Parts:
    """The parts of the PNG `data`. Raises DamagedError for one whose pixels' own chunks are wrong or missing."""
    parts = Parts(b"")
    kept, wrong, seen_pixels = [SIGNATURE], False, False
    for kind, content, sound in _chunks(data, parts.slight):
        if not sound:
            if kind in (b"IHDR", b"PLTE", b"tRNS"):
                raise DamagedError(f"wrong checksum in {kind.decode()}")
            wrong = wrong or kind == b"IDAT"
            parts.slight.append(f"wrong checksum in {_name(kind)}")
        if kind in _PIXELS:
            seen_pixels = seen_pixels or kind == b"IDAT"
            if kind != b"IEND":
                kept.append(chunk(kind, content))
            if kind == b"tRNS":
                parts.transparency = content
        else:
            _note(parts, kind, content)
    if not seen_pixels:
        raise DamagedError("no pixels")
    if wrong and not _unpacks(kept):
        raise DamagedError("wrong checksum in the pixels")
    parts.pixels = b"".join([*kept, chunk(b"IEND", b"")])
    parts.slight = list(dict.fromkeys(parts.slight))
    return parts


def pixel_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the chunks of a sound PNG."""
    return ((kind, content) for kind, content, _ in _chunks(data, []))


def with_chunks(png: bytes, before: Sequence[bytes], after: Sequence[bytes] = ()) -> bytes:
    """A sound PNG with more whole chunks, before its palette and behind its pixels."""
    head = len(SIGNATURE) + 25
    return b"".join([png[:head], *before, png[head:-12], *after, png[-12:]])


def text_chunk(keyword: bytes, text: bytes) -> bytes:
    """A text as tEXt, or as iTXt where it is UTF-8 and not ASCII."""
    if not text.isascii():
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return chunk(b"iTXt", keyword + b"\0\0\0\0\0" + text.replace(b"\0", b""))
    return chunk(b"tEXt", keyword + b"\0" + text.replace(b"\0", b""))


def raw_profile_chunk(kind: bytes, content: bytes) -> bytes:
    """A block of metadata that PNG has no chunk for, in the manner of ImageMagick, which many programs read."""
    digits = content.hex().encode()
    lines = b"\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = b"\n%s\n%8d\n%s\n" % (kind, len(content), lines)
    return chunk(b"zTXt", _RAW_PROFILE + kind + b"\0\0" + zlib.compress(text))


def keyword_of(content: bytes) -> bytes:
    """The keyword of a text chunk's content."""
    return content.split(b"\0", 1)[0][:79]


def _chunks(data: bytes, slight: list[str]) -> Iterator[tuple[bytes, bytes, bool]]:
    """Kind, content and whether the checksum is right, up to the end."""
    at = len(SIGNATURE)
    while True:
        if at + 8 > len(data):
            slight.append("no end")
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end > len(data):
            if kind in _PIXELS and kind != b"IEND":
                raise DamagedError(f"cut off in {_name(kind)}")
            slight.append(f"cut off in {_name(kind)}")
            return
        content = data[at + 8 : end]
        yield kind, content, data[end : end + 4] == struct.pack(">I", zlib.crc32(kind + content))
        if kind == b"IEND":
            return
        at = end + 4


def _note(parts: Parts, kind: bytes, content: bytes) -> None:
    try:
        if kind == b"iCCP":
            parts.icc_profile = parts.icc_profile or _unpacked(content.split(b"\0", 1)[1][1:])
        elif kind == b"eXIf":
            parts.exif = parts.exif or content
        elif kind in COLOUR:
            parts.colour.append((kind, content))
        elif kind == b"pHYs" and len(content) == 9 and content[8] == 1:
            across, down = struct.unpack_from(">II", content)
            parts.pixels_per_metre = (across, down)
        elif kind == b"acTL" and len(content) == 8:
            parts.frames = max(1, min(struct.unpack_from(">I", content)[0], 2**31))
        elif kind in TEXTS:
            _note_text(parts, kind, content)
    except (zlib.error, IndexError, ValueError) as error:
        reason = "too large" if "too large" in str(error) else "cannot be unpacked"
        parts.slight.append(f"{_name(kind)} {reason}, left out")


def _note_text(parts: Parts, kind: bytes, content: bytes) -> None:
    keyword = keyword_of(content)
    if keyword == _XMP:
        if parts.xmp is None:
            parts.xmp = _text(kind, content)
    elif keyword.startswith(_RAW_PROFILE):
        profile = keyword.removeprefix(_RAW_PROFILE)
        found = bytes.fromhex("".join(_text(kind, content).decode("latin-1").strip("\n").split("\n")[2:]))
        if profile in (b"exif", b"APP1") and found.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            parts.xmp = parts.xmp or found.split(b"\0", 1)[1]
        elif profile in (b"exif", b"APP1"):
            parts.exif = parts.exif or found
        elif profile == b"xmp":
            parts.xmp = parts.xmp or found
        elif profile in (b"iptc", b"8bim"):
            parts.iptc = parts.iptc or found
        elif profile in (b"icc", b"icm"):
            parts.icc_profile = parts.icc_profile or found
    elif keyword and not _STALE_KEYWORD.match(keyword):
        parts.texts.append((kind, content))


def _text(kind: bytes, content: bytes) -> bytes:
    rest = content.split(b"\0", 1)[1]
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        return _unpacked(rest[1:])
    packed, rest = rest[0], rest[2:]
    text = rest.split(b"\0", 2)[2]
    return _unpacked(text) if packed else text


def _unpacked(content: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    found = unpacker.decompress(content, LONGEST)
    if unpacker.unconsumed_tail:
        raise ValueError("too large")
    if not unpacker.eof:
        raise ValueError("not whole")
    return found


def _unpacks(kept: Sequence[bytes]) -> bool:
    """Whether the pixels' stream is whole by its own checksum."""
    unpacker, whole = zlib.decompressobj(), False
    try:
        for one in kept:
            if one[4:8] == b"IDAT":
                rest = one[8:-4]
                while rest and not unpacker.eof:
                    unpacker.decompress(rest, 2**20)
                    rest = unpacker.unconsumed_tail
                whole = unpacker.eof
    except zlib.error:
        return False
    return whole


def _name(kind: bytes) -> str:
    return kind.decode("ascii", "replace") if kind.isalnum() else "a chunk"
