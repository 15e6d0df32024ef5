"""What a file is, from its first bytes, and which PNG and JPEG files are of a kind that is not read."""

import struct

# Enough for every signature here and in `raw` and `strangers`, and for the width and depth in a PNG header.
HEAD = 256

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}

_JPEG_LS = 0xF7  # its frame header

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


def not_read(data: bytes, name: str) -> str | None:
    """What kind of PNG or JPEG the sound file `data` is that no decoder here reads, in words; None for all others, and
    where the file is too damaged to tell (reading it will then fail with a better reason)."""
    try:
        if name == "PNG":
            return _odd_png(data)
        if name == "JPEG":
            return _odd_jpeg(data)
    except DAMAGE:
        return None
    return None


def _odd_png(data: bytes) -> str | None:
    if data[12:16] == b"CgBI":
        return "PNG in the form of Apple's programs (CgBI)"
    bits = data[24] if data[12:16] == b"IHDR" else 8
    return f"{bits}-bit PNG" if bits > 8 and bits != 16 else None


def _brands(head: bytes) -> set[bytes]:
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[i : i + 4] for i in range(16, end - 3, 4))}


def _odd_jpeg(data: bytes) -> str | None:
    # Markers up to the frame header (C0..CF but for C4, C8, CC); after its length comes the depth.
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == _JPEG_LS:
            return "JPEG-LS"
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return f"{data[at + 4]}-bit JPEG" if data[at + 4] > 8 else None
        if marker in (0xD9, 0xDA):
            return None
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None
